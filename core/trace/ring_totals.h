/* SPDX-License-Identifier: MIT
 *
 * The totals of a ring file: what each socket and caller has received, whatever the rings have
 * overwritten since.
 *
 * A thread counts by plain additions in rows of its own, which it finds by a hash. A row is never
 * given back: a socket that is closed keeps its sums.
 */
#ifndef WSRX_TRACE_RING_TOTALS_H
#define WSRX_TRACE_RING_TOTALS_H

#include "base/compiler.h"
#include "trace/ring.h"

/* Where the header's pieces lie, and how much of it a new file has ready: all of the modules, and
 * the first rows. */
enum {
    RING_MODULES_AT = RING_HEADER_SIZE,
    RING_TOTALS_AT = 16384,
    RING_TOTALS_END = RING_TOTALS_AT + RING_TOTALS * (int)sizeof(struct ring_total),
    RING_READY_FIRST = RING_TOTALS_AT + 4096,
};

/* For the maker of the file, before others see it. */
void ring_totals_start(struct ring_process *process, struct ring_file *file);

/* Makes some rows ready, for a sandbox that is about to come. */
void ring_totals_prepare_sandbox(struct ring_process *process);

/* A row for the record's socket and caller: a new one, or the one for all others. */
SLOW_PATH void ring_totals_count_slowly(struct ring_process *process, struct ring_writer *writer,
                                        const struct record *record);

/* Addresses differ in their lower bits, and cookies count up. */
static inline unsigned ring_totals_hash(const struct record *record)
{
    uint64_t key = record->cookie * 8 + record->caller + (uint64_t)record->call;

    return (unsigned)key % RING_WRITER_ROWS;
}

static inline bool ring_totals_is_row(const struct ring_total *row, const struct record *record)
{
    return ((row->cookie ^ record->cookie) | (row->caller ^ record->caller) |
            (row->call ^ (uint32_t)record->call)) == 0;
}

/* A message that fitted has no other flag than that its part is the last, and the first. */
static inline void ring_totals_count(struct ring_process *process, struct ring_writer *writer,
                                     const struct record *record)
{
    struct ring_total *row = writer->row[ring_totals_hash(record)];

    if (!LIKELY(row && ring_totals_is_row(row, record) &&
                ((record->flags ^ RECORD_LAST) | record->offset) == 0)) {
        ring_totals_count_slowly(process, writer, record);
        return;
    }
    row->fitted++;
    row->bytes += record->given;
    if (!LIKELY(record->room >= row->least_room))
        row->least_room = record->room;
    if (!LIKELY(record->room <= row->most_room))
        row->most_room = record->room;
    if (!LIKELY(record->length <= row->longest))
        row->longest = record->length;
}

#endif
