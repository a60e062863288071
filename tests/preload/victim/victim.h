/* SPDX-License-Identifier: MIT */
/*
 * The victim: a small program that knows nothing of libwsrx and plays a transcript, one line an
 * operation, on sockets it makes itself. It prints the transcript again with what really happened:
 *
 *     udp4
 *     send 3000
 *     recv 1000 -> 1000 m1[0..999]
 *     recv 2500 -> 2000 m1[1000..2999]
 *
 * Everything after " -> " is ignored on input, so a transcript that came true comes out unchanged.
 * "m1[0..999]" are bytes 0 to 999 of the first message sent; silence means success for whatever
 * prepares the ground. `victim -h` lists the operations.
 *
 * The victim's own bookkeeping goes round libc (raw_syscall) wherever a preloaded library could
 * see it, so that what the library learns about a descriptor is what the transcript says.
 */
#ifndef WSRX_TESTS_VICTIM_H
#define WSRX_TESTS_VICTIM_H

#include "../../lib/raw_syscall.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { VICTIM_WORDS = 24, VICTIM_LINE = 4096, VICTIM_MESSAGES = 4096 };

/* One line of the transcript, taken apart. */
struct op {
    char text[512]; /* as it was written, without " -> …" */
    char copy[512];
    int count;
    char *word[VICTIM_WORDS]; /* word[0] is the operation */
};

/* What is printed for one line. */
struct line {
    size_t length;
    char text[VICTIM_LINE];
};

/* A descriptor by name. The number outlives the descriptor: what was closed can be used again. */
struct variable {
    char name[16];
    int fd;
    bool udp;
    bool plain_write; /* pipes and files: no send */
    char peer[16];    /* a sender's receiver */
    int timeout_ms;   /* SO_RCVTIMEO */
    struct sockaddr_storage address;
    socklen_t address_length;
};

/* op.c */
bool op_parse(struct op *op, const char *text);
bool op_flag(const struct op *op, const char *word);
const char *op_option(const struct op *op, const char *key); /* of key=value; NULL: not there */
const char *op_name(const struct op *op, int index, const char *otherwise); /* index-th bare word */
bool op_number(const struct op *op, size_t *ret_number);                    /* the first number */
size_t op_number_or(const struct op *op, size_t otherwise);
void line_add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_result(struct line *line, long long ret, int error); /* "3", or "-1 EAGAIN" */
void line_write(const struct line *line);
void victim_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn)); /* a mistake in the transcript: exits 2 */
/* What this machine cannot do is no verdict on the library: the test is skipped. */
void victim_skip(const char *what) __attribute__((noreturn));
int victim_check(int result, const char *what); /* of a call that must succeed */

/* variable.c */
struct variable *variable_find(const char *name); /* fails when there is none */
struct variable *variable_make(const char *name);
struct variable *variable_at(int index); /* NULL past the last one */
int variable_fd(const char *name);       /* "#7" is descriptor 7, "-1" and "bad" are none */
void variable_place(struct variable *variable, int fd, const char *at);

/* message.c: what was sent, shared by parent and children */
void messages_start(void);
unsigned messages_sent(size_t length); /* returns its number, from 1 */
size_t messages_length(unsigned number);
void messages_describe(struct line *line, const unsigned char *bytes, size_t length, bool advance);

/* memory.c: buffers by name, good and bad */
unsigned char *memory_arena(size_t *ret_size);
void *memory_address(const char *name);
bool memory_readable(const void *address, size_t length);
bool memory_operation(const struct op *op, struct line *line);

/* sockets.c, receive.c, wait.c, descriptors.c, people.c, public.c: true when it is theirs */
bool sockets_operation(const struct op *op, struct line *line);
bool receive_operation(const struct op *op, struct line *line);
bool wait_operation(const struct op *op, struct line *line);
bool descriptors_operation(const struct op *op, struct line *line);
bool public_operation(const struct op *op, struct line *line);
bool people_operation(const struct op *op, struct line *line);

/* Where the pipes end that `send … fds=N` passes on, to recognise them. */
bool sockets_is_passed(int fd);

/* Runs the operation here, or wherever in=… says. */
void victim_do(const struct op *op, struct line *line);
void victim_dispatch(const struct op *op, struct line *line);

ssize_t raw_read(int fd, void *to, size_t length);
void victim_mark(const struct op *op); /* for tests/lib/trace.h */
long long victim_now_ms(void);
const char *errno_name(int error);

#endif
