/* SPDX-License-Identifier: MIT
 *
 * The program that is traced, as a trace tells of it.
 */
#ifndef WSRX_TRACE_PROGRAM_H
#define WSRX_TRACE_PROGRAM_H

enum { PROGRAM_PATH = 256, PROGRAM_HOST = 64, PROGRAM_COMMAND = 512, PROGRAM_MODE = 16 };

/* What is not known is "". Longer strings are cut. Its layout is part of the ring's format. */
struct trace_program {
    char path[PROGRAM_PATH];       /* what was executed */
    char mode[PROGRAM_MODE];       /* WSRX_MODE */
    char host[PROGRAM_HOST];       /* the machine's name */
    char command[PROGRAM_COMMAND]; /* the words of the command line, with spaces between */
};

extern struct trace_program trace_program;

/* For start-up. */
void trace_program_start(const char *mode);

/* Reads the first line of a small file. */
void trace_program_read(const char *path, char *to, unsigned size);

#endif
