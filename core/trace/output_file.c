/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/output_file.h"

#include "base/critical_section.h"
#include "base/diag.h"
#include "base/libc.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "state.h"
#include "trace/output_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_TRIED = 1000, PAGE = 4096 };

static int open_path(const char *path, int flags)
{
    return sys_open(path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        sys_close(fd);
}

/* Opens it once more. A descriptor, or a negative errno. */
static int open_and_ask(const struct output_file *output, int flags, struct sys_file *ret_now)
{
    int fd = open_path(output->path, flags);

    if (fd >= 0 && (sys_fstat(fd, ret_now) != 0 || ret_now->device != output->device ||
                    ret_now->inode != output->inode)) {
        sys_close(fd);
        return -ESTALE;
    }
    return fd;
}

static int open_again(const struct output_file *output, int flags)
{
    struct sys_file now;

    return open_and_ask(output, flags, &now);
}

/* --- its life ---------------------------------------------------------------------------- */

void output_file_give_up(struct output_file *output, int error)
{
    if (atomic_exchange(&output->state, OUTPUT_BROKEN) != OUTPUT_BROKEN)
        diag("cannot write %s: %s; the program goes on without it", output->path,
             error == -ELOOP ? "it is a symbolic link" : strerrordesc_np(-error));
}

void output_file_plan(struct output_file *output, const char *pattern,
                      const struct output_path_facts *facts)
{
    memset(output, 0, sizeof *output);
    if (!output_path_expand(pattern, facts, output->path, sizeof output->path, &output->stem))
        output_file_give_up(output, -ENAMETOOLONG);
}

/* Whether something that is no regular file may be written to. A pipe's reader is whoever made it;
 * devices are the system's, or a terminal of ours. */
static int check_stream(const struct sys_file *file)
{
    uid_t user = sys_geteuid();

    if (S_ISFIFO(file->mode))
        return file->owner == user ? 0 : -EPERM;
    if (S_ISCHR(file->mode))
        return file->owner == user || file->owner == 0 ? 0 : -EPERM;
    return -EINVAL;
}

/* ENOSPC now is better than SIGBUS later. Never makes the file shorter: others may be at it. */
static int reserve(int fd, uint64_t offset, size_t size)
{
    int error = sys_fallocate(fd, 0, offset, size);
    struct sys_file now;

    if (error != -EOPNOTSUPP && error != -ENOSYS)
        return error;
    error = sys_fstat(fd, &now);
    if (!error && now.size < offset + size)
        error = (int)sys_pwrite(fd, "", 1, offset + size - 1);
    return error < 0 ? error : 0;
}

/* An empty regular file of our own, by which nothing else is reached; or a stream. */
static int take_existing(struct output_file *output, int fd, const struct output_file_maker *maker,
                         enum output_state *ret_state)
{
    struct sys_file now;
    int error = sys_fstat(fd, &now);

    if (error)
        return error;
    output->device = now.device;
    output->inode = now.inode;
    if (!S_ISREG(now.mode)) {
        *ret_state = OUTPUT_STREAM;
        return maker->streams ? check_stream(&now) : -EINVAL;
    }
    *ret_state = OUTPUT_MAPPED;
    if (now.links != 1 || now.owner != sys_geteuid())
        return -EPERM;
    /* Two programs that find it empty at once: the lock goes with the descriptor, the size
     * stays. */
    if (now.size > 0 || sys_flock(fd, LOCK_EX | LOCK_NB) != 0)
        return -EEXIST;
    if (sys_fstat(fd, &now) != 0 || now.size > 0)
        return -EEXIST;
    error = sys_fchmod(fd, 0600);
    if (!error)
        error = reserve(fd, 0, maker->size);
    if (!error && maker->fill)
        error = maker->fill(output, fd, maker->context);
    return error;
}

/* What is there already: to be mapped it has to be readable, to be a stream need not be. */
static int open_existing(const struct output_file *output, bool streams)
{
    int fd = open_path(output->path, streams ? O_WRONLY | O_APPEND : O_RDWR);
    struct sys_file now;

    if (streams && fd >= 0 && sys_fstat(fd, &now) == 0 && S_ISREG(now.mode)) {
        sys_close(fd);
        fd = open_path(output->path, O_RDWR);
    }
    return fd;
}

/* One name. 0, or a negative errno; -EEXIST: there is something already. */
static int make_named(struct output_file *output, const struct output_file_maker *maker,
                      enum output_state *ret_state)
{
    int fd = open_path(output->path, O_RDWR | O_CREAT | O_EXCL), error;
    bool made = fd >= 0;

    if (fd == -EEXIST)
        fd = open_existing(output, maker->streams);
    if (fd < 0)
        return fd;
    error = take_existing(output, fd, maker, ret_state);
    sys_close(fd);
    if (error && made)
        sys_unlink(output->path);
    return error;
}

/* What is no file is not made once more for a child: a pipe or a device is that of all. */
static void take_stem(struct output_file *output)
{
    char behind = output->path[output->stem];
    struct sys_file there;
    int fd;

    if (!behind)
        return;
    output->path[output->stem] = '\0';
    fd = open_path(output->path, O_PATH);
    if (fd < 0 || sys_fstat(fd, &there) != 0 || S_ISREG(there.mode))
        output->path[output->stem] = behind;
    close_if_open(fd);
}

/* By its one maker, whose signals are blocked. */
static void make(struct output_file *output, const struct output_file_maker *maker)
{
    size_t length;
    enum output_state made = OUTPUT_MAPPED;
    int error = -EEXIST, making = OUTPUT_MAKING;

    take_stem(output);
    length = strlen(output->path);
    for (unsigned number = 2; number < NAMES_TRIED; number++) {
        struct strbuf path = strbuf_behind(output->path, sizeof output->path);

        error = make_named(output, maker, &made);
        if (error != -EEXIST)
            break;
        strbuf_cut(&path, length);
        strbuf_add_char(&path, '.');
        strbuf_add_number(&path, number);
    }
    if (error) {
        output_file_give_up(output, error);
        return;
    }
    if (atomic_compare_exchange_strong(&output->state, &making, made) &&
        strlen(output->path) != length)
        diag("%s: the name was taken, so a number is behind it", output->path);
}

/* Another thread makes it: that takes some microseconds. A thread of a vfork() child may have been
 * killed at it. */
static void wait_until_made(struct output_file *output)
{
    enum { YIELDS = 100, SLEEPS = 10000, NAP = 100000 /* ns */ };

    for (int tries = 0; output_file_state(output) == OUTPUT_MAKING; tries++) {
        if (tries < YIELDS)
            sys_yield();
        else
            sys_sleep(NAP);
        if (tries == YIELDS + SLEEPS)
            output_file_give_up(output, -ETIMEDOUT);
    }
}

enum output_state output_file_ready(struct output_file *output,
                                    const struct output_file_maker *maker)
{
    int now = (int)output_file_state(output);

    if (now > OUTPUT_MAKING || sys_is_sandboxed())
        return (enum output_state)now;
    if (now == OUTPUT_PLANNED) {
        struct critical_section section;

        critical_section_enter(&section);
        if (atomic_compare_exchange_strong(&output->state, &now, OUTPUT_MAKING))
            make(output, maker);
        critical_section_leave(&section);
    }
    wait_until_made(output);
    return output_file_state(output);
}

void output_file_end(struct output_file *output, uint64_t size)
{
    int fd;

    if (output->inode == 0 || output_file_state(output) == OUTPUT_STREAM || sys_is_sandboxed())
        return;
    fd = open_again(output, O_RDWR);
    if (fd >= 0)
        sys_ftruncate(fd, size);
    close_if_open(fd);
}

/* --- pieces ------------------------------------------------------------------------------ */

/* All pages at once: cheaper than one by one, and where the file system could not reserve (EFAULT)
 * the trouble comes now. Linux before 5.14 does not know it, and need not. */
static int populate(void *at, size_t size, int how)
{
    return sys_madvise(at, size, how) == -EFAULT ? -ENOSPC : 0;
}

/* Makes the file at least so long; longer, where more pieces of this size are likely to follow, as
 * behind the first one they are, for it costs as much as the piece itself. What is between takes no space. */
static int lengthen(int fd, uint64_t offset, size_t size)
{
    enum { PIECES = 8 };
    struct sys_file now;
    int error = sys_fstat(fd, &now);

    if (error || now.size >= offset + size)
        return error;
    error = offset > 0 ? reserve(fd, offset + (uint64_t)size * PIECES - 1, 1) : -EAGAIN;
    return error ? reserve(fd, offset + size - 1, 1) : 0;
}

/* Maps a piece of the file, whose first `ready` bytes are there; their pages by the advice `how`. */
static void *map_piece(int fd, uint64_t offset, size_t size, size_t ready, int how, int *ret_error)
{
    int error = 0;
    void *at = sys_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset, &error);

    if (at && ready < size)
        sys_madvise(at, size, MADV_RANDOM); /* nothing around a page is worth reading: it is new */
    if (at && (error = populate(at, ready, how)) != 0) {
        sys_unmap(at, size);
        at = NULL;
    }
    *ret_error = error;
    return at;
}

void *output_file_map_open(int fd, uint64_t offset, size_t size, size_t ready, int *ret_error)
{
    int error = ready < size ? lengthen(fd, offset, size) : 0;

    if (!error)
        error = reserve(fd, offset, ready);
    *ret_error = error;
    return error ? NULL : map_piece(fd, offset, size, ready, MADV_POPULATE_WRITE, ret_error);
}

void *output_file_map(struct output_file *output, uint64_t offset, size_t size, size_t ready)
{
    int fd, error;
    void *at = NULL;

    if (sys_is_sandboxed())
        return NULL;
    error = fd = open_again(output, O_RDWR);
    if (fd >= 0)
        at = output_file_map_open(fd, offset, size, ready, &error);
    if (!at)
        output_file_give_up(output, error);
    close_if_open(fd);
    return at;
}

bool output_file_reserve(struct output_file *output, void *at, uint64_t offset, size_t size)
{
    int fd, error;

    if (sys_is_sandboxed())
        return false;
    error = fd = open_again(output, O_RDWR);
    if (fd >= 0)
        error = reserve(fd, offset, size);
    if (!error)
        error = populate(at, size, MADV_POPULATE_WRITE);
    if (error < 0)
        output_file_give_up(output, error);
    close_if_open(fd);
    return error == 0;
}

/* --- lines ------------------------------------------------------------------------------- */

/* A thread's first window is small, since most threads write little; each next one is twice as
 * large. */
enum { WINDOW_LEAST = 4 << 10, WINDOW_MOST = 256 << 10 };

static bool is_inside(const struct output_file_window *window, uint64_t position)
{
    return window->at && position - window->offset < window->size;
}

/* Makes the piece by adding zeros to the file, whose space is reserved before. A disk has large pages
 * for them, while those of a hole are made one by one. What others write meanwhile stays, and so does
 * what they add. By a descriptor that appends. */
static int append(int fd, struct sys_file *now, uint64_t offset, size_t size)
{
    /* Shorter than that: another thread is behind us, or somebody has cut it. */
    int error = sys_fallocate(fd, now->size < offset ? 0 : FALLOC_FL_KEEP_SIZE, offset, size);

    if (error && error != -EOPNOTSUPP && error != -ENOSYS)
        return error;
    while ((error = sys_fstat(fd, now)) == 0 && now->size < offset + size) {
        ssize_t written = sys_write_zeros(fd, (size_t)(offset + size - now->size));

        if (written <= 0)
            return written < 0 ? (int)written : -ENOSPC;
    }
    return error;
}

/* A file in memory (tmpfs) can be sealed, others cannot. */
static bool is_in_memory(int fd)
{
    return sys_fcntl(fd, F_GET_SEALS, 0) >= 0;
}

/* All pages of a piece, by a descriptor that appends. */
static void *map_window(int fd, struct sys_file *now, uint64_t offset, size_t size, int *ret_error)
{
    enum { WORTH_ZEROS = 64 << 10 };
    bool is_new = now->size < offset + size, in_memory = is_new && is_in_memory(fd);
    bool zeros = is_new && (!in_memory || size >= WORTH_ZEROS);
    int error = zeros ? append(fd, now, offset, size) : reserve(fd, offset, size);

    *ret_error = error;
    /* Pages in memory that have content are mapped sixteen at a time when they are read, and may be
     * written to then. Those of a disk may not: it has to be told of each. */
    return error ? NULL
                 : map_piece(fd, offset, size, size,
                             in_memory && zeros ? MADV_POPULATE_READ : MADV_POPULATE_WRITE,
                             ret_error);
}

static bool move_window(struct output_file *output, struct output_file_window *window,
                        uint64_t position, size_t size, size_t longest)
{
    uint64_t offset = position & ~(uint64_t)(size - 1);
    size_t mapped = round_up_to(size + longest, PAGE);
    struct sys_file now;
    char *at = NULL;
    int fd, error;

    if (sys_is_sandboxed())
        return false;
    error = fd = open_and_ask(output, O_RDWR | O_APPEND, &now);
    if (fd >= 0)
        at = map_window(fd, &now, offset, mapped, &error);
    close_if_open(fd);
    if (!at) {
        output_file_give_up(output, error);
        return false;
    }
    if (window->at)
        sys_unmap(window->at, window->mapped);
    *window = (struct output_file_window){at, offset, size, mapped};
    return true;
}

/* Where a line goes while nothing can be mapped: into the window, or nowhere. */
static bool claim_inside(struct output_file *output, const struct output_file_window *window,
                         size_t length, unsigned long *ret_position)
{
    unsigned long position = atomic_load(&output->position);

    do
        if (!is_inside(window, position))
            return false;
    while (!atomic_compare_exchange_weak(&output->position, &position, position + length));
    *ret_position = position;
    return true;
}

/* The window for a line that has got its place; false: there is none, so the place is given back. */
SLOW_PATH static bool next_window(struct output_file *output, struct output_file_window *window,
                                  unsigned long position, size_t length, size_t longest)
{
    size_t size = !window->at                  ? WINDOW_LEAST
                  : window->size < WINDOW_MOST ? 2 * window->size
                                               : WINDOW_MOST;
    unsigned long behind = position + length;

    if (move_window(output, window, position, size, longest))
        return true;
    atomic_compare_exchange_strong(&output->position, &behind, position);
    return false;
}

void output_file_add_line(struct output_file *output, struct output_file_window *window,
                          const char *line, size_t length, size_t longest)
{
    unsigned long position;
    bool placed;

    if (LIKELY(!sys_is_sandboxed())) {
        /* The place is the line's alone; one that starts in a window ends in the room behind it. */
        position = atomic_fetch_add_explicit(&output->position, length, memory_order_relaxed);
        placed = LIKELY(is_inside(window, position)) ||
                 next_window(output, window, position, length, longest);
    } else {
        placed = claim_inside(output, window, length, &position);
    }
    if (LIKELY(placed))
        memcpy(window->at + (position - window->offset), line, length);
    else
        atomic_fetch_add(&output->unwritten, 1);
}

void output_file_window_prepare(struct output_file *output, struct output_file_window *window,
                                size_t longest)
{
    move_window(output, window, atomic_load(&output->position), WINDOW_MOST, longest);
}

/* --- streams ----------------------------------------------------------------------------- */

static bool is_worth_a_wait(int fd, int patience)
{
    struct pollfd stream = {.fd = fd, .events = POLLOUT};

    return patience > 0 && sys_poll(&stream, patience) > 0 && (stream.revents & POLLOUT);
}

void output_file_write_stream(struct output_file *output, const char *line, size_t length,
                              int patience)
{
    ssize_t result;
    int fd;

    if (sys_is_sandboxed()) {
        atomic_fetch_add(&output->unwritten, 1);
        return;
    }
    /* Its own descriptor, and thus O_NONBLOCK of its own. */
    fd = open_again(output, O_WRONLY | O_APPEND);
    result = fd < 0 ? fd : sys_write(fd, line, length);
    if (result == -EAGAIN && is_worth_a_wait(fd, atomic_load(&output->slow) ? 0 : patience))
        result = sys_write(fd, line, length);
    close_if_open(fd);
    if (result == -EAGAIN || result == -EINTR)
        atomic_fetch_add(&output->unwritten, 1);
    else if (result < 0)
        output_file_give_up(output, (int)result);
    atomic_store_explicit(&output->slow, result == -EAGAIN, memory_order_relaxed);
}
