/* SPDX-License-Identifier: MIT
 *
 * The interposed calls by which a program confines itself: by a filter of system calls, by own
 * descriptors for a thread, by another identity.
 *
 * After a filter the library makes only the program's own system calls: the filter may kill for any
 * other.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "lifecycle.h"
#include "real.h"
#include "state.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>

/* Whether system calls made here will raise SIGSYS, and those of libc maybe not: PR_SET_SYSCALL_USER_DISPATCH
 * of prctl(2) allows or, from Linux 6.17 on, forbids them to a stretch of code. Wine has its own way to
 * have native code allowed. */
static bool forbids_us(int option, const unsigned long argument[4])
{
    enum { DISPATCH = 59, EXCLUSIVE_ON = 1, INCLUSIVE_ON = 2 };
    bool is_within = (uintptr_t)&forbids_us - argument[1] < argument[2];

    return option == DISPATCH && !state.under_wine &&
           ((argument[0] == EXCLUSIVE_ON && !is_within) ||
            (argument[0] == INCLUSIVE_ON && is_within));
}

/* Whether it gives up what others may still have: capabilities, or that its memory can be read or
 * changed. */
static bool gives_up(int option, unsigned long argument)
{
    enum { MDWE = 65 }; /* PR_SET_MDWE, Linux 6.3 */

    switch (option) {
    case PR_SET_NO_NEW_PRIVS:
    case PR_CAPBSET_DROP:
    case PR_SET_SECUREBITS:
    case MDWE:
        return true;
    case PR_CAP_AMBIENT:
        return argument == PR_CAP_AMBIENT_LOWER || argument == PR_CAP_AMBIENT_CLEAR_ALL;
    case PR_SET_DUMPABLE:
        return argument == 0;
    default:
        return false;
    }
}

/* prctl(2) has up to four more arguments, which are passed as longs. */
static int control(int (*call)(int option, ...), int option, va_list list)
{
    bool filters = option == PR_SET_SECCOMP, forbids;
    unsigned long argument[4];
    int result;

    for (int i = 0; i < 4; i++)
        argument[i] = va_arg(list, unsigned long);
    forbids = forbids_us(option, argument);
    if ((filters && argument[0] == SECCOMP_MODE_STRICT) ||
        (option == PR_SET_TSC && argument[0] == PR_TSC_SIGSEGV))
        clock_without_counter();
    if (filters || forbids)
        lifecycle_confining(filters && argument[0] == SECCOMP_MODE_FILTER
                                ? (const struct sock_fprog *)argument[1]
                                : NULL);
    else if (gives_up(option, argument[0]))
        lifecycle_changes_identity();
    if (forbids)
        sys_only_by_libc();
    result = call(option, argument[0], argument[1], argument[2], argument[3]);
    if ((filters || forbids) && result != 0)
        lifecycle_not_confined();
    return result;
}

INTERPOSED int prctl(int option, ...)
{
    va_list list;
    int result;

    va_start(list, option);
    result = control(REAL(prctl), option, list);
    va_end(list);
    return result;
}

#if WSRX_HAVE_TIME64
INTERPOSED int __prctl_time64(int option, ...)
{
    va_list list;
    int result;

    va_start(list, option);
    result = control(REAL(__prctl_time64), option, list);
    va_end(list);
    return result;
}
#endif

INTERPOSED int unshare(int flags)
{
    int result;

    lifecycle_changes_identity();
    result = REAL(unshare)(flags);
    if (result == 0 && (flags & CLONE_FILES) && !sys_is_single_threaded())
        lifecycle_own_descriptors();
    return result;
}

/* --- identity ---------------------------------------------------------------------------- */

/* A process that changes its identity, or what it can reach, has its own fragment table from then
 * on, because the processes that share the old one may not trust it. Otherwise these are libc's
 * functions. */
#define IDENTITY(name, parameters, arguments) \
    INTERPOSED int name parameters            \
    {                                         \
        lifecycle_changes_identity();         \
        return REAL(name) arguments;          \
    }

IDENTITY(setuid, (uid_t user), (user))
IDENTITY(seteuid, (uid_t user), (user))
IDENTITY(setreuid, (uid_t actual, uid_t effective), (actual, effective))
IDENTITY(setresuid, (uid_t actual, uid_t effective, uid_t saved), (actual, effective, saved))
IDENTITY(setgid, (gid_t group), (group))
IDENTITY(setegid, (gid_t group), (group))
IDENTITY(setregid, (gid_t actual, gid_t effective), (actual, effective))
IDENTITY(setresgid, (gid_t actual, gid_t effective, gid_t saved), (actual, effective, saved))
IDENTITY(setgroups, (size_t count, const gid_t *groups), (count, groups))
IDENTITY(initgroups, (const char *user, gid_t group), (user, group))
IDENTITY(setfsuid, (uid_t user), (user))
IDENTITY(setfsgid, (gid_t group), (group))
IDENTITY(setns, (int fd, int type), (fd, type))
IDENTITY(pivot_root, (const char *path, const char *old), (path, old))
IDENTITY(capset, (void *header, const void *data), (header, data))
IDENTITY(chroot, (const char *path), (path))
