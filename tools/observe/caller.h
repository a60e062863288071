/* SPDX-License-Identifier: MIT
 *
 * Which system call of the current thread a receive is made for: only a loss asks for it.
 *
 * The registers with which the thread has entered the kernel tell the call and the descriptor. A
 * receive of io_uring may be made within any call, by work that was put off; therefore the descriptor
 * has to be one of this socket.
 */
#ifndef WSRX_OBSERVE_CALLER_H
#define WSRX_OBSERVE_CALLER_H

#include "observe/event.h"
#include "observe/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct call {
    long number;
    long fd, address;
    __u64 ip;
    int compat; /* of a 32-bit program */
};

#if defined(WSRX_TARGET_X86_64)

KERNEL pt_regs
{
    unsigned long orig_ax, di, r8, ip, bx, cx;
};

enum { TS_COMPAT = 2 };

enum {
    NR_read = 0,
    NR_readv = 19,
    NR_recvfrom = 45,
    NR_recvmsg = 47,
    NR_recvmmsg = 299,
    NR_preadv2 = 327,
    NR_recvmmsg_time64 = -2, /* 32-bit programs only */
    NR_io_uring_enter = 426,
};

/* The numbers of 32-bit programs, as those above. */
static long number_of_i386(const struct call *call)
{
    switch (call->number) {
    case 3:
        return NR_read;
    case 145:
        return NR_readv;
    case 371:
        return NR_recvfrom;
    case 372:
        return NR_recvmsg;
    case 337:
    case 417:
        return NR_recvmmsg;
    case 378:
        return NR_preadv2;
    case 426:
        return NR_io_uring_enter;
    }
    return -1;
}

/* socketcall(2): which call, and where its arguments are in the program's memory. */
static void read_socketcall(struct call *call, const struct pt_regs *registers)
{
    __u32 argument[5] = {};

    call->number = -1;
    if (bpf_probe_read_user(argument, sizeof argument, (const void *)registers->cx))
        return;
    call->fd = argument[0];
    call->address = argument[4];
    switch (registers->bx) {
    case 10:
        call->address = 0;
        call->number = NR_recvfrom;
        break;
    case 12:
        call->number = NR_recvfrom;
        break;
    case 17:
        call->number = NR_recvmsg;
        break;
    case 19:
        call->number = NR_recvmmsg;
        break;
    }
}

static void read_call(struct call *call, struct task_struct *task, const struct pt_regs *registers)
{
    call->number = (long)registers->orig_ax;
    call->fd = (int)registers->di;
    call->address = (long)registers->r8;
    call->ip = registers->ip;
    call->compat =
        bpf_core_field_exists(task->thread_info.status) && (task->thread_info.status & TS_COMPAT);
    if (!call->compat)
        return;
    call->fd = (int)registers->bx;
    if (call->number == 102)
        read_socketcall(call, registers);
    else
        call->number = number_of_i386(call);
}

#elif defined(WSRX_TARGET_AARCH64)

KERNEL user_pt_regs
{
    __u64 regs[31];
    __u64 pc;
};

KERNEL pt_regs
{
    struct user_pt_regs user_regs;
    int syscallno;
};

enum {
    NR_read = 63,
    NR_readv = 65,
    NR_recvfrom = 207,
    NR_recvmsg = 212,
    NR_recvmmsg = 243,
    NR_preadv2 = 286,
    NR_io_uring_enter = 426,
};

/* Register 0 is given the result only when the call returns. */
static void read_call(struct call *call, struct task_struct *task, const struct pt_regs *registers)
{
    (void)task;
    call->number = registers->syscallno;
    call->fd = (int)registers->user_regs.regs[0];
    call->address = (long)registers->user_regs.regs[4];
    call->ip = registers->user_regs.pc;
}

#else /* the call is not known; the socket and the lengths are */

struct pt_regs;

enum {
    NR_read = -10,
    NR_readv,
    NR_recvfrom,
    NR_recvmsg,
    NR_recvmmsg,
    NR_preadv2,
    NR_io_uring_enter,
};

static void read_call(struct call *call, struct task_struct *task, const struct pt_regs *registers)
{
    (void)task, (void)registers;
    call->number = -1;
}

#endif

static __u32 call_kind(const struct call *call)
{
    switch (call->number) {
    case NR_read:
        return OBSERVE_READ;
    case NR_readv:
        return OBSERVE_READV;
    case NR_recvfrom:
        return call->address ? OBSERVE_RECVFROM : OBSERVE_RECV;
    case NR_recvmsg:
        return OBSERVE_RECVMSG;
    case NR_recvmmsg:
        return OBSERVE_RECVMMSG;
    case NR_preadv2:
        return OBSERVE_PREADV2;
    case NR_io_uring_enter:
        return OBSERVE_IO_URING;
    }
    return OBSERVE_UNKNOWN;
}

/* Whether the descriptor is one of this socket. */
static int is_fd_of(struct task_struct *task, long fd, const struct sock *sk)
{
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd), *file = NULL;
    struct socket *socket;

    if (fd < 0 || fd >= (long)BPF_CORE_READ(table, max_fds))
        return 0;
    if (bpf_probe_read_kernel(&file, sizeof file, files + fd) || !file)
        return 0;
    socket = BPF_CORE_READ(file, private_data);
    return BPF_CORE_READ(socket, sk) == sk;
}

static void find_caller(const struct sock *sk, __u32 *ret_call, __s32 *ret_fd, __u64 *ret_ip)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    struct call call = {.number = -1};

    *ret_call = OBSERVE_UNKNOWN;
    *ret_fd = -1;
    *ret_ip = 0;
    if (task->flags & PF_IO_WORKER) {
        *ret_call = OBSERVE_IO_URING;
        return;
    }
    read_call(&call, task, (const struct pt_regs *)bpf_task_pt_regs(task));
    *ret_ip = call.ip;
    *ret_call = call_kind(&call);
    if (*ret_call == OBSERVE_IO_URING)
        return;
    if (*ret_call != OBSERVE_UNKNOWN && is_fd_of(task, call.fd, sk))
        *ret_fd = (__s32)call.fd;
    else if (task->io_uring)
        *ret_call = OBSERVE_IO_URING;
}

#endif
