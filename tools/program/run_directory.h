/* SPDX-License-Identifier: MIT
 *
 * A directory for one run: its rings, or its fragment table.
 */
#ifndef WSRX_PROGRAM_RUN_DIRECTORY_H
#define WSRX_PROGRAM_RUN_DIRECTORY_H

/* Makes it, accessible to its owner only; once. NULL: reported. */
const char *run_directory(void);

/* Removes it with the files in it, if it was made. */
void run_directory_remove(void);

#endif
