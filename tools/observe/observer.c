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

/* What is tried, the best first. */
static const struct attempt {
    struct observer_view view;
    const char *programs[KERNEL_PROGRAMS];
} attempts[] = {
    {{true, OBSERVER_UNIX_BY_EXIT}, {"observe_udp", "observe_copy", "observe_unix", NULL}},
    {{true, OBSERVER_UNIX_BY_TRACEPOINTS}, {"observe_udp", "observe_copy", "observe_length", NULL}},
    {{false, OBSERVER_UNIX_BY_TRACEPOINTS}, {"observe_copy", "observe_length", NULL}},
    {{true, OBSERVER_NO_UNIX}, {"observe_udp", NULL}},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

struct observer {
    struct kernel_object kernel;
    struct observer_view view;
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

struct observer *observer_start(const struct observe_config *config, char *ret_why, size_t size)
{
    const struct kernel_source source = {observe_bpf, sizeof observe_bpf, *config, -1};
    struct observer *observer = need(calloc(1, sizeof *observer));
    char why[KERNEL_WHY];
    int error = 0, first = 0;

    for (int i = 0; i < ATTEMPTS; i++) {
        error = kernel_object_start(&observer->kernel, &source, attempts[i].programs);
        if (!error) {
            observer->view = attempts[i].view;
            error = open_events(observer);
            break;
        }
        first = first ? first : error;
    }
    if (!error)
        return observer;
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
}

void observer_sums(struct observer *observer,
                   void take(const struct observe_key *key, const struct observe_sums *row,
                             void *context),
                   void *context)
{
    int map = kernel_object_map(&observer->kernel, "sums");
    struct observe_key key, *last = NULL;
    struct observe_sums row;

    while (bpf_map_get_next_key(map, last, &key) == 0) {
        if (bpf_map_lookup_elem(map, &key, &row) == 0)
            take(&key, &row, context);
        last = &key;
    }
}

uint64_t observer_lost(const struct observer *observer)
{
    unsigned number = OBSERVE_EVENTS_LOST;
    uint64_t value = 0;

    bpf_map_lookup_elem(kernel_object_map(&observer->kernel, "counts"), &number, &value);
    return value;
}
