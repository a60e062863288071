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
    long third, fourth; /* arguments */
    __u64 ip;
    int compat; /* of a 32-bit program */
};

/* By whom a message is received. */
struct caller {
    __u32 call; /* enum observe_call */
    __u32 flags;
    __s32 fd; /* -1: not known */
    __u64 ip;
};

#if defined(WSRX_TARGET_X86_64)

KERNEL pt_regs
{
    unsigned long orig_ax, di, dx, r10, r8, ip, bx, cx, si;
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
    call->third = argument[2];
    call->fourth = argument[3];
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
    call->third = (long)registers->dx;
    call->fourth = (long)registers->r10;
    call->address = (long)registers->r8;
    call->ip = registers->ip;
    call->compat =
        bpf_core_field_exists(task->thread_info.status) && (task->thread_info.status & TS_COMPAT);
    if (!call->compat)
        return;
    call->fd = (int)registers->bx;
    call->fourth = (long)registers->si;
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
    call->third = (long)registers->user_regs.regs[2];
    call->fourth = (long)registers->user_regs.regs[3];
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

/* The flags that the call was given; reads have none. */
static __u32 call_flags(const struct call *call)
{
    switch (call->number) {
    case NR_recvmsg:
        return (__u32)call->third;
    case NR_recvfrom:
    case NR_recvmmsg:
        return (__u32)call->fourth;
    }
    return 0;
}

/* The socket of a descriptor, if it is one; else whatever its file has there. */
static const struct sock *sock_of(struct task_struct *task, long fd)
{
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd), *file = NULL;
    struct socket *socket;

    if (fd < 0 || fd >= (long)BPF_CORE_READ(table, max_fds))
        return NULL;
    if (bpf_probe_read_kernel(&file, sizeof file, files + fd) || !file)
        return NULL;
    socket = BPF_CORE_READ(file, private_data);
    return BPF_CORE_READ(socket, sk);
}

/* The call of the current thread, and the socket of its descriptor. */
static const struct sock *read_caller(struct task_struct *task, struct caller *by)
{
    struct call call = {.number = -1};

    by->fd = -1;
    by->flags = 0;
    by->ip = 0;
    by->call = OBSERVE_IO_URING;
    if (task->flags & PF_IO_WORKER)
        return NULL;
    read_call(&call, task, (const struct pt_regs *)bpf_task_pt_regs(task));
    by->ip = call.ip;
    by->call = call_kind(&call);
    if (by->call == OBSERVE_IO_URING)
        return NULL;
    by->flags = call_flags(&call);
    by->fd = (__s32)call.fd;
    return sock_of(task, call.fd);
}

/* It was not for that socket. */
static void disown(struct task_struct *task, struct caller *by)
{
    by->fd = -1;
    by->flags = 0;
    if (by->call != OBSERVE_IO_URING && task->io_uring)
        by->call = OBSERVE_IO_URING;
}

static void find_caller(const struct sock *sk, struct caller *by)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

    if (read_caller(task, by) != sk)
        disown(task, by);
}

/* AF_UNIX: whoever receives from a socket has its lock meanwhile. With PREEMPT_RT a lock has no such
 * owner, and the descriptor is trusted. */
static int is_receiving(const struct sock *sk)
{
    const struct unix_sock *one = (const struct unix_sock *)sk;
    enum { BITS = 7 }; /* that are not of the owner's address */

    if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
        return 0;
    if (!bpf_core_field_exists(one->iolock.owner))
        return 1;
    return ((__u64)BPF_CORE_READ(one, iolock.owner.counter) & ~(__u64)BITS) ==
           bpf_get_current_task();
}

/* The other way round: who receives, and from which socket of AF_UNIX. NULL: not known. */
static const struct sock *find_receiver(struct caller *by)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    const struct sock *sk = read_caller(task, by);

    if (is_receiving(sk))
        return sk;
    disown(task, by);
    return NULL;
}

#endif
