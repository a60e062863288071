/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tails.h"
#include "table/backing.h"

#include "pattern.h"
#include "table_take.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct held tails_record(enum held_kind kind, unsigned message, size_t length, size_t offset)
{
    struct held held = {.kind = kind,
                        .length = length,
                        .offset = offset,
                        .msg_flags = (int)message,
                        .peer_known = true,
                        .peer_length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *peer = (struct sockaddr_in *)&held.peer;

    peer->sin_family = AF_INET;
    peer->sin_port = (in_port_t)message;
    peer->sin_addr.s_addr = ~message;
    return held;
}

/* Whether the address that came is the message's own. */
static bool peer_is(const struct held *held, unsigned message)
{
    const struct sockaddr_in *peer = (const struct sockaddr_in *)&held->peer;

    return held->peer_known && held->peer_length == sizeof *peer && peer->sin_family == AF_INET &&
           peer->sin_port == (in_port_t)message && peer->sin_addr.s_addr == ~message;
}

struct table *tails_create(size_t hold_max)
{
    struct table *table = NULL;
    int error = table_create(hold_max, &table);

    cr_assert_eq(error, 0, "table_create(%zu): %s", hold_max, strerror(-error));
    return table;
}

int tails_hold(struct table *table, uint64_t cookie, unsigned message, size_t length, size_t offset)
{
    static unsigned char content[TAILS_LONGEST];
    struct held held = tails_record(HELD_HERE, message, length, offset);
    size_t first = length / 3;
    struct iovec iov[] = {{content, first}, {NULL, 0}, {content + first, length - first}};

    pattern_fill(content, message, 0, length);
    return table_hold(table, cookie, &held, iov, 3);
}

int tails_hold_in_kernel(struct table *table, uint64_t cookie, unsigned message, size_t length,
                         size_t offset)
{
    struct held held = tails_record(HELD_KERNEL, message, length, offset);

    return table_hold(table, cookie, &held, NULL, 0);
}

struct copy {
    unsigned char *to;
    unsigned copies;
    int error;
};

static int copy_bytes(void *context, const void *from, size_t size)
{
    struct copy *copy = context;

    if (copy->error)
        return copy->error;
    memcpy(copy->to, from, size);
    copy->copies++;
    return 0;
}

void tails_take_bytes(struct table *table, uint64_t cookie, size_t room, unsigned how,
                      unsigned char *bytes, struct tail_take *ret_take)
{
    struct copy copy = {.to = bytes};

    ret_take->bytes = bytes;
    ret_take->result =
        table_take(table, cookie, room, how, copy_bytes, &copy, &ret_take->held, &ret_take->part);
    ret_take->copies = copy.copies;
}

void tails_check(struct tail_take *take)
{
    if (take->result != 1)
        return;
    take->message = (unsigned)take->held.msg_flags;
    take->right = pattern_match(take->bytes, take->part.given, take->message, take->held.offset,
                                take->held.length);
    if (!peer_is(&take->held, take->message))
        take->right = 0;
}

struct tail_take tails_take(struct table *table, uint64_t cookie, size_t room, unsigned how)
{
    static unsigned char large[TAILS_LONGEST];
    unsigned char small[TAILS_SMALL];
    struct tail_take take = {.result = 0};

    tails_take_bytes(table, cookie, room, how, room > sizeof small ? large : small, &take);
    tails_check(&take);
    return take;
}

int tails_take_failing(struct table *table, uint64_t cookie, size_t room, unsigned how, int error)
{
    struct copy copy = {.error = error};
    struct held held;
    struct part part;

    return table_take(table, cookie, room, how, copy_bytes, &copy, &held, &part);
}

uint64_t tails_collide(uint64_t cookie, unsigned which)
{
    uint64_t found = cookie;

    for (; which > 0; which--)
        do
            found++;
        while (table_hash(found) != table_hash(cookie));
    return found;
}

size_t tails_drain(struct table *table, uint64_t cookie, struct tail *ret_tails, size_t most,
                   size_t *ret_wrong)
{
    size_t count = 0;

    *ret_wrong = 0;
    while (count < most) {
        struct tail_take take = tails_take(table, cookie, TAILS_LONGEST, 0);

        if (take.result == -EREMOTE) {
            struct critical_section section;

            table_enter(table, &section);
            table_get_locked(table, cookie, &take.held);
            table_finish_locked(table, cookie);
            table_leave(table, &section);
        } else if (take.result == 1) {
            *ret_wrong += take.part.given - take.right;
        } else {
            break;
        }
        ret_tails[count++] = (struct tail){take.held.kind, (unsigned)take.held.msg_flags,
                                           take.held.length, take.held.offset};
    }
    return count;
}
