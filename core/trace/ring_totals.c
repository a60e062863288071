/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/ring_totals.h"

#include "base/critical_section.h"
#include "base/sys.h"
#include "state.h"
#include "trace/modules.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct ring_total) == 256, "a row has no gaps");
static_assert(sizeof(struct record_module) == 384, "nor has a module");
static_assert(RING_MODULES_AT + MODULES * (int)sizeof(struct record_module) <= RING_TOTALS_AT,
              "the modules have room");

enum { PROBES = 4, GROW_LEAST = 4096 };

static struct ring_total *row_at(struct ring_file *file, uint32_t number)
{
    return (struct ring_total *)((char *)file + RING_TOTALS_AT) + number;
}

void ring_totals_start(struct ring_process *process, struct ring_file *file)
{
    file->modules_at = RING_MODULES_AT;
    file->module_size = sizeof(struct record_module);
    file->modules = MODULES;
    file->totals_at = RING_TOTALS_AT;
    file->total_size = sizeof(struct ring_total);
    file->totals = RING_TOTALS;
    file->totals_used = 1;
    row_at(file, 0)->used = 1;
    row_at(file, 0)->least_room = UINT64_MAX;
    atomic_store(&process->totals_ready, RING_READY_FIRST);
}

/* --- rows -------------------------------------------------------------------------------- */

/* Makes the file's header ready up to `end`. Two threads may do so at once. False: no space. */
static bool grow(struct ring_process *process, struct ring_file *file, size_t end)
{
    unsigned long ready = atomic_load(&process->totals_ready);
    struct critical_section section;
    bool made;

    if (end > RING_TOTALS_END)
        end = RING_TOTALS_END;
    if (end <= ready)
        return true;
    if (sys_is_sandboxed() || output_file_state(process->output) != OUTPUT_MAPPED)
        return false;
    critical_section_enter(&section);
    made = output_file_reserve(process->output, (char *)file + ready, ready, end - ready);
    critical_section_leave(&section);
    while (made && ready < end &&
           !atomic_compare_exchange_weak(&process->totals_ready, &ready, end))
        continue;
    return made;
}

void ring_totals_prepare_sandbox(struct ring_process *process)
{
    struct ring_file *file = __atomic_load_n(&process->file, __ATOMIC_ACQUIRE);
    enum { ROWS = 64 };

    if (file)
        grow(process, file,
             RING_TOTALS_AT + (file->totals_used + ROWS) * sizeof(struct ring_total));
}

/* NULL: there is no room. */
static struct ring_total *claim(struct ring_process *process, struct ring_file *file)
{
    uint32_t number = __atomic_load_n(&file->totals_used, __ATOMIC_RELAXED);

    do {
        size_t end = RING_TOTALS_AT + (number + 1) * sizeof(struct ring_total);
        unsigned long ready = atomic_load(&process->totals_ready);

        /* Twice as many each time. */
        if (number >= RING_TOTALS ||
            (end > ready && !grow(process, file, 2 * ready - RING_TOTALS_AT)))
            return NULL;
    } while (!__atomic_compare_exchange_n(&file->totals_used, &number, number + 1, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return row_at(file, number);
}

/* The caller's module goes into the file, too. Two threads may write the same there at once. */
static void add_module(struct ring_file *file, uint64_t caller)
{
    const struct record_module *module = modules_find(caller);
    struct record_module *to = (struct record_module *)((char *)file + RING_MODULES_AT);

    if (!module)
        return;
    to += modules_number(module);
    if (__atomic_load_n(&to->start, __ATOMIC_RELAXED) != 0)
        return;
    memcpy((char *)to + sizeof to->start, (const char *)module + sizeof to->start,
           sizeof *to - sizeof to->start);
    __atomic_store_n(&to->start, module->start, __ATOMIC_RELEASE);
}

static void fill(struct ring_total *row, const struct record *record)
{
    row->cookie = record->cookie;
    row->caller = record->caller;
    row->call = (uint32_t)record->call;
    row->fd = record->fd;
    row->least_room = UINT64_MAX;
    row->local_length =
        record->local_length < RING_TOTAL_ADDRESS ? record->local_length : RING_TOTAL_ADDRESS;
    memcpy(row->local, record->local, row->local_length);
    __atomic_store_n(&row->used, 1, __ATOMIC_RELEASE);
}

/* NULL: the one for all others. */
static struct ring_total *row_of(struct ring_process *process, struct ring_file *file,
                                 struct ring_writer *writer, const struct record *record)
{
    unsigned hash = ring_totals_hash(record), free = hash;
    struct ring_total *row;

    for (unsigned i = 0; i < PROBES; i++) {
        unsigned at = (hash + i) % RING_WRITER_ROWS;

        row = writer->row[at];
        if (row && ring_totals_is_row(row, record)) {
            /* The one asked for last is found first. */
            writer->row[at] = writer->row[hash];
            writer->row[hash] = row;
            return row;
        }
        if (!row && writer->row[free])
            free = at;
    }
    row = claim(process, file);
    if (!row)
        return NULL;
    fill(row, record);
    add_module(file, record->caller);
    writer->row[free] = writer->row[hash];
    writer->row[hash] = row;
    return row;
}

/* --- counting ---------------------------------------------------------------------------- */

static inline void raise_by(uint64_t *number, uint64_t by, bool shared)
{
    if (shared)
        __atomic_fetch_add(number, by, __ATOMIC_RELAXED);
    else
        *number += by;
}

static void count_rooms(struct ring_total *row, const struct record *record)
{
    if (record->room < row->least_room)
        row->least_room = record->room;
    if (record->room > row->most_room)
        row->most_room = record->room;
    if (record->length > row->longest)
        row->longest = record->length;
}

/* `shared`: several threads may count in the row. */
static void count(struct ring_total *row, const struct record *record, bool shared)
{
    bool receive = record_is_receive(record);

    if (record->dropped > row->dropped)
        row->dropped = record->dropped;
    raise_by(&row->receives, receive, shared);
    raise_by(&row->peeks, (record->flags & RECORD_PEEK) != 0, shared);
    raise_by(&row->errors, record->error != 0, shared);
    if (!record_has_part(record))
        return;
    raise_by(&row->messages, receive && (record->flags & RECORD_LAST), shared);
    raise_by(&row->partial, (record->flags & RECORD_PARTIAL) != 0, shared);
    raise_by(&row->bytes, record->given, shared);
    raise_by(&row->saved, record_saved(record), shared);
    raise_by(&row->lost, record->lost, shared);
    raise_by(&row->lost_messages, record->lost > 0, shared);
    if (receive)
        count_rooms(row, record);
}

void ring_totals_count_slowly(struct ring_process *process, struct ring_writer *writer,
                              const struct record *record)
{
    struct ring_file *file = __atomic_load_n(&process->file, __ATOMIC_ACQUIRE);
    struct ring_total *row;

    if (!file) {
        atomic_fetch_add(&process->uncounted, 1);
        return;
    }
    row = row_of(process, file, writer, record);
    count(row ? row : row_at(file, 0), record, !row);
}
