// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * In the kernel: refuses a receive that would cut the message at the head of the queue.
 *
 * Before each receive the kernel asks its security modules (security_socket_recvmsg); what a program
 * attached there returns is the receive's result. The queue is read without its lock: a message
 * that another thread takes meanwhile is one that this receive does not get.
 */
#include <linux/bpf.h>

#include "observe/event.h"
#include "observe/kernel.h"

#include "observe/counts.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "Dual MIT/GPL";

enum { EMSGSIZE = 90, IPPROTO_UDP = 17, IPPROTO_UDPLITE = 136 };

const volatile struct observe_config config SEC(".rodata.config") = {};

/* Processes whose receives are refused. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, OBSERVE_TARGETS);
    __type(key, __u32);
    __type(value, __u32);
} targets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} cgroup SEC(".maps");

/* The message of a socket, by its cookie, that was refused last: its address and length. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, OBSERVE_SOCKETS);
    __type(key, __u64);
    __type(value, __u64);
} refused SEC(".maps");

static int is_wanted(void)
{
    __u32 pid = bpf_get_current_pid_tgid() >> 32;

    if (config.system)
        return 1;
    if (config.cgroup)
        return bpf_current_task_under_cgroup(&cgroup, 0) == 1;
    return bpf_map_lookup_elem(&targets, &pid) != NULL;
}

/* The first message of a queue, whose end is the queue itself; or NULL. */
static struct sk_buff *first_of(const struct sk_buff_head *queue)
{
    struct sk_buff *first = BPF_CORE_READ(queue, next);

    return (const void *)first == (const void *)queue ? NULL : first;
}

/* UDP takes messages over from the queue into one that only the reader uses. */
static struct sk_buff *next_message(struct sock *sk)
{
    __u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
    struct sk_buff *first;

    if (family == AF_UNIX && sk->sk_type != SOCK_STREAM)
        return first_of(&sk->sk_receive_queue);
    if ((family != AF_INET && family != AF_INET6) ||
        (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE))
        return NULL;
    first = first_of(&((struct udp_sock *)sk)->reader_queue);
    return first ? first : first_of(&sk->sk_receive_queue);
}

/* A message that was refused once is let through, and its end is lost; else who tries again with
 * the same buffer would do so for ever. */
static int decide(struct sock *sk, int size, int flags)
{
    struct sk_buff *message = next_message(sk);
    __u64 cookie, *last, id;
    __u32 length;

    if (!message || (flags & (MSG_PEEK | MSG_TRUNC)))
        return 0;
    cookie = bpf_get_socket_cookie(sk);
    length = BPF_CORE_READ(message, len);
    id = (__u64)message ^ length;
    if (length <= (__u32)size) {
        bpf_map_delete_elem(&refused, &cookie);
        return 0;
    }
    last = bpf_map_lookup_elem(&refused, &cookie);
    if (!config.always && last && *last == id) {
        bpf_map_delete_elem(&refused, &cookie);
        return 0;
    }
    bpf_map_update_elem(&refused, &cookie, &id, BPF_ANY);
    count(OBSERVE_REFUSED);
    return -EMSGSIZE;
}

static int refuse(struct socket *sock, int size, int flags)
{
    struct sock *sk = sock->sk;

    if (!sk || !is_wanted())
        return 0;
    return decide(sk, size, flags);
}

SEC("fmod_ret/security_socket_recvmsg")
int BPF_PROG(refuse_call, struct socket *sock, struct msghdr *msg, int size, int flags, int ret)
{
    (void)ctx, (void)msg;
    return ret ? ret : refuse(sock, size, flags);
}

SEC("lsm/socket_recvmsg")
int BPF_PROG(refuse_hook, struct socket *sock, struct msghdr *msg, int size, int flags, int ret)
{
    (void)ctx, (void)msg;
    return ret ? ret : refuse(sock, size, flags);
}

/* The children of those processes. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(refuse_fork, struct task_struct *parent, struct task_struct *child)
{
    __u32 pid = (__u32)parent->tgid, new = (__u32)child->tgid, *value;

    (void)ctx;
    value = pid == new ? NULL : bpf_map_lookup_elem(&targets, &pid);
    if (value)
        bpf_map_update_elem(&targets, &new, value, BPF_ANY);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(refuse_exit, struct task_struct *task)
{
    __u32 pid = (__u32)task->tgid;

    (void)ctx;
    if (task->pid == task->tgid)
        bpf_map_delete_elem(&targets, &pid);
    return 0;
}
