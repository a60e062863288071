/* SPDX-License-Identifier: MIT
 *
 * Held in the kernel: a message that fits, taken without the table's mutex.
 *
 * While messages are peeked a receive takes one under the mutex alone (hold_peek.c), which costs two
 * system calls for the signals. Where nobody but a signal handler on this very thread can come in
 * between, and nothing is held, the kernel is asked for the length of the first message (FIONREAD),
 * and a message that fits is taken at once. So: a process of one thread, that shares its table with no
 * other, with nothing held for any socket.
 *
 * What may happen between the question and the end of the receive, and why no message is lost, doubled
 * or given in another order than without the library:
 *
 * - A handler receives from the same socket. It asks unlocked_is_interrupted(), and takes whole what does
 *   not fit it, with the tail held in the process. So no message becomes one that is held in the kernel
 *   meanwhile, and none of which a part is given is in flight. What the handler has taken is its own;
 *   what we take then is the next one, longer maybe, or nothing is left. It is taken with room for any
 *   length, and without waiting, and afterwards the table is looked at again, as after each receive
 *   without the mutex: a message that does not fit has its tail held in the process, and one that comes
 *   while a tail is held waits behind it (hold_process.c). Where nothing was left the receive goes on as
 *   if this had not been tried.
 * - A handler leaves the receive by siglongjmp(). Nothing is locked. A message that was taken is gone
 *   with the receive, as without the library.
 * - A handler forks. Both processes go on here, once each, and take what they find; their next receive
 *   knows that the table is shared. Should one of them have peeked at the message that the other one
 *   takes, the latter finds the record of it in the table, by its fingerprint, and goes on there.
 * - A process with the socket but not the table takes the message: we get the next one, or nothing, as
 *   above.
 * - An error of the socket does not show in the length. The take returns it, and the message stays.
 * - The program's own peek offset (SO_PEEK_OFF) is moved by the take as by its own receive: nothing is
 *   peeked at.
 *
 * Other threads would have to find such a receive in flight, and wait for it; that is what the mutex is
 * for. Under Wine the offset is in the socket, which wineserver and other processes share: not here
 * either.
 */
#ifndef WSRX_RECEIVE_FITTING_H
#define WSRX_RECEIVE_FITTING_H

#include "receive/receive.h"

#include <stddef.h>
#include <sys/socket.h>

/* For a process in which messages are peeked: recv(2), recvfrom(2) and read(2) on a socket. */
__attribute__((noinline)) struct receive_result fitting_receive(int fd, void *buf, size_t len,
                                                                int flags, struct sockaddr *name,
                                                                socklen_t *namelen,
                                                                struct receive_site site);

#endif
