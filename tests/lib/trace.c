/* SPDX-License-Identifier: MIT */
/* Follows one single-threaded program by ptrace(2). */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "spawn.h"

/* linux/ptrace.h and sys/ptrace.h do not go together everywhere: what is needed of the former. */
struct syscall_entry {
    unsigned char op, pad[3];
    unsigned arch;
    unsigned long long instruction_pointer, stack_pointer, number, arguments[6];
};

enum { GET_SYSCALL_INFO = 0x420e, AT_ENTRY = 1 };

static bool is_mark(const struct syscall_entry *entry)
{
    return entry->number == SYS_prctl && entry->arguments[0] == PR_GET_NAME &&
           entry->arguments[1] == 0;
}

static void note(struct trace *trace, pid_t pid, bool *marked)
{
    struct syscall_entry entry;

    memset(&entry, 0, sizeof(entry));
    if (ptrace((enum __ptrace_request)GET_SYSCALL_INFO, pid, sizeof(entry), &entry) < 0 ||
        entry.op != AT_ENTRY)
        return;
    if (is_mark(&entry))
        *marked = !*marked;
    else if (*marked && trace->count < TRACE_CALLS)
        trace->number[trace->count++] = (long)entry.number;
}

int trace_run(struct trace *trace, const struct spawn_request *request)
{
    struct spawn_request traced = *request;
    struct spawned child;
    bool marked = false, first = true;
    int status, result = 0, deliver = 0;

    memset(trace, 0, sizeof(*trace));
    trace->exit_status = -1;
    traced.traced = true;
    if (!spawn_start(&child, &traced))
        return -ECHILD;
    while (waitpid(child.pid, &status, 0) == child.pid && WIFSTOPPED(status)) {
        deliver = WSTOPSIG(status);
        if (deliver == (SIGTRAP | 0x80))
            note(trace, child.pid, &marked);
        if (deliver == (SIGTRAP | 0x80) || (first && deliver == SIGTRAP))
            deliver = 0;
        if (first &&
            ptrace(PTRACE_SETOPTIONS, child.pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
            result = -errno;
        first = false;
        if (spawn_now_ms() > child.deadline)
            deliver = SIGKILL;
        if (ptrace(PTRACE_SYSCALL, child.pid, 0, deliver) < 0)
            break;
    }
    if (WIFEXITED(status))
        trace->exit_status = WEXITSTATUS(status);
    child.ended = true; /* waitpid above has seen to it */
    spawn_await_end(&child);
    spawn_free(&child);
    return first ? -EPERM : result;
}
