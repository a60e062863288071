/* SPDX-License-Identifier: MIT */
/* What the victim does without libc, so that no preloaded library can see it. */
#include "victim.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

ssize_t raw_read(int fd, void *to, size_t length)
{
    return raw_syscall(SYS_read, fd, (long)to, (long)length, 0, 0, 0);
}

long long victim_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* PR_GET_NAME into nowhere: harmless, and nobody else does it. */
void victim_mark(const struct op *op)
{
    if (op_flag(op, "mark"))
        raw_syscall(SYS_prctl, PR_GET_NAME, 0, 0, 0, 0, 0);
}
