/* SPDX-License-Identifier: MIT */
/*
 * Who performs an operation: this thread, another one, a child process, a signal handler.
 *
 *     fork c            a child that waits for work; _Fork c and sysfork c make one in other ways
 *     recv 10 in=c      the child performs it; in=thread: a fresh thread; in=handler: a handler
 *     start t recv 10   a thread (or the child t) begins it, and is seen to wait in the kernel
 *     join t -> …       what came of it
 *     kill c            SIGKILL
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEOPLE = 16, WAIT_MS = 10000, HIGH_FD = 900 };

struct person {
    char name[16];
    bool is_child, busy;
    pid_t id;
    int orders, answers; /* a child's pipes */
    pthread_t thread;
    struct op op;
    struct line line;
    bool done;
};

static struct person people[PEOPLE];
static int people_count;

static struct person *find_person(const char *name)
{
    for (int i = 0; i < people_count; i++)
        if (strcmp(people[i].name, name) == 0)
            return &people[i];
    return NULL;
}

static struct person *make_person(const char *name)
{
    struct person *person = find_person(name);

    if (person)
        return person;
    if (people_count == PEOPLE || strlen(name) >= sizeof(person->name))
        victim_fail("nobody can be called %s", name);
    person = &people[people_count++];
    snprintf(person->name, sizeof(person->name), "%s", name);
    return person;
}

static void read_all(int fd, void *to, size_t length, const char *who)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = raw_read(fd, (char *)to + done, length - done);

        if (got == -EINTR)
            continue;
        if (got <= 0)
            victim_fail("%s does not answer", who);
        done += (size_t)got;
    }
}

static void write_all(int fd, const void *from, size_t length)
{
    if (write(fd, from, length) != (ssize_t)length)
        victim_fail("a pipe is broken");
}

/* Pipe ends get numbers that no transcript uses. */
static int high(int fd)
{
    int moved = (int)raw_syscall(SYS_fcntl, fd, F_DUPFD, HIGH_FD, 0, 0, 0);

    if (moved < 0)
        victim_fail("no high descriptor");
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return moved;
}

static void __attribute__((noreturn)) live_as_child(int orders, int answers)
{
    static struct op op;
    static struct line line;
    char text[512];

    for (;;) {
        unsigned short length;
        ssize_t got = raw_read(orders, &length, sizeof(length));

        if (got == -EINTR)
            continue;
        if (got <= 0 || length >= sizeof(text))
            _exit(0);
        read_all(orders, text, length, "parent");
        text[length] = '\0';
        memset(&line, 0, sizeof(line));
        op_parse(&op, text);
        victim_dispatch(&op, &line);
        write_all(answers, &line, sizeof(line));
    }
}

static pid_t make_child(const char *how)
{
    if (strcmp(how, "_Fork") == 0)
        return _Fork();
    if (strcmp(how, "sysfork") == 0)
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
    return fork();
}

static void do_fork(const struct op *op)
{
    struct person *person = make_person(op_name(op, 0, "c"));
    int orders[2], answers[2];

    if (pipe(orders) < 0 || pipe(answers) < 0)
        victim_fail("pipe: %s", errno_name(errno));
    for (int i = 0; i < 2; i++) {
        orders[i] = high(orders[i]);
        answers[i] = high(answers[i]);
    }
    person->is_child = true;
    person->id = make_child(op->word[0]);
    if (person->id < 0)
        victim_fail("fork: %s", errno_name(errno));
    if (person->id == 0) {
        raw_syscall(SYS_close, orders[1], 0, 0, 0, 0, 0);
        raw_syscall(SYS_close, answers[0], 0, 0, 0, 0, 0);
        live_as_child(orders[0], answers[1]);
    }
    raw_syscall(SYS_close, orders[0], 0, 0, 0, 0, 0);
    raw_syscall(SYS_close, answers[1], 0, 0, 0, 0, 0);
    person->orders = orders[1];
    person->answers = answers[0];
}

static void order(const struct person *person, const struct op *op)
{
    unsigned short length = (unsigned short)strlen(op->text);

    write_all(person->orders, &length, sizeof(length));
    write_all(person->orders, op->text, length);
}

static void *live_as_thread(void *argument)
{
    struct person *person = argument;

    __atomic_store_n(&person->id, gettid(), __ATOMIC_RELEASE);
    victim_dispatch(&person->op, &person->line);
    __atomic_store_n(&person->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void start_thread(struct person *person)
{
    if (pthread_create(&person->thread, NULL, live_as_thread, person) != 0)
        victim_fail("no thread");
}

/*
 * Is it in a receive, with nothing left to do but wait? Linux says so by the number of the system
 * call that a sleeping task is in.
 */
static bool waits_in_receive(const struct person *person, pid_t id)
{
    static const long calls[] = {
        SYS_read,       SYS_readv, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_preadv2,
#ifdef SYS_socketcall /* i386: all of them in one */
        SYS_socketcall,
#endif
    };
    char path[64], text[128] = "";
    pid_t process = person->is_child ? id : getpid();
    char *end;
    long number;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)process, (int)id);
    fd = open(path, O_RDONLY);
    if (fd < 0)
        victim_fail("%s: %s", path, errno_name(errno));
    if (raw_read(fd, text, sizeof(text) - 1) <= 0)
        text[0] = '\0';
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    number = strtol(text, &end, 10);
    if (end == text)
        return false;
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (number == calls[i])
            return !person->is_child || strtol(end, NULL, 16) != person->orders;
    return false;
}

static void do_start(const struct op *op)
{
    struct person *person = make_person(op->count > 1 ? op->word[1] : "t");
    char text[512];
    const char *rest = strstr(op->text, op->word[2]);
    long long deadline = victim_now_ms() + WAIT_MS;
    pid_t id = 0;

    if (op->count < 3)
        victim_fail("start whom, to do what?");
    snprintf(text, sizeof(text), "%s", rest);
    op_parse(&person->op, text);
    memset(&person->line, 0, sizeof(person->line));
    person->busy = true;
    person->done = false;
    if (person->is_child) {
        id = person->id;
        order(person, &person->op);
    } else {
        person->id = 0;
        start_thread(person);
        while ((id = __atomic_load_n(&person->id, __ATOMIC_ACQUIRE)) == 0)
            sched_yield();
    }
    while (!waits_in_receive(person, id)) {
        if (__atomic_load_n(&person->done, __ATOMIC_ACQUIRE))
            return; /* it did not have to wait: the transcript will show what it got */
        if (victim_now_ms() > deadline)
            victim_fail("%s never waits", person->name);
        usleep(1000);
    }
}

static void do_join(const struct op *op, struct line *line)
{
    struct person *person = find_person(op_name(op, 0, "t"));
    const char *answer;

    if (!person || !person->busy)
        victim_fail("%s does nothing", op_name(op, 0, "t"));
    if (person->is_child)
        read_all(person->answers, &person->line, sizeof(person->line), person->name);
    else
        pthread_join(person->thread, NULL);
    person->busy = false;
    answer = strstr(person->line.text, " -> ");
    line_add(line, "%s", answer ? answer : "");
}

static void do_kill(const struct op *op)
{
    struct person *person = find_person(op_name(op, 0, "c"));

    if (!person || !person->is_child)
        victim_fail("nobody to kill");
    kill(person->id, SIGKILL);
    waitpid(person->id, NULL, 0);
    raw_syscall(SYS_close, person->orders, 0, 0, 0, 0, 0);
    raw_syscall(SYS_close, person->answers, 0, 0, 0, 0, 0);
}

static const struct op *handler_op;
static struct line *handler_line;

static void on_signal(int number)
{
    (void)number;
    victim_dispatch(handler_op, handler_line);
}

static void do_in_handler(const struct op *op, struct line *line)
{
    handler_op = op;
    handler_line = line;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
}

static void do_in_thread(const struct op *op, struct line *line)
{
    static struct person somebody;

    somebody.op = *op;
    /* the words point into the copy that came along */
    for (int i = 0; i < op->count; i++)
        somebody.op.word[i] = somebody.op.copy + (op->word[i] - op->copy);
    memset(&somebody.line, 0, sizeof(somebody.line));
    start_thread(&somebody);
    pthread_join(somebody.thread, NULL);
    line_add(line, "%s", somebody.line.text);
}

static void do_in_child(const struct op *op, struct line *line, const char *name)
{
    struct person *person = find_person(name);

    if (!person || !person->is_child)
        victim_fail("no child is called %s", name);
    order(person, op);
    memset(&person->line, 0, sizeof(person->line));
    read_all(person->answers, &person->line, sizeof(person->line), name);
    line_add(line, "%s", person->line.text);
}

void victim_do(const struct op *op, struct line *line)
{
    const char *who = op_option(op, "in");

    if (!who)
        victim_dispatch(op, line);
    else if (strcmp(who, "thread") == 0)
        do_in_thread(op, line);
    else if (strcmp(who, "handler") == 0)
        do_in_handler(op, line);
    else
        do_in_child(op, line, who);
}

bool people_operation(const struct op *op, struct line *line)
{
    const char *name = op->word[0];

    if (strcmp(name, "fork") == 0 || strcmp(name, "_Fork") == 0 || strcmp(name, "sysfork") == 0)
        do_fork(op);
    else if (strcmp(name, "start") == 0)
        do_start(op);
    else if (strcmp(name, "join") == 0)
        do_join(op, line);
    else if (strcmp(name, "kill") == 0)
        do_kill(op);
    else
        return false;
    return true;
}
