/* SPDX-License-Identifier: MIT */
/* epoll: errors and signals, with a tail held. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>

void case_refuses(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    struct epoll_event event, *volatile bad = (struct epoll_event *)16;
    sigset_t *volatile bad_mask = (sigset_t *)16;
    struct timespec *volatile bad_time = (struct timespec *)16;
    struct timespec negative = {-1, 0};

    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, pair.r, bad), EFAULT);
    NO_EVENT(set);
    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    message_send(pair, 5);
    REFUSED(set_wait(set, bad, 1, patience, NULL), EFAULT);
    REFUSED(set_wait(set, &event, 0, patience, NULL), EINVAL);
    REFUSED(set_wait(set, &event, -1, patience, NULL), EINVAL);
    REFUSED(set_wait(pair.r, &event, 1, patience, NULL), EINVAL);
    REFUSED(set_wait(-1, &event, 1, patience, NULL), EBADF);
    REFUSED(set_wait(set, &event, 1, patience, bad_mask), EFAULT);
    REFUSED(epoll_pwait2(set, &event, 1, bad_time, NULL), EFAULT);
    REFUSED(epoll_pwait2(set, &event, 1, &negative, NULL), EINVAL);
    REFUSED(epoll_ctl(set, EPOLL_CTL_MOD, pair.r, bad), EFAULT);
    REFUSED(epoll_ctl(set, 99, pair.r, &event), EINVAL);
    REFUSED(epoll_ctl(-1, EPOLL_CTL_ADD, pair.r, &event), EBADF);
    EVENT(set, EPOLLIN, 1);
}

void case_pending_signal(void)
{
    struct pair pair = pair_make();
    int set = set_make(), count;
    struct epoll_event event;
    sigset_t mine, none;

    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    signals_count(SIGUSR1);
    sigemptyset(&none);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    EQUAL(sigprocmask(SIG_BLOCK, &mine, NULL), 0);
    EQUAL(raise(SIGUSR1), 0);
    count = set_wait(set, &event, 1, patience, &none);
    EQUAL(signals_handled, count == -1);
    if (count == -1)
        EQUAL(errno, EINTR);
    else
        EQUAL(count, 1);
    EVENT(set, EPOLLIN, 1);
}

void case_interrupted(void)
{
    struct pair pair = pair_make(), other = pair_make();
    int set = set_make(), other_set = set_make();
    struct epoll_event event;

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(other_set, other.r, EPOLLIN, 2);
    tail_begin(other);
    signals_count(SIGALRM);
    signals_after(100);
    REFUSED(set_wait(set, &event, 1, -1, NULL), EINTR);
    EQUAL(signals_handled, 1);
}
