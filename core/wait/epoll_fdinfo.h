/* SPDX-License-Identifier: MIT
 *
 * What the kernel says of an epoll set, by its file in /proc: proc(5), "/proc/pid/fdinfo".
 *
 *     tfd:        5 events:       19 data:                1  pos:0 ino:29b2ce sdev:9
 *
 * One call of open, some of pread and one of close: for when a tail is held, and never before.
 */
#ifndef WSRX_WAIT_EPOLL_FDINFO_H
#define WSRX_WAIT_EPOLL_FDINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A registration as the kernel knows it. `fd`: the number at the time of EPOLL_CTL_ADD, which may be
 * closed by now, or another process's. */
struct fdinfo_entry {
    int fd;
    uint32_t events; /* those that the kernel adds by itself are among them */
    uint64_t data;
    uint64_t inode; /* of the file; 0: a kernel before 4.13 does not say */
};

struct fdinfo {
    int fd;
    uint64_t at;
    size_t length, next;
    int error; /* for which the end came early */
};

/* 0, or a negative errno. Under the registry's lock, and one at a time: they share the memory for what
 * is read, which would be much of a small stack. */
int fdinfo_open(struct fdinfo *info, int epfd);
/* The next registration; false: there are no more, or `info->error` is set. */
bool fdinfo_next(struct fdinfo *info, struct fdinfo_entry *ret_entry);
void fdinfo_close(struct fdinfo *info);

/* What the kernel waits for on `fd` in the set. -1: it cannot be asked, or knows nothing of it. */
int64_t fdinfo_events(int epfd, int fd);

#endif
