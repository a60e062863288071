/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_passed.h"

#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/epoll_ctl.h"
#include "wait/epoll_hints.h"

#include <sys/stat.h>

/* Epoll sets, eventfds and their like have no type. */
static bool may_be_set(int fd)
{
    struct sys_file file;

    return sys_fstat(fd, &file) == 0 && (file.mode & S_IFMT) == 0;
}

void epoll_passed_received(int fd)
{
    struct critical_section section;
    bool asks = learn_following() || table_tails_here();

    if (!state_is_active() || !registry_in_range(fd) || fd_kind(fd_class_cached(fd)) >= FD_SOCKET ||
        !state_is_own_as_seen() || sys_is_sandboxed() || (asks && !may_be_set(fd)))
        return;
    hints_set_received(fd);
    learn_note_concerned();
    if (!asks)
        return;
    if (!learn_following()) {
        learn_start();
        return;
    }
    registry_enter(&section);
    if (learn_following())
        learn_set(fd);
    registry_leave(&section);
}

void epoll_passed_sent(int fd)
{
    if (!state_is_active() || !hints_may_be_set(fd) || !state_is_own_as_seen())
        return;
    hints_set_sent(fd);
    if (learn_following() && !sys_is_sandboxed())
        epoll_ctl_expose(fd);
}
