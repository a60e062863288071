/* SPDX-License-Identifier: MIT
 *
 * A filter of system calls that kills: see killed.py.
 */
#ifndef WSRX_TESTS_HOUSE_CONFINE_H
#define WSRX_TESTS_HOUSE_CONFINE_H

/* The whole process is killed for each system call whose number is not in the list ("0,1,231"); for
 * each that is in it, if it begins with "-". `way`: "prctl"; "syscall-prctl" and "syscall-seccomp",
 * by libc's syscall(); "raw", where no library sees it coming. 0: it is in force. */
int confine(const char *way, const char *numbers);

#endif
