/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive.h"

#include "interest.h"
#include "queued.h"
#include "tell.h"

#include <errno.h>
#include <string.h>

/* UIO_FASTIOV: as many buffers need no spill area to list them. */
enum { FEW = 8 };

/* One receive, from the face's call to its result. The iovec array and the msghdr are our copies;
 * what they point to is the caller's. */
struct receive {
    int fd;
    int flags;
    enum call_kind kind;
    const struct iovec *iov;
    size_t iovlen;
    size_t room; /* bytes in all of iov */

    /* Where the peer's address goes: by recvfrom's pair, or by the msghdr. */
    struct sockaddr *name;
    socklen_t *namelen;
    struct msghdr *msg;

    struct spill *spill; /* acquired, or NULL */
    size_t touched;      /* bytes of it */
    bool held_before;    /* this part was the next one of a held message */
    struct receive_report report;
    struct receive_site site;
    socklen_t name_room; /* for the peer's address; set where a record is wanted */
};

/* A message in our hands: taken from the kernel, nothing of it reported yet. */
struct taken {
    size_t length;
    const struct iovec *iov; /* its bytes */
    size_t iovlen;
    bool delivered; /* the kernel has put the first part in place, with the address */
    int msg_flags;
    socklen_t peer_length;
    const struct sockaddr *peer; /* NULL: not asked for */
    socklen_t name_room;         /* of the caller's, before the kernel or we wrote to its length */
};

enum { NOTHING_HELD = INT_MIN + 1 };

static unsigned how_of(const struct receive *receive)
{
    return (receive->flags & MSG_PEEK ? MESSAGE_PEEK : 0u) |
           (receive->flags & MSG_TRUNC ? MESSAGE_TRUNC : 0u);
}

/* --- what the caller gets ---------------------------------------------------------------- */

/* As the kernel's move_addr_to_user(): the part of the address that fits, and its full length. */
static int deliver_name(const struct receive *receive, const struct sockaddr *peer,
                        socklen_t length)
{
    socklen_t room;
    int error;

    if (receive->msg) {
        if (receive->msg->msg_name) {
            room = receive->msg->msg_namelen;
            receive->msg->msg_namelen = length;
            return user_memory_write(receive->msg->msg_name, peer, room < length ? room : length);
        }
        return 0;
    }
    if (!receive->name)
        return 0;
    error = user_memory_read(&room, receive->namelen, sizeof room);
    if (!error && (int)room < 0)
        error = -EINVAL;
    if (!error)
        error = user_memory_write(receive->name, peer, room < length ? room : length);
    if (!error)
        error = user_memory_write(receive->namelen, &length, sizeof length);
    return error;
}

static int copy_out(void *context, const void *from, size_t size)
{
    const struct receive *receive = context;

    return user_memory_scatter(receive->iov, receive->iovlen, from, size);
}

/* The result of a receive that got `part` of `remaining` bytes, by kind and mode. */
static ssize_t result_of(struct receive *receive, const struct part *part, size_t remaining,
                         const struct held *held)
{
    struct policy policy =
        message_policy(engine.settings.mode, receive->kind, engine.settings.calls_all);
    bool cut = part->given < remaining && held->kind != HELD_STREAM;

    receive->report = (struct receive_report){
        .ours = held->kind != HELD_STREAM,
        .length = held->length,
        .offset = held->offset,
        .given = part->given,
        .left = receive->flags & MSG_PEEK ? remaining - part->given : part->left,
    };
    if (!(receive->flags & MSG_PEEK))
        receive->report.lost = remaining - part->given - part->left;
    PROBE_PART(receive->fd, held->length, receive->room, part->given, receive->report.left);
    if (receive->msg) {
        int kept = (cut ? 0 : MSG_EOR) | (held->offset == 0 ? MSG_CTRUNC : 0);

        receive->msg->msg_flags = (receive->flags & MSG_CMSG_CLOEXEC) | (held->msg_flags & kept) |
                                  (cut ? MSG_TRUNC : 0);
    }
    if (cut && policy.emsgsize && !(receive->flags & (MSG_PEEK | MSG_TRUNC)) && receive->room > 0)
        return -EMSGSIZE;
    return (ssize_t)part->result;
}

/* --- held in the process ----------------------------------------------------------------- */

static ssize_t receive_by_kernel(struct receive *receive, uint64_t cookie);

/* The next part of what is held, if anything is. */
static ssize_t serve(struct receive *receive, uint64_t cookie)
{
    struct held held;
    struct part part;
    int taken = table_take(engine.table, cookie, receive->room, how_of(receive), copy_out, receive,
                           &held, &part);
    ssize_t result;

    if (taken == 0)
        return NOTHING_HELD;
    if (taken == -EREMOTE)
        return receive_by_kernel(receive, cookie);
    if (taken < 0)
        return taken;

    receive->held_before = true;
    if (part.left == 0 && !(receive->flags & MSG_PEEK))
        interest_update(cookie);
    result = result_of(receive, &part, held.length - held.offset, &held);
    if (receive->msg)
        receive->msg->msg_controllen = 0;
    if (receive->name || (receive->msg && receive->msg->msg_name)) {
        int error;

        /* A first part taken by a call that did not ask: the connected peer's, or none. */
        if (!held.peer_known) {
            socklen_t length = sizeof held.peer;

            /* Of an AF_UNIX peer without a name a receive says nothing, getpeername() the family. */
            if (getpeername(receive->fd, (struct sockaddr *)&held.peer, &length) == 0 &&
                length > sizeof held.peer.ss_family)
                held.peer_length = length;
        }
        error = deliver_name(receive, (struct sockaddr *)&held.peer, held.peer_length);
        if (error)
            return error;
    }
    return result;
}

/* The belief may be stale, so the cookie is asked for again before a byte is handed out. */
static ssize_t serve_if_held(struct receive *receive, socket_belief *belief)
{
    for (int tries = 0; tries < 2; tries++) {
        uint64_t cookie = socket_cookie(*belief);

        if (cookie == 0 || table_look(engine.table, cookie, NULL) == HELD_NOT)
            return NOTHING_HELD;
        if (socket_ask_cookie(receive->fd) == cookie)
            return serve(receive, cookie);
        *belief = socket_ask(receive->fd);
    }
    return NOTHING_HELD;
}

/* The whole message into the caller's buffers and the spill area behind them. */
static ssize_t take_vectored(struct receive *receive, struct taken *taken,
                             struct sockaddr_storage *peer)
{
    struct spill *spill = receive->spill;
    struct msghdr msg = {.msg_iov = spill->iov, .msg_iovlen = receive->iovlen + 1};
    ssize_t result;

    if (receive->iov != spill->iov)
        memcpy(spill->iov, receive->iov, receive->iovlen * sizeof *spill->iov);
    spill->iov[receive->iovlen] = (struct iovec){spill->data, spill->size};
    if (receive->name || receive->msg) {
        msg.msg_name = peer;
        msg.msg_namelen = sizeof *peer;
    }
    if (receive->msg) {
        msg.msg_control = receive->msg->msg_control;
        msg.msg_controllen = receive->msg->msg_controllen;
    }
    result = engine.system.recvmsg(receive->fd, &msg, receive->flags);
    if (result < 0)
        return -errno;

    if (receive->msg)
        receive->msg->msg_controllen = msg.msg_controllen;
    if (receive->iovlen > 0)
        user_memory_learn(receive->iov[0].iov_base, (size_t)result < receive->iov[0].iov_len
                                                        ? (size_t)result
                                                        : receive->iov[0].iov_len);
    taken->name_room = 0;
    if (receive->msg)
        taken->name_room = receive->msg->msg_namelen;
    else if (receive->name && user_memory_read(&taken->name_room, receive->namelen,
                                               sizeof taken->name_room) != 0)
        taken->name_room = 0;
    taken->iov = spill->iov;
    taken->iovlen = msg.msg_iovlen;
    taken->delivered = true;
    taken->msg_flags = msg.msg_flags;
    taken->peer = msg.msg_name;
    taken->peer_length = msg.msg_namelen;
    return result;
}

/* What the system's recvfrom() has put there. `room`: what *namelen was before. */
static struct taken taken_bounced(const struct receive *receive, struct iovec *whole, size_t length,
                                  socklen_t room)
{
    struct taken taken = {.length = length, .iov = whole, .iovlen = 1, .peer = receive->name,
                          .name_room = room};

    *whole = (struct iovec){receive->spill->data, length};
    if (receive->name)
        taken.peer_length = *receive->namelen < room ? *receive->namelen : room;
    return taken;
}

/* Puts the first part in place, where the kernel has not done so. */
static int deliver(struct receive *receive, const struct taken *taken)
{
    if (taken->delivered)
        return deliver_name(receive, taken->peer, taken->peer_length);
    return copy_out(receive, taken->iov[0].iov_base,
                    taken->length < receive->room ? taken->length : receive->room);
}

static ssize_t lose(struct receive *receive, const struct taken *taken, const char *why)
{
    static atomic_int told;

    tell_once(told, "%s; %zu bytes of a message are lost", why, taken->length - receive->room);
    table_count_lost(engine.table, taken->length - receive->room);
    receive->report = (struct receive_report){.ours = true,
                                              .length = taken->length,
                                              .given = receive->room,
                                              .lost = taken->length - receive->room};
    return (ssize_t)receive->room;
}

/* A message that does not fit, or one that comes while an earlier one is held. */
static ssize_t settle(struct receive *receive, const struct taken *taken)
{
    struct policy policy =
        message_policy(engine.settings.mode, receive->kind, engine.settings.calls_all);
    struct held held = {.length = taken->length, .msg_flags = taken->msg_flags};
    bool fits = taken->length <= receive->room;
    struct part part = message_part(taken->length, receive->room, 0);
    uint64_t cookie = socket_cookie(socket_believe(receive->fd));
    bool stream = false;
    int error = 0;

    if (!fits || table_look(engine.table, cookie, NULL) != HELD_NOT)
        error = socket_identify(receive->fd, &cookie, &stream);
    held.kind = stream ? HELD_STREAM : HELD_HERE;
    if (fits && (error || table_look(engine.table, cookie, NULL) == HELD_NOT)) {
        error = deliver(receive, taken);
        return error ? error : result_of(receive, &part, taken->length, &held);
    }
    if (!fits) {
        int fault = deliver(receive, taken);

        if (fault || (!stream && !policy.hold)) {
            table_count_lost(engine.table, taken->length - (fault ? 0 : part.given));
            part.left = 0;
            return fault ? fault : result_of(receive, &part, taken->length, &held);
        }
        if (error)
            return lose(receive, taken, "the socket cannot be identified");
        held.offset = part.given;
    }

    if (taken->peer) {
        held.peer_known = true;
        held.peer_length = taken->peer_length < sizeof held.peer ? taken->peer_length
                                                                 : (socklen_t)sizeof held.peer;
        memcpy(&held.peer, taken->peer, held.peer_length);
    }
    error = table_hold(engine.table, cookie, &held, taken->iov, taken->iovlen);
    if (error < 0 && fits) {
        error = deliver(receive, taken);
        return error ? error : (ssize_t)taken->length;
    }
    if (error < 0)
        return lose(receive, taken, "the fragment table is full");
    if (stream)
        socket_set_stream(receive->fd, cookie);
    else if (cookie != socket_cookie(socket_believe(receive->fd)))
        socket_ask(receive->fd);
    interest_update(cookie);

    if (error == 0 && !fits) {
        held.offset = 0;
        return result_of(receive, &part, taken->length, &held);
    }
    /* It is behind another one, whose next part is due now. Where other threads have taken all of
     * both meanwhile (NOTHING_HELD), the receive begins anew. */
    if (receive->msg)
        receive->msg->msg_namelen = taken->name_room;
    else if (receive->name)
        user_memory_write(receive->namelen, &taken->name_room, sizeof taken->name_room);
    return serve(receive, cookie);
}

/* The message that a receive took, or its error. */
static ssize_t finish(struct receive *receive, ssize_t result, struct taken *taken)
{
    if (result == -ENOTSOCK) {
        /* The belief was stale, and this call is not the program's own. */
        socket_ask(receive->fd);
        return RECEIVE_PASS;
    }
    if (result < 0)
        return result;
    taken->length = (size_t)result;
    if (receive->touched < taken->length)
        receive->touched = taken->length;
    if (taken->length > receive->room ||
        table_may_hold(engine.table, socket_cookie(socket_believe(receive->fd))))
        return settle(receive, taken);

    receive->report =
        (struct receive_report){.ours = true, .length = taken->length, .given = taken->length};
    PROBE_PART(receive->fd, taken->length, receive->room, taken->length, 0);
    if (receive->msg)
        receive->msg->msg_flags = taken->msg_flags;
    result = deliver(receive, taken);
    return result < 0 ? result : (ssize_t)taken->length;
}

static ssize_t finish_bounced(struct receive *receive, ssize_t result, socklen_t room)
{
    struct taken taken;
    struct iovec whole;

    if (result >= 0)
        taken = taken_bounced(receive, &whole, (size_t)result, room);
    return finish(receive, result, &taken);
}

static ssize_t receive_whole(struct receive *receive)
{
    struct sockaddr_storage peer;
    struct taken taken;

    if (receive->kind == CALL_PLAIN && receive->iovlen == 1 &&
        receive_may_bounce(receive->iov->iov_base, receive->name, receive->namelen)) {
        socklen_t room = receive->name ? *receive->namelen : 0;
        ssize_t result =
            engine.system.recvfrom(receive->fd, receive->spill->data, receive->spill->size,
                                   receive->flags, receive->name, receive->namelen);

        return finish_bounced(receive, result < 0 ? -errno : result, room);
    }
    return finish(receive, take_vectored(receive, &taken, &peer), &taken);
}

/* --- held in the kernel ------------------------------------------------------------------ */

/* Peeks or takes the message at the head of the queue into the spill area; does not block. */
static ssize_t head_of_queue(struct receive *receive, int flags, bool control,
                             struct taken *taken, struct iovec *whole,
                             struct sockaddr_storage *peer)
{
    struct msghdr msg = {.msg_name = peer, .msg_namelen = sizeof *peer, .msg_iov = whole,
                         .msg_iovlen = 1};
    ssize_t result;

    *whole = (struct iovec){receive->spill->data, receive->spill->size};
    if (control && receive->msg) {
        msg.msg_control = receive->msg->msg_control;
        msg.msg_controllen = receive->msg->msg_controllen;
        flags |= receive->flags & MSG_CMSG_CLOEXEC;
    }
    result = engine.system.recvmsg(receive->fd, &msg, flags | MSG_DONTWAIT);
    if (result < 0)
        return -errno;
    if (receive->msg && control)
        receive->msg->msg_controllen = msg.msg_controllen;
    receive->touched = (size_t)result;
    *taken = (struct taken){(size_t)result, whole, 1, false, msg.msg_flags, msg.msg_namelen,
                            (struct sockaddr *)peer, 0};
    return result;
}

/* The same where we are in the midst of a message: a pending error comes once, is no news of this
 * message, and is due after it. */
static ssize_t head_again(struct receive *receive, int flags, struct taken *taken,
                          struct iovec *whole, struct sockaddr_storage *peer, int *error)
{
    for (;;) {
        ssize_t result = head_of_queue(receive, flags, false, taken, whole, peer);

        if (result >= 0 || result == -EAGAIN || result == -EBADF || result == -ENOTSOCK)
            return result;
        *error = (int)-result;
    }
}

/* Ends the message at the head of the table; an error that waited for that waits on alone. */
static void finish_kernel_locked(uint64_t cookie, int error)
{
    struct held due = {.kind = HELD_KERNEL, .error = error};

    table_finish_locked(engine.table, cookie);
    if (error)
        table_hold_locked(engine.table, cookie, &due, NULL, 0);
}

/* One try under the table's mutex. -EAGAIN: the queue is empty. */
static ssize_t kernel_part_locked(struct receive *receive, uint64_t cookie)
{
    struct table *table = engine.table;
    struct held held = {.kind = HELD_NOT};
    bool known = table_get_locked(table, cookie, &held);
    unsigned how = how_of(receive);
    struct taken taken = {.length = 0};
    struct sockaddr_storage peer;
    struct iovec whole;
    struct part part;
    ssize_t result;
    int error;

    if (known && held.kind != HELD_KERNEL)
        return -EREMOTE;
    if (known && held.length == 0) {
        table_finish_locked(table, cookie);
        return -held.error;
    }
    result = known ? head_again(receive, MSG_PEEK, &taken, &whole, &peer, &held.error)
                   : head_of_queue(receive, MSG_PEEK, false, &taken, &whole, &peer);
    if (known && (result < 0 || taken.length != held.length)) {
        /* Taken behind our back, by a process that does not share the table. */
        table_count_lost(table, held.length - held.offset);
        finish_kernel_locked(cookie, held.error);
        return -ERESTART;
    }
    if (result < 0)
        return result;

    if (!known)
        held = (struct held){.kind = HELD_KERNEL, .length = taken.length};
    part = message_part(taken.length - held.offset, receive->room, how);

    if (part.left == 0 && !(how & MESSAGE_PEEK)) {
        result = known ? head_again(receive, 0, &taken, &whole, &peer, &held.error)
                       : head_of_queue(receive, 0, true, &taken, &whole, &peer);
        if (known)
            finish_kernel_locked(cookie, held.error);
        if (result < 0)
            return result;
        if (taken.length != held.length) {
            /* Another one, between peek and take: it is whole in our hands. */
            held = (struct held){.kind = HELD_HERE, .length = taken.length};
            part = message_part(taken.length, receive->room, how);
            known = false;
        }
    } else if (!known && receive->msg) {
        head_of_queue(receive, MSG_PEEK, true, &taken, &whole, &peer);
    }

    error = copy_out(receive, receive->spill->data + held.offset, part.given);
    if (error)
        return error;
    receive->held_before = known;
    if (known) {
        table_count_part(table, &part, taken.length - held.offset);
        if (receive->msg)
            receive->msg->msg_controllen = 0;
    } else {
        held.msg_flags = taken.msg_flags;
    }
    result = result_of(receive, &part, taken.length - held.offset, &held);

    if (part.left > 0 && !(how & MESSAGE_PEEK)) {
        held.offset += part.given;
        if (known)
            table_advance_locked(table, cookie, held.offset, held.error);
        else if (table_hold_locked(table, cookie, &held, &whole, 1) < 0)
            return lose(receive, &taken, "the fragment table is full");
    }
    error = deliver_name(receive, (struct sockaddr *)&peer, taken.peer_length);
    return error ? error : result;
}

/* Peek, hand out, and take with the last part. */
static ssize_t receive_by_kernel(struct receive *receive, uint64_t cookie)
{
    if (!receive->spill)
        receive->spill = spill_acquire(socket_longest(socket_believe(receive->fd)));
    if (!receive->spill)
        return RECEIVE_PASS;
    if (user_memory_impossible(receive->iov, receive->iovlen))
        return -EFAULT;

    for (;;) {
        struct msghdr wait = {.msg_iov = (struct iovec *)(uintptr_t)receive->iov,
                              .msg_iovlen = receive->iovlen};
        struct table_guard guard;
        ssize_t result;

        table_enter(engine.table, &guard);
        result = kernel_part_locked(receive, cookie);
        table_leave(engine.table, &guard);
        if (result == -EREMOTE) {
            result = serve(receive, cookie);
            if (result != NOTHING_HELD)
                return result;
            continue;
        }
        if (result == -ERESTART)
            continue;
        if (result != -EAGAIN)
            return result;
        /* Wait as the program's own call would: blocking, timeout, signals, errors, and bad
         * buffers, which the kernel refuses before it waits. */
        if (engine.system.recvmsg(receive->fd, &wait,
                                  (receive->flags & MSG_DONTWAIT) | MSG_PEEK) < 0)
            return -errno;
    }
}

/* --- the way of a receive ---------------------------------------------------------------- */

/* Whether a call of this kind can be ours at all, by the settings and what is held. */
static bool may_concern(enum call_kind kind)
{
    if (!atomic_load_explicit(&engine.active, memory_order_acquire))
        return false;
    if (!table_idle(engine.table) || kind == CALL_COOPERATING)
        return true;
    return engine.settings.mode != MODE_OFF &&
           (kind == CALL_PLAIN || engine.settings.calls_all || trace_on());
}

/* The same before the caller's lists of buffers are read. */
static bool may_concern_fd(enum call_kind kind, int fd)
{
    return may_concern(kind) && socket_kind(socket_know(fd)) >= SOCKET_DATAGRAM;
}

static ssize_t run_once(struct receive *receive)
{
    const struct settings *settings = &engine.settings;
    socket_belief belief;
    ssize_t result;

    if (!may_concern(receive->kind) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)))
        return RECEIVE_PASS;
    /* A stale belief must not turn MSG_WAITALL, which a stream may mean, into a wait for more. */
    if ((receive->flags & MSG_WAITALL) && socket_is_stream(receive->fd))
        socket_forget(receive->fd);
    belief = socket_know(receive->fd);
    if (socket_kind(belief) < SOCKET_DATAGRAM)
        return RECEIVE_PASS;

    if (table_may_hold(engine.table, socket_cookie(belief))) {
        result = serve_if_held(receive, &belief);
        if (result != NOTHING_HELD)
            return result;
    }
    if (socket_kind(belief) == SOCKET_STREAM)
        socket_set_stream(receive->fd, 0);
    receive->report.ours = socket_is_message(belief);
    if (!socket_is_message(belief) || receive->room == 0 ||
        receive->room >= socket_longest(belief) || (receive->flags & (MSG_PEEK | MSG_TRUNC)))
        return RECEIVE_PASS;
    /* For a record a reporting call's message is taken whole too: that is how its length is known. */
    if (receive->kind != CALL_COOPERATING &&
        (settings->mode == MODE_OFF ||
         (receive->kind == CALL_REPORTING && !settings->calls_all && !trace_on())))
        return RECEIVE_PASS;

    if (!receive->spill)
        receive->spill = spill_acquire(socket_longest(belief));
    if (!receive->spill) {
        static atomic_int told;

        tell_once(told, "no memory for a spill area; receives are as without the library");
        return RECEIVE_PASS;
    }
    if (message_policy(settings->mode, receive->kind, settings->calls_all).hold &&
        (atomic_load_explicit(&engine.hold, memory_order_relaxed) == HOLD_KERNEL ||
         receive->iovlen == SPILL_IOVECS ||
         atomic_load_explicit(&engine.table->full, memory_order_relaxed))) {
        /* No peek into what may be something else by now. */
        if (socket_ask_cookie(receive->fd) != socket_cookie(belief))
            belief = socket_ask(receive->fd);
        return socket_is_message(belief) ? receive_by_kernel(receive, socket_cookie(belief))
                                         : RECEIVE_PASS;
    }
    return receive_whole(receive);
}

static ssize_t run(struct receive *receive)
{
    ssize_t result;

    do
        result = run_once(receive);
    while (result == NOTHING_HELD);
    return result;
}

/* --- records ----------------------------------------------------------------------------- */

/* The program's own call, in which the kernel tells how long the message is. */
static ssize_t pass(struct receive *receive)
{
    socket_belief belief = socket_know(receive->fd);
    struct msghdr own = {.msg_name = receive->name, .msg_iov = (struct iovec *)receive->iov,
                         .msg_iovlen = receive->iovlen};
    int flags = receive->flags;
    ssize_t result;
    size_t length;

    if (!socket_is_message(belief) || (flags & (MSG_OOB | MSG_ERRQUEUE)) || !may_concern(receive->kind))
        return RECEIVE_PASS;
    if (receive->room < socket_longest(belief)) {
        /* What is cut off of a stream by MSG_TRUNC is gone (tcp(7)); so be sure that it is none. */
        if (socket_ask_cookie(receive->fd) != socket_cookie(belief)) {
            socket_ask(receive->fd);
            return RECEIVE_PASS;
        }
        flags |= MSG_TRUNC;
    }
    if (receive->msg) {
        result = engine.system.recvmsg(receive->fd, receive->msg, flags);
    } else if (receive->iovlen == 1) {
        result = engine.system.recvfrom(receive->fd, receive->iov->iov_base, receive->iov->iov_len,
                                        flags, receive->name, receive->namelen);
    } else {
        result = engine.system.recvmsg(receive->fd, &own, flags);
    }
    if (result < 0)
        return errno == ENOTSOCK ? RECEIVE_PASS : -errno;

    length = (size_t)result;
    receive->report = (struct receive_report){
        .ours = true,
        .length = length,
        .given = length < receive->room ? length : receive->room,
    };
    if (flags & MSG_PEEK)
        receive->report.left = length - receive->report.given;
    else
        receive->report.lost = length - receive->report.given;
    return receive->flags & MSG_TRUNC ? result : (ssize_t)receive->report.given;
}

/* Where the peer's address goes, and how much of it can be there. */
static void look_for_name(struct receive *receive)
{
    if (receive->msg)
        receive->name_room = receive->msg->msg_name ? receive->msg->msg_namelen : 0;
    else if (!receive->name || user_memory_read(&receive->name_room, receive->namelen,
                                                sizeof receive->name_room) != 0)
        receive->name_room = 0;
}

static void note(const struct receive *receive, ssize_t result)
{
    const struct receive_report *report = &receive->report;
    struct record record = {
        .cookie = socket_cookie(socket_believe(receive->fd)),
        .caller = (uintptr_t)receive->site.caller,
        .room = receive->room,
        .fd = receive->fd,
        .call = receive->site.call,
        .error = result < 0 ? (int)-result : 0,
    };

    if (receive->flags & MSG_PEEK)
        record.flags |= RECORD_PEEK;
    /* With EMSGSIZE by the mode a part has been given; with the kernel's own, none. */
    if (result >= 0 || (result == -EMSGSIZE && report->given > 0)) {
        record.length = (uint32_t)report->length;
        record.given = (uint32_t)report->given;
        record.offset = (uint32_t)report->offset;
        record.left = (uint32_t)report->left;
        record.lost = (uint32_t)report->lost;
        record.flags |= report->left > 0 ? RECORD_PARTIAL : RECORD_LAST;
        if (report->lost > 0)
            record.flags |= RECORD_LOST;
        if (receive->name_room > 0) {
            record.peer = receive->msg ? receive->msg->msg_name : receive->name;
            record.peer_length = receive->msg ? receive->msg->msg_namelen : *receive->namelen;
            if (record.peer_length > receive->name_room)
                record.peer_length = receive->name_room;
        }
        for (size_t i = 0; i < receive->iovlen && record.data_length == 0; i++) {
            record.data = receive->iov[i].iov_base;
            record.data_length = receive->iov[i].iov_len < report->given ? receive->iov[i].iov_len
                                                                         : report->given;
        }
    }
    trace_add(&record);
}

static ssize_t run_for_record(struct receive *receive)
{
    ssize_t result;

    look_for_name(receive);
    result = run(receive);
    if (result == RECEIVE_PASS)
        result = pass(receive);
    if (result != RECEIVE_PASS && (receive->report.ours || result < 0) &&
        socket_is_message(socket_believe(receive->fd)))
        note(receive, result);
    return result;
}

static ssize_t run_traced(struct receive *receive)
{
    return trace_on() ? run_for_record(receive) : run(receive);
}

static ssize_t run_and_release(struct receive *receive)
{
    ssize_t result = run_traced(receive);

    if (receive->spill)
        spill_release(receive->spill, receive->touched);
    return result;
}

/* Takes over the caller's iovec array. False: the kernel shall say what is wrong with it. */
static bool copy_iov(struct receive *receive, const struct iovec *iov, size_t iovlen,
                     struct iovec *few)
{
    struct iovec *copy = few;

    if (iovlen > SPILL_IOVECS)
        return false;
    if (iovlen > FEW) {
        receive->spill = spill_acquire(socket_longest(socket_know(receive->fd)));
        if (!receive->spill)
            return false;
        copy = receive->spill->iov;
    }
    if (iovlen > 0 && user_memory_read(copy, iov, iovlen * sizeof *iov) != 0)
        return false;
    for (size_t i = 0; i < iovlen; i++) {
        if (copy[i].iov_len > (size_t)SSIZE_MAX - receive->room)
            return false;
        receive->room += copy[i].iov_len;
    }
    receive->iov = copy;
    receive->iovlen = iovlen;
    return true;
}

ssize_t receive_slowly(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                       socklen_t *namelen, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_PLAIN, .iov = &one,
                              .iovlen = 1, .room = len, .name = name, .namelen = namelen,
                              .site = site};

    return run_and_release(&receive);
}

void receive_note(int fd, const void *buf, size_t len, const struct sockaddr *name,
                  const socklen_t *namelen, ssize_t result, socklen_t room,
                  struct receive_site site)
{
    uint64_t cookie = socket_cookie(socket_believe(fd));
    struct record record;

    if (trace_counts_only && trace_count(cookie, fd, site.call, len, (uint32_t)result))
        return;
    record.cookie = cookie;
    record.caller = (uintptr_t)site.caller;
    record.room = len;
    record.length = record.given = (uint32_t)result;
    record.offset = record.left = record.lost = 0;
    record.fd = fd;
    record.call = site.call;
    record.flags = RECORD_LAST;
    record.error = 0;
    record.peer = name;
    record.peer_length = name ? (*namelen < room ? *namelen : room) : 0;
    record.data = buf;
    record.data_length = (size_t)result;
    trace_add(&record);
}

ssize_t receive_bounced(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                        socklen_t *namelen, struct spill *spill, ssize_t result, socklen_t room,
                        struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_PLAIN, .iov = &one,
                              .iovlen = 1, .room = len, .name = name, .namelen = namelen,
                              .spill = spill, .site = site, .name_room = room};

    result = finish_bounced(&receive, result, room);
    if (result == NOTHING_HELD)
        result = run(&receive);
    if (trace_on() && result != RECEIVE_PASS && (receive.report.ours || result < 0))
        note(&receive, result);
    spill_release(spill, receive.touched);
    return result;
}

ssize_t receive_part(int fd, void *buf, size_t len, int flags, struct sockaddr_storage *name,
                     socklen_t *namelen, struct receive_report *report, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_COOPERATING, .iov = &one,
                              .iovlen = 1, .room = len, .name = (struct sockaddr *)name,
                              .namelen = namelen, .site = site};
    ssize_t result = run_and_release(&receive);

    *report = receive.report;
    return result;
}

ssize_t receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                       struct receive_site site)
{
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_PLAIN, .site = site};
    struct iovec few[FEW];
    ssize_t result = RECEIVE_PASS;

    if (iovcnt <= 0 || !may_concern_fd(CALL_PLAIN, fd))
        return RECEIVE_PASS;
    /* readv(2) with no room consumes nothing, as read(2). */
    if (copy_iov(&receive, iov, (size_t)iovcnt, few) && receive.room > 0)
        result = run_traced(&receive);
    if (receive.spill)
        spill_release(receive.spill, receive.touched);
    return result;
}

/* recvmsg(2) on what may concern us, and whether it took from a tail or left one. */
static ssize_t receive_message_noting(int fd, struct msghdr *msg, int flags,
                                      struct receive_site site, bool *ret_tail)
{
    struct msghdr copy;
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_REPORTING, .msg = &copy,
                              .site = site};
    struct iovec few[FEW];
    ssize_t result = RECEIVE_PASS;

    *ret_tail = false;
    if (user_memory_read(&copy, msg, sizeof copy) != 0)
        return RECEIVE_PASS;
    if (copy_iov(&receive, copy.msg_iov, copy.msg_iovlen, few))
        result = run_traced(&receive);
    if (receive.spill)
        spill_release(receive.spill, receive.touched);
    if (result >= 0) {
        int error = user_memory_write(&msg->msg_namelen, &copy.msg_namelen, sizeof copy.msg_namelen);

        if (!error)
            error = user_memory_write(&msg->msg_controllen, &copy.msg_controllen,
                                      sizeof copy.msg_controllen);
        if (!error)
            error = user_memory_write(&msg->msg_flags, &copy.msg_flags, sizeof copy.msg_flags);
        if (error)
            return error;
    }
    *ret_tail = receive.held_before || receive.report.left > 0;
    return result;
}

ssize_t receive_message(int fd, struct msghdr *msg, int flags, struct receive_site site)
{
    bool tail;

    if (atomic_load_explicit(&engine.active, memory_order_acquire) && engine.under_wine &&
        socket_kind(socket_know(fd)) == SOCKET_DATAGRAM)
        return queued_message(fd, msg, flags);
    if (!may_concern_fd(CALL_REPORTING, fd))
        return RECEIVE_PASS;
    return receive_message_noting(fd, msg, flags, site, &tail);
}

/* --- recvmmsg ---------------------------------------------------------------------------- */

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return nanoseconds(&time);
}

ssize_t receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                         struct timespec *timeout, struct receive_site site)
{
    unsigned count = 0;
    struct timespec limit;
    int64_t deadline = 0;

    if (!may_concern_fd(CALL_REPORTING, fd) || vlen == 0)
        return RECEIVE_PASS;
    if (!engine.settings.calls_all && !trace_on() &&
        table_look(engine.table, socket_cookie(socket_know(fd)), NULL) == HELD_NOT)
        return RECEIVE_PASS;
    if (vlen > SPILL_IOVECS) /* recvmmsg(2): at most UIO_MAXIOV */
        vlen = SPILL_IOVECS;
    if (timeout) {
        if (user_memory_read(&limit, timeout, sizeof limit) != 0 || limit.tv_sec < 0 ||
            limit.tv_nsec < 0 || limit.tv_nsec > 999999999)
            return RECEIVE_PASS;
        deadline = now() + nanoseconds(&limit);
    }

    while (count < vlen) {
        struct msghdr *msg = &vec[count].msg_hdr;
        unsigned length;
        bool tail;
        ssize_t result = receive_message_noting(fd, msg, flags & ~MSG_WAITFORONE, site, &tail);

        if (result == RECEIVE_PASS) {
            result = engine.system.recvmsg(fd, msg, flags & ~MSG_WAITFORONE);
            result = result < 0 ? -errno : result;
        }
        length = (unsigned)result;
        if (result >= 0 && user_memory_write(&vec[count].msg_len, &length, sizeof length) != 0)
            result = -EFAULT;
        if (result < 0) {
            if (count == 0)
                return result;
            break;
        }
        count++;
        /* recvmmsg(2): the timeout is looked at after each message. */
        if (timeout && now() >= deadline)
            break;
        /* A tail never waits, and whoever else takes the rest of it must not make us wait. */
        if (tail || (flags & MSG_WAITFORONE))
            flags |= MSG_DONTWAIT;
    }
    if (timeout) {
        int64_t rest = deadline - now();

        rest = rest > 0 ? rest : 0;
        limit = (struct timespec){rest / 1000000000, rest % 1000000000};
        if (user_memory_write(timeout, &limit, sizeof limit) != 0)
            return -EFAULT;
    }
    return count;
}
