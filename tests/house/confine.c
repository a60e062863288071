/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "confine.h"

#include "../lib/raw_syscall.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int install(const char *way, struct sock_fprog *program)
{
    if (strcmp(way, "prctl") == 0)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0);
    if (strcmp(way, "syscall-prctl") == 0)
        return (int)syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0);
    if (strcmp(way, "syscall-seccomp") == 0)
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
    return (int)raw_syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)program, 0, 0, 0);
}

int confine(const char *way, const char *numbers)
{
    enum { CALLS = 200 };
    bool kills = *numbers == '-';
    struct sock_filter code[CALLS + 3];
    struct sock_fprog program = {0, code};
    char *end = (char *)numbers + kills;

    code[program.len++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    while (*end && program.len <= CALLS) {
        unsigned number = (unsigned)strtoul(end, &end, 10);

        code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
        end += *end == ',';
    }
    for (unsigned i = 1; i < program.len; i++) /* a jump to the last instruction */
        code[i].jt = (unsigned char)(program.len - i);
    code[program.len++] = (struct sock_filter)BPF_STMT(
        BPF_RET | BPF_K, kills ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS);
    code[program.len++] = (struct sock_filter)BPF_STMT(
        BPF_RET | BPF_K, kills ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return install(way, &program);
}
