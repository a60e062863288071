/* SPDX-License-Identifier: MIT */
/* The buffers that receives write to: one good one, and all kinds of bad ones. */
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ARENA = 4 << 20, MAPPINGS = 16 };

static unsigned char arena[ARENA] __attribute__((aligned(4096)));

struct mapping {
    char name[16];
    unsigned char *start;
    size_t length;
    bool readable;
};

static struct mapping mappings[MAPPINGS];
static int mapping_count;

unsigned char *memory_arena(size_t *ret_size)
{
    *ret_size = sizeof(arena);
    return arena;
}

static struct mapping *find_mapping(const char *name)
{
    for (int i = 0; i < mapping_count; i++)
        if (strcmp(mappings[i].name, name) == 0)
            return &mappings[i];
    victim_fail("no memory is called %s", name);
}

static unsigned char *map(size_t length)
{
    void *start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (start == MAP_FAILED)
        victim_fail("no memory");
    return start;
}

static struct mapping *make_mapping(const char *name, size_t length)
{
    struct mapping *mapping = &mappings[mapping_count];

    if (mapping_count == MAPPINGS || strlen(name) >= sizeof(mapping->name))
        victim_fail("cannot name memory %s", name);
    mapping_count++;
    snprintf(mapping->name, sizeof(mapping->name), "%s", name);
    mapping->start = map(length);
    mapping->length = length;
    mapping->readable = true;
    return mapping;
}

/* "m:4096" is 4096 bytes into the memory called m. */
static void *inside_mapping(const char *name)
{
    const char *colon = strchr(name, ':');
    char bare[16];

    if (!colon)
        return find_mapping(name)->start;
    snprintf(bare, sizeof(bare), "%.*s", (int)(colon - name), name);
    return find_mapping(bare)->start + strtoul(colon + 1, NULL, 0);
}

/*
 * "edge:100" are 100 good bytes right before an unmapped page; "fresh" is memory nobody has
 * written to before; anything else is a name that `map` has given.
 */
void *memory_address(const char *name)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (strcmp(name, "null") == 0)
        return NULL;
    if (strcmp(name, "one") == 0)
        return (void *)1;
    if (strcmp(name, "noncanonical") == 0)
        return (void *)(uintptr_t)0x8000000000000000;
    if (strcmp(name, "fresh") == 0)
        return map(1 << 20);
    if (strncmp(name, "edge:", 5) == 0) {
        size_t good = strtoul(name + 5, NULL, 0);
        size_t room = (good + page - 1) / page * page;
        unsigned char *start = map(room + page);

        munmap(start + room, page);
        return start + room - good;
    }
    return inside_mapping(name);
}

/* Asks the kernel: a look at memory that is not there would end the victim. */
bool memory_readable(const void *address, size_t length)
{
    static unsigned char copy[ARENA];
    struct iovec to = {copy, length < sizeof(copy) ? length : sizeof(copy)};
    struct iovec from = {(void *)(uintptr_t)address, to.iov_len};

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)to.iov_len;
}

static int protection(const struct op *op)
{
    return op_flag(op, "none")   ? PROT_NONE
           : op_flag(op, "read") ? PROT_READ
                                 : PROT_READ | PROT_WRITE;
}

bool memory_operation(const struct op *op, struct line *line)
{
    struct mapping *mapping;

    (void)line;
    if (strcmp(op->word[0], "map") == 0) {
        make_mapping(op_name(op, 0, "m"), op_number_or(op, 65536));
    } else if (strcmp(op->word[0], "unmap") == 0) {
        mapping = find_mapping(op_name(op, 0, "m"));
        munmap(mapping->start, mapping->length);
    } else if (strcmp(op->word[0], "protect") == 0) {
        mapping = find_mapping(op_name(op, 0, "m"));
        if (mprotect(mapping->start, mapping->length, protection(op)) < 0)
            victim_fail("mprotect failed");
    } else {
        return false;
    }
    return true;
}
