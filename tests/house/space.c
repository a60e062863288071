/* SPDX-License-Identifier: MIT
 *
 * How much memory a process has, in KiB: see space.py. A line says when, and VmSize, VmData and
 * VmRSS of /proc/self/status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char status[8192];

static long field(const char *name)
{
    const char *at = strstr(status, name);

    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static void show(const char *when)
{
    FILE *file = fopen("/proc/self/status", "r");

    status[file ? fread(status, 1, sizeof status - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    printf("%s %ld %ld %ld\n", when, field("VmSize:"), field("VmData:"), field("VmRSS:"));
    fflush(stdout);
}

int main(void)
{
    int ends[2];

    show("start");
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return 1;
    if (fork() == 0) {
        show("child");
        _exit(0);
    }
    wait(NULL);
    show("forked");
    return 0;
}
