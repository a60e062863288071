/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/hold_peek_offset.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/user_memory.h"
#include "receive/context.h"
#include "receive/traced.h"
#include "table/held.h"
#include "trace/session.h"
#include "wine_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { NOT_HELD = -1 };

/* Another process is between its look at the message and the take; beside what context.h has. */
enum { LOCKED_BY_OTHER = INT_MIN + 3 };

/* A receive under way. */
struct peek_offset {
    int fd;
    struct msghdr *msg;
    int flags;
    struct wine_request *ask;     /* NULL: the caller does not ask for parts */
    struct receive_report report; /* what came of it */
};

/* Somebody in this process has asked. From then on every receive keeps out of the way of a peek
 * and its take; before that there is none to keep out of. */
static atomic_bool asked;

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

static struct wine_request *asks(const struct msghdr *msg)
{
    struct wine_request ask;
    const struct iovec *last;

    if (msg->msg_iovlen < 2)
        return NULL;
    last = &msg->msg_iov[msg->msg_iovlen - 1];
    if (last->iov_len != 0 || !last->iov_base ||
        user_memory_read(&ask, last->iov_base, sizeof ask) != 0 ||
        memcmp(ask.magic, WINE_REQUEST_MAGIC, sizeof ask.magic) != 0)
        return NULL;
    return last->iov_base;
}

static void answer(struct wine_request *ask, enum wine_answer with, size_t left)
{
    enum { ANSWER = offsetof(struct wine_request, answer) };
    struct wine_request filled = {
        .answer = with, .left = (unsigned)left, .closes = (uintptr_t)&state.closes};

    /* One write; a page that has been written once is written directly from then on. */
    if (ask)
        user_memory_write((char *)ask + ANSWER, (char *)&filled + ANSWER, sizeof filled - ANSWER);
}

static ssize_t system_receive(int fd, struct msghdr *msg, int flags)
{
    ssize_t result = next_calls.recvmsg(fd, msg, flags);

    return result < 0 ? -errno : result;
}

/* The same in the midst of a message: an error of an earlier send is not reported there. */
static ssize_t system_receive_again(int fd, struct msghdr *msg, int flags)
{
    unsigned tries = 1;
    ssize_t result;

    while (receive_retries(result = system_receive(fd, msg, flags), tries))
        tries++;
    return result;
}

static size_t room_of(const struct msghdr *msg)
{
    size_t room = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        room += msg->msg_iov[i].iov_len;
    return room;
}

/* A message as it is, whole or cut by the system. */
static ssize_t take_whole(struct peek_offset *at, int flags)
{
    ssize_t result = system_receive(at->fd, at->msg, flags);

    if (result >= 0)
        at->report = (struct receive_report){
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

/* One part of a message, or the whole of one that is not held; under both locks. `offset`: as
 * get_offset() gave it. */
static ssize_t part_locked(struct peek_offset *at, int offset)
{
    struct msghdr *msg = at->msg, look = *msg;
    bool held = offset != NOT_HELD, peek = at->flags & MSG_PEEK, cut;
    size_t start = held ? (size_t)offset : 0, room = room_of(msg), rest, given;
    int fd = at->fd, error,
        flags = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | (at->flags & MSG_CMSG_CLOEXEC);
    ssize_t length;

    if (held)
        look.msg_controllen = 0; /* delivered with the first part */
    length = (held ? system_receive_again : system_receive)(fd, &look, flags);
    if (held && (length == -EAGAIN || (length >= 0 && (size_t)length < start))) {
        /* Taken by a process that does not know of us. */
        set_offset(fd, NOT_HELD);
        return length < 0 ? length : part_locked(at, NOT_HELD);
    }
    if (length < 0)
        return length;

    rest = (size_t)length - start;
    given = room < rest ? room : rest;
    cut = given < rest;
    at->report = (struct receive_report){.ours = true,
                                         .length = (size_t)length,
                                         .offset = start,
                                         .given = given,
                                         .left = rest - given};
    if (peek) {
        if (held && set_offset(fd, offset) != 0)
            return -EIO;
    } else if (cut && (room > 0 || at->ask)) {
        /* A socket that cannot keep the offset keeps its message too, for a receive as it is. */
        if (set_offset(fd, (int)(start + given)) != 0)
            return RECEIVE_PASS;
        count(given, !held);
    } else if (held) {
        if ((error = take_off(fd, offset)) < 0)
            return error;
        if (cut) { /* no room: the way to skip the rest */
            table_count_lost(state.table, rest);
            at->report.left = 0;
            at->report.lost = rest;
        } else {
            count(given, false);
        }
    } else { /* it fits */
        answer(at->ask, WINE_ANSWER_WHOLE, 0);
        return take_whole(at, at->flags | MSG_DONTWAIT);
    }

    answer(at->ask, cut ? WINE_ANSWER_PARTIAL : WINE_ANSWER_WHOLE, rest - given);
    msg->msg_namelen = look.msg_namelen;
    msg->msg_controllen = look.msg_controllen;
    /* Who asks learns of the rest by the answer, and has no use for an error. */
    msg->msg_flags = (look.msg_flags & ~MSG_TRUNC) | (cut && !at->ask ? MSG_TRUNC : 0);
    return (ssize_t)given;
}

/* Whether the message at the head of the queue fits. Not asked by a peek, which copies it, or, with
 * MSG_TRUNC and no room, moves an offset that is set by all of its length. False: it may not. */
static bool fits(const struct peek_offset *at)
{
    int length;

    return sys_queued(at->fd, &length) == 0 && (size_t)length <= room_of(at->msg);
}

/* The system's own receive, which tells how long the message is; what does not fit is lost. The
 * number of bytes given. */
static ssize_t receive_dropping(struct peek_offset *at, int flags)
{
    size_t room = room_of(at->msg), over;
    ssize_t length = take_whole(at, flags | MSG_TRUNC);

    if (length < 0 || (size_t)length <= room)
        return length;
    over = (size_t)length - room;
    at->report.given = room;
    if (flags & MSG_PEEK) {
        at->report.left = over;
    } else {
        table_count_lost(state.table, over);
        at->report.lost = over;
    }
    return (ssize_t)room;
}

/* WSRX_MODE=discard: the caller is told that there was more. */
static ssize_t receive_discarding(struct peek_offset *at)
{
    ssize_t result = receive_dropping(at, at->flags | MSG_DONTWAIT);

    if (result >= 0) {
        at->msg->msg_flags &= ~MSG_TRUNC;
        answer(at->ask, at->report.lost > 0 ? WINE_ANSWER_DROPPED : WINE_ANSWER_WHOLE, 0);
    }
    return result;
}

/* One try; under the table's mutex. `wanted`: a part, if the message does not fit. One that fits is
 * taken under the record lock, too: without it another process may be about to give a part of it, or
 * have taken it, so that it is the next one, which does not fit, that is taken and cut. */
static ssize_t try_locked(struct peek_offset *at, bool wanted)
{
    ssize_t result = RECEIVE_PASS;
    int offset;

    if (!lock_socket(at->fd))
        return LOCKED_BY_OTHER;
    offset = get_offset(at->fd);
    if (offset == NOT_HELD && wanted && !(at->flags & MSG_PEEK) && fits(at)) {
        answer(at->ask, WINE_ANSWER_WHOLE, 0);
        result = take_whole(at, at->flags | MSG_DONTWAIT);
    } else if (wanted || offset != NOT_HELD) {
        result = part_locked(at, offset);
    }
    if (result == RECEIVE_PASS)
        result = trace_on() ? receive_dropping(at, at->flags | MSG_DONTWAIT)
                            : system_receive(at->fd, at->msg, at->flags | MSG_DONTWAIT);
    unlock_socket(at->fd);
    return result;
}

static ssize_t answer_receive(struct peek_offset *at)
{
    const struct settings *settings = &state.settings;
    struct lock_wait wait = {.end = 0};
    ssize_t result;
    bool wanted;

    if (settings->mode == MODE_OFF || (at->flags & (MSG_OOB | MSG_ERRQUEUE)))
        return RECEIVE_PASS;
    at->ask = asks(at->msg);
    if (at->ask && settings->mode == MODE_DISCARD && !(at->flags & MSG_PEEK))
        return receive_discarding(at);
    wanted = at->ask || receive_policy(settings->mode, CALL_REPORTING, settings->calls_all).hold;
    if (wanted)
        atomic_store_explicit(&asked, true, memory_order_relaxed);
    else if (!atomic_load_explicit(&asked, memory_order_relaxed) && get_offset(at->fd) == NOT_HELD)
        return RECEIVE_PASS;

    do {
        struct critical_section section;

        table_enter(state.table, &section);
        result = try_locked(at, wanted);
        table_leave(state.table, &section);
    } while (result == LOCKED_BY_OTHER && wait_for_lock(&wait));
    /* Nothing has been taken, and the socket is still readable: Wine waits for it, and tries again.
     * A part without the lock might be one that the other process has given, too. */
    return result == LOCKED_BY_OTHER ? -EAGAIN : result;
}

/* --- records ----------------------------------------------------------------------------- */

static void note(const struct peek_offset *at, ssize_t result, socklen_t name_room,
                 struct receive_site site)
{
    struct receive receive = {.fd = at->fd,
                              .flags = at->flags,
                              .kind = CALL_REPORTING,
                              .iov = at->msg->msg_iov,
                              .iovlen = at->msg->msg_iovlen,
                              .room = room_of(at->msg),
                              .msg = at->msg,
                              .report = at->report,
                              .site = site,
                              .name_room = name_room};

    receive_record(&receive, result);
}

/* With the peer's address, whether the caller asks for it or not. Under Wine that nothing is there
 * yet is no answer to the program: Wine tries, and then waits. */
static ssize_t receive_for_record(struct peek_offset *at, struct receive_site site)
{
    struct sockaddr_storage peer;
    bool asks_name = at->msg->msg_name != NULL;
    socklen_t name_room;
    ssize_t result;

    if (!asks_name) {
        at->msg->msg_name = &peer;
        at->msg->msg_namelen = sizeof peer;
    }
    name_room = at->msg->msg_namelen;
    result = answer_receive(at);
    if (result == RECEIVE_PASS && !(at->flags & (MSG_OOB | MSG_ERRQUEUE)))
        result = receive_dropping(at, at->flags);
    if (result != RECEIVE_PASS && result != -EAGAIN)
        note(at, result, name_room, site);
    if (!asks_name) {
        at->msg->msg_name = NULL;
        at->msg->msg_namelen = 0;
    }
    return result;
}

ssize_t hold_peek_offset_receive(int fd, struct msghdr *msg, int flags, struct receive_site site)
{
    struct peek_offset at = {.fd = fd, .msg = msg, .flags = flags};

    return trace_on() ? receive_for_record(&at, site) : answer_receive(&at);
}
