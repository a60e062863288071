/* SPDX-License-Identifier: MIT
 *
 * The fragment table between processes: parent and child share it, and whoever dies inside it
 * locks nobody out and takes nothing along.
 */
#define _GNU_SOURCE
#include "table/layout.h"

#include "pattern.h"
#include "rows.h"
#include "step.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

static const uint64_t SOCKET = 77;

static struct table *table;

static void set_up(void)
{
    table = tails_create(1 << 20);
}

TestSuite(table_process, .init = set_up, .timeout = 240);

/* --- helpers ----------------------------------------------------------------------------- */

static void *shared_memory(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(at, MAP_FAILED);
    return at;
}

static pid_t start(void)
{
    pid_t pid = fork();

    cr_assert_geq(pid, 0, "fork: %s", strerror(errno));
    return pid;
}

/* Waits for a child: its exit status, or 128 and the number of its signal. */
static int end_of(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool part_is(const struct tail_take *take, unsigned message, size_t offset, size_t given)
{
    return take->result == 1 && take->message == message && take->held.offset == offset &&
           take->part.given == given && take->right == given;
}

#define assert_part(take_, message_, offset_, given_)                                      \
    do {                                                                                   \
        struct tail_take part_ = (take_);                                                  \
                                                                                           \
        cr_assert(part_is(&part_, (message_), (offset_), (given_)),                        \
                  "result %d, message %u, offset %zu, given %zu, right %zu", part_.result, \
                  part_.message, part_.held.offset, part_.part.given, part_.right);        \
    } while (0)

/* --- sharing ----------------------------------------------------------------------------- */

/* A child is asked by one pipe and answers by another: one take, or one hold, at a time. */
static void serve_parent(int from, int to)
{
    unsigned room;

    while (read(from, &room, sizeof room) == sizeof room) {
        struct tail_take take = {0};

        if (room > 0)
            take = tails_take(table, SOCKET, room, 0);
        else
            take.result = tails_hold(table, SOCKET, 2, 500, 0);
        if (write(to, &take, sizeof take) != sizeof take)
            break;
    }
    _exit(0);
}

static struct tail_take ask_child(int to, int from, unsigned room)
{
    struct tail_take take;

    cr_assert_eq(write(to, &room, sizeof room), sizeof room);
    cr_assert_eq(read(from, &take, sizeof take), sizeof take);
    return take;
}

Test(table_process, the_next_part_goes_to_whoever_receives_next)
{
    int there[2], back[2];
    pid_t pid;

    cr_assert_eq(pipe(there) | pipe(back), 0);
    tails_hold(table, SOCKET, 1, 1000, 100);
    pid = start();
    if (pid == 0) {
        close(there[1]);
        serve_parent(there[0], back[1]);
    }
    assert_part(ask_child(there[1], back[0], 200), 1, 100, 200);
    assert_part(tails_take(table, SOCKET, 200, 0), 1, 300, 200);
    assert_part(ask_child(there[1], back[0], 200), 1, 500, 200);
    cr_assert_eq(ask_child(there[1], back[0], 0).result, 1, "held behind the parent's");
    assert_part(tails_take(table, SOCKET, 1000, 0), 1, 700, 300);
    assert_part(tails_take(table, SOCKET, 100, 0), 2, 0, 100);
    assert_part(ask_child(there[1], back[0], 1000), 2, 100, 400);
    cr_assert_eq(tails_take(table, SOCKET, 100, 0).result, 0);
    cr_assert(table_idle(table));
    close(there[1]);
    cr_assert_eq(end_of(pid), 0);
    cr_expect_eq(atomic_load(&table->counters.parts), 6);
    cr_expect_eq(atomic_load(&table->counters.bytes_saved), 1400);
}

/* Several processes take at once what another one holds: every byte comes once, in its order. */
enum { MESSAGES = 1200, SOCKETS = 4, TAKERS = 3, LENGTH = 2500 };

struct tally {
    atomic_bool all_held;
    atomic_uchar bytes[MESSAGES][LENGTH];
};

static size_t length_of(unsigned message)
{
    return 1 + message * 37 % LENGTH;
}

static int take_until_all_is_taken(struct tally *tally, unsigned dice)
{
    unsigned last[SOCKETS] = {0};

    for (;;) {
        bool all_held = atomic_load(&tally->all_held);
        unsigned which = (dice = dice * 1103515245 + 12345) >> 16 & (SOCKETS - 1);
        struct tail_take take = tails_take(table, SOCKET + which, 1 + (dice >> 8) % 700, 0);

        if (take.result == 0) {
            if (all_held && table_idle(table))
                return 0;
            sched_yield();
            continue;
        }
        if (take.result != 1 || take.right != take.part.given)
            return 1;
        if (take.message < last[which] || take.message % SOCKETS != which)
            return 2;
        last[which] = take.message;
        for (size_t i = 0; i < take.part.given; i++)
            atomic_fetch_add(&tally->bytes[take.message][take.held.offset + i], 1);
    }
}

Test(table_process, many_takers_get_every_byte_once)
{
    struct tally *tally = shared_memory(sizeof *tally);
    pid_t takers[TAKERS];

    for (unsigned i = 0; i < TAKERS; i++) {
        takers[i] = start();
        if (takers[i] == 0)
            _exit(take_until_all_is_taken(tally, i + 1));
    }
    for (unsigned i = 0; i < MESSAGES; i++)
        cr_assert_geq(tails_hold(table, SOCKET + i % SOCKETS, i, length_of(i), 0), 0);
    atomic_store(&tally->all_held, true);
    for (unsigned i = 0; i < TAKERS; i++)
        cr_assert_eq(end_of(takers[i]), 0);
    for (unsigned i = 0; i < MESSAGES; i++)
        for (size_t j = 0; j < LENGTH; j++)
            cr_assert_eq(atomic_load(&tally->bytes[i][j]), j < length_of(i),
                         "byte %zu of message %u came %u times", j, i,
                         atomic_load(&tally->bytes[i][j]));
    cr_assert(table_idle(table));
    cr_assert_eq(atomic_load(&table->here), 0);
}

/* A signal handler forks in the midst of a take: of the two that come back from it, each gets a
 * part of its own. */
static pid_t forked;

static void fork_here(int signal)
{
    (void)signal;
    forked = fork();
}

static int copy_and_fork(void *context, const void *from, size_t size)
{
    static bool once;

    memcpy(context, from, size);
    if (!once) {
        once = true;
        raise(SIGUSR1);
        /* The child goes first, so that the parent's take is the one that must start again. */
        if (forked > 0)
            waitid(P_PID, (id_t)forked, NULL, WEXITED | WNOWAIT);
    }
    return 0;
}

Test(table_process, a_fork_within_a_take)
{
    struct tail_take *childs = shared_memory(sizeof *childs + 1000);
    unsigned char *bytes = (unsigned char *)(childs + 1), own[1000];
    struct tail_take take = {.bytes = own};

    signal(SIGUSR1, fork_here);
    tails_hold(table, SOCKET, 1, 1000, 100);
    take.result = table_take(table, SOCKET, 300, 0, copy_and_fork, own, &take.held, &take.part);
    if (forked == 0) {
        *childs = take;
        memcpy(bytes, own, 300);
        _exit(0);
    }
    cr_assert_eq(end_of(forked), 0);
    childs->bytes = bytes;
    tails_judge(childs);
    tails_judge(&take);
    assert_part(*childs, 1, 100, 300);
    assert_part(take, 1, 400, 300);
    assert_part(tails_take(table, SOCKET, 1000, 0), 1, 700, 300);
    cr_assert(table_idle(table));
}

/* --- the scene of a death ---------------------------------------------------------------- */

/* What is held for a socket: tails_drain()'s list. */
enum { TAILS = 3 };

struct state {
    size_t count;
    struct tail tail[TAILS];
};

/* Before and after the socket in its chain of the hash, each with two messages. */
static uint64_t scene_socket, neighbour[2];

/* For what is held within a scene: two pages. */
static unsigned char content[4500];
static struct iovec pieces[] = {{content, 30}, {content + 30, sizeof content - 30}};
static struct held new_held, new_kernel_held;

enum { NEW = 3, PART = 200 };

static void scene_set_up(void)
{
    neighbour[0] = tails_collide(SOCKET, 0);
    scene_socket = tails_collide(SOCKET, 1);
    neighbour[1] = tails_collide(SOCKET, 2);
    pattern_fill(content, NEW, 0, sizeof content);
    new_held = tails_record(HELD_HERE, NEW, sizeof content, 50);
    new_kernel_held = tails_record(HELD_KERNEL, NEW, sizeof content, 50);
    /* One page, so that a page that stays used for nothing shows as `full`. */
    table = tails_create(1);
}

static void hold_neighbour(unsigned which)
{
    tails_hold(table, neighbour[which], 10 + which, 100, 10);
    tails_hold(table, neighbour[which], 20 + which, 50, 0);
}

static bool same(const struct state *found, const struct state *expected)
{
    bool same = found->count == expected->count;

    for (size_t i = 0; same && i < found->count; i++)
        same = found->tail[i].kind == expected->tail[i].kind &&
               found->tail[i].message == expected->tail[i].message &&
               found->tail[i].length == expected->tail[i].length &&
               found->tail[i].offset == expected->tail[i].offset;
    return same;
}

static const char *words(const struct state *state)
{
    static char text[256];

    text[0] = '\0';
    for (size_t i = 0; i < state->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "[%d: %u, %zu of %zu]",
                 (int)state->tail[i].kind, state->tail[i].message, state->tail[i].offset,
                 state->tail[i].length);
    return text;
}

static void drain(uint64_t cookie, struct state *ret_found)
{
    size_t wrong;

    ret_found->count = tails_drain(table, cookie, ret_found->tail, TAILS, &wrong);
    cr_assert_eq(wrong, 0, "%zu wrong bytes in %s", wrong, words(ret_found));
}

/* Takes all that is there: the neighbours' as it was, the socket's is returned; the counters told
 * of just that, and tell of nothing when nothing is left. */
static void take_stock(struct state *ret_found, const char *where, unsigned long count)
{
    struct state found;
    unsigned used, here, kernel = 0;

    /* The first look repairs the table, if it needs that. */
    table_look(table, scene_socket, NULL);
    used = atomic_load(&table->used);
    here = atomic_load(&table->here);

    for (unsigned i = 0; i < 2; i++) {
        struct state expected = {2, {{HELD_HERE, 10 + i, 100, 10}, {HELD_HERE, 20 + i, 50, 0}}};

        drain(neighbour[i], &found);
        cr_assert(same(&found, &expected), "%s, %lu: the neighbour has %s", where, count,
                  words(&found));
    }
    drain(scene_socket, ret_found);
    for (size_t i = 0; i < ret_found->count; i++)
        kernel += ret_found->tail[i].kind == HELD_KERNEL;
    cr_assert_eq(used, 4 + ret_found->count, "%s, %lu: used was %u, found %s", where, count, used,
                 words(ret_found));
    cr_assert_eq(here, 4 + ret_found->count - kernel, "%s, %lu: here was %u, found %s", where,
                 count, here, words(ret_found));
    cr_assert_eq(atomic_load(&table->used), 0, "%s, %lu: used is %u", where, count,
                 atomic_load(&table->used));
    cr_assert_eq(atomic_load(&table->here), 0, "%s, %lu: here is %u", where, count,
                 atomic_load(&table->here));
    cr_assert_not(atomic_load(&table->full), "%s, %lu: a page is lost", where, count);
}

static void die(void *context)
{
    (void)context;
    kill(getpid(), SIGKILL);
}

static int die_in_copy(void *context, const void *from, size_t size)
{
    (void)from;
    (void)size;
    die(context);
    return 0;
}

static int copy_nothing(void *context, const void *from, size_t size)
{
    (void)context;
    (void)from;
    (void)size;
    return 0;
}

static int fail_to_copy(void *context, const void *from, size_t size)
{
    (void)context;
    (void)from;
    (void)size;
    return -EFAULT;
}

static void take(size_t room, unsigned how, table_copy copy)
{
    struct held held;
    struct part part;

    table_take(table, scene_socket, room, how, copy, NULL, &held, &part);
}

/* --- death in the copy callback ---------------------------------------------------------- */

#define ONE                    \
    {                          \
        HELD_HERE, 1, 600, 100 \
    }
#define TWO                  \
    {                        \
        HELD_HERE, 2, 300, 0 \
    }

struct dying_take {
    size_t room;
    unsigned how;
};

static const struct dying_take dying_takes[] = {
    {PART, 0}, {600, 0}, {0, 0}, {PART, PART_PEEK}, {PART, PART_TRUNC}};

Test(table_process, a_death_in_the_copy_consumes_nothing)
{
    scene_set_up();
    for (unsigned i = 0; i < ROWS_OF(dying_takes); i++) {
        struct state found, expected = {2, {ONE, TWO}};
        pid_t pid;

        hold_neighbour(0);
        tails_hold(table, scene_socket, 1, 600, 100);
        hold_neighbour(1);
        tails_hold(table, scene_socket, 2, 300, 0);
        pid = start();
        if (pid == 0) {
            take(dying_takes[i].room, dying_takes[i].how, die_in_copy);
            _exit(0);
        }
        cr_assert_eq(end_of(pid), 128 + SIGKILL);
        take_stock(&found, "copy", i);
        cr_assert(same(&found, &expected), "take %u: %s", i, words(&found));
    }
}

static int inside;

static int stay_in_copy(void *context, const void *from, size_t size)
{
    (void)context;
    (void)from;
    (void)size;
    if (write(inside, "", 1) == 1)
        pause();
    return 0;
}

/* Those who wait for the mutex when its owner dies go on. */
Test(table_process, a_death_lets_the_waiting_in)
{
    pid_t owner, waiting[2];
    int ends[2];
    char byte;

    cr_assert_eq(pipe(ends), 0);
    inside = ends[1];
    scene_set_up();
    tails_hold(table, scene_socket, 1, 600, 100);
    owner = start();
    if (owner == 0) {
        take(600, 0, stay_in_copy); /* to the message's end, for which it takes the mutex */
        _exit(0);
    }
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        waiting[i] = start();
        if (waiting[i] == 0) {
            struct tail_take got = tails_take(table, scene_socket, PART, 0);

            _exit(got.result == 1 && got.right == PART ? 0 : 1);
        }
    }
    /* Let them get to the mutex; if they have not, the test is easier, not wrong. */
    poll(NULL, 0, 20);
    kill(owner, SIGKILL);
    cr_assert_eq(end_of(owner), 128 + SIGKILL);
    cr_assert_eq(end_of(waiting[0]), 0);
    cr_assert_eq(end_of(waiting[1]), 0);
    assert_part(tails_take(table, scene_socket, 600, 0), 1, 100 + 2 * PART, 100);
    cr_assert(table_idle(table));
}

/* In the midst of a change, for all that the next one knows. */
static void die_in_the_table(void)
{
    pid_t pid = start();

    if (pid == 0) {
        struct critical_section section;

        table_enter(table, &section);
        die(NULL);
    }
    cr_assert_eq(end_of(pid), 128 + SIGKILL);
}

/* The mutex goes on being one: whoever is in the table keeps others out of it. */
Test(table_process, a_death_leaves_the_mutex_whole)
{
    struct critical_section section;
    struct pollfd in = {.events = POLLIN};
    int ends[2];
    pid_t other;

    cr_assert_eq(pipe(ends), 0);
    in.fd = ends[0];
    scene_set_up();
    die_in_the_table();
    for (unsigned i = 0; i < 2; i++) {
        table_enter(table, &section);
        other = start();
        if (other == 0) {
            table_enter(table, &section);
            _exit(write(ends[1], "", 1) == 1 ? 0 : 1);
        }
        /* Where it is slow to come, the test is easier, not wrong. It dies in the table too. */
        cr_assert_eq(poll(&in, 1, 50), 0, "two are in the table");
        table_leave(table, &section);
        cr_assert_eq(end_of(other), 0);
        cr_assert_eq(read(ends[0], (char[1]){0}, 1), 1);
    }
}

/* Who waits for the mutex is woken by the one who releases it, who may be killed in between, while
 * a third one takes it, who knows of nobody that waits: so that the word says. */
Test(table_process, a_wake_up_that_does_not_come, .timeout = 60)
{
    int *word;
    struct critical_section section;
    pid_t other;

    scene_set_up();
    word = &((struct inside *)table)->mutex.__data.__lock;
    table_enter(table, &section);
    other = start();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it would sleep for ever */
        table_enter(table, &section);
        _exit(0);
    }
    while (!(__atomic_load_n(word, __ATOMIC_RELAXED) & (int)FUTEX_WAITERS))
        sched_yield();
    poll(NULL, 0, 5); /* and it sleeps; or else the test is easier, not wrong */
    __atomic_and_fetch(word, (int)~FUTEX_WAITERS, __ATOMIC_RELAXED);
    table_leave(table, &section);
    cr_assert_eq(end_of(other), 0);
}

/* A child made behind libc's back has its parent's thread id, and the kernel knows of no mutex of
 * its: the parent finds the mutex in its own name. */
Test(table_process, a_death_in_our_name, .timeout = 60)
{
    struct state found, expected = {1, {ONE}};

    scene_set_up();
    hold_neighbour(0);
    hold_neighbour(1);
    tails_hold(table, scene_socket, 1, 600, 100);
    for (unsigned i = 0; i < 3; i++) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0) {
            struct critical_section section;

            table_enter(table, &section);
            syscall(SYS_exit_group, 0);
        }
        cr_assert_eq(end_of(pid), 0);
        cr_assert_eq(table_look(table, scene_socket, NULL), HELD_HERE);
    }
    take_stock(&found, "in our name", 3);
    cr_assert(same(&found, &expected), "%s", words(&found));
}

/* One death after the other: each finds the table repaired, and breaks it again. */
Test(table_process, many_deaths)
{
    struct state found, expected = {2, {ONE, TWO}};

    scene_set_up();
    hold_neighbour(0);
    hold_neighbour(1);
    tails_hold(table, scene_socket, 1, 600, 100);
    tails_hold(table, scene_socket, 2, 300, 0);
    for (unsigned i = 0; i < 50; i++) {
        pid_t pid = start();

        if (pid == 0) {
            take(dying_takes[i % ROWS_OF(dying_takes)].room,
                 dying_takes[i % ROWS_OF(dying_takes)].how, die_in_copy);
            _exit(0);
        }
        cr_assert_eq(end_of(pid), 128 + SIGKILL);
        die_in_the_table();
    }
    take_stock(&found, "many", 50);
    cr_assert(same(&found, &expected), "%s", words(&found));
}

/* Freed pages are used again, so a younger message may lie before an older one. */
Test(table_process, a_death_when_the_younger_message_lies_first)
{
    struct state found, expected = {2, {ONE, TWO}};

    scene_set_up();
    tails_hold(table, SOCKET + 1, 4, 10, 0);
    hold_neighbour(0);
    tails_hold(table, scene_socket, 1, 600, 100);
    hold_neighbour(1);
    assert_part(tails_take(table, SOCKET + 1, 100, 0), 4, 0, 10);
    tails_hold(table, scene_socket, 2, 300, 0);
    die_in_the_table();
    take_stock(&found, "younger first", 0);
    cr_assert(same(&found, &expected), "%s", words(&found));
}

/* --- death between any two instructions -------------------------------------------------- */

static void operate_hold(void *context)
{
    (void)context;
    table_hold(table, scene_socket, &new_held, pieces, 2);
}

static void operate_hold_in_kernel(void *context)
{
    (void)context;
    table_hold(table, scene_socket, &new_kernel_held, NULL, 0);
}

static void operate_take(void *context)
{
    (void)context;
    take(PART, 0, copy_nothing);
}

static void operate_last(void *context)
{
    (void)context;
    take(600, 0, copy_nothing);
}

static void operate_skip(void *context)
{
    (void)context;
    take(0, 0, copy_nothing);
}

static void operate_peek(void *context)
{
    (void)context;
    take(PART, PART_PEEK, copy_nothing);
}

static void operate_fault(void *context)
{
    (void)context;
    take(PART, 0, fail_to_copy);
}

static void operate_look(void *context)
{
    (void)context;
    table_look(table, scene_socket, NULL);
}

static void operate_abandon(void *context)
{
    (void)context;
    table_abandon(table, scene_socket, true);
}

static void operate_leave(void *context)
{
    (void)context;
    table_abandon(table, scene_socket, false);
}

static void operate_advance(void *context)
{
    struct critical_section section;

    (void)context;
    table_enter(table, &section);
    table_advance_locked(table, scene_socket, &(struct held){.offset = 100 + PART});
    table_leave(table, &section);
}

static void operate_finish(void *context)
{
    struct critical_section section;

    (void)context;
    table_enter(table, &section);
    table_finish_locked(table, scene_socket);
    table_leave(table, &section);
}

struct scene {
    const char *what;
    void (*operate)(void *context);
    struct state before, after;
    struct state between; /* where an operation has steps that may stand alone; or as `before` */
};

#define KERNEL                   \
    {                            \
        HELD_KERNEL, 1, 600, 100 \
    }
#define REST                          \
    {                                 \
        HELD_HERE, 1, 600, 100 + PART \
    }
#define KERNEL_REST                     \
    {                                   \
        HELD_KERNEL, 1, 600, 100 + PART \
    }
#define ADDED                              \
    {                                      \
        HELD_HERE, NEW, sizeof content, 50 \
    }
#define ADDED_WHOLE                       \
    {                                     \
        HELD_HERE, NEW, sizeof content, 0 \
    }
#define ADDED_KERNEL                         \
    {                                        \
        HELD_KERNEL, NEW, sizeof content, 50 \
    }

static const struct scene scenes[] = {
    {"hold", operate_hold, {0}, {1, {ADDED}}, {0}},
    {"hold behind", operate_hold, {1, {ONE}}, {2, {ONE, ADDED_WHOLE}}, {1, {ONE}}},
    {"hold in kernel", operate_hold_in_kernel, {0}, {1, {ADDED_KERNEL}}, {0}},
    {"take", operate_take, {2, {ONE, TWO}}, {2, {REST, TWO}}, {2, {ONE, TWO}}},
    {"take the last part", operate_last, {1, {ONE}}, {0}, {1, {ONE}}},
    {"take the last part before another", operate_last, {2, {ONE, TWO}}, {1, {TWO}}, {1, {TWO}}},
    {"skip", operate_skip, {2, {ONE, TWO}}, {1, {TWO}}, {1, {TWO}}},
    {"peek", operate_peek, {2, {ONE, TWO}}, {2, {ONE, TWO}}, {2, {ONE, TWO}}},
    {"take with a bad buffer", operate_fault, {1, {ONE}}, {1, {ONE}}, {1, {ONE}}},
    {"look", operate_look, {1, {ONE}}, {1, {ONE}}, {1, {ONE}}},
    {"abandon", operate_abandon, {2, {ONE, TWO}}, {0}, {1, {TWO}}},
    {"abandon, not the last", operate_leave, {2, {ONE, TWO}}, {2, {ONE, TWO}}, {2, {ONE, TWO}}},
    {"advance", operate_advance, {1, {KERNEL}}, {1, {KERNEL_REST}}, {1, {KERNEL}}},
    {"finish", operate_finish, {2, {KERNEL, TWO}}, {1, {TWO}}, {1, {TWO}}},
};

/* One neighbour came before the socket into the chain, the other one after it. */
static void hold_scene(const struct state *state)
{
    hold_neighbour(0);
    for (size_t i = 0; i < state->count; i++) {
        const struct tail *tail = &state->tail[i];

        if (tail->kind == HELD_KERNEL)
            tails_hold_in_kernel(table, scene_socket, tail->message, tail->length, tail->offset);
        else
            tails_hold(table, scene_socket, tail->message, tail->length, tail->offset);
    }
    hold_neighbour(1);
}

ROWS(table_process, a_death_at_any_instruction, ROWS_OF(scenes))
{
    const struct scene *scene = &scenes[*row];
    bool died = true;
    unsigned long before = 0, after = 0;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    scene_set_up();
    for (unsigned long count = 1; died; count = step_next(count, 0)) {
        struct state found;
        pid_t pid;
        int end;

        hold_scene(&scene->before);
        pid = start();
        if (pid == 0) {
            step_interrupt(count, scene->operate, die, NULL);
            _exit(0);
        }
        end = end_of(pid);
        died = end == 128 + SIGKILL;
        cr_assert(died || end == 0, "%s: ended with %d at %lu", scene->what, end, count);

        take_stock(&found, scene->what, count);
        cr_assert(same(&found, &scene->before) || same(&found, &scene->after) ||
                      same(&found, &scene->between),
                  "%s, a death after %lu instructions leaves %s", scene->what, count,
                  words(&found));
        before += same(&found, &scene->before);
        after += same(&found, &scene->after);
        cr_assert(died || same(&found, &scene->after), "%s leaves %s", scene->what, words(&found));
    }
    /* Death came early and late. */
    cr_assert_gt(before, 20);
    cr_assert_gt(after, 0);
}

/* Who repairs after a death may die in the midst of it: the next one begins anew. */
Test(table_process, a_death_during_the_repair)
{
    unsigned long count = 0, length;
    struct state found, expected = {2, {ONE, TWO}};
    int end;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    scene_set_up();
    hold_scene(&expected);
    die_in_the_table();
    length = step_count(operate_look, NULL);
    take_stock(&found, "a first repair", 0);
    do {
        pid_t pid;

        hold_scene(&expected);
        die_in_the_table();
        count = step_next(count, length);
        pid = start();
        if (pid == 0) {
            step_interrupt(count, operate_look, die, NULL);
            _exit(0);
        }
        end = end_of(pid);
        cr_assert(end == 128 + SIGKILL || end == 0, "ended with %d", end);
        take_stock(&found, "repair", count);
        cr_assert(same(&found, &expected), "after %lu instructions: %s", count, words(&found));
    } while (end != 0);
}

/* --- death at any time ------------------------------------------------------------------- */

/* A child makes random calls, and notes in shared memory what they must have led to. */
enum { DEATHS = 150, QUEUES = 3, DEPTH = 6 };

struct queue {
    size_t count;
    struct tail tail[DEPTH];
};

struct note {
    struct queue queue[QUEUES];
};

struct notes {
    struct note note[2];
    atomic_uint now;     /* which of the notes holds; the other one is what a call leads to */
    atomic_bool calling; /* whether a call has begun that it may lead there */
    atomic_ulong calls;
};

static void note_hold(struct queue *queue, unsigned message, size_t length, size_t offset)
{
    queue->tail[queue->count] =
        (struct tail){HELD_HERE, message, length, queue->count > 0 ? 0 : offset};
    queue->count++;
}

static void note_take(struct queue *queue, size_t room)
{
    if (queue->count == 0)
        return;
    queue->tail->offset += room;
    if (room > 0 && queue->tail->offset < queue->tail->length)
        return;
    queue->count--;
    memmove(queue->tail, queue->tail + 1, queue->count * sizeof *queue->tail);
}

static void live_until_killed(struct notes *notes, unsigned dice)
{
    for (unsigned message = 1;; message++) {
        unsigned now = atomic_load(&notes->now), which;
        struct note *then = &notes->note[1 - now];
        struct queue *queue;
        bool hold;
        size_t amount;

        dice = dice * 1103515245 + 12345;
        which = (dice >> 16) % QUEUES;
        hold = dice >> 24 & 1;
        amount = (dice >> 8) % 5000;
        *then = notes->note[now];
        queue = &then->queue[which];
        if (hold && queue->count < DEPTH)
            note_hold(queue, message, 5000, amount);
        else
            note_take(queue, amount);

        atomic_store(&notes->calling, true);
        if (hold && notes->note[now].queue[which].count < DEPTH)
            tails_hold(table, SOCKET + which, message, 5000, amount);
        else
            tails_take(table, SOCKET + which, amount, 0);
        atomic_store(&notes->now, 1 - now);
        atomic_store(&notes->calling, false);
        atomic_fetch_add(&notes->calls, 1);
    }
}

static bool noted(const struct queue *found, const struct note *note)
{
    for (unsigned i = 0; i < QUEUES; i++) {
        const struct queue *expected = &note->queue[i];

        if (found[i].count != expected->count)
            return false;
        for (size_t j = 0; j < expected->count; j++)
            if (found[i].tail[j].message != expected->tail[j].message ||
                found[i].tail[j].offset != expected->tail[j].offset)
                return false;
    }
    return true;
}

Test(table_process, a_death_at_any_time)
{
    unsigned dice = (unsigned)time(NULL), seed = dice, calling = 0;

    for (unsigned death = 0; death < DEATHS; death++) {
        struct notes *notes = shared_memory(sizeof *notes);
        struct queue found[QUEUES];
        struct timespec life = {.tv_nsec = (dice = dice * 1103515245 + 12345) >> 12};
        size_t sum = 0, wrong;
        unsigned now, used;
        pid_t pid = start();
        bool was_calling;

        if (pid == 0)
            live_until_killed(notes, dice);
        while (atomic_load(&notes->calls) == 0)
            sched_yield();
        nanosleep(&life, NULL); /* at most a millisecond: not to wait for something, but to vary */
        kill(pid, SIGKILL);
        cr_assert_eq(end_of(pid), 128 + SIGKILL);

        table_look(table, SOCKET, NULL);
        used = atomic_load(&table->used);
        cr_assert_eq(atomic_load(&table->here), used);
        for (unsigned i = 0; i < QUEUES; i++) {
            found[i].count = tails_drain(table, SOCKET + i, found[i].tail, DEPTH, &wrong);
            cr_assert_eq(wrong, 0, "seed %u, death %u: %zu wrong bytes", seed, death, wrong);
            sum += found[i].count;
        }
        cr_assert_eq(used, sum, "seed %u, death %u: used was %u, found %zu", seed, death, used,
                     sum);
        cr_assert(table_idle(table));

        now = atomic_load(&notes->now);
        was_calling = atomic_load(&notes->calling);
        calling += was_calling;
        cr_assert(noted(found, &notes->note[now]) ||
                      (was_calling && noted(found, &notes->note[1 - now])),
                  "seed %u, death %u, after %lu calls: neither before nor after the call", seed,
                  death, atomic_load(&notes->calls));
        munmap(notes, sizeof *notes);
    }
    cr_assert_gt(calling, 0, "no death came within a call");
}
