/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select, pselect: counts, times, signals, and what they refuse. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

static void *const bad_pointer = (void *)16;

/* poll or ppoll */
static int wait_poll(bool with_mask, struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
    sigset_t none;

    sigemptyset(&none);
    return with_mask ? ppoll(fds, count, timeout < 0 ? NULL : &limit, &none)
                     : poll(fds, count, timeout);
}

/* select or pselect */
static int wait_select(bool with_mask, int count, fd_set *in, fd_set *out, int timeout)
{
    struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
    struct timeval limit_too = {timeout / 1000, timeout % 1000 * 1000L};
    sigset_t none;

    sigemptyset(&none);
    return with_mask ? pselect(count, in, out, NULL, &limit, &none)
                     : select(count, in, out, NULL, &limit_too);
}

static fd_set *only(fd_set *set, int fd)
{
    FD_ZERO(set);
    FD_SET(fd, set);
    return set;
}

/* Of every four: nothing, a tail, a message, both. */
enum { MANY = 80 };

static void make_many(struct pair *pairs)
{
    for (int i = 0; i < MANY; i++) {
        pairs[i] = pair_make();
        if (i % 4 == 1 || i % 4 == 3)
            tail_begin(pairs[i]);
        if (i % 4 >= 2)
            message_send(pairs[i], 5);
    }
}

void case_poll_many(void)
{
    struct pair pairs[MANY];
    struct pollfd fds[MANY];

    make_many(pairs);
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        for (int i = 0; i < MANY; i++)
            fds[i] = (struct pollfd){pairs[i].r, POLLIN, 0x5555};
        EQUAL(wait_poll(with_mask, fds, MANY, patience), MANY * 3 / 4);
        for (int i = 0; i < MANY; i++)
            EQUAL(fds[i].revents, i % 4 ? POLLIN : 0);
    }
}

void case_poll_same_twice(void)
{
    struct pair pair = pair_make(), idle = pair_make();
    struct pollfd fds[4];
    unsigned message = tail_begin(pair);

    for (int with_mask = 0; with_mask < 2; with_mask++) {
        fds[0] = (struct pollfd){pair.r, POLLIN, 0};
        fds[1] = (struct pollfd){idle.r, POLLIN, 0};
        fds[2] = (struct pollfd){pair.r, POLLIN | POLLOUT, 0};
        fds[3] = (struct pollfd){pair.r, POLLPRI, 0};
        EQUAL(wait_poll(with_mask, fds, 4, patience), 2);
        EQUAL(fds[0].revents, POLLIN);
        EQUAL(fds[1].revents, 0);
        EQUAL(fds[2].revents, POLLIN | POLLOUT);
        EQUAL(fds[3].revents, 0);
    }
    tail_end(pair.r, message);
    fds[0] = (struct pollfd){pair.r, POLLIN, 0};
    EQUAL(wait_poll(false, fds, 1, 0), 0);
    EQUAL(wait_poll(true, fds, 1, 20), 0);
}

/*
 * A tail is ready, and the call is wrong: the kernel looks at its arguments first. (A bad pointer
 * to the timeout is not among them: glibc itself reads it, and crashes.)
 */
void case_poll_refuses(void)
{
    struct pair pair = pair_make();
    struct pollfd *fixed =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pollfd one = {pair.r, POLLIN, 0};
    struct timespec limit = {0, 1000}, negative = {-1, 0}, too_much = {0, 1000000000};
    sigset_t *volatile bad_mask = bad_pointer;
    struct pollfd *volatile bad_list = bad_pointer;
    volatile nfds_t too_many = 0xffffffff; /* the kernel takes 32 bits of it */

    tail_begin(pair);
    REFUSED(poll(bad_list, 1, 0), EFAULT);
    REFUSED(ppoll(bad_list, 1, &limit, NULL), EFAULT);
    REFUSED(ppoll(&one, 1, &negative, NULL), EINVAL);
    REFUSED(ppoll(&one, 1, &too_much, NULL), EINVAL);
    REFUSED(ppoll(&one, 1, &limit, bad_mask), EFAULT);
    REFUSED(poll(&one, too_many, 0), EINVAL);
    EXPECT(fixed != MAP_FAILED);
    *fixed = one;
    EQUAL(mprotect(fixed, 4096, PROT_READ), 0);
    REFUSED(poll(fixed, 1, 0), EFAULT);
}

/* A tail on a descriptor that nobody asks for does not shorten the wait, nor lengthen it. */
void case_poll_ends_in_time(void)
{
    struct pair pair = pair_make(), other = pair_make();
    struct pollfd one = {pair.r, POLLIN, 0};

    tail_begin(other);
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        int64_t start = now_ms(), cpu = cpu_ms();
        fd_set in;

        EQUAL(wait_poll(with_mask, &one, 1, 150), 0);
        EXPECT(now_ms() - start >= 149 && now_ms() - start < 2000);
        FD_ZERO(&in);
        FD_SET(pair.r, &in);
        start = now_ms();
        EQUAL(wait_select(with_mask, pair.r + 1, &in, NULL, 150), 0);
        EXPECT(now_ms() - start >= 149 && now_ms() - start < 2000);
        EXPECT(!FD_ISSET(pair.r, &in));
        EXPECT(cpu_ms() - cpu < 100);
    }
}

void case_poll_interrupted(void)
{
    struct pair pair = pair_make(), other = pair_make();
    struct pollfd one = {pair.r, POLLIN, 0};

    tail_begin(other);
    signals_count(SIGALRM);
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        signals_handled = 0;
        signals_after(100);
        REFUSED(wait_poll(with_mask, &one, 1, 10000), EINTR);
        EQUAL(signals_handled, 1);
    }
}

void case_select_interrupted(void)
{
    struct pair pair = pair_make(), other = pair_make();

    tail_begin(other);
    signals_count(SIGALRM);
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        fd_set in;

        FD_ZERO(&in);
        FD_SET(pair.r, &in);
        signals_handled = 0;
        signals_after(100);
        REFUSED(wait_select(with_mask, pair.r + 1, &in, NULL, 10000), EINTR);
        EQUAL(signals_handled, 1);
    }
}

/*
 * The wait lets a pending signal in while a tail is ready. Linux may report either: the
 * descriptor, and then the handler has not run; or EINTR, and then it has.
 */
static void expect_either(int count, int error)
{
    if (count == -1) {
        EQUAL(error, EINTR);
        EQUAL(signals_handled, 1);
    } else {
        EQUAL(count, 1);
        EQUAL(signals_handled, 0);
    }
}

static void block_and_raise(void)
{
    sigset_t mine;

    signals_count(SIGUSR1);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    EQUAL(sigprocmask(SIG_BLOCK, &mine, NULL), 0);
    EQUAL(raise(SIGUSR1), 0);
    EQUAL(signals_handled, 0);
}

void case_poll_pending_signal(void)
{
    struct pair pair = pair_make();
    struct pollfd one = {pair.r, POLLIN, 0};
    int count;

    tail_begin(pair);
    block_and_raise();
    count = wait_poll(true, &one, 1, patience);
    expect_either(count, errno);
    if (signals_handled == 1)
        EQUAL(wait_poll(true, &one, 1, patience), 1);
    EQUAL(one.revents, POLLIN);
}

void case_select_pending_signal(void)
{
    struct pair pair = pair_make();
    fd_set in;
    int count;

    tail_begin(pair);
    block_and_raise();
    FD_ZERO(&in);
    FD_SET(pair.r, &in);
    count = wait_select(true, pair.r + 1, &in, NULL, patience);
    expect_either(count, errno);
    FD_SET(pair.r, &in);
    if (signals_handled == 1)
        EQUAL(wait_select(true, pair.r + 1, &in, NULL, patience), 1);
    EXPECT(FD_ISSET(pair.r, &in));
}

void case_select_many(void)
{
    struct pair pairs[MANY];

    make_many(pairs);
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        int highest = 0;
        fd_set in, out;

        FD_ZERO(&in);
        FD_ZERO(&out);
        for (int i = 0; i < MANY; i++) {
            FD_SET(pairs[i].r, &in);
            if (i % 8 == 0)
                FD_SET(pairs[i].r, &out);
            highest = pairs[i].r > highest ? pairs[i].r : highest;
        }
        EQUAL(wait_select(with_mask, highest + 1, &in, &out, patience), MANY * 3 / 4 + MANY / 8);
        for (int i = 0; i < MANY; i++) {
            EQUAL(FD_ISSET(pairs[i].r, &in) != 0, i % 4 != 0);
            EQUAL(FD_ISSET(pairs[i].r, &out) != 0, i % 8 == 0);
        }
    }
}

void case_select_refuses(void)
{
    struct pair pair = pair_make(), gone = pair_make();
    fd_set *fixed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timeval limit = {0, 1000}, negative = {-1, 0};
    struct timespec limit_too = {0, 1000}, negative_too = {0, -1};
    fd_set *volatile bad_set = bad_pointer;
    sigset_t *volatile bad_mask = bad_pointer;
    fd_set in;

    tail_begin(pair);
    REFUSED(select(pair.r + 1, bad_set, NULL, NULL, &limit), EFAULT);
    REFUSED(select(pair.r + 1, only(&in, pair.r), bad_set, NULL, &limit), EFAULT);
    REFUSED(select(pair.r + 1, only(&in, pair.r), NULL, bad_set, &limit), EFAULT);
    REFUSED(select(pair.r + 1, only(&in, pair.r), NULL, NULL, &negative), EINVAL);
    REFUSED(select(-1, only(&in, pair.r), NULL, NULL, &limit), EINVAL);
    REFUSED(pselect(pair.r + 1, bad_set, NULL, NULL, &limit_too, NULL), EFAULT);
    REFUSED(pselect(pair.r + 1, only(&in, pair.r), NULL, NULL, &negative_too, NULL), EINVAL);
    REFUSED(pselect(pair.r + 1, only(&in, pair.r), NULL, NULL, &limit_too, bad_mask), EFAULT);

    close(gone.r);
    close(gone.s);
    FD_ZERO(&in);
    FD_SET(pair.r, &in);
    FD_SET(gone.s, &in);
    REFUSED(select(gone.s + 1, &in, NULL, NULL, &limit), EBADF);

    EXPECT(fixed != MAP_FAILED);
    FD_SET(pair.r, fixed);
    EQUAL(mprotect(fixed, 4096, PROT_READ), 0);
    REFUSED(select(pair.r + 1, fixed, NULL, NULL, &limit), EFAULT);
}

static int64_t left_ms(const struct timeval *time)
{
    return time->tv_sec * INT64_C(1000) + time->tv_usec / 1000;
}

static void send_later(void *context)
{
    usleep(200000); /* not a synchronisation: the time that select must have counted */
    message_send(*(struct pair *)context, 5);
}

/* select(2) leaves the time that was not slept. */
void case_select_remaining(void)
{
    struct pair pair = pair_make(), other = pair_make();
    struct timeval limit = {patience / 1000, patience % 1000 * 1000};
    unsigned message = tail_begin(pair);
    pid_t child;
    fd_set in;

    EQUAL(select(pair.r + 1, only(&in, pair.r), NULL, NULL, &limit), 1);
    EXPECT(FD_ISSET(pair.r, &in));
    EXPECT(left_ms(&limit) > patience / 2 && left_ms(&limit) <= patience);

    tail_end(pair.r, message);
    tail_begin(other);
    limit = (struct timeval){20, 0};
    child = child_start(send_later, &pair);
    EQUAL(select(pair.r + 1, only(&in, pair.r), NULL, NULL, &limit), 1);
    EXPECT(left_ms(&limit) > 10000 && left_ms(&limit) <= 19850);
    child_await(child);
    TAKE(pair.r, PART, message + 2, 5, 0, 5);

    limit = (struct timeval){0, 150000};
    EQUAL(select(pair.r + 1, only(&in, pair.r), NULL, NULL, &limit), 0);
    EQUAL(left_ms(&limit), 0);
    EXPECT(!FD_ISSET(pair.r, &in));
}
