/* SPDX-License-Identifier: MIT
 *
 * The interposed calls by which a program confines itself: filters of system calls, and descriptors
 * of its own for a thread.
 *
 * From such a call on the library makes no system call but the program's own: a filter may kill for
 * any other.
 */
#define _GNU_SOURCE
#include "lifecycle.h"
#include "real.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>

/* prctl(2) has up to four more arguments, which travel as longs. */
INTERPOSED int prctl(int option, ...)
{
    unsigned long argument[4];
    bool filters = option == PR_SET_SECCOMP;
    va_list list;
    int result;

    va_start(list, option);
    for (int i = 0; i < 4; i++)
        argument[i] = va_arg(list, unsigned long);
    va_end(list);
    if (filters)
        lifecycle_confining();
    result = REAL(prctl)(option, argument[0], argument[1], argument[2], argument[3]);
    if (filters && result != 0)
        lifecycle_not_confined();
    return result;
}

INTERPOSED int unshare(int flags)
{
    int result = REAL(unshare)(flags);

    if (result == 0 && (flags & CLONE_FILES) && !sys_is_single_threaded())
        lifecycle_own_descriptors();
    return result;
}
