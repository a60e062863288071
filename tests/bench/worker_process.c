/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000, /* a batch takes well below a millisecond, and 1 s when a packet is lost */
};

static bool inherited(const char *entry)
{
    return strncmp(entry, "WSRX_", 5) != 0 && strncmp(entry, "LD_PRELOAD=", 11) != 0;
}

/* Returns an environment to be freed together with *ret_preload, or NULL. */
static char **make_environment(const char *library, const char *setting, char **ret_preload)
{
    size_t count = 0, kept = 0;
    char *preload = NULL;
    char **result;

    while (environ[count])
        count++;
    result = calloc(count + 3, sizeof(*result));
    if (!result)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (inherited(environ[i]))
            result[kept++] = environ[i];
    }
    if (library) {
        if (asprintf(&preload, "LD_PRELOAD=%s", library) < 0) {
            free(result);
            return NULL;
        }
        result[kept++] = preload;
    }
    if (setting)
        result[kept++] = (char *)(uintptr_t)setting;
    *ret_preload = preload;
    return result;
}

/* ld.so only warns when it cannot preload; the benchmark would then compare nothing. */
static bool has_mapped(pid_t pid, const char *library)
{
    char *resolved = realpath(library, NULL);
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    char path[64];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    while (maps && resolved && !found && getline(&line, &size, maps) > 0)
        found = strstr(line, resolved) != NULL;
    if (maps)
        fclose(maps);
    free(line);
    free(resolved);
    return found;
}

static int spawn_worker(const char *program, char **environment, int in, int out, pid_t *ret_pid)
{
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (r == 0)
        r = posix_spawn(ret_pid, program, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

int worker_start(struct worker_process *ret_worker, const char *program, const char *library,
                 const char *setting)
{
    /* The smallest batch there is; its answer also tells that the program's start is over. */
    static const struct bench_batch hello = {
        .channel = BENCH_PIPE,
        .call = BENCH_READ,
        .buffer = 4,
        .message = 4,
        .messages = 1,
        .part = 4,
        .timed = 1,
    };
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    struct bench_answer answer;
    char *preload = NULL;
    char **environment;
    int r;

    *ret_worker = (struct worker_process){.pid = 0, .ask = -1, .answer = -1};
    environment = make_environment(library, setting, &preload);
    if (!environment)
        return -ENOMEM;
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        r = -errno;
    else
        r = spawn_worker(program, environment, in[0], out[1], &ret_worker->pid);
    free(environment);
    free(preload);
    if (in[0] >= 0)
        close(in[0]);
    if (out[1] >= 0)
        close(out[1]);
    ret_worker->ask = in[1];
    ret_worker->answer = out[0];

    if (r == 0)
        r = worker_ask(ret_worker, &hello, &answer);
    if (r == 0 && library && !has_mapped(ret_worker->pid, library))
        r = -ENOEXEC;
    if (r < 0)
        worker_stop(ret_worker);
    return r;
}

int worker_ask(struct worker_process *worker, const struct bench_batch *batch,
               struct bench_answer *ret_answer)
{
    struct pollfd waiting = {.fd = worker->answer, .events = POLLIN};
    ssize_t n;
    int r;

    if (write(worker->ask, batch, sizeof(*batch)) != (ssize_t)sizeof(*batch))
        return -EPIPE;
    do
        r = poll(&waiting, 1, PATIENCE_MS);
    while (r < 0 && errno == EINTR);
    if (r <= 0)
        return r < 0 ? -errno : -ETIMEDOUT;
    n = read(worker->answer, ret_answer, sizeof(*ret_answer));
    return n == (ssize_t)sizeof(*ret_answer) ? 0 : -EPIPE;
}

int worker_stop(struct worker_process *worker)
{
    int status = 0;

    if (worker->ask >= 0)
        close(worker->ask);
    if (worker->answer >= 0)
        close(worker->answer);
    if (worker->pid > 0) {
        /* It has nothing to save, and may be the one that hangs. */
        (void)kill(worker->pid, SIGKILL);
        while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    *worker = (struct worker_process){.pid = 0, .ask = -1, .answer = -1};
    return status;
}
