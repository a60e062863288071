/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/ring_order.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define TURN(number)                                                                \
    ((number) = _Generic((number), uint16_t                                         \
                         : __builtin_bswap16((uint16_t)(number)), uint32_t          \
                         : __builtin_bswap32((uint32_t)(number)), int32_t           \
                         : (int32_t)__builtin_bswap32((uint32_t)(number)), uint64_t \
                         : __builtin_bswap64((uint64_t)(number)), int64_t           \
                         : (int64_t)__builtin_bswap64((uint64_t)(number))))

bool ring_order_is_other(const struct ring_file *head)
{
    return head->version > UINT16_MAX;
}

void ring_order_turn_head(struct ring_file *head)
{
    TURN(head->version);
    TURN(head->header_size);
    TURN(head->ring_head_size);
    TURN(head->record_size);
    TURN(head->ring_size);
    TURN(head->pid);
    TURN(head->parent);
    TURN(head->realtime_offset);
    TURN(head->start);
    TURN(head->east);
    TURN(head->data_size);
    TURN(head->flags);
    TURN(head->rings);
    TURN(head->modules);
    TURN(head->dropped);
    TURN(head->modules_at);
    TURN(head->totals_at);
    TURN(head->uncounted);
    TURN(head->module_size);
    TURN(head->total_size);
    TURN(head->totals);
    TURN(head->totals_used);
}

/* Ports and the Internet's addresses are in the network's order everywhere. */
static void turn_address(unsigned char *at, size_t length)
{
    struct sockaddr_storage address = {0};

    if (length < sizeof address.ss_family || length > sizeof address)
        return;
    memcpy(&address, at, length);
    TURN(address.ss_family);
    if (address.ss_family == AF_INET6) {
        TURN(((struct sockaddr_in6 *)&address)->sin6_scope_id);
    } else if (address.ss_family == AF_VSOCK) {
        TURN(((struct sockaddr_vm *)&address)->svm_port);
        TURN(((struct sockaddr_vm *)&address)->svm_cid);
    }
    memcpy(at, &address, length);
}

static void turn_record(struct ring_record *record, size_t size)
{
    size_t room = size - offsetof(struct ring_record, tail);

    TURN(record->sequence);
    TURN(record->time);
    TURN(record->cookie);
    TURN(record->caller);
    TURN(record->room);
    TURN(record->length);
    TURN(record->given);
    TURN(record->offset);
    TURN(record->left);
    TURN(record->lost);
    TURN(record->tid);
    TURN(record->fd);
    TURN(record->error);
    TURN(record->data_length);
    TURN(record->dropped);
    if (record->local_length + (size_t)record->peer_length > room)
        return;
    turn_address(record->tail, record->local_length);
    turn_address(record->tail + record->local_length, record->peer_length);
}

static void turn_total(struct ring_total *total)
{
    TURN(total->cookie);
    TURN(total->caller);
    TURN(total->fitted);
    TURN(total->bytes);
    TURN(total->least_room);
    TURN(total->most_room);
    TURN(total->longest);
    TURN(total->used);
    TURN(total->call);
    TURN(total->fd);
    TURN(total->receives);
    TURN(total->messages);
    TURN(total->errors);
    TURN(total->partial);
    TURN(total->saved);
    TURN(total->lost);
    TURN(total->lost_messages);
    TURN(total->dropped);
    TURN(total->local_length);
    TURN(total->peeks);
    if (total->local_length <= sizeof total->local)
        turn_address(total->local, total->local_length);
}

static void turn_ring(const struct ring_file *head, char *at, size_t size)
{
    struct ring_head *ring = (struct ring_head *)at;

    TURN(ring->number);
    TURN(ring->tid);
    TURN(ring->base);
    TURN(ring->written);
    TURN(ring->capacity);
    for (uint64_t offset = head->ring_head_size; offset + head->record_size <= size;
         offset += head->record_size)
        turn_record((struct ring_record *)(at + offset), head->record_size);
}

void ring_order_turn(const struct ring_file *head, char *at, size_t size)
{
    for (uint64_t i = 0; i < head->modules; i++) {
        struct record_module *module =
            (struct record_module *)(at + head->modules_at + i * head->module_size);

        if (head->modules_at + (i + 1) * head->module_size > size)
            break;
        TURN(module->start);
        TURN(module->end);
        TURN(module->bias);
    }
    for (uint64_t i = 0; i < head->totals; i++) {
        if (head->totals_at + (i + 1) * head->total_size > size)
            break;
        turn_total((struct ring_total *)(at + head->totals_at + i * head->total_size));
    }
    for (uint64_t i = 0, offset = head->header_size;
         i < head->rings && offset <= size && size - offset >= sizeof(struct ring_head);
         i++, offset += head->ring_size)
        turn_ring(head, at + offset,
                  size - offset < head->ring_size ? (size_t)(size - offset)
                                                  : (size_t)head->ring_size);
}
