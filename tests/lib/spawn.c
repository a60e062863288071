/* SPDX-License-Identifier: MIT */
/* Starts, watches and ends one program at a time. Asserts nothing: that is the caller's part. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENVIRONMENT_MAX = 32, READ_SIZE = 65536 };

long long spawn_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static const char *from_meson(const char *name)
{
    const char *value = getenv(name);

    if (value && *value)
        return value;
    fprintf(stderr, "%s is not set: run the tests with `meson test`\n", name);
    exit(EXIT_FAILURE);
}

const char *spawn_library(void)
{
    return from_meson("WSRX_TEST_LIBRARY");
}

const char *spawn_victim(void)
{
    return from_meson("WSRX_TEST_VICTIM");
}

const char *spawn_source_root(void)
{
    return from_meson("WSRX_TEST_SOURCE_ROOT");
}

/*
 * The child gets a bare environment, so that no setting of the person who runs the tests reaches
 * it. WSRX_TEST_PRELOAD_FIRST is for sanitizer builds: their runtime must come before us.
 */
static void make_environment(char **environment, const struct spawn_request *request)
{
    static const char *const inherited[] = {"PATH", "HOME", "TMPDIR", "ASAN_OPTIONS",
                                            "UBSAN_OPTIONS"};
    size_t count = 0;
    char *word;

    environment[count++] = strdup("LC_ALL=C.UTF-8");
    for (size_t i = 0; i < sizeof(inherited) / sizeof(*inherited); i++) {
        const char *value = getenv(inherited[i]);

        if (value && asprintf(&word, "%s=%s", inherited[i], value) >= 0)
            environment[count++] = word;
    }
    if (request->preload) {
        const char *first = getenv("WSRX_TEST_PRELOAD_FIRST");

        if (asprintf(&word, "LD_PRELOAD=%s%s%s", first ? first : "", first ? " " : "",
                     spawn_library()) >= 0)
            environment[count++] = word;
    }
    for (const char *const *e = request->environment; e && *e && count < ENVIRONMENT_MAX - 1; e++)
        environment[count++] = strdup(*e);
    environment[count] = NULL;
}

/* WSRX_TEST_EMULATOR: what runs the programs under test where they are another processor's, with its
 * options. */
static void execute(const struct spawn_request *request, char **environment)
{
    enum { WORDS_MAX = 64 };
    static const char *const emulated[] = {"WSRX_TEST_VICTIM", "WSRX_TEST_WAITER"};
    char *emulator = getenv("WSRX_TEST_EMULATOR"), *save = NULL;
    const char *words[WORDS_MAX] = {NULL};
    size_t count = 0;
    bool is = false;

    for (size_t i = 0; i < sizeof(emulated) / sizeof(*emulated); i++)
        is = is || (getenv(emulated[i]) && strcmp(getenv(emulated[i]), request->argv[0]) == 0);
    if (emulator && is) {
        for (char *word = strtok_r(strdup(emulator), " ", &save); word && count < WORDS_MAX / 2;
             word = strtok_r(NULL, " ", &save))
            words[count++] = word;
        for (size_t i = 0; request->argv[i] && count < WORDS_MAX - 1; i++)
            words[count++] = request->argv[i];
    }
    if (count > 0)
        execvpe(words[0], (char *const *)words, environment);
    else
        execvpe(request->argv[0], (char *const *)request->argv, environment);
}

static void become_program(const struct spawn_request *request, char **environment, int in, int out,
                           int err)
{
    static const int reset[] = {SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGALRM};
    sigset_t none;

    setpgid(0, 0);
    for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
        signal(reset[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    if (request->directory && chdir(request->directory) < 0)
        _exit(126);
    if (request->traced) {
        /* The same addresses in every run: what depends on them does not change between runs. */
        personality(ADDR_NO_RANDOMIZE);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(126);
    }
    execute(request, environment);
    dprintf(2, "%s: %s\n", request->argv[0], strerror(errno));
    _exit(127);
}

static bool make_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC) == 0;
}

bool spawn_start(struct spawned *child, const struct spawn_request *request)
{
    char *environment[ENVIRONMENT_MAX] = {NULL};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    unsigned deadline_ms = request->deadline_ms ? request->deadline_ms : SPAWN_DEADLINE_MS;

    memset(child, 0, sizeof(*child));
    child->pid = -1;
    child->in_fd = -1;
    child->exit_status = -1;
    child->out.data = calloc(1, 1);
    child->err.data = calloc(1, 1);
    if (!make_pipe(out) || !make_pipe(err))
        goto failed;
    if (request->open_stdin) {
        if (!make_pipe(in))
            goto failed;
    } else if (request->stdin_fd) {
        in[0] = fcntl(request->stdin_fd, F_DUPFD_CLOEXEC, 0);
    } else {
        in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    make_environment(environment, request);
    child->pid = fork();
    if (child->pid < 0)
        goto failed;
    if (child->pid == 0)
        become_program(request, environment, in[0], out[1], err[1]);
    setpgid(child->pid, child->pid); /* in both, so that it is done whoever runs first */
    for (char **e = environment; *e; e++)
        free(*e);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    child->in_fd = in[1];
    child->out_fd = out[0];
    child->err_fd = err[0];
    child->deadline = spawn_now_ms() + deadline_ms;
    return true;

failed:
    fprintf(stderr, "cannot start %s: %s\n", request->argv[0], strerror(errno));
    child->ended = true;
    return false;
}

/* Returns false at end of file. */
static bool collect(struct spawn_text *text, int fd)
{
    ssize_t got;

    text->data = realloc(text->data, text->length + READ_SIZE + 1);
    if (!text->data)
        abort();
    got = read(fd, text->data + text->length, READ_SIZE);
    if (got > 0)
        text->length += (size_t)got;
    text->data[text->length] = '\0';
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Whatever the program has started is in its process group; nobody else is. */
static void kill_group(const struct spawned *child, int signal_number)
{
    kill(-child->pid, signal_number);
}

static void reap(struct spawned *child)
{
    int status = 0;

    if (child->ended)
        return;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->ended = true;
    if (WIFEXITED(status))
        child->exit_status = WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        child->signal = WTERMSIG(status);
    kill_group(child, SIGKILL); /* what it has left behind */
    close_if_open(&child->in_fd);
}

/* Takes what arrives within one wait. False: both ends of output are closed, or out of time. */
static bool pump(struct spawned *child, long long until)
{
    struct pollfd wait[2] = {{.fd = child->out_fd, .events = POLLIN},
                             {.fd = child->err_fd, .events = POLLIN}};
    long long left = until - spawn_now_ms();

    if (child->out_fd < 0 && child->err_fd < 0)
        return false;
    if (left <= 0)
        return false;
    if (poll(wait, 2, (int)left) < 0 && errno != EINTR)
        return false;
    if (wait[0].revents && !collect(&child->out, child->out_fd))
        close_if_open(&child->out_fd);
    if (wait[1].revents && !collect(&child->err, child->err_fd))
        close_if_open(&child->err_fd);
    return true;
}

bool spawn_await_bytes(struct spawned *child, size_t length)
{
    while (child->out.length < length)
        if (!pump(child, child->deadline))
            return false;
    return true;
}

bool spawn_await_word(struct spawned *child, const char *word)
{
    size_t searched = 0, length = strlen(word);

    while (!memmem(child->out.data + searched, child->out.length - searched, word, length)) {
        searched = child->out.length >= length ? child->out.length - length + 1 : 0;
        if (!pump(child, child->deadline))
            return false;
    }
    return true;
}

/*
 * A program that ends may leave children that keep its output open (a shell's background job):
 * its own end is what counts, so look for it now and then.
 */
void spawn_await_end(struct spawned *child)
{
    siginfo_t info;

    while (!child->ended) {
        long long now = spawn_now_ms();

        memset(&info, 0, sizeof(info));
        waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid == child->pid) {
            reap(child);
            break;
        }
        if (now >= child->deadline) {
            child->timed_out = true;
            kill_group(child, SIGKILL);
            reap(child);
            break;
        }
        if (child->out_fd < 0 && child->err_fd < 0)
            usleep(1000); /* closed its output and lives on */
        else
            pump(child, now + 20 < child->deadline ? now + 20 : child->deadline);
    }
    /* Its output is complete now, and everybody who could write more is dead. */
    while (pump(child, spawn_now_ms() + 1000))
        ;
    close_if_open(&child->out_fd);
    close_if_open(&child->err_fd);
}

void spawn_stop(struct spawned *child)
{
    if (!child->ended) {
        kill_group(child, SIGTERM);
        if (child->deadline > spawn_now_ms() + 2000)
            child->deadline = spawn_now_ms() + 2000;
    }
    spawn_await_end(child);
}

void spawn_free(struct spawned *child)
{
    free(child->out.data);
    free(child->err.data);
    child->out.data = child->err.data = NULL;
}

bool spawn_run(struct spawned *child, const struct spawn_request *request)
{
    if (!spawn_start(child, request))
        return false;
    spawn_await_end(child);
    return true;
}

bool spawn_finds(const char *program)
{
    const char *const argv[] = {"sh", "-c", "command -v \"$0\"", program, NULL};
    struct spawn_request request = {.argv = argv};
    struct spawned shell;
    bool there = spawn_run(&shell, &request) && shell.exit_status == 0;

    spawn_free(&shell);
    return there;
}
