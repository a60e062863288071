/* SPDX-License-Identifier: MIT
 *
 * One receive under way: what the files of the engine that make it have in common.
 *
 * receive.c         the way of a receive: who makes it
 * receive_record.c  the same while somebody wants a record of it
 * deliver.c         what the caller gets: bytes, address, result
 * hold_process.c    messages taken whole, their tails in the fragment table
 * hold_kernel.c     messages that stay in the socket's queue until their last part
 */
#ifndef WSRX_RECEIVING_H
#define WSRX_RECEIVING_H

#include "receive.h"

/* From the face's call to its result. The iovec array and the msghdr are our copies; what they
 * point to is the caller's. */
struct receive {
    int fd;
    int flags;
    enum call_kind kind;
    const struct iovec *iov;
    size_t iovlen;
    size_t room; /* bytes in all of iov */

    /* Where the peer's address goes: by recvfrom's pair, or by the msghdr. */
    struct sockaddr *name;
    socklen_t *namelen;
    struct msghdr *msg;

    struct spill *spill; /* acquired, or NULL */
    size_t touched;      /* bytes of it */
    bool held_before;    /* this part was the next one of a held message */
    bool control_came;   /* the control data of a message behind it is in the msghdr already */
    struct receive_report report;
    struct receive_site site;
    socklen_t name_room; /* for the peer's address; set where a record is wanted */
};

/* A message in our hands: taken from the kernel, nothing of it reported yet. */
struct taken {
    size_t length;
    const struct iovec *iov; /* its bytes */
    size_t iovlen;
    bool delivered; /* the kernel has put the first part in place */
    int msg_flags;
    socklen_t peer_length;
    const struct sockaddr *peer; /* NULL: not asked for */
    /* What the caller had room for, before the kernel or we wrote to the lengths. */
    socklen_t name_room;
    size_t control_room;
    /* Where the above may point to. */
    struct iovec whole;
    struct sockaddr_storage address;
};

/* Results of the ways of a receive beside those of receive.h. */
enum {
    NOTHING_HELD = INT_MIN + 1,   /* others have taken it all: the receive begins anew */
    HELD_BY_KERNEL = INT_MIN + 2, /* the next part is hold_kernel.c's to give */
};

/* How the receive asks, of enum message_how. */
static inline unsigned receive_how(const struct receive *receive)
{
    return (receive->flags & MSG_PEEK ? MESSAGE_PEEK : 0u) |
           (receive->flags & MSG_TRUNC ? MESSAGE_TRUNC : 0u);
}

/* Whether a system call in the midst of a message is to be made again, after `tries`: a pending
 * ICMP error makes a receive fail and leaves the message queued (seen). It comes once, is no news
 * of this message, and is due after it, if at all. One that comes again and again is the answer. */
static inline bool receive_again(ssize_t result, unsigned tries)
{
    enum { TRIES = 16 };

    return result < 0 && result != -EAGAIN && result != -EFAULT && result != -EBADF &&
           result != -ENOTSOCK && tries < TRIES;
}

/* --- receive.c --------------------------------------------------------------------------- */

/* Whether a call of this kind can be ours at all, by the settings and what is held. */
bool receive_concerns(enum call_kind kind);

/* A result, or RECEIVE_PASS. */
ssize_t receive_run(struct receive *receive);

/* The program's own call, with `added` to its flags. With MSG_TRUNC among them the report tells how
 * long the message was; it must be sure then that the socket is no stream, for what is cut off of
 * one in this way is gone (tcp(7)). RECEIVE_PASS: it is no socket, so the call is not the same. */
ssize_t receive_own(struct receive *receive, int added);

/* --- receive_record.c -------------------------------------------------------------------- */

/* receive_run(), and a record of what came of it. */
ssize_t receive_run_for_record(struct receive *receive);

/* The record alone. */
void receive_record(const struct receive *receive, ssize_t result);

/* --- deliver.c --------------------------------------------------------------------------- */

/* As the kernel's move_addr_to_user(): the part of the address that fits, and its full length. */
int deliver_name(const struct receive *receive, const struct sockaddr *peer, socklen_t length);

/* How much of an address the caller has room for, as long as nobody has written to its length. */
socklen_t deliver_name_room(const struct receive *receive);

/* Scatters bytes over the caller's buffers. A table_copy. */
int deliver_bytes(void *receive, const void *from, size_t size);

/* The result of a receive that got `part` of `remaining` bytes, by kind and mode. */
ssize_t deliver_part(struct receive *receive, const struct part *part, size_t remaining,
                     const struct held *held);

/* The same where the tail cannot be kept: it is lost, counted and told of. */
ssize_t deliver_cut(struct receive *receive, size_t length, const char *why);

/* --- hold_process.c ---------------------------------------------------------------------- */

/* The next part of what the table holds for the socket. A result, NOTHING_HELD or
 * HELD_BY_KERNEL. */
ssize_t hold_process_next(struct receive *receive, uint64_t cookie);

/* Takes a message whole: the system call, and nothing else. Needs the spill area, and one buffer
 * less than a call can have. A length, or a negative errno. */
ssize_t hold_process_take(struct receive *receive, struct taken *taken);

/* What came of it: gives what fits, and holds the rest. */
ssize_t hold_process_finish(struct receive *receive, ssize_t result, struct taken *taken);

/* Both. */
ssize_t hold_process_receive(struct receive *receive);

/* What came of a system call that took a message whole into the spill area; see receive.h. */
ssize_t hold_process_bounced(struct receive *receive, ssize_t result, socklen_t room);

/* --- hold_kernel.c ----------------------------------------------------------------------- */

/* Receives from a socket whose messages are peeked before they are taken, so by nobody without the
 * table's mutex. `parts`: a message that does not fit is handed over part by part; else the
 * program's own call is made. Waits as that does. Needs the spill area. */
ssize_t hold_kernel_receive(struct receive *receive, uint64_t cookie, bool parts);

/* An error of the socket (positive) that the next receive is to report. */
void hold_kernel_error(uint64_t cookie, int error);

#endif
