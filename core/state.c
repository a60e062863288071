/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "state.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>

FAST_PATH_DATA struct state state;

const char *state_program(char room[STATE_PROGRAM])
{
    int fd = state.under_wine ? sys_open("/proc/self/comm", O_RDONLY, 0) : -1;
    ssize_t got = 0;

    if (fd >= 0) {
        got = sys_read(fd, room, STATE_PROGRAM);
        sys_close(fd);
    }
    if (got <= 0)
        return program_invocation_short_name;
    room[got - 1] = '\0'; /* in place of a newline */
    return room;
}

static void peek(void)
{
    atomic_store(&state.bounces, false);
    atomic_store(&state.minds_reporting, true);
    atomic_store_explicit(&state.peeks, true, memory_order_release);
}

void state_hold_in_kernel(void)
{
    atomic_store(&state.hold, HOLD_KERNEL);
    if (state.plain_holds)
        peek();
}

void state_enter_sandbox(void)
{
    atomic_store(&state.bounces, false);
    atomic_store_explicit(&sys_sandboxed, true, memory_order_release);
}

void state_leave_sandbox(void)
{
    atomic_store(&sys_sandboxed, false);
    atomic_store(&state.bounces, atomic_load(&state.active) && state.settings.mode != MODE_OFF &&
                                     !atomic_load(&state.peeks));
}

void state_cooperates(void)
{
    if (atomic_load_explicit(&state.hold, memory_order_relaxed) == HOLD_KERNEL)
        peek();
}

__thread unsigned state_vfork_depth;

bool state_is_own(void)
{
    pid_t own = sys_getpid();

    if (state_vfork_depth > 0)
        return false;
    if (state.pid == 0)
        state.pid = own;
    return own == state.pid;
}
