/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/ring.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/critical_section.h"
#include "base/sys.h"
#include "state.h"
#include "trace/ring_totals.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static_assert(offsetof(struct ring_record, tail) == 80, "a record's fields have no gaps");
static_assert(sizeof(struct ring_record) == RING_RECORD_SIZE, "and no end");
static_assert(sizeof(struct ring_file) <= RING_HEADER_SIZE, "the header has its block");
static_assert(sizeof(struct ring_head) <= RING_HEAD_SIZE, "a ring's head has its block");

/* What is stored before is there before what is stored after, for whoever reads the file. */
static inline void order_stores(void)
{
#ifndef __SANITIZE_THREAD__ /* which knows no fences */
    atomic_thread_fence(memory_order_release);
#endif
}

static uint64_t places_in(const struct ring_process *process, size_t bytes)
{
    return (bytes - RING_HEAD_SIZE) / process->record_size;
}

void ring_prepare(struct ring_process *process, const struct ring_settings *settings,
                  struct output_file *output, uint32_t parent, uint64_t start)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t least;

    memset(process, 0, sizeof *process);
    process->settings = *settings;
    process->output = output;
    process->parent = parent;
    process->start = start;
    process->record_size = round_up_to(RING_RECORD_SIZE + settings->data_size, 64);
    least = RING_HEAD_SIZE + RING_LEAST_RECORDS * process->record_size;
    process->ring_size = round_up_to(settings->size > least ? settings->size : least, page);
    process->capacity = places_in(process, process->ring_size);
}

/* --- the file ---------------------------------------------------------------------------- */

static size_t header_size(void)
{
    return round_up_to(RING_TOTALS_END, (size_t)sysconf(_SC_PAGESIZE));
}

static void fill_header(struct ring_process *process, struct ring_file *file)
{
    file->version = RING_VERSION;
    file->header_size = (uint32_t)header_size();
    file->ring_head_size = RING_HEAD_SIZE;
    file->record_size = (uint32_t)process->record_size;
    file->ring_size = process->ring_size;
    file->pid = (uint32_t)sys_getpid();
    file->parent = process->parent;
    file->realtime_offset = clock_realtime_offset();
    file->start = process->start;
    file->east = process->settings.east;
    file->data_size = (uint32_t)process->settings.data_size;
    file->flags = process->settings.keep_all ? RING_KEEP_ALL : 0;
    trace_program_read("/proc/sys/kernel/random/boot_id", file->boot, sizeof file->boot);
    memcpy(file->program, trace_program.path, sizeof file->program);
    file->about = trace_program;
    ring_totals_start(process, file);
    strncpy(file->library, WSRX_VERSION, sizeof file->library - 1);
    /* Last: without it there is no ring file. */
    order_stores();
    memcpy(file->magic, RING_MAGIC, sizeof file->magic);
}

/* What the maker of the file does before others see it. */
static int fill_file(struct output_file *output, int fd, void *context)
{
    struct ring_process *process = context;
    int error;
    void *at = output_file_map_open(fd, 0, header_size(), RING_READY_FIRST, &error);

    (void)output;
    if (!at)
        return error;
    fill_header(process, at);
    __atomic_store_n(&process->file, at, __ATOMIC_RELEASE);
    return 0;
}

/* NULL: there is none, and will be none. */
static struct ring_file *file_of(struct ring_process *process)
{
    const struct output_file_maker maker = {
        .size = RING_READY_FIRST, .fill = fill_file, .context = process};

    if (output_file_ready(process->output, &maker) != OUTPUT_MAPPED)
        return NULL;
    return __atomic_load_n(&process->file, __ATOMIC_ACQUIRE);
}

void ring_drop(struct ring_process *process)
{
    struct ring_file *file = __atomic_load_n(&process->file, __ATOMIC_ACQUIRE);
    unsigned long dropped = atomic_fetch_add(&process->dropped, 1) + 1;
    unsigned long uncounted = atomic_fetch_add(&process->uncounted, 1) + 1;

    if (file) {
        __atomic_store_n(&file->dropped, dropped, __ATOMIC_RELAXED);
        __atomic_store_n(&file->uncounted, uncounted, __ATOMIC_RELAXED);
    }
}

void ring_end(struct ring_process *process)
{
    struct ring_file *file = __atomic_load_n(&process->file, __ATOMIC_ACQUIRE);

    if (!file)
        return;
    __atomic_store_n(&file->dropped, atomic_load(&process->dropped), __ATOMIC_RELAXED);
    __atomic_store_n(&file->uncounted, atomic_load(&process->uncounted), __ATOMIC_RELAXED);
    file->flags |= RING_FINISHED;
    output_file_end(process->output, header_size() + file->rings * (uint64_t)process->ring_size);
}

/* --- a ring ------------------------------------------------------------------------------ */

/* Most threads receive little: a ring begins small in memory and on the disk, and doubles. */
enum { READY_LEAST = 4 << 10, READY_STEP = 256 << 10 };

static size_t first_ready(const struct ring_process *process)
{
    size_t one = round_up_to(RING_HEAD_SIZE + process->record_size, READY_LEAST);

    return one < process->ring_size ? one : process->ring_size;
}

/* Only now, for a reader that finds the file shorter than its rings takes it for damaged. Another
 * thread may have counted a later one already; a ring without its magic is not ready yet. */
static void count_ring(struct ring_file *file, uint32_t number)
{
    uint32_t rings = __atomic_load_n(&file->rings, __ATOMIC_RELAXED);

    while (rings <= number && !__atomic_compare_exchange_n(&file->rings, &rings, number + 1, false,
                                                           __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        continue;
}

/* False: there is no room for a new one. */
static bool take_new_ring(struct ring_process *process, struct ring_writer *writer, uint32_t tid)
{
    struct ring_file *file = file_of(process);
    uint64_t base = writer->head ? writer->head->base + writer->written : 0, offset;
    size_t ready = first_ready(process);
    struct ring_head *head;
    uint32_t number;

    if (!file)
        return false;
    number = atomic_fetch_add(&process->rings, 1);
    offset = header_size() + number * (uint64_t)process->ring_size;
    head = output_file_map(process->output, offset, process->ring_size, ready);
    if (!head)
        return false;
    if (writer->head)
        sys_unmap(writer->head, process->ring_size);
    head->number = number;
    head->tid = tid;
    head->base = base;
    head->written = 0;
    head->capacity = process->capacity;
    order_stores();
    memcpy(head->magic, RING_HEAD_MAGIC, sizeof head->magic);
    count_ring(file, number);
    writer->head = head;
    writer->records = (char *)head + RING_HEAD_SIZE;
    writer->written = writer->place = 0;
    writer->ready = places_in(process, ready);
    writer->ready_bytes = ready;
    writer->offset = offset;
    return true;
}

/* Makes more places of the ring ready to be written. False: there is no room for them, so that what
 * there is becomes the whole ring. It has not gone round yet, and so each record is where it is by
 * the smaller capacity as well. */
static bool grow(struct ring_process *process, struct ring_writer *writer, size_t step)
{
    size_t left = process->ring_size - writer->ready_bytes, more = writer->ready_bytes;

    if (more > step)
        more = step;
    if (more > left)
        more = left;
    if (more > 0 && output_file_state(process->output) == OUTPUT_MAPPED &&
        output_file_reserve(process->output, (char *)writer->head + writer->ready_bytes,
                            writer->offset + writer->ready_bytes, more)) {
        writer->ready_bytes += more;
        writer->ready = places_in(process, writer->ready_bytes);
        return true;
    }
    __atomic_store_n(&writer->head->capacity, writer->ready, __ATOMIC_RELEASE);
    return false;
}

/* For a record where none is ready; no handler of this thread must find it half done. In a sandbox
 * there is what there is. */
static bool make_place(struct ring_process *process, struct ring_writer *writer, uint32_t tid)
{
    bool can = !sys_is_sandboxed();
    struct critical_section section;
    bool made = false;

    if (can)
        critical_section_enter(&section);
    if (writer->head && writer->ready < writer->head->capacity)
        made = grow(process, writer, READY_STEP);
    if (!made && can && (!writer->head || process->settings.keep_all))
        made = take_new_ring(process, writer, tid);
    if (can)
        critical_section_leave(&section);
    if (!made && writer->head) {
        /* The ring goes round; with no room for a new one, too: the last records are worth most. */
        writer->place = 0;
        made = true;
    }
    return made;
}

static inline bool has_place(struct ring_process *process, struct ring_writer *writer, uint32_t tid)
{
    return LIKELY(writer->head && writer->place < writer->ready) ||
           make_place(process, writer, tid);
}

void ring_prepare_sandbox(struct ring_process *process, struct ring_writer *writer, uint32_t tid)
{
    file_of(process);
    ring_totals_prepare_sandbox(process);
    if (!writer->head && !make_place(process, writer, tid))
        return;
    while (writer->ready < writer->head->capacity && grow(process, writer, SIZE_MAX))
        continue;
}

static unsigned char *add_address(unsigned char *to, const unsigned char *end,
                                  const struct sockaddr *address, socklen_t length,
                                  uint8_t *ret_length, uint8_t *flags)
{
    size_t fits = (size_t)(end - to);

    if (length < fits)
        fits = length;
    else if (length > fits)
        *flags |= RECORD_CUT;
    *ret_length = (uint8_t)fits;
    /* What nearly every address is; the compiler makes two moves of it. */
    if (LIKELY(fits == 16))
        memcpy(to, address, 16);
    else
        memcpy(to, address, fits);
    return to + fits;
}

/* Everything but its sequence number. */
static inline void fill_record(const struct ring_process *process, struct ring_record *to,
                               const struct record *record)
{
    unsigned char *tail = to->tail;
    uint8_t flags = (uint8_t)record->flags;
    size_t data_length = record->data_length;

    to->time = record->time;
    to->cookie = record->cookie;
    to->caller = record->caller;
    to->room = record->room;
    to->length = record->length;
    to->given = record->given;
    to->offset = record->offset;
    to->left = record->left;
    to->lost = record->lost;
    to->tid = record->tid;
    to->fd = record->fd;
    to->call = (uint8_t)record->call;
    to->error = (uint16_t)record->error;
    to->dropped = record->dropped;
    tail = add_address(tail, to->tail + RING_ADDRESSES, record->local, record->local_length,
                       &to->local_length, &flags);
    tail = add_address(tail, to->tail + RING_ADDRESSES, record->peer, record->peer_length,
                       &to->peer_length, &flags);
    to->flags = flags;
    if (data_length > process->settings.data_size)
        data_length = process->settings.data_size;
    to->data_length = (uint16_t)data_length;
    if (!LIKELY(data_length == 0))
        memcpy(tail, record->data, data_length);
}

void ring_write(struct ring_process *process, struct ring_writer *writer,
                const struct record *record)
{
    struct ring_record *to;

    if (!LIKELY(has_place(process, writer, record->tid))) {
        ring_drop(process);
        return;
    }
    to = (struct ring_record *)(writer->records + writer->place * process->record_size);
    __atomic_store_n(&to->sequence, 0, __ATOMIC_RELAXED);
    order_stores();
    fill_record(process, to, record);

    /* Now it is there, whatever happens to the program. */
    writer->place++;
    __atomic_store_n(&to->sequence, writer->head->base + writer->written + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&writer->head->written, ++writer->written, __ATOMIC_RELEASE);
    if (!LIKELY(writer->head->tid == record->tid))
        writer->head->tid = record->tid;
    ring_totals_count(process, writer, record);
    /* A ring is larger than the caches near the processor: until the next receive is through the
     * kernel, the next place may have come. */
    to = (struct ring_record *)((char *)to + process->record_size);
    __builtin_prefetch(to, 1);
    __builtin_prefetch((char *)to + 64, 1);
}
