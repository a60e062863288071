/* SPDX-License-Identifier: MIT */
/*
 * sandbox WHEN WHAT…: receives long messages after it has forbidden itself what the library may
 * need: eventfd2, epoll_ctl, mmap, futex (by a seccomp filter: EPERM), or descriptors
 * (RLIMIT_NOFILE). WHEN: "fresh", with nothing received before, "used", or "thread": in a thread
 * that has not received before; there the library does not see the filter coming, as if it had been
 * there before it. "seen": as "fresh", but it sees it. Says for each message whether its tail was
 * kept, and whether epoll reported it.
 */
#include "../../lib/raw_syscall.h"
#include "../../process/victim/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    int number;
} calls[] = {
    {"eventfd2", SYS_eventfd2}, {"epoll_ctl", SYS_epoll_ctl}, {"mmap", SYS_mmap},
    {"futex", SYS_futex},       {"recvmsg", SYS_recvmsg},
};

static bool unseen;

/* Installs the filter; 0, or a negative number. */
static long install(struct sock_fprog *program)
{
    const int way = SECCOMP_SET_MODE_FILTER, flags = SECCOMP_FILTER_FLAG_TSYNC;

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    return unseen ? raw_syscall(SYS_seccomp, way, flags, (long)program, 0, 0, 0)
                  : syscall(SYS_seccomp, way, flags, program);
}

static void forbid(const char *name)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct rlimit limit;

    if (strcmp(name, "descriptors") == 0) {
        int next = dup(0);

        EXPECT(next >= 0 && close(next) == 0);
        limit = (struct rlimit){(rlim_t)next, (rlim_t)next};
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        return;
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(name, calls[i].name) != 0)
            continue;
        filter[1].k = (unsigned)calls[i].number;
        if (install(&program) != 0) {
            fprintf(stderr, "no seccomp filters here: %s\n", strerror(errno));
            _exit(77);
        }
        return;
    }
    fail("%s: cannot be forbidden", name);
}

/* One long message of 3,000 bytes, in parts of 1,000. */
static void play(const struct link *link, int set, unsigned message)
{
    struct epoll_event event;
    char part[1000];
    int events;
    ssize_t got;

    link_send(link, message, 3000);
    EXPECT(epoll_wait(set, &event, 1, 1000) == 1 && event.data.u64 == 5);
    expect_part(link->r, 1000, message, 0, 1000);
    events = epoll_wait(set, &event, 1, 0);
    got = recv(link->r, part, 0, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
    if (got < 0) {
        EXPECT(errno == EAGAIN && events == 0);
        puts("lost");
        return;
    }
    EXPECT(got == 2000);
    if (events == 1)
        EXPECT(event.data.u64 == 5 && event.events == EPOLLIN);
    expect_tail(link->r, message);
    EXPECT(epoll_wait(set, &event, 1, 0) == 0);
    puts(events == 1 ? "kept" : "kept, not reported");
}

struct work {
    struct link link;
    int set;
    sem_t begin;
};

static void *threaded(void *context)
{
    struct work *work = context;

    sem_wait(&work->begin);
    play(&work->link, work->set, 1);
    play(&work->link, work->set, 2);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct work work;
    struct epoll_event event = {EPOLLIN, {.u64 = 5}};
    pthread_t thread;
    bool in_thread;
    int outer;

    EXPECT(argc >= 3);
    setvbuf(stdout, NULL, _IOLBF, 0);
    in_thread = strcmp(argv[1], "thread") == 0;
    unseen = strcmp(argv[1], "seen") != 0;
    work.link = link_make(LINK_UDP);
    work.set = epoll_create1(0);
    EXPECT(sem_init(&work.begin, 0, 0) == 0);
    EXPECT(work.set >= 0 && epoll_ctl(work.set, EPOLL_CTL_ADD, work.link.r, &event) == 0);
    /* Nested, so that more than the wait must report a tail. */
    outer = epoll_create1(0);
    EXPECT(outer >= 0 && epoll_ctl(outer, EPOLL_CTL_ADD, work.set, &event) == 0);
    if (in_thread)
        EXPECT(pthread_create(&thread, NULL, threaded, &work) == 0);
    if (strcmp(argv[1], "used") == 0) {
        link_leave_tail(&work.link, 9);
        expect_tail(work.link.r, 9);
    }
    for (int i = 2; i < argc; i++)
        forbid(argv[i]);
    sem_post(&work.begin);
    if (in_thread)
        EXPECT(pthread_join(thread, NULL) == 0);
    else
        threaded(&work);
    return 0;
}
