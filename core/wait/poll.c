/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/poll.h"

#include "base/sys.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "wait/epoll_ctl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct timespec at_once = {0, 0};

/* The cookie is queried again, since the cached class may be stale. */
static enum held_kind held_on(int fd, size_t *ret_left)
{
    uint64_t cookie = sys_is_sandboxed() ? fd_class_cookie(fd_class_cached(fd)) : fd_cookie(fd);
    enum held_kind kind;

    if (cookie == 0)
        return HELD_NOT;
    kind = table_look(state.table, cookie, ret_left);
    if (kind != HELD_NOT && !sys_is_sandboxed() && !fd_has_cookie(fd, cookie)) {
        fd_class_query(fd);
        return HELD_NOT;
    }
    return kind;
}

static bool has_tail(int fd)
{
    enum held_kind kind = held_on(fd, NULL);

    return kind == HELD_HERE || kind == HELD_STREAM;
}

bool poll_bytes_left(int fd, size_t *ret_left)
{
    enum held_kind kind = HELD_NOT;

    if (!table_nothing_held())
        kind = held_on(fd, ret_left);
    /* A pending error is no message. */
    return kind != HELD_NOT && !(kind == HELD_KERNEL && *ret_left == 0);
}

bool poll_is_timespec(const struct timespec *timeout)
{
    struct timespec time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
}

/* Unlike a timespec, it may have a second or more in its microseconds. */
bool poll_is_timeval(const struct timeval *timeout)
{
    struct timeval time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_usec >= 0);
}

int poll_add_tails(struct pollfd *fds, nfds_t nfds, int count)
{
    if (count < 0)
        return -errno;
    for (unsigned i = 0; i < (unsigned)nfds; i++) { /* the kernel takes an unsigned, too */
        short readable = fds[i].events & (POLLIN | POLLRDNORM);

        if (sys_is_sandboxed())
            epoll_ctl_expose(fds[i].fd); /* for the program's own call, which follows */
        if (fds[i].fd < 0 || !readable || (fds[i].revents & POLLNVAL) || !has_tail(fds[i].fd))
            continue;
        count += fds[i].revents == 0;
        fds[i].revents |= readable;
    }
    return count;
}

int poll_with_tails(struct pollfd *fds, nfds_t nfds, const sigset_t *mask)
{
    /* The kernel first: so it checks the caller's memory. */
    int count = next_calls.ppoll(fds, nfds, &at_once, mask);
    bool exposed = false;

    for (unsigned i = 0; count >= 0 && i < (unsigned)nfds; i++)
        exposed |= epoll_ctl_expose(fds[i].fd);
    if (exposed)
        count = next_calls.ppoll(fds, nfds, &at_once, mask);
    return poll_add_tails(fds, nfds, count);
}

/* fd_set has 1,024 bits, but select(2) takes as many as nfds says. */
enum { LONG_BITS = sizeof(long) * CHAR_BIT, FEW_LONGS = 64 };

static bool bit(const unsigned long *set, int fd)
{
    return set[fd / LONG_BITS] >> fd % LONG_BITS & 1;
}

/* Clears the bits of descriptors without a tail. Returns how many are left. */
static int keep_tails(unsigned long *set, int most)
{
    int tails = 0;

    for (int fd = 0; fd < most; fd++) {
        if (!bit(set, fd))
            continue;
        epoll_ctl_expose(fd);
        if (has_tail(fd))
            tails++;
        else
            set[fd / LONG_BITS] &= ~(1ul << fd % LONG_BITS);
    }
    return tails;
}

/* Adds the tails to what is ready. Returns how many bits are new. */
static int add_tails(unsigned long *set, const unsigned long *tails, int most)
{
    int count = 0;

    for (int fd = 0; fd < most; fd++) {
        if (!bit(tails, fd) || bit(set, fd))
            continue;
        set[fd / LONG_BITS] |= 1ul << fd % LONG_BITS;
        count++;
    }
    return count;
}

static int call_select(const struct select_call *own, int nfds, fd_set *reading, fd_set *writing,
                       fd_set *except)
{
    return own->make ? own->make(own, nfds, reading, writing, except)
                     : next_calls.pselect(nfds, reading, writing, except, &at_once, own->mask);
}

#define EIGHT(value) value, value, value, value, value, value, value, value

/* After a filter only the program's own call may ask whether its set can be read; but that writes to
 * the set. So it fails: the kernel reads all sets, and then sees that of the descriptors whose bits
 * are in the set's last long, too, not all are open. If they all are, it cannot write to ours, and
 * what it says of that is no answer. */
static bool is_set(const struct select_call *own, fd_set *set, size_t longs)
{
    static const unsigned long all[FEW_LONGS] = {
        EIGHT(~0ul), EIGHT(~0ul), EIGHT(~0ul), EIGHT(~0ul),
        EIGHT(~0ul), EIGHT(~0ul), EIGHT(~0ul), EIGHT(~0ul),
    };
    fd_set *every = (fd_set *)(uintptr_t)all;
    int nfds = (int)(longs * LONG_BITS);

    return call_select(own, nfds, every, set, NULL) >= 0 || errno != EFAULT ||
           call_select(own, nfds, every, NULL, NULL) >= 0 || errno == EFAULT;
}

int select_with_tails(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                      const struct select_call *own)
{
    /* A handler's stack may be small. */
    unsigned long few[FEW_LONGS], *tails = few;
    /* As in the kernel: nfds may be larger than the sets, beyond the highest descriptor. */
    int highest = epoll_ctl_highest((int)fd_highest());
    int most = nfds > highest ? highest + 1 : nfds, count = 0;
    size_t longs = most > 0 ? ((size_t)most + LONG_BITS - 1) / LONG_BITS : 0;

    if (!reading || longs == 0)
        return 0;
    if (longs > FEW_LONGS &&
        (sys_is_sandboxed() || !(tails = sys_map_private(longs * sizeof *tails))))
        return 0;
    if (sys_is_sandboxed() && !is_set(own, reading, longs))
        return -EFAULT;
    if (user_memory_read(tails, reading, longs * sizeof *tails) == 0 &&
        keep_tails(tails, most) > 0) {
        count = call_select(own, nfds, reading, writing, except);
        count = count < 0 ? -errno : count + add_tails((unsigned long *)reading, tails, most);
    }
    if (tails != few)
        sys_unmap(tails, longs * sizeof *tails);
    return count;
}
