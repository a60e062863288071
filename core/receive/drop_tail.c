/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/drop_tail.h"

#include "base/critical_section.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "receive/context.h"
#include "receive/copy_out.h"
#include "receive/hold_peek.h"
#include "trace/session.h"
#include "wait/epoll_ctl.h"

/* 1: dropped; 0: it is no tail; or a negative errno. */
static int drop_here(struct receive *receive, struct table_found *found)
{
    struct critical_section section;
    struct held held;
    struct part part;
    int taken;

    critical_section_enter(&section);
    taken = table_take_found(state.table, found, 0, PART_TRUNC | PART_TAIL, copy_out_bytes, receive,
                             &held, &part);
    if (taken == 1)
        epoll_ctl_tail_changed(found->cookie);
    critical_section_leave(&section);
    if (taken == 1)
        copy_out_part(receive, &part, held.length - held.offset, &held);
    return taken;
}

/* True: look again. */
static bool drop_peeked(struct receive *receive, uint64_t cookie)
{
    receive->bounce = bounce_acquire(fd_class_longest(fd_class_cached(receive->fd)), BOUNCE_CALL);
    if (!receive->bounce)
        return false;
    if (hold_peek.receive(receive, cookie, false).outcome == RECEIVE_AGAIN) {
        bounce_release(receive->bounce, receive->touched);
        return true;
    }
    bounce_release(receive->bounce, receive->touched);
    return false;
}

static void drop(struct receive *receive, uint64_t cookie)
{
    struct table_found found;

    for (;;) {
        switch (table_find(state.table, cookie, &found)) {
        case HELD_HERE:
            if (drop_here(receive, &found) == -EREMOTE)
                continue;
            return;
        case HELD_KERNEL:
            if (sys_is_sandboxed() || state.under_wine || !drop_peeked(receive, cookie))
                return;
            continue;
        default:
            return;
        }
    }
}

void receive_drop_tail(int fd, const void *caller)
{
    struct iovec none = {NULL, 0};
    struct receive receive = {.fd = fd,
                              .flags = MSG_DONTWAIT | MSG_TRUNC,
                              .kind = CALL_PLAIN,
                              .iov = &none,
                              .iovlen = 1,
                              .sure = true,
                              .tail_only = true};
    uint64_t cookie;
    int saved = errno;

    if (!state_is_own_as_seen())
        return;
    /* Another process may have received the first part, and this one nothing yet. */
    cookie = sys_is_sandboxed() ? fd_class_cookie(fd_class_cached(fd)) : fd_cookie(fd);
    if (cookie == 0 || !table_may_hold(state.table, cookie) ||
        (!sys_is_sandboxed() && !fd_has_cookie(fd, cookie)))
        return;
    drop(&receive, cookie);
    if (receive.report.lost > 0 && trace_on()) {
        struct record record = {.cookie = cookie,
                                .caller = (uintptr_t)caller,
                                .length = (uint32_t)receive.report.length,
                                .offset = (uint32_t)receive.report.offset,
                                .lost = (uint32_t)receive.report.lost,
                                .fd = fd,
                                .call = RECORD_SEND,
                                .flags = RECORD_LAST | RECORD_LOST};

        trace_add(&record);
    }
    errno = saved;
}
