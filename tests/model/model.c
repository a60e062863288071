/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- receives ---------------------------------------------------------------------------- */

static bool selected(const struct model *model, const struct model_socket *socket)
{
    return socket->kind <= UDP6 || !model->settings.udp_only;
}

static bool applies(const struct model *model, const struct model_socket *socket)
{
    return !model->settings.absent && model->settings.mode != MODE_OFF && selected(model, socket);
}

/* Whether what does not fit is kept, for a message of which nothing has been handed out. */
static bool holds(const struct model *model, const struct model_socket *socket,
                  enum model_call call)
{
    const struct model_settings *settings = &model->settings;
    bool keeps = settings->mode == MODE_CONTINUE || settings->mode == MODE_ERROR;

    if (call == COOPERATING)
        return !settings->absent && selected(model, socket);
    return applies(model, socket) && keeps && (call == PLAIN || settings->calls_all);
}

static bool fails(const struct model *model, const struct model_socket *socket,
                  enum model_call call)
{
    enum model_mode mode = model->settings.mode;

    return applies(model, socket) && call == PLAIN && (mode == MODE_ERROR || mode == MODE_DISCARD);
}

static void pop(struct model_socket *socket)
{
    memmove(socket->queue, socket->queue + 1, --socket->count * sizeof *socket->queue);
}

static void add_span(struct model_answer *answer, const struct model_message *message,
                     size_t length)
{
    if (length > 0)
        answer->span[answer->spans++] =
            (struct model_span){message->number, message->offset, length};
}

/* A stream knows no messages. */
static void receive_bytes(struct model_socket *socket, size_t room, bool peek,
                          struct model_answer *answer)
{
    unsigned at = 0;

    while (at < socket->count && room > 0) {
        struct model_message *message = &socket->queue[peek ? at : 0];
        size_t rest = message->length - message->offset, given = room < rest ? room : rest;

        add_span(answer, message, given);
        answer->result += (long)given;
        room -= given;
        if (peek)
            at++;
        else if (given == rest)
            pop(socket);
        else
            message->offset += given;
    }
}

static void receive_message(struct model *model, struct model_socket *socket, enum model_call call,
                            size_t room, int flags, bool asks, struct model_answer *answer)
{
    struct model_message *message = socket->queue;
    size_t rest = message->length - message->offset, given = room < rest ? room : rest;
    bool tail = message->offset > 0, cut = given < rest;
    bool all = room > 0 && !(flags & (MSG_PEEK | MSG_TRUNC));

    answer->result = (long)(flags & MSG_TRUNC ? rest : given);
    answer->truncated = cut;
    answer->rights = message->rights && !tail;
    answer->named = !tail || message->first_named;
    add_span(answer, message, given);
    if (cut && all && fails(model, socket, call))
        answer->result = -EMSGSIZE;
    if (flags & MSG_PEEK)
        return;
    if (!tail)
        message->first_named = asks;
    if (cut && all && (tail || holds(model, socket, call)))
        message->offset += given;
    else
        pop(socket);
}

void model_receive(struct model *model, unsigned socket, enum model_call call, size_t room,
                   int flags, bool asks, struct model_answer *ret_answer)
{
    struct model_socket *from = &model->socket[socket];

    *ret_answer = (struct model_answer){.named = false};
    if (from->count == 0)
        ret_answer->result = from->ended ? 0 : -EAGAIN;
    else if (from->kind == STREAM_PAIR)
        receive_bytes(from, room, flags & MSG_PEEK, ret_answer);
    else
        receive_message(model, from, call, room, flags, asks, ret_answer);
}

bool model_readable(const struct model *model, unsigned socket)
{
    return model->socket[socket].count > 0 || model->socket[socket].ended;
}

size_t model_tail(const struct model *model, unsigned socket)
{
    const struct model_socket *of = &model->socket[socket];

    if (of->count == 0 || of->kind == STREAM_PAIR || of->queue->offset == 0)
        return 0;
    return of->queue->length - of->queue->offset;
}

size_t model_bytes_ready(const struct model *model, unsigned socket)
{
    const struct model_socket *of = &model->socket[socket];
    bool sums = of->kind == STREAM_PAIR || of->kind == SEQ_PAIR; /* so does Linux */
    size_t bytes = 0;

    if (model_tail(model, socket) > 0)
        return model_tail(model, socket);
    for (unsigned i = 0; i < of->count && (sums || i == 0); i++)
        bytes += of->queue[i].length - of->queue[i].offset;
    return bytes;
}

/* --- sends ------------------------------------------------------------------------------- */

bool model_may_send(const struct model *model, unsigned socket, size_t length)
{
    enum { BYTES_QUEUED = 65536 }; /* that fit into any socket's buffer */
    const struct model_socket *to = &model->socket[socket];
    size_t bytes = length;

    for (unsigned i = 0; i < to->count; i++)
        bytes += to->queue[i].length;
    return !to->ended && to->count < MODEL_QUEUE && (to->count == 0 || bytes <= BYTES_QUEUED) &&
           !(length == 0 && to->kind == STREAM_PAIR);
}

static void notice(struct model *model, unsigned socket)
{
    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++)
        if (model->registration[i].used && model->registration[i].socket == socket)
            model->registration[i].news = true;
}

void model_send(struct model *model, unsigned socket, size_t length, bool rights)
{
    struct model_socket *to = &model->socket[socket];

    to->queue[to->count++] =
        (struct model_message){.number = ++model->messages, .length = length, .rights = rights};
    notice(model, socket);
}

void model_end(struct model *model, unsigned socket)
{
    model->socket[socket].ended = true;
    notice(model, socket);
}

void model_reply(struct model *model, unsigned socket)
{
    if (model->settings.until_send && model_tail(model, socket) > 0)
        pop(&model->socket[socket]);
}

void model_close(struct model *model, unsigned socket, int fd, unsigned first_set, unsigned sets)
{
    bool last = --model->socket[socket].references == 0;

    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++) {
        struct model_registration *at = &model->registration[i];

        if (at->socket != socket)
            continue;
        at->used &= !last;
        at->closed |= at->fd == fd && at->set - first_set < sets;
    }
}

/* --- epoll ------------------------------------------------------------------------------- */

static struct model_registration *find(struct model *model, unsigned set, int fd, unsigned socket)
{
    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++) {
        struct model_registration *at = &model->registration[i];

        if (at->used && at->set == set && at->fd == fd && at->socket == socket)
            return at;
    }
    return NULL;
}

static void arm(const struct model *model, struct model_registration *at,
                enum model_trigger trigger)
{
    at->trigger = trigger;
    at->enabled = true;
    at->closed = false;
    at->news = model_readable(model, at->socket);
}

int model_register(struct model *model, unsigned set, int fd, unsigned socket,
                   enum model_trigger trigger, unsigned *ret_index)
{
    struct model_registration *at = model->registration;

    if (find(model, set, fd, socket))
        return -EEXIST;
    while (at->used)
        at++;
    *at = (struct model_registration){.used = true, .set = set, .fd = fd, .socket = socket};
    arm(model, at, trigger);
    *ret_index = (unsigned)(at - model->registration);
    return 0;
}

int model_change(struct model *model, unsigned set, int fd, unsigned socket,
                 enum model_trigger trigger, unsigned *ret_index)
{
    struct model_registration *at = find(model, set, fd, socket);

    if (!at)
        return -ENOENT;
    arm(model, at, trigger);
    *ret_index = (unsigned)(at - model->registration);
    return 0;
}

int model_unregister(struct model *model, unsigned set, int fd, unsigned socket)
{
    struct model_registration *at = find(model, set, fd, socket);

    if (!at)
        return -ENOENT;
    at->used = false;
    return 0;
}

bool model_may_report(const struct model *model, unsigned index)
{
    const struct model_registration *at = &model->registration[index];

    return at->used && at->enabled && model_readable(model, at->socket);
}

/* Whether there is more than a tail. */
static bool has_more(const struct model *model, unsigned socket)
{
    const struct model_socket *of = &model->socket[socket];

    return of->ended || of->count > (model_tail(model, socket) > 0);
}

/* An edge-triggered set need not show a tail: its program reads on until EAGAIN. Nor need a set of a
 * process that has closed its descriptor, though epoll(7) goes on as long as another one is open. */
bool model_must_report(const struct model *model, unsigned index)
{
    const struct model_registration *at = &model->registration[index];

    return model_may_report(model, index) && !at->closed &&
           (at->trigger != EDGE || (at->news && has_more(model, at->socket)));
}

void model_reported(struct model *model, unsigned index)
{
    struct model_registration *at = &model->registration[index];

    at->news = false;
    at->enabled = at->trigger != ONE_SHOT;
}

void model_waited(struct model *model, unsigned set)
{
    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++) {
        struct model_registration *at = &model->registration[i];

        if (at->used && at->set == set && !has_more(model, at->socket))
            at->news = false;
    }
}
