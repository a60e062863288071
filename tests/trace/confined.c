/* SPDX-License-Identifier: MIT
 *
 * Receives BEFORE messages, confines itself to receiving, sending and ending, by a filter that kills
 * for everything else, and receives AFTER more by each of two sockets. Exit status 0: all of them
 * were whole.
 *
 * usage: confined HOW     prctl, syscall: by which call; late: nothing is received before.
 *
 *   strict, strict-syscall   by seccomp's strict mode, and with a part of a message, as below
 *   no-counter               not at all, but the time-stamp counter is forbidden, as strict mode does;
 *                            a part of a message is received before that, and the rest behind it
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BEFORE = 3, AFTER = 40 };

#define ALLOW(number)                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int confine(int by_syscall)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_recvfrom),
        ALLOW(SYS_recvmsg),
        ALLOW(SYS_read),
        ALLOW(SYS_sendto),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_prctl),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return by_syscall ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)
                      : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static int receive(const int pair[2], int count)
{
    char buffer[64];

    for (int i = 0; i < count; i++) {
        struct iovec iov = {buffer, sizeof buffer};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t got;

        if (send(pair[0], "0123456789", 10, 0) != 10)
            return 2;
        got = i % 3 == 0   ? recv(pair[1], buffer, sizeof buffer, 0)
              : i % 3 == 1 ? recvmsg(pair[1], &message, 0)
                           : read(pair[1], buffer, sizeof buffer);
        if (got != 10 || memcmp(buffer, "0123456789", 10) != 0)
            return 3;
    }
    return 0;
}

static int forbid_counter(const char *how)
{
    if (strcmp(how, "strict") == 0)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    if (strcmp(how, "strict-syscall") == 0)
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
#ifdef __x86_64__
    return prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
#else
    return 0;
#endif
}

static int receive_parts(const char *how, const int pair[2])
{
    char buffer[64];

    if (send(pair[0], "0123456789012345678901234", 25, 0) != 25)
        return 2;
    if (recv(pair[1], buffer, 10, 0) != 10)
        return 3;
    if (forbid_counter(how) != 0)
        return 4;
    return read(pair[1], buffer, sizeof buffer) == 15 && memcmp(buffer, "012345678901234", 15) == 0
               ? 0
               : 5;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "prctl";
    int one[2], other[2], status = 0;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, one) != 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM, 0, other) != 0)
        return 1;
    if (strncmp(how, "strict", 6) == 0 || strcmp(how, "no-counter") == 0)
        syscall(SYS_exit, receive_parts(how, one)); /* strict mode kills for exit_group(2) */
    if (strcmp(how, "late") != 0)
        status = receive(one, BEFORE);
    if (status == 0 && confine(strcmp(how, "syscall") == 0) != 0)
        return 4;
    /* A second filter that is refused leaves the first one. */
    if (status == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0)
        return 5;
    if (status == 0)
        status = receive(one, AFTER);
    if (status == 0)
        status = receive(other, AFTER);
    _exit(status);
}
