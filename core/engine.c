/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hot.h"
#include "interest.h"
#include "spill.h"
#include "trace.h"
#include "tell.h"

HOT struct engine engine;

const char *engine_program(char room[ENGINE_PROGRAM])
{
    int fd = engine.under_wine ? (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/comm",
                                              O_RDONLY | O_CLOEXEC)
                               : -1;
    long got = 0;

    if (fd >= 0) {
        got = syscall(SYS_read, fd, room, ENGINE_PROGRAM);
        syscall(SYS_close, fd);
    }
    if (got <= 0)
        return program_invocation_short_name;
    room[got - 1] = '\0'; /* in place of a newline */
    return room;
}

int engine_start(const struct settings *settings, const struct system_calls *system,
                 bool under_wine)
{
    int error;

    engine.pid = getpid();
    engine.settings = *settings;
    engine.system = *system;
    engine.under_wine = under_wine;
    atomic_store(&engine.direct, system->direct);
    atomic_store(&engine.hold, (int)settings->hold);
    if (settings->hold == HOLD_AUTO)
        atomic_store(&engine.hold, under_wine ? HOLD_KERNEL : HOLD_PROCESS);

    error = spill_start();
    if (!error)
        error = socket_start(&engine.settings);
    if (!error)
        error = interest_start();
    if (!error && settings->table) {
        const char *why = table_open(settings->table, settings->hold_max, &engine.table);

        engine.without_file = why != NULL;
        if (engine.without_file)
            tell("WSRX_TABLE=\"%s\": %s; %s", settings->table, why,
                 settings->strict ? settings_not_started
                                  : "tails are held in memory and do not outlast exec");
    }
    if (!error && !engine.table)
        error = table_create(settings->hold_max, &engine.table);
    if (error)
        return error;
    atomic_store(&engine.bounces, settings->mode != MODE_OFF);
    if (engine.hold == HOLD_KERNEL || settings->hold_max == 0)
        engine_hold_in_kernel();
    atomic_store_explicit(&engine.active, true, memory_order_release);
    return 0;
}

ssize_t engine_recvfrom_by_libc(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                                socklen_t *namelen)
{
    int saved = errno;
    ssize_t result = engine.system.recvfrom(fd, buf, len, flags, name, namelen);

    if (result < 0) {
        result = -errno;
        errno = saved;
    }
    return result;
}

static void peek(void)
{
    atomic_store(&engine.bounces, false);
    atomic_store_explicit(&engine.peeks, true, memory_order_release);
}

void engine_hold_in_kernel(void)
{
    atomic_store(&engine.hold, HOLD_KERNEL);
    if (message_policy(engine.settings.mode, CALL_PLAIN, engine.settings.calls_all).hold)
        peek();
}

void engine_cooperates(void)
{
    if (atomic_load_explicit(&engine.hold, memory_order_relaxed) == HOLD_KERNEL)
        peek();
}

socket_belief engine_closing(int fd)
{
    socket_belief belief = socket_believe(fd);
    bool message = socket_is_message(belief), gone = !message || socket_is_last(fd, belief);

    if (engine.under_wine)
        atomic_fetch_add_explicit(&engine.closes, 1, memory_order_relaxed);
    interest_forget(fd, gone);
    if (message && gone)
        interest_forget_socket(socket_cookie(belief));
    socket_forget(fd);
    return belief;
}

/* A tail goes with its socket. */
static void note_loss(int fd, uint64_t cookie, enum record_call call)
{
    struct record record = {.cookie = cookie, .fd = fd, .call = call,
                            .flags = RECORD_LAST | RECORD_LOST};
    size_t left = 0;

    if (table_look(engine.table, cookie, &left) == HELD_HERE && left > 0) {
        record.length = record.lost = (uint32_t)left;
        trace_add(&record);
    }
}

void engine_closed(int fd, socket_belief belief)
{
    uint64_t cookie = socket_cookie(belief);
    bool last;

    if (cookie == 0 || engine_idle() ||
        table_look(engine.table, cookie, NULL) == HELD_NOT || !engine_is_own())
        return;
    if (!socket_is_last(fd, belief))
        return;
    last = !atomic_load(&engine.table->shared) && (belief & SOCKET_OWN_BIT);
    if (last && trace_on())
        note_loss(fd, cookie, RECORD_CLOSE);
    table_abandon(engine.table, cookie, last);
}

void engine_closing_range(unsigned first, unsigned last)
{
    interest_forget_range(first, last);
    if (engine_idle()) {
        socket_forget_range(first, last);
        return;
    }
    for (unsigned fd = first; fd <= last && fd < socket_beliefs_count; fd++)
        if (socket_believe((int)fd) != 0)
            engine_closed((int)fd, engine_closing((int)fd));
}

void engine_execs(void)
{
    static atomic_int told;
    size_t bytes = 0, descriptors = 0, left = 0;

    /* A vfork child's exec ends nothing: its parent keeps what is held. */
    if (engine_idle() || atomic_load(&engine.table->shared) || !engine_is_own())
        return;
    for (unsigned fd = 0; fd <= socket_highest(); fd++) {
        uint64_t cookie = socket_cookie(socket_believe((int)fd));
        int flags;

        if (cookie == 0 || table_look(engine.table, cookie, &left) == HELD_NOT ||
            socket_ask_cookie((int)fd) != cookie)
            continue;
        flags = engine.system.fcntl((int)fd, F_GETFD);
        if (flags < 0 || (flags & FD_CLOEXEC))
            continue; /* it would be closed: nobody reads on */
        descriptors++;
        bytes += left;
        if (trace_on())
            note_loss((int)fd, cookie, RECORD_EXEC);
    }
    if (descriptors > 0)
        tell_once(told,
                  "exec: %zu bytes held for %zu descriptors are lost to the next program; "
                  "WSRX_TABLE=path keeps them",
                  bytes, descriptors);
}

void engine_ends(void)
{
    if (!trace_on() || engine_idle() || atomic_load(&engine.table->shared) || !engine_is_own())
        return;
    for (unsigned fd = 0; fd <= socket_highest(); fd++) {
        socket_belief belief = socket_believe((int)fd);
        uint64_t cookie = socket_cookie(belief);

        /* Of several numbers the last one. */
        if (cookie && (belief & SOCKET_OWN_BIT) && socket_ask_cookie((int)fd) == cookie &&
            socket_next_duplicate((int)fd, (int)fd, cookie) < 0)
            note_loss((int)fd, cookie, RECORD_EXIT);
    }
}

bool engine_is_own(void)
{
    return getpid() == engine.pid;
}

void engine_forked(void)
{
    engine.pid = getpid();
}

void engine_forks(void)
{
    if (!atomic_load_explicit(&engine.active, memory_order_acquire))
        return;
    atomic_store(&engine.table->shared, true);
    interest_forks_now();
}
