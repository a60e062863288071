/* SPDX-License-Identifier: MIT
 *
 * Events of the kernel as records of the library, and the processes that they are about.
 */
#ifndef WSRX_OBSERVE_OBSERVED_H
#define WSRX_OBSERVE_OBSERVED_H

#include "observe/event.h"
#include "observe/observed_modules.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

/* A process that has lost something. */
struct observed {
    uint32_t pid, parent;
    uint64_t start;     /* when it was started, in ticks since boot; 0: it was gone already */
    uint64_t sequence;  /* of its last record */
    uint64_t looked_at; /* CLOCK_MONOTONIC */
    struct trace_program about;
    struct observed_modules modules;
    size_t modules_told; /* those that have a line of JSON */
    char comm[OBSERVE_COMM];
    struct ring_output *ring; /* that of ring_output.h, or NULL */
    bool told;                /* its first line of JSON is written */
    struct observed *next;
};

/* All of them; all zero at first. */
struct observed_table {
    struct observed *bucket[1024];
    unsigned count;
    void (*forget)(struct observed *process); /* called before one is freed; may be NULL */
};

/* That of an event. Its pid may have been that of another one, and it may have become another
 * program: then it is a new one. */
struct observed *observed_find(struct observed_table *table, const struct observe_event *event);

void observed_free(struct observed_table *table);

/* What the receive of an event did, as the library would tell it. It points into the event, and at the
 * process as its modules. */
void observed_record(struct observed *process, const struct observe_event *event,
                     struct record *ret_record);

/* The module of its caller, for struct format_cache. */
const struct record_module *observed_module_of(const struct record *record);

/* To be added to an event's time, for nanoseconds since 1970. */
uint64_t observed_epoch(void);

enum record_call observed_call(uint32_t call);

#endif
