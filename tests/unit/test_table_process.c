/* SPDX-License-Identifier: MIT */
/*
 * The fragment table between processes: parent and child share it, and none of them loses or doubles
 * a byte, whenever one is killed.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "child.h"
#include "pattern.h"
#include "state.h"
#include "table/layout.h"
#include "table_take.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- fixture ------------------------------------------------------------------------------ */

static const uint64_t SOCKET = 77;

static struct table *table;

/* As before a fork(2): table_forks(). */
static void set_up(void)
{
    table = tails_create(1 << 20);
    table_share(table);
}

TestSuite(table_process, .init = set_up, .timeout = 240);

/* --- assertions --------------------------------------------------------------------------- */

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

/* --- sharing ------------------------------------------------------------------------------ */

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
    pid = child_start();
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
    cr_assert_eq(child_end(pid), 0);
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
    struct tally *tally = child_memory(sizeof *tally);
    pid_t takers[TAKERS];

    for (unsigned i = 0; i < TAKERS; i++) {
        takers[i] = child_start();
        if (takers[i] == 0)
            _exit(take_until_all_is_taken(tally, i + 1));
    }
    for (unsigned i = 0; i < MESSAGES; i++)
        cr_assert_geq(tails_hold(table, SOCKET + i % SOCKETS, i, length_of(i), 0), 0);
    atomic_store(&tally->all_held, true);
    for (unsigned i = 0; i < TAKERS; i++)
        cr_assert_eq(child_end(takers[i]), 0);
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
    struct tail_take *childs = child_memory(sizeof *childs + 1000);
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
    cr_assert_eq(child_end(forked), 0);
    childs->bytes = bytes;
    tails_check(childs);
    tails_check(&take);
    assert_part(*childs, 1, 100, 300);
    assert_part(take, 1, 400, 300);
    assert_part(tails_take(table, SOCKET, 1000, 0), 1, 700, 300);
    cr_assert(table_idle(table));
}

/* --- death at any time -------------------------------------------------------------------- */

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
        struct notes *notes = child_memory(sizeof *notes);
        struct queue found[QUEUES];
        struct timespec life = {.tv_nsec = (long)((dice = dice * 1103515245 + 12345) >> 12)};
        size_t sum = 0, wrong;
        unsigned now, used;
        pid_t pid = child_start();
        bool was_calling;

        if (pid == 0)
            live_until_killed(notes, dice);
        while (atomic_load(&notes->calls) == 0)
            sched_yield();
        nanosleep(&life, NULL); /* at most a millisecond: not to wait for something, but to vary */
        kill(pid, SIGKILL);
        cr_assert_eq(child_end(pid), 128 + SIGKILL);

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

/* --- the mutex's owner -------------------------------------------------------------------- */

/* Whether the mutex has this thread's id while it has it. */
static bool is_owner(void)
{
    struct critical_section section;
    uint32_t owner;

    table_enter(table, &section);
    owner = atomic_load(&inside_of(table)->lock) & FUTEX_TID_MASK;
    table_leave(table, &section);
    return owner == (uint32_t)syscall(SYS_gettid);
}

static void *be_owner(void *ret_right)
{
    *(bool *)ret_right = is_owner() && is_owner();
    return NULL;
}

static bool ends_well(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Nothing of ours sees this child: not its fork, and no handler of pthread_atfork(). */
static pid_t clone_raw(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
}

static int in_raw_child(void)
{
    pid_t pid;

    if (!is_owner() || !is_owner())
        return 1;
    pid = clone_raw();
    if (pid == 0)
        _exit(!is_owner() || !is_owner());
    return !ends_well(pid);
}

/* The thread's id is asked for once. A wrong one would be taken for a dead owner's. */
Test(table_process, the_mutex_has_its_owners_id_in_every_child)
{
    enum { OFTEN = 20 };
    bool right = false;
    pthread_t thread;
    pid_t pid;

    state.sees_vfork = true;
    for (int i = 0; i < OFTEN; i++)
        cr_assert(is_owner());

    pid = clone_raw();
    if (pid == 0)
        _exit(in_raw_child());
    cr_expect(ends_well(pid), "in a child by a raw clone(2), or in its child");

    pid = child_start();
    if (pid == 0)
        _exit(!is_owner());
    cr_expect(ends_well(pid), "in a child by fork(2)");

    state_vfork_depth++;
    pid = vfork();
    if (pid == 0)
        _exit(!is_owner());
    state_vfork_depth--;
    cr_expect(ends_well(pid), "in a child by vfork(2)");

    cr_assert_eq(pthread_create(&thread, NULL, be_owner, &right), 0);
    pthread_join(thread, NULL);
    cr_expect(right, "in another thread");
    cr_expect(is_owner(), "in the parent");
}
