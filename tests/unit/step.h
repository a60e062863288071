/* SPDX-License-Identifier: MIT
 *
 * Interrupts a function between any two machine instructions.
 *
 * For what must hold at every moment: a signal handler may run there, a process may die there.
 * The processor's trap flag ends each instruction with a SIGTRAP, on the thread itself; so this
 * works on x86-64 only, and a test asks step_supported() and skips.
 *
 * step.c also defines pthread_sigmask() for the whole test program: it is libc's, but for SIGTRAP,
 * which always stays deliverable.
 */
#ifndef WSRX_TESTS_STEP_H
#define WSRX_TESTS_STEP_H

#include <stdbool.h>

bool step_supported(void);

/* Runs body(context); after `count` instructions of it, calls then(context) on top of it, as a
 * signal handler is called, and lets body run on. Returns false where body ended before that, and
 * `then` has not been called. Not to be nested. */
bool step_interrupt(unsigned long count, void (*body)(void *context), void (*then)(void *context),
                    void *context);

/* How many instructions body(context) takes. */
unsigned long step_count(void (*body)(void *context), void *context);

/* For a loop over the moments of a body: the one to try after `count`. Each of the first ones; of
 * the later ones every third, which third by chance; and where `length` (0: not known) says that
 * they are very many, a few. */
unsigned long step_next(unsigned long count, unsigned long length);

#endif
