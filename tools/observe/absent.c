/* SPDX-License-Identifier: MIT
 *
 * The observer in a command that was built without libbpf or without a compiler for BPF.
 */
#define _GNU_SOURCE
#include "observe/kernel_object.h"
#include "observe/observer.h"
#include "observe/refuser.h"

#include <stdio.h>

static const char why[] = "this wsrx was built without libbpf, or without clang";

bool observer_is_built(void)
{
    return false;
}

struct observer *observer_start(const struct observe_config *config, char *ret_why, size_t size)
{
    (void)config;
    snprintf(ret_why, size, "%s", why);
    return NULL;
}

/* The rest is not called: there is no observer. */
void observer_end(struct observer *observer)
{
    (void)observer;
}

struct observer_view observer_view(const struct observer *observer)
{
    (void)observer;
    return (struct observer_view){false, OBSERVER_NO_UNIX, false};
}

void observer_poll(struct observer *observer, int milliseconds,
                   void take(const struct observe_event *event, void *context), void *context)
{
    (void)observer, (void)milliseconds, (void)take, (void)context;
}

void observer_sums(struct observer *observer,
                   void take(const struct observe_key *key, const struct observe_sums *row,
                             void *context),
                   void *context)
{
    (void)observer, (void)take, (void)context;
}

uint64_t observer_cookie(struct observer *observer, uint32_t pid, int fd)
{
    (void)observer, (void)pid, (void)fd;
    return 0;
}

uint64_t observer_lost(const struct observer *observer)
{
    (void)observer;
    return 0;
}

struct refuser *refuser_start(const struct observe_config *config, int cgroup, char *ret_why,
                              size_t size)
{
    (void)config, (void)cgroup;
    snprintf(ret_why, size, "%s", why);
    return NULL;
}

void refuser_end(struct refuser *refuser)
{
    (void)refuser;
}

bool refuser_add(struct refuser *refuser, pid_t pid)
{
    (void)refuser, (void)pid;
    return false;
}

uint64_t refuser_count(const struct refuser *refuser)
{
    (void)refuser;
    return 0;
}

const char *refuser_way(char *ret_why, size_t size)
{
    snprintf(ret_why, size, "%s", why);
    return NULL;
}

bool kernel_has_btf(void)
{
    return false;
}

bool kernel_has_capability(int number)
{
    (void)number;
    return false;
}

const char *kernel_no_trampolines(void)
{
    return NULL;
}
