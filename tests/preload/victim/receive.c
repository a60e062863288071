/* SPDX-License-Identifier: MIT */
/*
 * Every way to receive, with every bad argument, and a description of everything that the caller
 * can see afterwards. Knows nothing of what ought to happen.
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/pattern.h"

/* glibc's fortified and second names; the headers declare them for fortified programs only. */
ssize_t __read(int fd, void *buffer, size_t length);
ssize_t __read_chk(int fd, void *buffer, size_t length, size_t size);
ssize_t __recv_chk(int fd, void *buffer, size_t length, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t length, size_t size, int flags,
                       struct sockaddr *from, socklen_t *from_length);

enum {
    GUARD = 64,       /* bytes watched after each buffer */
    SENTINEL = 12345, /* what errno holds before each call */
    SLOTS = 64,
    PARTS = 1100, /* one iovec more than the kernel takes, and then some */
    CONTROL = 1024,
    ALARM_MS = 20,
};

/* Everything about one call. Static: a signal handler's stack may be small. */
struct receive {
    const struct op *op;
    const struct variable *variable; /* or NULL: a bare number */
    const char *call;
    int fd;
    unsigned char *base;
    bool own_buffer; /* the arena: known to be good, and guarded */
    size_t length;   /* what is passed to the call */
    size_t room;     /* how much of it may be looked at */
    int flags;
    int slots;
    struct iovec iov[PARTS];
    size_t iov_count;
    struct mmsghdr message[SLOTS];
    struct sockaddr_storage name[SLOTS];
    socklen_t name_length;
    union {
        struct cmsghdr align;
        char room[CONTROL];
    } control[SLOTS];
    long long ret;
    int error;
    long long took_ms;
};

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

static bool takes_many(const struct receive *r)
{
    return ends_with(r->call, "recvmmsg");
}

static bool takes_message(const struct receive *r)
{
    return ends_with(r->call, "recvmsg") || takes_many(r);
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
    r->slots = slots ? atoi(slots) : takes_message(r) ? 1 : 0;
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
    if (takes_message(r))
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

    if (timeout_word) {
        long ms = strtol(timeout_word, NULL, 0);

        time = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    }
    if (strcmp(c, "recvmsg") == 0)
        return recvmsg(r->fd, message, r->flags);
    if (strcmp(c, "sys_recvmsg") == 0)
        return syscall(SYS_recvmsg, r->fd, message, r->flags);
    if (strcmp(c, "raw_recvmsg") == 0)
        return raw_result(raw_syscall(SYS_recvmsg, r->fd, (long)message, r->flags, 0, 0, 0));
    if (strcmp(c, "recvmmsg") == 0)
        return recvmmsg(r->fd, many, count, r->flags, timeout);
    return syscall(SYS_recvmmsg, r->fd, many, count, r->flags, timeout);
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
    if (takes_message(r))
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

/* What was written to a buffer, seen from its end. */
static size_t written(const unsigned char *buffer, size_t room)
{
    while (room > 0 && buffer[room - 1] == PATTERN_BLANK)
        room--;
    return room;
}

static void describe_bytes(const struct receive *r, struct line *line, const unsigned char *buffer,
                           long long ret)
{
    bool advance = !(r->flags & MSG_PEEK);
    size_t shown = ret < 0 ? 0 : (size_t)ret < r->room ? (size_t)ret : r->room;
    size_t filled;

    if (!r->own_buffer) {
        if (shown > 0 && memory_readable(buffer, shown))
            messages_describe(line, buffer, shown, advance);
        return;
    }
    filled = written(buffer, r->room + GUARD);
    if (ret < 0 && filled > 0 && r->error == EMSGSIZE) {
        line_add(line, " filled");
        messages_describe(line, buffer, filled < r->room ? filled : r->room, advance);
    }
    if (shown > 0)
        messages_describe(line, buffer, shown, advance);
    if (ret >= 0 && filled > shown)
        line_add(line, " WROTE %zu", filled);
    if (filled > r->room)
        line_add(line, " OVERRUN");
}

static void describe_name(const struct receive *r, struct line *line,
                          const struct sockaddr_storage *name, socklen_t length)
{
    const struct variable *variable;

    (void)r;
    if (length == 0) {
        line_add(line, " from none");
        return;
    }
    for (int i = 0; (variable = variable_at(i)); i++)
        if (variable->address_length == length && length > 0 &&
            memcmp(&variable->address, name, length) == 0) {
            line_add(line, " from %s", variable->name);
            return;
        }
    line_add(line, " from family %u/%u", name->ss_family, (unsigned)length);
}

/* A name buffer that was too small: as many bytes as fit, and the length it would have had. */
static void describe_short_name(const struct receive *r, struct line *line,
                                const struct sockaddr_storage *name, socklen_t room,
                                socklen_t length)
{
    const struct variable *variable;
    const unsigned char *bytes = (const unsigned char *)name;

    (void)r;
    line_add(line, " namelen %u of %u", (unsigned)room, (unsigned)length);
    if (written(bytes, sizeof(*name)) > room)
        line_add(line, " OVERRUN");
    for (int i = 0; room > 0 && (variable = variable_at(i)); i++)
        if (variable->address_length == length && memcmp(&variable->address, name, room) == 0) {
            line_add(line, " from %s", variable->name);
            return;
        }
}

static void describe_any_name(const struct receive *r, struct line *line,
                              const struct sockaddr_storage *name, socklen_t length)
{
    const char *given = op_option(r->op, "namelen");
    long room = given ? strtol(given, NULL, 0) : -1;

    if (op_flag(r->op, "noname") || op_option(r->op, "name") || op_option(r->op, "lenptr"))
        return;
    if (room >= 0 && (socklen_t)room < length)
        describe_short_name(r, line, name, (socklen_t)room, length);
    else
        describe_name(r, line, name, length);
}

static void describe_flags(struct line *line, int flags)
{
    static const struct {
        const char *name;
        int flag;
    } names[] = {
        {"TRUNC", MSG_TRUNC},
        {"CTRUNC", MSG_CTRUNC},
        {"EOR", MSG_EOR},
        {"OOB", MSG_OOB},
        {"CMSG_CLOEXEC", MSG_CMSG_CLOEXEC},
        {"ERRQUEUE", MSG_ERRQUEUE},
    };
    const char *separator = " flags ";

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(flags & names[i].flag))
            continue;
        line_add(line, "%s%s", separator, names[i].name);
        flags &= ~names[i].flag;
        separator = "|";
    }
    if (flags)
        line_add(line, "%s%#x", separator, (unsigned)flags);
}

/* take=NAME: the descriptor that came is called so from now on. */
static void take_descriptor(struct line *line, const char *name, int fd, size_t count)
{
    variable_make(name)->fd = fd;
    line_add(line, " took %zu", count);
}

static void describe_rights(const struct receive *r, struct line *line, const struct cmsghdr *head)
{
    int fds[64], good = 0, closing = 0;
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    memcpy(fds, CMSG_DATA(head), count * sizeof(int));
    if (op_option(r->op, "take") && count > 0) {
        take_descriptor(line, op_option(r->op, "take"), fds[0], count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        good += sockets_is_passed(fds[i]);
        closing += (raw_syscall(SYS_fcntl, fds[i], F_GETFD, 0, 0, 0, 0) & FD_CLOEXEC) != 0;
    }
    line_add(line, " rights %zu%s", count, good == (int)count ? "" : " WRONG");
    if (closing)
        line_add(line, " cloexec %d", closing);
}

static void describe_control(const struct receive *r, struct line *line, struct msghdr *message)
{
    struct timeval now, stamp;
    struct ucred credentials;

    gettimeofday(&now, NULL);
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            describe_rights(r, line, head);
        } else if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_TIMESTAMP) {
            memcpy(&stamp, CMSG_DATA(head), sizeof(stamp));
            line_add(line, " timestamp%s", labs(now.tv_sec - stamp.tv_sec) < 60 ? "" : " WRONG");
        } else if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&credentials, CMSG_DATA(head), sizeof(credentials));
            line_add(line, " credentials%s",
                     credentials.pid == getpid() && credentials.uid == getuid() ? "" : " WRONG");
        } else {
            line_add(line, " control %d/%d", head->cmsg_level, head->cmsg_type);
        }
    }
}

static void describe_message(struct receive *r, struct line *line, int slot, long long ret)
{
    struct msghdr *message = &r->message[slot].msg_hdr;

    describe_bytes(r, line, r->base + (size_t)slot * (r->room + GUARD), ret);
    if (ret < 0)
        return;
    describe_any_name(r, line, &r->name[slot], message->msg_namelen);
    describe_flags(line, message->msg_flags);
    if (op_option(r->op, "control") && !op_option(r->op, "controlbuf"))
        describe_control(r, line, message);
}

static void describe(struct receive *r, struct line *line)
{
    line_add(line, " -> ");
    line_result(line, r->ret, r->error);
    if (takes_many(r)) {
        for (int i = 0; i < r->ret && i < r->slots; i++) {
            line_add(line, " [%u", r->message[i].msg_len);
            describe_message(r, line, i, r->message[i].msg_len);
            line_add(line, "]");
        }
    } else if (takes_message(r)) {
        describe_message(r, line, 0, r->ret);
    } else {
        describe_bytes(r, line, r->base, r->ret);
        if (strstr(r->call, "recvfrom") && r->ret >= 0)
            describe_any_name(r, line, &r->name[0], r->name_length);
    }
    if (r->ret >= 0 && r->error != SENTINEL)
        line_add(line, " ERRNO %s", errno_name(r->error));
    /* The kernel's ticks are coarser than our clock. */
    if (r->ret < 0 && r->variable && r->variable->timeout_ms && r->error == EAGAIN &&
        2 * r->took_ms >= r->variable->timeout_ms)
        line_add(line, " waited");
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
    describe(&receive, line);
    return true;
}
