/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/ring_reader.h"

#include "input/ring_order.h"
#include "util/complain.h"
#include "util/memory.h"
#include "util/printable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- records ----------------------------------------------------------------------------- */

static const struct ring_head *head_of(const struct reader_file *file,
                                       const struct ring_source *source)
{
    return (const struct ring_head *)(file->at + source->at);
}

/* A ring may be smaller than the others, if there was no room for all of it: see ring.h. */
static uint64_t capacity_of(const struct reader_file *file, const struct ring_source *source)
{
    const struct ring_file *head = &file->head;
    uint64_t most = (head->ring_size - head->ring_head_size) / head->record_size;
    uint64_t own = __atomic_load_n(&head_of(file, source)->capacity, __ATOMIC_ACQUIRE);

    return own > 0 && own < most ? own : most;
}

/* The record number `n` of a ring; NULL: it is not in the file. */
static const struct ring_record *record_at(const struct reader_file *file,
                                           const struct ring_source *source, uint64_t n)
{
    uint64_t offset = source->at + file->head.ring_head_size +
                      n % capacity_of(file, source) * file->head.record_size;

    if (offset + file->head.record_size > file->size)
        return NULL;
    return (const struct ring_record *)(file->at + offset);
}

/* Copies a record. Returns its sequence number: of a whole record, base + n + 1. */
static uint64_t copy_record(const struct reader_file *file, struct ring_source *source,
                            const struct ring_record *from)
{
    uint64_t sequence = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);

    memcpy(source->copy, from, file->head.record_size);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == sequence ? sequence : 0;
}

bool ring_look(struct reader_file *file, struct ring_source *source, uint64_t *ret_time)
{
    const struct ring_head *ring = head_of(file, source);

    for (;;) {
        uint64_t capacity = capacity_of(file, source);
        uint64_t written = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE), sequence;
        const struct ring_record *from;

        if (source->next >= written)
            return false;
        if (written - source->next > capacity) {
            file->overwritten += written - source->next - capacity;
            source->next = written - capacity;
        }
        from = record_at(file, source, source->next);
        if (!from) {
            file->damaged = true;
            source->next = written;
            return false;
        }
        sequence = copy_record(file, source, from);
        if (sequence == ring->base + source->next + 1) {
            *ret_time = source->copy->time + file->offset;
            return true;
        }
        /* Overwritten meanwhile; or the program was killed while it wrote it; or damage. */
        if (__atomic_load_n(&ring->written, __ATOMIC_ACQUIRE) - source->next > capacity)
            continue;
        if (sequence == 0)
            file->unfinished++;
        else
            file->damaged = true;
        source->next++;
    }
}

void ring_take(const struct reader_file *file, struct ring_source *source, struct record *to)
{
    const struct ring_record *from = source->copy;
    /* As long as the file's records are, which may be longer than the type says. */
    const unsigned char *tail = (const unsigned char *)from + offsetof(struct ring_record, tail);
    size_t room = file->head.record_size - offsetof(struct ring_record, tail);
    size_t local = from->local_length <= room ? from->local_length : 0;
    size_t peer = local + from->peer_length <= room ? from->peer_length : 0;
    size_t data = local + peer + from->data_length <= room ? from->data_length : 0;

    source->copy = source->given;
    source->given = (struct ring_record *)from;
    source->next++;
    *to = (struct record){
        .time = from->time + file->offset,
        .sequence = from->sequence,
        .cookie = from->cookie,
        .caller = from->caller,
        .room = from->room,
        .length = from->length,
        .given = from->given,
        .offset = from->offset,
        .left = from->left,
        .lost = from->lost,
        .dropped = file->head.modules > 0 ? from->dropped : 0,
        .pid = file->pid,
        .tid = from->tid,
        .fd = from->fd,
        .call = (enum record_call)from->call,
        .flags = from->flags,
        .error = from->error,
        .local = (const struct sockaddr *)(const void *)tail,
        .peer = (const struct sockaddr *)(const void *)(tail + local),
        .local_length = (socklen_t)local,
        .peer_length = (socklen_t)peer,
        .data = tail + local + peer,
        .data_length = data,
        .modules = file,
    };
}

/* --- rings ------------------------------------------------------------------------------- */

bool ring_find(struct reader_file *file, uint32_t number, struct ring_source *ret_source)
{
    uint64_t offset = file->head.header_size + number * file->head.ring_size;
    const struct ring_head *ring = (const struct ring_head *)(file->at + offset);

    if (offset > file->size || file->size - offset < sizeof *ring) {
        file->damaged = true;
        return false;
    }
    if (memcmp(ring->magic, RING_HEAD_MAGIC, sizeof ring->magic) != 0)
        return false;
    *ret_source = (struct ring_source){
        .at = offset,
        .copy = need(malloc(file->head.record_size)),
        .given = need(malloc(file->head.record_size)),
    };
    file->records += ring->written;
    return true;
}

void ring_source_free(struct ring_source *source)
{
    free(source->copy);
    free(source->given);
}

/* Sources know offsets only, so the mapping may move. */
static void map_growth(struct reader_file *file)
{
    struct stat now;
    const char *at;

    if (fstat(file->fd, &now) != 0 || (size_t)now.st_size <= file->size)
        return;
    at = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (at == MAP_FAILED)
        return;
    munmap((void *)file->at, file->size);
    file->at = at;
    file->size = (size_t)now.st_size;
}

uint32_t ring_refresh(struct reader_file *file)
{
    const struct ring_file *head = (const struct ring_file *)file->at;
    uint32_t rings = __atomic_load_n(&head->rings, __ATOMIC_ACQUIRE);

    file->dropped = __atomic_load_n(&head->dropped, __ATOMIC_RELAXED);
    if (file->totals)
        file->uncounted = __atomic_load_n(&head->uncounted, __ATOMIC_RELAXED);
    file->finished = (__atomic_load_n(&head->flags, __ATOMIC_RELAXED) & RING_FINISHED) != 0;
    if (file->head.header_size + rings * file->head.ring_size > file->size && !file->other_order)
        map_growth(file);
    return rings;
}

/* --- modules and totals ------------------------------------------------------------------ */

/* Whether a table lies in the header. */
static bool is_inside(const struct ring_file *head, uint64_t at, uint64_t count, uint64_t size,
                      uint64_t least)
{
    return size >= least && size <= 1 << 16 && size % 8 == 0 && at % 8 == 0 && count <= 1 << 20 &&
           at <= head->header_size && count * size <= head->header_size - at;
}

/* An older library's file has neither; nor does one whose numbers make no sense. */
static void check_tables(struct reader_file *file)
{
    struct ring_file *head = &file->head;

    if (!is_inside(head, head->modules_at, head->modules, head->module_size,
                   sizeof(struct record_module)))
        head->modules = 0;
    if (!is_inside(head, head->totals_at, head->totals, head->total_size,
                   sizeof(struct ring_total)))
        head->totals = 0;
    file->totals = head->totals > 0;
}

bool ring_total(const struct reader_file *file, size_t number, struct ring_total *ret_total)
{
    const struct ring_file *head = (const struct ring_file *)file->at;
    uint64_t at = file->head.totals_at + number * file->head.total_size;
    const struct ring_total *from = (const struct ring_total *)(file->at + at);

    if (!file->totals || number >= file->head.totals ||
        number >= __atomic_load_n(&head->totals_used, __ATOMIC_ACQUIRE) ||
        at + sizeof *from > file->size)
        return false;
    ret_total->used = 0;
    if (__atomic_load_n(&from->used, __ATOMIC_ACQUIRE) != 0)
        memcpy(ret_total, from, sizeof *from);
    if (ret_total->local_length > sizeof ret_total->local)
        ret_total->local_length = 0;
    return true;
}

static bool is_known(const struct reader_file *file, const struct record_module *module)
{
    for (size_t i = 0; i < file->modules; i++)
        if (file->module[i]->module.start == module->start &&
            strcmp(file->module[i]->module.path, module->path) == 0)
            return true;
    return false;
}

void ring_find_modules(struct reader_file *file)
{
    for (uint32_t i = 0; i < file->head.modules; i++) {
        uint64_t at = file->head.modules_at + i * (uint64_t)file->head.module_size;
        const struct record_module *from = (const struct record_module *)(file->at + at);
        struct record_module module;

        if (at + sizeof *from > file->size || __atomic_load_n(&from->start, __ATOMIC_ACQUIRE) == 0)
            continue;
        memcpy(&module, from, sizeof module);
        module.path[sizeof module.path - 1] = '\0';
        if (module.build_id_length > sizeof module.build_id)
            module.build_id_length = 0;
        if (!is_known(file, &module))
            reader_file_add_module(file, file->pid, &module);
    }
}

/* --- the file ---------------------------------------------------------------------------- */

/* A file of a machine of the other byte order is read as it is at this moment, from a copy. */
static void turn_head(struct reader_file *file)
{
    file->other_order = ring_order_is_other(&file->head);
    if (!file->other_order)
        return;
    ring_order_turn_head((struct ring_file *)file->at);
    memcpy(&file->head, file->at, sizeof file->head);
}

static bool is_version(const struct reader_file *file)
{
    if (file->head.version <= RING_VERSION)
        return true;
    complain("%s: its format is version %u, newer than this wsrx (version %u)", file->path,
             file->head.version, RING_VERSION);
    return false;
}

static bool is_sound(const struct ring_file *head)
{
    return head->version == RING_VERSION && head->header_size >= sizeof *head &&
           head->ring_head_size >= sizeof(struct ring_head) &&
           head->record_size >= RING_RECORD_SIZE && head->record_size <= 1 << 20 &&
           head->record_size % 8 == 0 && head->header_size % 8 == 0 &&
           head->ring_head_size % 8 == 0 && head->ring_size % 8 == 0 &&
           head->ring_size >= head->ring_head_size + head->record_size &&
           head->ring_size <= (uint64_t)1 << 40;
}

static void take_head(struct reader_file *file)
{
    const char *name;

    file->pid = file->head.pid;
    file->parent = file->head.parent;
    file->east = file->head.east;
    file->offset = (uint64_t)file->head.realtime_offset;
    file->head.program[sizeof file->head.program - 1] = '\0';
    memcpy(file->library, file->head.library, sizeof file->library - 1);
    if (file->head.modules > 0)
        file->about = file->head.about;
    reader_file_end_strings(&file->about);
    name = strrchr(file->head.program, '/');
    free(file->program);
    file->program = printable(name ? name + 1 : file->head.program);
}

bool ring_is_file(int fd)
{
    char magic[sizeof RING_MAGIC - 1];

    return pread(fd, magic, sizeof magic, 0) == sizeof magic &&
           memcmp(magic, RING_MAGIC, sizeof magic) == 0;
}

static bool map(struct reader_file *file)
{
    bool copy = pread(file->fd, &file->head, sizeof file->head, 0) == sizeof file->head &&
                ring_order_is_other(&file->head);

    file->at = mmap(NULL, file->size, copy ? PROT_READ | PROT_WRITE : PROT_READ,
                    copy ? MAP_PRIVATE : MAP_SHARED, file->fd, 0);
    if (file->at == MAP_FAILED) {
        complain("%s: %s", file->path, strerror(errno));
        file->at = NULL;
        return false;
    }
    if (!copy)
        memcpy(&file->head, file->at, sizeof file->head);
    return true;
}

bool ring_open(struct reader_file *file)
{
    struct stat now;

    if (fstat(file->fd, &now) != 0) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    file->size = (size_t)now.st_size;
    if (file->size < sizeof file->head) {
        complain("%s: truncated: only %zu bytes of its header are there", file->path, file->size);
        return false;
    }
    if (!map(file))
        return false;
    turn_head(file);
    if (!is_version(file))
        return false;
    if (!is_sound(&file->head)) {
        complain("%s: damaged: its header makes no sense", file->path);
        return false;
    }
    check_tables(file);
    if (file->other_order)
        ring_order_turn(&file->head, (char *)file->at, file->size);
    take_head(file);
    ring_find_modules(file);
    return true;
}
