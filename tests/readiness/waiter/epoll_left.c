/* SPDX-License-Identifier: MIT */
/*
 * What a process leaves behind in a set that others have, too, when it ends, or closes its copy of the
 * socket or of the set.
 */
#include "cases.h"
#include "waiter.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DATA = 1, PLACE = 400 }; /* PLACE: for the socket's one duplicate */

/* How the child takes its leave of the socket and the set. */
enum leaving {
    CLOSE_SOCKET,
    CLOSE_SET,
    CLOSE_OVER,  /* dup2(2) */
    CLOSE_RANGE, /* both */
    CLOSE_COPY,  /* the number that is registered first, then the other one */
    STAYS,       /* up to here it is still there afterwards */
    EXITS,
    EXECS,
    KILLED,
    LEAVINGS
};

enum kind { ALONE, SHARED_DATA, NOT_WRITABLE, KINDS };

struct scene {
    struct pair pair;
    int set, to_parent[2], to_child[2];
    unsigned message;
    enum leaving leaving;
};

static struct scene scene_make(enum leaving leaving)
{
    struct scene scene = {.pair = pair_make(), .set = set_make(), .leaving = leaving};

    EQUAL(pipe(scene.to_parent), 0);
    EQUAL(pipe(scene.to_child), 0);
    return scene;
}

static void scene_end(const struct scene *scene, pid_t child)
{
    int status = -1;

    if (scene->leaving <= STAYS)
        EQUAL(write(scene->to_child[1], "", 1), 1);
    EQUAL(waitpid(child, &status, 0), child);
    if (scene->leaving == KILLED)
        EXPECT(WIFSIGNALED(status));
    else
        EQUAL(status, 0);
    close(scene->pair.r);
    close(scene->pair.s);
    close(scene->set);
    for (int i = 0; i < 2; i++) {
        close(scene->to_parent[i]);
        close(scene->to_child[i]);
    }
}

static void leave(const struct scene *scene)
{
    int low = scene->pair.r < scene->set ? scene->pair.r : scene->set;
    int high = scene->pair.r < scene->set ? scene->set : scene->pair.r;

    switch (scene->leaving) {
    case CLOSE_SOCKET:
        EQUAL(close(scene->pair.r), 0);
        break;
    case CLOSE_SET:
        EQUAL(close(scene->set), 0);
        break;
    case CLOSE_OVER:
        EQUAL(dup2(scene->to_child[0], scene->pair.r), scene->pair.r);
        break;
    case CLOSE_RANGE:
        EQUAL(close_range((unsigned)low, (unsigned)high, 0), 0);
        break;
    case CLOSE_COPY:
        EQUAL(dup2(scene->pair.r, PLACE), PLACE);
        EQUAL(close(scene->pair.r), 0);
        EQUAL(close(PLACE), 0);
        break;
    case KILLED:
        kill(getpid(), SIGKILL);
        break;
    case EXECS:
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    default:
        _exit(0);
    }
}

static void begin_and_leave(void *context)
{
    struct scene *scene = context;
    char byte;

    TAKE(scene->pair.r, PART, scene->message, LONG, 0, PART);
    leave(scene);
    EQUAL(write(scene->to_parent[1], "", 1), 1);
    EQUAL(read(scene->to_child[0], &byte, 1), 1);
}

/* Until then the child has done what it does, or has ended. */
static void await_leave(const struct scene *scene)
{
    siginfo_t info;
    char byte;

    if (scene->leaving <= STAYS)
        EQUAL(read(scene->to_parent[0], &byte, 1), 1);
    else
        EQUAL(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
}

static void fill(int fd)
{
    static const char much[1000];

    while (send(fd, much, sizeof much, MSG_DONTWAIT) > 0)
        ;
}

/* The child has begun the message; its parent takes the rest without a wait. Then the shot is still
 * the program's, for the next message. */
static void play_shot(enum leaving leaving, enum kind kind)
{
    static unsigned messages;
    struct scene scene = scene_make(leaving);
    struct pair other = kind == SHARED_DATA ? pair_make() : (struct pair){-1, -1};
    pid_t child;

    set_add(scene.set, scene.pair.r, EPOLLIN | EPOLLONESHOT, DATA);
    if (kind == SHARED_DATA)
        set_add(scene.set, other.r, EPOLLIN | EPOLLONESHOT, DATA);
    if (kind == NOT_WRITABLE)
        fill(scene.pair.r);
    scene.message = message_send(scene.pair, LONG);
    messages += 2;
    EQUAL(scene.message, messages - 1);
    child = child_start(begin_and_leave, &scene);
    await_leave(&scene);
    tail_end(scene.pair.r, scene.message);
    NO_EVENT(scene.set);
    message_send(scene.pair, 7);
    EVENT(scene.set, EPOLLIN, DATA);
    NO_EVENT(scene.set);
    TAKE(scene.pair.r, 100, messages, 7, 0, 7);
    set_change(scene.set, scene.pair.r, EPOLLIN | EPOLLONESHOT, DATA);
    NO_EVENT(scene.set);
    close(other.r);
    close(other.s);
    scene_end(&scene, child);
}

void case_shot_left_by_a_close(void)
{
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (enum leaving leaving = 0; leaving < STAYS; leaving++)
            play_shot(leaving, kind);
}

void case_shot_left_by_an_end(void)
{
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (enum leaving leaving = STAYS + 1; leaving < LEAVINGS; leaving++)
            play_shot(leaving, kind);
}

/* The same, but its parent has no descriptor left when it first waits, so that it cannot look into the
 * set. It looks once more when it has one. */
void case_shot_left_without_a_descriptor(void)
{
    struct scene scene = scene_make(KILLED);
    struct rlimit usual, none;
    unsigned message;
    pid_t child;

    EQUAL(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = usual.rlim_max};
    set_add(scene.set, scene.pair.r, EPOLLIN | EPOLLONESHOT, DATA);
    message = message_send(scene.pair, LONG);
    TAKE(scene.pair.r, PART, message, LONG, 0, PART);
    tail_end(scene.pair.r, message);
    fill(scene.pair.r); /* no flare wakes the parent */
    scene.message = message_send(scene.pair, LONG);
    child = child_start(begin_and_leave, &scene);
    await_leave(&scene);
    tail_end(scene.pair.r, scene.message);
    EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    NO_EVENT(scene.set);
    EQUAL(setrlimit(RLIMIT_NOFILE, &usual), 0);
    message = message_send(scene.pair, 7);
    EVENT(scene.set, EPOLLIN, DATA);
    TAKE(scene.pair.r, 100, message, 7, 0, 7);
    scene_end(&scene, child);
}

/* --- while its parent sleeps ------------------------------------------------------------- */

/* As in epoll_others.c. */
static void let_the_child_go_first(void)
{
    cpu_set_t one;
    int cpu = sched_getcpu();

    EXPECT(cpu >= 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
    EQUAL(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){.sched_priority = 0}), 0);
}

static void begin_while_it_sleeps_and_leave(void *context)
{
    struct scene *scene = context;
    char byte;

    EQUAL(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){.sched_priority = 0}), 0);
    await_asleep(getppid());
    EQUAL(tail_begin(scene->pair), scene->message);
    leave(scene);
    EQUAL(write(scene->to_parent[1], "", 1), 1);
    EQUAL(read(scene->to_child[0], &byte, 1), 1);
}

static void play_asleep(uint32_t events, enum leaving leaving, unsigned message)
{
    struct scene scene = scene_make(leaving);
    int64_t start = now_ms();
    pid_t child;

    scene.message = message;
    set_add(scene.set, scene.pair.r, events, DATA);
    child = child_start(begin_while_it_sleeps_and_leave, &scene);
    EVENT(scene.set, EPOLLIN, DATA);
    EXPECT(now_ms() - start < patience - 500); /* not by the last look of a wait that ends */
    await_leave(&scene);
    tail_end(scene.pair.r, message);
    NO_EVENT(scene.set);
    scene_end(&scene, child);
}

/* What wakes the parent must outlast the child's close. */
void case_closed_while_asleep(void)
{
    unsigned message = 0;

    let_the_child_go_first();
    for (enum leaving leaving = 0; leaving < STAYS; leaving++) {
        play_asleep(EPOLLIN, leaving, ++message);
        play_asleep(EPOLLIN | EPOLLONESHOT, leaving, ++message);
    }
}
