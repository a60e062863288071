/* SPDX-License-Identifier: MIT
 *
 * The roof: the start, and what happens to descriptors and processes.
 *
 * The preload and the DLLs for Wine start and end the core here, by one sequence. They report what
 * the program does to its descriptors and processes. This file decides which wings must know of it,
 * and in which order.
 */
#ifndef WSRX_LIFECYCLE_H
#define WSRX_LIFECYCLE_H

#include "base/sys.h"
#include "fd/fd_class.h"

/* What the preload or a DLL knows and the core cannot find out. */
struct lifecycle_entrance {
    struct next_calls next;
    /* recvfrom, recvmsg, epoll_wait and epoll_ctl beneath are libc's own: see sys_is_direct(). */
    bool libc_beneath;
    bool under_wine; /* recvmsg() is made by Wine */
    /* Ends the process where WSRX_STRICT=1 says so; NULL: _exit(2) does. */
    void (*end_process)(int status);
};

/* Reads the settings, and starts what they ask for: the trace, the table, where tails are held.
 * With WSRX_MODE=off nothing at all. 0, or a negative errno, which has been reported: every receive
 * is then as without us. Ends the program with status 125 where WSRX_STRICT=1 and a setting is bad.
 * Not thread-safe: once, at start-up. */
int lifecycle_start(const struct lifecycle_entrance *entrance, char *const *environment);

/* The program calls wsrx_receive(). */
void lifecycle_cooperate(void);

/* A descriptor is about to be closed: forgets it, and returns its class, for lifecycle_closed()
 * after the close. Async-signal-safe; may change errno. */
fd_class lifecycle_closing(int fd);
void lifecycle_closed(int fd, fd_class class);

/* The same for every descriptor of a range. */
void lifecycle_closing_range(unsigned first, unsigned last);

/* The program is about to exec: if that drops tails that nobody else can receive, one line reports
 * it. Async-signal-safe. */
void lifecycle_exec(void);

/* The program is about to install a filter of system calls: from now on only its own are made.
 * `program`: what it is, which may be anything; NULL: not known. Async-signal-safe. */
struct sock_fprog;
void lifecycle_confining(const struct sock_fprog *program);
/* The filter was refused. */
void lifecycle_not_confined(void);
/* The program is about to change who it is, or what it can reach (setuid(2), chroot(2) and the
 * like): it leaves the fragment table that it shares with others. Async-signal-safe. */
void lifecycle_changes_identity(void);
/* The calling thread has descriptors of its own from now on: nothing is known of them, and what the
 * thread does to them does not change what is known of the others'. */
void lifecycle_own_descriptors(void);

/* A fork of any kind is about to happen: from now on other processes may receive what is held. */
void lifecycle_forks(void);

/* Around a fork that skips the handlers of pthread_atfork(3), which call these in other forks. */
void lifecycle_before_fork(void);
void lifecycle_after_fork(void);
void lifecycle_after_fork_in_child(void);

/* The program ends: tails that nobody else can receive are recorded as lost, statistics are
 * printed, and files of records are cut to their content. Once in a process. Async-signal-safe; may
 * change errno. */
void lifecycle_end(void);

#endif
