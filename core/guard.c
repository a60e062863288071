/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "guard.h"

#include <pthread.h>

/* How many this thread is in. A handler never finds it above 0. */
static __thread unsigned depth;

void guard_enter(struct guard *guard)
{
    if (depth == 0) {
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &guard->signals);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard->cancel);
    }
    depth++;
}

void guard_leave(const struct guard *guard)
{
    if (--depth == 0) {
        pthread_setcancelstate(guard->cancel, NULL);
        pthread_sigmask(SIG_SETMASK, &guard->signals, NULL);
    }
}
