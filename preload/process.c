/* SPDX-License-Identifier: MIT
 *
 * The library's start, and the interposed calls that make processes.
 */
#define _GNU_SOURCE
#include "lifecycle.h"
#include "real.h"
#include "table/held.h"

#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

/* The rest of the program's name after `start`, or NULL. */
START_CODE static const char *name_behind(const char *start)
{
    size_t length = strlen(start);

    return strncmp(program_invocation_short_name, start, length) == 0
               ? program_invocation_short_name + length
               : NULL;
}

/* wineserver, wineserver64, wineserver-stable: Debian's wrapper scripts pass LD_PRELOAD on to all
 * of Wine. */
START_CODE static bool is_wineserver(void)
{
    const char *rest = name_behind("wineserver");

    return rest && (!*rest || *rest == '-' || strcmp(rest, "32") == 0 || strcmp(rest, "64") == 0);
}

/* Wine's loader has many names (wine, wine64, wine64-preloader, wine-9.0), and other programs have
 * such names too; only the loader has this symbol, for ntdll.so. The name is checked first, because
 * a dlsym() that finds nothing allocates memory. */
static bool is_wine_loader(void)
{
    return name_behind("wine") && dlsym(RTLD_DEFAULT, "wine_main_preload_info") != NULL;
}

/* Whether the program calls ours: a sanitizer may be loaded before us. */
static bool has_vfork(void)
{
#if defined(__x86_64__) && defined(__LP64__) || defined(__i386__)
    return !real_vfork_is_before_us();
#else
    return false;
#endif
}

/* ThreadSanitizer. A dlsym() that finds nothing allocates memory, so mmap() is looked at first. */
static bool has_race_detector(void)
{
    return !real_is_libc((void *)REAL(mmap)) && dlsym(RTLD_DEFAULT, "__tsan_init") != NULL;
}

__attribute__((constructor)) static void start(void)
{
    struct lifecycle_entrance entrance = {.end_process = NULL};
    int saved = errno;

    real_start();
    /* In a setuid program the library does nothing. */
    if (getauxval(AT_SECURE) || is_wineserver())
        return;
    entrance.next.recvfrom = REAL(recvfrom);
    entrance.next.recvmsg = REAL(recvmsg);
    entrance.next.ppoll = REAL(ppoll);
    entrance.next.pselect = REAL(pselect);
    entrance.next.epoll_ctl = REAL(epoll_ctl);
    entrance.libc_beneath =
        real_is_libc((void *)real.recvfrom) && real_is_libc((void *)real.recvmsg) &&
        real_is_libc((void *)REAL(epoll_wait)) && real_is_libc((void *)REAL(epoll_ctl));
    entrance.next.mmap = has_race_detector() ? REAL(mmap) : NULL;
    entrance.next.munmap = entrance.next.mmap ? REAL(munmap) : NULL;
    entrance.under_wine = is_wine_loader();
    state.sees_vfork = has_vfork();
    lifecycle_start(&entrance, environ);
    errno = saved;
}

__attribute__((destructor)) static void end(void)
{
    int saved = errno;

    lifecycle_end();
    errno = saved;
}

/* A thread may cancel itself. If it is the only one, libc checks for that from now on, but only
 * libc knows: the program may have its own copy of __libc_single_threaded, which does not
 * change. */
INTERPOSED int pthread_cancel(pthread_t thread)
{
    sys_may_cancel();
    return REAL(pthread_cancel)(thread);
}

/* Skips the destructors. */
INTERPOSED void _exit(int status)
{
    lifecycle_end();
    REAL(_exit)(status);
    __builtin_unreachable();
}

INTERPOSED void _Exit(int status)
{
    _exit(status);
}

/* Skips the atfork handlers. */
INTERPOSED pid_t _Fork(void)
{
    pid_t pid;

    lifecycle_before_fork();
    pid = REAL(_Fork)();
    if (pid == 0)
        lifecycle_after_fork_in_child();
    else
        lifecycle_after_fork();
    return pid;
}

/* This thread sleeps while its child runs. */
static int clone_as_vfork(int (*function)(void *), void *stack, int flags, void *argument,
                          pid_t *parent_tid, void *tls, pid_t *child_tid)
{
    int pid;

    state_vfork_depth++;
    pid = REAL(clone)(function, stack, flags, argument, parent_tid, tls, child_tid);
    state_vfork_depth--;
    return pid;
}

/* clone(2) as a function. Other flags do not matter here. */
INTERPOSED int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    pid_t *parent_tid, *child_tid;
    va_list list;
    void *tls;

    va_start(list, argument);
    parent_tid = va_arg(list, pid_t *);
    tls = va_arg(list, void *);
    child_tid = va_arg(list, pid_t *);
    va_end(list);
    if (!(flags & CLONE_VM))
        lifecycle_forks();
    else if (!(flags & (CLONE_THREAD | CLONE_VFORK)))
        state.sees_vfork = false; /* it shares our memory, and its parent goes on */
    else if ((flags & CLONE_VFORK) && !(flags & CLONE_SETTLS))
        return clone_as_vfork(function, stack, flags, argument, parent_tid, tls, child_tid);
    return REAL(clone)(function, stack, flags, argument, parent_tid, tls, child_tid);
}

INTERPOSED int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
    __attribute__((alias("clone"), nothrow, leaf));

/* --- exec -------------------------------------------------------------------------------- */

/* What is held is lost only if there is a next program. One that searches for it by itself tries paths
 * that do not exist. `path`: NULL or empty where it is the descriptor itself. */
static void before_exec_at(int at, const char *path)
{
    if (!table_nothing_held() &&
        (path && *path ? sys_is_executable(at, path) : sys_fcntl(at, F_GETFD, 0) >= 0))
        lifecycle_exec();
}

static void before_exec(const char *path)
{
    before_exec_at(AT_FDCWD, path);
}

/* Whether execvp(3) finds it. A path that has no room here counts as one that does: it may be there,
 * and a stack may be small. */
SLOW_PATH static bool is_found(const char *file)
{
    enum { ROOM = 512 };
    const char *path = getenv("PATH"), *end;
    char name[ROOM];

    if (strchr(file, '/'))
        return sys_is_executable(AT_FDCWD, file);
    for (path = path ? path : "/bin:/usr/bin";; path = end + 1) {
        size_t length = (size_t)((end = strchrnul(path, ':')) - path), more = strlen(file) + 1;

        if (length + 1 + more > sizeof name)
            return true;
        memcpy(name, path, length);
        name[length] = '/';
        /* An empty one is the directory in which the process is. */
        memcpy(name + (length > 0 ? length + 1 : 0), file, more);
        if (sys_is_executable(AT_FDCWD, name))
            return true;
        if (!*end)
            return false;
    }
}

static void before_search(const char *file)
{
    if (!table_nothing_held() && is_found(file))
        lifecycle_exec();
}

INTERPOSED int execve(const char *path, char *const argv[], char *const environment[])
{
    before_exec(path);
    return REAL(execve)(path, argv, environment);
}

INTERPOSED int execv(const char *path, char *const argv[])
{
    before_exec(path);
    return REAL(execv)(path, argv);
}

INTERPOSED int execvp(const char *file, char *const argv[])
{
    before_search(file);
    return REAL(execvp)(file, argv);
}

INTERPOSED int execvpe(const char *file, char *const argv[], char *const environment[])
{
    before_search(file);
    return REAL(execvpe)(file, argv, environment);
}

INTERPOSED int fexecve(int fd, char *const argv[], char *const environment[])
{
    before_exec_at(fd, NULL);
    return REAL(fexecve)(fd, argv, environment);
}

INTERPOSED int execveat(int at, const char *path, char *const argv[], char *const environment[],
                        int flags)
{
    before_exec_at(at, path);
    return REAL(execveat)(at, path, argv, environment, flags);
}

/* The arguments of an execl() as the array of an execv(); on the stack, since exec must stay
 * async-signal-safe. Afterwards `list` is behind the NULL. */
#define ARGV_OF_LIST(argv, first, list)                 \
    do {                                                \
        va_list count_;                                 \
        size_t length_ = 1;                             \
                                                        \
        va_copy(count_, list);                          \
        for (const char *at_ = (first); at_; length_++) \
            at_ = va_arg(count_, const char *);         \
        va_end(count_);                                 \
        (argv) = alloca(length_ * sizeof *(argv));      \
        (argv)[0] = (char *)(uintptr_t)(first);         \
        for (size_t i_ = 1; i_ < length_; i_++)         \
            (argv)[i_] = va_arg(list, char *);          \
    } while (0)

INTERPOSED int execl(const char *path, const char *argument, ...)
{
    va_list list;
    char **argv;

    va_start(list, argument);
    ARGV_OF_LIST(argv, argument, list);
    va_end(list);
    before_exec(path);
    return REAL(execv)(path, argv);
}

INTERPOSED int execle(const char *path, const char *argument, ...)
{
    char *const *environment;
    va_list list;
    char **argv;

    va_start(list, argument);
    ARGV_OF_LIST(argv, argument, list);
    environment = va_arg(list, char *const *);
    va_end(list);
    before_exec(path);
    return REAL(execve)(path, argv, environment);
}

INTERPOSED int execlp(const char *file, const char *argument, ...)
{
    va_list list;
    char **argv;

    va_start(list, argument);
    ARGV_OF_LIST(argv, argument, list);
    va_end(list);
    before_search(file);
    return REAL(execvp)(file, argv);
}
