/* SPDX-License-Identifier: MIT
 *
 * A file that the library writes inside somebody else's process.
 *
 * The program must not notice it: no descriptor stays open (each piece of the file is opened,
 * mapped and closed again), nothing is written through a symbolic link or over a file with
 * something in it, and files are for their owner only. Space is reserved before it is mapped, for a
 * full disk gives SIGBUS to who writes to a mapping. Trouble is told once, and the file given up.
 */
#ifndef WSRX_TRACE_OUTPUT_FILE_H
#define WSRX_TRACE_OUTPUT_FILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum output_state {
    OUTPUT_NONE,     /* not made yet */
    OUTPUT_MAKING,   /* a thread is at it */
    OUTPUT_MAPPED,   /* a regular file: written by mapping it */
    OUTPUT_STREAM,   /* a pipe or a device: opened and written for each line */
    OUTPUT_STANDARD, /* stderr, as it was at the start */
    OUTPUT_BROKEN,   /* given up, and told */
};

struct output_file {
    atomic_int state; /* enum output_state */
    uint64_t device, inode;
    atomic_ulong position; /* for lines: bytes in use */
    char path[PATH_MAX];
};

/* The path that a pattern means now: %p pid, %e program, %t the program's start time, %% a '%'.
 * `suffix` is put behind it where the pattern has no %p (may be ""). Relative to `directory`.
 * False: it is too long. */
bool output_file_expand(const char *pattern, const char *directory, const char *start_time,
                        const char *suffix, char *to, size_t size);

/* Whether a pattern is one: every % is followed by p, e, t or %. */
bool output_file_is_pattern(const char *pattern);

/* Makes the file, or takes an empty one of ours; a pipe or device is taken where `streams`. In
 * its first `size` bytes there is room then. The name gets ".2", ".3" … where it is taken.
 * The descriptor for the first piece (close it by output_file_close()), or -1: it is a stream or
 * broken. One thread at a time. */
int output_file_make(struct output_file *output, size_t size, bool streams);

/* Opens it once more, and makes sure that it is the same. A descriptor, or a negative errno. */
int output_file_open(const struct output_file *output);
void output_file_close(int fd);

/* Reserves room up to `size` bytes from `offset`, and maps it. NULL: told, and given up. */
void *output_file_map(struct output_file *output, int fd, uint64_t offset, size_t size);
/* The same, with a descriptor of its own. */
void *output_file_map_piece(struct output_file *output, uint64_t offset, size_t size);
void output_file_unmap(void *at, size_t size);

/* Cuts the file where its content ends. */
void output_file_end(struct output_file *output, uint64_t size);

/* Remembers stderr, and writes to it for as long as it is the same. False: it is no longer. */
void output_file_take_standard(struct output_file *output);
bool output_file_write_standard(struct output_file *output, const char *line, size_t length);

/* Writes one line to a stream. */
void output_file_write_stream(struct output_file *output, const char *line, size_t length);

/* --- lines in a mapped file -------------------------------------------------------------- */

/* A thread's view of the file: a window, and behind it room for the longest line. */
struct output_file_window {
    char *at;
    uint64_t offset;
};

/* Adds a line at the end. `longest` is the same at every call. */
void output_file_add_line(struct output_file *output, struct output_file_window *window,
                          const char *line, size_t length, size_t longest);
void output_file_window_drop(struct output_file_window *window, size_t longest);

/* "cannot write PATH: WHY": reported once for this file, which is given up. `error` is negative. */
void output_file_give_up(struct output_file *output, int error);

#endif
