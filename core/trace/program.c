/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/program.h"

#include "base/strbuf.h"
#include "base/sys.h"
#include "state.h"

#include <fcntl.h>

struct trace_program trace_program;

/* Its length. */
static size_t read_file(const char *path, char *to, unsigned size)
{
    int fd = sys_open(path, O_RDONLY, 0);
    ssize_t got = fd < 0 ? 0 : sys_read(fd, to, size - 1);

    if (fd >= 0)
        sys_close(fd);
    to[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

void trace_program_read(const char *path, char *to, unsigned size)
{
    read_file(path, to, size);
    to[strcspn(to, "\n")] = '\0';
}

static void read_command(char *to, unsigned size)
{
    size_t length = read_file("/proc/self/cmdline", to, size);

    for (size_t i = 0; i + 1 < length; i++)
        if (to[i] == '\0')
            to[i] = ' ';
}

void trace_program_start(const char *mode)
{
    struct trace_program *to = &trace_program;
    struct strbuf text = strbuf_in(to->mode, sizeof to->mode);
    ssize_t length = sys_readlink("/proc/self/exe", to->path, sizeof to->path - 1);

    to->path[length > 0 ? length : 0] = '\0';
    if (length <= 0) {
        struct strbuf path = strbuf_in(to->path, sizeof to->path);

        strbuf_add(&path, state_program((char[STATE_PROGRAM]){0}));
    }
    strbuf_add(&text, mode);
    trace_program_read("/proc/sys/kernel/hostname", to->host, sizeof to->host);
    read_command(to->command, sizeof to->command);
}
