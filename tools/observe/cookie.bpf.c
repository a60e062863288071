// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * In the kernel: the cookie of a socket of AF_UNIX, by the process and the descriptor.
 *
 * Reading an iterator runs this for each open file of the process. A socket has no cookie until
 * somebody asks; to ask in this way takes no rights over the process, and no copy of its descriptor.
 */
#include <linux/bpf.h>

#include "observe/event.h"
#include "observe/kernel.h"

#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual MIT/GPL";

volatile struct observe_cookie asked SEC(".data.asked") = {};

SEC("iter/task_file")
int find_cookie(struct bpf_iter__task_file *at)
{
    struct file *file = at->file;
    struct socket *socket;
    struct sock *sk;

    if (!file || (__s32)at->fd != asked.fd || asked.cookie)
        return 0;
    socket = bpf_sock_from_file(file);
    sk = socket ? socket->sk : NULL;
    if (sk && sk->__sk_common.skc_family == AF_UNIX)
        asked.cookie = bpf_get_socket_cookie(sk);
    return 0;
}
