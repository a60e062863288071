/* SPDX-License-Identifier: MIT
 *
 * The public C interface, over the core. It sets the program's errno.
 */
#define _GNU_SOURCE
#include "wsrx.h"

#include "lifecycle.h"
#include "receive/fast_path.h"
#include "table/held.h"

#include <errno.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

/* A receive that the core leaves alone: on a stream, or with a buffer that fits every message. */
static ssize_t receive_directly(int fd, void *buf, size_t len, int flags, struct wsrx_part *part,
                                struct receive_report *report)
{
    bool peek = report->ours && (flags & MSG_PEEK);
    ssize_t result;

    part->peer_length = sizeof part->peer;
    result = next_calls.recvfrom(fd, buf, len, peek ? flags | MSG_TRUNC : flags,
                                 (struct sockaddr *)&part->peer, &part->peer_length);
    if (result < 0)
        return -errno;
    report->length = (size_t)result;
    if (peek && report->length > len) {
        report->left = report->length - len;
        if (!(flags & MSG_TRUNC))
            result = (ssize_t)len;
    }
    return result;
}

PUBLIC ssize_t wsrx_receive(int fd, void *buf, size_t len, int flags, struct wsrx_part *part)
{
    struct receive_report report = {.ours = false};
    struct wsrx_part unasked;
    int saved = errno;
    struct receive_result made;
    ssize_t result;

    if (!part)
        part = &unasked;
    part->peer_length = sizeof part->peer;
    lifecycle_cooperate();
    made = receive_part(fd, buf, len, flags, &part->peer, &part->peer_length, &report,
                        RECEIVE_SITE(RECORD_WSRX_RECEIVE));
    result = made.value;
    if (made.outcome == RECEIVE_PASS)
        result = receive_directly(fd, buf, len, flags, part, &report);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    errno = saved;
    part->flags = !report.ours ? 0 : report.left > 0 ? WSRX_PARTIAL : WSRX_LAST;
    part->message_length = report.length;
    part->offset = report.offset;
    part->left = report.left;
    return result;
}

PUBLIC int wsrx_hold(int fd, size_t *left)
{
    int saved = errno;
    size_t remains = 0;
    bool stream;
    uint64_t cookie;
    enum held_kind kind = HELD_NOT;
    int error = fd_identify(fd, &cookie, &stream);

    if (error) {
        errno = -error;
        return -1;
    }
    errno = saved;
    if (!table_nothing_held())
        kind = table_look(state.table, cookie, &remains);
    if (left)
        *left = remains;
    switch (kind) {
    case HELD_HERE:
    case HELD_STREAM:
        return WSRX_HOLD_PROCESS;
    case HELD_KERNEL:
        return WSRX_HOLD_KERNEL;
    default:
        return WSRX_HOLD_NONE;
    }
}

PUBLIC void wsrx_counters(struct wsrx_counters *counters, size_t size)
{
    struct wsrx_counters all = {0};

    if (atomic_load_explicit(&state.active, memory_order_acquire)) {
        struct table_counters *from = &state.table->counters;

        all = (struct wsrx_counters){
            .messages_held = atomic_load(&from->held),
            .parts = atomic_load(&from->parts),
            .bytes_saved = atomic_load(&from->bytes_saved),
            .messages_lost = atomic_load(&from->messages_lost),
            .bytes_lost = atomic_load(&from->bytes_lost),
            .held_now = atomic_load(&state.table->used),
        };
    }
    memset(counters, 0, size);
    memcpy(counters, &all, size < sizeof all ? size : sizeof all);
}

PUBLIC const char *wsrx_version(void)
{
    return WSRX_VERSION;
}
