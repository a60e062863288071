/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/refuser.h"

#include "observe/kernel_object.h"
#include "util/memory.h"

#include <bpf/bpf.h>
#include <refuse_bpf.h>
#include <stdio.h>
#include <stdlib.h>

struct refuser {
    struct kernel_object kernel;
    const char *way;
};

static const struct attempt {
    const char *way;
    const char *programs[KERNEL_PROGRAMS];
} attempts[] = {
    {"by a program that alters what security_socket_recvmsg returns",
     {"refuse_call", "refuse_fork", "refuse_exit", NULL}},
    {"as a security module (lsm/socket_recvmsg)",
     {"refuse_hook", "refuse_fork", "refuse_exit", NULL}},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

struct refuser *refuser_start(const struct observe_config *config, int cgroup, char *ret_why,
                              size_t size)
{
    const struct kernel_source source = {refuse_bpf, sizeof refuse_bpf, *config, cgroup};
    struct refuser *refuser = need(calloc(1, sizeof *refuser));
    char why[KERNEL_WHY];
    int error = 0, first = 0;

    for (int i = 0; i < ATTEMPTS; i++) {
        error = kernel_object_start(&refuser->kernel, &source, attempts[i].programs, NULL);
        if (!error) {
            refuser->way = attempts[i].way;
            return refuser;
        }
        first = first ? first : error;
    }
    snprintf(ret_why, size, "%s", kernel_why(first, why));
    free(refuser);
    return NULL;
}

void refuser_end(struct refuser *refuser)
{
    kernel_object_end(&refuser->kernel);
    free(refuser);
}

bool refuser_add(struct refuser *refuser, pid_t pid)
{
    unsigned key = (unsigned)pid, value = 1;

    return bpf_map_update_elem(kernel_object_map(&refuser->kernel, "targets"), &key, &value,
                               BPF_ANY) == 0;
}

uint64_t refuser_count(const struct refuser *refuser)
{
    unsigned number = OBSERVE_REFUSED;
    uint64_t value = 0;

    bpf_map_lookup_elem(kernel_object_map(&refuser->kernel, "counts"), &number, &value);
    return value;
}

const char *refuser_way(char *ret_why, size_t size)
{
    const struct observe_config config = {0};
    struct refuser *refuser = refuser_start(&config, -1, ret_why, size);
    const char *way;

    if (!refuser)
        return NULL;
    way = refuser->way;
    refuser_end(refuser);
    return way;
}
