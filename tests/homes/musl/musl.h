/* SPDX-License-Identifier: MIT
 *
 * What the programs under test call by glibc's names, in a build with musl; the compiler includes
 * it first. Functions that musl lacks are their system calls, by syscall(2), as a program for musl
 * makes them.
 */
#ifndef WSRX_HOMES_MUSL_H
#define WSRX_HOMES_MUSL_H

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define __GLIBC_PREREQ(major, minor) 0
#define RWF_NOWAIT                   8
#define CLOSE_RANGE_UNSHARE          2
#define CLOSE_RANGE_CLOEXEC          4
#define strerrorname_np              libc_error_name
#undef off64_t
#define off64_t off_t

const char *libc_error_name(int error); /* core/base/libc.c */

ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags);
ssize_t preadv64v2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags);
int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                 const sigset_t *mask);
int close_range(unsigned first, unsigned last, int flags);
ssize_t process_madvise(int process, const struct iovec *ranges, size_t count, int advice,
                        unsigned flags);
void closefrom(int first);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);

#endif
