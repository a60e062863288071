/* SPDX-License-Identifier: MIT
 *
 * What other interposed calls have to say about memory.
 */
#ifndef WSRX_MEMORY_H
#define WSRX_MEMORY_H

/* After a UFFDIO_REGISTER with this argument: from now on the program itself says what becomes of a
 * touch of that memory, see userfaultfd(2). */
void memory_registered(const void *argument);

#endif
