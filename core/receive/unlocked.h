/* SPDX-License-Identifier: MIT
 *
 * A mark while a receive takes a message without the table's mutex though messages are peeked
 * (fitting.h): for a handler that comes in between.
 */
#ifndef WSRX_RECEIVE_UNLOCKED_H
#define WSRX_RECEIVE_UNLOCKED_H

#include <stdbool.h>

/* `call`: its BOUNCE_CALL. False: a message is not to be taken so, since there are other threads, or
 * this is a handler that has come in between. */
bool unlocked_begin(const void *call);

/* Its message is handed over, or in the table. Of any call. */
void unlocked_end(const void *call);

/* Whether the receive at `stack` (BOUNCE_CALL) has come in between. */
bool unlocked_is_interrupted(const void *stack);

#endif
