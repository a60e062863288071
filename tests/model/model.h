/* SPDX-License-Identifier: MIT
 *
 * A message socket under section 4 of the contract, as simple as it can be said: a queue of messages
 * and, of the first one, how much has been handed out. Nothing here makes a system call. All of it
 * lies in one structure without pointers, so that forked processes can share it.
 */
#ifndef WSRX_TESTS_MODEL_H
#define WSRX_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum { MODEL_QUEUE = 8, MODEL_SOCKETS = 16, MODEL_REGISTRATIONS = 128 };

enum model_kind { UDP4, UDP4_CONNECTED, UDP6, UNIX_PAIR, UNIX_NAMED, SEQ_PAIR, STREAM_PAIR, KINDS };
enum model_call { PLAIN, REPORTING, COOPERATING };
enum model_mode { MODE_CONTINUE, MODE_ERROR, MODE_DISCARD, MODE_OBSERVE, MODE_OFF };

/* What of the settings counts. */
struct model_settings {
    enum model_mode mode;
    bool calls_all, until_send, udp_only;
    bool absent; /* the library is not there */
};

struct model_message {
    unsigned number; /* of its content: see lib/pattern.h */
    size_t length, offset;
    bool rights;      /* a descriptor travels with it */
    bool first_named; /* the call that took the first part asked for the address */
};

struct model_socket {
    unsigned references; /* descriptors, of all processes */
    enum model_kind kind;
    bool ended; /* the sender has shut down */
    unsigned count;
    struct model_message queue[MODEL_QUEUE];
};

/* What a set of epoll was told. A descriptor's number and its socket are one registration. */
enum model_trigger { LEVEL, EDGE, ONE_SHOT };
struct model_registration {
    bool used, enabled;
    bool closed; /* the number is, but another descriptor keeps the socket */
    bool news;   /* edge: something has come that was not reported */
    unsigned set, socket;
    int fd;
    enum model_trigger trigger;
};

struct model {
    struct model_settings settings;
    unsigned messages; /* sent so far */
    struct model_socket socket[MODEL_SOCKETS];
    struct model_registration registration[MODEL_REGISTRATIONS];
};

struct model_span {
    unsigned message;
    size_t offset, length;
};

/* What a receive has to give. */
struct model_answer {
    long result; /* or a negative errno */
    unsigned spans;
    struct model_span span[MODEL_QUEUE]; /* the bytes in the buffer, also of a call that fails */
    bool truncated;                      /* MSG_TRUNC */
    bool rights;                         /* control data comes */
    bool named;                          /* the address must be there; otherwise it may */
};

/* `flags`: MSG_PEEK and MSG_TRUNC count. `asks`: for the address. */
void model_receive(struct model *model, unsigned socket, enum model_call call, size_t room,
                   int flags, bool asks, struct model_answer *ret_answer);
bool model_readable(const struct model *model, unsigned socket);
/* Bytes of the message before `offset` have been handed out: what remains of it; 0: no tail. */
size_t model_tail(const struct model *model, unsigned socket);
size_t model_bytes_ready(const struct model *model, unsigned socket); /* FIONREAD */
bool model_may_send(const struct model *model, unsigned socket, size_t length);
void model_send(struct model *model, unsigned socket, size_t length, bool rights);
void model_end(struct model *model, unsigned socket);
/* The receiver sends something. */
void model_reply(struct model *model, unsigned socket);
/* One reference less: `fd`, which was registered with these sets. */
void model_close(struct model *model, unsigned socket, int fd, unsigned first_set, unsigned sets);

/* epoll_ctl(2): 0 or a negative errno. The registration's index is the event's data. */
int model_register(struct model *model, unsigned set, int fd, unsigned socket,
                   enum model_trigger trigger, unsigned *ret_index);
int model_change(struct model *model, unsigned set, int fd, unsigned socket,
                 enum model_trigger trigger, unsigned *ret_index);
int model_unregister(struct model *model, unsigned set, int fd, unsigned socket);
/* Whether a wait may report the registration, and whether it must. */
bool model_may_report(const struct model *model, unsigned index);
bool model_must_report(const struct model *model, unsigned index);
void model_reported(struct model *model, unsigned index);
/* A wait on the set is over: what had nothing new then has no news any more. */
void model_waited(struct model *model, unsigned set);

#endif
