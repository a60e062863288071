/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "child.h"

#include "table/table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void *child_memory(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(at, MAP_FAILED);
    return at;
}

pid_t child_start(void)
{
    pid_t pid = fork();

    cr_assert_geq(pid, 0, "fork: %s", strerror(errno));
    return pid;
}

int child_end(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void child_dies_inside(struct table *table)
{
    pid_t pid = child_start();

    if (pid == 0) {
        struct critical_section section;

        table_enter(table, &section);
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    cr_assert_eq(child_end(pid), 128 + SIGKILL);
}
