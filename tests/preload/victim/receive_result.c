/* SPDX-License-Identifier: MIT */
#include "receive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../lib/pattern.h"

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
            line_add(line, " timestamp%s",
                     llabs((long long)now.tv_sec - stamp.tv_sec) < 60 ? "" : " WRONG");
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

void receive_describe(struct receive *r, struct line *line)
{
    line_add(line, " -> ");
    line_result(line, r->ret, r->error);
    if (receive_takes_many(r)) {
        for (int i = 0; i < r->ret && i < r->slots; i++) {
            line_add(line, " [%u", r->message[i].msg_len);
            describe_message(r, line, i, r->message[i].msg_len);
            line_add(line, "]");
        }
    } else if (receive_takes_message(r)) {
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
