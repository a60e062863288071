/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/summary.h"

#include "util/memory.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int by_socket(const void *one, const void *other)
{
    const struct summary_socket *a = one, *b = other;

    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static int by_caller(const void *one, const void *other)
{
    const struct summary_caller *a = one, *b = other;

    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->call < b->call ? -1 : a->call > b->call;
}

static void *grow(void *list, size_t count, size_t size)
{
    /* Where count is a power of two the list is full. */
    if (count & (count - 1))
        return list;
    return need(realloc(list, (count ? 2 * count : 1) * size));
}

/* The entry like `key`, or a new copy of it. */
static void *entry(void **tree, const void *key, size_t size,
                   int (*compare)(const void *, const void *), bool *ret_new)
{
    void **node = tfind(key, tree, compare), *made;

    *ret_new = !node;
    if (node)
        return *node;
    made = need(malloc(size));
    need(tsearch(memcpy(made, key, size), tree, compare));
    return made;
}

static struct summary_socket *socket_of(struct summary *summary, const struct record *record,
                                        const struct reader_file *file)
{
    struct summary_socket key = {
        .pid = record->pid, .cookie = record->cookie, .fd = record->fd, .least_room = UINT64_MAX};
    struct summary_socket *found;
    bool new;

    found = entry(&summary->socket_tree, &key, sizeof key, by_socket, &new);
    if (new) {
        snprintf(found->program, sizeof found->program, "%.63s", file->program);
        summary->socket = grow(summary->socket, summary->sockets, sizeof found);
        summary->socket[summary->sockets++] = found;
    }
    if (!found->address[0])
        record_address(record->local, record->local_length, found->address);
    return found;
}

static struct summary_caller *caller_of(struct summary *summary, const struct record *record,
                                        const struct reader_file *file)
{
    struct summary_caller key = {.pid = record->pid,
                                 .address = record->caller,
                                 .call = record->call,
                                 .least_room = UINT64_MAX};
    struct summary_caller *found;
    bool new;

    found = entry(&summary->caller_tree, &key, sizeof key, by_caller, &new);
    if (new) {
        snprintf(found->program, sizeof found->program, "%.63s", file->program);
        summary->caller = grow(summary->caller, summary->callers, sizeof found);
        summary->caller[summary->callers++] = found;
    }
    return found;
}

static bool has_part(const struct record *record)
{
    return (record->flags & (RECORD_PARTIAL | RECORD_LAST)) && !(record->flags & RECORD_PEEK);
}

static uint64_t saved_by(const struct record *record)
{
    return record->offset > 0 && record_is_receive(record) ? record->given : 0;
}

static void add(struct sums *sums, const struct record *record)
{
    if (record_is_receive(record))
        sums->receives++;
    sums->errors += record->error != 0;
    if (!has_part(record))
        return;
    sums->messages += (record->flags & RECORD_LAST) && record_is_receive(record);
    sums->partial += (record->flags & RECORD_PARTIAL) != 0;
    sums->bytes += record->given;
    sums->saved += saved_by(record);
    sums->lost += record->lost;
    sums->lost_messages += record->lost > 0;
}

static unsigned bin_of(uint32_t size)
{
    unsigned bin = size ? 32 - (unsigned)__builtin_clz(size) : 0;

    return bin < SIZE_BINS ? bin : SIZE_BINS - 1;
}

static void add_time(struct summary *summary, const struct record *record)
{
    uint64_t at;

    if (summary->width == 0) {
        summary->first = record->time;
        summary->width = 1000;
    }
    if (record->time > summary->last)
        summary->last = record->time;
    at = record->time > summary->first ? record->time - summary->first : 0;
    /* The range doubles as often as it must: two bins become one. */
    while (at / summary->width >= TIME_BINS) {
        for (size_t i = 0; i < TIME_BINS; i++) {
            struct summary_time *half = summary->time + i / 2, one = summary->time[i];

            if (i % 2 == 0) {
                *half = one;
            } else {
                half->bytes += one.bytes;
                half->saved += one.saved;
                half->lost += one.lost;
            }
            if (i >= TIME_BINS / 2)
                summary->time[i] = (struct summary_time){0};
        }
        summary->width *= 2;
    }
    if (!has_part(record))
        return;
    summary->time[at / summary->width].bytes += record->given;
    summary->time[at / summary->width].saved += saved_by(record);
    summary->time[at / summary->width].lost += record->lost;
}

static int worst_first(const struct sums *one, const struct sums *other)
{
    if (one->lost != other->lost)
        return one->lost > other->lost ? -1 : 1;
    if (one->saved != other->saved)
        return one->saved > other->saved ? -1 : 1;
    return one->receives > other->receives ? -1 : one->receives < other->receives;
}

static int worst_socket(const void *one, const void *other)
{
    return worst_first(&(*(struct summary_socket *const *)one)->sums,
                       &(*(struct summary_socket *const *)other)->sums);
}

static int worst_caller(const void *one, const void *other)
{
    return worst_first(&(*(struct summary_caller *const *)one)->sums,
                       &(*(struct summary_caller *const *)other)->sums);
}

struct summary *summary_of(struct reader *reader)
{
    struct summary *summary = need(calloc(1, sizeof *summary));
    const struct reader_file *file;
    struct record record;

    while (reader_next(reader, &record, &file)) {
        struct summary_socket *socket = socket_of(summary, &record, file);
        struct summary_caller *caller = caller_of(summary, &record, file);

        add(&summary->total, &record);
        add(&socket->sums, &record);
        add(&caller->sums, &record);
        add_time(summary, &record);
        socket->calls |= 1u << (record.call % CALLS_BITS);
        if (!has_part(&record) || !record_is_receive(&record))
            continue;
        if (record.room < socket->least_room)
            socket->least_room = record.room;
        if (record.room > socket->most_room)
            socket->most_room = record.room;
        if (record.room < caller->least_room)
            caller->least_room = record.room;
        if (record.length > socket->longest)
            socket->longest = record.length;
        if (record.length > caller->longest)
            caller->longest = record.length;
        if (record.flags & RECORD_LAST) {
            uint64_t *fate = record.lost > 0     ? socket->cut
                             : record.offset > 0 ? socket->parts
                                                 : socket->fits;

            fate[bin_of(record.length)]++;
        }
    }
    /* Without a record there is nothing to sort, not even an array. */
    if (summary->sockets > 0) {
        qsort(summary->socket, summary->sockets, sizeof *summary->socket, worst_socket);
        qsort(summary->caller, summary->callers, sizeof *summary->caller, worst_caller);
    }
    return summary;
}

void summary_free(struct summary *summary)
{
    tdestroy(summary->socket_tree, free);
    tdestroy(summary->caller_tree, free);
    free(summary->socket);
    free(summary->caller);
    free(summary);
}
