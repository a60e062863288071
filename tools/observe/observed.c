/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/observed.h"

#include "util/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SECOND = 1000000000,
    KEPT = 4096, /* processes, then those that have ended are forgotten */
};

static uint64_t now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t observed_epoch(void)
{
    return now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC);
}

/* --- what /proc tells -------------------------------------------------------------------- */

/* A file of /proc/PID; its length, 0 if it cannot be read. Terminated. */
static size_t read_proc(uint32_t pid, const char *name, char *to, size_t size)
{
    char path[64];
    FILE *file;
    size_t length = 0;

    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    file = fopen(path, "re");
    if (file) {
        length = fread(to, 1, size - 1, file);
        fclose(file);
    }
    to[length] = '\0';
    return length;
}

/* proc(5): fields 4 and 22 of stat, behind the name, which may have any character. */
static uint64_t read_start(uint32_t pid, uint32_t *ret_parent)
{
    char text[1024], *at;
    uint64_t start = 0;

    *ret_parent = 0;
    if (read_proc(pid, "stat", text, sizeof text) == 0 || !(at = strrchr(text, ')')))
        return 0;
    if (sscanf(at + 1,
               " %*c %" SCNu32 " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
               "%*d %" SCNu64,
               ret_parent, &start) != 2)
        return 0;
    return start;
}

static void read_about(struct observed *process)
{
    struct trace_program *about = &process->about;
    char path[64];
    ssize_t length;
    size_t words = read_proc(process->pid, "cmdline", about->command, sizeof about->command);

    for (size_t i = 0; i + 1 < words; i++)
        if (about->command[i] == '\0')
            about->command[i] = ' ';
    snprintf(path, sizeof path, "/proc/%u/exe", process->pid);
    length = readlink(path, about->path, sizeof about->path - 1);
    about->path[length > 0 ? length : 0] = '\0';
    if (length <= 0) /* gone, or another user's */
        snprintf(about->path, sizeof about->path, "%s", process->comm);
    strcpy(about->mode, "observe");
    gethostname(about->host, sizeof about->host - 1);
}

/* --- the table --------------------------------------------------------------------------- */

static struct observed **bucket_of(struct observed_table *table, uint32_t pid)
{
    return &table->bucket[pid % (sizeof table->bucket / sizeof *table->bucket)];
}

static void forget(struct observed_table *table, struct observed **at)
{
    struct observed *process = *at;

    *at = process->next;
    if (table->forget)
        table->forget(process);
    free(process->modules.module);
    free(process);
    table->count--;
}

static void forget_ended(struct observed_table *table, bool all)
{
    uint32_t parent;

    for (size_t i = 0; i < sizeof table->bucket / sizeof *table->bucket; i++) {
        struct observed **at = &table->bucket[i];

        while (*at) {
            if (all || read_start((*at)->pid, &parent) != (*at)->start || (*at)->start == 0)
                forget(table, at);
            else
                at = &(*at)->next;
        }
    }
}

static struct observed *add(struct observed_table *table, const struct observe_event *event)
{
    struct observed *process = need(calloc(1, sizeof *process));
    struct observed **bucket = bucket_of(table, event->pid);

    process->pid = event->pid;
    process->looked_at = event->time;
    memcpy(process->comm, event->comm, sizeof process->comm - 1);
    process->start = read_start(event->pid, &process->parent);
    read_about(process);
    process->next = *bucket;
    *bucket = process;
    table->count++;
    return process;
}

/* Once a second for each process. A thread may have a name of its own. */
static bool is_still(struct observed *process, const struct observe_event *event)
{
    uint32_t parent;
    uint64_t start;

    if (event->pid == event->tid &&
        strncmp(process->comm, event->comm, sizeof process->comm - 1) != 0)
        return false;
    if (event->time - process->looked_at < SECOND)
        return true;
    process->looked_at = event->time;
    start = read_start(event->pid, &parent);
    return start == 0 || start == process->start;
}

struct observed *observed_find(struct observed_table *table, const struct observe_event *event)
{
    struct observed **at = bucket_of(table, event->pid);

    while (*at && (*at)->pid != event->pid)
        at = &(*at)->next;
    if (*at && is_still(*at, event))
        return *at;
    if (*at)
        forget(table, at);
    if (table->count >= KEPT)
        forget_ended(table, false);
    return add(table, event);
}

void observed_free(struct observed_table *table)
{
    forget_ended(table, true);
}

/* --- records ----------------------------------------------------------------------------- */

enum record_call observed_call(uint32_t call)
{
    static const enum record_call calls[] = {
        [OBSERVE_UNKNOWN] = RECORD_UNKNOWN,   [OBSERVE_RECV] = RECORD_RECV,
        [OBSERVE_RECVFROM] = RECORD_RECVFROM, [OBSERVE_RECVMSG] = RECORD_RECVMSG,
        [OBSERVE_RECVMMSG] = RECORD_RECVMMSG, [OBSERVE_READ] = RECORD_READ,
        [OBSERVE_READV] = RECORD_READV,       [OBSERVE_PREADV2] = RECORD_PREADV2,
        [OBSERVE_IO_URING] = RECORD_IO_URING,
    };

    return call < sizeof calls / sizeof *calls ? calls[call] : RECORD_UNKNOWN;
}

void observed_record(struct observed *process, const struct observe_event *event,
                     struct record *ret_record)
{
    *ret_record = (struct record){
        .time = event->time + observed_epoch(),
        .sequence = ++process->sequence,
        .cookie = event->cookie,
        .caller = event->caller,
        .room = event->given,
        .length = event->length,
        .given = event->given,
        .lost = event->length - event->given,
        .pid = event->pid,
        .tid = event->tid,
        .fd = event->fd,
        .call = observed_call(event->call),
        .flags = RECORD_LAST | RECORD_LOST,
        .local = (const struct sockaddr *)event->local.bytes,
        .peer = (const struct sockaddr *)event->peer.bytes,
        .local_length = event->local.length,
        .peer_length = event->peer.length,
        .modules = process,
    };
}

const struct record_module *observed_module_of(const struct record *record)
{
    struct observed *process = (struct observed *)record->modules;

    return observed_modules_find(&process->modules, process->pid, record->caller);
}
