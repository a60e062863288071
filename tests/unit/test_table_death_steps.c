/* SPDX-License-Identifier: MIT */
/* Whoever dies inside the fragment table, between any two instructions of any operation. */
#define _GNU_SOURCE
#include "table/table.h"

#include "child.h"
#include "pattern.h"
#include "rows.h"
#include "scene.h"
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { NEW = 3 };

/* For what is held within a scene: two pages. */
static unsigned char content[4500];
static struct iovec pieces[] = {{content, 30}, {content + 30, sizeof content - 30}};
static struct held new_held, new_kernel_held;

static void set_up(void)
{
    scene_make();
    pattern_fill(content, NEW, 0, sizeof content);
    new_held = tails_record(HELD_HERE, NEW, sizeof content, 50);
    new_kernel_held = tails_record(HELD_KERNEL, NEW, sizeof content, 50);
}

TestSuite(table_death_steps, .init = set_up, .timeout = 900);

/* --- operations --------------------------------------------------------------------------- */

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
    scene_take(PART, 0, copy_nothing);
}

static void operate_last(void *context)
{
    (void)context;
    scene_take(600, 0, copy_nothing);
}

static void operate_skip(void *context)
{
    (void)context;
    scene_take(0, 0, copy_nothing);
}

static void operate_peek(void *context)
{
    (void)context;
    scene_take(PART, PART_PEEK, copy_nothing);
}

static void operate_fault(void *context)
{
    (void)context;
    scene_take(PART, 0, fail_to_copy);
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

ROWS(table_death_steps, a_death_at_any_instruction, ROWS_OF(scenes))
{
    const struct scene *scene = &scenes[*row];
    bool died = true;
    unsigned long before = 0, after = 0;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    for (unsigned long count = 1; died; count = step_next(count, 0)) {
        struct state found;
        pid_t pid;
        int end;

        scene_hold(&scene->before);
        pid = child_start();
        if (pid == 0) {
            step_interrupt(count, scene->operate, scene_die, NULL);
            _exit(0);
        }
        end = child_end(pid);
        died = end == 128 + SIGKILL;
        cr_assert(died || end == 0, "%s: ended with %d at %lu", scene->what, end, count);

        scene_take_all(&found, scene->what, count);
        cr_assert(scene_same(&found, &scene->before) || scene_same(&found, &scene->after) ||
                      scene_same(&found, &scene->between),
                  "%s, a death after %lu instructions leaves %s", scene->what, count,
                  scene_words(&found));
        before += scene_same(&found, &scene->before);
        after += scene_same(&found, &scene->after);
        cr_assert(died || scene_same(&found, &scene->after), "%s leaves %s", scene->what,
                  scene_words(&found));
    }
    /* Death came early and late. */
    cr_assert_gt(before, 20);
    cr_assert_gt(after, 0);
}

/* Who repairs after a death may die in the midst of it: the next one begins anew. */
Test(table_death_steps, a_death_during_the_repair)
{
    unsigned long count = 0, length;
    struct state found, expected = {2, {ONE, TWO}};
    int end;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    scene_hold(&expected);
    child_dies_inside(table);
    length = step_count(operate_look, NULL);
    scene_take_all(&found, "a first repair", 0);
    do {
        pid_t pid;

        scene_hold(&expected);
        child_dies_inside(table);
        count = step_next(count, length);
        pid = child_start();
        if (pid == 0) {
            step_interrupt(count, operate_look, scene_die, NULL);
            _exit(0);
        }
        end = child_end(pid);
        cr_assert(end == 128 + SIGKILL || end == 0, "ended with %d", end);
        scene_take_all(&found, "repair", count);
        cr_assert(scene_same(&found, &expected), "after %lu instructions: %s", count,
                  scene_words(&found));
    } while (end != 0);
}
