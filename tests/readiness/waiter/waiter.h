/* SPDX-License-Identifier: MIT */
/*
 * The waiter: a program that waits before it receives, and knows nothing of libwsrx. It plays one
 * case of cases.h, checks every result and every byte for itself, and says the first thing that
 * is not as it should be. `waiter CASE udp|unix epoll_wait|epoll_pwait|epoll_pwait2`
 *
 * WAITER_PATIENCE: milliseconds that it waits for what must come. WAITER_COMPANY: "thread" for a
 * second thread, which does nothing, or "child" for a fork behind each epoll set that is made: the
 * library may do without a stand-in only where nobody else can look at a set.
 *
 * Message 1 is the first one sent, and so on: see ../../lib/pattern.h.
 */
#ifndef WAITER_H
#define WAITER_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define EXPECT(condition)                                              \
    do {                                                               \
        if (!(condition))                                              \
            waiter_fail(__FILE__, __LINE__, "not so: %s", #condition); \
    } while (0)

#define EQUAL(got, expected)                                                                \
    do {                                                                                    \
        long long got_ = (got), expected_ = (expected);                                     \
        if (got_ != expected_)                                                              \
            waiter_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, expected_); \
    } while (0)

/* A call that must fail, with this errno. */
#define REFUSED(call, error)   \
    do {                       \
        errno = 0;             \
        EQUAL((call), -1);     \
        EQUAL(errno, (error)); \
    } while (0)

void waiter_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* How long a wait goes on for what must come. */
extern int patience;
enum { LONG = 2500, PART = 1000 };

/* Its company is a second thread. */
bool has_threads(void);

struct pair {
    int r, s;
};

struct pair pair_make(void);
unsigned message_send(struct pair pair, size_t length);
/* One receive with `room`: must give these bytes of the message. */
#define TAKE(fd, room, message, length, from, to) \
    take_part(__FILE__, __LINE__, fd, room, message, length, from, to)
void take_part(const char *file, int line, int fd, size_t room, unsigned message, size_t length,
               size_t from, size_t to);
#define NOTHING(fd) take_nothing(__FILE__, __LINE__, fd)
void take_nothing(const char *file, int line, int fd);

/* A message of LONG of which PART is received; the rest of it. */
unsigned tail_begin(struct pair pair);
void tail_end(int fd, unsigned message);

/* epoll by the call that the command line names */
int set_make(void);
void set_add(int set, int fd, uint32_t events, uint64_t data);
void set_change(int set, int fd, uint32_t events, uint64_t data);
void set_remove(int set, int fd);
int set_wait(int set, struct epoll_event *events, int max, int timeout, const sigset_t *mask);
/* Exactly this event comes, and no other with it. */
#define EVENT(set, events, data) expect_event(__FILE__, __LINE__, set, events, data)
void expect_event(const char *file, int line, int set, uint32_t events, uint64_t data);
#define NO_EVENT(set)         expect_no_event(__FILE__, __LINE__, set, 0)
#define NO_EVENT_FOR(set, ms) expect_no_event(__FILE__, __LINE__, set, ms)
void expect_no_event(const char *file, int line, int set, int timeout);

/* Descriptors as /proc/self/fd lists them. */
struct descriptors {
    int count;
    int fd[1024];
};
void descriptors_list(struct descriptors *list);
bool descriptors_same(const struct descriptors *a, const struct descriptors *b);
int descriptors_find_eventfd(void); /* -1: none */

/* In a message, by a socket. */
void descriptor_send(int way, int fd);
int descriptor_receive(int way);

/* Threads and processes */
void await_asleep(pid_t tid);
pid_t child_start(void (*run)(void *context), void *context);
void child_await(pid_t pid); /* must have exited with 0 */

/* Signals: counts those that were handled. */
extern volatile sig_atomic_t signals_handled;
void signals_count(int number);
void signals_after(int milliseconds); /* SIGALRM, once */

int64_t now_ms(void);
int64_t cpu_ms(void);

#endif
