/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/sys.h"

#include "base/libc.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

FAST_PATH_DATA struct next_calls next_calls;
FAST_PATH_DATA atomic_bool sys_libc_beneath;
FAST_PATH_DATA atomic_bool sys_libc_cancels_at_once;
FAST_PATH_DATA atomic_bool sys_cancels;
FAST_PATH_DATA atomic_bool sys_sandboxed;
__thread unsigned sys_critical_sections;

/* The kernel's calls by their number and up to six arguments. */
#define CALL0(number)          sys_call((number), 0, 0, 0, 0, 0, 0)
#define CALL1(number, a)       sys_call((number), (long)(a), 0, 0, 0, 0, 0)
#define CALL2(number, a, b)    sys_call((number), (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(number, a, b, c) sys_call((number), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL6(number, a, b, c, d, e, f) \
    sys_call((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* An offset is one argument; on a 32-bit processor it is two, which begin at an even one on ARM.
 * See syscall(2). */
#ifdef __LP64__
#define OFFSET(offset) (long)(offset), 0
#else
#define OFFSET(offset) (long)(uint32_t)(offset), (long)(uint32_t)((offset) >> 32)
#endif

ssize_t sys_recvfrom_by_libc(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                             socklen_t *namelen)
{
    int saved = errno;
    ssize_t result = next_calls.recvfrom(fd, buf, len, flags, name, namelen);

    if (result < 0) {
        result = -errno;
        errno = saved;
    }
    return result;
}

ssize_t sys_recvmsg_by_libc(int fd, struct msghdr *msg, int flags)
{
    int saved = errno;
    ssize_t result = next_calls.recvmsg(fd, msg, flags);

    if (result < 0) {
        result = -errno;
        errno = saved;
    }
    return result;
}

/* --- signals of our own calls ------------------------------------------------------------ */

enum { KERNEL_SIGSET = 8 }; /* bytes; libc's is larger, for signals that there are none */

/* Around a call for which the kernel may send a signal. */
struct quiet {
    sys_signals mask, pending; /* as they were */
    bool masks;
};

/* All are blocked, for a handler must not jump out of this. */
static void quiet_enter(struct quiet *quiet)
{
    quiet->masks = sys_critical_sections == 0;
    if (quiet->masks) {
        const sys_signals all = SYS_SIGNALS_ALL;

        sys_set_signal_mask(&all, &quiet->mask);
    }
    quiet->pending = 0;
    CALL2(SYS_rt_sigpending, &quiet->pending, KERNEL_SIGSET);
}

/* `wanted`: the result of a call that has done all of it. Returns `result`. A blocked signal is
 * kept even where the program ignores it, so it has to be taken back there as well. */
static long quiet_leave(const struct quiet *quiet, long result, size_t wanted)
{
    static const long at_once[2];
    const sys_signals sent = (sys_signal(SIGPIPE) | sys_signal(SIGXFSZ)) & ~quiet->pending;

    if (result < 0 || (size_t)result != wanted)
        while (CALL6(SYS_rt_sigtimedwait, &sent, NULL, at_once, KERNEL_SIGSET, 0, 0) > 0)
            continue;
    if (quiet->masks)
        sys_set_signal_mask(&quiet->mask, NULL);
    return result;
}

/* --- descriptors ------------------------------------------------------------------------- */

int sys_open(const char *path, int flags, mode_t mode)
{
    /* libc adds O_LARGEFILE by itself. It is 0 on machines of which only 32-bit programs need
     * it. */
    return (int)CALL6(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_LARGEFILE, mode, 0, 0);
}

int sys_close(int fd)
{
    return (int)CALL1(SYS_close, fd);
}

ssize_t sys_read(int fd, void *buf, size_t size)
{
    return CALL3(SYS_read, fd, buf, size);
}

ssize_t sys_pread(int fd, void *buf, size_t size, uint64_t offset)
{
#ifdef __arm__
    return sys_call(SYS_pread64, fd, (long)buf, (long)size, 0, OFFSET(offset));
#else
    return sys_call(SYS_pread64, fd, (long)buf, (long)size, OFFSET(offset), 0);
#endif
}

ssize_t sys_write(int fd, const void *buf, size_t size)
{
    struct quiet quiet;

    quiet_enter(&quiet);
    return quiet_leave(&quiet, CALL3(SYS_write, fd, buf, size), size);
}

ssize_t sys_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
    struct quiet quiet;
    long result;

    quiet_enter(&quiet);
#ifdef __arm__
    result = sys_call(SYS_pwrite64, fd, (long)buf, (long)size, 0, OFFSET(offset));
#else
    result = sys_call(SYS_pwrite64, fd, (long)buf, (long)size, OFFSET(offset), 0);
#endif
    return quiet_leave(&quiet, result, size);
}

ssize_t sys_write_zeros(int fd, size_t size)
{
    enum { MOST = 32 };      /* little stack */
    static char zeros[4096]; /* not among constants: those of a record lie close together */
    struct iovec pieces[MOST];
    size_t wanted = size < sizeof zeros * MOST ? size : sizeof zeros * MOST, left = wanted;
    struct quiet quiet;
    int count = 0;

    for (; left > 0; left -= pieces[count++].iov_len)
        pieces[count] = (struct iovec){zeros, left < sizeof zeros ? left : sizeof zeros};
    quiet_enter(&quiet);
    return quiet_leave(&quiet, CALL3(SYS_writev, fd, pieces, count), wanted);
}

ssize_t sys_write_now(int fd, const void *buf, size_t size)
{
    const struct iovec piece = {(void *)buf, size};
    struct quiet quiet;
    long result;

    quiet_enter(&quiet);
    /* An offset of -1 is the file's own. Kernels and files differ in whether they can. */
    result = CALL6(SYS_pwritev2, fd, &piece, 1, -1, -1, RWF_NOWAIT);
    if (result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL || result == -EPERM)
        result = CALL3(SYS_write, fd, buf, size);
    return quiet_leave(&quiet, result, size);
}

ssize_t sys_send_now(int fd, const void *buf, size_t size)
{
    return CALL6(SYS_sendto, fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}

int sys_poll(struct pollfd *fd, int timeout)
{
    long time[2] = {timeout / 1000, timeout % 1000 * 1000000L};

    return (int)CALL6(SYS_ppoll, fd, 1, time, NULL, KERNEL_SIGSET, 0);
}

int sys_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event)
{
    return (int)CALL6(SYS_epoll_ctl, epfd, operation, fd, event, 0, 0);
}

int sys_eventfd(unsigned value, int flags)
{
    return (int)CALL2(SYS_eventfd2, value, flags);
}

int sys_pipe(int ret_ends[2])
{
    return (int)CALL2(SYS_pipe2, ret_ends, O_CLOEXEC | O_NONBLOCK);
}

#ifdef SYS_fcntl64
#define FCNTL SYS_fcntl64
#else
#define FCNTL SYS_fcntl
#endif

int sys_fcntl(int fd, int command, long argument)
{
    return (int)CALL3(FCNTL, fd, command, argument);
}

int sys_fcntl_lock(int fd, int command, struct flock *lock)
{
    return (int)CALL3(SYS_fcntl, fd, command, lock);
}

int sys_queued(int fd, int *ret_length)
{
    return (int)CALL3(SYS_ioctl, fd, FIONREAD, ret_length);
}

/* --- sockets ----------------------------------------------------------------------------- */

#ifdef WSRX_COOKIE_BY_INODE
/* For the tests under qemu-user, which passes on no option of 8 bytes: the socket's inode is its own,
 * too, but a later socket may get it again. */
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    struct sys_file file;
    int error;

    if (level != SOL_SOCKET || name != SO_COOKIE)
        return (int)CALL6(SYS_getsockopt, fd, level, name, value, length, 0);
    error = sys_fstat(fd, &file);
    if (error == 0 && !S_ISSOCK(file.mode))
        error = -ENOTSOCK;
    if (error == 0)
        memcpy(value, &(uint64_t){file.inode + 1}, sizeof(uint64_t));
    return error;
}
#endif

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    return (int)CALL6(SYS_setsockopt, fd, level, name, value, length, 0);
}

int sys_getsockname(int fd, struct sockaddr *name, socklen_t *length)
{
    return (int)CALL3(SYS_getsockname, fd, name, length);
}

int sys_getpeername(int fd, struct sockaddr *name, socklen_t *length)
{
    return (int)CALL3(SYS_getpeername, fd, name, length);
}

/* --- files ------------------------------------------------------------------------------- */

START_CODE unsigned sys_fstat_number(void)
{
#ifndef __LP64__
    return SYS_fstat64;
#elif !defined SYS_fstat
    return SYS_newfstatat;
#else
    return libc_calls_fstat() ? SYS_fstat : SYS_newfstatat;
#endif
}

START_CODE int sys_fstat(int fd, struct sys_file *ret_file)
{
#ifdef __LP64__
    struct stat now; /* as the kernel's, on x86-64 and the newer processors */
    unsigned number = sys_fstat_number();
    int error = (int)(number == SYS_newfstatat ? CALL6(number, fd, "", &now, AT_EMPTY_PATH, 0, 0)
                                               : CALL2(number, fd, &now));
#else
    struct stat64 now;
    int error = (int)CALL2(SYS_fstat64, fd, &now);
#endif

    if (error == 0)
        *ret_file = (struct sys_file){
            .device = now.st_dev,
            .inode = now.st_ino,
            .size = (uint64_t)now.st_size,
            .on_disk = (uint64_t)now.st_blocks * 512,
            .special = now.st_rdev,
            .mode = now.st_mode,
            .owner = now.st_uid,
            .links = now.st_nlink,
        };
    return error;
}

int sys_ftruncate(int fd, uint64_t size)
{
    struct quiet quiet;
    long result;

    quiet_enter(&quiet);
#ifdef __LP64__
    result = CALL2(SYS_ftruncate, fd, size);
#elif defined(__arm__)
    result = sys_call(SYS_ftruncate64, fd, 0, OFFSET(size), 0, 0);
#else
    result = sys_call(SYS_ftruncate64, fd, OFFSET(size), 0, 0, 0);
#endif
    return (int)quiet_leave(&quiet, result, 0);
}

int sys_fallocate(int fd, int mode, uint64_t offset, uint64_t size)
{
    struct quiet quiet;
    long result;

    quiet_enter(&quiet);
#ifdef __LP64__
    result = CALL6(SYS_fallocate, fd, mode, offset, size, 0, 0);
#else
    result = sys_call(SYS_fallocate, fd, mode, OFFSET(offset), OFFSET(size));
#endif
    return (int)quiet_leave(&quiet, result, 0);
}

int sys_fchmod(int fd, mode_t mode)
{
    return (int)CALL2(SYS_fchmod, fd, mode);
}

int sys_flock(int fd, int operation)
{
    return (int)CALL2(SYS_flock, fd, operation);
}

int sys_unlink(const char *path)
{
    return (int)CALL3(SYS_unlinkat, AT_FDCWD, path, 0);
}

ssize_t sys_readlink(const char *path, char *to, size_t size)
{
    return CALL6(SYS_readlinkat, AT_FDCWD, path, to, size, 0, 0);
}

bool sys_is_executable(int at, const char *path)
{
    return CALL3(SYS_faccessat, at, path, X_OK) == 0;
}

ssize_t sys_getcwd(char *to, size_t size)
{
    return CALL2(SYS_getcwd, to, size);
}

/* --- memory ------------------------------------------------------------------------------ */

/* As the processor has it: see syscall(2). The kernel counts in pages of 4096 where it counts in
 * pages. */
static long call_mmap(void *at, size_t size, int protection, int flags, int fd, uint64_t offset)
{
#if defined __s390x__
    const long arguments[] = {(long)at, (long)size, protection, flags, fd, (long)offset};

    return CALL1(SYS_mmap, arguments);
#elif defined __LP64__
    return CALL6(SYS_mmap, at, size, protection, flags, fd, offset);
#else
    return CALL6(SYS_mmap2, at, size, protection, flags, fd, offset / 4096);
#endif
}

#ifdef __LP64__
static long map_by_next(size_t size, int protection, int flags, int fd, uint64_t offset)
{
    int saved = errno;
    void *at = next_calls.mmap(NULL, size, protection, flags, fd, (off_t)offset);
    long result = at == MAP_FAILED ? -errno : (long)at;

    errno = saved;
    return result;
}
#endif

void *sys_map(size_t size, int protection, int flags, int fd, uint64_t offset, int *ret_error)
{
#ifdef __LP64__
    long at = next_calls.mmap ? map_by_next(size, protection, flags, fd, offset)
                              : call_mmap(NULL, size, protection, flags, fd, offset);
#else
    long at = call_mmap(NULL, size, protection, flags, fd, offset);
#endif
    bool failed = (unsigned long)at > -4096ul; /* an error, not an address: as in libc */

    if (ret_error)
        *ret_error = failed ? (int)at : 0;
    return failed ? NULL : (void *)at;
}

void *sys_map_private(size_t size)
{
    return sys_map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
                   NULL);
}

int sys_map_over(void *at, size_t size, int protection, int flags, int fd)
{
    long result = call_mmap(at, size, protection, flags | MAP_FIXED, fd, 0);

    return (unsigned long)result > -4096ul ? (int)result : 0;
}

void *sys_remap(void *at, size_t size, size_t new_size, void *to)
{
    long result = sys_call(SYS_mremap, (long)at, (long)size, (long)new_size,
                           to ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE, (long)to, 0);

    return (unsigned long)result > -4096ul ? NULL : (void *)result;
}

int sys_protect(void *at, size_t size, int protection)
{
    return (int)CALL3(SYS_mprotect, at, size, protection);
}

int sys_unlock_memory(void *at, size_t size)
{
    return (int)CALL2(SYS_munlock, at, size);
}

int sys_unmap(void *at, size_t size)
{
    int saved = errno, result;

    if (!next_calls.munmap)
        return (int)CALL2(SYS_munmap, at, size);
    result = next_calls.munmap(at, size) == 0 ? 0 : -errno;
    errno = saved;
    return result;
}

int sys_madvise(void *at, size_t size, int advice)
{
    return (int)CALL3(SYS_madvise, at, size, advice);
}

#ifndef SYS_futex /* the newer 32-bit processors */
#define SYS_futex SYS_futex_time64
#endif

/* Nobody waits at this word: see futex(2), FUTEX_WAKE_OP. */
static int no_waiters;

/* Adds 0 to the word, as one operation, and wakes nobody. */
int sys_probe_write(void *word)
{
    return (int)CALL6(SYS_futex, &no_waiters, FUTEX_WAKE_OP_PRIVATE, 0, 0, word,
                      FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0));
}

/* Reads a set of signals to be set in a way that there is not. */
int sys_probe_read(const void *words)
{
    enum { NO_SUCH_WAY = 99 };

    return (int)CALL6(SYS_rt_sigprocmask, NO_SUCH_WAY, words, NULL, KERNEL_SIGSET, 0, 0);
}

/* An operation that there is not, for which the word at the address is never looked at. */
int sys_probe_address(const void *word)
{
    /* As FUTEX_OP() has it, whose shift of so large an operation has no defined result. */
    const unsigned no_such_operation = 15u << 28 | FUTEX_OP_CMP_LT << 24;

    return (int)CALL6(SYS_futex, word, FUTEX_WAKE_OP_PRIVATE, 0, 0, &no_waiters, no_such_operation);
}

/* --- processes, threads, signals --------------------------------------------------------- */

size_t sys_address_space(void)
{
    struct {
        uint64_t now, most;
    } limit;

    if (CALL6(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit, 0, 0) != 0 || limit.now > SIZE_MAX)
        return SIZE_MAX;
    return (size_t)limit.now;
}

pid_t sys_getpid(void)
{
    return (pid_t)CALL0(SYS_getpid);
}

pid_t sys_gettid(void)
{
    return (pid_t)CALL0(SYS_gettid);
}

uid_t sys_geteuid(void)
{
#ifdef SYS_geteuid32
    return (uid_t)CALL0(SYS_geteuid32);
#else
    return (uid_t)CALL0(SYS_geteuid);
#endif
}

void sys_yield(void)
{
    CALL0(SYS_sched_yield);
}

void sys_sleep(long nanoseconds)
{
    /* The kernel's structure: two words, on every processor that has the call. */
    const long time[2] = {nanoseconds / 1000000000, nanoseconds % 1000000000};

    CALL2(SYS_nanosleep, time, NULL);
}

void sys_set_signal_mask(const sys_signals *mask, sys_signals *ret_before)
{
    CALL6(SYS_rt_sigprocmask, SIG_SETMASK, mask, ret_before, KERNEL_SIGSET, 0, 0);
}

int sys_membarrier(int command)
{
    return (int)CALL3(SYS_membarrier, command, 0, 0);
}

int sys_futex(uint32_t *word, int operation, uint32_t value, long nanoseconds)
{
    /* The kernel's structure, as in sys_sleep(). */
    const long limit[2] = {0, nanoseconds};

    return (int)CALL6(SYS_futex, word, operation, value, nanoseconds ? limit : NULL, 0, 0);
}

int sys_signal_thread(pid_t thread, int signal)
{
    return (int)CALL2(SYS_tkill, thread, signal);
}

int sys_queue_to_process(pid_t pid, siginfo_t *info)
{
    return (int)CALL3(SYS_rt_sigqueueinfo, pid, info->si_signo, info);
}

int sys_queue_to_thread(pid_t pid, pid_t tid, siginfo_t *info)
{
    return (int)CALL6(SYS_rt_tgsigqueueinfo, pid, tid, info->si_signo, info, 0, 0);
}

int sys_kill(pid_t pid, int number)
{
    return (int)CALL2(SYS_kill, pid, number);
}

_Noreturn void sys_exit(int status)
{
    for (;;)
        CALL1(SYS_exit_group, status);
}
