/* SPDX-License-Identifier: MIT */
/* A thread that has descriptors of its own closes them: the other threads keep theirs, and a tail. */
#include "link.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct link link_of;

static void *leave(void *unused)
{
    (void)unused;
    switch (scenario_number) {
    case 0:
        EXPECT(unshare(CLONE_FILES) == 0 && close(link_of.r) == 0);
        break;
    case 1:
        EXPECT(unshare(CLONE_FILES) == 0 && close_range(3, ~0u, 0) == 0);
        break;
    case 2:
        EXPECT(unshare(CLONE_FILES) == 0 && dup2(0, link_of.r) == link_of.r);
        break;
    case 3:
        EXPECT(close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0);
        break;
    case 4:
        EXPECT(close_range(3, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) == 0);
        EXPECT(close(link_of.r) == 0);
        break;
    default:
        EXPECT(syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_UNSHARE) == 0);
        break;
    }
    return NULL;
}

static void own_descriptors(void)
{
    char bytes[1000];
    pthread_t thread;

    link_of = link_make(LINK_UNIX);
    link_send(&link_of, 0, 1000);
    EXPECT(recv(link_of.r, bytes, 100, 0) == 100);
    EXPECT(pthread_create(&thread, NULL, leave, NULL) == 0 && pthread_join(thread, NULL) == 0);
    EXPECT(recv(link_of.r, bytes, sizeof bytes, MSG_DONTWAIT) == 900);
}

const struct scenario_entry own_descriptors_scenarios[] = {{"own-descriptors", own_descriptors},
                                                           {NULL, NULL}};
