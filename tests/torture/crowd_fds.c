/* SPDX-License-Identifier: MIT */
/* How the crowd's descriptors come, go and change their numbers. */
#define _GNU_SOURCE
#include "crowd_parts.h"

#include "torture.h"
#include "wait.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void line_open(struct crowd *crowd, struct line *line)
{
    int tries = 0, error;

    memset(line, 0, sizeof *line);
    /* Half of them cost a wait here and there: a machine without IPv6, a full table. */
    do
        error =
            link_open(&line->link, (enum kind)plan_below(&crowd->plan, crowd->kinds), &crowd->plan);
    while (error && ++tries < 100);
    if (error)
        cannot("cannot open sockets: %s", strerror(-error));
    line->socket = (unsigned)(place - common->place) << 24 | (crowd->sockets++ & 0xffffff);
    wait_opened(crowd, line);
}

/* The remaining ways are close(2). */
enum way { WAY_STDIO, WAY_RANGE, WAY_OVER, WAY_SYSCALL, WAY_RAW, WAY_CLOSE, WAYS = 7 };

static enum way some_way(struct plan *plan)
{
    unsigned way = plan_below(plan, WAYS);

#ifdef __SANITIZE_THREAD__
    /* TSan follows descriptors by libc. A close that it does not see makes a race of the number's
     * next use. */
    if (way != WAY_OVER)
        return WAY_CLOSE;
#endif
    return way < WAY_CLOSE ? (enum way)way : WAY_CLOSE;
}

/* A close that no library can see. */
static void close_raw(int fd)
{
#ifdef __x86_64__
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_close), "D"((long)fd)
                     : "rcx", "r11", "memory");
#else
    close(fd);
#endif
}

/* By stdio, which closes by calls of its own. */
static void close_by_stdio(struct crowd *crowd, int fd)
{
    FILE *stream = fdopen(fd, "r");

    if (!stream) {
        close(fd);
        return;
    }
    if (plan_percent(&crowd->plan, 50))
        stream = freopen("/dev/null", "re", stream);
    if (stream)
        fclose(stream);
}

/* In every way in which programs close descriptors, including those that no library can see. */
void line_close(struct crowd *crowd, struct line *line)
{
    int fd = line->link.fd, other;
    enum way way = some_way(&crowd->plan);

    stand("close", fd);
    /* A raw close that leaves a registration behind is more than a library can follow. */
    wait_closing(crowd, line,
                 plan_percent(&crowd->plan, 30) || (way == WAY_RAW && !options.strict));
    switch (way) {
    case WAY_STDIO:
        close_by_stdio(crowd, fd);
        break;
    case WAY_RANGE:
        close_range((unsigned)fd, (unsigned)fd, 0);
        break;
    case WAY_OVER:
        other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(other, fd);
        close(other);
        close(fd);
        break;
    case WAY_SYSCALL:
        syscall(SYS_close, fd);
        break;
    case WAY_RAW:
        close_raw(fd);
        break;
    default:
        close(fd);
    }
    line->link.fd = -1;
}

void line_reopen(struct crowd *crowd, struct line *line)
{
    line_close(crowd, line);
    link_close(&line->link);
    line_open(crowd, line);
}

/* The socket lives on under another number; a held tail goes with it. */
void line_move(struct crowd *crowd, struct line *line)
{
    int fd = line->link.fd, to;

    stand("dup", fd);
    wait_closing(crowd, line, true); /* or the set would keep it under the old number */
    switch (plan_below(&crowd->plan, 3)) {
    case 0:
        to = dup(fd);
        break;
    case 1:
        to = fcntl(fd, F_DUPFD_CLOEXEC, fd + 3);
        break;
    default:
        to = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (to >= 0)
            to = dup3(fd, to, O_CLOEXEC);
    }
    if (to < 0)
        return;
    close(fd);
    line->link.fd = to;
    wait_opened(crowd, line);
}
