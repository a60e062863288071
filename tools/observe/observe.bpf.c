// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * In the kernel: sees each message that a receive has cut.
 *
 * UDP: skb_consume_udp(sk, skb, len) ends each receive. skb->len is the message's length, and `len`
 * what was given; a peek has it negative, and a receive with MSG_TRUNC has both equal.
 * AF_UNIX: the tracepoint skb_copy_datagram_iovec has both lengths, but neither the receiver nor the
 * flags. The registers of the call have these, unless the receive is one of io_uring. So a receive that
 * loses nothing runs one program. Only while receives are cut whose receiver the registers do not
 * tell, the command attaches a program for the end of a receive, which has both: the exit of
 * __unix_dgram_recvmsg, or, from kernel 6.3, the tracepoint sock_recv_length, which needs no trampoline.
 * The lengths of such a receive are then kept for the thread until that end.
 * Records of vsock: the end of virtio_transport_seqpacket_dequeue has the length, and that of
 * vsock_connectible_recvmsg what was given.
 */
#include <linux/bpf.h>

#include "observe/event.h"
#include "observe/kernel.h"

#include "observe/caller.h"
#include "observe/counts.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "Dual MIT/GPL";

const volatile struct observe_config config SEC(".rodata.config") = {};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, OBSERVE_SOCKETS);
    __type(key, struct observe_key);
    __type(value, struct observe_sums);
} sums SEC(".maps");

/* A message of AF_UNIX or vsock that is being cut by this thread. */
struct cut {
    __u32 length, given;
    struct observe_address peer, local; /* local: vsock */
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct cut);
} cuts SEC(".maps");

/* Threads that are cutting one: nearly always none, and then nothing is looked up. One that never comes
 * to the end of its receive leaves it too high, which is only slower. */
static __u32 cutting;

/* Set by the command, while a program for the end of a receive is attached. */
volatile __u32 ends SEC(".data.ends") = 0;

static const struct observe_sums no_sums;

/* --- addresses --------------------------------------------------------------------------- */

/* struct sockaddr_in and sockaddr_in6, in the order of the network. */
static void put_inet(struct observe_address *to, __be16 port, const void *address, int v6,
                     int scope)
{
    *(__u16 *)to->bytes = v6 ? AF_INET6 : AF_INET;
    *(__be16 *)(to->bytes + 2) = port;
    if (!v6) {
        to->length = 16;
        bpf_probe_read_kernel(to->bytes + 4, 4, address);
        return;
    }
    to->length = 28;
    bpf_probe_read_kernel(to->bytes + 8, 16, address);
    if (to->bytes[8] == 0xfe && (to->bytes[9] & 0xc0) == 0x80)
        *(__u32 *)(to->bytes + 24) = (__u32)scope;
}

static void put_unix(struct observe_address *to, const struct sock *sk)
{
    struct unix_address *name = BPF_CORE_READ((const struct unix_sock *)sk, addr);
    unsigned length;

    if (!name)
        return;
    length = (unsigned)BPF_CORE_READ(name, len);
    if (length > OBSERVE_ADDRESS - 2)
        length = OBSERVE_ADDRESS - 2;
    if (bpf_probe_read_kernel(to->bytes, length, &name->name) == 0)
        to->length = length;
}

/* Only of AF_UNIX the socket may be unknown. */
static __u16 family_of(const struct sock *sk)
{
    return sk ? BPF_CORE_READ(sk, __sk_common.skc_family) : AF_UNIX;
}

static void put_local(struct observe_address *to, const struct sock *sk)
{
    __u16 family = family_of(sk);
    __be16 port = bpf_htons(BPF_CORE_READ(sk, __sk_common.skc_num));

    if (family == AF_UNIX) {
        *(__u16 *)to->bytes = AF_UNIX;
        to->length = 2; /* as getsockname(2) has it for a socket without a name */
        put_unix(to, sk);
    }
    if (family == AF_INET)
        put_inet(to, port, &sk->__sk_common.skc_rcv_saddr, 0, 0);
    if (family == AF_INET6)
        put_inet(to, port, &sk->__sk_common.skc_v6_rcv_saddr, 1, 0);
}

/* A sender over IPv4 has a mapped address on a socket of IPv6. */
static void put_udp_peer(struct observe_address *to, const struct sock *sk,
                         const struct sk_buff *skb)
{
    const unsigned char *head = BPF_CORE_READ(skb, head);
    const unsigned char *network = head + BPF_CORE_READ(skb, network_header);
    int v6 = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6;
    __be16 port = 0;

    bpf_probe_read_kernel(&port, sizeof port, head + BPF_CORE_READ(skb, transport_header));
    if (!v6) {
        put_inet(to, port, network + 12, 0, 0);
    } else if (BPF_CORE_READ(skb, protocol) == bpf_htons(0x86dd)) {
        put_inet(to, port, network + 8, 1, BPF_CORE_READ(skb, skb_iif));
    } else {
        put_inet(to, port, network + 12, 0, 0);
        __builtin_memcpy(to->bytes + 20, to->bytes + 4, 4);
        __builtin_memset(to->bytes + 4, 0, 14);
        to->bytes[18] = to->bytes[19] = 0xff;
        *(__u16 *)to->bytes = AF_INET6;
        to->length = 28;
    }
}

/* --- what was lost ----------------------------------------------------------------------- */

struct loss {
    const struct sock *sk;               /* NULL: not known */
    __u64 cookie;                        /* 0: it has none yet */
    const struct sk_buff *skb;           /* UDP: has the peer */
    const struct observe_address *peer;  /* AF_UNIX and vsock */
    const struct observe_address *local; /* vsock */
    __u32 length, given;
};

static int is_wanted(void)
{
    return config.pid == 0 || bpf_get_current_pid_tgid() >> 32 == config.pid;
}

static void put_local_of(struct observe_address *to, const struct loss *loss)
{
    if (loss->local)
        __builtin_memcpy(to, loss->local, sizeof *to);
    else
        put_local(to, loss->sk);
}

/* The row of this process and socket, or NULL. */
static struct observe_sums *sums_of(const struct loss *loss, __s32 fd)
{
    const struct sock *sk = loss->sk;
    struct observe_key key = {.cookie = loss->cookie,
                              .pid = bpf_get_current_pid_tgid() >> 32,
                              .fd = loss->cookie ? 0 : fd};
    struct observe_sums *row = bpf_map_lookup_elem(&sums, &key);

    if (row)
        return row;
    bpf_map_update_elem(&sums, &key, &no_sums, BPF_NOEXIST);
    row = bpf_map_lookup_elem(&sums, &key);
    if (row) {
        row->least_room = ~0u;
        row->fd = -1;
        row->family = family_of(sk);
        row->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
        row->cgroup = bpf_get_current_cgroup_id();
        bpf_get_current_comm(row->comm, sizeof row->comm);
        put_local_of(&row->local, loss);
    }
    return row;
}

/* A message that fitted. */
static void count_fitting(struct sock *sk, __u32 length)
{
    const struct loss none = {.sk = sk, .cookie = bpf_get_socket_cookie(sk)};
    struct observe_sums *row = sums_of(&none, 0);

    if (!row)
        return;
    __sync_fetch_and_add(&row->messages, 1);
    __sync_fetch_and_add(&row->bytes, length);
}

static void count_loss(const struct loss *loss, const struct caller *by)
{
    struct observe_sums *row = sums_of(loss, by->fd);

    if (!row)
        return;
    __sync_fetch_and_add(&row->messages, 1);
    __sync_fetch_and_add(&row->bytes, loss->given);
    __sync_fetch_and_add(&row->lost_messages, 1);
    __sync_fetch_and_add(&row->lost, loss->length - loss->given);
    if (by->call == OBSERVE_RECVMSG || by->call == OBSERVE_RECVMMSG)
        __sync_fetch_and_add(&row->told, 1);
    row->last = bpf_ktime_get_ns();
    row->calls |= 1u << by->call;
    if (by->fd >= 0)
        row->fd = by->fd;
    if (loss->length > row->longest)
        row->longest = loss->length;
    if (loss->given < row->least_room)
        row->least_room = loss->given;
}

static void tell(const struct loss *loss, const struct caller *by)
{
    struct observe_event *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
    __u64 id = bpf_get_current_pid_tgid();
    const struct sock *sk = loss->sk;

    if (!event) {
        count(OBSERVE_EVENTS_LOST);
        return;
    }
    __builtin_memset(event, 0, sizeof *event);
    event->time = bpf_ktime_get_ns();
    event->cookie = loss->cookie;
    event->cgroup = bpf_get_current_cgroup_id();
    event->caller = by->ip;
    event->pid = id >> 32;
    event->tid = (__u32)id;
    event->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    event->call = by->call;
    event->fd = by->fd;
    event->length = loss->length;
    event->given = loss->given;
    bpf_get_current_comm(event->comm, sizeof event->comm);
    put_local_of(&event->local, loss);
    if (loss->skb)
        put_udp_peer(&event->peer, sk, loss->skb);
    else if (loss->peer)
        __builtin_memcpy(&event->peer, loss->peer, sizeof event->peer);
    bpf_ringbuf_submit(event, 0);
}

static void lose(const struct loss *loss, const struct caller *by)
{
    count_loss(loss, by);
    if (config.events)
        tell(loss, by);
}

/* A receive of this socket, which has one of the kernel's arguments for it. */
static void lose_of(struct sock *sk, struct loss *loss)
{
    struct caller by;

    if (!is_wanted())
        return;
    loss->sk = sk;
    loss->cookie = bpf_get_socket_cookie(sk);
    find_caller(sk, &by);
    lose(loss, &by);
}

/* --- UDP --------------------------------------------------------------------------------- */

static void lose_udp(struct sock *sk, const struct sk_buff *skb, __u32 given)
{
    struct loss loss = {.skb = skb, .length = skb->len, .given = given};

    lose_of(sk, &loss);
}

SEC("fentry/skb_consume_udp")
int BPF_PROG(observe_udp, struct sock *sk, struct sk_buff *skb, int len)
{
    (void)ctx;
    if (len < 0)
        return 0;
    if ((__u32)len >= skb->len) {
        if (config.all && is_wanted())
            count_fitting(sk, skb->len);
        return 0;
    }
    /* A peek without a buffer has 0, which is not negative; but the queue still has the message. */
    if (len == 0 && skb->users.refs.counter > 1)
        return 0;
    lose_udp(sk, skb, (__u32)len);
    return 0;
}

/* --- AF_UNIX ----------------------------------------------------------------------------- */

/* For the end of this thread's receive. NULL: no memory. */
static struct cut *keep_cut(__u32 length, __u32 given)
{
    struct cut *cut = bpf_task_storage_get(&cuts, bpf_get_current_task_btf(), NULL,
                                           BPF_LOCAL_STORAGE_GET_F_CREATE);

    if (!cut)
        return NULL;
    if (cut->length == 0)
        __sync_fetch_and_add(&cutting, 1);
    cut->length = length;
    cut->given = given;
    __builtin_memset(&cut->peer, 0, sizeof cut->peer);
    return cut;
}

static void keep_unix(const struct sk_buff *skb, const struct sock *from, __u32 given)
{
    struct cut *cut = keep_cut(skb->len, given);

    if (cut)
        put_unix(&cut->peer, from);
}

/* There is no pointer to the receiver here by which the kernel would make a cookie, but it may have
 * one. A message that is peeked at stays in the queue. */
static void lose_unix(const struct sk_buff *skb, const struct sock *from, __u32 given)
{
    struct loss loss = {.length = skb->len, .given = given};
    struct observe_address peer = {};
    struct caller by;
    const struct sock *sk = find_receiver(&by);

    if (skb->next || (by.flags & (MSG_PEEK | MSG_TRUNC)))
        return;
    if (!sk)
        count(OBSERVE_NO_RECEIVER);
    if (ends && (!sk || config.all)) {
        keep_unix(skb, from, given);
        return;
    }
    loss.sk = sk;
    loss.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
    put_unix(&peer, from);
    loss.peer = &peer;
    lose(&loss, &by);
}

SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(observe_copy, const struct sk_buff *skb, int len)
{
    const struct sock *from;

    (void)ctx;
    if ((__u32)len >= skb->len)
        return 0;
    from = skb->sk; /* the sender: of others than AF_UNIX it is another socket, or none */
    if (!from || from->__sk_common.skc_family != AF_UNIX || from->sk_type == SOCK_STREAM ||
        !is_wanted())
        return 0;
    lose_unix(skb, from, (__u32)len);
    return 0;
}

static __always_inline int may_have_cut(void)
{
    return config.all || *(volatile __u32 *)&cutting > 0;
}

/* The end of a receive that has cut a message, perhaps; or has failed after that. */
static void end_unix(struct sock *sk, int flags, int given)
{
    struct cut *cut = bpf_task_storage_get(&cuts, bpf_get_current_task_btf(), NULL, 0);
    struct loss loss = {};
    __u32 length = cut ? cut->length : 0;

    if (length > 0) {
        cut->length = 0;
        __sync_fetch_and_sub(&cutting, 1);
        loss.length = length;
        loss.given = cut->given;
        loss.peer = &cut->peer;
    }
    if (given < 0 || (flags & MSG_PEEK))
        return;
    if (length > 0 && !(flags & MSG_TRUNC) && (__u32)given == loss.given)
        lose_of(sk, &loss);
    else if (config.all && is_wanted())
        count_fitting(sk, (__u32)given);
}

SEC("fexit/__unix_dgram_recvmsg")
int BPF_PROG(observe_unix, struct sock *sk, struct msghdr *msg, unsigned long size, int flags,
             int given)
{
    (void)ctx, (void)msg, (void)size;
    if (may_have_cut())
        end_unix(sk, flags, given);
    return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(observe_length, struct sock *sk, int given, int flags)
{
    (void)ctx;
    if (may_have_cut() && sk->__sk_common.skc_family == AF_UNIX && sk->sk_type != SOCK_STREAM)
        end_unix(sk, flags, given);
    return 0;
}

/* --- vsock ------------------------------------------------------------------------------- */

static void put_vsock(struct observe_address *to, const struct vsock_address *from)
{
    to->length = sizeof *from;
    bpf_probe_read_kernel(to->bytes, sizeof *from, from);
}

/* What has filled the buffer may be cut. */
SEC("fexit/virtio_transport_seqpacket_dequeue")
int BPF_PROG(observe_record, struct vsock_sock *vsk, struct msghdr *msg, int flags, long length)
{
    struct cut *cut;

    (void)ctx, (void)flags;
    if (length <= 0 || msg->msg_iter.count > 0 || !is_wanted())
        return 0;
    cut = keep_cut((__u32)length, 0);
    if (!cut)
        return 0;
    put_vsock(&cut->peer, &vsk->remote_addr);
    put_vsock(&cut->local, &vsk->local_addr);
    return 0;
}

SEC("fexit/vsock_connectible_recvmsg")
int BPF_PROG(observe_vsock, struct socket *sock, struct msghdr *msg, unsigned long size, int flags,
             int given)
{
    struct cut *cut = bpf_task_storage_get(&cuts, bpf_get_current_task_btf(), NULL, 0);
    struct loss loss = {.given = (__u32)given};
    struct sock *sk = sock->sk;

    (void)ctx, (void)msg, (void)size;
    if (!cut || cut->length == 0)
        return 0;
    loss.length = cut->length;
    loss.peer = &cut->peer;
    loss.local = &cut->local;
    cut->length = 0;
    __sync_fetch_and_sub(&cutting, 1);
    if (sk && given >= 0 && (__u32)given < loss.length && !(flags & (MSG_PEEK | MSG_TRUNC)))
        lose_of(sk, &loss);
    return 0;
}
