/* SPDX-License-Identifier: MIT */
/* Everything that makes, copies and ends a descriptor, openly and behind the library's back. */
#include "victim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int __close(int fd);
int __dup2(int from, int to);
int __fcntl(int fd, int command, ...);

static void report_failure(struct line *line, long long result)
{
    if (result < 0) {
        line_add(line, " -> ");
        line_result(line, -1, errno);
    }
}

static void close_stream(const struct op *op, int fd, struct line *line)
{
    FILE *stream = fdopen(fd, "r");

    if (!stream)
        victim_fail("fdopen: %s", errno_name(errno));
    if (strcmp(op->word[0], "freopen") == 0)
        report_failure(line, freopen("/dev/null", "r", stream) ? 0 : -1);
    else
        report_failure(line, fclose(stream));
}

static bool do_close(const struct op *op, struct line *line)
{
    const char *name = op->word[0];
    int fd;

    if (!strstr(name, "close") && strcmp(name, "freopen") != 0)
        return false;
    fd = variable_fd(op_name(op, 0, "r"));
    if (strcmp(name, "close") == 0)
        report_failure(line, close(fd));
    else if (strcmp(name, "__close") == 0)
        report_failure(line, __close(fd));
    else if (strcmp(name, "sys_close") == 0)
        report_failure(line, syscall(SYS_close, fd));
    else if (strcmp(name, "raw_close") == 0)
        raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    else if (strcmp(name, "close_range") == 0)
        report_failure(line, close_range((unsigned)fd, (unsigned)fd, 0));
    else if (strcmp(name, "close_range_cloexec") == 0)
        report_failure(line, close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC));
    else if (strcmp(name, "closefrom") == 0)
        closefrom(fd);
    else if (strcmp(name, "fclose") == 0 || strcmp(name, "freopen") == 0)
        close_stream(op, fd, line);
    else
        return false;
    return true;
}

/* dup FROM TO: TO is a new name; dup2 and dup3 FROM TO: TO is a descriptor that gives way */
static bool do_dup(const struct op *op, struct line *line)
{
    const char *name = op->word[0], *to_name = op_name(op, 1, "x");
    const struct variable *from;
    struct variable *to;
    int result;

    if (!strstr(name, "dup"))
        return false;
    from = variable_find(op_name(op, 0, "r"));
    if (strcmp(name, "dup2") == 0)
        result = dup2(from->fd, variable_fd(to_name));
    else if (strcmp(name, "__dup2") == 0)
        result = __dup2(from->fd, variable_fd(to_name));
    else if (strcmp(name, "dup3") == 0)
        result = dup3(from->fd, variable_fd(to_name), O_CLOEXEC);
    else if (strcmp(name, "raw_dup2") == 0)
        result = (int)raw_syscall(SYS_dup3, from->fd, variable_fd(to_name), 0, 0, 0, 0);
    else if (strcmp(name, "dup") == 0)
        result = dup(from->fd);
    else if (strcmp(name, "dupfd") == 0)
        result = fcntl(from->fd, F_DUPFD, 50);
    else if (strcmp(name, "dupfd_cloexec") == 0)
        result = fcntl(from->fd, F_DUPFD_CLOEXEC, 60);
    else if (strcmp(name, "__dupfd") == 0)
        result = __fcntl(from->fd, F_DUPFD, 70);
    else
        return false;
    report_failure(line, result);
    if (result >= 0 && to_name[0] != '#') {
        to = variable_make(to_name);
        snprintf(to->peer, sizeof(to->peer), "%s", from->peer);
        to->fd = result;
        to->udp = from->udp;
        to->timeout_ms = from->timeout_ms;
        to->address = from->address;
        to->address_length = from->address_length;
    }
    return true;
}

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (!directory)
        victim_fail("/proc/self/fd: %s", errno_name(errno));
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* fds: how many descriptors more than at the last fds, so that a leak shows */
static void count_descriptors(struct line *line)
{
    static int last;
    int now = open_descriptors();

    if (last)
        line_add(line, " -> %+d", now - last);
    last = now;
}

static void raise_limit(const struct op *op)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = op_number_or(op, (size_t)limit.rlim_max);
    if (limit.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        fprintf(stderr, "SKIP: RLIMIT_NOFILE is too low\n");
        exit(77);
    }
}

bool descriptors_operation(const struct op *op, struct line *line)
{
    if (strcmp(op->word[0], "fds") == 0)
        count_descriptors(line);
    else if (strcmp(op->word[0], "nofile") == 0)
        raise_limit(op);
    else
        return do_close(op, line) || do_dup(op, line);
    return true;
}
