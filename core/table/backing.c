/* SPDX-License-Identifier: MIT
 *
 * A file may be anybody's: nothing in it is used or changed before it has been checked.
 */
#define _GNU_SOURCE
#include "table/backing.h"

#include "base/libc.h"
#include "base/sys.h"
#include "table/layout.h"
#include "table/links.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* A file takes disk space. */
enum { FILE_SLACK = 16 << 20 };

/* Pages of a new file that get disk space: none that can be used. Most programs receive no message,
 * and the others call table_prepare(). */
enum { START = 1 };

/* The smallest table in a mapping of its own. */
enum { LEAST = 1 << 20 };

static const char magic[8] = "wsrx-tbl";

static int lay_out(struct extents *extents, struct table_room room)
{
    size_t max = round_up(room.hold_max) / PAGE, pages = max + room.slack / PAGE + 1;
    size_t count = pages + room.records;

    /* At most half of the address space: then nothing below overflows. */
    if (count > UINT32_MAX || count > SIZE_MAX / 2 / (PAGE + sizeof(struct slot) + 1))
        return -ENOMEM;
    extents->slot_count = (uint32_t)count;
    extents->page_count = (uint32_t)pages;
    extents->records = room.records;
    extents->pages_max = (uint32_t)max;
    extents->slots_at = round_up(sizeof(struct inside));
    extents->bitmap_at = extents->slots_at + round_up(count * sizeof(struct slot));
    extents->arena_at = extents->bitmap_at + round_up(count / 8 + 8);
    extents->size = extents->arena_at + pages * PAGE;
    return 0;
}

/* Makes a table in a mapping of zeros. */
static void make(struct inside *inside, const struct extents *extents)
{
    view_of(inside)->extents = *extents;
    memcpy(inside->magic, magic, sizeof magic);
    inside->format = TABLE_FORMAT;
    inside->extents = *extents;
    inside->top = inside->search = 1;
    atomic_store(&inside->table.full, extents->pages_max == 0);
}

/* --- mappings ---------------------------------------------------------------------------- */

static void unmap(struct inside *inside, size_t size)
{
    sys_unmap((char *)inside - PAGE, PAGE + size);
}

/* After mlockall(MCL_FUTURE) a new mapping is populated and locked, unless it cannot be accessed.
 * So access is given afterwards. No huge pages, since one tail would take 2 MiB; and no tails in a
 * core dump. */
struct inside *backing_map(size_t size, int flags, int fd, int *ret_error)
{
    char *at = sys_map(PAGE + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
                       ret_error);
    int error;

    if (!at)
        return NULL;
    error = sys_map_over(at + PAGE, size, PROT_NONE, MAP_SHARED | flags, fd);
    sys_unlock_memory(at, PAGE + size);
    if (!error)
        error = sys_protect(at, PAGE + size, PROT_READ | PROT_WRITE);
    if (error) {
        sys_unmap(at, PAGE + size);
        *ret_error = error;
        return NULL;
    }
    sys_madvise(at, PAGE + size, MADV_NOHUGEPAGE);
    sys_madvise(at, PAGE + size, MADV_DONTDUMP);
    return (struct inside *)(at + PAGE);
}

static int create(struct table_room room, struct table **ret_table)
{
    struct extents extents;
    struct inside *inside;
    int error = lay_out(&extents, room);

    if (error)
        return error;
    inside = backing_map(extents.size, MAP_ANONYMOUS | MAP_NORESERVE, -1, &error);
    if (!inside)
        return error;
    make(inside, &extents);
    *ret_table = &inside->table;
    return 0;
}

int table_create(size_t hold_max, struct table **ret_table)
{
    return table_create_within((struct table_room){hold_max, TABLE_SLACK, 0}, ret_table);
}

int table_create_within(struct table_room room, struct table **ret_table)
{
    int error;

    while ((error = create(room, ret_table)) != 0 &&
           (room.hold_max > LEAST || room.slack > LEAST)) {
        if (room.hold_max > LEAST)
            room.hold_max = room.hold_max / 4 > LEAST ? room.hold_max / 4 : LEAST;
        room.slack = room.slack / 4 > LEAST ? room.slack / 4 : LEAST;
    }
    return error;
}

int table_create_at(void *at, size_t size, struct table **ret_table)
{
    struct inside *inside = (struct inside *)((char *)at + PAGE);
    struct table_room room = {.slack = size / 2, .records = (uint32_t)(size / sizeof(struct slot))};
    struct extents extents;
    int error;

    do
        error = room.records ? lay_out(&extents, (room.records--, room)) : -ENOMEM;
    while (!error && PAGE + extents.size > size);
    if (error)
        return error;
    memset(at, 0, PAGE + extents.size);
    make(inside, &extents);
    *ret_table = &inside->table;
    return 0;
}

void table_destroy(struct table *table)
{
    struct inside *inside = inside_of(table);

    unmap(inside, extents_of(inside)->size);
}

/* --- files ------------------------------------------------------------------------------- */

static void read_boot(char boot[36])
{
    int fd = sys_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

    memset(boot, 0, 36);
    if (fd < 0)
        return;
    sys_read(fd, boot, 36);
    sys_close(fd);
}

/* Why the file cannot be used; NULL: it can. `size` bytes of it are mapped. */
static const char *find_fault(const struct inside *inside, size_t size)
{
    const struct extents *extents = &inside->extents;
    struct extents expected;
    char boot[36];

    if (memcmp(inside->magic, magic, sizeof magic) != 0)
        return "it is no fragment table";
    if (inside->format != TABLE_FORMAT)
        return "it is of another version";
    read_boot(boot);
    if (memcmp(inside->boot, boot, sizeof boot) != 0)
        return "it is from before the system was started";
    if (lay_out(&expected, (struct table_room){(size_t)extents->pages_max * PAGE, FILE_SLACK, 0}) !=
            0 ||
        memcmp(extents, &expected, sizeof expected) != 0 || extents->size != size ||
        inside->top == 0 || inside->top > inside->populated ||
        inside->populated > extents->page_count || inside->sequence > UINT64_MAX / 2)
        return "it is damaged";
    return NULL;
}

/* Whether the slot's message is possible. `now`: CLOCK_MONOTONIC, ns. */
static bool is_sound(const struct inside *inside, uint32_t at, int64_t now)
{
    enum { MAX_ERRNO = 4095 };

    const struct slot *slot = slot_of(inside, at);
    uint32_t offset = (uint32_t)atomic_load(&slot->state);
    struct message message;

    slot_read(slot, &message);
    return message_is_sound(inside, at, &message) && message.pages <= inside->top - at &&
           message.stored <= offset && offset <= message.length && slot->orphan <= 1 &&
           slot->error >= -MAX_ERRNO && slot->error <= MAX_ERRNO && slot->missed >= 0 &&
           slot->missed <= now && message.sequence <= inside->sequence;
}

/* The same for the messages, with the mutex held. What follows from them (links, bitmap, counts) is
 * not checked, but made anew. */
static const char *find_fault_in_messages_locked(const struct inside *inside)
{
    struct timespec now;
    uint32_t end = 1;

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (uint32_t at = 1; at < inside->populated; at++) {
        const struct slot *slot = slot_of(inside, at);

        if (slot->kind == HELD_NOT)
            continue;
        if (at >= inside->top || at < end ||
            !is_sound(inside, at, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec))
            return "it is damaged";
        end = at + slot->pages;
    }
    return NULL;
}

struct file {
    int fd;
    struct inside *inside;
};

/* Where a file system can, without making each page and mapping it, which takes twice the time. */
static int reserve(const struct file *file, size_t at, size_t size)
{
    int error = sys_fallocate(file->fd, 0, at, size);

    return error == -EOPNOTSUPP || error == -ENOSYS
               ? pages_make_sure((char *)file->inside + at, size)
               : error;
}

/* Makes sure that the head, the bitmap, and `populated` slots and pages can be written to: a full
 * disk is found now, and not by a SIGBUS later. 0, or a negative errno. */
static int reserve_disk(const struct file *file, const struct extents *extents, uint32_t populated)
{
    int error = reserve(file, 0, extents->slots_at + populated * sizeof(struct slot));

    if (!error)
        error = reserve(file, extents->bitmap_at,
                        extents->arena_at - extents->bitmap_at + (size_t)populated * PAGE);
    return error;
}

static const char *make_file(int fd, size_t hold_max, struct inside **ret_inside)
{
    struct extents extents;
    struct inside *inside;
    int error;

    if (lay_out(&extents, (struct table_room){hold_max, FILE_SLACK, 0}) != 0)
        return "WSRX_HOLD_MAX is too large";
    error = sys_ftruncate(fd, extents.size);
    if (error)
        return strerrordesc_np(-error);
    inside = backing_map(extents.size, 0, fd, &error);
    if (!inside)
        return strerrordesc_np(-error);

    error = reserve_disk(&(struct file){fd, inside}, &extents, START);
    if (error) {
        unmap(inside, extents.size);
        sys_ftruncate(fd, 0);
        return error == -EINVAL ? "it needs Linux 5.14" : "its disk is full";
    }
    view_of(inside)->is_file = true;
    atomic_store(&view_of(inside)->suspect, true);
    inside->populated = START;
    atomic_store(&inside->table.shared, true);
    read_boot(inside->boot);
    make(inside, &extents);
    *ret_inside = inside;
    return NULL;
}

/* Others hold both locks for microseconds. If one stays taken, or a damaged file says so, the file
 * is not used: better than to wait. */
enum { PATIENCE_MS = 2000 };

static bool lock_file(int fd)
{
    enum { STEP_MS = 5 };
    int error;

    for (int waited = 0; (error = sys_flock(fd, LOCK_EX | LOCK_NB)) != 0; waited += STEP_MS) {
        if (error != -EWOULDBLOCK || waited >= PATIENCE_MS)
            return false;
        sys_sleep(STEP_MS * 1000000);
    }
    return true;
}

/* Whether a file that may have holes can be written to. */
static bool is_whole(const struct file *file, uint64_t on_disk)
{
    const struct inside *inside = file->inside;
    const struct extents *extents = &inside->extents;
    uint64_t needed = sizeof *inside + (uint64_t)inside->populated * (sizeof(struct slot) + PAGE) +
                      extents->arena_at - extents->bitmap_at;

    return on_disk >= needed || reserve_disk(file, extents, inside->populated) == 0;
}

/* Nothing was ever held in it, so there is nothing to check, and nothing to make anew: each program
 * that is started opens the file, and most hold no tail. */
static bool is_unused_locked(const struct inside *inside)
{
    return inside->top == 1 && inside->pages_used == 0 && table_is_quiet(&inside->table) &&
           (atomic_load(&inside->version) & 1) == 0;
}

static const char *check_messages_locked(struct inside *inside)
{
    const char *why;

    if (is_unused_locked(inside))
        return NULL;
    why = find_fault_in_messages_locked(inside);
    if (!why) {
        change_begin(inside);
        links_rebuild(inside);
        change_end(inside);
    }
    return why;
}

static const char *use_file(int fd, size_t size, uint64_t on_disk, struct inside **ret_inside)
{
    struct inside *inside;
    const char *why;
    int error;

    if (size < sizeof *inside)
        return "it is no fragment table";
    inside = backing_map(size, 0, fd, &error);
    if (!inside)
        return strerrordesc_np(-error);
    why = find_fault(inside, size);
    if (!why) {
        view_of(inside)->extents = inside->extents;
        view_of(inside)->is_file = true;
        atomic_store(&view_of(inside)->suspect, true);
    }
    if (!why && !is_whole(&(struct file){fd, inside}, on_disk))
        why = "its disk is full";
    if (!why && !mutex_lock(inside, PATIENCE_MS))
        why = "it is damaged";
    else if (!why) {
        why = check_messages_locked(inside);
        if (!why)
            atomic_store(&inside->table.shared, true);
        mutex_unlock(inside);
    }
    if (why) {
        unmap(inside, size);
        return why;
    }
    *ret_inside = inside;
    return NULL;
}

/* Why the file cannot be a table of this user; NULL: it may be one, and is locked now. */
static const char *check_file(int fd, struct sys_file *file)
{
    int error = sys_fstat(fd, file);

    if (error)
        return strerrordesc_np(-error);
    if (!S_ISREG(file->mode))
        return "it is no regular file";
    if (file->owner != sys_geteuid())
        return "it belongs to another user";
    if ((file->mode & 077) != 0)
        return "others may use it (its mode must be 0600)";
    if (!lock_file(fd))
        return "somebody keeps it locked";
    error = sys_fstat(fd, file);
    return error ? strerrordesc_np(-error) : NULL;
}

const char *table_open(const char *path, size_t hold_max, struct table **ret_table)
{
    int fd = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct inside *inside = NULL;
    struct sys_file file;
    const char *why;

    if (fd < 0)
        return fd == -ELOOP ? "it is a symbolic link" : strerrordesc_np(-fd);
    /* One process at a time makes or checks it. The lock has to be released: the mapping would keep
     * it after the descriptor is closed. */
    why = check_file(fd, &file);
    if (!why)
        why = file.size == 0 ? make_file(fd, hold_max, &inside)
                             : use_file(fd, (size_t)file.size, file.on_disk, &inside);
    sys_flock(fd, LOCK_UN);
    sys_close(fd);
    if (!why)
        *ret_table = &inside->table;
    return why;
}
