/* SPDX-License-Identifier: MIT
 *
 * Signals to the command go on to the program: every one that can be caught.
 *
 * Not those that the terminal or the kernel sends to the whole foreground process group, since the
 * program gets them too.
 */
#ifndef WSRX_PROGRAM_FORWARD_H
#define WSRX_PROGRAM_FORWARD_H

#include <stdbool.h>
#include <sys/types.h>

/* Before fork(): signals are held back until forward_to(). */
void forward_prepare(void);

/* In the child, before exec(): everything is as it was before forward_prepare(). */
void forward_undo(void);

/* In the parent: signals go to this process from now on; with 0, they are noted. */
void forward_to(pid_t pid);

/* A noted signal, or 0. */
int forward_noted(void);

/* Whether the terminal has sent SIGINT, SIGQUIT or SIGHUP while signals were noted. */
bool forward_interrupted(void);

#endif
