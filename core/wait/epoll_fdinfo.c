/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_fdinfo.h"

#include "base/strbuf.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static char text[2048]; /* under the registry's lock */

int fdinfo_open(struct fdinfo *info, int epfd)
{
    /* thread-self, since a thread may have descriptors of its own: unshare(2). */
    char path[64] = "/proc/thread-self/fdinfo/";

    *put_number(path + strlen(path), (unsigned)epfd) = '\0';
    info->fd = sys_open(path, O_RDONLY, 0);
    info->at = info->length = info->next = 0;
    info->ended = false;
    info->error = 0;
    return info->fd < 0 ? info->fd : 0;
}

void fdinfo_close(struct fdinfo *info)
{
    sys_close(info->fd);
}

/* The next line, without its newline, cut to `room`. false: there is none. */
static bool next_line(struct fdinfo *info, char *line, size_t room)
{
    size_t length = 0;

    for (;;) {
        if (info->next == info->length) {
            ssize_t got = info->ended ? 0 : sys_pread(info->fd, text, sizeof text, info->at);

            if (got <= 0) {
                info->error = (int)got;
                return false;
            }
            /* The kernel makes all of it for the first read, and gives as much as there is. */
            info->ended = (size_t)got < sizeof text;
            info->at += (uint64_t)got;
            info->length = (size_t)got;
            info->next = 0;
        }
        if (text[info->next] == '\n')
            break;
        if (length + 1 < room)
            line[length++] = text[info->next];
        info->next++;
    }
    info->next++;
    line[length] = '\0';
    return true;
}

/* The number after `name`, or 0 if the line has no such field. `*line` moves behind it. */
static uint64_t number_after(const char **line, const char *name, unsigned base)
{
    const char *at = strstr(*line, name);
    uint64_t number = 0;

    if (!at)
        return 0;
    for (at += strlen(name); *at == ' '; at++)
        continue;
    for (unsigned digit;; at++) {
        digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                           : base;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    *line = at;
    return number;
}

bool fdinfo_next(struct fdinfo *info, struct fdinfo_entry *ret_entry)
{
    char line[128];
    const char *rest = line;

    do
        if (!next_line(info, line, sizeof line))
            return false;
    while (strncmp(line, "tfd:", 4) != 0);
    ret_entry->fd = (int)number_after(&rest, "tfd:", 10);
    ret_entry->events = (uint32_t)number_after(&rest, "events:", 16);
    ret_entry->data = number_after(&rest, "data:", 16);
    ret_entry->inode = number_after(&rest, "ino:", 16);
    return true;
}

bool fdinfo_is_file(int fd, uint64_t inode)
{
    struct sys_file file;
    int error = sys_fstat(fd, &file);

    return error ? error != -EBADF : file.inode == inode;
}

int64_t fdinfo_events(int epfd, int fd)
{
    struct fdinfo_entry entry;
    struct fdinfo info;
    int64_t events = -1;

    if (fdinfo_open(&info, epfd) != 0)
        return -1;
    while (fdinfo_next(&info, &entry))
        if (entry.fd == fd && (events < 0 || fdinfo_is_file(fd, entry.inode)))
            events = entry.events;
    fdinfo_close(&info);
    return events;
}
