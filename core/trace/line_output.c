/* SPDX-License-Identifier: MIT */
#include "trace/line_output.h"

#include "base/diag.h"
#include "base/standard_error.h"
#include "base/sys.h"
#include "state.h"
#include "trace/format.h"

#include <errno.h>

/* Milliseconds. The user asked for the lines: a reader that is alive makes room within this. */
enum { PATIENCE = 100 };

void line_output_plan(struct line_output *output, struct output_file *file, bool to_standard,
                      size_t longest, size_t (*make_start)(char *to))
{
    output->file = file;
    output->longest = longest;
    output->make_start = make_start;
    atomic_store(&output->started, false);
    atomic_store(&output->to_standard, to_standard);
    atomic_store(&output->unwritten, 0);
}

/* False: to the file, from now on. */
static bool add_to_standard(struct line_output *output, const char *line, size_t length)
{
    switch (standard_error_write(line, length, PATIENCE)) {
    case STANDARD_ERROR_WRITTEN:
        return true;
    case STANDARD_ERROR_DROPPED:
        atomic_fetch_add(&output->unwritten, 1);
        return true;
    default:
        atomic_store(&output->to_standard, false);
        return false;
    }
}

/* Too long for the stack; one thread writes it, once. */
static char start_line[FORMAT_LINE_MAX(0)];

/* By the file's one maker. */
static int fill(struct output_file *file, int fd, void *context)
{
    struct line_output *output = context;
    size_t length = output->make_start(start_line);
    ssize_t written = length ? sys_pwrite(fd, start_line, length, 0) : 0;

    if (written < 0)
        return (int)written;
    atomic_store(&file->position, (size_t)written);
    return (size_t)written == length ? 0 : -ENOSPC;
}

/* Another thread's line may come before it. */
static void start_stream(struct line_output *output)
{
    size_t length;

    if (!atomic_exchange(&output->started, true) && (length = output->make_start(start_line)) > 0)
        output_file_write_stream(output->file, start_line, length, PATIENCE);
}

static enum output_state make_file(struct line_output *output)
{
    const struct output_file_maker maker = {
        .size = output->longest, .streams = true, .fill = fill, .context = output};

    return output_file_ready(output->file, &maker);
}

void line_output_add(struct line_output *output, struct output_file_window *window,
                     const char *line, size_t length)
{
    enum output_state is;

    if (atomic_load_explicit(&output->to_standard, memory_order_relaxed) &&
        add_to_standard(output, line, length))
        return;
    is = output_file_state(output->file);
    switch (LIKELY(is == OUTPUT_MAPPED) ? is : make_file(output)) {
    case OUTPUT_MAPPED:
        output_file_add_line(output->file, window, line, length, output->longest);
        break;
    case OUTPUT_STREAM:
        start_stream(output);
        output_file_write_stream(output->file, line, length, PATIENCE);
        break;
    case OUTPUT_BROKEN: /* which has been reported */
        break;
    default:
        atomic_fetch_add(&output->unwritten, 1);
    }
}

void line_output_prepare_sandbox(struct line_output *output, struct output_file_window *window)
{
    if (!atomic_load(&output->to_standard) && make_file(output) == OUTPUT_MAPPED)
        output_file_window_prepare(output->file, window, output->longest);
}

void line_output_end(struct line_output *output)
{
    size_t unwritten =
        atomic_load(&output->unwritten) + (size_t)atomic_load(&output->file->unwritten);

    output_file_end(output->file, atomic_load(&output->file->position));
    if (unwritten > 0)
        diag("%zu records could not be written in time", unwritten);
}
