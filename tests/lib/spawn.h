/* SPDX-License-Identifier: MIT */
/*
 * Runs a program as a user would: own environment, optionally with the library preloaded, output
 * captured, and a deadline after which it and everything it started is killed. The library is
 * never loaded into the caller.
 */
#ifndef WSRX_TESTS_SPAWN_H
#define WSRX_TESTS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spawn_request {
    const char *const *argv;        /* argv[0] is looked up in PATH */
    const char *const *environment; /* "NAME=value" words on top of a bare environment, or NULL */
    bool preload;                   /* LD_PRELOAD=libwsrx.so in the child's environment */
    bool open_stdin;                /* stdin is a pipe that stays open; otherwise /dev/null, */
    int stdin_fd;                   /* or a copy of this descriptor, where it is not 0 */
    bool traced;                    /* stops at its first instruction for its parent's ptrace(2) */
    const char *directory;          /* where it starts, or NULL */
    unsigned deadline_ms;           /* 0: SPAWN_DEADLINE_MS */
};

enum { SPAWN_DEADLINE_MS = 30000 };

struct spawn_text {
    char *data; /* always ends with a '\0' that length does not count */
    size_t length;
};

struct spawned {
    pid_t pid;
    int out_fd, err_fd, in_fd;
    long long deadline; /* in ms of the monotonic clock */
    struct spawn_text out, err;
    bool ended, timed_out;
    int exit_status; /* -1: ended by a signal */
    int signal;
};

/* Returns false, and prints why on stderr, when the program cannot be started. */
bool spawn_start(struct spawned *child, const struct spawn_request *request);

/* Waits until stdout holds at least length bytes. False: it ended, or the deadline came, first. */
bool spawn_await_bytes(struct spawned *child, size_t length);

/* Waits until stdout holds the word. False: as above. */
bool spawn_await_word(struct spawned *child, const char *word);

/* Waits for the program's end, or its deadline. */
void spawn_await_end(struct spawned *child);

/* Ends the program if it still runs (SIGTERM first), and collects its last output. */
void spawn_stop(struct spawned *child);

/* Frees what the run has collected; the program must have ended. */
void spawn_free(struct spawned *child);

/* spawn_start() and spawn_await_end() in one. */
bool spawn_run(struct spawned *child, const struct spawn_request *request);

/* Whether PATH has the program. */
bool spawn_finds(const char *program);

long long spawn_now_ms(void);

/* From the environment that meson.build sets; they exit with a clear line where it is missing. */
const char *spawn_library(void);
const char *spawn_victim(void);
const char *spawn_source_root(void);

#endif
