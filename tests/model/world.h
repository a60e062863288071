/* SPDX-License-Identifier: MIT
 *
 * Plays a sequence on real sockets and on the model. Up to three processes take turns: only one of
 * them acts at a time, and all of them share what lies in struct world.
 */
#ifndef WSRX_TESTS_MODEL_WORLD_H
#define WSRX_TESTS_MODEL_WORLD_H

#include "model.h"
#include "op.h"

#include <sys/socket.h>
#include <sys/types.h>

/* Shared by the processes, and with whoever watches over them. */
struct world {
    struct model model;
    struct sockaddr_storage name[MODEL_SOCKETS]; /* of a socket's sender */
    socklen_t name_length[MODEL_SOCKETS];
    pid_t pid[PROCESSES]; /* 0: there is none */
    unsigned turn, leaving;
    size_t at; /* the operation that is played */
    bool failed;
    char why[512];
    /* Of the watcher's interest only: */
    unsigned long sequence, operations; /* those that did something */
};

/* A process's descriptor of a socket. */
struct slot {
    bool open;
    int fd;
    unsigned socket;
    unsigned blocking; /* of its socket: enum blocking */
};

enum blocking { BLOCKING, NON_BLOCKING, TIMED };

extern struct world *world;
extern struct slot slots[SLOTS];
extern bool world_verbose;    /* say what is done */
extern unsigned world_player; /* the process's number */

/* True: as the model says. Otherwise world->why says what differs. */
bool world_play(const struct op *ops, size_t count);

/* The two differ. Does not return if this is not the first process. */
__attribute__((format(printf, 1, 2))) void world_diverges(const char *format, ...);
__attribute__((format(printf, 1, 2))) void world_says(const char *format, ...);

/* Of receive.c and wait.c. False: it makes no sense here. */
bool play_receive(const struct op *op);
bool play_wait(const struct op *op);
bool play_fionread(const struct op *op);
bool play_hold(const struct op *op);
bool play_add(const struct op *op);
bool play_modify(const struct op *op);
bool play_remove(const struct op *op);
bool play_epoll(const struct op *op);
/* Sets of epoll, each process its own: a set that is shared is one of the limits. */
enum { OWN_SETS = 2 };
void sets_open(void);
void sets_close(void);

#endif
