/* SPDX-License-Identifier: MIT */
/* Receives where a program is ending: thread key destructors, atexit handlers, destructors. */
#include "../../process/victim/link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct link link_of_all;
static pthread_key_t key;

static void receive_tail(const char *where)
{
    expect_tail(link_of_all.r, 1);
    link_leave_tail(&link_of_all, 1);
    dprintf(1, "%s\n", where);
}

/* Sets itself again, so that it runs in every round, after all others' destructors too. */
static void at_key_end(void *value)
{
    static const char *const rounds[] = {"", "key 1", "key 2", "key 3", "key 4"};
    size_t round = (size_t)value;

    receive_tail(rounds[round]);
    if (round < 4)
        pthread_setspecific(key, (void *)(round + 1));
}

static void *threaded(void *unused)
{
    (void)unused;
    pthread_setspecific(key, (void *)1);
    link_leave_tail(&link_of_all, 1);
    return NULL;
}

static void at_exit(void)
{
    receive_tail("atexit");
}

__attribute__((destructor)) static void at_end(void)
{
    receive_tail("destructor");
}

int main(void)
{
    pthread_t thread;

    link_of_all = link_make(LINK_UDP);
    EXPECT(pthread_key_create(&key, at_key_end) == 0 && atexit(at_exit) == 0);
    EXPECT(pthread_create(&thread, NULL, threaded, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return 0;
}
