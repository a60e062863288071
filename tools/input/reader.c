/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/reader.h"

#include "input/jsonl_reader.h"
#include "input/ring_reader.h"
#include "util/complain.h"
#include "util/memory.h"
#include "util/printable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the next record comes from: a ring, or the lines of a file. */
struct source {
    struct reader_file *file;
    struct ring_source ring; /* where the file is a ring file */
    struct jsonl_record **lines;
    size_t count, next;
    uint64_t time; /* of the next record, if there is one */
};

struct reader {
    struct reader_file **file;
    size_t files;
    struct source **source;
    size_t sources;
    struct source **heap; /* those with a next record; the earliest first */
    size_t waiting;
    struct trace_filter filter;
    uint64_t until; /* no later record of a ring is given */
    bool unread;    /* a file was none, or could not be read */
};

struct reader *reader_new(void)
{
    struct reader *reader = need(calloc(1, sizeof *reader));

    reader->until = UINT64_MAX;
    return reader;
}

/* --- the order of time ------------------------------------------------------------------- */

static void sift_down(struct reader *reader, size_t at)
{
    struct source **heap = reader->heap;

    for (;;) {
        size_t least = at, child = 2 * at + 1;
        struct source *other;

        if (child < reader->waiting && heap[child]->time < heap[least]->time)
            least = child;
        if (child + 1 < reader->waiting && heap[child + 1]->time < heap[least]->time)
            least = child + 1;
        if (least == at)
            return;
        other = heap[at];
        heap[at] = heap[least];
        heap[least] = other;
        at = least;
    }
}

static void push(struct reader *reader, struct source *source)
{
    size_t at = reader->waiting++;

    reader->heap[at] = source;
    while (at > 0 && reader->heap[(at - 1) / 2]->time > source->time) {
        reader->heap[at] = reader->heap[(at - 1) / 2];
        at = (at - 1) / 2;
        reader->heap[at] = source;
    }
}

/* Looks for the next record. False: there is none now. */
static bool look(struct source *source)
{
    if (source->file->at)
        return ring_look(source->file, &source->ring, &source->time);
    if (source->next >= source->count)
        return false;
    source->time = source->lines[source->next]->record.time;
    return true;
}

static struct source *add_source(struct reader *reader, struct reader_file *file)
{
    size_t count = reader->sources + 1;
    struct source *source = need(calloc(1, sizeof *source));

    source->file = file;
    reader->source = need(realloc(reader->source, count * sizeof *reader->source));
    reader->heap = need(realloc(reader->heap, count * sizeof *reader->heap));
    reader->source[reader->sources++] = source;
    return source;
}

static void free_source(struct source *source)
{
    for (size_t i = 0; i < source->count; i++)
        free(source->lines[i]);
    free(source->lines);
    ring_source_free(&source->ring);
    free(source);
}

/* --- files ------------------------------------------------------------------------------- */

/* Adds the rings that the file has got since. */
static void find_rings(struct reader *reader, struct reader_file *file)
{
    uint32_t rings = ring_refresh(file), known = 0;
    struct ring_source ring;

    for (size_t i = 0; i < reader->sources; i++)
        known += reader->source[i]->file == file;
    for (; known < rings && ring_find(file, known, &ring); known++)
        add_source(reader, file)->ring = ring;
}

/* Files of one boot share their clock: with the wall clock of each, records could change places. */
static void share_clock(const struct reader *reader, struct reader_file *file)
{
    for (size_t i = 0; i < reader->files; i++) {
        const struct reader_file *other = reader->file[i];

        if (other->at && memcmp(other->head.boot, file->head.boot, sizeof other->head.boot) == 0) {
            file->offset = other->offset;
            return;
        }
    }
}

static bool add_rings(struct reader *reader, struct reader_file *file)
{
    uint64_t whole;

    if (!ring_open(file))
        return false;
    share_clock(reader, file);
    find_rings(reader, file);
    whole = file->head.header_size + file->head.rings * file->head.ring_size;
    if (file->damaged) {
        complain("%s: truncated: %zu bytes are there, and its %u rings need %llu; what is there is "
                 "read",
                 file->path, file->size, file->head.rings, (unsigned long long)whole);
    } else if (file->finished && file->size < whole) {
        complain("%s: truncated: a part of its last ring is missing; what is there is read",
                 file->path);
        file->damaged = true;
    }
    return true;
}

static bool add_lines(struct reader *reader, struct reader_file *file)
{
    FILE *stream = fdopen(dup(file->fd), "r");
    struct source *source;

    if (!stream) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    source = add_source(reader, file);
    file->damaged = !jsonl_read(file, stream, &source->lines, &source->count);
    fclose(stream);
    if (file->pid == 0 && source->count > 0)
        file->pid = source->lines[0]->record.pid;
    file->records = source->count;
    return !file->damaged || source->count > 0;
}

static bool open_file(struct reader *reader, struct reader_file *file)
{
    struct stat now;

    file->fd = strcmp(file->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                            : open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &now) != 0) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    if (S_ISREG(now.st_mode) && ring_is_file(file->fd))
        return add_rings(reader, file);
    if (S_ISDIR(now.st_mode) || (S_ISREG(now.st_mode) && now.st_size == 0)) {
        complain("%s: %s", file->path, S_ISDIR(now.st_mode) ? strerror(EISDIR) : "empty");
        return false;
    }
    return add_lines(reader, file);
}

static void free_file(struct reader_file *file)
{
    if (file->at)
        munmap((void *)file->at, file->size);
    if (file->fd >= 0)
        close(file->fd);
    for (size_t i = 0; i < file->modules; i++)
        free(file->module[i]);
    for (size_t i = 0; i < file->processes; i++) {
        free(file->process[i]->name);
        free(file->process[i]);
    }
    free(file->module);
    free(file->process);
    free(file->path);
    free(file->shown);
    free(file->program);
    free(file);
}

bool reader_add(struct reader *reader, const char *path)
{
    struct reader_file *file = need(calloc(1, sizeof *file));
    size_t before = reader->sources;

    file->path = need(strdup(path));
    file->shown = printable(path);
    file->program = need(strdup(""));
    if (!open_file(reader, file)) {
        reader->unread = true;
        while (reader->sources > before)
            free_source(reader->source[--reader->sources]);
        free_file(file);
        return false;
    }
    reader->file = need(realloc(reader->file, (reader->files + 1) * sizeof *reader->file));
    reader->file[reader->files++] = file;
    for (size_t i = before; i < reader->sources; i++)
        if (look(reader->source[i]))
            push(reader, reader->source[i]);
    return true;
}

void reader_filter(struct reader *reader, const struct trace_filter *filter)
{
    reader->filter = *filter;
}

bool reader_is_filtered(const struct reader *reader)
{
    return !record_filter_is_empty(&reader->filter);
}

static bool next(struct reader *reader, struct record *ret_record,
                 const struct reader_file **ret_file)
{
    struct source *source = reader->waiting > 0 ? reader->heap[0] : NULL;

    if (!source || (source->file->at && source->time - source->file->offset > reader->until))
        return false;
    if (source->file->at)
        ring_take(source->file, &source->ring, ret_record);
    else
        *ret_record = source->lines[source->next++]->record;
    ret_record->modules = source->file;
    if (ret_file)
        *ret_file = source->file;
    if (!look(source))
        reader->heap[0] = reader->heap[--reader->waiting];
    sift_down(reader, 0);
    return true;
}

bool reader_next(struct reader *reader, struct record *ret_record,
                 const struct reader_file **ret_file)
{
    while (next(reader, ret_record, ret_file))
        if (record_filter_match(&reader->filter, ret_record))
            return true;
    return false;
}

void reader_refresh(struct reader *reader, uint64_t until)
{
    reader->until = until;
    for (size_t i = 0; i < reader->files; i++)
        if (reader->file[i]->at)
            find_rings(reader, reader->file[i]);
    reader->waiting = 0;
    for (size_t i = 0; i < reader->sources; i++)
        if (look(reader->source[i]))
            push(reader, reader->source[i]);
}

bool reader_may_write(const struct reader *reader, const char *path)
{
    struct stat there, read;

    for (size_t i = 0; i < reader->files && stat(path, &there) == 0; i++) {
        if (fstat(reader->file[i]->fd, &read) != 0 || !S_ISREG(there.st_mode) ||
            read.st_dev != there.st_dev || read.st_ino != there.st_ino)
            continue;
        complain("%s: cannot be read and written at once: give the output a name of its own", path);
        return false;
    }
    return true;
}

FILE *reader_output(const struct reader *reader, const char *path)
{
    FILE *out = stdout;

    if (!reader_may_write(reader, path))
        return NULL;
    if (strcmp(path, "-") != 0 && !(out = fopen(path, "we")))
        complain("%s: %s", path, strerror(errno));
    return out;
}

/* --- what a file tells of itself --------------------------------------------------------- */

static const struct record_module *find_module(const struct reader_file *file, uint32_t pid,
                                               uint64_t address)
{
    /* Where a library was unloaded another one may lie; so the last one counts. */
    for (size_t i = file->modules; i-- > 0;) {
        const struct reader_module *at = file->module[i];

        if (at->pid == pid && at->module.start <= address && address < at->module.end)
            return &at->module;
    }
    return NULL;
}

const struct record_module *reader_module(struct reader_file *file, uint32_t pid, uint64_t address)
{
    const struct record_module *module = find_module(file, pid, address);

    if (module || !file->at)
        return module;
    ring_find_modules(file);
    return find_module(file, pid, address);
}

const struct record_module *reader_module_of(const struct record *record)
{
    return reader_module((struct reader_file *)record->modules, record->pid, record->caller);
}

const char *reader_program(const struct reader_file *file, uint32_t pid)
{
    for (size_t i = 0; i < file->processes; i++)
        if (file->process[i]->pid == pid)
            return file->process[i]->name;
    return file->program;
}

bool reader_total(const struct reader_file *file, size_t number, struct ring_total *ret_total)
{
    return file->totals && ring_total(file, number, ret_total);
}

bool reader_is_partial(const struct reader_file *file)
{
    return file->damaged ||
           (file->totals ? file->uncounted : file->overwritten + file->dropped) > 0;
}

size_t reader_files(const struct reader *reader)
{
    return reader->files;
}

const struct reader_file *reader_file(const struct reader *reader, size_t number)
{
    return reader->file[number];
}

uint64_t reader_records(const struct reader *reader)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < reader->files; i++)
        sum += reader->file[i]->records;
    return sum;
}

bool reader_damaged(const struct reader *reader)
{
    bool damaged = reader->unread;

    for (size_t i = 0; i < reader->files; i++)
        damaged = damaged || reader->file[i]->damaged;
    return damaged;
}

void reader_report_missing(const struct reader *reader)
{
    for (size_t i = 0; i < reader->files; i++) {
        const struct reader_file *file = reader->file[i];

        if (file->overwritten > 0)
            complain("%s: %llu older records were overwritten%s (WSRX_TRACE_SIZE makes the ring "
                     "larger, WSRX_TRACE_KEEP=all keeps them)",
                     file->path, (unsigned long long)file->overwritten,
                     file->totals ? "; the sums count them" : "");
        if (file->dropped > 0)
            complain("%s: %llu records could not be written: no space", file->path,
                     (unsigned long long)file->dropped);
        if (file->unfinished > 0)
            complain("%s: %llu records were not finished when the program was killed", file->path,
                     (unsigned long long)file->unfinished);
    }
}

void reader_free(struct reader *reader)
{
    for (size_t i = 0; i < reader->sources; i++)
        free_source(reader->source[i]);
    for (size_t i = 0; i < reader->files; i++)
        free_file(reader->file[i]);
    free(reader->source);
    free(reader->heap);
    free(reader->file);
    free(reader);
}
