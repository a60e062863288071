/* SPDX-License-Identifier: MIT */
/*
 * What the programs around Debian's event loops share: a UDP socket that is stdin, and stdout. They
 * receive with buffers of PART bytes, once an event, and know nothing of libwsrx. What comes is
 * copied to stdout; a part that is "end" alone ends the program.
 */
#ifndef LOOPS_LOOP_H
#define LOOPS_LOOP_H

#include <stdbool.h>
#include <stddef.h>

enum { PART = 700 };

int loop_socket(void);
/* Copies a part. True: it was the last one. */
bool loop_copy(const char *bytes, long length);
/* One receive after an event; true: it was the last one. */
bool loop_receive(int fd);

#endif
