/* SPDX-License-Identifier: MIT
 *
 * Programs for the kernel, out of an object that is part of the command: loaded and attached.
 */
#ifndef WSRX_OBSERVE_KERNEL_OBJECT_H
#define WSRX_OBSERVE_KERNEL_OBJECT_H

#include "observe/event.h"

#include <stdbool.h>
#include <stddef.h>

enum { KERNEL_PROGRAMS = 5, KERNEL_WHY = 160 };

struct bpf_link;
struct bpf_object;

struct kernel_object {
    struct bpf_object *object;
    struct bpf_link *link[KERNEL_PROGRAMS];
};

/* Which object, and what it is told, if it can be. */
struct kernel_source {
    const unsigned char *bytes;
    size_t size;
    struct observe_config config;
    int cgroup; /* a descriptor of a control group for its map, or -1 */
};

/* Loads and attaches the programs of these names, which end with NULL, and no others; `later`, if not
 * NULL, could be attached, but is only loaded. A negative errno: then nothing is left of it. */
int kernel_object_start(struct kernel_object *to, const struct kernel_source *source,
                        const char *const *programs, const char *later);

/* Attaches that one; and takes away the one attached last. */
int kernel_object_attach(struct kernel_object *to, const char *program);
void kernel_object_detach(struct kernel_object *from);

/* Runs an iterator over the files of a process. */
int kernel_object_iterate(const struct kernel_object *object, const char *program, unsigned pid);

void kernel_object_end(struct kernel_object *object);

/* The descriptor of a map. */
int kernel_object_map(const struct kernel_object *object, const char *name);

/* Why nothing can be loaded: the first thing that is missing, or the error. Returns `to`. */
const char *kernel_why(int error, char to[KERNEL_WHY]);

/* What this kernel and user have. */
bool kernel_has_btf(void);
bool kernel_has_capability(int number);

/* NULL: nothing is known that would keep programs from being attached to functions. */
const char *kernel_no_trampolines(void);

enum { CAPABILITY_SYS_ADMIN = 21, CAPABILITY_PERFMON = 38, CAPABILITY_BPF = 39 };

#endif
