/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/process_ring.h"

#include "trace/ring.h"
#include "util/complain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the file is a ring file; and whether it is this process's own, since a child has its
 * parent's mapped, too, until it makes its own. */
static bool is_ring(const char *path, pid_t pid, bool *ret_own)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct ring_file head;
    bool ring;

    if (fd < 0)
        return false;
    ring = pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
           memcmp(head.magic, RING_MAGIC, sizeof head.magic) == 0;
    close(fd);
    *ret_own = ring && head.pid == (uint32_t)pid;
    return ring;
}

/* A line of /proc/PID/maps, proc(5): the file of a shared mapping, as this process can open it. */
static bool mapped_file(pid_t pid, char *line, char path[PATH_MAX])
{
    char permissions[5], range[64], *name = strchr(line, '/');
    size_t length;

    if (!name || sscanf(line, "%63s %4s", range, permissions) != 2 || permissions[3] != 's')
        return false;
    name[strcspn(name, "\n")] = '\0';
    length = strlen(name);
    if (length > 10 && strcmp(name + length - 10, " (deleted)") == 0)
        return snprintf(path, PATH_MAX, "/proc/%d/map_files/%s", pid, range) < PATH_MAX;
    if (access(name, R_OK) == 0)
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    /* In a container of its own. */
    return snprintf(path, PATH_MAX, "/proc/%d/root%s", pid, name) < PATH_MAX;
}

static void report_none(pid_t pid, bool library)
{
    char path[64], name[64] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    file = fopen(path, "re");
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
    if (library)
        complain("process %d (%s) writes no ring: it was started without WSRX_TRACE=ring, or has "
                 "received nothing yet",
                 pid, name);
    else
        complain(
            "process %d (%s) runs without libwsrx: start it with wsrx run --trace=ring, or see "
            "what it loses with wsrx trace --system -p %d",
            pid, name, pid);
}

bool process_ring_find(pid_t pid, char path[PATH_MAX])
{
    char maps[64], candidate[PATH_MAX];
    bool library = false, found = false, own = false;
    char line[PATH_MAX + 128];
    FILE *file;

    snprintf(maps, sizeof maps, "/proc/%d/maps", pid);
    file = fopen(maps, "re");
    if (!file) {
        complain("process %d: %s", pid, errno == ENOENT ? strerror(ESRCH) : strerror(errno));
        return false;
    }
    while (!own && fgets(line, sizeof line, file)) {
        library = library || strstr(line, "/libwsrx.so");
        if (!mapped_file(pid, line, candidate) || !is_ring(candidate, pid, &own))
            continue;
        strcpy(path, candidate);
        found = true;
    }
    fclose(file);
    if (!found)
        report_none(pid, library);
    return found;
}
