/* SPDX-License-Identifier: MIT
 *
 * The descriptors that a message carries (SCM_RIGHTS; see unix(7)). Nothing of the message is
 * checked here, since the kernel has just read or written it.
 */
#ifndef WSRX_PASSING_H
#define WSRX_PASSING_H

#include "fd/fd_class.h"
#include "wait/epoll_passed.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* musl's macros mix signs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

static inline void passing_each(const struct msghdr *msg, void (*note)(int fd))
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg;
         cmsg = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= cmsg->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof fd);
            note(fd);
        }
    }
}

#pragma GCC diagnostic pop

static inline void passing_note_sent(int fd)
{
    fd_sent(fd);
    epoll_passed_sent(fd);
}

static inline void passing_note_received(int fd)
{
    fd_received(fd);
    epoll_passed_received(fd);
}

#endif
