/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/summary.h"

#include "base/standard_error.h"
#include "base/sys.h"
#include "state.h"
#include "trace/stats.h"
#include "trace/thread_buffer.h"

#include <errno.h>
#include <string.h>

enum {
    TEXT_MOST = 64 << 10,
    PREPARED = 16 << 10, /* some eighty rows */
    PATIENCE = 100,      /* milliseconds, for a reader that is alive */
    PROGRAM_MOST = 64,
};

/* Where it is added up and written: mapped at the start of a trace. */
static struct work {
    struct stats_table sum;
    char text[TEXT_MOST];
} * work;

/* The file's content, mapped before the sandbox came; NULL: it did not, or could not. */
static char *prepared;

struct content {
    const char *text;
    size_t length;
};

static int fill(struct output_file *file, int fd, void *context)
{
    const struct content *content = context;
    ssize_t written = sys_pwrite(fd, content->text, content->length, 0);

    (void)file;
    if (written < 0)
        return (int)written;
    return (size_t)written == content->length ? sys_ftruncate(fd, content->length) : -ENOSPC;
}

static int map_ahead(struct output_file *file, int fd, void *context)
{
    int error;

    (void)file;
    (void)context;
    prepared = output_file_map_open(fd, 0, PREPARED, PREPARED, &error);
    if (prepared)
        memset(prepared, '\n', PREPARED);
    return error;
}

int summary_start(void)
{
    work = sys_map_private(sizeof *work);
    return work ? 0 : -ENOMEM;
}

void summary_begin(void)
{
    prepared = NULL;
}

void summary_prepare_sandbox(struct output_file *file)
{
    /* A stream stays one: nothing is written to it from within the sandbox. */
    const struct output_file_maker maker = {.size = PREPARED, .streams = true, .fill = map_ahead};

    output_file_ready(file, &maker);
}

static void write_file(struct output_file *file, struct content content)
{
    const struct output_file_maker maker = {
        .size = content.length, .streams = true, .fill = fill, .context = &content};

    if (output_file_ready(file, &maker) == OUTPUT_STREAM)
        output_file_write_stream(file, content.text, content.length, PATIENCE);
}

void summary_write(const struct summary_head *head, struct output_file *file)
{
    const char *program = sys_is_sandboxed() ? program_invocation_short_name
                                             : state_program((char[STATE_PROGRAM]){0});
    char shown[4 * PROGRAM_MOST + 1];
    size_t length, size = prepared ? PREPARED : TEXT_MOST;

    for (struct thread_buffer *at = thread_buffers_first(); at; at = at->next)
        stats_merge(&work->sum, &at->stats);
    *record_put_escaped(shown, program, strnlen(program, PROGRAM_MOST), false) = '\0';
    length = stats_text(&work->sum, &(struct stats_head){shown, head->pid, head->mode, false},
                        work->text, size);
    if (!file)
        (void)standard_error_write(work->text, length, PATIENCE);
    else if (prepared)
        memcpy(prepared, work->text, length);
    else
        write_file(file, (struct content){work->text, length});
    if (file && prepared)
        output_file_end(file, length);
}
