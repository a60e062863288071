/* SPDX-License-Identifier: MIT
 *
 * One receive, by any call, and everything that it writes: against the model.
 */
#define _GNU_SOURCE
#include "world.h"

#include "pattern.h"
#include "wsrx_functions.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOM_MOST = 1 << 17, MESSAGES_MOST = 4, BLANK_BEHIND = 32, UNTOUCHED = 4321 };

/* glibc's fortified ones, which no header declares. */
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buflen, int flags);
ssize_t __read_chk(int fd, void *buf, size_t len, size_t buflen);

#define CALLS(CALL)       \
    CALL(recv)            \
    CALL(recvfrom)        \
    CALL(recvfrom_noname) \
    CALL(__recv_chk)      \
    CALL(read)            \
    CALL(__read_chk)      \
    CALL(readv)           \
    CALL(preadv2)         \
    CALL(sys_recvfrom)    \
    CALL(sys_read)        \
    CALL(recvmsg)         \
    CALL(recvmsg_parts)   \
    CALL(sys_recvmsg)     \
    CALL(recvmmsg)        \
    CALL(wsrx_receive)
#define CALL_NAME(name) CALL_##name,
enum call { CALLS(CALL_NAME) CALL_KINDS };
#undef CALL_NAME
#define CALL_NAME(name) #name,
static const char *const names[] = {CALLS(CALL_NAME)};
#undef CALL_NAME

/* A receive: what is called, and what it wrote. */
struct attempt {
    enum call call;
    int fd, flags;
    unsigned messages; /* of recvmmsg */
    size_t room;
    unsigned char *buffer; /* messages * room bytes, and some blank ones behind them */
    ssize_t result;
    int error;
    struct attempt_message {
        size_t length;
        int msg_flags, rights; /* rights: descriptors that came */
        socklen_t name_length;
        struct sockaddr_storage name;
    } message[MESSAGES_MOST];
};

static bool is_read(enum call call)
{
    return call == CALL_read || call == CALL___read_chk || call == CALL_readv ||
           call == CALL_preadv2 || call == CALL_sys_read;
}

static bool is_reporting(enum call call)
{
    return call >= CALL_recvmsg && call <= CALL_recvmmsg;
}

static bool asks_name(enum call call)
{
    return call == CALL_recvfrom || is_reporting(call) || call == CALL_wsrx_receive;
}

/* --- the calls --------------------------------------------------------------------------- */

/* One to three pieces. */
static int split(unsigned char *buffer, size_t room, bool parts, struct iovec *iov)
{
    size_t first = parts ? room / 3 : room, second = parts ? room / 2 : 0;

    iov[0] = (struct iovec){buffer, first};
    iov[1] = (struct iovec){buffer + first, second};
    iov[2] = (struct iovec){buffer + first + second, room - first - second};
    return parts ? 3 : 1;
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void prepare(struct attempt *attempt, unsigned i, struct msghdr *msg, struct iovec *iov,
                    union control *control)
{
    int pieces = split(attempt->buffer + i * attempt->room, attempt->room,
                       attempt->call == CALL_recvmsg_parts, iov);

    *msg = (struct msghdr){.msg_name = &attempt->message[i].name,
                           .msg_namelen = sizeof attempt->message[i].name,
                           .msg_iov = iov,
                           .msg_iovlen = (size_t)pieces,
                           .msg_control = control,
                           .msg_controllen = sizeof *control};
}

static void note(struct attempt_message *message, const struct msghdr *msg)
{
    message->name_length = msg->msg_namelen;
    message->msg_flags = msg->msg_flags;
    message->rights = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(msg); header;
         header = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, header)) {
        int fd;

        memcpy(&fd, CMSG_DATA(header), sizeof fd);
        message->rights++;
        close(fd);
    }
}

static void receive_reporting(struct attempt *attempt)
{
    struct mmsghdr vec[MESSAGES_MOST] = {0};
    struct iovec iov[MESSAGES_MOST][3];
    union control control[MESSAGES_MOST];
    ssize_t result;

    for (unsigned i = 0; i < attempt->messages; i++)
        prepare(attempt, i, &vec[i].msg_hdr, iov[i], &control[i]);
    errno = UNTOUCHED;
    if (attempt->call == CALL_recvmmsg)
        result = recvmmsg(attempt->fd, vec, attempt->messages, attempt->flags, NULL);
    else if (attempt->call == CALL_sys_recvmsg)
        result = syscall(SYS_recvmsg, attempt->fd, &vec->msg_hdr, attempt->flags);
    else
        result = recvmsg(attempt->fd, &vec->msg_hdr, attempt->flags);
    attempt->error = errno;
    attempt->result = result;
    if (attempt->call != CALL_recvmmsg) {
        vec->msg_len = (unsigned)result;
        result = result < 0 ? 0 : 1;
    }
    for (ssize_t i = 0; i < result; i++) {
        attempt->message[i].length = vec[i].msg_len;
        note(&attempt->message[i], &vec[i].msg_hdr);
    }
}

static ssize_t receive_plain(struct attempt *attempt)
{
    int fd = attempt->fd, flags = attempt->flags;
    unsigned char *buffer = attempt->buffer;
    size_t room = attempt->room;
    struct attempt_message *message = attempt->message;
    struct sockaddr *name = (struct sockaddr *)&message->name;
    struct wsrx_part part;
    struct iovec iov[3];
    ssize_t result;

    errno = UNTOUCHED;
    switch (attempt->call) {
    case CALL_recv:
        return recv(fd, buffer, room, flags);
    case CALL_recvfrom:
        message->name_length = sizeof message->name;
        return recvfrom(fd, buffer, room, flags, name, &message->name_length);
    case CALL_recvfrom_noname:
        return recvfrom(fd, buffer, room, flags, NULL, NULL);
    case CALL___recv_chk:
        return __recv_chk(fd, buffer, room, room, flags);
    case CALL_read:
        return read(fd, buffer, room);
    case CALL___read_chk:
        return __read_chk(fd, buffer, room, room);
    case CALL_readv:
        return readv(fd, iov, split(buffer, room, true, iov));
    case CALL_preadv2:
        return preadv2(fd, iov, split(buffer, room, true, iov), -1, 0);
    case CALL_sys_recvfrom:
        return syscall(SYS_recvfrom, fd, buffer, room, flags, NULL, NULL);
    case CALL_sys_read:
        return syscall(SYS_read, fd, buffer, room);
    default:
        result = wsrx_receive(fd, buffer, room, flags, &part);
        message->name_length = part.peer_length;
        message->name = part.peer;
        return result;
    }
}

static void receive_now(struct attempt *attempt)
{
    if (is_reporting(attempt->call)) {
        receive_reporting(attempt);
        return;
    }
    attempt->result = receive_plain(attempt);
    attempt->error = errno;
    attempt->message->length = (size_t)attempt->result;
}

static struct attempt *interrupted;

static void on_signal(int signal)
{
    (void)signal;
    receive_now(interrupted);
}

static void *in_thread(void *attempt)
{
    receive_now(attempt);
    return NULL;
}

static void receive_in(unsigned context, struct attempt *attempt)
{
    pthread_t thread;

    if (context == 0 && pthread_create(&thread, NULL, in_thread, attempt) == 0) {
        pthread_join(thread, NULL);
    } else if (context == 1) {
        interrupted = attempt;
        signal(SIGUSR1, on_signal);
        raise(SIGUSR1);
    } else {
        receive_now(attempt);
    }
}

/* --- the comparison ---------------------------------------------------------------------- */

static void check_bytes(const struct attempt *attempt, unsigned i,
                        const struct model_answer *answer)
{
    const unsigned char *at = attempt->buffer + i * attempt->room;
    size_t given = 0, blank = 0;

    for (unsigned j = 0; j < answer->spans; j++) {
        const struct model_span *span = &answer->span[j];

        if (pattern_match(at + given, span->length, span->message, span->offset, SIZE_MAX) !=
            span->length) {
            world_diverges("%s: the buffer has not bytes %zu to %zu of message %u",
                           names[attempt->call], span->offset, span->offset + span->length - 1,
                           span->message);
            return;
        }
        given += span->length;
    }
    /* Another message's part may follow. */
    while (blank < BLANK_BEHIND && given + blank < attempt->room &&
           at[given + blank] == PATTERN_BLANK)
        blank++;
    if (blank < BLANK_BEHIND && given + blank < attempt->room)
        world_diverges("%s: the buffer has bytes behind the %zu given ones", names[attempt->call],
                       given);
}

static void check_message(const struct attempt *attempt, unsigned i, unsigned socket,
                          const struct model_answer *answer)
{
    const struct attempt_message *message = &attempt->message[i];
    socklen_t whole = world->name_length[socket];
    bool stream = world->model.socket[socket].kind == STREAM_PAIR;
    /* Without a name: Linux says nothing, not even the family. */
    bool named = whole > sizeof(sa_family_t) && !stream;

    check_bytes(attempt, i, answer);
    if (answer->result < 0)
        return;
    if (is_reporting(attempt->call)) {
        int flags = message->msg_flags & (MSG_TRUNC | MSG_CTRUNC);

        if (flags != (answer->truncated ? MSG_TRUNC : 0))
            world_diverges("%s: msg_flags %x, the model wants %x", names[attempt->call],
                           (unsigned)message->msg_flags, answer->truncated ? MSG_TRUNC : 0u);
        if (message->rights != answer->rights)
            world_diverges("%s: %d descriptors came, in the model %d", names[attempt->call],
                           message->rights, answer->rights);
    }
    if (!named || !asks_name(attempt->call) || (answer->result == 0 && answer->spans == 0))
        return;
    if (answer->named || message->name_length != 0)
        if (message->name_length != whole ||
            memcmp(&message->name, &world->name[socket], whole) != 0)
            world_diverges("%s: the sender's address is wrong (length %u)", names[attempt->call],
                           message->name_length);
}

static void compare(struct attempt *attempt, unsigned socket)
{
    enum model_call kind = attempt->call == CALL_wsrx_receive ? COOPERATING
                           : is_reporting(attempt->call)      ? REPORTING
                                                              : PLAIN;
    struct model_answer answer = {.result = 0};
    unsigned i, spans = 0;
    long want;

    if (is_read(attempt->call) && attempt->room == 0) {
        want = 0;
    } else {
        for (i = 0; i < attempt->messages; i++) {
            model_receive(&world->model, socket, kind, attempt->room, attempt->flags,
                          asks_name(attempt->call), &answer);
            if (attempt->call == CALL_recvmmsg && answer.result < 0)
                break;
            if (attempt->call == CALL_recvmmsg && attempt->result >= 0 &&
                i < (unsigned)attempt->result &&
                attempt->message[i].length != (size_t)answer.result)
                world_diverges("recvmmsg: message %u has %zu bytes, in the model %ld", i,
                               attempt->message[i].length, answer.result);
            check_message(attempt, i, socket, &answer);
            spans += answer.spans;
        }
        want = attempt->call == CALL_recvmmsg && i > 0 ? (long)i : answer.result;
    }
    if (attempt->result != (want < 0 ? -1 : want) ||
        attempt->error != (want < 0 ? (int)-want : UNTOUCHED))
        world_diverges("%s returns %zd and errno %d (%s), the model wants %ld",
                       names[attempt->call], attempt->result, attempt->error,
                       strerror(attempt->error), want);
}

/* --- one of them ------------------------------------------------------------------------- */

static int flags_of(const struct op *op, enum call call, bool stream)
{
    int flags = 0;

    if (is_read(call))
        return 0;
    if (op->b % 4 == 0)
        flags |= MSG_PEEK;
    if (op->b / 4 % 8 == 0 && !stream)
        flags |= MSG_TRUNC;
    if (op->b / 32 % 2 == 0)
        flags |= MSG_DONTWAIT;
    return flags;
}

/* Whether it would sleep for ever; where a flag helps, it is set. */
static bool would_sleep(const struct slot *slot, const struct op *op, struct attempt *attempt)
{
    bool short_wait = slot->blocking == TIMED && op->c / 4 % 32 == 31;

    if (attempt->call == CALL_recvmmsg)
        attempt->flags |= model_readable(&world->model, slot->socket) && op->c % 2 ? MSG_WAITFORONE
                                                                                   : MSG_DONTWAIT;
    if (slot->blocking == NON_BLOCKING || short_wait || model_readable(&world->model, slot->socket))
        return false;
    if (is_read(attempt->call))
        return true;
    attempt->flags |= MSG_DONTWAIT;
    return false;
}

bool play_receive(const struct op *op)
{
    static unsigned char known[ROOM_MOST * MESSAGES_MOST];
    const struct slot *slot = &slots[op->slot];
    struct attempt attempt = {.call = (enum call)(op->a % CALL_KINDS), .messages = 1};
    bool stream, fresh = op->c % 4 == 3;

    if (!slot->open)
        return false;
    if (attempt.call == CALL_wsrx_receive && !wsrx_receive)
        attempt.call = CALL_recv;
    stream = world->model.socket[slot->socket].kind == STREAM_PAIR;
    attempt.fd = slot->fd;
    attempt.flags = flags_of(op, attempt.call, stream);
    attempt.room = op->length > 0 || !stream ? op->length : 1;
    if (attempt.call == CALL_recvmmsg)
        attempt.messages = 1 + op->b / 64;
    if (would_sleep(slot, op, &attempt))
        return false;
    /* A page that is new to the library, or one in which it has seen the kernel write. */
    attempt.buffer =
        fresh ? mmap(NULL, sizeof known, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
              : known;
    memset(attempt.buffer, PATTERN_BLANK, attempt.messages * attempt.room);
    receive_in(op->c / 4 % 32, &attempt);
    world_says(" %s room %zu flags %x -> %zd (errno %d)", names[attempt.call], attempt.room,
               (unsigned)attempt.flags, attempt.result, attempt.error);
    compare(&attempt, slot->socket);
    if (fresh)
        munmap(attempt.buffer, sizeof known);
    return true;
}
