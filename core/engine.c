/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include "spill.h"

struct engine engine;

int engine_start(const struct settings *settings, const struct system_calls *system,
                 bool under_wine)
{
    int error;

    engine.settings = *settings;
    engine.system = *system;
    engine.hold = settings->hold;
    if (engine.hold == HOLD_AUTO)
        engine.hold = under_wine ? HOLD_KERNEL : HOLD_PROCESS;

    error = spill_start();
    if (!error)
        error = socket_start(&engine.settings);
    if (!error)
        error = table_create(settings->hold_max, &engine.table);
    if (!error)
        atomic_store_explicit(&engine.active, true, memory_order_release);
    return error;
}

socket_belief engine_closing(int fd)
{
    socket_belief belief = socket_believe(fd);

    socket_forget(fd);
    return belief;
}

void engine_closed(int fd, socket_belief belief)
{
    if (engine_idle() || socket_kind(belief) < SOCKET_DATAGRAM ||
        table_look(engine.table, socket_cookie(belief), NULL) == HELD_NOT)
        return;
    table_abandon(engine.table, socket_cookie(belief),
                  !atomic_load(&engine.table->shared) && socket_is_last(fd, belief));
}

void engine_closed_range(unsigned first, unsigned last)
{
    if (engine_idle()) {
        socket_forget_range(first, last);
        return;
    }
    for (unsigned fd = first; fd <= last && fd < socket_beliefs_count; fd++)
        engine_closed((int)fd, engine_closing((int)fd));
}

void engine_forks(void)
{
    if (atomic_load_explicit(&engine.active, memory_order_acquire))
        atomic_store(&engine.table->shared, true);
}
