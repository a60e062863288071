/* SPDX-License-Identifier: MIT
 *
 * What a filter of system calls allows: the answers of core/base/filter.c.
 */
#define _GNU_SOURCE
#include "base/filter.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#define NUMBER     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARGUMENT   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]))
#define RETURN(to) BPF_STMT(BPF_RET | BPF_K, to)
#define IF(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1)

#define ASK(filter, number) filter_allows(filter, sizeof(filter) / sizeof *(filter), number)

Test(filter, a_list_of_what_is_allowed)
{
    const struct sock_filter filter[] = {
        NUMBER,
        IF(SYS_read),
        RETURN(SECCOMP_RET_ALLOW),
        IF(SYS_write),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };

    cr_assert(ASK(filter, SYS_read));
    cr_assert(ASK(filter, SYS_write));
    cr_assert_not(ASK(filter, SYS_getpid));
}

Test(filter, a_list_of_what_is_not)
{
    const struct sock_filter filter[] = {
        NUMBER,
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_write + 1, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_write - 1, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | 1),
        RETURN(SECCOMP_RET_ALLOW),
    };

    cr_assert_not(ASK(filter, SYS_write));
    cr_assert(ASK(filter, SYS_write - 1));
    cr_assert(ASK(filter, SYS_write + 1));
}

/* Of the arguments nothing is known, nor where the call comes from. */
Test(filter, what_depends_on_arguments_is_not_allowed)
{
    const struct sock_filter filter[] = {
        NUMBER,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 2),
        ARGUMENT,
        IF(2),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ALLOW),
    };

    cr_assert_not(ASK(filter, SYS_write));
    cr_assert(ASK(filter, SYS_read));
}

/* ((nr + 5) << 1) - nr, by way of the memory and the index register, and back again. */
Test(filter, it_calculates)
{
    const struct sock_filter filter[] = {
        NUMBER,
        BPF_STMT(BPF_ST, 3),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
        BPF_STMT(BPF_LDX | BPF_MEM, 3),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 10),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };

    for (unsigned number = 0; number < 500; number++)
        cr_assert(ASK(filter, number), "%u", number);
}

Test(filter, another_architecture_is_not_allowed)
{
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        IF(12345),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };

    cr_assert_not(ASK(filter, SYS_read));
}

Test(filter, what_is_no_program_allows_nothing)
{
    const struct sock_fprog nowhere = {100, (struct sock_filter *)8};
    const struct sock_filter endless[] = {BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0)};

    cr_assert_not(filter_allows_lines(&nowhere));
    cr_assert_not(filter_allows_lines((const struct sock_fprog *)8));
    cr_assert_not(ASK(endless, SYS_read));
    cr_assert_not(filter_allows(endless, 0, SYS_read));
}
