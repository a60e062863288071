/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receiving.h"

#include "clock.h"
#include "queued.h"
#include "tell.h"

#include <errno.h>
#include <string.h>

/* UIO_FASTIOV: as many buffers need no spill area to list them. */
enum { FEW = 8 };

bool receive_concerns(enum call_kind kind)
{
    if (!atomic_load_explicit(&engine.active, memory_order_acquire))
        return false;
    if (!table_idle(engine.table) || kind == CALL_COOPERATING || engine_peeks())
        return true;
    return engine.settings.mode != MODE_OFF &&
           (kind == CALL_PLAIN || engine.settings.calls_all || trace_on());
}

bool receive_passes_message(socket_belief belief, size_t len)
{
    return ((len >= socket_longest(belief) && socket_is_message(belief)) || !engine_bounces()) &&
           engine_rests() && !trace_on();
}

/* The same before the caller's lists of buffers are read. */
static bool may_concern_fd(enum call_kind kind, int fd)
{
    return receive_concerns(kind) && socket_kind(socket_know(fd)) >= SOCKET_DATAGRAM;
}

/* The belief may be stale, so the cookie is asked for again before a byte is handed out. */
static ssize_t next_part(struct receive *receive, socket_belief *belief)
{
    for (int tries = 0; tries < 2; tries++) {
        uint64_t cookie = socket_cookie(*belief);

        if (cookie == 0 || table_look(engine.table, cookie, NULL) == HELD_NOT)
            return NOTHING_HELD;
        if (socket_ask_cookie(receive->fd) == cookie)
            return hold_process_next(receive, cookie);
        *belief = socket_ask(receive->fd);
    }
    return NOTHING_HELD;
}

static bool get_spill(struct receive *receive, socket_belief belief)
{
    static atomic_int told;

    if (!receive->spill)
        receive->spill = spill_acquire(socket_longest(belief));
    if (!receive->spill)
        tell_once(told, "no memory for a spill area; receives are as without the library");
    return receive->spill;
}

static ssize_t run_once(struct receive *receive)
{
    const struct settings *settings = &engine.settings;
    bool in_kernel, hold, short_room;
    socket_belief belief;

    if (!receive_concerns(receive->kind) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)))
        return RECEIVE_PASS;
    /* A stale belief must not turn MSG_WAITALL, which a stream may mean, into a wait for more. */
    if ((receive->flags & MSG_WAITALL) && socket_is_stream(receive->fd))
        socket_forget(receive->fd);
    belief = socket_know(receive->fd);
    if (socket_kind(belief) < SOCKET_DATAGRAM)
        return RECEIVE_PASS;

    /* What read(2) and recv(2) say of a length that no memory has is not the same, so it passes. */
    in_kernel = engine_peeks() && receive->room <= INT_MAX;
    if (table_may_hold(engine.table, socket_cookie(belief))) {
        ssize_t result = next_part(receive, &belief);

        if (result == HELD_BY_KERNEL)
            in_kernel = true;
        else if (result != NOTHING_HELD)
            return result;
    }
    if (socket_kind(belief) == SOCKET_STREAM)
        socket_set_stream(receive->fd, 0);
    receive->report.ours = socket_is_message(belief);
    if (!socket_is_message(belief))
        return RECEIVE_PASS;

    hold = message_policy(settings->mode, receive->kind, settings->calls_all).hold;
    short_room = receive->room > 0 && receive->room < socket_longest(belief) &&
                 !(receive->flags & (MSG_PEEK | MSG_TRUNC));
    if (in_kernel || (hold && receive->iovlen == SPILL_IOVECS)) {
        /* No peek into what may be something else by now. */
        if (socket_ask_cookie(receive->fd) != socket_cookie(belief))
            belief = socket_ask(receive->fd);
        if (!socket_is_message(belief) || !get_spill(receive, belief))
            return RECEIVE_PASS;
        return hold_kernel_receive(receive, socket_cookie(belief), hold && short_room);
    }
    /* For a record a reporting call's message is taken whole too: so its length is known. */
    if (!short_room ||
        (receive->kind != CALL_COOPERATING &&
         (settings->mode == MODE_OFF ||
          (receive->kind == CALL_REPORTING && !settings->calls_all && !trace_on()))) ||
        !get_spill(receive, belief))
        return RECEIVE_PASS;
    return hold_process_receive(receive);
}

ssize_t receive_run(struct receive *receive)
{
    ssize_t result;

    do
        result = run_once(receive);
    while (result == NOTHING_HELD || result == HELD_BY_KERNEL);
    return result;
}

ssize_t receive_own(struct receive *receive, int added)
{
    struct msghdr plain = {.msg_name = receive->name, .msg_iov = (struct iovec *)receive->iov,
                           .msg_iovlen = receive->iovlen};
    int flags = receive->flags | added;
    ssize_t result;
    size_t length;

    if (receive->msg)
        result = engine.system.recvmsg(receive->fd, receive->msg, flags);
    else if (receive->iovlen == 1)
        result = engine.system.recvfrom(receive->fd, receive->iov->iov_base, receive->iov->iov_len,
                                        flags, receive->name, receive->namelen);
    else
        result = engine.system.recvmsg(receive->fd, &plain, flags);
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

/* --- the calls --------------------------------------------------------------------------- */

static ssize_t run_traced(struct receive *receive)
{
    return trace_on() ? receive_run_for_record(receive) : receive_run(receive);
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
    int saved = errno;
    ssize_t result = run_and_release(&receive);

    errno = saved;
    return result;
}

ssize_t receive_bounced(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                        socklen_t *namelen, struct spill *spill, ssize_t result, socklen_t room,
                        struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_PLAIN, .iov = &one,
                              .iovlen = 1, .room = len, .name = name, .namelen = namelen,
                              .spill = spill, .site = site, .name_room = room};
    int saved = errno;

    result = hold_process_bounced(&receive, result, room);
    if (result == NOTHING_HELD || result == HELD_BY_KERNEL)
        result = receive_run(&receive);
    if (trace_on() && result != RECEIVE_PASS && (receive.report.ours || result < 0))
        receive_record(&receive, result);
    spill_release(spill, receive.touched);
    errno = saved;
    return result;
}

ssize_t receive_part(int fd, void *buf, size_t len, int flags, struct sockaddr_storage *name,
                     socklen_t *namelen, struct receive_report *report, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_COOPERATING, .iov = &one,
                              .iovlen = 1, .room = len, .name = (struct sockaddr *)name,
                              .namelen = namelen, .site = site};
    ssize_t result;

    if (atomic_load_explicit(&engine.active, memory_order_acquire))
        engine_cooperates();
    result = run_and_release(&receive);
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
        int error = user_memory_write(&msg->msg_namelen, &copy.msg_namelen,
                                      sizeof copy.msg_namelen);

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
        return queued_message(fd, msg, flags, site);
    if (!may_concern_fd(CALL_REPORTING, fd))
        return RECEIVE_PASS;
    return receive_message_noting(fd, msg, flags, site, &tail);
}

/* --- recvmmsg ---------------------------------------------------------------------------- */

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

ssize_t receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                         struct timespec *timeout, struct receive_site site)
{
    unsigned count = 0;
    struct timespec limit;
    int64_t deadline = 0;

    if (!may_concern_fd(CALL_REPORTING, fd) || vlen == 0)
        return RECEIVE_PASS;
    if (!engine.settings.calls_all && !trace_on() && !engine_peeks() &&
        table_look(engine.table, socket_cookie(socket_know(fd)), NULL) == HELD_NOT)
        return RECEIVE_PASS;
    if (vlen > SPILL_IOVECS) /* recvmmsg(2): at most UIO_MAXIOV */
        vlen = SPILL_IOVECS;
    if (timeout) {
        if (user_memory_read(&limit, timeout, sizeof limit) != 0 || limit.tv_sec < 0 ||
            limit.tv_nsec < 0 || limit.tv_nsec > 999999999)
            return RECEIVE_PASS;
        deadline = clock_read(CLOCK_MONOTONIC) + nanoseconds(&limit);
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
            /* recvmmsg(2): an error after a message is reported by the next call. */
            if (result != -EAGAIN)
                hold_kernel_error(socket_cookie(socket_know(fd)), (int)-result);
            break;
        }
        count++;
        /* recvmmsg(2): the timeout is looked at after each message. */
        if (timeout && clock_read(CLOCK_MONOTONIC) >= deadline)
            break;
        /* A tail never waits, and whoever else takes the rest of it must not make us wait. */
        if (tail || (flags & MSG_WAITFORONE))
            flags |= MSG_DONTWAIT;
    }
    if (timeout) {
        int64_t rest = deadline - clock_read(CLOCK_MONOTONIC);

        rest = rest > 0 ? rest : 0;
        limit = (struct timespec){(time_t)(rest / 1000000000), (long)(rest % 1000000000)};
        if (user_memory_write(timeout, &limit, sizeof limit) != 0)
            return -EFAULT;
    }
    return (ssize_t)count;
}

