/* SPDX-License-Identifier: MIT
 *
 * The registrations of an epoll set, read from /proc: proc(5), "/proc/pid/fdinfo".
 *
 *     tfd:        5 events:       19 data:                1  pos:0 ino:29b2ce sdev:9
 *
 * This takes openat, some preads and a close. It is done only while a tail is held.
 */
#ifndef WSRX_WAIT_EPOLL_FDINFO_H
#define WSRX_WAIT_EPOLL_FDINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A registration as the kernel has it. `fd` is the number that EPOLL_CTL_ADD was called with. It
 * may be closed by now, or may belong to another process. */
struct fdinfo_entry {
    int fd;
    uint32_t events; /* with those that the kernel always adds */
    uint64_t data;
    uint64_t inode; /* of the file; 0: unknown, before Linux 4.13 */
};

struct fdinfo {
    int fd;
    uint64_t at;
    size_t length, next;
    bool ended;
    int error; /* why reading ended early, or 0 */
};

/* 0, or a negative errno. Under the registry's lock, and one at a time: they share the memory for what
 * is read, which would be much of a small stack. */
int fdinfo_open(struct fdinfo *info, int epfd);
/* The next registration; false: there are no more, or `info->error` is set. */
bool fdinfo_next(struct fdinfo *info, struct fdinfo_entry *ret_entry);
void fdinfo_close(struct fdinfo *info);

/* Whether the number is open as this file. If fstat(2) fails otherwise than by EBADF, true. */
bool fdinfo_is_file(int fd, uint64_t inode);

/* The events for which `fd` is registered in the set: with the file that it is now, if it was
 * registered with an earlier one as well, of which there is a duplicate. -1: /proc cannot be read, or
 * it is not registered. */
int64_t fdinfo_events(int epfd, int fd);

#endif
