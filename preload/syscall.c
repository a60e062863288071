/* SPDX-License-Identifier: MIT
 *
 * syscall(2): each number of an interposed call does what the wrapper of that name does.
 *
 * If the library has nothing to do, it is libc's own syscall() with the same arguments. syscall(2)
 * is no cancellation point, and stays none: a wrapper that may block at one is called in brackets.
 * Each call of calls.def that has a number is here: tests/preload/exports.c checks it.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/revocable.h"
#include "base/user_memory.h"
#include "lifecycle.h"
#include "passing.h"
#include "real.h"
#include "receive/drop_tail.h"
#include "receive/fast_path.h"
#include "wait/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
    long number;
    long a[6];
};

/* libc's own syscall() with the program's arguments. */
#define CALL_AS_IT_IS(call)                                                                \
    REAL(syscall)                                                                          \
    ((call)->number, (call)->a[0], (call)->a[1], (call)->a[2], (call)->a[3], (call)->a[4], \
     (call)->a[5])

/* --- cancellation ------------------------------------------------------------------------ */

enum { LEFT_AS_IT_IS = -1 };

/* Switches cancellation off. Nothing is to be done if nobody can be cancelled (receives are the
 * bare instruction then), or if the thread may be cancelled at any instruction. */
static int bracket_open(void)
{
    int type, was;

    if (sys_is_direct())
        return LEFT_AS_IT_IS;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS) {
        pthread_setcanceltype(type, NULL);
        return LEFT_AS_IT_IS;
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
    return was;
}

static void bracket_close(int was)
{
    if (was != LEFT_AS_IT_IS)
        pthread_setcancelstate(was, NULL);
}

/* --- the rows of the switches ------------------------------------------------------------- */

/* A number whose call is the wrapper of the same name. */
#define SAME(name, ...)                        \
    case SYS_##name:                           \
        *ret_result = (long)name(__VA_ARGS__); \
        break

/* The same, where the wrapper may block at a cancellation point. */
#define SAME_IN_BRACKETS(name, ...)              \
    case SYS_##name: {                           \
        int bracket = bracket_open();            \
                                                 \
        *ret_result = (long)(name(__VA_ARGS__)); \
        bracket_close(bracket);                  \
        break;                                   \
    }

/* --- receives ---------------------------------------------------------------------------- */

static void note_received(const struct msghdr *msg)
{
    int saved = errno;

    if (msg->msg_controllen > 0)
        passing_each(msg, passing_note_received);
    errno = saved;
}

static void note_sent(const struct msghdr *msg)
{
    if (msg->msg_controllen > 0)
        passing_each(msg, passing_note_sent);
}

/* recvmsg(2) and recvmmsg(2) as they are; the descriptors that came are noted. */
static long receive_as_it_is(const struct call *call)
{
    long result = CALL_AS_IT_IS(call);

    if (call->number == SYS_recvmsg && result >= 0)
        note_received((const struct msghdr *)call->a[1]);
    else if (call->number != SYS_recvmsg)
        for (long i = 0; i < result; i++)
            note_received(&((const struct mmsghdr *)call->a[1])[i].msg_hdr);
    return result;
}

static long send_as_it_is(const struct call *call)
{
    long result;

    receive_before_send((int)call->a[0], NULL);
    result = CALL_AS_IT_IS(call);

    if (call->number == SYS_sendmsg && result >= 0)
        note_sent((const struct msghdr *)call->a[1]);
    else if (call->number == SYS_sendmmsg)
        for (long i = 0; i < result; i++)
            note_sent(&((const struct mmsghdr *)call->a[1])[i].msg_hdr);
    return result;
}

/* Whether the library has nothing to do with the receive. */
static bool passes(const struct call *call)
{
    fd_class class = fd_class_cached((int)call->a[0]);
    const long *a = call->a;

    switch (call->number) {
    case SYS_read:
        return a[2] <= 0 || receive_passes(class, (size_t)a[2]);
    case SYS_recvfrom:
        return receive_passes(class, (size_t)a[2]);
    case SYS_preadv2:
        /* The offset is passed in two halves; on 64-bit machines the first is all of it. */
        return a[3] != -1 || (sizeof(long) < 8 && a[4] != -1) || receive_passes(class, 0);
    default:
        return receive_passes(class, 0);
    }
}

static bool redirect_receive(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    if (passes(call))
        return false;
    switch (call->number) {
        SAME_IN_BRACKETS(read, (int)a[0], (void *)a[1], (size_t)a[2]);
        SAME_IN_BRACKETS(recvfrom, (int)a[0], (void *)a[1], (size_t)a[2], (int)a[3],
                         (struct sockaddr *)a[4], (socklen_t *)a[5]);
        SAME_IN_BRACKETS(readv, (int)a[0], (const struct iovec *)a[1], (int)a[2]);
        SAME_IN_BRACKETS(preadv2, (int)a[0], (const struct iovec *)a[1], (int)a[2], -1, (int)a[5]);
        SAME_IN_BRACKETS(recvmsg, (int)a[0], (struct msghdr *)a[1], (int)a[2]);
        SAME_IN_BRACKETS(recvmmsg, (int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2],
                         (mmsghdr_flags)a[3], (struct timespec *)a[4]);
    default:
        return false;
    }
    return true;
}

static bool redirect_splice(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    if (table_nothing_held())
        return false;
    switch (call->number) {
        SAME_IN_BRACKETS(splice, (int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3],
                         (size_t)a[4], (unsigned)a[5]);
        SAME_IN_BRACKETS(sendfile, (int)a[0], (int)a[1], (off_t *)a[2], (size_t)a[3]);
#ifdef SYS_sendfile64
        SAME_IN_BRACKETS(sendfile64, (int)a[0], (int)a[1], (off64_t *)a[2], (size_t)a[3]);
#endif
    default:
        return false;
    }
    return true;
}

/* --- waits ------------------------------------------------------------------------------- */

/* Whether a tail ends the wait; if not, it is the program's own system call, which writes the rest
 * of the timeout back, as libc's function does not. */
static bool is_ready(int count, int saved, long *ret_result)
{
    errno = count < 0 ? -count : saved;
    *ret_result = count < 0 ? -1 : count;
    return count != 0;
}

enum { KERNEL_SIGSET = 8 };

/* The last argument of pselect6(2). */
struct mask_argument {
    const sigset_t *mask;
    size_t size;
};

/* After a filter it is the program's own number; it is another one than that of libc's function. */
static int select_by_number(const struct select_call *own, int nfds, fd_set *reading,
                            fd_set *writing, fd_set *except)
{
    long none[4] = {0}; /* a timeval or timespec of either size */
    struct mask_argument with = {own->mask, KERNEL_SIGSET};

    return (int)REAL(syscall)(own->number, (long)nfds, reading, writing, except, none, &with);
}

static bool select_is_ready(const struct call *call, const struct mask_argument *with,
                            long *ret_result)
{
    const struct select_call own = {sys_is_sandboxed() ? select_by_number : NULL,
                                    with ? with->mask : NULL, call->number};
    const long *a = call->a;

    return is_ready(
        select_with_tails((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], &own), errno,
        ret_result);
}

/* poll(2) or ppoll(2). After a filter it is the program's own number, which on 32 bits libc's
 * function has not. */
static bool poll_is_ready(const struct call *call, long timeout, const sigset_t *mask,
                          long *ret_result)
{
    struct pollfd *fds = (struct pollfd *)call->a[0];
    nfds_t nfds = (nfds_t)call->a[1];
    int saved = errno, count;

    count = sys_is_sandboxed()
                ? poll_add_tails(fds, nfds,
                                 (int)REAL(syscall)(call->number, call->a[0], call->a[1], timeout,
                                                    (long)mask, (long)KERNEL_SIGSET))
                : poll_with_tails(fds, nfds, mask);
    return is_ready(count, saved, ret_result);
}

/* A timeout of another size than libc's timespec is not checked: the kernel reads it if no tail
 * ends the wait. */
static bool redirect_wait(const struct call *call, long *ret_result)
{
    static const long at_once[4]; /* of either size; the kernel writes nothing back to it */
    struct mask_argument with = {NULL, KERNEL_SIGSET};
    const long *a = call->a;

    if (!table_tails_here())
        return false;
    switch (call->number) {
#ifdef SYS_poll
    case SYS_poll:
        return poll_is_ready(call, 0, NULL, ret_result);
#endif
    case SYS_ppoll:
        if (!poll_is_timespec((const struct timespec *)a[2]))
            return false;
#ifdef SYS_ppoll_time64
        __attribute__((fallthrough));
    case SYS_ppoll_time64:
#endif
        if (a[3] && a[4] != KERNEL_SIGSET)
            return false;
        return poll_is_ready(call, (long)at_once, (const sigset_t *)a[3], ret_result);
#if defined SYS__newselect || defined SYS_select
#ifdef SYS__newselect
    case SYS__newselect:
#else
    case SYS_select:
#endif
        return poll_is_timeval((const struct timeval *)a[4]) &&
               select_is_ready(call, NULL, ret_result);
#endif
    case SYS_pselect6:
        if (!poll_is_timespec((const struct timespec *)a[4]))
            return false;
#ifdef SYS_pselect6_time64
        __attribute__((fallthrough));
    case SYS_pselect6_time64:
#endif
        if (a[5] && (user_memory_read(&with, (const void *)a[5], sizeof with) != 0 ||
                     (with.mask && with.size != KERNEL_SIGSET)))
            return false;
        return select_is_ready(call, &with, ret_result);
    default:
        return false;
    }
}

static bool redirect_epoll(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    switch (call->number) {
#ifdef SYS_epoll_create
        SAME(epoll_create, (int)a[0]);
#endif
        SAME(epoll_create1, (int)a[0]);
        SAME(epoll_ctl, (int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
#ifdef SYS_epoll_wait
        SAME_IN_BRACKETS(epoll_wait, (int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]);
#endif
        SAME_IN_BRACKETS(epoll_pwait, (int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3],
                         (const sigset_t *)a[4]);
#if defined SYS_epoll_pwait2 && defined __LP64__ /* on 32 bits its timespec is not libc's */
        SAME_IN_BRACKETS(epoll_pwait2, (int)a[0], (struct epoll_event *)a[1], (int)a[2],
                         (const struct timespec *)a[3], (const sigset_t *)a[4]);
#endif
        SAME(ioctl, (int)a[0], (ioctl_request)a[1], a[2]);
    default:
        return false;
    }
    return true;
}

/* --- descriptors ------------------------------------------------------------------------- */

static bool blocks(int command)
{
#ifdef __LP64__
    return command == F_SETLKW || command == F_OFD_SETLKW;
#else
    return command == F_SETLKW || command == F_SETLKW64 || command == F_OFD_SETLKW;
#endif
}

static bool redirect_descriptor(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    switch (call->number) {
        SAME(socket, (int)a[0], (int)a[1], (int)a[2]);
        SAME(socketpair, (int)a[0], (int)a[1], (int)a[2], (int *)a[3]);
        SAME_IN_BRACKETS(close, (int)a[0]);
        SAME(close_range, (unsigned)a[0], (unsigned)a[1], (int)a[2]);
        SAME(setsockopt, (int)a[0], (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]);
        SAME(dup, (int)a[0]);
#ifdef SYS_dup2
        SAME(dup2, (int)a[0], (int)a[1]);
#endif
        SAME(dup3, (int)a[0], (int)a[1], (int)a[2]);
#ifdef SYS_fcntl64
    case SYS_fcntl64:
#endif
    case SYS_fcntl:
        if (blocks((int)a[1]))
            return false;
        *ret_result = fcntl((int)a[0], (int)a[1], a[2]);
        break;
    default:
        return false;
    }
    return true;
}

/* The calls as they are; the descriptors that they have made or passed on are noted. */
static bool redirect_new_descriptors(const struct call *call, long *ret_result)
{
    switch (call->number) {
#ifdef SYS_accept
    case SYS_accept:
#endif
    case SYS_accept4:
        *ret_result = CALL_AS_IT_IS(call);
        fd_accepted((int)call->a[0], (int)*ret_result);
        return true;
    case SYS_recvmsg: /* those that pass: see redirect_receive() */
    case SYS_recvmmsg:
        *ret_result = receive_as_it_is(call);
        return true;
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_sendto:
    case SYS_write:
    case SYS_writev:
        *ret_result = send_as_it_is(call);
        return true;
    default:
        return false;
    }
}

/* --- memory ------------------------------------------------------------------------------ */

static bool redirect_memory(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    switch (call->number) {
#ifdef SYS_mmap2
    case SYS_mmap2:
        *ret_result = (long)mmap64((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4],
                                   (off64_t)(unsigned long)a[5] * 4096);
        break;
#elif defined SYS_mmap
        SAME(mmap, (void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
#endif
        SAME(munmap, (void *)a[0], (size_t)a[1]);
        SAME(mprotect, (void *)a[0], (size_t)a[1], (int)a[2]);
        SAME(pkey_mprotect, (void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
        SAME(mremap, (void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
        SAME(madvise, (void *)a[0], (size_t)a[1], (int)a[2]);
        SAME(process_madvise, (int)a[0], (const struct iovec *)a[1], (size_t)a[2], (int)a[3],
             (unsigned)a[4]);
        SAME(remap_file_pages, (void *)a[0], (size_t)a[1], (int)a[2], (size_t)a[3], (int)a[4]);
#ifdef SYS_shmat
        SAME(shmat, (int)a[0], (const void *)a[1], (int)a[2]);
        SAME(shmdt, (const void *)a[0]);
#endif
#ifdef SYS_ipc
    case SYS_ipc: /* of these, shmat(2) and shmdt(2) */
#endif
    case SYS_brk: /* its result is not that of libc's function */
        user_memory_forget_all();
        return false;
    default:
        return false;
    }
    return true;
}

/* --- processes --------------------------------------------------------------------------- */

/* The system calls change only this thread, and libc's functions all of them. So these stay the
 * calls that they are. */
static bool changes_identity(long number)
{
    switch (number) {
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setgroups:
#ifdef SYS_setuid32
    case SYS_setuid32:
    case SYS_setreuid32:
    case SYS_setresuid32:
    case SYS_setgid32:
    case SYS_setregid32:
    case SYS_setresgid32:
    case SYS_setgroups32:
    case SYS_setfsuid32:
    case SYS_setfsgid32:
#endif
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_setns:
    case SYS_pivot_root:
#ifdef SYS_landlock_restrict_self
    case SYS_landlock_restrict_self:
#endif
    case SYS_capset:
    case SYS_chroot:
        return true;
    default:
        return false;
    }
}

/* The stack comes before the flags on s390, and behind them elsewhere: see clone(2). */
#ifdef __s390__
#define CLONE_ARGUMENTS(stack, flags) stack, (long)(flags)
#else
#define CLONE_ARGUMENTS(stack, flags) (long)(flags), stack
#endif

/* libc has no function for it. */
static long confine(const struct call *call)
{
    bool filters = call->a[0] == SECCOMP_SET_MODE_FILTER;
    bool confines = filters || call->a[0] == SECCOMP_SET_MODE_STRICT;
    long result;

    if (call->a[0] == SECCOMP_SET_MODE_STRICT)
        clock_without_counter();
    if (confines)
        lifecycle_confining(filters ? (const struct sock_fprog *)call->a[2] : NULL);
    result = CALL_AS_IT_IS(call);
    if (confines && result != 0)
        lifecycle_not_confined();
    return result;
}

static bool redirect_process(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    if (changes_identity(call->number))
        lifecycle_changes_identity();
    switch (call->number) {
        SAME(execve, (const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
        SAME(execveat, (int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3],
             (int)a[4]);
        SAME(prctl, (int)a[0], a[1], a[2], a[3], a[4]);
        SAME(unshare, (int)a[0]);
    case SYS_exit_group:
        _exit((int)a[0]);
    case SYS_seccomp:
        *ret_result = confine(call);
        break;
#ifdef SYS_vfork
    case SYS_vfork:
        /* The child would return through our frame, which is its parent's. So it gets its own
         * memory; the parent waits for it as usual. */
        lifecycle_forks();
        *ret_result =
            REAL(syscall)(SYS_clone, CLONE_ARGUMENTS(0L, CLONE_VFORK | SIGCHLD), 0L, 0L, 0L);
        break;
#endif
    case SYS_clone:
#ifdef SYS_fork
    case SYS_fork:
#endif
#ifdef SYS_clone3
    case SYS_clone3:
#endif
        lifecycle_forks();
        return false;
    default:
        return false;
    }
    return true;
}

/* --- all --------------------------------------------------------------------------------- */

#ifdef SYS_socketcall

/* One number for the calls on sockets, with their arguments in memory: see socketcall(2). */
static bool unpack(const struct call *packed, struct call *ret_call)
{
    static const struct {
        short number, count;
    } calls[] = {
        [1] = {SYS_socket, 3},    [5] = {SYS_accept4, 3},     [8] = {SYS_socketpair, 4},
        [9] = {SYS_sendto, 4},    [10] = {SYS_recvfrom, 4},   [11] = {SYS_sendto, 6},
        [12] = {SYS_recvfrom, 6}, [14] = {SYS_setsockopt, 5}, [16] = {SYS_sendmsg, 3},
        [17] = {SYS_recvmsg, 3},  [18] = {SYS_accept4, 4},    [19] = {SYS_recvmmsg, 5},
        [20] = {SYS_sendmmsg, 4},
    };
    unsigned long which = (unsigned long)packed->a[0];

    if (which >= sizeof calls / sizeof *calls || calls[which].number == 0)
        return false;
    *ret_call = (struct call){.number = calls[which].number};
    return user_memory_read(ret_call->a, (const void *)packed->a[1],
                            (size_t)calls[which].count * sizeof(long)) == 0;
}

#endif

static bool redirect(const struct call *call, long *ret_result)
{
    return redirect_receive(call, ret_result) || redirect_splice(call, ret_result) ||
           redirect_wait(call, ret_result) || redirect_epoll(call, ret_result) ||
           redirect_descriptor(call, ret_result) || redirect_new_descriptors(call, ret_result) ||
           redirect_memory(call, ret_result) || redirect_process(call, ret_result);
}

INTERPOSED long syscall(long number, ...)
{
    struct call call = {.number = number};
    long result;
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        call.a[i] = va_arg(list, long);
    va_end(list);
#ifdef SYS_socketcall
    {
        struct call one;

        if (number == SYS_socketcall && unpack(&call, &one) && redirect(&one, &result))
            return result;
    }
#endif
    if (redirect(&call, &result))
        return result;
    return CALL_AS_IT_IS(&call);
}
