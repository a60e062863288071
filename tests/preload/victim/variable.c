/* SPDX-License-Identifier: MIT */
/* Descriptors by name. Owns the names only: it closes nothing that the transcript has opened. */
#include "victim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VARIABLES = 512 };

static struct variable variables[VARIABLES];
static int variable_count;

static struct variable *look_up(const char *name)
{
    for (int i = 0; i < variable_count; i++)
        if (strcmp(variables[i].name, name) == 0)
            return &variables[i];
    return NULL;
}

struct variable *variable_find(const char *name)
{
    struct variable *variable = look_up(name);

    if (!variable)
        victim_fail("no descriptor is called %s", name);
    return variable;
}

struct variable *variable_make(const char *name)
{
    struct variable *variable = look_up(name);

    if (!variable) {
        if (variable_count == VARIABLES || strlen(name) >= sizeof(variable->name))
            victim_fail("cannot name %s", name);
        variable = &variables[variable_count++];
    }
    memset(variable, 0, sizeof(*variable));
    snprintf(variable->name, sizeof(variable->name), "%s", name);
    variable->fd = -1;
    return variable;
}

struct variable *variable_at(int index)
{
    return index < variable_count ? &variables[index] : NULL;
}

int variable_fd(const char *name)
{
    if (name[0] == '#' || name[0] == '-')
        return atoi(name + (name[0] == '#'));
    return variable_find(name)->fd;
}

/* Moves a fresh descriptor to a number of the transcript's choice, behind everybody's back. */
void variable_place(struct variable *variable, int fd, const char *at)
{
    int target;

    variable->fd = fd;
    if (!at)
        return;
    target = variable_fd(at);
    if (target == fd)
        return;
    /* A number is the program's own choice; in the place of another variable it is put behind the
     * library's back. */
    if ((*at == '#' ? dup3(fd, target, 0) : (int)raw_syscall(SYS_dup3, fd, target, 0, 0, 0, 0)) < 0)
        victim_fail("cannot place %s at %s", variable->name, at);
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    variable->fd = target;
}
