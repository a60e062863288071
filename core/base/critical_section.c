/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/critical_section.h"

#include "base/sys.h"

#include <pthread.h>

/* In place of the state before: there is nobody to cancel this thread, which is the only one. */
enum { NOT_ASKED = -1 };

/* What is to be done after the outermost one, or NULL. */
static __thread void (*postponed)(void);

/* SIGTRAP is left: blocked it would end a program that steps through itself, or lose its handler
 * under a debugger (force_sig() of the kernel). */
void critical_section_enter(struct critical_section *section)
{
    if (sys_critical_sections == 0) {
        const sys_signals all = SYS_SIGNALS_ALL;

        sys_set_signal_mask(&all, &section->signals);
        section->cancel = NOT_ASKED;
        if (!sys_is_direct())
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &section->cancel);
    }
    sys_critical_sections++;
}

void critical_section_leave(const struct critical_section *section)
{
    void (*action)(void);

    if (--sys_critical_sections > 0)
        return;
    action = postponed;
    postponed = NULL;
    if (section->cancel != NOT_ASKED)
        pthread_setcancelstate(section->cancel, NULL);
    sys_set_signal_mask(&section->signals, NULL);
    if (action)
        action();
}

bool critical_section_postpone(void (*action)(void))
{
    if (sys_critical_sections == 0)
        return false;
    postponed = action;
    return true;
}
