/* SPDX-License-Identifier: MIT */
/* Every way to a new process, with a tail held in the old one. */
#include "link.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/pattern.h"

extern char **environ;

static char *const true_argv[] = {(char *)"/bin/true", NULL};

/* A new process by the instruction itself: no function of libc, no handler. */
static pid_t clone_raw(void)
{
#ifdef __x86_64__
    long result;
    register long tid __asm__("r10") = 0;
    register long tls __asm__("r8") = 0;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"((long)SIGCHLD), "S"(0L), "d"(0L), "r"(tid), "r"(tls)
                     : "rcx", "r11", "memory");
    return (pid_t)result;
#else
    return _Fork();
#endif
}

static pid_t fork_by_syscall(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t (*const forks[])(void) = {fork, _Fork, fork_by_syscall, clone_raw};
enum { FORKS = sizeof forks / sizeof *forks };

/* The way of this run: once a fork has been seen, the others are no longer on their own. */
static pid_t make_child(void)
{
    EXPECT(scenario_number < FORKS);
    return forks[scenario_number]();
}

/* Parent and child, in turns: each part goes out once. */
static void turns(void)
{
    for (int kind = LINK_UDP; kind <= LINK_UNIX; kind++) {
        struct link link = link_make(kind);
        pid_t child;

        link_leave_tail(&link, 1);
        child = make_child();
        if (child == 0) {
            expect_part(link.r, 300, 1, 1000, 300);
            _exit(0);
        }
        expect_end(child);
        expect_part(link.r, 300, 1, 1300, 300);
        child = make_child();
        if (child == 0) {
            expect_part(link.r, 300, 1, 1600, 300);
            link_send(&link, 2, 2000);
            expect_part(link.r, 2000, 1, 1900, 1100);
            expect_part(link.r, 1000, 2, 0, 1000);
            _exit(0);
        }
        expect_end(child);
        expect_part(link.r, 1500, 2, 1000, 1000);
        expect_nothing(link.r);
        close(link.r);
        close(link.s);
    }
}

/* The child closes its copy, in each way there is: the parent's tail stays. */
static void closing(void)
{
    for (int how = 0; how < 4; how++) {
        struct link link = link_make(LINK_UDP);
        pid_t child;

        link_leave_tail(&link, 1);
        child = make_child();
        if (child == 0) {
            if (how == 0)
                close(link.r);
            else if (how == 1)
                closefrom(3);
            else if (how == 2)
                close_range(3, ~0u, 0);
            else
                dup2(0, link.r);
            _exit(0);
        }
        expect_end(child);
        expect_tail(link.r, 1);
        close(link.r);
        close(link.s);
    }
}

/* The parent closes its copy: the child's tail stays. */
static void parent_closes(void)
{
    struct link link = link_make(LINK_UDP);
    int gate[2];
    pid_t child;
    char byte;

    EXPECT(pipe(gate) == 0);
    link_leave_tail(&link, 1);
    child = make_child();
    if (child == 0) {
        close(gate[1]);
        EXPECT(read(gate[0], &byte, 1) == 0);
        expect_tail(link.r, 1);
        _exit(0);
    }
    close(link.r);
    close(gate[1]);
    expect_end(child);
    close(gate[0]);
    close(link.s);
}

/* The child puts the socket in the place of what has been known to be something else. */
static void redirect(void)
{
    struct link link = link_make(LINK_UDP);
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t child;
    char byte;

    EXPECT(other >= 0 && read(other, &byte, 1) == 0);
    link_leave_tail(&link, 1);
    child = make_child();
    if (child == 0) {
        EXPECT(dup2(link.r, other) == other);
        expect_tail(other, 1);
        link_send(&link, 2, 3000);
        expect_part(other, 1000, 2, 0, 1000);
        expect_tail(other, 2);
        _exit(0);
    }
    expect_end(child);
    expect_nothing(link.r);
}

/* The event loop of a parent that holds a tail: it gets an event for it, and none after it. */
static int watch(int fd)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {EPOLLIN, {.u64 = 77}};

    EXPECT(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    return set;
}

static void expect_watched_tail(int set, int fd, unsigned message)
{
    struct epoll_event event;

    EXPECT(epoll_wait(set, &event, 1, 0) == 1 && event.data.u64 == 77 && event.events == EPOLLIN);
    expect_tail(fd, message);
    EXPECT(epoll_wait(set, &event, 1, 0) == 0);
}

enum before_exec { LEAVE, CLOSE, CLOSE_RANGE, CLOSEFROM, DUP2 };

static void end_child(enum before_exec how, int fd)
{
    if (how == CLOSE)
        close(fd);
    else if (how == CLOSE_RANGE)
        close_range(3, ~0u, 0);
    else if (how == CLOSEFROM)
        closefrom(3);
    else if (how == DUP2)
        dup2(0, fd);
    execv(true_argv[0], true_argv);
    _exit(127);
}

/* vfork(2): until it execs, the child runs in the parent's memory, with descriptors of its own. */
static void play_vfork(bool watched, enum before_exec last)
{
    for (volatile enum before_exec how = LEAVE; how <= last; how++) {
        struct link link = link_make(LINK_UDP);
        volatile int set = watched ? watch(link.r) : -1;
        pid_t child;

        link_leave_tail(&link, 1);
        child = vfork();
        if (child == 0)
            end_child(how, link.r);
        expect_end(child);
        if (watched) {
            expect_watched_tail(set, link.r, 1);
            /* And all is as before: the next tail is reported too. */
            link_leave_tail(&link, 2);
            expect_watched_tail(set, link.r, 2);
        } else {
            expect_tail(link.r, 1);
        }
        close(link.r);
        close(link.s);
        close(set);
    }
}

static void vfork_plain(void)
{
    play_vfork(false, LEAVE);
    play_vfork(true, LEAVE);
}

static void vfork_closing(void)
{
    play_vfork(false, DUP2);
}

static void vfork_watched(void)
{
    play_vfork(true, DUP2);
}

typedef int spawn_function(int *child, const char *path, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const argv[],
                           char *const environment[]);

static void expect_end_of(int process)
{
    siginfo_t how = {0};

    EXPECT(waitid(P_PIDFD, (id_t)process, &how, WEXITED) == 0);
    EXPECT(how.si_code == CLD_EXITED && how.si_status == 0);
    close(process);
}

/* What the child closes: nothing, the socket, everything. */
static void play_spawn(spawn_function *spawn, void (*await)(int), int closes)
{
    struct link link = link_make(LINK_UDP);
    int set = watch(link.r);
    posix_spawn_file_actions_t actions;
    int child;

    link_leave_tail(&link, 1);
    posix_spawn_file_actions_init(&actions);
    if (closes == 1)
        posix_spawn_file_actions_addclose(&actions, link.r);
    if (closes == 2)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    EXPECT(spawn(&child, true_argv[0], &actions, NULL, true_argv, environ) == 0);
    await(child);
    EXPECT(system("exit 0") == 0);
    expect_watched_tail(set, link.r, 1);
    posix_spawn_file_actions_destroy(&actions);
    close(link.r);
    close(link.s);
    close(set);
}

static void spawned(void)
{
    /* glibc 2.39 and later; the child is told as a descriptor. */
    spawn_function *spawn_pidfd = (spawn_function *)dlsym(RTLD_DEFAULT, "pidfd_spawn");

    for (int closes = 0; closes < 3; closes++) {
        play_spawn(posix_spawn, expect_end, closes);
        if (spawn_pidfd)
            play_spawn(spawn_pidfd, expect_end_of, closes);
    }
}

static int close_and_exec(void *fd)
{
    end_child(CLOSE, *(int *)fd);
    return 1;
}

/* clone(2) by libc's function, sharing the memory or not. */
static void cloned(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    static const int flags[] = {0, CLONE_VM | CLONE_VFORK};

    for (int i = 0; i < 2; i++) {
        struct link link = link_make(LINK_UDP);
        int set = watch(link.r);

        link_leave_tail(&link, 1);
        expect_end(clone(close_and_exec, stack + sizeof stack, flags[i] | SIGCHLD, &link.r));
        expect_watched_tail(set, link.r, 1);
        close(link.r);
        close(link.s);
        close(set);
    }
}

/* --- a child killed inside the lock ------------------------------------------------------ */

/* The child takes parts as fast as it can, and is killed somewhere. What it said it had, nobody
 * else gets; of what it did not say, one part at most is missing: the one in its hands. */
static void killed(void)
{
    enum { ROUNDS = 150, LENGTH = 60000, ROOM = 20 };
    struct link link = link_make(LINK_UDP);
    _Atomic size_t *had =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned char bytes[ROOM];
    unsigned dice = 1;

    EXPECT(had != MAP_FAILED);
    /* Nobody sees a clone(2) that is made without libc, so only a table that is there already is
     * shared with its child. */
    link_leave_tail(&link, ROUNDS);
    EXPECT(recv(link.r, bytes, 0, MSG_DONTWAIT) == 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t at, skipped = 0;
        ssize_t got;
        pid_t child;

        atomic_store(had, 0);
        atomic_store(had + 1, 0);
        link_send(&link, round, LENGTH);
        child = make_child();
        if (child == 0) {
            for (;;) {
                got = recv(link.r, bytes, ROOM, MSG_DONTWAIT);
                if (got < 0) {
                    atomic_store(had + 1, 1);
                    pause();
                }
                atomic_fetch_add(had, (size_t)got);
            }
        }
        EXPECT(child > 0);
        dice = dice * 1103515245 + 12345;
        while (atomic_load(had) < 20 + (dice >> 8) % 20000 / ROOM * ROOM && !atomic_load(had + 1))
            sched_yield();
        kill(child, SIGKILL);
        EXPECT(waitpid(child, NULL, 0) == child);

        at = atomic_load(had);
        while ((got = recv(link.r, bytes, ROOM, MSG_DONTWAIT)) > 0) {
            if (skipped == 0 && pattern_match(bytes, (size_t)got, round, at, LENGTH) != (size_t)got)
                at += skipped = ROOM;
            EXPECT(pattern_match(bytes, (size_t)got, round, at, LENGTH) == (size_t)got);
            at += (size_t)got;
        }
        EXPECT(errno == EAGAIN);
        if (at != LENGTH && at + ROOM != LENGTH)
            fail("round %u: killed after %zu bytes, ended after %zu", round, atomic_load(had), at);
        expect_nothing(link.r);
    }
}

const struct scenario_entry fork_scenarios[] = {
    {"turns", turns},
    {"closing", closing},
    {"parent-closes", parent_closes},
    {"redirect", redirect},
    {"vfork", vfork_plain},
    {"vfork-closing", vfork_closing},
    {"vfork-watched", vfork_watched},
    {"posix-spawn", spawned},
    {"clone", cloned},
    {"killed", killed},
    {NULL, NULL},
};
