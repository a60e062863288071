/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/live_view.h"

#include "formats/formats.h"
#include "util/complain.h"
#include "util/memory.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A thread takes the time of a record before it writes it to its ring. If it has to make the ring
 * first, or to wait for a processor, others write later records meanwhile. */
enum { HOLD_BACK = 200 * 1000 * 1000 }; /* nanoseconds */

struct live_view *live_view_new(bool counts)
{
    struct live_view *view = need(calloc(1, sizeof *view));

    view->counts = counts;
    view->reader = reader_new();
    view->records = summary_new();
    view->lines.module_of = reader_module_of;
    return view;
}

void live_view_free(struct live_view *view)
{
    summary_free(view->records);
    if (view->totals)
        summary_free(view->totals);
    reader_free(view->reader);
    free(view->modules);
    free(view->line);
    free(view);
}

bool live_view_may_colour(FILE *out)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return (!none || !*none) && isatty(fileno(out)) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

bool live_view_open(struct live_view *view, const char *name)
{
    view->name = name;
    view->out = name ? reader_output(view->reader, name) : stderr;
    if (!view->out)
        return false;
    view->colour = live_view_may_colour(view->out);
    return true;
}

static bool is_known(const struct live_view *view, const char *path)
{
    for (size_t i = 0; i < reader_files(view->reader); i++)
        if (strcmp(reader_file(view->reader, i)->path, path) == 0)
            return true;
    return false;
}

/* A ring file is one as soon as its magic is there. */
static bool is_ready(const char *path)
{
    char magic[8] = "";
    FILE *file = fopen(path, "re");
    bool ready;

    if (!file)
        return false;
    ready =
        fread(magic, sizeof magic, 1, file) == 1 && memcmp(magic, RING_MAGIC, sizeof magic) == 0;
    fclose(file);
    return ready;
}

void live_view_find(struct live_view *view, const char *directory)
{
    DIR *open = opendir(directory);
    struct dirent *entry;

    while (open && (entry = readdir(open))) {
        char path[PATH_MAX + 256];
        size_t length = strlen(entry->d_name);

        if (length < 5 || strcmp(entry->d_name + length - 5, ".ring") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (!is_known(view, path) && is_ready(path))
            reader_add(view->reader, path);
    }
    if (open)
        closedir(open);
}

/* The lines that belong before a record's. */
static void show_start(struct live_view *view, const struct record *record)
{
    size_t files = reader_files(view->reader);

    if (files > view->started) {
        view->modules = need(realloc(view->modules, files * sizeof *view->modules));
        for (; view->started < files; view->started++) {
            view->modules[view->started] = 0;
            write_jsonl_start(reader_file(view->reader, view->started), view->out);
        }
    }
    reader_module_of(record); /* it may be new */
    for (size_t i = 0; i < files; i++)
        view->modules[i] =
            write_jsonl_modules(reader_file(view->reader, i), view->modules[i], view->out);
}

static void show(struct live_view *view, const struct record *record,
                 const struct reader_file *file)
{
    const char *colour = NULL;
    size_t length;

    if (view->room < FORMAT_LINE_MAX(record->data_length)) {
        view->room = FORMAT_LINE_MAX(record->data_length);
        view->line = need(realloc(view->line, view->room));
    }
    if (view->json)
        show_start(view, record);
    length = view->json ? format_jsonl(&view->lines, record, view->line)
                        : format_text(&view->lines, record, file->east, view->line);
    if (view->colour && !view->json)
        colour = record->lost > 0                 ? "\033[31m"
                 : record->flags & RECORD_PARTIAL ? "\033[33m"
                 : record->error                  ? "\033[2m"
                                                  : NULL;
    if (colour)
        fprintf(view->out, "%s%.*s\033[0m\n", colour, (int)length - 1, view->line);
    else
        fwrite(view->line, 1, length, view->out);
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Whether a file's own totals count, and not its records: they know of no filter. */
static bool has_totals(const struct live_view *view, const struct reader_file *file)
{
    return file->totals && record_filter_is_empty(&view->filter);
}

const struct summary *live_view_summary(struct live_view *view)
{
    bool totals = true;

    for (size_t i = 0; i < reader_files(view->reader); i++)
        totals = totals && has_totals(view, reader_file(view->reader, i));
    if (!totals) {
        summary_finish(view->records, view->reader);
        return view->records;
    }
    if (view->totals)
        summary_free(view->totals);
    view->totals = summary_of_totals(view->reader);
    return view->totals;
}

void live_view_catch_up(struct live_view *view, bool last)
{
    const struct reader_file *file;
    struct record record;

    reader_refresh(view->reader, last ? UINT64_MAX : now() - HOLD_BACK);
    while (reader_next(view->reader, &record, &file)) {
        if (!record_filter_match(&view->filter, &record))
            continue;
        view->any = true;
        if (view->counts) {
            if (!has_totals(view, file))
                summary_add(view->records, file, &record);
        } else if (record.error == EAGAIN && !view->all)
            view->hidden++;
        else if (!ferror(view->out))
            show(view, &record, file);
    }
    is_written(view->out, view->name);
}
