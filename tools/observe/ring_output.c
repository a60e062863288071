/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/ring_output.h"

#include "trace/output_path.h"
#include "trace/ring.h"
#include "util/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a process that loses much the last 4,000 are kept; the totals count all. */
enum { RING_SIZE = 1 << 20 };

struct ring_output {
    struct output_file file;
    struct ring_process process;
    struct ring_writer writer;
};

/* A path as a pattern that means it. */
static void put_pattern(char *to, size_t size, const char *directory,
                        const struct observed *process)
{
    char plain[PATH_MAX + 64];
    size_t length = 0;

    snprintf(plain, sizeof plain, "%s/%s.%u.ring", directory, process->comm, process->pid);
    /* A name may have any character. */
    for (char *at = plain + strlen(directory) + 1; *at; at++)
        if (*at == '/' || *at < ' ')
            *at = '_';
    for (const char *at = plain; *at && length + 3 < size; at++) {
        if (*at == '%')
            to[length++] = '%';
        to[length++] = *at;
    }
    to[length] = '\0';
}

static struct ring_output *start(struct observed *process, const char *directory)
{
    const struct output_path_facts facts = {"", "", "", process->pid};
    struct ring_output *ring = need(calloc(1, sizeof *ring));
    char pattern[PATH_MAX];
    struct tm local;
    time_t now = time(NULL);
    struct timespec monotonic;
    struct ring_settings settings = {.size = RING_SIZE};

    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    settings.east = localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    put_pattern(pattern, sizeof pattern, directory, process);
    output_file_plan(&ring->file, pattern, &facts);
    ring_prepare(&ring->process, &settings, &ring->file, process->parent,
                 (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec);
    return ring;
}

/* The file's modules are those in which the addresses lie for this process. */
static void put_modules(struct ring_file *file, const struct observed_modules *modules)
{
    for (unsigned i = 0; i < file->modules; i++) {
        char *to = (char *)file + file->modules_at + (size_t)i * file->module_size;
        uint64_t start = i < modules->count ? modules->module[i].start : 0, has;

        memcpy(&has, to, sizeof has);
        if (has == start)
            continue;
        memset(to, 0, file->module_size);
        if (start)
            memcpy(to, &modules->module[i], sizeof *modules->module);
    }
}

/* The file tells of the process in which the library runs: here of another one. */
static void correct(struct ring_output *ring, const struct observed *process)
{
    struct ring_file *file = __atomic_load_n(&ring->process.file, __ATOMIC_ACQUIRE);

    if (!file)
        return;
    put_modules(file, &process->modules);
    if (file->pid == process->pid)
        return;
    file->pid = process->pid;
    file->about = process->about;
    memcpy(file->program, process->about.path, sizeof file->program);
}

void ring_output_add(struct observed *process, const char *directory, const struct record *record)
{
    if (!process->ring)
        process->ring = start(process, directory);
    observed_module_of(record); /* it may be new */
    ring_write(&process->ring->process, &process->ring->writer, record);
    correct(process->ring, process);
}

void ring_output_end(struct observed *process)
{
    if (!process->ring)
        return;
    ring_end(&process->ring->process);
    free(process->ring);
    process->ring = NULL;
}
