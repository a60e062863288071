/* SPDX-License-Identifier: MIT
 *
 * Where the fragment table lives: an anonymous mapping, or a file that outlasts exec.
 *
 * A file is somebody's until it is shown to be ours: nothing in it is believed before it is
 * checked, and nothing in it is changed before that.
 */
#define _GNU_SOURCE
#include "table/layout.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* Receives that are under way when the table fills up are held all the same: room for 4,096
 * datagrams, which is address space only until it is used; a 32-bit program has little of that.
 * A file's disk may be dear. */
enum { SLACK = sizeof(size_t) > 4 ? 256 << 20 : 32 << 20, FILE_SLACK = 16 << 20 };

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static const char magic[8] = "wsrx-tbl";

/* Not of the kind that checks for errors: a child of clone(2) that knows nothing of fork has its
 * parent's thread number, and must wait for its parent all the same. */
int table_make_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error)
        return -error;
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    error = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -error;
}

static int lay_out(struct extents *extents, size_t hold_max, size_t slack)
{
    size_t max = round_up(hold_max) / PAGE, count = max + slack / PAGE + 1;

    /* Less than half of the addresses: then nothing below overflows. */
    if (count > UINT32_MAX || count > SIZE_MAX / 2 / (PAGE + sizeof(struct slot) + 1))
        return -ENOMEM;
    extents->page_count = (uint32_t)count;
    extents->pages_max = (uint32_t)max;
    extents->slots_at = round_up(sizeof(struct inside));
    extents->bitmap_at = extents->slots_at + round_up(count * sizeof(struct slot));
    extents->arena_at = extents->bitmap_at + round_up(count / 8 + 8);
    extents->size = extents->arena_at + count * PAGE;
    return 0;
}

/* Fills a mapping of zeros. */
static int make(struct inside *inside, const struct extents *extents)
{
    memcpy(inside->magic, magic, sizeof magic);
    inside->format = TABLE_FORMAT;
    inside->extents = *extents;
    inside->top = inside->search = 1;
    atomic_store(&inside->table.full, extents->pages_max == 0);
    return table_make_mutex(&inside->mutex);
}

int table_create(size_t hold_max, struct table **ret_table)
{
    struct extents extents;
    struct inside *inside;
    int error = lay_out(&extents, hold_max, SLACK);

    if (error)
        return error;
    inside = sys_map(extents.size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &error);
    if (!inside)
        return error;
    error = make(inside, &extents);
    if (error) {
        sys_unmap(inside, extents.size);
        return error;
    }
    *ret_table = &inside->table;
    return 0;
}

/* --- files ------------------------------------------------------------------------------- */

/* 0, or a negative errno. */
static int populate(void *at, size_t size)
{
    uintptr_t from = (uintptr_t)at & ~(uintptr_t)(PAGE - 1);

    return sys_madvise((void *)from, (uintptr_t)at + size - from, MADV_POPULATE_WRITE);
}

bool table_populate(struct inside *inside, uint32_t page)
{
    enum { STEP = 256 };

    if (!inside->is_file || page <= inside->populated)
        return true;
    page = (page + STEP - 1) / STEP * STEP;
    if (page > inside->extents.page_count)
        page = inside->extents.page_count;
    if (page > inside->populated &&
        (populate(slot_of(inside, inside->populated),
                  (page - inside->populated) * sizeof(struct slot)) != 0 ||
         populate(page_of(inside, inside->populated), (size_t)(page - inside->populated) * PAGE) !=
             0))
        return false;
    /* They are new, but of a damaged file. */
    for (uint32_t at = inside->populated; at < page; at++)
        table_write(slot_of(inside, at)->kind, HELD_NOT);
    inside->populated = page;
    return true;
}

static void read_boot(char boot[36])
{
    int fd = sys_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

    memset(boot, 0, 36);
    if (fd < 0)
        return;
    sys_read(fd, boot, 36);
    sys_close(fd);
}

/* What is wrong with what a file holds; NULL: it is a table of ours. `size` of it are mapped. */
static const char *judge(const struct inside *inside, size_t size)
{
    const struct extents *extents = &inside->extents;
    struct extents expected;
    pthread_mutex_t fresh;
    char boot[36];

    if (memcmp(inside->magic, magic, sizeof magic) != 0)
        return "it is no fragment table";
    if (inside->format != TABLE_FORMAT)
        return "it is of another version";
    read_boot(boot);
    if (memcmp(inside->boot, boot, sizeof boot) != 0)
        return "it is from before the system was started";
    if (table_make_mutex(&fresh) != 0 || inside->mutex.__data.__kind != fresh.__data.__kind ||
        *(const unsigned char *)&inside->is_file != true ||
        lay_out(&expected, (size_t)extents->pages_max * PAGE, FILE_SLACK) != 0 ||
        memcmp(extents, &expected, sizeof expected) != 0 || extents->size != size ||
        inside->top == 0 || inside->top > inside->populated ||
        inside->populated > extents->page_count || inside->sequence > UINT64_MAX / 2)
        return "it is damaged";
    return NULL;
}

/* Whether a message may be as the slot tells, at this time of CLOCK_MONOTONIC (ns). */
static bool is_sound(const struct inside *inside, uint32_t at, int64_t now)
{
    enum { MAX_ERRNO = 4095 };

    const struct slot *slot = slot_of(inside, at);
    uint32_t offset = (uint32_t)atomic_load(&slot->state);

    return slot->kind <= HELD_STREAM && slot->pages > 0 && slot->pages <= inside->top - at &&
           slot->stored <= offset && offset <= slot->length &&
           (slot->kind == HELD_KERNEL ||
            slot->length - slot->stored <= (size_t)slot->pages * PAGE) &&
           slot->peer_known <= 1 && slot->peer_length <= sizeof slot->peer && slot->orphan <= 1 &&
           slot->error >= -MAX_ERRNO && slot->error <= MAX_ERRNO && slot->missed >= 0 &&
           slot->missed <= now && slot->sequence <= inside->sequence;
}

/* The same for the messages, with the mutex held. Of what follows from them nothing is believed:
 * it is made anew, as after a death. */
static const char *judge_messages_locked(const struct inside *inside)
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

static const char *make_file(int fd, size_t hold_max, struct inside **ret_inside)
{
    struct extents extents;
    struct inside *inside;
    int error;

    if (lay_out(&extents, hold_max, FILE_SLACK) != 0)
        return "WSRX_HOLD_MAX is too large";
    error = sys_ftruncate(fd, extents.size);
    if (error)
        return strerrordesc_np(-error);
    inside = sys_map(extents.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, &error);
    if (!inside)
        return strerrordesc_np(-error);

    /* The head, the bitmap and the first pages: a full disk shows now, not by SIGBUS. */
    error = populate(inside, sizeof *inside);
    if (!error)
        error = populate((char *)inside + extents.bitmap_at, extents.arena_at - extents.bitmap_at);
    if (!error)
        error = populate((char *)inside + extents.slots_at, TABLE_AHEAD * sizeof(struct slot));
    if (!error)
        error = populate((char *)inside + extents.arena_at, (size_t)TABLE_AHEAD * PAGE);
    if (error) {
        sys_unmap(inside, extents.size);
        sys_ftruncate(fd, 0);
        return error == -EINVAL ? "it needs Linux 5.14" : "its disk is full";
    }
    inside->is_file = true;
    inside->populated = TABLE_AHEAD;
    atomic_store(&inside->table.shared, true);
    read_boot(inside->boot);
    error = make(inside, &extents);
    if (error)
        return strerrordesc_np(-error);
    *ret_inside = inside;
    return NULL;
}

/* Others hold both locks for microseconds. Where somebody keeps one, or a damaged file says so, we
 * do without the file rather than wait. */
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

/* Whether the mutex can be had at all; then it is held. */
static bool lock_mutex(struct inside *inside)
{
    struct timespec limit;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += PATIENCE_MS / 1000;
    error = pthread_mutex_clocklock(&inside->mutex, CLOCK_MONOTONIC, &limit);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&inside->mutex);
    return error == 0;
}

/* Of a file with holes, what will be written to is made sure of now: a full disk would tell by
 * SIGBUS. */
static bool is_whole(struct inside *inside, uint64_t on_disk)
{
    const struct extents *extents = &inside->extents;
    size_t arena = (size_t)inside->populated * PAGE;

    if (on_disk >= sizeof *inside + (size_t)inside->populated * sizeof(struct slot) +
                       (extents->arena_at - extents->bitmap_at) + arena)
        return true;
    return populate(inside, sizeof *inside) == 0 &&
           populate((char *)inside + extents->bitmap_at, extents->arena_at - extents->bitmap_at) ==
               0 &&
           populate((char *)inside + extents->slots_at,
                    (size_t)inside->populated * sizeof(struct slot)) == 0 &&
           populate((char *)inside + extents->arena_at, arena) == 0;
}

static const char *use_file(int fd, size_t size, uint64_t on_disk, struct inside **ret_inside)
{
    struct inside *inside;
    const char *why;
    int error;

    if (size < sizeof *inside)
        return "it is no fragment table";
    inside = sys_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, &error);
    if (!inside)
        return strerrordesc_np(-error);
    why = judge(inside, size);
    if (!why && !is_whole(inside, on_disk))
        why = "its disk is full";
    if (!why && !lock_mutex(inside))
        why = "it is damaged";
    else if (!why) {
        why = judge_messages_locked(inside);
        if (!why) {
            atomic_store(&inside->table.shared, true);
            table_rebuild_locked(inside);
        }
        pthread_mutex_unlock(&inside->mutex);
    }
    if (why) {
        sys_unmap(inside, size);
        return why;
    }
    *ret_inside = inside;
    return NULL;
}

/* Whether the file may be ours at all, and if so, with its lock held. */
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
    /* One process at a time makes or checks it. The mapping keeps the open file, and so the lock,
     * beyond the descriptor. */
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
