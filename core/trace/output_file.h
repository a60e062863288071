/* SPDX-License-Identifier: MIT
 *
 * A file that the library writes inside somebody else's process.
 *
 * The program must not notice it: no descriptor stays open (each piece of the file is opened,
 * mapped and closed again), nothing is written through a symbolic link, into what belongs to
 * another user, or over a file with something in it, and files are for their owner only. Space is
 * reserved before it is mapped, for a full disk gives SIGBUS to who writes to a mapping. Trouble is
 * reported once, and the file given up. In a sandbox nothing is opened or mapped any more.
 *
 * The life of a file:
 *
 *                    who needs it first                 it is there
 *   OUTPUT_PLANNED ─────────────────────> OUTPUT_MAKING ─────┬────> OUTPUT_MAPPED ──┐
 *         ^                                  │     │         └────> OUTPUT_STREAM ──┤ trouble
 *         │                                  │     │ it cannot be made              v
 *   output_file_plan()                       │     └─────────────────────> OUTPUT_BROKEN
 *   (start; a new child)                     │ not made for a second, so its     ^
 *                                            │ maker is dead: a waiting thread   │
 *                                            └───────────────────────────────────┘
 *
 * Each arrow is one compare-and-swap, so each is taken by one thread. The path is written before
 * OUTPUT_PLANNED is to be seen, and changed only by the maker (a number behind a name that is
 * taken); others read it from OUTPUT_MAPPED, OUTPUT_STREAM and OUTPUT_BROKEN on. So nobody reads a
 * path that is half written. The maker has its signals blocked: no handler of its thread can meet
 * OUTPUT_MAKING. A child of fork() plans files of its own, whatever its parent was doing. Who is
 * killed in the midst leaves a file that is empty, or without a header.
 */
#ifndef WSRX_TRACE_OUTPUT_FILE_H
#define WSRX_TRACE_OUTPUT_FILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct output_path_facts;

enum output_state {
    OUTPUT_PLANNED, /* not made yet */
    OUTPUT_MAKING,  /* a thread is at it */
    OUTPUT_MAPPED,  /* a regular file: written by mapping it */
    OUTPUT_STREAM,  /* a pipe or a device: opened and written for each line */
    OUTPUT_BROKEN,  /* given up, and reported */
};

struct output_file {
    atomic_int state;       /* enum output_state */
    uint64_t device, inode; /* from OUTPUT_MAPPED or OUTPUT_STREAM on */
    atomic_ulong position;  /* for lines: bytes in use */
    atomic_bool slow;       /* a stream: its reader was waited for in vain */
    atomic_ulong unwritten; /* lines that could not be written, but for OUTPUT_BROKEN */
    size_t stem;            /* of the path, without the suffix of a child */
    char path[PATH_MAX];
};

/* How a file is made. */
struct output_file_maker {
    size_t size;  /* in its first bytes there is room then */
    bool streams; /* a pipe or a device is taken as well */
    /* What the maker does with a new regular file before others see it, or NULL. 0, or a negative
     * errno: then the file is given up. */
    int (*fill)(struct output_file *output, int fd, void *context);
    void *context;
};

/* A new life: the file of a pattern. Where the path is too long it is broken at once. Before others
 * may see it. */
void output_file_plan(struct output_file *output, const char *pattern,
                      const struct output_path_facts *facts);

/* The state, once the file has been made, by this thread or by another one: OUTPUT_MAPPED,
 * OUTPUT_STREAM or OUTPUT_BROKEN; in a sandbox also OUTPUT_PLANNED. An empty file of ours is taken;
 * otherwise the name gets ".2", ".3" … where it is taken. Async-signal-safe. */
enum output_state output_file_ready(struct output_file *output,
                                    const struct output_file_maker *maker);

static inline enum output_state output_file_state(const struct output_file *output)
{
    return (enum output_state)atomic_load_explicit(&output->state, memory_order_acquire);
}

/* "cannot write PATH: WHY": reported once for this file, which is given up. `error` is negative. */
void output_file_give_up(struct output_file *output, int error);

/* --- pieces of a regular file ------------------------------------------------------------ */

/* Maps `size` bytes from `offset`, of which the first `ready` are reserved and in memory: no others
 * may be touched before output_file_reserve(). The file is at least as long afterwards. NULL: not in
 * a sandbox; or reported, and given up. */
void *output_file_map(struct output_file *output, uint64_t offset, size_t size, size_t ready);

/* The same by the maker's descriptor. NULL and a negative errno: not reported. */
void *output_file_map_open(int fd, uint64_t offset, size_t size, size_t ready, int *ret_error);

/* Reserves `size` more bytes of a mapping: those at `at`, which are at `offset` in the file. False:
 * as above. */
bool output_file_reserve(struct output_file *output, void *at, uint64_t offset, size_t size);

/* Cuts the file where its content ends. */
void output_file_end(struct output_file *output, uint64_t size);

/* --- lines ------------------------------------------------------------------------------- */

/* A thread's view of the file: a piece, and behind it room for the longest line. */
struct output_file_window {
    char *at; /* NULL: none yet */
    uint64_t offset;
    size_t size;   /* where lines may begin */
    size_t mapped; /* with the room */
};

/* Adds a line at the end of a regular file. `longest` is the same at every call. What cannot be
 * written is counted. */
void output_file_add_line(struct output_file *output, struct output_file_window *window,
                          const char *line, size_t length, size_t longest);

/* Maps a whole window at the end of the file, for a sandbox that is about to come. */
void output_file_window_prepare(struct output_file *output, struct output_file_window *window,
                                size_t longest);

/* Writes one line to a stream. Waits for its reader for `patience` milliseconds at most, once. */
void output_file_write_stream(struct output_file *output, const char *line, size_t length,
                              int patience);

#endif
