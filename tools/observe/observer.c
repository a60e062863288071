/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/observer.h"

#include "observe/kernel_object.h"
#include "util/memory.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cookie_bpf.h>
#include <errno.h>
#include <observe_bpf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    const char *end; /* its program; or NULL */
    struct {
        enum { AWAY, ATTACHED, LEAVING } state;
        bool stays;
        uint64_t asked; /* OBSERVE_NO_RECEIVER, as it was then: */
        time_t at;
    } ending;
    struct ring_buffer *events;
    struct kernel_object cookies;
    enum { UNTRIED, LOADED, REFUSED } cookies_are;
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

/* --- the end of a receive ---------------------------------------------------------------- */

enum { QUIET = 10 }; /* seconds */

/* Whether the programs may leave something for it. */
static void use_end(struct observer *observer, unsigned yes)
{
    unsigned zero = 0;

    bpf_map_update_elem(kernel_object_map(&observer->kernel, ".data.ends"), &zero, &yes, BPF_ANY);
}

/* If it cannot be attached, all goes on as before it. */
static void attach_end(struct observer *observer)
{
    if (observer->ending.state == AWAY &&
        kernel_object_attach(&observer->kernel, observer->end) < 0) {
        observer->end = NULL;
        return;
    }
    observer->ending.state = ATTACHED;
    use_end(observer, 1);
}

/* In two steps, so that receives between the copy and their end come to it. */
static void leave_end(struct observer *observer)
{
    if (observer->ending.state == ATTACHED) {
        use_end(observer, 0);
        observer->ending.state = LEAVING;
    } else if (observer->ending.state == LEAVING) {
        kernel_object_detach(&observer->kernel);
        observer->ending.state = AWAY;
    }
}

/* It is there while messages of AF_UNIX are cut by receives that only it can tell of, since it costs
 * each receive something. */
static void mind_end(struct observer *observer)
{
    uint64_t asked;
    struct timespec now;

    if (!observer->end || observer->ending.stays)
        return;
    asked = count_of(observer, OBSERVE_NO_RECEIVER);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (asked != observer->ending.asked) {
        observer->ending.asked = asked;
        observer->ending.at = now.tv_sec;
        attach_end(observer);
    } else if (now.tv_sec - observer->ending.at > QUIET) {
        leave_end(observer);
    }
}

/* --- cookies ----------------------------------------------------------------------------- */

static const char find_cookie[] = "find_cookie";

static bool load_cookies(struct observer *observer)
{
    static const char *const none[] = {NULL};
    const struct kernel_source source = {
        .bytes = cookie_bpf, .size = sizeof cookie_bpf, .cgroup = -1};

    if (observer->cookies_are == UNTRIED)
        observer->cookies_are =
            kernel_object_start(&observer->cookies, &source, none, find_cookie) < 0 ? REFUSED
                                                                                    : LOADED;
    return observer->cookies_are == LOADED;
}

uint64_t observer_cookie(struct observer *observer, uint32_t pid, int fd)
{
    struct observe_cookie cookie = {.fd = fd};
    unsigned zero = 0;
    int map;

    if (fd < 0 || !load_cookies(observer))
        return 0;
    map = kernel_object_map(&observer->cookies, ".data.asked");
    if (bpf_map_update_elem(map, &zero, &cookie, BPF_ANY) < 0 ||
        kernel_object_iterate(&observer->cookies, find_cookie, pid) < 0 ||
        bpf_map_lookup_elem(map, &zero, &cookie) < 0)
        return 0;
    return cookie.cookie;
}

/* --- start and end ----------------------------------------------------------------------- */

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
        if (observer->end && config->all) { /* what fits ends there as well */
            observer->ending.stays = true;
            attach_end(observer);
        }
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
    kernel_object_end(&observer->cookies);
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
    mind_end(observer);
}

void observer_sums(struct observer *observer,
                   void take(const struct observe_key *key, const struct observe_sums *row,
                             void *context),
                   void *context)
{
    int map = kernel_object_map(&observer->kernel, "sums");
    struct observe_key key, *last = NULL;
    struct observe_sums row;

    mind_end(observer);
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
