/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/poll.h"

#include "base/sys.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "wait/epoll_ctl.h"

#include <errno.h>
#include <limits.h>

static const struct timespec at_once = {0, 0};

/* The cookie is asked for again, since what is cached may be stale. */
static enum held_kind held_on(int fd, size_t *ret_left)
{
    uint64_t cookie = fd_cookie(fd);
    enum held_kind kind;

    if (cookie == 0)
        return HELD_NOT;
    kind = table_look(state.table, cookie, ret_left);
    if (kind != HELD_NOT && fd_query_cookie(fd) != cookie) {
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
    return !table_nothing_held() && held_on(fd, ret_left) != HELD_NOT;
}

bool poll_is_timespec(const struct timespec *timeout)
{
    struct timespec time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
}

/* select(2) takes a second or more of microseconds. */
bool poll_is_timeval(const struct timeval *timeout)
{
    struct timeval time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_usec >= 0);
}

int poll_with_tails(struct pollfd *fds, nfds_t nfds, const sigset_t *mask)
{
    /* The kernel goes first: it checks the caller's memory as it does. */
    int count = next_calls.ppoll(fds, nfds, &at_once, mask);

    if (count < 0)
        return -errno;
    for (unsigned i = 0; i < (unsigned)nfds; i++)
        epoll_ctl_expose(fds[i].fd);
    for (unsigned i = 0; i < (unsigned)nfds; i++) { /* the system call takes no more of it */
        short readable = fds[i].events & (POLLIN | POLLRDNORM);

        if (fds[i].fd < 0 || !readable || (fds[i].revents & POLLNVAL) || !has_tail(fds[i].fd))
            continue;
        count += fds[i].revents == 0;
        fds[i].revents |= readable;
    }
    return count;
}

/* fd_set is only the usual size: select(2) takes as many bits as nfds says. */
enum { LONG_BITS = sizeof(long) * CHAR_BIT };

/* The descriptors of a select with a tail. It takes little of a stack that may be small: where
 * there are more than these, the next call reports the rest. */
struct tails {
    int fd[64];
    size_t count;
};

enum { TAILS_MOST = sizeof((struct tails *)0)->fd / sizeof(int) };

/* Those of the descriptors from `first` on whose bits are in `words`. */
static void find_in_words(const unsigned long *words, int first, int end, struct tails *tails)
{
    for (int fd = first; fd < end && tails->count < TAILS_MOST; fd++) {
        if (!(words[(fd - first) / LONG_BITS] >> fd % LONG_BITS & 1))
            continue;
        epoll_ctl_expose(fd);
        if (has_tail(fd))
            tails->fd[tails->count++] = fd;
    }
}

static bool find_tails(const fd_set *reading, int most, struct tails *ret_tails)
{
    enum { LONGS = 16, BITS = LONGS * LONG_BITS };
    const unsigned long *set = (const unsigned long *)reading;
    unsigned long words[LONGS];

    ret_tails->count = 0;
    for (int first = 0; first < most; first += BITS) {
        int end = most - first < BITS ? most : first + BITS;
        size_t longs = ((size_t)(end - first) + LONG_BITS - 1) / LONG_BITS;

        if (user_memory_read(words, &set[first / LONG_BITS], longs * sizeof *words) != 0)
            return false;
        find_in_words(words, first, end, ret_tails);
    }
    return ret_tails->count > 0;
}

int select_with_tails(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                      const sigset_t *mask)
{
    unsigned long *set = (unsigned long *)reading;
    /* As the kernel: a caller may say more than its sets have, beyond the highest descriptor. */
    int highest = epoll_ctl_highest((int)fd_highest());
    int most = nfds > highest ? highest + 1 : nfds, count;
    struct tails tails;

    if (!reading || !find_tails(reading, most, &tails))
        return 0;
    count = next_calls.pselect(nfds, reading, writing, except, &at_once, mask);
    if (count < 0)
        return -errno;
    for (size_t i = 0; i < tails.count; i++) {
        unsigned long *word = &set[tails.fd[i] / LONG_BITS];
        unsigned long bit = 1ul << tails.fd[i] % LONG_BITS;

        count += !(*word & bit);
        *word |= bit;
    }
    return count;
}
