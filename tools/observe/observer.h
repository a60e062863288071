/* SPDX-License-Identifier: MIT
 *
 * The observer: programs in the kernel that see each message that a receive has cut, of all
 * processes.
 */
#ifndef WSRX_OBSERVE_OBSERVER_H
#define WSRX_OBSERVE_OBSERVER_H

#include "observe/event.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct observer;

/* What of a kernel it can see. */
enum observer_unix {
    OBSERVER_NO_UNIX,
    OBSERVER_UNIX_BY_EXIT,        /* fexit, by a trampoline */
    OBSERVER_UNIX_BY_TRACEPOINTS, /* from kernel 6.3 */
    OBSERVER_UNIX_BY_COPY,        /* neither: what ends a receive is not seen */
};

struct observer_view {
    bool udp;
    enum observer_unix local;
    bool vsock;
};

/* Whether this command was built with it. */
bool observer_is_built(void);

/* Starts with what this kernel allows. NULL: nothing, and why. */
struct observer *observer_start(const struct observe_config *config, char *ret_why, size_t size);
void observer_end(struct observer *observer);

struct observer_view observer_view(const struct observer *observer);

/* Gives each event to `take`; waits for `milliseconds` if there is none. */
void observer_poll(struct observer *observer, int milliseconds,
                   void take(const struct observe_event *event, void *context), void *context);

/* Gives each row of the sums to `take`. */
void observer_sums(struct observer *observer,
                   void take(const struct observe_key *key, const struct observe_sums *row,
                             void *context),
                   void *context);

/* SO_COOKIE of a socket of AF_UNIX by its descriptor, which has one from now on. 0: it is gone, or this
 * kernel cannot tell (before 6.1). */
uint64_t observer_cookie(struct observer *observer, uint32_t pid, int fd);

/* Events that had no room. */
uint64_t observer_lost(const struct observer *observer);

/* Words for a call. */
const char *observe_call_name(enum observe_call call);

#endif
