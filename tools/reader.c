/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "reader.h"

#include "lines.h"
#include "printable.h"
#include "wsrx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the next record comes from: a ring, or the lines of a file. */
struct source {
    struct reader_file *file;
    const struct ring_head *ring; /* NULL: lines */
    uint64_t next;                /* its number there */
    struct line_record **lines;
    size_t count;
    uint64_t time; /* of the next record, where there is one */
    struct ring_record *copy; /* of the next record: a ring is written while we read */
    struct ring_record *given; /* the one before, to which the record points that was given */
};

struct reader {
    struct reader_file **file;
    size_t files;
    struct source **source;
    size_t sources;
    struct source **heap; /* those with a next record; the earliest first */
    size_t waiting;
    bool damaged;
};

struct reader *reader_new(void)
{
    return need(calloc(1, sizeof(struct reader)));
}

/* --- the order of time ------------------------------------------------------------------- */

static void sift_down(struct reader *reader, size_t at)
{
    struct source **heap = reader->heap;

    for (;;) {
        size_t least = at, child = 2 * at + 1;
        struct source *other;

        if (child < reader->waiting && heap[child]->time < heap[least]->time)
            least = child;
        if (child + 1 < reader->waiting && heap[child + 1]->time < heap[least]->time)
            least = child + 1;
        if (least == at)
            return;
        other = heap[at];
        heap[at] = heap[least];
        heap[least] = other;
        at = least;
    }
}

static void push(struct reader *reader, struct source *source)
{
    size_t at = reader->waiting++;

    reader->heap[at] = source;
    while (at > 0 && reader->heap[(at - 1) / 2]->time > source->time) {
        reader->heap[at] = reader->heap[(at - 1) / 2];
        at = (at - 1) / 2;
        reader->heap[at] = source;
    }
}

static struct source *add_source(struct reader *reader, struct reader_file *file)
{
    size_t count = reader->sources + 1;
    struct source *source = need(calloc(1, sizeof *source));

    source->file = file;
    reader->source = need(realloc(reader->source, count * sizeof *reader->source));
    reader->heap = need(realloc(reader->heap, count * sizeof *reader->heap));
    reader->source[reader->sources++] = source;
    return source;
}

/* --- rings ------------------------------------------------------------------------------- */

static uint64_t room_in(const struct ring_file *head)
{
    return (head->ring_size - head->ring_head_size) / head->record_size;
}

/* Of one ring, where there was no room for all of it: see ring.h. */
static uint64_t capacity_of(const struct source *source)
{
    uint64_t most = room_in(&source->file->head);
    uint64_t capacity = __atomic_load_n(&source->ring->capacity, __ATOMIC_ACQUIRE);

    return capacity > 0 && capacity < most ? capacity : most;
}

/* The record number `n` of a ring, if it is in the file: else NULL. */
static const struct ring_record *place_of(const struct source *source, uint64_t n)
{
    const struct reader_file *file = source->file;
    uint64_t offset = (uint64_t)((const char *)source->ring - file->at) +
                      file->head.ring_head_size +
                      n % capacity_of(source) * file->head.record_size;

    if (offset + file->head.record_size > file->size)
        return NULL;
    return (const struct ring_record *)(file->at + offset);
}

/* Copies the next record that is there. False: there is none now. */
static bool look(struct reader *reader, struct source *source)
{
    struct reader_file *file = source->file;
    uint64_t written;

    if (!source->ring) {
        if (source->next >= source->count)
            return false;
        source->time = source->lines[source->next]->record.time;
        return true;
    }
    for (;;) {
        uint64_t capacity = capacity_of(source);
        const struct ring_record *from;
        uint64_t sequence;

        written = __atomic_load_n(&source->ring->written, __ATOMIC_ACQUIRE);
        if (source->next >= written)
            return false;
        if (written - source->next > capacity) {
            file->overwritten += written - source->next - capacity;
            source->next = written - capacity;
        }
        from = place_of(source, source->next);
        if (!from) {
            reader->damaged = true;
            source->next = written;
            return false;
        }
        sequence = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
        memcpy(source->copy, from, file->head.record_size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (sequence == source->ring->base + source->next + 1 &&
            __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == sequence) {
            source->time = source->copy->time + file->offset;
            return true;
        }
        /* Overwritten meanwhile; or the program was killed in the midst of it, or worse. */
        if (__atomic_load_n(&source->ring->written, __ATOMIC_ACQUIRE) - source->next > capacity)
            continue;
        if (sequence == 0)
            file->unfinished++;
        else
            reader->damaged = true;
        source->next++;
    }
}

static void give_ring(struct source *source, struct record *to)
{
    const struct reader_file *file = source->file;
    struct ring_record *from = source->copy;
    size_t room = file->head.record_size - offsetof(struct ring_record, tail);
    size_t local, peer, data;

    source->copy = source->given;
    source->given = from;
    local = from->local_length <= room ? from->local_length : 0;
    peer = local + from->peer_length <= room ? from->peer_length : 0;
    data = local + peer + from->data_length <= room ? from->data_length : 0;
    *to = (struct record){
        .time = source->time,
        .sequence = from->sequence,
        .cookie = from->cookie,
        .caller = from->caller,
        .room = from->room,
        .length = from->length,
        .given = from->given,
        .offset = from->offset,
        .left = from->left,
        .lost = from->lost,
        .pid = file->pid,
        .tid = from->tid,
        .fd = from->fd,
        .call = (enum record_call)from->call,
        .flags = from->flags,
        .error = from->error,
        .local = (const struct sockaddr *)from->tail,
        .peer = (const struct sockaddr *)(from->tail + local),
        .local_length = (socklen_t)local,
        .peer_length = (socklen_t)peer,
        .data = from->tail + local + peer,
        .data_length = data,
    };
}

static bool is_sound(const struct ring_file *head, const char **ret_why)
{
    if (head->version > RING_VERSION) {
        static char why[80];

        snprintf(why, sizeof why, "its format is version %u, newer than this wsrx (version %u)",
                 head->version, RING_VERSION);
        *ret_why = why;
        return false;
    }
    *ret_why = "damaged: its header makes no sense";
    return head->version == RING_VERSION && head->header_size >= sizeof *head &&
           head->ring_head_size >= sizeof(struct ring_head) &&
           head->record_size >= RING_RECORD_SIZE && head->record_size <= 1 << 20 &&
           head->record_size % 8 == 0 && head->header_size % 8 == 0 &&
           head->ring_head_size % 8 == 0 && head->ring_size % 8 == 0 &&
           head->ring_size >= head->ring_head_size + head->record_size &&
           head->ring_size <= (uint64_t)1 << 40;
}

/* Takes in the rings that the file has got since. */
static void find_rings(struct reader *reader, struct reader_file *file)
{
    const struct ring_file *head = (const struct ring_file *)file->at;
    uint32_t rings = __atomic_load_n(&head->rings, __ATOMIC_ACQUIRE);
    struct stat now;
    size_t known = 0;

    file->dropped = __atomic_load_n(&head->dropped, __ATOMIC_RELAXED);
    file->finished = (__atomic_load_n(&head->flags, __ATOMIC_RELAXED) & RING_FINISHED) != 0;
    for (size_t i = 0; i < reader->sources; i++)
        known += reader->source[i]->file == file;
    if (known == rings)
        return;
    if (fstat(file->fd, &now) == 0 && (size_t)now.st_size > file->size) {
        /* Sources point into the old mapping, so it stays. */
        const char *at = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_SHARED, file->fd, 0);

        if (at != MAP_FAILED) {
            for (size_t i = 0; i < reader->sources; i++)
                if (reader->source[i]->file == file && reader->source[i]->ring)
                    reader->source[i]->ring =
                        (const struct ring_head *)(at + ((const char *)reader->source[i]->ring -
                                                         file->at));
            munmap((void *)file->at, file->size);
            file->at = at;
            file->size = (size_t)now.st_size;
        }
    }
    for (uint64_t i = known; i < rings; i++) {
        uint64_t offset = file->head.header_size + i * file->head.ring_size;
        const struct ring_head *ring = (const struct ring_head *)(file->at + offset);
        struct source *source;

        if (offset > file->size || file->size - offset < sizeof *ring) {
            reader->damaged = true;
            break;
        }
        if (memcmp(ring->magic, RING_HEAD_MAGIC, sizeof ring->magic) != 0)
            break; /* not ready: at the next refresh */
        source = add_source(reader, file);
        source->ring = ring;
        source->copy = need(malloc(file->head.record_size));
        source->given = need(malloc(file->head.record_size));
        file->records += ring->written;
    }
}

static bool open_ring(struct reader *reader, struct reader_file *file)
{
    const char *why, *name;
    bool damaged = reader->damaged;

    memcpy(&file->head, file->at, sizeof file->head);
    if (!is_sound(&file->head, &why)) {
        complain("%s: %s", file->path, why);
        return false;
    }
    file->pid = file->head.pid;
    file->parent = file->head.parent;
    file->east = file->head.east;
    file->offset = (uint64_t)file->head.realtime_offset;
    file->head.program[sizeof file->head.program - 1] = '\0';
    name = strrchr(file->head.program, '/');
    free(file->program);
    file->program = printable(name ? name + 1 : file->head.program);
    /* Files of one boot share their clock: told apart by the wall's, records could change
     * places. */
    for (size_t i = 0; i < reader->files; i++) {
        const struct reader_file *other = reader->file[i];

        if (other->at && memcmp(other->head.boot, file->head.boot, sizeof other->head.boot) == 0) {
            file->offset = other->offset;
            break;
        }
    }
    reader->damaged = false;
    find_rings(reader, file);
    if (reader->damaged)
        complain("%s: truncated: %zu bytes are there, and its %u rings need %llu; what is there "
                 "is read", file->path, file->size, file->head.rings,
                 (unsigned long long)(file->head.header_size +
                                      file->head.rings * file->head.ring_size));
    else if (file->finished && file->size < file->head.header_size +
                                                file->head.rings * file->head.ring_size) {
        complain("%s: truncated: a part of its last ring is missing; what is there is read",
                 file->path);
        reader->damaged = true;
    }
    damaged |= reader->damaged;
    reader->damaged = damaged;
    return true;
}

/* --- JSON Lines -------------------------------------------------------------------------- */

static bool open_lines(struct reader *reader, struct reader_file *file, FILE *stream)
{
    struct source *source = add_source(reader, file);
    bool good = lines_read(file->path, stream, &source->lines, &source->count);

    if (!good)
        reader->damaged = true;
    if (source->count > 0)
        file->pid = source->lines[0]->record.pid;
    file->records = source->count;
    return good || source->count > 0;
}

/* --- files ------------------------------------------------------------------------------- */

static bool open_file(struct reader *reader, struct reader_file *file)
{
    char magic[sizeof RING_MAGIC - 1];
    struct stat now;
    ssize_t got;
    FILE *stream;
    bool good;

    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &now) != 0) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    got = S_ISREG(now.st_mode) ? pread(file->fd, magic, sizeof magic, 0) : 0;
    if (got == sizeof magic && memcmp(magic, RING_MAGIC, sizeof magic) == 0) {
        if ((size_t)now.st_size < sizeof(struct ring_file)) {
            complain("%s: truncated: only %zu bytes of its header are there", file->path,
                     (size_t)now.st_size);
            return false;
        }
        file->size = (size_t)now.st_size;
        file->at = mmap(NULL, file->size, PROT_READ, MAP_SHARED, file->fd, 0);
        if (file->at == MAP_FAILED) {
            complain("%s: %s", file->path, strerror(errno));
            file->at = NULL;
            return false;
        }
        return open_ring(reader, file);
    }
    if (S_ISDIR(now.st_mode) || (S_ISREG(now.st_mode) && now.st_size == 0)) {
        complain("%s: %s", file->path, S_ISDIR(now.st_mode) ? strerror(EISDIR) : "empty");
        return false;
    }
    stream = fdopen(dup(file->fd), "r");
    if (!stream) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    good = open_lines(reader, file, stream);
    fclose(stream);
    return good;
}

static void free_source(struct source *source)
{
    for (size_t i = 0; i < source->count; i++)
        free(source->lines[i]);
    free(source->lines);
    free(source->copy);
    free(source->given);
    free(source);
}

static void free_file(struct reader_file *file)
{
    if (file->at)
        munmap((void *)file->at, file->size);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->shown);
    free(file->program);
    free(file);
}

bool reader_add(struct reader *reader, const char *path)
{
    struct reader_file *file = need(calloc(1, sizeof *file));
    size_t before = reader->sources;
    bool good;

    file->path = need(strdup(path));
    file->shown = printable(path);
    file->program = need(strdup(""));
    good = open_file(reader, file);
    if (!good) {
        reader->damaged = true;
        while (reader->sources > before)
            free_source(reader->source[--reader->sources]);
        free_file(file);
        return false;
    }
    reader->file = need(realloc(reader->file, (reader->files + 1) * sizeof *reader->file));
    reader->file[reader->files++] = file;
    for (size_t i = before; i < reader->sources; i++)
        if (look(reader, reader->source[i]))
            push(reader, reader->source[i]);
    return true;
}

bool reader_next(struct reader *reader, struct record *ret_record,
                 const struct reader_file **ret_file)
{
    struct source *source;

    if (reader->waiting == 0)
        return false;
    source = reader->heap[0];
    if (source->ring)
        give_ring(source, ret_record);
    else
        *ret_record = source->lines[source->next]->record;
    if (ret_file)
        *ret_file = source->file;
    source->next++;
    if (!look(reader, source))
        reader->heap[0] = reader->heap[--reader->waiting];
    sift_down(reader, 0);
    return true;
}

void reader_refresh(struct reader *reader)
{
    for (size_t i = 0; i < reader->files; i++)
        if (reader->file[i]->at)
            find_rings(reader, reader->file[i]);
    reader->waiting = 0;
    for (size_t i = 0; i < reader->sources; i++)
        if (look(reader, reader->source[i]))
            push(reader, reader->source[i]);
}

FILE *reader_output(const struct reader *reader, const char *path)
{
    struct stat there, read;
    FILE *out = stdout;

    for (size_t i = 0; i < reader->files && stat(path, &there) == 0; i++) {
        if (fstat(reader->file[i]->fd, &read) != 0 || !S_ISREG(there.st_mode) ||
            read.st_dev != there.st_dev || read.st_ino != there.st_ino)
            continue;
        complain("%s: cannot be read and written at once: give the output a name of its own", path);
        return NULL;
    }
    if (strcmp(path, "-") != 0 && !(out = fopen(path, "we")))
        complain("%s: %s", path, strerror(errno));
    return out;
}

size_t reader_files(const struct reader *reader)
{
    return reader->files;
}

const struct reader_file *reader_file(const struct reader *reader, size_t number)
{
    return reader->file[number];
}

uint64_t reader_records(const struct reader *reader)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < reader->files; i++)
        sum += reader->file[i]->records;
    return sum;
}

bool reader_damaged(const struct reader *reader)
{
    return reader->damaged;
}

void reader_tell_missing(const struct reader *reader)
{
    for (size_t i = 0; i < reader->files; i++) {
        const struct reader_file *file = reader->file[i];

        if (file->overwritten > 0)
            complain("%s: %llu older records were overwritten (WSRX_TRACE_SIZE makes the ring "
                     "larger, WSRX_TRACE_KEEP=all keeps them)",
                     file->path, (unsigned long long)file->overwritten);
        if (file->dropped > 0)
            complain("%s: %llu records could not be written: no space", file->path,
                     (unsigned long long)file->dropped);
        if (file->unfinished > 0)
            complain("%s: %llu records were not finished when the program was killed", file->path,
                     (unsigned long long)file->unfinished);
    }
}

void reader_free(struct reader *reader)
{
    for (size_t i = 0; i < reader->sources; i++)
        free_source(reader->source[i]);
    for (size_t i = 0; i < reader->files; i++)
        free_file(reader->file[i]);
    free(reader->source);
    free(reader->heap);
    free(reader->file);
    free(reader);
}
