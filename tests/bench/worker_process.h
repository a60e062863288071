/* SPDX-License-Identifier: MIT */
/*
 * A worker as the driver sees it: a child process that answers batches. Owns its start, its two
 * pipes and its end; never interprets a figure.
 */
#ifndef BENCH_WORKER_PROCESS_H
#define BENCH_WORKER_PROCESS_H

#include "batch.h"

#include <sys/types.h>

struct worker_process {
    pid_t pid; /* 0: not running */
    int ask;
    int answer;
};

/*
 * Start `program`. `library` is preloaded into it unless NULL, and `setting` ("NAME=value", or
 * NULL) added to its environment, from which every other WSRX_ name and LD_PRELOAD are removed.
 * Returns 0 or a negative errno; -ENOEXEC when the process runs but `library` is not in it.
 */
int worker_start(struct worker_process *ret_worker, const char *program, const char *library,
                 const char *setting);

/* Returns 0 or a negative errno: -EPIPE when the worker has ended, -ETIMEDOUT when it hangs. */
int worker_ask(struct worker_process *worker, const struct bench_batch *batch,
               struct bench_answer *ret_answer);

/* Ends the worker, and returns its wait status. Does nothing when it is not running. */
int worker_stop(struct worker_process *worker);

#endif
