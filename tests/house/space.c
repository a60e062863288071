/* SPDX-License-Identifier: MIT
 *
 * How much memory a process has, in KiB: see space.py. A line says when, VmSize and VmData of
 * /proc/self/status, and what is in memory: that of the process alone or shared by its children, and
 * of the pages of files those of the library. How many pages of other files there are is chance: one
 * fault brings those around it, too, and what is around it goes by where the file is mapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static long field(const char *status, const char *name)
{
    const char *at = strstr(status, name);

    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static long library_pages(void)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[4096];
    int ours = 0;
    long sum = 0;

    while (file && fgets(line, sizeof line, file)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx", &from, &to) == 2)
            ours = strstr(line, "/libwsrx.so") != NULL;
        else if (ours && strncmp(line, "Rss:", 4) == 0)
            sum += strtol(line + 4, NULL, 10);
        else if (ours && strncmp(line, "Anonymous:", 10) == 0)
            sum -= strtol(line + 10, NULL, 10); /* is in RssAnon */
    }
    if (file)
        fclose(file);
    return sum;
}

static void show(const char *when)
{
    FILE *file = fopen("/proc/self/status", "r");
    char status[8192];

    status[file ? fread(status, 1, sizeof status - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    printf("%s %ld %ld %ld\n", when, field(status, "VmSize:"), field(status, "VmData:"),
           field(status, "RssAnon:") + field(status, "RssShmem:") + library_pages());
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
