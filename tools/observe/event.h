/* SPDX-License-Identifier: MIT
 *
 * What the programs in the kernel and the command tell each other.
 */
#ifndef WSRX_OBSERVE_EVENT_H
#define WSRX_OBSERVE_EVENT_H

#include <linux/types.h>

enum { OBSERVE_ADDRESS = 112, OBSERVE_COMM = 16, OBSERVE_SOCKETS = 16384, OBSERVE_TARGETS = 16384 };

/* By which system call; those of struct record, as far as the kernel can tell them apart. */
enum observe_call {
    OBSERVE_UNKNOWN,
    OBSERVE_RECV, /* recvfrom without an address */
    OBSERVE_RECVFROM,
    OBSERVE_RECVMSG,
    OBSERVE_RECVMMSG,
    OBSERVE_READ,
    OBSERVE_READV,
    OBSERVE_PREADV2,
    OBSERVE_IO_URING, /* the descriptor is not known */
};

/* Set before the programs are loaded. */
struct observe_config {
    __u32 pid;    /* 0: all processes */
    __u32 events; /* whether each lost message is to be an event */
    __u32 all;    /* whether receives that lose nothing are counted as well */
    __u32 always; /* refuse: each receive, and not each message once */
    __u32 system; /* refuse: all processes */
    __u32 cgroup; /* refuse: those in the control group of the map */
};

struct observe_address {
    __u32 length; /* 0: not known, or no name */
    __u8 bytes[OBSERVE_ADDRESS];
};

/* One message that lost bytes. */
struct observe_event {
    __u64 time; /* nanoseconds of CLOCK_MONOTONIC */
    __u64 cookie, cgroup, caller;
    __u32 pid, tid;
    __u32 netns;
    __u32 call; /* enum observe_call */
    __s32 fd;   /* -1: not known */
    __u32 length, given;
    __u32 reserved;
    char comm[OBSERVE_COMM];
    struct observe_address local, peer;
};

struct observe_key {
    __u64 cookie; /* 0: the socket had none yet; then the descriptor tells which it is */
    __u32 pid;
    __s32 fd; /* else 0 */
};

/* Of a process and socket. */
struct observe_sums {
    __u64 messages, bytes;     /* received; only if `all` is asked for */
    __u64 lost_messages, lost; /* lost: bytes */
    __u64 told;                /* of the lost messages, those whose call reports MSG_TRUNC */
    __u64 last;                /* time of the last loss, CLOCK_MONOTONIC */
    __u64 cgroup;
    __u32 longest;    /* message */
    __u32 least_room; /* the smallest buffer that was too short; 0 may be one */
    __u32 netns;
    __u32 calls; /* a bit for each enum observe_call that lost bytes */
    __s32 fd;
    __u32 family;
    char comm[OBSERVE_COMM];
    struct observe_address local;
};

/* Which socket of AF_UNIX of a process is to have a cookie; and that, or 0. */
struct observe_cookie {
    __s32 fd;
    __u32 reserved;
    __u64 cookie;
};

/* Numbers in the map `counts`. */
enum observe_count {
    OBSERVE_EVENTS_LOST, /* there was no room for them in the ring buffer */
    OBSERVE_REFUSED,
    OBSERVE_NO_RECEIVER, /* AF_UNIX: cut, and only the end of the receive tells whose it is */
    OBSERVE_COUNTS,
};

#endif
