/* SPDX-License-Identifier: MIT
 *
 * What the observer reads of the kernel's structures: these members, wherever a kernel has them.
 *
 * libbpf finds each member by its name in the running kernel's BTF (CO-RE), so that these are no
 * copies of the structures, and one program is right for all kernels.
 */
#ifndef WSRX_OBSERVE_KERNEL_H
#define WSRX_OBSERVE_KERNEL_H

#include <linux/types.h>

#define KERNEL struct __attribute__((preserve_access_index))

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_VSOCK = 40 };
enum { SOCK_STREAM = 1 };
enum { MSG_PEEK = 2, MSG_TRUNC = 0x20 };
enum { PF_IO_WORKER = 0x10 };

/* --- sockets ----------------------------------------------------------------------------- */

KERNEL in6_addr
{
    union {
        __u8 u6_addr8[16];
    } in6_u;
};

KERNEL ns_common
{
    unsigned inum;
};

KERNEL net
{
    struct ns_common ns;
};

typedef struct {
    struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

typedef struct {
    long long counter;
} atomic64_t;

typedef struct {
    long counter;
} atomic_long_t;

KERNEL sock_common
{
    unsigned short skc_family;
    atomic64_t skc_cookie;
    __u32 skc_rcv_saddr;
    __u16 skc_num;
    possible_net_t skc_net;
    struct in6_addr skc_v6_rcv_saddr;
};

KERNEL sk_buff
{
    struct sk_buff *next;
    struct sock *sk;
    unsigned len;
    __be16 protocol;
    __u16 transport_header;
    __u16 network_header;
    int skb_iif;
    unsigned char *head;
    struct {
        struct {
            int counter;
        } refs;
    } __attribute__((preserve_access_index)) users;
};

KERNEL sk_buff_head
{
    struct sk_buff *next;
};

KERNEL sock
{
    struct sock_common __sk_common;
    struct sk_buff_head sk_receive_queue;
    __u16 sk_type;
    __u16 sk_protocol;
};

KERNEL udp_sock
{
    struct sk_buff_head reader_queue;
};

KERNEL sockaddr_un
{
    unsigned short sun_family;
};

KERNEL unix_address
{
    int len;
    struct sockaddr_un name[];
};

KERNEL mutex
{
    atomic_long_t owner;
};

KERNEL unix_sock
{
    struct unix_address *addr;
    struct mutex iolock;
    struct sock *peer;
};

KERNEL iov_iter
{
    unsigned long count;
};

KERNEL msghdr
{
    struct iov_iter msg_iter;
};

/* In a module, whose BTF only CAP_SYS_ADMIN can read: no program but those of vsock may ask for it. */
struct vsock_address {
    __u8 bytes[16];
};

struct vsock_sock {
    struct vsock_address local_addr, remote_addr;
} __attribute__((preserve_access_index));

KERNEL socket
{
    struct sock *sk;
};

/* --- who receives ------------------------------------------------------------------------ */

KERNEL file
{
    void *private_data;
};

/* What an iterator over the files of tasks is given. */
KERNEL bpf_iter__task_file
{
    __u32 fd;
    struct file *file;
};

KERNEL fdtable
{
    unsigned max_fds;
    struct file **fd;
};

KERNEL files_struct
{
    struct fdtable *fdt;
};

KERNEL thread_info
{
    __u32 status; /* x86 */
};

KERNEL task_struct
{
    struct thread_info thread_info;
    unsigned flags;
    int pid, tgid;
    struct files_struct *files;
    void *io_uring;
};

#endif
