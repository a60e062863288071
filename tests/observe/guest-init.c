/* SPDX-License-Identifier: MIT
 *
 * The first process of the guest: loads the modules, takes the host's files as its own, read-only,
 * and runs the tests there. Their output goes to the second serial port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void end(void)
{
    sync();
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void need(int result, const char *what)
{
    if (result == 0)
        return;
    printf("guest-init: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    end();
}

/* In the order in which they need each other: /modules/00-fuse.ko ... */
static void load_modules(void)
{
    char path[64];

    for (int i = 0; i < 100; i++) {
        int fd;

        snprintf(path, sizeof path, "/modules/%02d.ko", i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
            need(-1, path);
        close(fd);
    }
}

static void mount_all(void)
{
    static const struct {
        const char *from, *at, *type;
        unsigned long flags;
    } mounts[] = {
        {"root", "/root", "virtiofs", MS_RDONLY}, {"proc", "/root/proc", "proc", 0},
        {"sys", "/root/sys", "sysfs", 0},         {"dev", "/root/dev", "devtmpfs", 0},
        {"run", "/root/run", "tmpfs", 0},         {"cgroup", "/root/sys/fs/cgroup", "cgroup2", 0},
    };

    mkdir("/root", 0755);
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        need(mount(mounts[i].from, mounts[i].at, mounts[i].type, mounts[i].flags, NULL),
             mounts[i].at);
    need(chroot("/root"), "chroot");
    need(chdir("/"), "chdir");
}

static void start_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    need(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
    close(fd);
}

static void open_output(void)
{
    int fd = open("/dev/ttyS1", O_RDWR);
    struct termios raw;

    need(fd < 0 ? -1 : tcgetattr(fd, &raw), "/dev/ttyS1");
    cfmakeraw(&raw);
    tcsetattr(fd, TCSANOW, &raw);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
}

int main(int argc, char **argv)
{
    char *line, words[4096] = "", *word[64];
    int count = 0;
    pid_t child;
    FILE *file = fopen("/command", "r");

    (void)argc, (void)argv;
    if (!file || !fgets(words, sizeof words, file))
        need(-1, "/command");
    load_modules();
    mount_all();
    start_loopback();
    open_output();
    setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1);
    setenv("TMPDIR", "/run", 1);
    setenv("HOME", "/run", 1);
    words[strcspn(words, "\n")] = '\0';
    for (line = words; count < 63 && (word[count] = strsep(&line, "\t")); count++)
        continue;
    word[count] = NULL;
    child = fork();
    if (child == 0) {
        execv(word[0], word);
        need(-1, word[0]);
    }
    while (wait(NULL) != child) /* others have lost their parents */
        continue;
    tcdrain(STDOUT_FILENO);
    end();
}
