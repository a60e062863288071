/* SPDX-License-Identifier: MIT
 *
 * The operations of a sequence. None of them depends on what the others did, so that any of them can
 * be left out: one that makes no sense where it stands does nothing.
 */
#ifndef WSRX_TESTS_MODEL_OP_H
#define WSRX_TESTS_MODEL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPS_MAX = 120, SLOTS = 6, PROCESSES = 3 };

/* OP(NAME): each has its play_NAME() in world.c. */
#define OPS(OP)                                                                \
    OP(open)      /* slot, a: kind, b: 0 blocking, 1 O_NONBLOCK, 2 timeout */  \
    OP(send)      /* slot, a: with a descriptor, length */                     \
    OP(receive)   /* slot, a: call, b: flags, c: buffer and context, length */ \
    OP(duplicate) /* slot, a: to slot, b: how */                               \
    OP(close)     /* slot, a: how */                                           \
    OP(wait)      /* a: how, b: 1: it may sleep */                             \
    OP(fionread)  /* slot */                                                   \
    OP(hold)      /* slot: wsrx_hold() */                                      \
    OP(finish)    /* slot: the sender ends */                                  \
    OP(reply)     /* slot, a: how */                                           \
    OP(fork)      /* a: the process's number */                                \
    OP(turn)      /* a: whose turn it is */                                    \
    OP(leave)     /* the process ends, unless it is the first */               \
    OP(add)       /* slot, a: set, b: trigger */                               \
    OP(modify)    /* likewise */                                               \
    OP(remove)    /* slot, a: set */                                           \
    OP(epoll)     /* a: set, b: how, c: most events */

#define OP_NAME(name) OP_##name,
enum op_kind { OPS(OP_NAME) OP_KINDS };
#undef OP_NAME

struct op {
    enum op_kind kind;
    unsigned slot, a, b, c, length;
};

extern const char *const op_names[OP_KINDS];

/* A sequence that follows from the seed. Returns its length. */
size_t ops_generate(uint64_t seed, struct op *ret_ops);
/* "open:0,1,0,0,0 send:0,0,0,0,3000 ..." */
void ops_print(const struct op *ops, size_t count, char *to, size_t size);
bool ops_parse(const char *from, struct op *ret_ops, size_t *ret_count);

#endif
