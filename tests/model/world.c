/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "world.h"

#include "pattern.h"
#include "raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct world *world;
struct slot slots[SLOTS];
bool world_verbose;
unsigned world_player;

static int senders[MODEL_SOCKETS]; /* this process's descriptor; -1: none */
static int turns[PROCESSES][2];    /* a pipe each: a byte says that it is its turn */

void world_says(const char *format, ...)
{
    va_list list;

    if (!world_verbose)
        return;
    va_start(list, format);
    vdprintf(STDOUT_FILENO, format, list);
    va_end(list);
}

static void pass_turn(unsigned to)
{
    world->turn = to;
    raw_syscall(SYS_write, turns[to][1], (long)"", 1, 0, 0, 0);
}

static void await_turn(void)
{
    char byte;

    while (world->turn != world_player)
        raw_syscall(SYS_read, turns[world_player][0], (long)&byte, 1, 0, 0, 0);
}

void world_diverges(const char *format, ...)
{
    size_t at = 0;
    va_list list;

    if (world->failed)
        return;
    va_start(list, format);
    at = (size_t)snprintf(world->why, sizeof world->why, "process %u: ", world_player);
    vsnprintf(world->why + at, sizeof world->why - at, format, list);
    va_end(list);
    world->failed = true;
    world_says("   <- %s\n", world->why);
}

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    dprintf(STDERR_FILENO, "model: %s: %s\n", what, strerror(errno));
    _exit(3);
}

/* --- sockets ----------------------------------------------------------------------------- */

static void raw_close(int fd)
{
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void bind_any(int fd, int family)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    sa_family_t un = AF_UNIX; /* unix(7), autobind */
    const void *name = family == AF_INET ? (void *)&in : family == AF_INET6 ? (void *)&in6 : &un;
    size_t length = family == AF_INET ? sizeof in : family == AF_INET6 ? sizeof in6 : sizeof un;

    must(bind(fd, name, (socklen_t)length) == 0, "bind");
}

static void connect_to(int fd, int other)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;

    must(getsockname(other, (struct sockaddr *)&name, &length) == 0 &&
             connect(fd, (struct sockaddr *)&name, length) == 0,
         "connect");
}

static void make_pair(enum model_kind kind, int *ret_receiver, int *ret_sender)
{
    static const int families[KINDS] = {AF_INET, AF_INET, AF_INET6, AF_UNIX, AF_UNIX};
    static const int types[KINDS] = {
        [UNIX_PAIR] = SOCK_DGRAM, [SEQ_PAIR] = SOCK_SEQPACKET, [STREAM_PAIR] = SOCK_STREAM};
    int size = 4 << 20, fds[2];

    if (types[kind]) {
        must(socketpair(AF_UNIX, types[kind], 0, fds) == 0, "socketpair");
    } else {
        fds[0] = socket(families[kind], SOCK_DGRAM, 0);
        fds[1] = socket(families[kind], SOCK_DGRAM, 0);
        must(fds[0] >= 0 && fds[1] >= 0, "socket");
        bind_any(fds[0], families[kind]);
        bind_any(fds[1], families[kind]);
        connect_to(fds[1], fds[0]);
        if (kind == UDP4_CONNECTED)
            connect_to(fds[0], fds[1]);
    }
    if (setsockopt(fds[0], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *ret_receiver = fds[0];
    *ret_sender = fds[1];
}

/* The slot's descriptor is closed by now. */
static void forget_slot(struct slot *slot)
{
    unsigned socket = slot->socket;
    bool other = false;

    slot->open = false;
    model_close(&world->model, socket, slot->fd, world_player * OWN_SETS, OWN_SETS);
    for (unsigned i = 0; i < SLOTS; i++)
        other |= slots[i].open && slots[i].socket == socket;
    if (!other) {
        close(senders[socket]);
        senders[socket] = -1;
    }
}

static bool play_open(const struct op *op)
{
    struct slot *slot = &slots[op->slot];
    struct timeval short_time = {.tv_usec = 1000};
    enum model_kind kind = (enum model_kind)(op->a % KINDS);
    unsigned socket = 0;

    if (slot->open) {
        close(slot->fd);
        forget_slot(slot);
    }
    while (socket < MODEL_SOCKETS && world->model.socket[socket].references > 0)
        socket++;
    if (socket == MODEL_SOCKETS)
        return false;
    world->model.socket[socket] = (struct model_socket){.references = 1, .kind = kind};
    *slot = (struct slot){.open = true, .socket = socket, .blocking = op->b % 3};
    make_pair(kind, &slot->fd, &senders[socket]);
    world->name_length[socket] = sizeof *world->name;
    must(getsockname(senders[socket], (struct sockaddr *)&world->name[socket],
                     &world->name_length[socket]) == 0,
         "getsockname");
    if (slot->blocking == NON_BLOCKING)
        must(fcntl(slot->fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    if (slot->blocking == TIMED)
        must(setsockopt(slot->fd, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time) == 0,
             "SO_RCVTIMEO");
    world_says(" kind %d, socket %u, descriptor %d", (int)kind, socket, slot->fd);
    return true;
}

/* What lies in the receiver's queue, to see a datagram arrive; where nobody can say, always another
 * number. */
static unsigned queued(int fd)
{
    static unsigned calls;
    unsigned memory[16] = {0};
    socklen_t length = sizeof memory;

    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) == 0 ? memory[0] : ++calls;
}

static bool play_send(const struct op *op)
{
    static unsigned char bytes[1 << 17];
    struct slot *slot = &slots[op->slot];
    struct model_socket *socket = &world->model.socket[slot->socket];
    struct iovec iov = {bytes, op->length};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    bool udp = socket->kind <= UDP6, rights = !udp && op->a % 8 == 0 && socket->kind != STREAM_PAIR;
    unsigned before;

    if (!slot->open || (udp && op->length > 65487) ||
        !model_may_send(&world->model, slot->socket, op->length))
        return false;
    pattern_fill(bytes, world->model.messages + 1, 0, op->length);
    if (rights) {
        memcpy(CMSG_DATA(&control.header), &turns[0][0], sizeof(int));
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
    }
    before = udp ? queued(slot->fd) : 0;
    must(sendmsg(senders[slot->socket], &msg, MSG_DONTWAIT) == (ssize_t)op->length, "sendmsg");
    while (udp && queued(slot->fd) == before)
        raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    model_send(&world->model, slot->socket, op->length, rights);
    world_says(" message %u", world->model.messages);
    return true;
}

static int pass_descriptor(int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {(char[1]){0}, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    int fds[2], result;

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && sendmsg(fds[0], &msg, 0) == 1 &&
             recvmsg(fds[1], &msg, 0) == 1,
         "SCM_RIGHTS");
    memcpy(&result, CMSG_DATA(&control.header), sizeof result);
    close(fds[0]);
    close(fds[1]);
    return result;
}

static bool play_duplicate(const struct op *op)
{
    struct slot *from = &slots[op->slot], *to = &slots[op->a % SLOTS];
    unsigned how = op->b % 5;
    int old = to->open ? to->fd : -1, fd;

    if (!from->open || from == to)
        return false;
    world->model.socket[from->socket].references++;
    if (old >= 0 && how < 2) {
        fd = how == 0 ? dup2(from->fd, old) : dup3(from->fd, old, O_CLOEXEC);
        forget_slot(to);
    } else {
        if (old >= 0) {
            close(old);
            forget_slot(to);
        }
        fd = how == 2   ? fcntl(from->fd, F_DUPFD, 0)
             : how == 3 ? pass_descriptor(from->fd)
                        : dup(from->fd);
    }
    must(fd >= 0, "dup");
    *to = *from;
    to->fd = fd;
    world_says(" descriptor %d", fd);
    return true;
}

static bool is_registered(unsigned socket)
{
    const struct model_registration *at = world->model.registration;
    bool is = false;

    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++)
        is |= at[i].used && at[i].socket == socket;
    return is;
}

static bool play_close(const struct op *op)
{
    struct slot *slot = &slots[op->slot];

    if (!slot->open)
        return false;
    switch (op->a % 5) {
    case 0:
        /* Behind the library's back, but where a set would go on to show the tail. */
        if (is_registered(slot->socket))
            return false;
        raw_close(slot->fd);
        break;
    case 1:
        must(close_range((unsigned)slot->fd, (unsigned)slot->fd, 0) == 0, "close_range");
        break;
    case 2:
        must(fclose(fdopen(slot->fd, "r")) == 0, "fclose");
        break;
    default:
        must(close(slot->fd) == 0, "close");
    }
    forget_slot(slot);
    return true;
}

static bool play_finish(const struct op *op)
{
    struct slot *slot = &slots[op->slot];

    if (!slot->open || world->model.socket[slot->socket].kind < SEQ_PAIR)
        return false;
    must(shutdown(senders[slot->socket], SHUT_WR) == 0, "shutdown");
    model_end(&world->model, slot->socket);
    return true;
}

static bool play_reply(const struct op *op)
{
    struct slot *slot = &slots[op->slot];
    enum model_kind kind;
    struct iovec iov = {(char[1]){'r'}, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;
    char byte;

    if (!slot->open)
        return false;
    kind = world->model.socket[slot->socket].kind;
    if (kind == UDP4 || kind == UDP6 || kind == UNIX_NAMED) {
        msg.msg_name = &world->name[slot->socket];
        msg.msg_namelen = world->name_length[slot->socket];
    }
    if (op->a % 2 == 0)
        sent = sendmsg(slot->fd, &msg, 0);
    else if (msg.msg_name)
        sent = sendto(slot->fd, "r", 1, 0, msg.msg_name, msg.msg_namelen);
    else if (op->a % 3 == 0)
        sent = write(slot->fd, "r", 1);
    else
        sent = op->a % 3 == 1 ? writev(slot->fd, &iov, 1) : send(slot->fd, "r", 1, 0);
    must(sent == 1, "reply");
    while (raw_syscall(SYS_recvfrom, senders[slot->socket], (long)&byte, 1, MSG_DONTWAIT, 0, 0) > 0)
        ;
    model_reply(&world->model, slot->socket);
    return true;
}

/* --- processes --------------------------------------------------------------------------- */

static void play_on(const struct op *ops, size_t count);

static const struct op *all_ops;
static size_t all_count;

static void end_process(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].open)
            model_close(&world->model, slots[i].socket, slots[i].fd, world_player * OWN_SETS,
                        OWN_SETS);
    world->leaving = world_player;
    pass_turn(0);
    _exit(0);
}

static bool play_fork(const struct op *op)
{
    unsigned number = 1 + op->a % (PROCESSES - 1);
    pid_t pid;

    if (world_player != 0 || world->pid[number] != 0)
        return false;
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].open)
            world->model.socket[slots[i].socket].references++;
    pid = fork();
    must(pid >= 0, "fork");
    if (pid > 0) {
        world->pid[number] = pid;
        return true;
    }
    world_player = number;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    await_turn();
    sets_open();
    play_on(all_ops, all_count);
    end_process();
    return true;
}

static bool play_turn(const struct op *op)
{
    unsigned to = op->a % PROCESSES;

    if (to == world_player || (to != 0 && world->pid[to] == 0))
        return false;
    pass_turn(to);
    await_turn();
    return true;
}

static bool play_leave(const struct op *op)
{
    (void)op;
    if (world_player == 0)
        return false;
    end_process();
    return true;
}

static void bury(void)
{
    unsigned number = world->leaving;
    int status = 0;

    if (number == 0)
        return;
    waitpid(world->pid[number], &status, 0);
    world->pid[number] = 0;
    world->leaving = 0;
}

/* --- all of it --------------------------------------------------------------------------- */

#define OP_PLAYED(name) [OP_##name] = play_##name,
static bool (*const play[OP_KINDS])(const struct op *) = {OPS(OP_PLAYED)};
#undef OP_PLAYED

/* What the process does in its turns, up to the end of the sequence. */
static void play_on(const struct op *ops, size_t count)
{
    while (!world->failed && world->at < count) {
        const struct op *op = &ops[world->at++];
        unsigned player = world_player;
        bool acted;

        world_says("%zu process %u: %s %u", world->at - 1, player, op_names[op->kind], op->slot);
        if (op->kind == OP_turn || op->kind == OP_leave || op->kind == OP_fork)
            world_says("\n");
        acted = play[op->kind](op);
        if (world_player == 0)
            bury();
        world->operations += acted;
        if (op->kind != OP_turn && op->kind != OP_leave && op->kind != OP_fork)
            world_says("%s\n", acted ? "" : " nothing");
    }
}

static void end_others(void)
{
    for (unsigned i = 1; i < PROCESSES; i++) {
        if (world->pid[i] == 0)
            continue;
        if (world->failed)
            kill(world->pid[i], SIGKILL);
        else
            pass_turn(i);
        if (!world->failed)
            await_turn();
        waitpid(world->pid[i], NULL, 0);
        world->pid[i] = 0;
        world->leaving = 0;
    }
}

bool world_play(const struct op *ops, size_t count)
{
    struct model_settings settings = world->model.settings;

    memset(&world->model, 0, sizeof world->model);
    world->model.settings = settings;
    world->at = world->turn = world->leaving = 0;
    world->failed = false;
    for (unsigned i = 0; i < MODEL_SOCKETS; i++)
        senders[i] = -1;
    for (unsigned i = 0; i < PROCESSES; i++)
        must(pipe2(turns[i], O_CLOEXEC) == 0, "pipe");
    all_ops = ops;
    all_count = count;
    sets_open();

    play_on(ops, count);
    if (world->turn != 0) {
        /* A child has come to the end, or diverges. */
        await_turn();
        bury();
    }
    end_others();
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].open) {
            close(slots[i].fd);
            forget_slot(&slots[i]);
        }
    sets_close();
    for (unsigned i = 0; i < PROCESSES; i++) {
        raw_close(turns[i][0]);
        raw_close(turns[i][1]);
    }
    return !world->failed;
}
