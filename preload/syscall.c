/* SPDX-License-Identifier: MIT
 *
 * syscall(2): the numbers of the interposed calls, each with what the call of that name does.
 *
 * Where nothing of ours is to be done it is libc's own syscall() with the same number, untouched. A
 * system call through libc is no cancellation point, and stays none: what blocks in a function of
 * libc that is one is put in brackets, and nothing else.
 * Every call of calls.def that has a number stands here: tests/preload/exports.c sees to it.
 */
#define _GNU_SOURCE
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

/* How libc's own syscall() is called with what the program gave. */
#define CALL_AS_IT_IS(call)                                                                \
    REAL(syscall)                                                                          \
    ((call)->number, (call)->a[0], (call)->a[1], (call)->a[2], (call)->a[3], (call)->a[4], \
     (call)->a[5])

/* --- cancellation ------------------------------------------------------------------------ */

enum { LEFT_AS_IT_IS = -1 };

/* Nobody can be cancelled where a receive is the bare instruction; and whoever may be cancelled at
 * any instruction may be so here too. */
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

#define BRACKETED(ret_result, call)    \
    do {                               \
        int bracket_ = bracket_open(); \
                                       \
        *(ret_result) = (call);        \
        bracket_close(bracket_);       \
    } while (0)

/* --- receives ---------------------------------------------------------------------------- */

static void note_received(const struct msghdr *msg)
{
    int saved = errno;

    if (msg->msg_controllen > 0)
        passing_each(msg, fd_received);
    errno = saved;
}

static void note_sent(const struct msghdr *msg)
{
    if (msg->msg_controllen > 0)
        passing_each(msg, fd_sent);
}

/* recvmsg(2) and recvmmsg(2) as they are, with the descriptors that came. */
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

static bool redirect_receive(const struct call *call, long *ret_result)
{
    const long *a = call->a;
    fd_class class = fd_class_cached((int)a[0]);

    switch (call->number) {
    case SYS_read:
        if (a[2] <= 0 || receive_passes(class, (size_t)a[2]))
            return false;
        BRACKETED(ret_result, read((int)a[0], (void *)a[1], (size_t)a[2]));
        return true;
    case SYS_recvfrom:
        if (receive_passes(class, (size_t)a[2]))
            return false;
        BRACKETED(ret_result, recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3],
                                       (struct sockaddr *)a[4], (socklen_t *)a[5]));
        return true;
    case SYS_readv:
        if (receive_passes(class, 0))
            return false;
        BRACKETED(ret_result, readv((int)a[0], (const struct iovec *)a[1], (int)a[2]));
        return true;
    case SYS_preadv2:
        /* The offset travels in two halves; on 64-bit machines the first is all of it. */
        if (a[3] != -1 || (sizeof(long) < 8 && a[4] != -1) || receive_passes(class, 0))
            return false;
        BRACKETED(ret_result,
                  preadv2((int)a[0], (const struct iovec *)a[1], (int)a[2], -1, (int)a[5]));
        return true;
    case SYS_recvmsg:
        if (receive_passes(class, 0))
            *ret_result = receive_as_it_is(call);
        else
            BRACKETED(ret_result, recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]));
        return true;
    case SYS_recvmmsg:
        if (receive_passes(class, 0))
            *ret_result = receive_as_it_is(call);
        else
            BRACKETED(ret_result, recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2],
                                           (int)a[3], (struct timespec *)a[4]));
        return true;
    case SYS_setsockopt:
        *ret_result =
            setsockopt((int)a[0], (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]);
        return true;
    case SYS_splice:
        if (table_nothing_held())
            return false;
        BRACKETED(ret_result, splice((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3],
                                     (size_t)a[4], (unsigned)a[5]));
        return true;
    case SYS_sendfile:
        if (table_nothing_held())
            return false;
        BRACKETED(ret_result, sendfile((int)a[0], (int)a[1], (off_t *)a[2], (size_t)a[3]));
        return true;
#ifdef SYS_sendfile64
    case SYS_sendfile64:
        if (table_nothing_held())
            return false;
        BRACKETED(ret_result, sendfile64((int)a[0], (int)a[1], (off64_t *)a[2], (size_t)a[3]));
        return true;
#endif
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

/* --- waits ------------------------------------------------------------------------------- */

/* Whether a tail ends the wait; else it is the program's own system call, which tells its timeout's
 * rest as libc's function does not. */
static bool is_ready(int count, int saved, long *ret_result)
{
    errno = count < 0 ? -count : saved;
    *ret_result = count < 0 ? -1 : count;
    return count != 0;
}

/* The last argument of pselect6(2). */
struct mask_argument {
    const sigset_t *mask;
    size_t size;
};

static bool select_is_ready(const struct call *call, const struct mask_argument *with,
                            long *ret_result)
{
    const long *a = call->a;

    return is_ready(select_with_tails((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
                                      with ? with->mask : NULL),
                    errno, ret_result);
}

enum { KERNEL_SIGSET = 8 };

/* Where the timeout is of another size than libc's timespec, the kernel looks at it only if the wait
 * has not ended. */
static bool redirect_wait(const struct call *call, long *ret_result)
{
    struct mask_argument with = {NULL, KERNEL_SIGSET};
    const long *a = call->a;

    if (!poll_tails_held())
        return false;
    switch (call->number) {
#ifdef SYS_poll
    case SYS_poll:
        return is_ready(poll_with_tails((struct pollfd *)a[0], (nfds_t)a[1], NULL), errno,
                        ret_result);
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
        return is_ready(
            poll_with_tails((struct pollfd *)a[0], (nfds_t)a[1], (const sigset_t *)a[3]), errno,
            ret_result);
#if defined SYS__newselect
    case SYS__newselect:
        return poll_is_timeval((const struct timeval *)a[4]) &&
               select_is_ready(call, NULL, ret_result);
#elif defined SYS_select
    case SYS_select:
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
    case SYS_epoll_create:
        *ret_result = epoll_create((int)a[0]);
        return true;
#endif
    case SYS_epoll_create1:
        *ret_result = epoll_create1((int)a[0]);
        return true;
    case SYS_epoll_ctl:
        *ret_result = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
        return true;
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
        BRACKETED(ret_result,
                  epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]));
        return true;
#endif
    case SYS_epoll_pwait:
        BRACKETED(ret_result, epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                                          (int)a[3], (sigset_t *)a[4]));
        return true;
#if defined SYS_epoll_pwait2 && defined __LP64__
    case SYS_epoll_pwait2: /* of 32 bits, its time is another one than libc's */
        BRACKETED(ret_result, epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                                           (struct timespec *)a[3], (sigset_t *)a[4]));
        return true;
#endif
    case SYS_ioctl:
        *ret_result = ioctl((int)a[0], (unsigned long)a[1], a[2]);
        return true;
    default:
        return false;
    }
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
    case SYS_socket:
        *ret_result = socket((int)a[0], (int)a[1], (int)a[2]);
        return true;
    case SYS_socketpair:
        *ret_result = socketpair((int)a[0], (int)a[1], (int)a[2], (int *)a[3]);
        return true;
#ifdef SYS_accept
    case SYS_accept:
#endif
    case SYS_accept4:
        *ret_result = CALL_AS_IT_IS(call);
        fd_accepted((int)a[0], (int)*ret_result);
        return true;
    case SYS_close:
        BRACKETED(ret_result, close((int)a[0]));
        return true;
    case SYS_close_range:
        *ret_result = close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
        return true;
    case SYS_dup:
        *ret_result = dup((int)a[0]);
        return true;
#ifdef SYS_dup2
    case SYS_dup2:
        *ret_result = dup2((int)a[0], (int)a[1]);
        return true;
#endif
    case SYS_dup3:
        *ret_result = dup3((int)a[0], (int)a[1], (int)a[2]);
        return true;
#ifdef SYS_fcntl64
    case SYS_fcntl64:
#endif
    case SYS_fcntl:
        if (blocks((int)a[1]))
            return false;
        *ret_result = fcntl((int)a[0], (int)a[1], a[2]);
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
        return true;
#elif defined SYS_mmap
    case SYS_mmap:
        *ret_result = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
        return true;
#endif
    case SYS_munmap:
        *ret_result = munmap((void *)a[0], (size_t)a[1]);
        return true;
    case SYS_mprotect:
        *ret_result = mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_pkey_mprotect:
        *ret_result = pkey_mprotect((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
        return true;
    case SYS_mremap:
        *ret_result =
            (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
        return true;
    case SYS_madvise:
        *ret_result = madvise((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_remap_file_pages:
        *ret_result =
            remap_file_pages((void *)a[0], (size_t)a[1], (int)a[2], (size_t)a[3], (int)a[4]);
        return true;
#ifdef SYS_shmat
    case SYS_shmat:
        *ret_result = (long)shmat((int)a[0], (const void *)a[1], (int)a[2]);
        return true;
    case SYS_shmdt:
        *ret_result = shmdt((const void *)a[0]);
        return true;
#endif
#ifdef SYS_ipc
    case SYS_ipc: /* of these, shmat(2) and shmdt(2) */
#endif
    case SYS_brk: /* tells something else than libc's function */
        user_memory_forget_all();
        return false;
    default:
        return false;
    }
}

/* --- processes --------------------------------------------------------------------------- */

static bool redirect_process(const struct call *call, long *ret_result)
{
    const long *a = call->a;

    switch (call->number) {
    case SYS_execve:
        *ret_result = execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
        return true;
    case SYS_execveat:
        *ret_result = execveat((int)a[0], (const char *)a[1], (char *const *)a[2],
                               (char *const *)a[3], (int)a[4]);
        return true;
    case SYS_exit_group:
        _exit((int)a[0]);
    /* libc's functions change all threads, the system calls only this one: it stays the call that
     * it is. */
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setgroups:
    case SYS_capset:
    case SYS_chroot:
#ifdef SYS_setuid32
    case SYS_setuid32:
    case SYS_setreuid32:
    case SYS_setresuid32:
    case SYS_setgid32:
    case SYS_setregid32:
    case SYS_setresgid32:
    case SYS_setgroups32:
#endif
        lifecycle_changes_identity();
        return false;
    case SYS_prctl:
        *ret_result = prctl((int)a[0], a[1], a[2], a[3], a[4]);
        return true;
    case SYS_unshare:
        *ret_result = unshare((int)a[0]);
        return true;
    case SYS_seccomp: /* libc has no function for it */
        if (a[0] != SECCOMP_SET_MODE_STRICT && a[0] != SECCOMP_SET_MODE_FILTER)
            return false;
        lifecycle_confining();
        *ret_result = CALL_AS_IT_IS(call);
        if (*ret_result != 0)
            lifecycle_not_confined();
        return true;
#ifdef SYS_vfork
    case SYS_vfork:
        /* The child would return through our frame, which is its parent's: it gets memory of its
         * own, and the parent waits for it as ever. */
        lifecycle_forks();
        *ret_result = REAL(syscall)(SYS_clone, CLONE_VFORK | SIGCHLD, 0L, 0L, 0L, 0L);
        return true;
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
}

/* --- all --------------------------------------------------------------------------------- */

#ifdef SYS_socketcall

/* One number for the calls on sockets, with their arguments in memory: see socketcall(2). */
static bool unpack(const struct call *packed, struct call *ret_call)
{
    static const struct {
        short number, count;
    } calls[] = {
        [1] = {SYS_socket, 3},    [5] = {SYS_accept4, 3},   [8] = {SYS_socketpair, 4},
        [10] = {SYS_recvfrom, 4}, [12] = {SYS_recvfrom, 6}, [14] = {SYS_setsockopt, 5},
        [16] = {SYS_sendmsg, 3},  [17] = {SYS_recvmsg, 3},  [18] = {SYS_accept4, 4},
        [19] = {SYS_recvmmsg, 5}, [20] = {SYS_sendmmsg, 4},
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
    return redirect_receive(call, ret_result) || redirect_wait(call, ret_result) ||
           redirect_epoll(call, ret_result) || redirect_descriptor(call, ret_result) ||
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
