/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "lifecycle.h"

#include "base/diag.h"
#include "base/filter.h"
#include "base/libc.h"
#include "base/standard_error.h"
#include "base/sys.h"
#include "base/user_memory.h"
#include "receive/bounce_buffer.h"
#include "receive/hold_peek.h"
#include "receive/passthrough.h"
#include "receive/policy.h"
#include "settings.h"
#include "state.h"
#include "table/current.h"
#include "table/held.h"
#include "trace/session.h"
#include "wait/epoll_ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* --- start ------------------------------------------------------------------------------- */

FAST_PATH_DATA static void (*end_process)(int status); /* NULL: _exit(2) is right */

static void do_not_start(void)
{
    if (end_process)
        end_process(125);
    sys_exit(125);
}

START_CODE static struct settings read_settings(char *const *environment)
{
    struct settings settings;
    unsigned bad = settings_read(&settings, environment);

    if (settings.help)
        settings_help(STDERR_FILENO);
    if (bad && settings.strict)
        do_not_start();
    return settings;
}

/* In the file that WSRX_TABLE names, or else in memory, when it is needed. */
START_CODE static void start_table(const struct settings *settings)
{
    const char *why = table_start();

    if (!why)
        return;
    diag("WSRX_TABLE=\"%s\": %s; %s", settings->table, why,
         settings->strict ? settings_not_started
                          : "tails are held in memory and do not survive exec");
    if (settings->strict)
        do_not_start();
}

FAST_PATH_DATA static bool started; /* the settings have been read */

START_CODE static int start_wings(const struct settings *settings)
{
    int error = bounce_start();

    if (!error)
        start_table(settings);
    return error;
}

/* 0, or a negative errno, which has been reported. */
START_CODE static int activate(void)
{
    const struct settings *settings = &state.settings;
    int error;

    standard_error_start();
    pthread_atfork(lifecycle_before_fork, lifecycle_after_fork, lifecycle_after_fork_in_child);
    trace_start(settings);
    if (settings->mode != MODE_OFF)
        fd_class_start(settings, settings->sockets.count > 0 || trace_on());
    error = start_wings(settings);
    if (error) {
        diag("cannot start: %s; receives are as without the library", strerrordesc_np(-error));
        return error;
    }
    atomic_store(&state.bounces, settings->mode != MODE_OFF);
    if (state.hold == HOLD_KERNEL || settings->hold_max == 0)
        state_hold_in_kernel();
    atomic_store_explicit(&state.active, true, memory_order_release);
    return 0;
}

START_CODE int lifecycle_start(const struct lifecycle_entrance *entrance, char *const *environment)
{
    end_process = entrance->end_process;
    state.settings = read_settings(environment);
    next_calls = entrance->next;
    atomic_store(&sys_libc_beneath, entrance->libc_beneath);
    atomic_store(&sys_libc_cancels_at_once, entrance->libc_beneath && libc_cancels_at_once());
    state.under_wine = entrance->under_wine;
    state.minds_reporting = state.settings.calls_all || state.under_wine;
    state.sends_end_tails = state.settings.tail_until_send;
    state.plain_holds =
        receive_policy(state.settings.mode, CALL_PLAIN, state.settings.calls_all).hold;
    atomic_store(&state.hold, (int)state.settings.hold);
    if (state.settings.hold == HOLD_AUTO)
        atomic_store(&state.hold, entrance->under_wine ? HOLD_KERNEL : HOLD_PROCESS);
    started = true;
    if (state.settings.mode == MODE_OFF)
        return 0;
    /* Otherwise it is asked with the first tail: a filter may kill for it. */
    if (!state.sees_vfork)
        state.pid = sys_getpid();
    return activate();
}

/* It gets parts in any mode, and in mode off nothing has been started. */
void lifecycle_cooperate(void)
{
    static atomic_int begun;

    if (!state_is_active() && started && !sys_is_sandboxed() && !atomic_exchange(&begun, 1))
        activate();
}

/* --- descriptors ------------------------------------------------------------------------- */

/* What the kernel has dropped of a socket that is about to be closed. */
static void note_dropped(int fd, fd_class class, enum record_call call)
{
    if (trace_on() && state_is_own_as_seen() && !sys_is_sandboxed() && fd_class_cookie(class) &&
        fd_query_cookie(fd) == fd_class_cookie(class))
        trace_dropped(fd, fd_class_cookie(class), call);
}

fd_class lifecycle_closing(int fd)
{
    fd_class class = fd_class_cached(fd);
    bool message = fd_class_is_message(class), gone = !message || fd_is_last(fd, class);

    if (fd_own_descriptors)
        return 0;
    if (state.under_wine)
        atomic_fetch_add_explicit(&state.closes, 1, memory_order_relaxed);
    if (message && gone)
        note_dropped(fd, class, RECORD_CLOSE);
    epoll_ctl_forget(fd, gone);
    if (message && gone && fd_class_cookie(class) != 0)
        epoll_ctl_forget_socket(fd_class_cookie(class));
    fd_forget(fd);
    return class;
}

/* A tail is lost with its socket. */
static void note_loss(int fd, uint64_t cookie, enum record_call call)
{
    struct record record = {
        .cookie = cookie, .fd = fd, .call = call, .flags = RECORD_LAST | RECORD_LOST};
    size_t left = 0;

    if (table_look(state.table, cookie, &left) == HELD_HERE && left > 0) {
        record.length = record.lost = (uint32_t)left;
        trace_add(&record);
    }
}

void lifecycle_closed(int fd, fd_class class)
{
    uint64_t cookie = fd_class_cookie(class);
    bool last;

    /* In a sandbox it stays: nobody can ask for it any more. */
    if (cookie == 0 || table_nothing_held() || sys_is_sandboxed() ||
        table_look(state.table, cookie, NULL) == HELD_NOT || !state_is_own())
        return;
    if (!fd_is_last(fd, class))
        return;
    last = !table_is_shared() && (class & FD_DUPS_KNOWN);
    if (last && trace_on())
        note_loss(fd, cookie, RECORD_CLOSE);
    table_abandon(state.table, cookie, last);
}

void lifecycle_closing_range(unsigned first, unsigned last)
{
    if (fd_own_descriptors)
        return;
    epoll_ctl_forget_range(first, last);
    if (table_nothing_held() && !trace_on()) {
        fd_forget_range(first, last);
        return;
    }
    for (unsigned fd = first; fd <= last && fd <= fd_highest(); fd++)
        if (fd_class_cached((int)fd) != 0)
            lifecycle_closed((int)fd, lifecycle_closing((int)fd));
}

/* --- confinement ------------------------------------------------------------------------- */

/* What a vfork child does to itself is no affair of its parent's, whose memory it borrows. */

/* A record needs to know what the sockets are, and their names. */
static void prepare_trace(void)
{
    if (!trace_on())
        return;
    trace_prepare_sandbox();
    for (int fd = 0; fd <= (int)fd_highest(); fd++)
        if (fd_class_is_message(fd_class_get(fd)))
            trace_prepare_sandbox_socket(fd, fd_cookie(fd));
}

/* What is held in the kernel can be handed out only by peeks. */
static void take_over(void)
{
    for (unsigned fd = 0; !table_nothing_held() && fd <= fd_highest(); fd++) {
        uint64_t cookie = fd_class_cookie(fd_class_cached((int)fd));

        if (cookie && table_look(state.table, cookie, NULL) == HELD_KERNEL &&
            fd_query_cookie((int)fd) == cookie)
            hold_peek_take_over((int)fd, cookie);
    }
}

/* Whether this thread's filter is the first one: a second one that is refused lifts nothing. */
static __thread bool is_first_filter;

void lifecycle_changes_identity(void)
{
    if (state_is_active() && state_is_own_as_seen())
        table_confines();
}

/* Whether no filter so far forbids to write a line. */
static atomic_bool may_speak = true;

void lifecycle_confining(const struct sock_fprog *program)
{
    bool own;

    /* A second filter is looked at as it is: the first may kill for a question about memory. */
    if (state_is_active() && !(program && filter_allows_lines(program)))
        atomic_store(&may_speak, false);
    own = state_is_active() && !sys_is_sandboxed() && state_is_own_as_seen() && state_is_own();
    /* The child of a raw clone(2) has a copy of this memory, and is confined as any other process.
     * (If it shares the memory, its parent steps aside, too.) */
    is_first_filter = !sys_is_sandboxed() && state_is_own_as_seen() &&
                      (own || state.sees_vfork || !state_is_active());
    if (!is_first_filter)
        return;
    user_memory_may_ask(false);
    if (own) {
        table_confines();
        take_over();
        epoll_ctl_before_sandbox();
        prepare_trace();
    }
    state_enter_sandbox();
}

void lifecycle_not_confined(void)
{
    if (!is_first_filter)
        return;
    user_memory_may_ask(true);
    state_leave_sandbox();
    if (state_is_active() && state_is_own())
        table_not_confined();
}

void lifecycle_own_descriptors(void)
{
    if (!state_is_active() || !state_is_own())
        return;
    prepare_trace();
    fd_own_descriptors = true;
    state_enter_sandbox();
}

/* --- exec and end ------------------------------------------------------------------------ */

/* Whether the next program has the descriptor: otherwise nobody reads on. */
static bool survives_exec(int fd, uint64_t cookie)
{
    int flags = sys_fcntl(fd, F_GETFD, 0);

    return flags >= 0 && !(flags & FD_CLOEXEC) && fd_query_cookie(fd) == cookie;
}

/* A tail is one loss, however many descriptors its socket has. */
static bool is_counted(int fd, fd_class class)
{
    int other = fd_next_duplicate(fd, -1, class);

    while (other >= 0 && other < fd && !survives_exec(other, fd_class_cookie(class)))
        other = fd_next_duplicate(fd, other, class);
    return other >= 0 && other < fd;
}

void lifecycle_exec(void)
{
    static atomic_int reported;
    size_t bytes = 0, descriptors = 0, left = 0;

    epoll_ctl_before_exec();
    /* A vfork child's exec ends nothing: its parent keeps what is held. */
    if (table_nothing_held() || sys_is_sandboxed() || table_is_shared() || !state_is_own())
        return;
    for (unsigned fd = 0; fd <= fd_highest(); fd++) {
        fd_class class = fd_class_cached((int)fd);
        uint64_t cookie = fd_class_cookie(class);

        if (cookie == 0 || table_look(state.table, cookie, &left) == HELD_NOT ||
            !survives_exec((int)fd, cookie))
            continue;
        descriptors++;
        if (is_counted((int)fd, class))
            continue;
        bytes += left;
        if (trace_on())
            note_loss((int)fd, cookie, RECORD_EXEC);
    }
    if (descriptors > 0)
        diag_once(reported,
                  "exec: %zu bytes held for %zu descriptors are lost to the next program; "
                  "WSRX_TABLE=path keeps them",
                  bytes, descriptors);
}

START_CODE static void report_dropped_at_end(void)
{
    if (!trace_on() || sys_is_sandboxed() || !state_is_own())
        return;
    for (unsigned fd = 0; fd <= fd_highest(); fd++) {
        fd_class class = fd_class_cached((int)fd);

        if (fd_class_is_message(class) && fd_next_duplicate((int)fd, (int)fd, class) < 0)
            note_dropped((int)fd, class, RECORD_EXIT);
    }
}

START_CODE static void report_held_at_end(void)
{
    if (!trace_on() || table_nothing_held() || sys_is_sandboxed() || table_is_shared() ||
        !state_is_own())
        return;
    for (unsigned fd = 0; fd <= fd_highest(); fd++) {
        fd_class class = fd_class_cached((int)fd);
        uint64_t cookie = fd_class_cookie(class);

        /* Once for each socket: at the last of its numbers. */
        if (cookie && (class & FD_DUPS_KNOWN) && fd_query_cookie((int)fd) == cookie &&
            fd_next_duplicate((int)fd, (int)fd, class) < 0)
            note_loss((int)fd, cookie, RECORD_EXIT);
    }
}

/* --- processes --------------------------------------------------------------------------- */

void lifecycle_forks(void)
{
    if (!state_is_active())
        return;
    atomic_store(&state.forked, true);
    table_forks();
    epoll_ctl_forks_now();
}

void lifecycle_before_fork(void)
{
    lifecycle_forks();
    epoll_ctl_before_fork();
}

void lifecycle_after_fork(void)
{
    epoll_ctl_after_fork();
}

void lifecycle_after_fork_in_child(void)
{
    state.pid = 0;
    state_vfork_depth = 0;
    table_after_fork_in_child();
    epoll_ctl_after_fork_in_child();
    trace_forked();
}

/* What a confined program lost is known only as it ends, and is said only where its filters allow
 * what that takes. */
START_CODE static void report_cut(void)
{
    static atomic_int reported;
    size_t cut = receive_cut_in_sandbox();

    if (cut == 0 || !atomic_load(&may_speak) || !state_is_own_as_seen() ||
        !atomic_exchange(&sys_sandboxed, false))
        return;
    diag_once(reported,
              "receives that filled their buffers after the program had installed a filter of "
              "system calls, or a thread had unshared its descriptors: %zu; the rest of a longer "
              "message is not kept there",
              cut);
    atomic_store(&sys_sandboxed, true);
}

START_CODE void lifecycle_end(void)
{
    report_cut();
    report_dropped_at_end();
    report_held_at_end();
    trace_end();
}
