/* SPDX-License-Identifier: MIT
 *
 * Work that is left when the program has ended, done by a process that is not its parent: so the
 * command can become the program, whose pid then is the one that was started (LISTEN_PID of
 * sd_listen_fds(3), MAINPID of systemd).
 */
#ifndef WSRX_PROGRAM_BESIDE_H
#define WSRX_PROGRAM_BESIDE_H

#include <stdbool.h>

/* Whether such a process would not be the program's child: that of init, or of a subreaper. */
bool beside_is_possible(void);

/* Starts it: it calls `work` and exits. It keeps none of the program's descriptors, but standard
 * output and error if `prints`. `pidfd` is this process's, and so the program's. False: reported. */
bool beside_start(void (*work)(int pidfd, void *context), void *context, bool prints);

/* Waits until a process has ended. */
void beside_wait(int pidfd);

#endif
