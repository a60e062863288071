/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/sigio.h"

#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"

#include <fcntl.h>
#include <signal.h>

atomic_bool sigio_is_used;

/* Sends what the kernel's send_sigio() sends. If the program has chosen the signal (F_SETSIG), it
 * says which descriptor it is for. To other processes only a plain signal can be sent. */
static void send_to(const struct f_owner_ex *owner, int chosen, int fd)
{
    int number = chosen ? chosen : SIGIO;
    pid_t own = sys_getpid();
    siginfo_t info = {.si_signo = number, .si_code = SI_KERNEL};

    if (chosen) {
        info.si_code = POLL_IN;
        info.si_band = POLLIN | POLLRDNORM;
        info.si_fd = fd;
    }
    if (owner->type == F_OWNER_TID && sys_queue_to_thread(own, owner->pid, &info) == 0)
        return;
    if (owner->type == F_OWNER_PID && owner->pid == own && sys_queue_to_process(own, &info) == 0)
        return;
    sys_kill(owner->type == F_OWNER_PGRP ? -owner->pid : owner->pid, number);
}

void sigio_raise(int fd)
{
    uint64_t cookie = fd_class_cookie(fd_class_cached(fd));
    struct f_owner_ex owner;
    int chosen;

    if (cookie == 0 || sys_is_sandboxed() || table_nothing_held() ||
        table_look(state.table, cookie, NULL) == HELD_NOT)
        return;
    if (!(sys_fcntl(fd, F_GETFL, 0) & O_ASYNC))
        return;
    chosen = sys_fcntl(fd, F_GETSIG, 0);
    if (chosen < 0 || sys_fcntl(fd, F_GETOWN_EX, (long)&owner) != 0 || owner.pid == 0)
        return;
    send_to(&owner, chosen, fd);
}
