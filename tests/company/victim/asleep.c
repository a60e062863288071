/* SPDX-License-Identifier: MIT */
/*
 * asleep CALL: a thread sleeps in a receive (recv, read or recvfrom) while another one installs, for all
 * threads, a filter that kills for everything but what the program itself calls from then on. The
 * message that wakes it is one that fits; then a long one comes.
 */
#include "../../process/victim/link.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKS = 5, STEP_US = 10000, FITS = 100, LONG = 3000, ROOM = 1000 };

static struct link link_between;
static const char *call;
static volatile pid_t thread;

static ssize_t receive(char *to)
{
    if (strcmp(call, "read") == 0)
        return read(link_between.r, to, ROOM);
    if (strcmp(call, "recvfrom") == 0)
        return recvfrom(link_between.r, to, ROOM, 0, NULL, NULL);
    return recv(link_between.r, to, ROOM, 0);
}

static void *sleeper(void *unused)
{
    static const char right[] = "right\n", wrong[] = "wrong\n";
    static char got[ROOM];
    bool is_right;

    (void)unused;
    thread = (pid_t)syscall(SYS_gettid);
    is_right = receive(got) == FITS && receive(got) == ROOM;
    is_right = write(1, is_right ? right : wrong, sizeof right - 1) > 0;
    syscall(SYS_exit_group, is_right ? 0 : 1);
    return NULL;
}

/* It sleeps in its receive, not for a moment on the way there. */
static void wait_until_asleep(void)
{
    char path[64], stat[256];

    while (!thread)
        usleep(STEP_US);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    for (int seen = 0; seen < LOOKS; usleep(STEP_US)) {
        int fd = open(path, O_RDONLY);
        ssize_t length;

        EXPECT(fd >= 0);
        length = read(fd, stat, sizeof stat - 1);
        EXPECT(length > 0 && close(fd) == 0);
        stat[length] = '\0';
        seen = strstr(stat, ") S ") ? seen + 1 : 0;
    }
}

static void confine_all(void)
{
    static const int allowed[] = {SYS_read,  SYS_recvfrom,   SYS_sendto,
                                  SYS_write, SYS_exit_group, SYS_exit};
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct sock_filter code[COUNT + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {COUNT + 3, code};

    for (unsigned i = 0; i < COUNT; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i],
                                                   (unsigned char)(COUNT - i), 0);
    code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        puts("no seccomp filters here");
        _exit(77);
    }
}

int main(int argc, char **argv)
{
    static char message[LONG];
    pthread_t made;

    EXPECT(argc == 2);
    call = argv[1];
    link_between = link_make(LINK_UDP);
    EXPECT(pthread_create(&made, NULL, sleeper, NULL) == 0);
    wait_until_asleep();
    confine_all();
    sendto(link_between.s, message, FITS, 0, NULL, 0);
    sendto(link_between.s, message, LONG, 0, NULL, 0);
    for (;;)
        sendto(-1, NULL, 0, 0, NULL, 0); /* what else it does may be forbidden */
}
