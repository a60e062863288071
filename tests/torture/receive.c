/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive.h"

#include "message.h"
#include "torture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bytes behind each buffer that must stay as they are. */
enum { GUARD = 16, GUARD_BYTE = 0xEE };

__thread bool receive_cancellable;

struct hands *hands_make(void)
{
    /* Two of the longest messages, the guards, and one page more. */
    size_t size = 2 * (MESSAGE_LONGEST + 65536);
    size_t head = (sizeof(struct hands) + 4095) & ~(size_t)4095;
    unsigned char *at = mmap(NULL, head + 2 * size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct hands *hands = (struct hands *)at;

    if (at == MAP_FAILED)
        cannot("no memory for buffers");
    hands->size = size;
    hands->buffer = at + head;
    hands->expected = at + head + size;
    return hands;
}

void hands_free(struct hands *hands)
{
    size_t head = (size_t)(hands->buffer - (unsigned char *)hands);

    munmap(hands, head + 2 * hands->size);
}

const char *call_name(enum call call)
{
    static const char *const names[] = {"recv",    "recvfrom",         "read",    "readv",
                                        "preadv2", "syscall recvfrom", "recvmsg", "recvmmsg"};

    return names[call];
}

void receive_choose(struct hands *hands, struct plan *plan, bool socket)
{
    hands->call = (enum call)plan_below(plan, CALLS);
    if (!socket)
        hands->call = plan_percent(plan, 50) ? CALL_READ : CALL_READV;
    hands->ask = plan_percent(plan, 50);
    hands->flags = 0;
}

static void guard(unsigned char *at)
{
    memset(at, GUARD_BYTE, GUARD);
}

static void check_guard(const struct hands *hands, const unsigned char *at)
{
    for (int i = 0; i < GUARD; i++) {
        if (at[i] != GUARD_BYTE) {
            fault(atomic_load(&place->socket), 0, (size_t)i,
                  "byte past the end of the buffer: expected 0x%02x, got 0x%02x (%s)", GUARD_BYTE,
                  at[i], call_name(hands->call));
            return;
        }
    }
}

/* Splits `room` into pieces that do not touch. Returns how many. */
static unsigned split(struct hands *hands, struct plan *plan, size_t room)
{
    /* UIO_FASTIOV is 8, so at times more. */
    unsigned pieces = 1 + plan_below(plan, plan_percent(plan, 10) ? PIECES : 6), used = 0;
    unsigned char *at = hands->buffer;

    while (used + 1 < pieces) {
        size_t size = room > 0 ? plan_size(plan, room) : 0;

        if (plan_percent(plan, 5))
            size = 0;
        hands->iov[used++] = (struct iovec){at, size};
        guard(at + size);
        at += size + GUARD;
        room -= size;
    }
    hands->iov[used++] = (struct iovec){at, room};
    guard(at + room);
    return used;
}

/* Brings what was received into one piece. */
static void join(struct hands *hands, unsigned pieces, size_t length)
{
    unsigned char *to = hands->buffer;

    for (unsigned i = 0; i < pieces; i++)
        check_guard(hands, (unsigned char *)hands->iov[i].iov_base + hands->iov[i].iov_len);
    for (unsigned i = 0; i < pieces && length > 0; i++) {
        size_t piece = hands->iov[i].iov_len < length ? hands->iov[i].iov_len : length;

        memmove(to, hands->iov[i].iov_base, piece);
        to += piece;
        length -= piece;
    }
}

static struct msghdr header(struct part *part, struct iovec *iov, size_t iovlen, bool ask)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = iovlen};

    if (ask) {
        msg.msg_name = &part->peer;
        msg.msg_namelen = sizeof part->peer;
    }
    part->has_peer = ask;
    return msg;
}

/* Once it has returned, nothing up to cancellable(false) is a cancellation point. */
static void cancellable(bool on)
{
    if (receive_cancellable)
        pthread_setcancelstate(on ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE, NULL);
}

static int receive_many(struct hands *hands, int fd, size_t room, unsigned slots)
{
    int count;

    for (unsigned i = 0; i < slots; i++) {
        struct part *part = &hands->part[i];

        *part = (struct part){.at = hands->buffer + i * (room + GUARD), .room = room};
        guard(part->at + room);
        hands->iov[i] = (struct iovec){part->at, room};
        hands->slot[i] = (struct mmsghdr){header(part, &hands->iov[i], 1, hands->ask), 0};
    }
    cancellable(true);
    count = recvmmsg(fd, hands->slot, slots, hands->flags | MSG_WAITFORONE, NULL);
    cancellable(false);
    if (count < 0)
        return -errno;
    if (count == 0 || (unsigned)count > slots) {
        fault(atomic_load(&place->socket), 0, 0, "recvmmsg of %u slots: expected 1 to %u, got %d",
              slots, slots, count);
        return -EIO;
    }
    hands->parts = (unsigned)count;
    for (unsigned i = 0; i < hands->parts; i++) {
        hands->part[i].length = hands->slot[i].msg_len;
        hands->part[i].msg_flags = hands->slot[i].msg_hdr.msg_flags;
        hands->part[i].peer_length = hands->slot[i].msg_hdr.msg_namelen;
        check_guard(hands, hands->part[i].at + room);
    }
    return 0;
}

static ssize_t receive_one(struct hands *hands, struct plan *plan, int fd, size_t room,
                           unsigned *ret_pieces)
{
    struct part *part = &hands->part[0];
    struct sockaddr *name = hands->ask ? (struct sockaddr *)&part->peer : NULL;
    socklen_t *length = hands->ask ? &part->peer_length : NULL;
    struct msghdr msg;
    ssize_t result;

    *ret_pieces = 0;
    switch (hands->call) {
    case CALL_RECV:
        return recv(fd, part->at, room, hands->flags);
    case CALL_RECVFROM:
        part->has_peer = hands->ask;
        return recvfrom(fd, part->at, room, hands->flags, name, length);
    case CALL_SYSCALL:
        part->has_peer = hands->ask;
        return syscall(SYS_recvfrom, fd, part->at, room, hands->flags, name, length);
    case CALL_READ:
        return read(fd, part->at, room);
    case CALL_READV:
        *ret_pieces = split(hands, plan, room);
        return readv(fd, hands->iov, (int)*ret_pieces);
    case CALL_PREADV2:
        *ret_pieces = split(hands, plan, room);
        return preadv2(fd, hands->iov, (int)*ret_pieces, -1, 0);
    default:
        *ret_pieces = split(hands, plan, room);
        msg = header(part, hands->iov, *ret_pieces, hands->ask);
        result = recvmsg(fd, &msg, hands->flags);
        part->msg_flags = msg.msg_flags;
        part->peer_length = msg.msg_namelen;
        return result;
    }
}

static int receive_some(struct hands *hands, struct plan *plan, int fd, size_t room, unsigned slots)
{
    struct part *part = &hands->part[0];
    unsigned pieces;
    ssize_t result;

    if (hands->call == CALL_RECVMMSG)
        return receive_many(hands, fd, room, slots);

    *part = (struct part){.at = hands->buffer, .room = room, .peer_length = sizeof part->peer};
    guard(part->at + room);
    cancellable(true);
    result = receive_one(hands, plan, fd, room, &pieces);
    cancellable(false);
    if (result < 0)
        return -errno;
    part->length = (size_t)result;
    hands->parts = 1;
    if (pieces)
        join(hands, pieces, part->length < room ? part->length : room);
    else
        check_guard(hands, part->at + room);
    if (part->length > room && !(hands->flags & MSG_TRUNC)) {
        fault(atomic_load(&place->socket), 0, 0, "%s: expected at most %zu bytes, got %zu",
              call_name(hands->call), room, part->length);
        return -EIO;
    }
    return 0;
}

int receive(struct hands *hands, struct plan *plan, int fd, size_t room, unsigned slots)
{
    int error;

    stand(call_name(hands->call), fd);
    count(&place->operations, 1);
    if (options.trace)
        dprintf(STDERR_FILENO, "%d: socket %u %s(%d, room %zu, flags 0x%x, %u slots)\n", gettid(),
                atomic_load(&place->socket), call_name(hands->call), fd, room,
                (unsigned)hands->flags, hands->call == CALL_RECVMMSG ? slots : 1);
    error = receive_some(hands, plan, fd, room, slots);
    if (options.trace && error)
        dprintf(STDERR_FILENO, "%d:   = %d\n", gettid(), error);
    for (unsigned i = 0; options.trace && !error && i < hands->parts; i++)
        dprintf(STDERR_FILENO, "%d:   = %zu\n", gettid(), hands->part[i].length);
    return error;
}
