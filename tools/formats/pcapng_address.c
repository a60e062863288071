/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "formats/pcapng_address.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 0x7f010000, MOST = 0xffff, PORT_SYSLOG = 514 };

struct known {
    char *name;
    uint32_t address;
};

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct known *)one)->name, ((const struct known *)other)->name);
}

uint32_t pcapng_address(const char *name, bool *ret_new)
{
    static void *tree;
    static uint32_t names;
    struct known key = {.name = (char *)name}, **node = tfind(&key, &tree, compare), *made;

    *ret_new = false;
    if (node)
        return (*node)->address;
    made = names < MOST ? malloc(sizeof *made) : NULL;
    if (!made)
        return FIRST;
    *made = (struct known){strdup(name), FIRST + names + 1};
    if (!made->name || !tsearch(made, &tree, compare)) {
        free(made->name);
        free(made);
        return FIRST;
    }
    names++;
    *ret_new = true;
    return made->address;
}

unsigned pcapng_port(const char *name)
{
    /* What syslog(3) writes to, and where syslog daemons and systemd put it; also in a chroot. */
    static const char *const logs[] = {"log", "dev-log", "syslog"};
    const char *slash = strrchr(name, '/');

    for (size_t i = 0; slash && i < sizeof logs / sizeof *logs; i++)
        if (strcmp(slash + 1, logs[i]) == 0)
            return PORT_SYSLOG;
    return 0;
}
