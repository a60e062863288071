/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/observer.h"

#include "observe/kernel_object.h"
#include "util/memory.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <observe_bpf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* What is tried, the best first; `end` is for the end of a receive over AF_UNIX. */
static const struct attempt {
    struct observer_view view;
    const char *programs[KERNEL_PROGRAMS];
    const char *end;
} attempts[] = {
    {{true, OBSERVER_UNIX_BY_EXIT, true},
     {"observe_udp", "observe_copy", "observe_record", "observe_vsock", NULL},
     "observe_unix"},
    {{true, OBSERVER_UNIX_BY_EXIT, false}, {"observe_udp", "observe_copy", NULL}, "observe_unix"},
    {{true, OBSERVER_UNIX_BY_TRACEPOINTS, false},
     {"observe_udp", "observe_copy", NULL},
     "observe_length"},
    {{false, OBSERVER_UNIX_BY_TRACEPOINTS, false}, {"observe_copy", NULL}, "observe_length"},
    {{true, OBSERVER_UNIX_BY_COPY, false}, {"observe_udp", "observe_copy", NULL}, NULL},
    {{false, OBSERVER_UNIX_BY_COPY, false}, {"observe_copy", NULL}, NULL},
    {{true, OBSERVER_NO_UNIX, false}, {"observe_udp", NULL}, NULL},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

struct observer {
    struct kernel_object kernel;
    struct observer_view view;
    const char *end; /* not attached yet; or NULL */
    struct ring_buffer *events;
    void (*take)(const struct observe_event *event, void *context);
    void *context;
};

bool observer_is_built(void)
{
    return true;
}

static int take_event(void *context, void *data, size_t size)
{
    struct observer *observer = context;

    if (size >= sizeof(struct observe_event))
        observer->take(data, observer->context);
    return 0;
}

static int open_events(struct observer *observer)
{
    observer->events = ring_buffer__new(kernel_object_map(&observer->kernel, "events"), take_event,
                                        observer, NULL);
    return observer->events ? 0 : -errno;
}

/* The number of a count. */
static uint64_t count_of(const struct observer *observer, unsigned number)
{
    uint64_t value = 0;

    bpf_map_lookup_elem(kernel_object_map(&observer->kernel, "counts"), &number, &value);
    return value;
}

/* If it cannot be attached, all goes on as before it. */
static void attach_end(struct observer *observer)
{
    int error = kernel_object_attach(&observer->kernel, observer->end);
    unsigned zero = 0, yes = 1;

    observer->end = NULL;
    if (!error)
        bpf_map_update_elem(kernel_object_map(&observer->kernel, ".data.ends"), &zero, &yes,
                            BPF_ANY);
}

/* Once a message of AF_UNIX was cut. */
static void attach_if_cut(struct observer *observer)
{
    if (observer->end && count_of(observer, OBSERVE_UNENDED) > 0)
        attach_end(observer);
}

struct observer *observer_start(const struct observe_config *config, char *ret_why, size_t size)
{
    const struct kernel_source source = {observe_bpf, sizeof observe_bpf, *config, -1};
    struct observer *observer = need(calloc(1, sizeof *observer));
    char why[KERNEL_WHY];
    int error = 0, first = 0;

    for (int i = 0; i < ATTEMPTS; i++) {
        error =
            kernel_object_start(&observer->kernel, &source, attempts[i].programs, attempts[i].end);
        if (!error) {
            observer->view = attempts[i].view;
            observer->end = attempts[i].end;
            error = open_events(observer);
            break;
        }
        first = first ? first : error;
    }
    if (!error) {
        if (observer->end && config->all) /* what fits ends there as well */
            attach_end(observer);
        return observer;
    }
    snprintf(ret_why, size, "%s", kernel_why(first ? first : error, why));
    observer_end(observer);
    return NULL;
}

void observer_end(struct observer *observer)
{
    ring_buffer__free(observer->events);
    kernel_object_end(&observer->kernel);
    free(observer);
}

struct observer_view observer_view(const struct observer *observer)
{
    return observer->view;
}

void observer_poll(struct observer *observer, int milliseconds,
                   void take(const struct observe_event *event, void *context), void *context)
{
    observer->take = take;
    observer->context = context;
    ring_buffer__poll(observer->events, milliseconds);
    attach_if_cut(observer);
}

void observer_sums(struct observer *observer,
                   void take(const struct observe_key *key, const struct observe_sums *row,
                             void *context),
                   void *context)
{
    int map = kernel_object_map(&observer->kernel, "sums");
    struct observe_key key, *last = NULL;
    struct observe_sums row;

    attach_if_cut(observer);
    while (bpf_map_get_next_key(map, last, &key) == 0) {
        if (bpf_map_lookup_elem(map, &key, &row) == 0)
            take(&key, &row, context);
        last = &key;
    }
}

uint64_t observer_lost(const struct observer *observer)
{
    return count_of(observer, OBSERVE_EVENTS_LOST);
}
