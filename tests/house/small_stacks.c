/* SPDX-License-Identifier: MIT
 *
 * Every call of calls.def, while a tail is held, in a thread with a stack of 16 KiB and in a handler
 * on a signal stack of 8 KiB: see stack.py. Each is made in a process of its own. A line says its
 * name, where, and how the process ended. A call that is missing here is an error of the linker.
 */
#define _GNU_SOURCE
#include "base/libc.h"
#include "base/time64.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#undef CALL_TIME64
#define CALL_TIME64(type, name, parameters)

static struct {
#define CALL(type, name, parameters) type(*name) parameters;
#include "calls.def"
#undef CALL
} real;

enum { THREAD = 16 << 10, HANDLER = 8 << 10, LONG = 3000, PART = 500, PAGE = 4096 };

static int in, out, set, more, shm;
static char room[LONG];
static struct iovec iov = {room, PART};
static struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
static struct mmsghdr vec = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
static struct sockaddr_storage name;
static socklen_t name_length;
static struct pollfd polled;
static struct epoll_event event = {.events = EPOLLIN}, events[2];
static const struct timespec at_once;
static struct timeval never;
static fd_set reading;
static char *area, *argv[] = {(char *)"true", NULL}, *environment[] = {NULL};
static FILE *stream;

static void *new_name(void)
{
    name_length = sizeof name;
    return &name;
}

static fd_set *read_set(void)
{
    FD_ZERO(&reading);
    FD_SET(in, &reading);
    never = (struct timeval){0, 0};
    return &reading;
}

static int child(void *unused)
{
    (void)unused;
    return 0;
}

static void reap(pid_t pid)
{
    if (pid == 0)
        _exit(0);
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}

/* clang-format off */
#define DO(name, ...) static void do_##name(void) { __VA_ARGS__; }
#define FLAGS MSG_DONTWAIT

DO(recv, real.recv(in, room, PART, FLAGS))
DO(__recv_chk, real.__recv_chk(in, room, PART, LONG, FLAGS))
DO(recvfrom, real.recvfrom(in, room, PART, FLAGS, new_name(), &name_length))
DO(__recvfrom_chk, real.__recvfrom_chk(in, room, PART, LONG, FLAGS, new_name(), &name_length))
DO(recvmsg, real.recvmsg(in, &msg, FLAGS))
DO(recvmmsg, real.recvmmsg(in, &vec, 1, FLAGS, NULL))
DO(read, (void)!real.read(in, room, PART))
DO(__read, (void)!real.__read(in, room, PART))
DO(__read_chk, (void)!real.__read_chk(in, room, PART, LONG))
DO(readv, (void)!real.readv(in, &iov, 1))
DO(preadv2, (void)!real.preadv2(in, &iov, 1, -1, 0))
DO(preadv64v2, (void)!real.preadv64v2(in, &iov, 1, -1, 0))
DO(setsockopt, real.setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never))
DO(syscall, real.syscall(SYS_read, in, room, PART))
DO(poll, real.poll(&polled, 1, 0))
DO(__poll, real.__poll(&polled, 1, 0))
DO(__poll_chk, real.__poll_chk(&polled, 1, 0, sizeof polled))
DO(ppoll, real.ppoll(&polled, 1, &at_once, NULL))
DO(__ppoll_chk, real.__ppoll_chk(&polled, 1, &at_once, NULL, sizeof polled))
DO(select, real.select(in + 1, read_set(), NULL, NULL, &never))
DO(__select, real.__select(in + 1, read_set(), NULL, NULL, &never))
DO(pselect, real.pselect(in + 1, read_set(), NULL, NULL, &at_once, NULL))
DO(epoll_create, close(real.epoll_create(1)))
DO(epoll_create1, close(real.epoll_create1(0)))
DO(epoll_ctl, real.epoll_ctl(set, EPOLL_CTL_DEL, in, &event); real.epoll_ctl(set, EPOLL_CTL_ADD, in, &event))
DO(epoll_wait, real.epoll_wait(set, events, 2, 0))
DO(epoll_pwait, real.epoll_pwait(set, events, 2, 0, NULL))
DO(epoll_pwait2, real.epoll_pwait2(set, events, 2, &at_once, NULL))
DO(ioctl, int left; real.ioctl(in, FIONREAD, &left))
DO(socket, close(real.socket(AF_INET, SOCK_DGRAM, 0)))
DO(socketpair, int fds[2]; real.socketpair(AF_UNIX, SOCK_DGRAM, 0, fds))
DO(accept, real.accept(in, NULL, NULL))
DO(accept4, real.accept4(in, NULL, NULL, 0))
DO(close, real.close(in))
DO(__close, real.__close(in))
DO(close_range, real.close_range(3, ~0u, 0))
DO(closefrom, real.closefrom(3))
DO(fclose, real.fclose(stream); stream = fopen("/dev/null", "r"))
DO(dup, real.close(real.dup(in)))
DO(dup2, real.dup2(in, more))
DO(__dup2, real.__dup2(in, more))
DO(dup3, real.dup3(out, in, 0))
DO(fcntl, real.close(real.fcntl(in, F_DUPFD, 0)))
DO(__fcntl, real.__fcntl(in, F_SETFL, O_ASYNC))
DO(fcntl64, real.fcntl64(in, F_SETOWN, getpid()))
DO(sendmsg, real.sendmsg(out, &msg, 0))
DO(sendmmsg, real.sendmmsg(out, &vec, 1, 0))
DO(send, real.send(out, room, PART, 0))
DO(__send, real.__send(out, room, PART, 0))
DO(sendto, real.sendto(out, room, PART, 0, NULL, 0))
DO(write, (void)!real.write(out, room, PART))
DO(__write, (void)!real.__write(out, room, PART))
DO(writev, (void)!real.writev(out, &iov, 1))
DO(splice, int ends[2]; if (pipe(ends) == 0) real.splice(in, NULL, ends[1], NULL, PART, SPLICE_F_NONBLOCK))
DO(sendfile, real.sendfile(out, in, NULL, PART))
DO(sendfile64, real.sendfile64(out, in, NULL, PART))
DO(mmap, real.mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0))
DO(mmap64, real.mmap64(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0))
DO(munmap, real.munmap(area, PAGE))
DO(mprotect, real.mprotect(area, PAGE, PROT_READ))
DO(pkey_mprotect, real.pkey_mprotect(area, PAGE, PROT_READ, -1))
DO(mremap, real.mremap(area, PAGE, PAGE, 0))
DO(madvise, real.madvise(area, PAGE, MADV_DONTNEED))
DO(process_madvise, struct iovec one = {area, PAGE}; real.process_madvise(-1, &one, 1, MADV_COLD, 0))
DO(remap_file_pages, real.remap_file_pages(area, PAGE, 0, 0, 0))
DO(shmat, real.shmat(shm, NULL, 0))
DO(shmdt, real.shmdt(real.shmat(shm, NULL, 0)))
DO(brk, real.brk(sbrk(0)))
DO(sbrk, real.sbrk(0))
DO(__sbrk, real.__sbrk(0))
DO(_Fork, reap(real._Fork()))
DO(vfork, reap(real.vfork()))
DO(__vfork, reap(real.__vfork()))
DO(clone, reap(real.clone(child, area + PAGE, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL)))
DO(__clone, reap(real.__clone(child, area + PAGE, SIGCHLD, NULL)))
DO(execve, real.execve("/bin/true", argv, environment))
DO(execv, real.execv("/bin/true", argv))
DO(execvp, real.execvp("/bin/true", argv))
DO(execvpe, real.execvpe("/bin/true", argv, environment))
DO(fexecve, real.fexecve(open("/bin/true", O_RDONLY), argv, environment))
DO(execveat, real.execveat(AT_FDCWD, "/bin/true", argv, environment, 0))
DO(execl, real.execl("/bin/true", "true", (char *)NULL))
DO(execle, real.execle("/bin/true", "true", (char *)NULL, environment))
DO(execlp, real.execlp("/bin/true", "true", (char *)NULL))
DO(pthread_cancel, pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); real.pthread_cancel(pthread_self()))
DO(_exit, real._exit(0))
DO(_Exit, real._Exit(0))
DO(prctl, real.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
DO(unshare, real.unshare(CLONE_FILES))
DO(setuid, real.setuid(getuid()))
DO(seteuid, real.seteuid(getuid()))
DO(setreuid, real.setreuid(getuid(), getuid()))
DO(setresuid, real.setresuid(getuid(), getuid(), getuid()))
DO(setgid, real.setgid(getgid()))
DO(setegid, real.setegid(getgid()))
DO(setregid, real.setregid(getgid(), getgid()))
DO(setresgid, real.setresgid(getgid(), getgid(), getgid()))
DO(setgroups, real.setgroups(0, NULL))
DO(initgroups, real.initgroups("root", 0)) /* libc's own takes more than 8 KiB */
DO(setfsuid, real.setfsuid(getuid()))
DO(setfsgid, real.setfsgid(getgid()))
DO(setns, real.setns(-1, 0))
DO(pivot_root, real.pivot_root(NULL, NULL))
DO(capset, real.capset(NULL, NULL))
DO(chroot, real.chroot("/"))
/* clang-format on */

static const struct {
    const char *name;
    void (*call)(void);
} calls[] = {
#define CALL(type, name, parameters) {#name, do_##name},
#include "calls.def"
#undef CALL
};

static void (*chosen)(void);

static void *in_thread(void *unused)
{
    (void)unused;
    chosen();
    chosen();
    return NULL;
}

static void in_handler(int signal)
{
    (void)signal;
    chosen();
    chosen();
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static char *guarded(size_t size)
{
    char *at = mmap(NULL, PAGE + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + PAGE, size, PROT_READ | PROT_WRITE) != 0)
        fail("mmap");
    return at + PAGE;
}

static void run_in_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, guarded(THREAD), THREAD) != 0 ||
        pthread_create(&thread, &attributes, in_thread, NULL) != 0)
        fail("pthread_create");
    pthread_join(thread, NULL);
}

static void run_in_handler(void)
{
    stack_t stack = {.ss_sp = guarded(HANDLER), .ss_size = HANDLER};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};

    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        fail("sigaltstack");
    raise(SIGUSR1);
}

/* A socket with a tail and another message, in a set. */
static void prepare(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    out = socket(AF_INET, SOCK_DGRAM, 0);
    more = dup(0);
    set = epoll_create1(0);
    shm = shmget(IPC_PRIVATE, PAGE, 0600);
    stream = fopen("/dev/null", "r");
    area = guarded(2 * PAGE);
    polled = (struct pollfd){.fd = in, .events = POLLIN};
    if (bind(in, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(in, (struct sockaddr *)&address, &length) != 0 ||
        connect(out, (struct sockaddr *)&address, length) != 0 ||
        epoll_ctl(set, EPOLL_CTL_ADD, in, &event) != 0 || send(out, room, LONG, 0) != LONG ||
        send(out, room, LONG, 0) != LONG || (recv(in, room, PART, 0) != PART && errno != EMSGSIZE))
        fail("socket");
    shmat(shm, NULL, 0);
    shmctl(shm, IPC_RMID, NULL);
}

static void try(size_t i, const char *where, void (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        chosen = calls[i].call;
        prepare();
        run();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    printf("%s %s: %s %d\n", calls[i].name, where, WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
}

int main(void)
{
    memset(room, 'x', sizeof room);
#define CALL(type, name, parameters) *(void **)&real.name = dlsym(RTLD_DEFAULT, #name);
#include "calls.def"
#undef CALL
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        try(i, "in a thread of 16 KiB", run_in_thread);
        try(i, "on a signal stack of 8 KiB", run_in_handler);
    }
    return 0;
}
