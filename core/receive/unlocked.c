/* SPDX-License-Identifier: MIT */
#include "receive/unlocked.h"

#include "base/sys.h"
#include "receive/bounce_buffer.h"

/* BOUNCE_CALL of the receive, or NULL. Written only in a process of one thread. */
static const void *volatile under_way;

bool unlocked_is_interrupted(const void *stack)
{
    const void *call = sys_is_single_threaded() ? under_way : NULL;

    /* One that was left by siglongjmp() is known by its place on the stack, as a bounce buffer's. */
    return call && !bounce_call_is_gone(call, stack);
}

bool unlocked_begin(const void *call)
{
    if (!sys_is_single_threaded() || unlocked_is_interrupted(call))
        return false;
    under_way = call;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

void unlocked_end(const void *call)
{
    if (under_way != call)
        return;
    atomic_signal_fence(memory_order_seq_cst);
    under_way = NULL;
}
