/* SPDX-License-Identifier: MIT */
/* What the cases of the waiter share, and its main(). */
#include "waiter.h"

#include "cases.h"
#include "pattern.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int patience = 5000;
volatile sig_atomic_t signals_handled;

static bool is_udp;
static const char *wait_call = "epoll_wait";
static const char *company = "none";
static unsigned *messages; /* how many were sent; shared with children */

bool has_threads(void)
{
    return strcmp(company, "thread") == 0;
}

void waiter_fail(const char *file, int line, const char *format, ...)
{
    const char *name = strrchr(file, '/');
    char text[512];
    va_list list;
    int length = snprintf(text, sizeof(text), "%s:%d: ", name ? name + 1 : file, line);

    va_start(list, format);
    length += vsnprintf(text + length, sizeof(text) - (size_t)length - 2, format, list);
    va_end(list);
    text[length++] = '\n';
    (void)!write(1, text, (size_t)length);
    _exit(1);
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int64_t cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* --- messages ---------------------------------------------------------------------------- */

struct pair pair_make(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    struct pair pair;
    int ends[2];

    if (!is_udp) {
        EQUAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
        return (struct pair){ends[0], ends[1]};
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pair.r = socket(AF_INET, SOCK_DGRAM, 0);
    pair.s = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT(pair.r >= 0 && pair.s >= 0);
    EQUAL(bind(pair.r, (struct sockaddr *)&address, length), 0);
    EQUAL(getsockname(pair.r, (struct sockaddr *)&address, &length), 0);
    EQUAL(connect(pair.s, (struct sockaddr *)&address, length), 0);
    return pair;
}

unsigned message_send(struct pair pair, size_t length)
{
    static unsigned char bytes[65536];
    unsigned number = __atomic_add_fetch(messages, 1, __ATOMIC_RELAXED);

    pattern_fill(bytes, number, 0, length);
    EQUAL(send(pair.s, bytes, length, 0), (long long)length);
    return number;
}

void take_part(const char *file, int line, int fd, size_t room, unsigned message, size_t length,
               size_t from, size_t to)
{
    unsigned char bytes[8192];
    ssize_t got;
    size_t matched;

    memset(bytes, PATTERN_BLANK, sizeof(bytes));
    got = recv(fd, bytes, room, MSG_DONTWAIT);
    if (got != (ssize_t)(to - from))
        waiter_fail(file, line, "receive of %zu gives %zd (%s), not %zu", room, got,
                    got < 0 ? strerror(errno) : "bytes", to - from);
    matched = pattern_match(bytes, (size_t)got, message, from, length);
    if (matched != (size_t)got)
        waiter_fail(file, line, "byte %zu is not byte %zu of message %u", matched, from + matched,
                    message);
}

void take_nothing(const char *file, int line, int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);

    if (got != -1 || errno != EAGAIN)
        waiter_fail(file, line, "receive gives %zd, and nothing was to be there", got);
}

unsigned tail_begin(struct pair pair)
{
    unsigned message = message_send(pair, LONG);

    TAKE(pair.r, PART, message, LONG, 0, PART);
    return message;
}

void tail_end(int fd, unsigned message)
{
    TAKE(fd, 4000, message, LONG, PART, LONG);
}

/* --- epoll ------------------------------------------------------------------------------- */

int set_make(void)
{
    int set = epoll_create1(0);

    EXPECT(set >= 0);
    if (strcmp(company, "child") == 0) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        child_await(pid);
    }
    return set;
}

static void control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};

    EQUAL(epoll_ctl(set, operation, fd, &event), 0);
}

void set_add(int set, int fd, uint32_t events, uint64_t data)
{
    control(set, EPOLL_CTL_ADD, fd, events, data);
}

void set_change(int set, int fd, uint32_t events, uint64_t data)
{
    control(set, EPOLL_CTL_MOD, fd, events, data);
}

void set_remove(int set, int fd)
{
    EQUAL(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
}

int set_wait(int set, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};

    if (strcmp(wait_call, "epoll_pwait2") == 0)
        return epoll_pwait2(set, events, max, timeout < 0 ? NULL : &limit, mask);
    if (mask || strcmp(wait_call, "epoll_pwait") == 0)
        return epoll_pwait(set, events, max, timeout, mask);
    return epoll_wait(set, events, max, timeout);
}

void expect_event(const char *file, int line, int set, uint32_t events, uint64_t data)
{
    struct epoll_event got[8];
    int count = set_wait(set, got, 8, patience, NULL);

    if (count != 1 || got[0].events != events || got[0].data.u64 != data)
        waiter_fail(file, line,
                    "%d events (first: 0x%x, data %llu; second: 0x%x, data %llu), not "
                    "one 0x%x with data %llu",
                    count, count > 0 ? got[0].events : 0,
                    (unsigned long long)(count > 0 ? got[0].data.u64 : 0),
                    count > 1 ? got[1].events : 0,
                    (unsigned long long)(count > 1 ? got[1].data.u64 : 0), events,
                    (unsigned long long)data);
}

void expect_no_event(const char *file, int line, int set, int timeout)
{
    struct epoll_event got[8];
    int count = set_wait(set, got, 8, timeout, NULL);

    if (count != 0)
        waiter_fail(file, line, "%d events (first: 0x%x, data %llu), and there was to be none",
                    count, got[0].events, (unsigned long long)got[0].data.u64);
}

/* --- descriptors ------------------------------------------------------------------------- */

void descriptors_list(struct descriptors *list)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;

    EXPECT(directory);
    list->count = 0;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory))
            list->fd[list->count++ & 1023] = atoi(entry->d_name);
    EXPECT(list->count <= 1024);
    closedir(directory);
}

bool descriptors_same(const struct descriptors *a, const struct descriptors *b)
{
    return a->count == b->count && memcmp(a->fd, b->fd, (size_t)a->count * sizeof(*a->fd)) == 0;
}

void descriptor_send(int way, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {"", 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
    EQUAL(sendmsg(way, &msg, 0), 1);
}

int descriptor_receive(int way)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    int fd;

    EQUAL(recvmsg(way, &msg, 0), 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    return fd;
}

int descriptors_find_eventfd(void)
{
    struct descriptors list;
    char path[64], target[64];

    descriptors_list(&list);
    for (int i = 0; i < list.count; i++) {
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", list.fd[i]);
        length = readlink(path, target, sizeof(target) - 1);
        if (length > 0 && memmem(target, (size_t)length, "[eventfd]", 9))
            return list.fd[i];
    }
    return -1;
}

/* --- threads, processes, signals --------------------------------------------------------- */

/* By the scheduler's word. The thread must be on its way into the call that is waited for. */
void await_asleep(pid_t tid)
{
    int64_t end = now_ms() + 10000;
    char path[64], text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
    for (int seen = 0; seen < 3;) {
        FILE *file = fopen(path, "r");
        const char *state;

        EXPECT(file && fgets(text, sizeof(text), file));
        fclose(file);
        state = strrchr(text, ')');
        seen = state && state[2] == 'S' ? seen + 1 : 0;
        EXPECT(now_ms() < end);
        usleep(2000);
    }
}

pid_t child_start(void (*run)(void *context), void *context)
{
    pid_t pid = fork();

    EXPECT(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a parent that fails says no more words */
        run(context);
        _exit(0);
    }
    return pid;
}

void child_await(pid_t pid)
{
    int status = -1;

    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(status, 0);
}

static void handle(int number)
{
    (void)number;
    signals_handled++;
}

void signals_count(int number)
{
    struct sigaction action = {.sa_handler = handle};

    EQUAL(sigaction(number, &action, NULL), 0);
}

void signals_after(int milliseconds)
{
    struct itimerval timer = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};

    EQUAL(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void *idle(void *context)
{
    for (;;)
        pause();
    return context;
}

/* --- the cases --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define ROW(name, without, where) {#name, case_##name},
    ALL_CASES(ROW)};

int main(int argc, char **argv)
{
    const char *word = getenv("WAITER_PATIENCE");
    pthread_t thread;

    if (argc < 3 || argc > 4) {
        fputs("usage: waiter CASE udp|unix [epoll_wait|epoll_pwait|epoll_pwait2]\n", stderr);
        return 2;
    }
    is_udp = strcmp(argv[2], "udp") == 0;
    if (argc > 3)
        wait_call = argv[3];
    if (word)
        patience = atoi(word);
    if (getenv("WAITER_COMPANY"))
        company = getenv("WAITER_COMPANY");
    if (has_threads())
        EQUAL(pthread_create(&thread, NULL, idle, NULL), 0);
    syscall(SYS_close_range, 3, ~0u, 0); /* whatever the caller has left open */
    messages =
        mmap(NULL, sizeof(*messages), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(messages != MAP_FAILED);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        cases[i].run();
        return puts("right") < 0;
    }
    fprintf(stderr, "waiter: no case %s\n", argv[1]);
    return 2;
}
