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

/* Whose sums they are: a socket and a caller. */
struct whose {
    struct reader_file *file;
    uint32_t pid;
    uint64_t cookie, caller;
    enum record_call call;
    int fd;
    const struct sockaddr *local;
    socklen_t local_length;
};

static struct summary_socket *socket_of(struct summary *summary, const struct whose *whose)
{
    struct summary_socket key = {.pid = whose->pid,
                                 .cookie = whose->cookie,
                                 .fd = whose->fd,
                                 .least_room = UINT64_MAX,
                                 .short_room = UINT64_MAX};
    struct summary_socket *found;
    bool new;

    found = entry(&summary->socket_tree, &key, sizeof key, by_socket, &new);
    if (new) {
        snprintf(found->program, sizeof found->program, "%.63s",
                 reader_program(whose->file, whose->pid));
        summary->socket = grow(summary->socket, summary->sockets, sizeof found);
        summary->socket[summary->sockets++] = found;
    }
    if (!found->address[0])
        record_address(whose->local, whose->local_length, found->address);
    found->calls |= 1u << (whose->call % CALLS_BITS);
    return found;
}

static struct summary_caller *caller_of(struct summary *summary, const struct whose *whose)
{
    struct summary_caller key = {
        .pid = whose->pid, .address = whose->caller, .call = whose->call, .least_room = UINT64_MAX};
    const struct record_module *module;
    struct summary_caller *found;
    bool new;

    found = entry(&summary->caller_tree, &key, sizeof key, by_caller, &new);
    if (new) {
        snprintf(found->program, sizeof found->program, "%.63s",
                 reader_program(whose->file, whose->pid));
        module = reader_module(whose->file, whose->pid, whose->caller);
        if (module)
            found->module = *module;
        summary->caller = grow(summary->caller, summary->callers, sizeof found);
        summary->caller[summary->callers++] = found;
    }
    return found;
}

static void add(struct sums *sums, const struct record *record)
{
    if (record_is_receive(record))
        sums->receives++;
    sums->errors += record->error != 0;
    if (!record_has_part(record))
        return;
    sums->messages += (record->flags & RECORD_LAST) && record_is_receive(record);
    sums->partial += (record->flags & RECORD_PARTIAL) != 0;
    sums->bytes += record->given;
    sums->saved += record_saved(record);
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
    if (!record_has_part(record))
        return;
    summary->time[at / summary->width].bytes += record->given;
    summary->time[at / summary->width].saved += record_saved(record);
    summary->time[at / summary->width].lost += record->lost;
}

static int worst_first(const struct sums *one, const struct sums *other)
{
    if (one->lost != other->lost)
        return one->lost > other->lost ? -1 : 1;
    if (one->dropped != other->dropped)
        return one->dropped > other->dropped ? -1 : 1;
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

/* --- records ----------------------------------------------------------------------------- */

static void widen(uint64_t *least_room, uint32_t *longest, uint64_t room, uint32_t length)
{
    if (room < *least_room)
        *least_room = room;
    if (length > *longest)
        *longest = length;
}

/* `sums`: whether it counts, or the file's totals do. */
static void take(struct summary *summary, struct reader_file *file, const struct record *record,
                 bool sums)
{
    const struct whose whose = {file,         record->pid, record->cookie, record->caller,
                                record->call, record->fd,  record->local,  record->local_length};
    struct summary_socket *socket = socket_of(summary, &whose);
    struct summary_caller *caller = sums ? caller_of(summary, &whose) : NULL;
    bool part = record_has_part(record) && record_is_receive(record);

    add_time(summary, record);
    if (part && (record->lost > 0 || (record->flags & RECORD_PARTIAL)) &&
        record->room < socket->short_room)
        socket->short_room = record->room;
    if (part && (record->flags & RECORD_LAST)) {
        uint64_t *fate = record->lost > 0     ? socket->cut
                         : record->offset > 0 ? socket->parts
                                              : socket->fits;

        fate[bin_of(record->length)]++;
    }
    if (!sums)
        return;
    if (record->lost > 0)
        socket->losing |= 1u << (record->call % CALLS_BITS);
    add(&summary->total, record);
    add(&socket->sums, record);
    add(&caller->sums, record);
    if (record->dropped > socket->sums.dropped)
        socket->sums.dropped = record->dropped;
    if (!part)
        return;
    widen(&socket->least_room, &socket->longest, record->room, record->length);
    widen(&caller->least_room, &caller->longest, record->room, record->length);
    if (record->room > socket->most_room)
        socket->most_room = record->room;
}

/* --- totals ------------------------------------------------------------------------------ */

static void add_total(struct sums *sums, const struct ring_total *total)
{
    sums->receives += total->receives + total->fitted;
    sums->messages += total->messages + total->fitted;
    sums->errors += total->errors;
    sums->partial += total->partial;
    sums->bytes += total->bytes;
    sums->saved += total->saved;
    sums->lost += total->lost;
    sums->lost_messages += total->lost_messages;
}

static void take_total(struct summary *summary, struct reader_file *file,
                       const struct ring_total *total)
{
    const struct whose whose = {file,
                                file->pid,
                                total->cookie,
                                total->caller,
                                (enum record_call)total->call,
                                total->fd,
                                (const struct sockaddr *)total->local,
                                total->local_length};
    struct summary_socket *socket = socket_of(summary, &whose);
    struct summary_caller *caller;

    if (total->lost > 0)
        socket->losing |= 1u << (total->call % CALLS_BITS);
    add_total(&summary->total, total);
    add_total(&socket->sums, total);
    if (total->dropped > socket->sums.dropped)
        socket->sums.dropped = total->dropped;
    widen(&socket->least_room, &socket->longest, total->least_room, total->longest);
    if (total->most_room > socket->most_room)
        socket->most_room = total->most_room;
    /* The records that told of it may be gone. */
    if (total->lost + total->saved > 0 && total->least_room < total->longest &&
        total->least_room < socket->short_room)
        socket->short_room = total->least_room;
    if (total->receives + total->fitted + total->lost == 0)
        return; /* what the kernel dropped has no caller */
    caller = caller_of(summary, &whose);
    add_total(&caller->sums, total);
    widen(&caller->least_room, &caller->longest, total->least_room, total->longest);
}

static void take_totals(struct summary *summary, struct reader_file *file)
{
    struct ring_total total;

    for (size_t i = 0; reader_total(file, i, &total); i++)
        if (total.used && (total.receives + total.fitted + total.lost + total.dropped) > 0)
            take_total(summary, file, &total);
}

/* --- the end ----------------------------------------------------------------------------- */

static int by_cookie(const void *one, const void *other)
{
    const struct summary_socket *a = *(struct summary_socket *const *)one;
    const struct summary_socket *b = *(struct summary_socket *const *)other;

    if (a->cookie != b->cookie)
        return a->cookie < b->cookie ? -1 : 1;
    return a->sums.dropped > b->sums.dropped ? -1 : a->sums.dropped < b->sums.dropped;
}

/* A socket of several processes is dropped for once. */
static void add_dropped(struct summary *summary)
{
    summary->total.dropped = 0;
    qsort(summary->socket, summary->sockets, sizeof *summary->socket, by_cookie);
    for (size_t i = 0; i < summary->sockets; i++)
        if (i == 0 || summary->socket[i]->cookie != summary->socket[i - 1]->cookie)
            summary->total.dropped += summary->socket[i]->sums.dropped;
}

static void finish(struct summary *summary, struct reader *reader, bool totals)
{
    for (size_t i = 0; i < reader_files(reader); i++) {
        struct reader_file *file = (struct reader_file *)reader_file(reader, i);
        bool gone = file->overwritten + file->dropped > 0;

        if (totals)
            take_totals(summary, file);
        summary->sampled = summary->sampled || gone;
        summary->at_least = summary->at_least || (totals ? reader_is_partial(file) : gone);
    }
    for (size_t i = 0; i < summary->sockets; i++)
        if (!summary->socket[i]->address[0])
            strcpy(summary->socket[i]->address, RECORD_NO_NAME);
    /* Without a record there is nothing to sort, not even an array. */
    if (summary->sockets > 0) {
        add_dropped(summary);
        qsort(summary->socket, summary->sockets, sizeof *summary->socket, worst_socket);
    }
    if (summary->callers > 0)
        qsort(summary->caller, summary->callers, sizeof *summary->caller, worst_caller);
}

struct summary *summary_new(void)
{
    return need(calloc(1, sizeof(struct summary)));
}

void summary_add(struct summary *summary, const struct reader_file *file,
                 const struct record *record)
{
    take(summary, (struct reader_file *)file, record, true);
}

void summary_finish(struct summary *summary, struct reader *reader)
{
    finish(summary, reader, false);
}

struct summary *summary_of_totals(struct reader *reader)
{
    struct summary *summary = summary_new();

    finish(summary, reader, true);
    return summary;
}

struct summary *summary_of(struct reader *reader)
{
    struct summary *summary = summary_new();
    bool totals = !reader_is_filtered(reader); /* which know of no filter */
    const struct reader_file *file;
    struct record record;

    while (reader_next(reader, &record, &file))
        take(summary, (struct reader_file *)file, &record, !(totals && file->totals));
    finish(summary, reader, totals);
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
