/* SPDX-License-Identifier: MIT */
/* A child that changes its identity leaves the table that it shares with its parent: the tails of
 * messages that it receives later are its own. */
#include "link.h"

#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* What matters is that it is called, not what comes of it. */
static void change(void)
{
    switch (scenario_number) {
    case 0: /* nothing: it goes on to share */
        break;
    case 1:
        EXPECT(setuid(getuid()) == 0);
        break;
    case 2:
        setfsuid(getuid());
        break;
    case 3:
        setfsgid(getgid());
        break;
    case 4:
        EXPECT(setns(-1, 0) == -1);
        break;
    case 5:
        EXPECT(syscall(SYS_pivot_root, NULL, NULL) == -1);
        break;
    case 6:
        syscall(SYS_setfsuid, getuid());
        break;
#ifdef SYS_landlock_restrict_self
    case 7:
        EXPECT(syscall(SYS_landlock_restrict_self, -1, 0) == -1);
        break;
#endif
    /* Refused, without the right to do so. */
    case 8:
        prctl(PR_CAPBSET_DROP, 0, 0, 0, 0);
        break;
    case 9:
        prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS), 0, 0, 0);
        break;
    case 10:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        break;
    case 11:
        EXPECT(syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        break;
    case 12:
        prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0);
        break;
    default:
        EXPECT(setuid(getuid()) == 0);
        break;
    }
}

static void leaves(void)
{
    struct link link = link_make(LINK_UNIX);
    pid_t child;

    link_leave_tail(&link, 0);
    expect_tail(link.r, 0);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        change();
        link_leave_tail(&link, 1);
        _exit(0);
    }
    expect_end(child);
    if (scenario_number == 0)
        expect_tail(link.r, 1);
    expect_nothing(link.r);
}

const struct scenario_entry leaves_scenarios[] = {{"leaves", leaves}, {NULL, NULL}};
