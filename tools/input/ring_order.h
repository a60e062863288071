/* SPDX-License-Identifier: MIT
 *
 * Ring files of machines of the other byte order.
 */
#ifndef WSRX_INPUT_RING_ORDER_H
#define WSRX_INPUT_RING_ORDER_H

#include "input/reader_file.h"

/* Whether the file's numbers are in the other byte order. Its version tells: it is small. */
bool ring_order_is_other(const struct ring_file *head);

/* Turns the numbers of the file's head. */
void ring_order_turn_head(struct ring_file *head);

/* Turns all numbers behind the head, in a private mapping of the file. The head has been checked; what
 * is not in the file is left out. */
void ring_order_turn(const struct ring_file *head, char *at, size_t size);

#endif
