/* SPDX-License-Identifier: MIT
 *
 * What other interposed calls report about memory.
 */
#ifndef WSRX_MEMORY_H
#define WSRX_MEMORY_H

#include "base/revocable.h"
#include "base/user_memory.h"

#include <linux/userfaultfd.h>

/* After a UFFDIO_REGISTER with this argument: from now on the program itself handles the page
 * faults of that memory, see userfaultfd(2). */
static inline void memory_registered(const void *argument)
{
    struct uffdio_range range; /* with which the argument begins */

    if (user_memory_read(&range, argument, sizeof range) != 0)
        return;
    revocable_add((void *)(uintptr_t)range.start, (size_t)range.len);
    user_memory_forget((void *)(uintptr_t)range.start, (size_t)range.len);
}

#endif
