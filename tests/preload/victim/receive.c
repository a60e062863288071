/* SPDX-License-Identifier: MIT */
/*
 * Every way to receive, with every bad argument, and a description of everything that the caller
 * can see afterwards. Knows nothing of what ought to happen.
 */
#include "receive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../lib/pattern.h"

/* glibc's fortified and second names; the headers declare them for fortified programs only. */
ssize_t __read(int fd, void *buffer, size_t length);
ssize_t __read_chk(int fd, void *buffer, size_t length, size_t size);
ssize_t __recv_chk(int fd, void *buffer, size_t length, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t length, size_t size, int flags,
                       struct sockaddr *from, socklen_t *from_length);

static int flags_of(const struct op *op)
{
    static const struct {
        const char *name;
        int flag;
    } names[] = {
        {"peek", MSG_PEEK},         {"trunc", MSG_TRUNC},
        {"dontwait", MSG_DONTWAIT}, {"waitall", MSG_WAITALL},
        {"nosignal", MSG_NOSIGNAL}, {"oob", MSG_OOB},
        {"errqueue", MSG_ERRQUEUE}, {"cmsg_cloexec", MSG_CMSG_CLOEXEC},
        {"confirm", MSG_CONFIRM},   {"waitforone", MSG_WAITFORONE},
    };
    const char *number = op_option(op, "flags");
    int flags = number ? (int)strtoul(number, NULL, 0) : 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (op_flag(op, names[i].name))
            flags |= names[i].flag;
    return flags;
}

static bool is_call(const char *name)
{
    static const char *const calls[] = {
        "recv",         "recvfrom",       "read",      "readv",        "preadv2",
        "preadv64v2",   "recvmsg",        "recvmmsg",  "__read",       "__read_chk",
        "__recv_chk",   "__recvfrom_chk", "splice",    "sendfile",     "sys_splice",
        "sys_sendfile", "sys_read",       "sys_readv", "sys_preadv2",  "sys_recvfrom",
        "sys_recvmsg",  "sys_recvmmsg",   "raw_read",  "raw_recvfrom", "raw_recvmsg",
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (strcmp(name, calls[i]) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

bool receive_takes_many(const struct receive *r)
{
    return ends_with(r->call, "recvmmsg");
}

bool receive_takes_message(const struct receive *r)
{
    return ends_with(r->call, "recvmsg") || receive_takes_many(r);
}

static bool takes_vector(const struct receive *r)
{
    return ends_with(r->call, "readv") || ends_with(r->call, "v2");
}

/* parts=3 over 1000 bytes: 1, 499 and 500 of them, and an empty one between the last two. */
static size_t split(struct iovec *iov, unsigned char *base, size_t length, size_t parts)
{
    size_t count = 0, done = 0;

    if (parts <= 1) {
        iov[0] = (struct iovec){base, length};
        return parts;
    }
    for (size_t i = 0; i < parts; i++) {
        size_t share = i == 0 ? 1 : i == parts - 1 ? length - done : length / parts;

        if (share > length - done)
            share = length - done;
        if (i == parts - 1 && parts < PARTS / 2)
            iov[count++] = (struct iovec){base + done, 0};
        iov[count++] = (struct iovec){base + done, share};
        done += share;
    }
    return count;
}

static void *address_or(const char *name, void *otherwise)
{
    return name ? memory_address(name) : otherwise;
}

/* n slots, each with its own share of the arena: buffer and guard after buffer and guard. */
static void prepare_messages(struct receive *r, size_t parts)
{
    const char *control = op_option(r->op, "control");
    size_t stride = r->room + GUARD, per_slot = 0;

    for (int i = 0; i < r->slots; i++) {
        struct msghdr *message = &r->message[i].msg_hdr;
        struct iovec *iov = r->iov + (size_t)i * per_slot;
        size_t count = split(iov, r->base + (size_t)i * stride, r->length, parts);

        per_slot = count;
        message->msg_iov = address_or(op_option(r->op, "vec"), iov);
        message->msg_iovlen =
            op_option(r->op, "veclen") ? strtoul(op_option(r->op, "veclen"), NULL, 0) : count;
        message->msg_flags = 0x5A5A; /* an output: whatever it holds must not matter */
        if (!op_flag(r->op, "noname")) {
            message->msg_name = address_or(op_option(r->op, "name"), &r->name[i]);
            message->msg_namelen = r->name_length;
        }
        if (control) {
            message->msg_control = address_or(op_option(r->op, "controlbuf"), &r->control[i]);
            message->msg_controllen = strtoul(control, NULL, 0);
        }
    }
}

static void prepare(struct receive *r, const struct op *op)
{
    const char *on = op_option(op, "on") ? op_option(op, "on") : "r";
    const char *buffer = op_option(op, "buf"), *slots = op_option(op, "n");
    const char *parts = op_option(op, "parts"), *name_length = op_option(op, "namelen");
    size_t arena_size;

    memset(r, 0, sizeof(*r));
    r->op = op;
    r->call = op->word[0];
    r->variable = on[0] == '#' || on[0] == '-' ? NULL : variable_find(on);
    r->fd = variable_fd(on);
    r->flags = flags_of(op);
    r->length = op_number_or(op, 0);
    r->slots = slots ? atoi(slots) : receive_takes_message(r) ? 1 : 0;
    r->base = memory_arena(&arena_size);
    r->own_buffer = !buffer;
    r->room = r->length;
    if (r->room > arena_size / (size_t)(r->slots ? r->slots : 1) - GUARD)
        r->room = arena_size / (size_t)(r->slots ? r->slots : 1) - GUARD;
    if (buffer)
        r->base = memory_address(buffer);
    if (r->own_buffer)
        memset(r->base, PATTERN_BLANK, (r->room + GUARD) * (size_t)(r->slots ? r->slots : 1));
    else if (r->room < 1 << 16 && memory_readable(r->base, r->room) && op_flag(op, "blank"))
        memset(r->base, PATTERN_BLANK, r->room);
    r->name_length = name_length ? (socklen_t)strtol(name_length, NULL, 0) : sizeof(r->name[0]);
    memset(r->name, PATTERN_BLANK, sizeof(r->name));
    if (r->slots > SLOTS)
        victim_fail("too many slots");
    if (receive_takes_message(r))
        prepare_messages(r, parts ? strtoul(parts, NULL, 0) : 1);
    else if (takes_vector(r))
        r->iov_count = split(r->iov, r->base, r->length, parts ? strtoul(parts, NULL, 0) : 1);
    if (op_option(op, "veclen"))
        r->iov_count = strtoul(op_option(op, "veclen"), NULL, 0);
}

static long long raw_result(long result)
{
    if (result >= -4095 && result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

/* Into a pipe, and from there into the buffer. */
static long long call_by_pipe(struct receive *r)
{
    const char *c = r->call;
    unsigned how = r->flags & MSG_DONTWAIT ? SPLICE_F_NONBLOCK : 0;
    long long moved;
    int ends[2];

    if (pipe(ends) < 0)
        victim_fail("no pipe");
    if (strcmp(c, "splice") == 0)
        moved = splice(r->fd, NULL, ends[1], NULL, r->length, how);
    else if (strcmp(c, "sendfile") == 0)
        moved = sendfile(ends[1], r->fd, NULL, r->length);
    else if (strcmp(c, "sys_splice") == 0)
        moved = syscall(SYS_splice, r->fd, NULL, ends[1], NULL, r->length, how);
    else
        moved = syscall(SYS_sendfile, ends[1], r->fd, NULL, r->length);
    if (moved > 0 && read(ends[0], r->base, (size_t)moved) != moved)
        victim_fail("the pipe has less than was moved");
    close(ends[0]);
    close(ends[1]);
    return moved;
}

static long long call_plain(struct receive *r, size_t size)
{
    const char *c = r->call;

    if (strcmp(c, "recv") == 0)
        return recv(r->fd, r->base, r->length, r->flags);
    if (strcmp(c, "read") == 0)
        return read(r->fd, r->base, r->length);
    if (strcmp(c, "__read") == 0)
        return __read(r->fd, r->base, r->length);
    if (strcmp(c, "__read_chk") == 0)
        return __read_chk(r->fd, r->base, r->length, size);
    if (strcmp(c, "__recv_chk") == 0)
        return __recv_chk(r->fd, r->base, r->length, size, r->flags);
    if (strcmp(c, "sys_read") == 0)
        return syscall(SYS_read, r->fd, r->base, r->length);
    return raw_result(raw_syscall(SYS_read, r->fd, (long)r->base, (long)r->length, 0, 0, 0));
}

static long long call_vector(struct receive *r)
{
    const char *c = r->call, *offset_word = op_option(r->op, "offset");
    struct iovec *iov = address_or(op_option(r->op, "vec"), r->iov);
    off_t offset = offset_word ? strtol(offset_word, NULL, 0) : -1;
    int flags = r->flags | (op_flag(r->op, "nowait") ? RWF_NOWAIT : 0);

    if (strcmp(c, "readv") == 0)
        return readv(r->fd, iov, (int)r->iov_count);
    if (strcmp(c, "sys_readv") == 0)
        return syscall(SYS_readv, r->fd, iov, r->iov_count);
    if (strcmp(c, "preadv2") == 0)
        return preadv2(r->fd, iov, (int)r->iov_count, offset, flags);
    if (strcmp(c, "preadv64v2") == 0)
        return preadv64v2(r->fd, iov, (int)r->iov_count, offset, flags);
    /* The offset in two halves, of which a 64-bit system takes the first. */
    return syscall(SYS_preadv2, r->fd, iov, r->iov_count, (long)offset,
                   sizeof(long) < sizeof(offset) ? (long)(offset >> (8 * sizeof(offset) / 2)) : 0L,
                   flags);
}

static long long call_recvfrom(struct receive *r, size_t size)
{
    const char *c = r->call;
    struct sockaddr *name = address_or(op_option(r->op, "name"), &r->name[0]);
    socklen_t *length = address_or(op_option(r->op, "lenptr"), &r->name_length);

    if (op_flag(r->op, "noname")) {
        name = NULL;
        length = NULL;
    }
    if (strcmp(c, "recvfrom") == 0)
        return recvfrom(r->fd, r->base, r->length, r->flags, name, length);
    if (strcmp(c, "__recvfrom_chk") == 0)
        return __recvfrom_chk(r->fd, r->base, r->length, size, r->flags, name, length);
    if (strcmp(c, "sys_recvfrom") == 0)
        return syscall(SYS_recvfrom, r->fd, r->base, r->length, r->flags, name, length);
    return raw_result(raw_syscall(SYS_recvfrom, r->fd, (long)r->base, (long)r->length, r->flags,
                                  (long)name, (long)length));
}

static long long call_message(struct receive *r)
{
    const char *c = r->call, *timeout_word = op_option(r->op, "timeout");
    struct mmsghdr *many = address_or(op_option(r->op, "msg"), r->message);
    struct msghdr *message = address_or(op_option(r->op, "msg"), &r->message[0].msg_hdr);
    unsigned count = (unsigned)r->slots;
    struct timespec time = {.tv_nsec = 1};
    struct timespec *timeout = timeout_word ? &time : NULL;
    long old_time[] = {0, 1}; /* the system call's own, of which 32-bit programs have two kinds */

    if (timeout_word) {
        long ms = strtol(timeout_word, NULL, 0);

        time = (struct timespec){ms / 1000, ms % 1000 * 1000000};
        old_time[0] = ms / 1000;
        old_time[1] = ms % 1000 * 1000000;
    }
    if (strcmp(c, "recvmsg") == 0)
        return recvmsg(r->fd, message, r->flags);
    if (strcmp(c, "sys_recvmsg") == 0)
        return syscall(SYS_recvmsg, r->fd, message, r->flags);
    if (strcmp(c, "raw_recvmsg") == 0)
        return raw_result(raw_syscall(SYS_recvmsg, r->fd, (long)message, r->flags, 0, 0, 0));
    if (strcmp(c, "recvmmsg") == 0)
        return recvmmsg(r->fd, many, count, r->flags, timeout);
    return syscall(SYS_recvmmsg, r->fd, many, count, r->flags, timeout ? old_time : NULL);
}

static void on_alarm(int number)
{
    (void)number;
}

/* A repeating alarm, without SA_RESTART: it ends a wait however late the wait begins. */
static void set_alarm(bool on)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval time = {{0, 0}, {0, 0}};

    if (on) {
        sigaction(SIGALRM, &action, NULL);
        time.it_value.tv_usec = time.it_interval.tv_usec = ALARM_MS * 1000L;
    }
    setitimer(ITIMER_REAL, &time, NULL);
}

static void call(struct receive *r)
{
    const char *size_word = op_option(r->op, "size");
    size_t size = size_word ? strtoul(size_word, NULL, 0) : r->length;
    long long start = victim_now_ms();
    bool alarmed = op_flag(r->op, "alarm");

    if (alarmed)
        set_alarm(true);
    victim_mark(r->op);
    errno = SENTINEL;
    if (receive_takes_message(r))
        r->ret = call_message(r);
    else if (takes_vector(r))
        r->ret = call_vector(r);
    else if (strstr(r->call, "splice") || strstr(r->call, "sendfile"))
        r->ret = call_by_pipe(r);
    else if (strstr(r->call, "recvfrom"))
        r->ret = call_recvfrom(r, size);
    else
        r->ret = call_plain(r, size);
    r->error = errno;
    victim_mark(r->op);
    if (alarmed)
        set_alarm(false);
    r->took_ms = victim_now_ms() - start;
}

/*
 * end [on=X]: nothing more is there. The socket's own blocking mode decides how that shows:
 * "-1 EAGAIN" without waiting, "-1 EAGAIN waited" after its timeout, "-1 EINTR" by an alarm.
 */
static void parse_end(struct op *op, const struct op *original)
{
    const char *on = op_option(original, "on") ? op_option(original, "on") : "r";
    char text[64];

    snprintf(text, sizeof(text), "recv 10 on=%s%s", on,
             variable_find(on)->timeout_ms ? "" : " alarm");
    op_parse(op, text);
}

bool receive_operation(const struct op *op, struct line *line)
{
    static _Thread_local struct receive receive;
    struct op end;

    if (strcmp(op->word[0], "end") == 0) {
        parse_end(&end, op);
        op = &end;
    } else if (!is_call(op->word[0])) {
        return false;
    }
    prepare(&receive, op);
    call(&receive);
    receive_describe(&receive, line);
    return true;
}
