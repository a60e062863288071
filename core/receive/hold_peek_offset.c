/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/hold_peek_offset.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/user_memory.h"
#include "receive/context.h"
#include "receive/traced.h"
#include "table/current.h"
#include "table/held.h"
#include "trace/session.h"
#include "wine_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { NOT_HELD = -1 };

/* A receive under way. */
struct attempt {
    struct receive *receive;      /* its msghdr and buffers are the caller's own */
    struct wine_request *request; /* NULL: the caller does not want parts */
};

/* Somebody in this process has wanted parts. From then on every receive keeps out of the way of a
 * peek and its take; before that there is none to keep out of. */
static atomic_bool parts_wanted;

static int get_offset(int fd)
{
    int offset = NOT_HELD;
    socklen_t length = sizeof offset;

    if (sys_getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &length) != 0)
        return NOT_HELD;
    return offset;
}

static int set_offset(int fd, int offset)
{
    return sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset);
}

/* Between processes: a record lock belongs to the process, and ends with it. It is never waited for
 * under the table's mutex, for whoever has it may have been stopped. False: another process has it.
 * Where the kernel has none for sockets two processes that receive parts at the same moment may get
 * the same one. */
static bool lock_socket(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return sys_fcntl_lock(fd, F_SETLK, &lock) != -EAGAIN;
}

static void unlock_socket(int fd)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    sys_fcntl_lock(fd, F_SETLK, &lock);
}

/* A wait for the record lock, with nothing held and signals as the program has them. */
struct lock_wait {
    int64_t end; /* CLOCK_MONOTONIC, or 0 before the first nap */
    unsigned tries;
};

/* False: it has been long enough. Whoever has the lock needs it for some microseconds, unless it
 * has been stopped or finds no processor. */
static bool wait_for_lock(struct lock_wait *wait)
{
    enum { LONGEST = 100000000, NAP = 200000, YIELDS = 16 }; /* nanoseconds */
    int64_t now = clock_read(CLOCK_MONOTONIC);

    if (wait->end == 0)
        wait->end = now + LONGEST;
    if (now >= wait->end)
        return false;
    if (wait->tries++ < YIELDS)
        sys_yield();
    else
        sys_sleep(NAP);
    return true;
}

static struct wine_request *request_of(const struct msghdr *msg)
{
    struct wine_request request;
    const struct iovec *last;

    if (msg->msg_iovlen < 2)
        return NULL;
    last = &msg->msg_iov[msg->msg_iovlen - 1];
    if (last->iov_len != 0 || !last->iov_base ||
        user_memory_read(&request, last->iov_base, sizeof request) != 0 ||
        memcmp(request.magic, WINE_REQUEST_MAGIC, sizeof request.magic) != 0)
        return NULL;
    return last->iov_base;
}

static void answer(struct wine_request *request, enum wine_answer with, size_t left)
{
    enum { ANSWER = offsetof(struct wine_request, answer) };
    struct wine_request filled = {
        .answer = with, .left = (unsigned)left, .closes = (uintptr_t)&state.closes};

    /* One write; a page that has been written once is written directly from then on. */
    if (request)
        user_memory_write((char *)request + ANSWER, (char *)&filled + ANSWER,
                          sizeof filled - ANSWER);
}

static ssize_t system_receive(int fd, struct msghdr *msg, int flags)
{
    ssize_t result = next_calls.recvmsg(fd, msg, flags);

    return result < 0 ? -errno : result;
}

/* The same in the midst of a message: an error of an earlier send is not reported there. */
static ssize_t system_receive_again(int fd, struct msghdr *msg, int flags)
{
    ssize_t result;
    int error;

    RECEIVE_AGAIN_WHILE_IT_FAILS(result, &error, system_receive(fd, msg, flags));
    return result;
}

/* A message as it is, whole or cut by the system. */
static ssize_t take_whole(struct attempt *at, int flags)
{
    ssize_t result = system_receive(at->receive->fd, at->receive->msg, flags);

    if (result >= 0)
        at->receive->report = (struct receive_report){
            .ours = true, .length = (size_t)result, .given = (size_t)result};
    return result;
}

/* The held message goes, with nothing of it delivered. By MSG_TRUNC the kernel itself sets the
 * offset to 0 as it takes it: whoever dies before the line below has lost nothing of the next one.
 * 0, or the error that keeps the message in the queue; its part is still to be given then. */
static int take_off(int fd, int offset)
{
    struct msghdr nothing = {.msg_iov = NULL};
    ssize_t result = system_receive_again(fd, &nothing, MSG_DONTWAIT | MSG_TRUNC);

    if (result < 0 && result != -EAGAIN) { /* EAGAIN: taken by a process that does not know of us */
        set_offset(fd, offset);
        return (int)result;
    }
    set_offset(fd, NOT_HELD);
    return 0;
}

static void count(size_t given, bool first)
{
    struct table_counters *counters = &state.table->counters;

    if (first) {
        atomic_fetch_add_explicit(&counters->held, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&counters->parts, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->bytes_saved, given, memory_order_relaxed);
    }
}

/* What came with the message. Who asks learns of the rest by the answer, and has no use for an
 * error. */
static void give_lengths(const struct attempt *at, const struct msghdr *look, bool cut)
{
    struct msghdr *msg = at->receive->msg;

    msg->msg_namelen = look->msg_namelen;
    msg->msg_controllen = look->msg_controllen;
    msg->msg_flags = (look->msg_flags & ~MSG_TRUNC) | (cut && !at->request ? MSG_TRUNC : 0);
}

/* The last part, or, without room, what skips the rest. As take_off(). */
static int take_last(struct attempt *at, int offset, size_t rest, size_t given)
{
    int error = take_off(at->receive->fd, offset);

    if (error < 0)
        return error;
    if (given < rest) {
        table_count_lost(state.table, rest);
        at->receive->report.left = 0;
        at->receive->report.lost = rest;
    } else {
        count(given, false);
    }
    return 0;
}

/* One part of a message, or the whole of one that is not held; under both locks. `offset`: as
 * get_offset() gave it. */
static struct receive_result part_locked(struct attempt *at, int offset)
{
    struct msghdr look = *at->receive->msg;
    bool held = offset != NOT_HELD, peek = at->receive->flags & MSG_PEEK, cut;
    size_t start = held ? (size_t)offset : 0, room = at->receive->room, rest, given;
    int fd = at->receive->fd, error,
        flags = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | (at->receive->flags & MSG_CMSG_CLOEXEC);
    ssize_t length;

    if (held)
        look.msg_controllen = 0; /* delivered with the first part */
    length = (held ? system_receive_again : system_receive)(fd, &look, flags);
    if (held && (length == -EAGAIN || (length > 0 && (size_t)length < start))) {
        /* Taken by a process that does not know of us. */
        set_offset(fd, NOT_HELD);
        return length < 0 ? receive_done(length) : part_locked(at, NOT_HELD);
    }
    if (length < 0)
        return receive_done(length);

    rest = (size_t)length - start;
    given = room < rest ? room : rest;
    cut = given < rest;
    at->receive->report = (struct receive_report){.ours = true,
                                                  .length = (size_t)length,
                                                  .offset = start,
                                                  .given = given,
                                                  .left = rest - given};
    if (peek) {
        if (held && set_offset(fd, offset) != 0)
            return receive_done(-EIO);
    } else if (cut && (room > 0 || at->request)) {
        /* A socket that cannot keep the offset keeps its message too, for a receive as it is. */
        if (set_offset(fd, (int)(start + given)) != 0)
            return receive_pass();
        count(given, !held);
    } else if (held) {
        if ((error = take_last(at, offset, rest, given)) < 0)
            return receive_done(error);
    } else { /* it fits */
        answer(at->request, WINE_ANSWER_WHOLE, 0);
        return receive_done(take_whole(at, at->receive->flags | MSG_DONTWAIT));
    }

    answer(at->request, cut ? WINE_ANSWER_PARTIAL : WINE_ANSWER_WHOLE, rest - given);
    give_lengths(at, &look, cut);
    return receive_done((ssize_t)given);
}

/* Whether the message at the head of the queue fits. Not asked by a peek, which copies it, or, with
 * MSG_TRUNC and no room, moves an offset that is set by all of its length. False: it may not. A
 * length of 0 is most often an empty queue, and says nothing of a message that arrives after it. */
static bool fits(const struct attempt *at)
{
    int length;

    return sys_queued(at->receive->fd, &length) == 0 && length > 0 &&
           (size_t)length <= at->receive->room;
}

/* The system's own receive, which tells how long the message is; what does not fit is lost. The
 * number of bytes given. */
static ssize_t receive_dropping(struct attempt *at, int flags)
{
    size_t room = at->receive->room, over;
    ssize_t length = take_whole(at, flags | MSG_TRUNC);

    if (length < 0 || (size_t)length <= room)
        return length;
    over = (size_t)length - room;
    at->receive->report.given = room;
    if (flags & MSG_PEEK) {
        at->receive->report.left = over;
    } else {
        table_count_lost(state.table, over);
        at->receive->report.lost = over;
    }
    return (ssize_t)room;
}

/* WSRX_MODE=discard: the caller is told that there was more. */
static ssize_t receive_discarding(struct attempt *at)
{
    ssize_t result = receive_dropping(at, at->receive->flags | MSG_DONTWAIT);

    if (result >= 0) {
        at->receive->msg->msg_flags &= ~MSG_TRUNC;
        answer(at->request, at->receive->report.lost > 0 ? WINE_ANSWER_DROPPED : WINE_ANSWER_WHOLE,
               0);
    }
    return result;
}

/* One try; under the table's mutex. `wanted`: a part, if the message does not fit. One that fits is
 * taken under the record lock, too: without it another process may be about to give a part of it, or
 * have taken it, so that it is the next one, which does not fit, that is taken and cut. */
static struct receive_result try_locked(struct attempt *at, bool wanted)
{
    struct receive *receive = at->receive;
    struct receive_result result = receive_pass();
    int offset, flags = receive->flags | MSG_DONTWAIT;

    if (!lock_socket(receive->fd))
        return receive_again();
    offset = get_offset(receive->fd);
    if (offset == NOT_HELD && wanted && !(receive->flags & MSG_PEEK) && fits(at)) {
        answer(at->request, WINE_ANSWER_WHOLE, 0);
        result = receive_done(take_whole(at, flags));
    } else if (wanted || offset != NOT_HELD) {
        result = part_locked(at, offset);
    }
    if (result.outcome == RECEIVE_PASS)
        result = receive_done(trace_on() ? receive_dropping(at, flags)
                                         : system_receive(receive->fd, receive->msg, flags));
    unlock_socket(receive->fd);
    return result;
}

static struct receive_result run(struct receive *receive)
{
    const struct settings *settings = &state.settings;
    struct attempt at = {receive, request_of(receive->msg)};
    struct lock_wait wait = {.end = 0};
    struct receive_result result;
    bool wanted;

    if (at.request && settings->mode == MODE_DISCARD && !(receive->flags & MSG_PEEK))
        return receive_done(receive_discarding(&at));
    wanted = at.request || receive_policy(settings->mode, CALL_REPORTING, settings->calls_all).hold;
    if (wanted)
        atomic_store_explicit(&parts_wanted, true, memory_order_relaxed);
    else if (!atomic_load_explicit(&parts_wanted, memory_order_relaxed) &&
             get_offset(receive->fd) == NOT_HELD)
        return receive_pass();

    do {
        struct critical_section section;

        table_enter(table_needed(), &section);
        result = try_locked(&at, wanted);
        table_leave(state.table, &section);
    } while (result.outcome == RECEIVE_AGAIN && wait_for_lock(&wait));
    /* Nothing has been taken, and the socket is still readable: Wine waits for it, and tries again.
     * A part without the lock might be one that the other process has given, too. */
    return result.outcome == RECEIVE_AGAIN ? receive_done(-EAGAIN) : result;
}

/* With the peer's address, whether the caller asks for it or not. Under Wine that nothing is there
 * yet is no answer to the program: Wine tries, and then waits. */
static struct receive_result run_for_record(struct receive *receive)
{
    struct attempt at = {receive, NULL};
    struct msghdr *msg = receive->msg;
    struct sockaddr_storage peer;
    bool has_name = msg->msg_name != NULL;
    struct receive_result result;

    if (!has_name) {
        msg->msg_name = &peer;
        msg->msg_namelen = sizeof peer;
    }
    receive->name_room = msg->msg_namelen;
    result = run(receive);
    if (result.outcome == RECEIVE_PASS)
        result = receive_done(receive_dropping(&at, receive->flags));
    if (result.value != -EAGAIN)
        receive_record(receive, result.value);
    if (!has_name) {
        msg->msg_name = NULL;
        msg->msg_namelen = 0;
    }
    return result;
}

static struct receive_result receive_part_of(struct receive *receive, uint64_t cookie, bool parts)
{
    (void)cookie, (void)parts; /* the socket says what is held, and the caller what it wants */
    return trace_on() ? run_for_record(receive) : run(receive);
}

const struct hold_strategy hold_peek_offset = {.receive = receive_part_of};
