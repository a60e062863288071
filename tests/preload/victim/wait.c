/* SPDX-License-Identifier: MIT */
/* Every way to ask whether a socket is readable. */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's fortified and second names */
int __poll(struct pollfd *fds, nfds_t count, int timeout);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t size);
int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);

/* A 32-bit program may have times of 64 bits, and then a function of another name; Debian 12's libc
 * has none. */
#if defined _TIME_BITS && _TIME_BITS == 64 && __TIMESIZE == 32 && __GLIBC_PREREQ(2, 37)
int __ppoll64_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                  const sigset_t *mask, size_t size);

static int checked_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *time,
                         const long old_time[2])
{
    (void)old_time;
    return __ppoll64_chk(fds, count, time, NULL, sizeof(struct pollfd) * count);
}
#else
static int checked_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *time,
                         const long old_time[2])
{
    (void)time;
    return __ppoll_chk(fds, count, (const struct timespec *)old_time, NULL,
                       sizeof(struct pollfd) * count);
}
#endif

/* On i386 select(2) with its arguments in memory has the older number; later processors have none. */
#if defined SYS__newselect
enum { FIVE_ARGUMENT_SELECT = SYS__newselect };
#elif defined SYS_select
enum { FIVE_ARGUMENT_SELECT = SYS_select };
#else
enum { FIVE_ARGUMENT_SELECT = -1 };
#endif

enum { WATCHED = 8, SENTINEL = 12345 };

struct watched {
    int count;
    char names[256];
    char *name[WATCHED];
    int fd[WATCHED];
};

/* on=a,b,c; without it the receiver r */
static void parse_watched(struct watched *watched, const struct op *op)
{
    const char *on = op_option(op, "on") ? op_option(op, "on") : "r";
    char *save = NULL;

    memset(watched, 0, sizeof(*watched));
    strncpy(watched->names, on, sizeof(watched->names) - 1);
    for (char *name = strtok_r(watched->names, ",", &save); name && watched->count < WATCHED;
         name = strtok_r(NULL, ",", &save)) {
        watched->name[watched->count] = name;
        watched->fd[watched->count++] = variable_fd(name);
    }
}

static void describe_events(struct line *line, const char *name, short events)
{
    static const struct {
        const char *name;
        short event;
    } names[] = {
        {"IN", POLLIN},   {"PRI", POLLPRI}, {"OUT", POLLOUT},       {"RDHUP", POLLRDHUP},
        {"ERR", POLLERR}, {"HUP", POLLHUP}, {"RDNORM", POLLRDNORM}, {"NVAL", POLLNVAL},
    };
    const char *separator = "=";

    line_add(line, " %s", name);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(events & names[i].event))
            continue;
        line_add(line, "%s%s", separator, names[i].name);
        separator = "|";
    }
}

static short asked_events(const struct op *op)
{
    int events = 0;

    events |= op_flag(op, "out") ? POLLOUT : 0;
    events |= op_flag(op, "rdnorm") ? POLLRDNORM : 0;
    events |= op_flag(op, "pri") ? POLLPRI : 0;
    events |= op_flag(op, "nothing") ? 0 : op_flag(op, "in") || !events ? POLLIN : 0;
    return (short)events;
}

static int run_poll(const struct op *op, struct pollfd *fds, nfds_t count, long ms)
{
    const char *name = op->word[0];
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    const long old_time[] = {ms / 1000, ms % 1000 * 1000000};

    if (strcmp(name, "poll") == 0)
        return poll(fds, count, (int)ms);
    if (strcmp(name, "__poll") == 0)
        return __poll(fds, count, (int)ms);
    if (strcmp(name, "__poll_chk") == 0)
        return __poll_chk(fds, count, (int)ms, sizeof(struct pollfd) * WATCHED);
    if (strcmp(name, "ppoll") == 0)
        return ppoll(fds, count, &time, NULL);
    if (strcmp(name, "sys_poll") == 0)
#ifdef SYS_poll
        return (int)syscall(SYS_poll, fds, count, ms);
#else
        return (int)syscall(SYS_ppoll, fds, count, old_time, NULL, 0);
#endif
    if (strcmp(name, "sys_ppoll") == 0)
        return (int)syscall(SYS_ppoll, fds, count, old_time, NULL, 0);
    return checked_ppoll(fds, count, &time, old_time);
}

static void do_poll(const struct op *op, struct line *line)
{
    struct watched watched;
    struct pollfd fds[WATCHED];
    int ready, error;

    parse_watched(&watched, op);
    for (int i = 0; i < watched.count; i++)
        fds[i] = (struct pollfd){watched.fd[i], asked_events(op), 0x5A5A};
    victim_mark(op);
    errno = SENTINEL;
    ready = run_poll(op, fds, (nfds_t)watched.count, (long)op_number_or(op, 0));
    error = errno;
    victim_mark(op);
    line_add(line, " -> ");
    line_result(line, ready, error);
    if (ready > 0)
        for (int i = 0; i < watched.count; i++)
            if (fds[i].revents)
                describe_events(line, watched.name[i], fds[i].revents);
}

static void do_select(const struct op *op, struct line *line)
{
    const char *name = op->word[0];
    long ms = (long)op_number_or(op, 0);
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    struct timespec ptime = {ms / 1000, ms % 1000 * 1000000};
    const long old_ptime[] = {ms / 1000, ms % 1000 * 1000000};
    long old_time[] = {ms / 1000, ms % 1000 * 1000};
    static const long no_mask[] = {0, 8};
    struct watched watched;
    fd_set in, out;
    int ready, error, highest = -1;

    parse_watched(&watched, op);
    FD_ZERO(&in);
    FD_ZERO(&out);
    for (int i = 0; i < watched.count; i++) {
        FD_SET(watched.fd[i], &in);
        if (op_flag(op, "out"))
            FD_SET(watched.fd[i], &out);
        highest = watched.fd[i] > highest ? watched.fd[i] : highest;
    }
    victim_mark(op);
    errno = SENTINEL;
    if (strcmp(name, "select") == 0)
        ready = select(highest + 1, &in, &out, NULL, &time);
    else if (strcmp(name, "__select") == 0)
        ready = __select(highest + 1, &in, &out, NULL, (struct timeval *)old_time);
    else if (strcmp(name, "sys_select") == 0 && FIVE_ARGUMENT_SELECT >= 0)
        ready = (int)syscall(FIVE_ARGUMENT_SELECT, highest + 1, &in, &out, NULL, old_time);
    else if (strncmp(name, "sys_", 4) == 0)
        ready = (int)syscall(SYS_pselect6, highest + 1, &in, &out, NULL, old_ptime, &no_mask);
    else
        ready = pselect(highest + 1, &in, &out, NULL, &ptime, NULL);
    error = errno;
    victim_mark(op);
    line_add(line, " -> ");
    line_result(line, ready, error);
    for (int i = 0; ready > 0 && i < watched.count; i++) {
        if (FD_ISSET(watched.fd[i], &in))
            line_add(line, " %s=IN", watched.name[i]);
        if (FD_ISSET(watched.fd[i], &out))
            line_add(line, " %s=OUT", watched.name[i]);
    }
}

static void do_fionread(const struct op *op, struct line *line)
{
    int fd = variable_fd(op_name(op, 0, "r")), bytes = -1;
    int result = strcmp(op->word[0], "sys_fionread") == 0
                     ? (int)syscall(SYS_ioctl, fd, FIONREAD, &bytes)
                     : ioctl(fd, FIONREAD, &bytes);

    line_add(line, " -> ");
    if (result < 0)
        line_result(line, result, errno);
    else
        line_add(line, "%d", bytes);
}

bool wait_operation(const struct op *op, struct line *line)
{
    const char *name = op->word[0];

    if (strstr(name, "poll"))
        do_poll(op, line);
    else if (strstr(name, "select"))
        do_select(op, line);
    else if (strstr(name, "fionread"))
        do_fionread(op, line);
    else
        return false;
    return true;
}
