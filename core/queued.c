/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "queued.h"

#include "ask.h"
#include "user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

enum { NOT_HELD = -1 };

/* Somebody in this process has asked. From then on every receive keeps out of the way of a peek
 * and its take; before that there is none to keep out of. */
static atomic_bool asked;

static int get_offset(int fd)
{
    int offset = NOT_HELD;
    socklen_t length = sizeof offset;

    if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &length) != 0)
        return NOT_HELD;
    return offset;
}

static int set_offset(int fd, int offset)
{
    return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) == 0 ? 0 : -errno;
}

/* A record lock belongs to the process, and ends with it. Where the kernel has none for sockets
 * two processes that receive parts at the same moment may get the same one. */
static void lock_socket(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

    engine.system.fcntl(fd, F_SETLKW, &lock);
}

static struct wsrx_ask *asks(const struct msghdr *msg)
{
    struct wsrx_ask ask;
    const struct iovec *last;

    if (msg->msg_iovlen < 2)
        return NULL;
    last = &msg->msg_iov[msg->msg_iovlen - 1];
    if (last->iov_len != 0 || !last->iov_base ||
        user_memory_read(&ask, last->iov_base, sizeof ask) != 0 ||
        memcmp(ask.magic, WSRX_ASK_MAGIC, sizeof ask.magic) != 0)
        return NULL;
    return last->iov_base;
}

static void answer(struct wsrx_ask *ask, enum wsrx_answer with, size_t left)
{
    enum { ANSWER = offsetof(struct wsrx_ask, answer) };
    struct wsrx_ask filled = {.answer = with, .left = (unsigned)left,
                              .closes = (uintptr_t)&engine.closes};

    /* One write; a page that has been written once is written directly from then on. */
    if (ask)
        user_memory_write((char *)ask + ANSWER, (char *)&filled + ANSWER, sizeof filled - ANSWER);
}

static ssize_t system_receive(int fd, struct msghdr *msg, int flags)
{
    ssize_t result = engine.system.recvmsg(fd, msg, flags);

    return result < 0 ? -errno : result;
}

static size_t room_of(const struct msghdr *msg)
{
    size_t room = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        room += msg->msg_iov[i].iov_len;
    return room;
}

/* The held message goes, with nothing of it delivered. A pending ICMP error makes a take fail and
 * leaves the message queued (seen), so it is repeated; the error concerns an earlier send, and is
 * not reported in the midst of a message. */
static void take_off(int fd)
{
    struct msghdr nothing = {.msg_iov = NULL};
    ssize_t result;

    do
        result = system_receive(fd, &nothing, MSG_DONTWAIT);
    while (result < 0 && result != -EAGAIN && result != -EBADF && result != -ENOTSOCK);
    set_offset(fd, NOT_HELD);
}

static void count(size_t given, bool first)
{
    struct table_counters *counters = &engine.table->counters;

    if (first) {
        atomic_fetch_add_explicit(&counters->held, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&counters->parts, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->bytes_saved, given, memory_order_relaxed);
    }
}

/* One part of a message, or the whole of one that is not held; under both locks. `offset`: as get_offset() gave it. */
static ssize_t part_locked(int fd, struct msghdr *msg, int flags, int offset, struct wsrx_ask *ask)
{
    struct msghdr look = *msg;
    bool held = offset != NOT_HELD, peek = flags & MSG_PEEK, cut;
    size_t start = held ? (size_t)offset : 0, room = room_of(msg), rest, given;
    ssize_t length;

    if (held)
        look.msg_controllen = 0; /* delivered with the first part */
    do
        length = system_receive(fd, &look,
                                MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | (flags & MSG_CMSG_CLOEXEC));
    while (held && length < 0 && length != -EAGAIN && length != -EFAULT && length != -EBADF &&
           length != -ENOTSOCK && length != -ENOMEM);
    if (held && (length == -EAGAIN || (length >= 0 && (size_t)length < start))) {
        /* Taken by a process that does not know of us. */
        set_offset(fd, NOT_HELD);
        return length < 0 ? length : part_locked(fd, msg, flags, NOT_HELD, ask);
    }
    if (length < 0)
        return length;

    rest = (size_t)length - start;
    given = room < rest ? room : rest;
    cut = given < rest;
    if (peek) {
        if (held && set_offset(fd, offset) != 0)
            return -EIO;
    } else if (cut && (room > 0 || ask)) {
        /* A socket that cannot keep the offset keeps its message too, for a receive as it is. */
        if (set_offset(fd, (int)(start + given)) != 0)
            return RECEIVE_PASS;
        count(given, !held);
    } else if (held) {
        take_off(fd);
        if (cut) /* no room: the way to skip the rest */
            table_count_lost(engine.table, rest);
        else
            count(given, false);
    } else { /* another one by now, and it fits */
        answer(ask, WSRX_ANSWER_WHOLE, 0);
        return system_receive(fd, msg, flags | MSG_DONTWAIT);
    }

    answer(ask, cut ? WSRX_ANSWER_PARTIAL : WSRX_ANSWER_WHOLE, rest - given);
    msg->msg_namelen = look.msg_namelen;
    msg->msg_controllen = look.msg_controllen;
    /* Who asks learns of the rest by the answer, and has no use for an error. */
    msg->msg_flags = (look.msg_flags & ~MSG_TRUNC) | (cut && !ask ? MSG_TRUNC : 0);
    return (ssize_t)given;
}

/* A message that fits, of which nothing is held: the most frequent one, and the cheapest. It is
 * taken as it is, so what is told is what was taken, even if a process that does not know of us was
 * faster. RECEIVE_PASS: it does not fit. */
static ssize_t whole_locked(int fd, struct msghdr *msg, int flags, struct wsrx_ask *ask)
{
    struct msghdr nothing = {.msg_iov = NULL};
    ssize_t length = system_receive(fd, &nothing, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

    if (length < 0)
        return length;
    if ((size_t)length > room_of(msg))
        return RECEIVE_PASS;
    answer(ask, WSRX_ANSWER_WHOLE, 0);
    return system_receive(fd, msg, flags | MSG_DONTWAIT);
}

/* The tail is dropped, and the caller told that there was one: WSRX_MODE=discard. */
static ssize_t receive_dropping(int fd, struct msghdr *msg, int flags, struct wsrx_ask *ask)
{
    ssize_t length = system_receive(fd, msg, flags | MSG_DONTWAIT | MSG_TRUNC), room;

    if (length < 0)
        return length;
    room = (ssize_t)room_of(msg);
    msg->msg_flags &= ~MSG_TRUNC;
    if (length <= room) {
        answer(ask, WSRX_ANSWER_WHOLE, 0);
        return length;
    }
    table_count_lost(engine.table, (size_t)(length - room));
    answer(ask, WSRX_ANSWER_DROPPED, 0);
    return room;
}

ssize_t queued_message(int fd, struct msghdr *msg, int flags)
{
    const struct settings *settings = &engine.settings;
    struct wsrx_ask *ask;
    struct table_guard guard;
    ssize_t result = RECEIVE_PASS;
    bool wanted, plain;
    int offset;

    if (settings->mode == MODE_OFF || (flags & (MSG_OOB | MSG_ERRQUEUE)))
        return RECEIVE_PASS;
    ask = asks(msg);
    if (ask && settings->mode == MODE_DISCARD && !(flags & MSG_PEEK))
        return receive_dropping(fd, msg, flags, ask);
    wanted = ask || message_policy(settings->mode, CALL_REPORTING, settings->calls_all).hold;
    if (wanted)
        atomic_store_explicit(&asked, true, memory_order_relaxed);
    else if (!atomic_load_explicit(&asked, memory_order_relaxed) && get_offset(fd) == NOT_HELD)
        return RECEIVE_PASS;

    table_enter(engine.table, &guard);
    offset = get_offset(fd);
    plain = offset == NOT_HELD && !wanted;
    if (offset == NOT_HELD && wanted && !(flags & MSG_PEEK))
        result = whole_locked(fd, msg, flags, ask);
    if (result == RECEIVE_PASS && !plain) {
        lock_socket(fd, F_WRLCK);
        offset = get_offset(fd);
        if (wanted || offset != NOT_HELD)
            result = part_locked(fd, msg, flags, offset, ask);
        lock_socket(fd, F_UNLCK);
    }
    if (result == RECEIVE_PASS)
        result = system_receive(fd, msg, flags | MSG_DONTWAIT);
    table_leave(engine.table, &guard);
    return result;
}
