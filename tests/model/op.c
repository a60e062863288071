/* SPDX-License-Identifier: MIT */
#include "op.h"

#include <stdio.h>
#include <string.h>

#define OP_NAME(name) #name,
const char *const op_names[OP_KINDS] = {OPS(OP_NAME)};
#undef OP_NAME

/* splitmix64. */
static uint64_t dice;

static unsigned below(unsigned limit)
{
    uint64_t x = dice += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (unsigned)((x ^ x >> 31) >> 16) % limit;
}

/* Small ones mostly, and those around the limits of buffers and of what a datagram can be. */
static unsigned length(void)
{
    static const unsigned edges[] = {0,    1,    2,     511,   512,   1023,  1024,  4095,
                                     4096, 8192, 24575, 24576, 24577, 65487, 65507, 100000};

    switch (below(8)) {
    case 0:
        return edges[below(sizeof edges / sizeof *edges)];
    case 1:
        return below(20000);
    case 2:
    case 3:
        return below(3000);
    default:
        return below(100);
    }
}

/* How often each comes, of the sum. */
static const unsigned weights[OP_KINDS] = {
    [OP_open] = 8,   [OP_send] = 40,    [OP_receive] = 80, [OP_duplicate] = 6, [OP_close] = 4,
    [OP_wait] = 12,  [OP_fionread] = 4, [OP_hold] = 4,     [OP_finish] = 1,    [OP_reply] = 4,
    [OP_fork] = 1,   [OP_turn] = 4,     [OP_leave] = 1,    [OP_add] = 6,       [OP_modify] = 2,
    [OP_remove] = 2, [OP_epoll] = 12,
};

static enum op_kind any_kind(void)
{
    unsigned sum = 0, at;
    enum op_kind kind = 0;

    for (unsigned i = 0; i < OP_KINDS; i++)
        sum += weights[i];
    for (at = below(sum); at >= weights[kind]; kind++)
        at -= weights[kind];
    return kind;
}

size_t ops_generate(uint64_t seed, struct op *ret_ops)
{
    size_t count;

    dice = seed;
    count = 1 + below(OPS_MAX);
    /* Few slots in some sequences, so that more happens to each. */
    unsigned slots = 1 + below(SLOTS);

    for (size_t i = 0; i < count; i++) {
        ret_ops[i] = (struct op){.kind = i == 0 ? OP_open : any_kind(),
                                 .slot = below(slots),
                                 .a = below(256),
                                 .b = below(256),
                                 .c = below(256),
                                 .length = length()};
        if (ret_ops[i].kind == OP_duplicate)
            ret_ops[i].a = below(slots);
    }
    return count;
}

void ops_print(const struct op *ops, size_t count, char *to, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < count && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%s:%u,%u,%u,%u,%u", i > 0 ? " " : "",
                               op_names[ops[i].kind], ops[i].slot, ops[i].a, ops[i].b, ops[i].c,
                               ops[i].length);
}

static bool parse_one(const char *from, struct op *ret_op)
{
    char name[16];

    if (sscanf(from, "%15[a-z]:%u,%u,%u,%u,%u", name, &ret_op->slot, &ret_op->a, &ret_op->b,
               &ret_op->c, &ret_op->length) != 6 ||
        ret_op->slot >= SLOTS)
        return false;
    for (unsigned i = 0; i < OP_KINDS; i++)
        if (strcmp(op_names[i], name) == 0) {
            ret_op->kind = (enum op_kind)i;
            return true;
        }
    return false;
}

bool ops_parse(const char *from, struct op *ret_ops, size_t *ret_count)
{
    for (*ret_count = 0; *from; (*ret_count)++) {
        if (*ret_count == OPS_MAX || !parse_one(from, &ret_ops[*ret_count]))
            return false;
        from += strcspn(from, " ");
        from += strspn(from, " ");
    }
    return true;
}
