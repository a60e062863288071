/* SPDX-License-Identifier: MIT
 *
 * Signal-driven I/O (O_ASYNC of fcntl(2), FIOASYNC of ioctl(2)): the kernel raises a signal for
 * each message that comes. A program that makes one receive for each signal needs another signal
 * for a tail, and for a message that waits behind it.
 *
 * Nothing is done in a program that never uses this, but one question for each tail of a socket
 * that came from another program.
 */
#ifndef WSRX_WAIT_SIGIO_H
#define WSRX_WAIT_SIGIO_H

#include "fd/fd_class.h"
#include "table/held.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The program has switched it on for a descriptor. */
extern atomic_bool sigio_is_used;

/* Raises the signal of `fd`, if it has one and something is held for it. */
void sigio_raise(int fd);

/* After a receive that took something. Async-signal-safe; leaves errno alone. */
static inline void sigio_after_receive(int fd)
{
    /* A socket that others have, or had before us, may have been given it by them. */
    if (atomic_load_explicit(&sigio_is_used, memory_order_relaxed) ||
        (!table_nothing_held() && !(fd_class_cached(fd) & FD_DUPS_KNOWN)))
        sigio_raise(fd);
}

#endif
