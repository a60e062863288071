/* SPDX-License-Identifier: MIT
 *
 * The one door to the kernel. Nothing else in core/ makes a system call.
 *
 * Two kinds of calls stand here:
 *
 * For the program. Its own receives and waits, which the library makes in its stead, go through
 * `next_calls`: the next definition beneath us, so that a socket_wrapper, a torsocks or a sanitizer
 * there sees them. They behave as in libc: -1 and errno, and a cancellation point where libc's is.
 *
 * For ourselves. Everything named sys_… is a bare system call: no cancellation point, never seen by
 * our own wrappers (whose names are the program's), errno untouched. A result, or a negative errno.
 * All are async-signal-safe.
 *
 * When may they be made? The phases are those of docs/architecture.md, "The door to the kernel":
 *
 *   START    start-up, and the first time that something is needed
 *   PARTS    a message did not fit, or a tail is held
 *   EPOLL    the program changes an epoll set, a descriptor or a process, with sets to follow
 *   TRACE    a trace or statistics are asked for, or a line has to be reported
 *   END      the program ends
 *
 * In a receive or wait that the program makes while nothing is held, none.
 */
#ifndef WSRX_BASE_SYS_H
#define WSRX_BASE_SYS_H

#include "base/arch/syscall.h"
#include "base/compiler.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#else
static const char __libc_single_threaded = 0;
#endif

/* --- for the program --------------------------------------------------------------------- */

struct next_calls {
    ssize_t (*recvfrom)(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                        socklen_t *namelen);
    ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
    int (*ppoll)(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
                 const sigset_t *mask);
    int (*pselect)(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                   const struct timespec *timeout, const sigset_t *mask);
    int (*epoll_ctl)(int epfd, int operation, int fd, struct epoll_event *event);
    /* Where libc's own do not stand beneath, and NULL elsewhere: a sanitizer has to see memory come
     * and go, ours too, or it takes it for what was there before. */
    void *(*mmap)(void *at, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *at, size_t size);
};

/* Set by lifecycle_start(), before the core is active. */
extern struct next_calls next_calls;

/* Whether recvfrom, recvmsg and epoll_wait beneath us are libc's own, and nobody has been cancelled:
 * see sys_is_direct(). */
extern atomic_bool sys_libc_beneath;
/* Whether they are, and are cancelled as sys_is_cancellable() has it. */
extern atomic_bool sys_libc_cancels_at_once;
/* Whether a thread of this process has been cancelled, or is about to be. */
extern atomic_bool sys_cancels;

/* Whether this process has a single thread, for sure. */
static inline bool sys_is_single_threaded(void)
{
    return __libc_single_threaded;
}

/* Whether libc's own function would make the system call and nothing else: it stands beneath us,
 * and there is a single thread, and thus nobody to cancel it. Then the bare instruction serves,
 * without the call of that function and the return from it, which is often mispredicted after a
 * system call. */
static inline bool sys_is_direct(void)
{
    return SYS_HAS_DIRECT && LIKELY(sys_is_single_threaded()) &&
           LIKELY(atomic_load_explicit(&sys_libc_beneath, memory_order_relaxed));
}

/* The same of epoll_ctl(2), with any threads: it is no cancellation point. */
static inline bool sys_is_direct_in_threads(void)
{
    return SYS_HAS_DIRECT && LIKELY(atomic_load_explicit(&sys_libc_beneath, memory_order_relaxed));
}

/* A thread is about to be cancelled, maybe by itself: from now on libc must look. */
static inline void sys_may_cancel(void)
{
    atomic_store(&sys_libc_beneath, false);
    atomic_store(&sys_cancels, true);
}

/* A receive may be served without a system call that is a cancellation point, so it is one by this.
 * Nothing must have been taken yet. */
static inline void sys_cancellation_point(void)
{
    if (!LIKELY(!atomic_load_explicit(&sys_cancels, memory_order_relaxed)))
        pthread_testcancel();
}

/* The same in a process of several threads: libc's function would make the system call, with the
 * thread's type of cancellation set to asynchronous before it, and set back after it, and nothing
 * else. So glibc has it up to 2.40. Then sys_cancellable_call() serves, which does that. */
static inline bool sys_is_cancellable(void)
{
    return SYS_HAS_DIRECT &&
           LIKELY(atomic_load_explicit(&sys_libc_cancels_at_once, memory_order_relaxed));
}

/* A system call may be made by libc's code alone (PR_SET_SYSCALL_USER_DISPATCH): from now on the program's
 * own calls are. */
static inline void sys_only_by_libc(void)
{
    atomic_store(&sys_libc_beneath, false);
    atomic_store(&sys_libc_cancels_at_once, false);
}

static inline long sys_cancellable_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    int type;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    result = sys_direct_call(number, a, b, c, d, e, f);
    pthread_setcanceltype(type, NULL);
    return result;
}

/* recvfrom(2) and recvmsg(2) beneath us. A length, or a negative errno; errno is as it was.
 * Cancellation points where libc's are. */
ssize_t sys_recvfrom_by_libc(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                             socklen_t *namelen);
ssize_t sys_recvmsg_by_libc(int fd, struct msghdr *msg, int flags);

static inline ssize_t sys_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                                   socklen_t *namelen)
{
    if (LIKELY(sys_is_direct()))
        return sys_direct_call(SYS_DIRECT_RECVFROM, fd, (long)buf, (long)len, flags, (long)name,
                               (long)namelen);
    if (LIKELY(sys_is_cancellable()))
        return sys_cancellable_call(SYS_DIRECT_RECVFROM, fd, (long)buf, (long)len, flags,
                                    (long)name, (long)namelen);
    return sys_recvfrom_by_libc(fd, buf, len, flags, name, namelen);
}

static inline ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
    if (LIKELY(sys_is_direct()))
        return sys_direct_call(SYS_DIRECT_RECVMSG, fd, (long)msg, flags, 0, 0, 0);
    if (LIKELY(sys_is_cancellable()))
        return sys_cancellable_call(SYS_DIRECT_RECVMSG, fd, (long)msg, flags, 0, 0, 0);
    return sys_recvmsg_by_libc(fd, msg, flags);
}

/* The program has confined itself by a filter of system calls, or has descriptors of its own in a
 * thread: from now on no call of those below is made. Set by state_enter_sandbox(). */
extern atomic_bool sys_sandboxed;

static inline bool sys_is_sandboxed(void)
{
    return atomic_load_explicit(&sys_sandboxed, memory_order_relaxed);
}

/* --- for ourselves: descriptors ---------------------------------------------------------- */

/* O_CLOEXEC is added to the flags. START, PARTS (WSRX_TABLE, fdinfo), TRACE, END. */
int sys_open(const char *path, int flags, mode_t mode);
int sys_close(int fd);
/* Neither this nor any other call here raises a signal: what the kernel sends for a pipe without a
 * reader (SIGPIPE), beyond RLIMIT_FSIZE (SIGXFSZ) or for a terminal in the background (SIGTTOU) is
 * taken back, unless it was pending before. */
ssize_t sys_write(int fd, const void *buf, size_t size);
/* Never waits where the kernel can promise that; poll for room before. TRACE. */
ssize_t sys_write_now(int fd, const void *buf, size_t size);
/* The same to a socket. */
ssize_t sys_send_now(int fd, const void *buf, size_t size);
/* poll(2) for one descriptor. */
int sys_poll(struct pollfd *fd, int timeout);
ssize_t sys_read(int fd, void *buf, size_t size);
ssize_t sys_pread(int fd, void *buf, size_t size, uint64_t offset);
ssize_t sys_pwrite(int fd, const void *buf, size_t size, uint64_t offset);
/* EPOLL: a proxy's descriptor. */
int sys_eventfd(unsigned value, int flags);
/* EPOLL: for a descriptor of ours; for the program's by next_calls. */
struct epoll_event;
int sys_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event);
/* PARTS: a copy to memory that may go at any moment. It does not block. */
int sys_pipe(int ret_ends[2]);
int sys_fcntl(int fd, int command, long argument);
/* PARTS: a record lock on a socket (Wine). */
struct flock;
int sys_fcntl_lock(int fd, int command, struct flock *lock);
/* PARTS: how long the message at the head of a socket's queue is (FIONREAD). */
int sys_queued(int fd, int *ret_length);

/* --- sockets: PARTS, EPOLL and TRACE ----------------------------------------------------- */

#ifdef WSRX_COOKIE_BY_INODE
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
#else
/* A socket is asked who it is for each part of a message. Each return from a function that was entered
 * before a system call is mispredicted, and takes some 9 ns: so here there is none. */
static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    return (int)sys_direct_call(SYS_getsockopt, fd, level, name, (long)value, (long)length, 0);
}
#endif
int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int sys_getsockname(int fd, struct sockaddr *name, socklen_t *length);
int sys_getpeername(int fd, struct sockaddr *name, socklen_t *length);

/* --- files: START (WSRX_TABLE), TRACE and END -------------------------------------------- */

/* What fstat(2) says; the structures of libc and of the kernel differ by machine. */
struct sys_file {
    uint64_t device, inode, size;
    uint64_t on_disk; /* bytes */
    uint64_t special; /* which device it is, where it is one: major(3) and minor(3) */
    mode_t mode;
    uid_t owner;
    uint64_t links;
};

int sys_fstat(int fd, struct sys_file *ret_file);
/* The system call that this makes: the one that libc's fstat(3) makes, which a filter that was there
 * before us allows. */
unsigned sys_fstat_number(void);
int sys_ftruncate(int fd, uint64_t size);
/* `mode` as in fallocate(2). */
int sys_fallocate(int fd, int mode, uint64_t offset, uint64_t size);
/* Writes so many bytes of zeros, or fewer, as write(2) does. Their number, or a negative errno. */
ssize_t sys_write_zeros(int fd, size_t size);
int sys_fchmod(int fd, mode_t mode);
int sys_flock(int fd, int operation);
int sys_unlink(const char *path);
ssize_t sys_readlink(const char *path, char *to, size_t size);
/* Whether the program could execute it. PARTS: before an exec that ends tails. */
bool sys_is_executable(int at, const char *path);
/* Terminated. Its length, or a negative errno. */
ssize_t sys_getcwd(char *to, size_t size);

/* --- memory: START, PARTS and TRACE ------------------------------------------------------ */

/* NULL: no memory. `flags` and `protection` as in mmap(2). */
void *sys_map(size_t size, int protection, int flags, int fd, uint64_t offset, int *ret_error);
/* Anonymous memory of this process alone, not reserved until it is touched; NULL: none. */
void *sys_map_private(size_t size);
/* In place of what is mapped at `at`, which is ours. 0, or a negative errno. */
int sys_map_over(void *at, size_t size, int protection, int flags, int fd);
int sys_unmap(void *at, size_t size);
int sys_protect(void *at, size_t size, int protection);
/* mremap(2), to another place, or to `to`. Of size 0: another view of what is shared. NULL: no. */
void *sys_remap(void *at, size_t size, size_t new_size, void *to);
/* RLIMIT_AS, bytes; SIZE_MAX: none. */
size_t sys_address_space(void);
/* munlock(2). */
int sys_unlock_memory(void *at, size_t size);
int sys_madvise(void *at, size_t size, int advice);
/* Questions about the caller's memory, which change nothing: PARTS. -EFAULT: a system call that
 * wrote to the four bytes, or read the eight bytes there would say so, or one that was given the
 * address would before it looked at anything else. They are aligned so. Any other result: it would
 * not, or cannot be asked. */
int sys_probe_write(void *word);
int sys_probe_read(const void *words);
int sys_probe_address(const void *word);

/* --- processes, threads, signals --------------------------------------------------------- */

pid_t sys_getpid(void);
pid_t sys_gettid(void);
uid_t sys_geteuid(void);
void sys_yield(void);
void sys_sleep(long nanoseconds);
/* How many critical sections (critical_section.h) this thread is in: its signals are blocked there.
 * A handler never finds it above 0. */
extern __thread unsigned sys_critical_sections;
/* A signal mask as the kernel has it: 8 bytes, where libc's take 128 of the caller's stack. */
typedef uint64_t sys_signals;

static inline sys_signals sys_signal(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* All but SIGTRAP, for debuggers, and the two by which libc's threads talk to each other. */
#define SYS_SIGNALS_ALL (~(sys_signal(SIGTRAP) | sys_signal(32) | sys_signal(33)))

/* SIG_SETMASK. PARTS, EPOLL and TRACE: around our locks. */
void sys_set_signal_mask(const sys_signals *mask, sys_signals *ret_before);
int sys_membarrier(int command);
/* PARTS: the table's mutex. Nanoseconds, for FUTEX_WAIT, less than a second. */
int sys_futex(uint32_t *word, int operation, uint32_t value, long nanoseconds);
/* tkill(2). Signal 0: whether there is such a thread. PARTS: who has died with a tail. */
int sys_signal_thread(pid_t thread, int signal);
/* rt_sigqueueinfo(2), rt_tgsigqueueinfo(2) and kill(2), for signal-driven I/O: PARTS. */
int sys_queue_to_process(pid_t pid, siginfo_t *info);
int sys_queue_to_thread(pid_t pid, pid_t tid, siginfo_t *info);
int sys_kill(pid_t pid, int number);
/* Ends the process, for WSRX_STRICT: START. */
_Noreturn void sys_exit(int status);

#endif
