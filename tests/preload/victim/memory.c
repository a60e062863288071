/* SPDX-License-Identifier: MIT */
/* The buffers that receives write to: one good one, and all kinds of bad ones. */
#include "victim.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ARENA = 4 << 20, MAPPINGS = 16 };

static unsigned char arena[ARENA] __attribute__((aligned(4096)));

struct mapping {
    char name[16];
    unsigned char *start;
    size_t length;
    bool readable;
    int file;
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

/* --- memory that goes -------------------------------------------------------------------- */

static void attach(struct mapping *mapping)
{
    int id = shmget(IPC_PRIVATE, mapping->length, 0600 | IPC_CREAT);

    munmap(mapping->start, mapping->length);
    mapping->start = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    if (mapping->start == (void *)-1)
        victim_fail("shmat failed");
}

/* Of a file without a name, in the place of what was there. `first`: protected so at first. */
static void map_file(struct mapping *mapping, int flags, int first)
{
    mapping->file = memfd_create("memory", 0);
    if (mapping->file < 0 || ftruncate(mapping->file, (off_t)mapping->length) < 0)
        victim_fail("no file");
    munmap(mapping->start, mapping->length);
    mapping->start = mmap(NULL, mapping->length, first, flags, mapping->file, 0);
    if (mapping->start == MAP_FAILED ||
        mprotect(mapping->start, mapping->length, PROT_READ | PROT_WRITE) < 0)
        victim_fail("mmap failed");
}

/* Another mapping of the same file, which has the name from now on. */
static void map_again(struct mapping *mapping)
{
    mapping->start = mremap(mapping->start, 0, mapping->length, MREMAP_MAYMOVE);
    if (mapping->start == MAP_FAILED)
        victim_fail("mremap failed");
}

/* 32-bit ARM has only this one, whose offset is counted in pages: it is always 0 here. */
#ifdef SYS_mmap
enum { MAP = SYS_mmap };
#else
enum { MAP = SYS_mmap2 };
#endif

static long call_by(const struct op *op, long number, const struct mapping *mapping, long third,
                    long fourth, long fifth)
{
    const char *by = op_option(op, "by");
    unsigned char *at = mapping->start;

#ifdef __s390x__ /* all in memory: see syscall(2) */
    if (by && strcmp(by, "syscall") == 0 && number == MAP) {
        long arguments[] = {(long)at, (long)mapping->length, third, fourth, fifth, 0};

        return syscall(number, arguments);
    }
#endif
    if (by && strcmp(by, "syscall") == 0)
        return syscall(number, at, mapping->length, third, fourth, fifth, 0);
    switch (number) {
    case SYS_munmap:
        return munmap(at, mapping->length);
    case SYS_mprotect:
        return mprotect(at, mapping->length, (int)third);
    case MAP:
        return (long)mmap(at, mapping->length, (int)third, (int)fourth, (int)fifth, 0);
    case SYS_mremap:
        return (long)mremap(at, mapping->length, (size_t)third, (int)fourth, (void *)fifth);
    case SYS_madvise:
        return madvise(at, mapping->length, (int)third);
    default:
        return shmdt(at);
    }
}

static void cover(const struct op *op, struct mapping *mapping)
{
    if (op_flag(op, "read"))
        call_by(op, MAP, mapping, PROT_READ, MAP_FIXED | MAP_PRIVATE,
                open("/proc/self/exe", O_RDONLY));
    else
        call_by(op, MAP, mapping, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* The memory goes to another address, and its name stays where it was. */
static void move_away(const struct op *op, struct mapping *mapping)
{
    call_by(op, SYS_mremap, mapping, (long)mapping->length, MREMAP_MAYMOVE | MREMAP_FIXED,
            (long)map(mapping->length));
}

/* A touch of a page that is not there is from now on a signal, or EFAULT: userfaultfd(2). */
static void give_faults(struct mapping *mapping)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    struct uffdio_register range = {.range = {(uintptr_t)mapping->start, mapping->length},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1); /* UFFD_USER_MODE_ONLY */

    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
        return; /* it is good as it was, then, with the library and without */
    madvise(mapping->start, mapping->length, MADV_DONTNEED);
}

/* A touch of the memory is a signal from now on, or EFAULT, where Linux is 6.13 or later. */
static void put_guard(const struct op *op, struct mapping *mapping)
{
    enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL */
    const char *by = op_option(op, "by");
    struct iovec range = {mapping->start, mapping->length};
    int process;

    if (!by || strcmp(by, "process_madvise") != 0) {
        call_by(op, SYS_madvise, mapping, GUARD_INSTALL, 0, 0);
        return;
    }
    process = (int)syscall(SYS_pidfd_open, getpid(), 0);
    process_madvise(process, &range, 1, GUARD_INSTALL, 0);
    close(process);
}

static bool going_operation(const struct op *op)
{
    const char *what = op->word[0];
    struct mapping *mapping = NULL;

    if (strcmp(what, "attach") == 0)
        attach(make_mapping(op_name(op, 0, "m"), op_number_or(op, 65536)));
    else if (strcmp(what, "filemap") == 0)
        map_file(make_mapping(op_name(op, 0, "m"), op_number_or(op, 65536)),
                 op_flag(op, "private") ? MAP_PRIVATE : MAP_SHARED,
                 op_flag(op, "read") ? PROT_READ : PROT_READ | PROT_WRITE);
    else
        mapping = find_mapping(op_name(op, 0, "m"));
    if (!mapping)
        return true;
    if (strcmp(what, "detach") == 0)
        call_by(op, SYS_shmdt, mapping, 0, 0, 0);
    else if (strcmp(what, "cover") == 0)
        cover(op, mapping);
    else if (strcmp(what, "move") == 0)
        move_away(op, mapping);
    else if (strcmp(what, "again") == 0)
        map_again(mapping);
    else if (strcmp(what, "userfault") == 0)
        give_faults(mapping);
    else if (strcmp(what, "guard") == 0)
        put_guard(op, mapping);
    else if (strcmp(what, "dontfork") == 0)
        call_by(op, SYS_madvise, mapping, MADV_DONTFORK, 0, 0);
    else if (ftruncate(mapping->file, (off_t)op_number_or(op, 0)) < 0)
        victim_fail("ftruncate failed");
    return true;
}

static bool is_going(const char *what)
{
    static const char *const words[] = {"attach",   "filemap",  "detach",    "cover", "move",
                                        "dontfork", "truncate", "userfault", "guard", "again"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(what, words[i]) == 0)
            return true;
    return false;
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
        call_by(op, SYS_munmap, mapping, 0, 0, 0);
    } else if (strcmp(op->word[0], "protect") == 0) {
        mapping = find_mapping(op_name(op, 0, "m"));
        if (call_by(op, SYS_mprotect, mapping, protection(op), 0, 0) < 0)
            victim_fail("mprotect failed");
    } else if (is_going(op->word[0])) {
        return going_operation(op);
    } else {
        return false;
    }
    return true;
}
