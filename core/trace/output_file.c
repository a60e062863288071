/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/output_file.h"

#include "base/diag.h"
#include "base/sys.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 256 << 10, NAMES_TRIED = 1000 };

/* --- names ------------------------------------------------------------------------------- */

struct name {
    char *to;
    size_t size, length;
    bool whole;
};

static void name_add(struct name *name, const char *text)
{
    for (; *text; text++) {
        if (name->length + 1 >= name->size) {
            name->whole = false;
            return;
        }
        name->to[name->length++] = *text;
    }
    name->to[name->length] = '\0';
}

static const char *decimal(unsigned long number, char *end)
{
    *--end = '\0';
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return end;
}

bool output_file_is_pattern(const char *pattern)
{
    if (!*pattern)
        return false;
    for (; *pattern; pattern++)
        if (*pattern == '%' && (!*++pattern || !strchr("pet%", *pattern)))
            return false;
    return true;
}

bool output_file_expand(const char *pattern, const char *directory, const char *start_time,
                        const char *suffix, char *to, size_t size)
{
    struct name name = {.to = to, .size = size, .whole = true};
    bool unique = false;
    char digits[24];

    if (*pattern != '/') {
        name_add(&name, directory);
        name_add(&name, "/");
    }
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            name_add(&name, (char[]){*pattern, '\0'});
            continue;
        }
        switch (*++pattern) {
        case 'p':
            name_add(&name, decimal((unsigned long)sys_getpid(), digits + sizeof digits));
            unique = true;
            break;
        case 'e':
            name_add(&name, state_program((char[STATE_PROGRAM]){0}));
            break;
        case 't':
            name_add(&name, start_time);
            break;
        default:
            name_add(&name, "%");
        }
    }
    if (!unique)
        name_add(&name, suffix);
    return name.whole;
}

/* --- opening and closing ----------------------------------------------------------------- */

static int open_path(const char *path, int flags)
{
    return sys_open(path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
}

void output_file_close(int fd)
{
    if (fd >= 0)
        sys_close(fd);
}

void output_file_unmap(void *at, size_t size)
{
    sys_unmap(at, size);
}

void output_file_give_up(struct output_file *output, int error)
{
    if (atomic_exchange(&output->state, OUTPUT_BROKEN) != OUTPUT_BROKEN)
        diag("cannot write %s: %s; the program goes on without it", output->path,
             error == -ELOOP ? "it is a symbolic link" : strerrordesc_np(-error));
}

/* ENOSPC now is better than SIGBUS later. */
static int reserve(int fd, uint64_t offset, size_t size)
{
    int error = sys_fallocate(fd, offset, size);
    struct sys_file now;

    if (error != -EOPNOTSUPP && error != -ENOSYS)
        return error;
    error = sys_fstat(fd, &now);
    if (!error && now.size < offset + size)
        error = sys_ftruncate(fd, offset + size);
    return error;
}

/* An empty regular file of our own, by which nothing else is reached. */
static int take_existing(struct output_file *output, int fd, size_t size, bool streams)
{
    struct sys_file now;
    int error = sys_fstat(fd, &now);

    if (error)
        return error;
    output->device = now.device;
    output->inode = now.inode;
    if (!S_ISREG(now.mode)) {
        if (!streams)
            return -EINVAL;
        atomic_store(&output->state, OUTPUT_STREAM);
        return 0;
    }
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
        error = reserve(fd, 0, size);
    if (!error)
        atomic_store(&output->state, OUTPUT_MAPPED);
    return error;
}

/* What is there already: to be mapped it has to be readable, to be a stream need not be. */
static int open_existing(const struct output_file *output, bool streams)
{
    int fd = open_path(output->path, streams ? O_WRONLY | O_APPEND : O_RDWR);
    struct sys_file now;

    if (streams && fd >= 0 && sys_fstat(fd, &now) == 0 && S_ISREG(now.mode)) {
        output_file_close(fd);
        fd = open_path(output->path, O_RDWR);
    }
    return fd;
}

/* One name: a descriptor, or a negative errno; -EEXIST: there is something already. */
static int make_named(struct output_file *output, size_t size, bool streams)
{
    int fd = open_path(output->path, O_RDWR | O_CREAT | O_EXCL), error;
    bool made = fd >= 0;

    if (fd == -EEXIST)
        fd = open_existing(output, streams);
    if (fd < 0)
        return fd;
    error = take_existing(output, fd, size, streams);
    if (error || atomic_load(&output->state) == OUTPUT_STREAM) {
        output_file_close(fd);
        if (error && made)
            sys_unlink(output->path);
        return error ? error : -1;
    }
    return fd;
}

int output_file_make(struct output_file *output, size_t size, bool streams)
{
    size_t length = strlen(output->path);
    char digits[24];
    int fd = -EEXIST;

    for (unsigned long number = 2; number < NAMES_TRIED; number++) {
        struct name name = {output->path, sizeof output->path, length, true};

        fd = make_named(output, size, streams);
        if (fd != -EEXIST)
            break;
        name_add(&name, ".");
        name_add(&name, decimal(number, digits + sizeof digits));
    }
    if (fd >= 0 && strlen(output->path) != length)
        diag("%s: the name was taken, so a number is behind it", output->path);
    if (fd < 0 && atomic_load(&output->state) != OUTPUT_STREAM)
        output_file_give_up(output, fd);
    return fd < 0 ? -1 : fd;
}

static bool is_same(const struct output_file *output, int fd)
{
    struct sys_file now;

    return sys_fstat(fd, &now) == 0 && now.device == output->device && now.inode == output->inode;
}

int output_file_open(const struct output_file *output)
{
    int fd = open_path(output->path, O_RDWR);

    if (fd >= 0 && !is_same(output, fd)) {
        output_file_close(fd);
        return -ESTALE;
    }
    return fd;
}

/* --- pieces ------------------------------------------------------------------------------ */

void *output_file_map(struct output_file *output, int fd, uint64_t offset, size_t size)
{
    int error = reserve(fd, offset, size);
    void *at;

    if (error) {
        output_file_give_up(output, error);
        return NULL;
    }
    at = sys_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset, &error);
    if (!at) {
        output_file_give_up(output, error);
        return NULL;
    }
    /* All its pages at once: cheaper than one by one, and where the file system could not reserve
     * (EFAULT) the trouble comes now. Linux before 5.14 does not know it, and need not. */
    if (sys_madvise(at, size, MADV_POPULATE_WRITE) == -EFAULT) {
        output_file_unmap(at, size);
        output_file_give_up(output, -ENOSPC);
        return NULL;
    }
    return at;
}

void *output_file_map_piece(struct output_file *output, uint64_t offset, size_t size)
{
    int fd = output_file_open(output);
    void *at;

    if (fd < 0) {
        output_file_give_up(output, fd);
        return NULL;
    }
    at = output_file_map(output, fd, offset, size);
    output_file_close(fd);
    return at;
}

void output_file_end(struct output_file *output, uint64_t size)
{
    int fd;

    if (output->inode == 0 || atomic_load(&output->state) == OUTPUT_STREAM)
        return;
    fd = output_file_open(output);
    if (fd < 0)
        return;
    sys_ftruncate(fd, size);
    output_file_close(fd);
}

/* --- streams ----------------------------------------------------------------------------- */

void output_file_take_standard(struct output_file *output)
{
    struct sys_file now;

    strcpy(output->path, "stderr");
    if (sys_fstat(STDERR_FILENO, &now) != 0)
        return;
    output->device = now.device;
    output->inode = now.inode;
    atomic_store(&output->state, OUTPUT_STANDARD);
}

bool output_file_write_standard(struct output_file *output, const char *line, size_t length)
{
    /* The program may have closed it and opened something else under its number. */
    if (!is_same(output, STDERR_FILENO))
        return false;
    while (sys_write(STDERR_FILENO, line, length) == -EINTR)
        continue;
    return true;
}

void output_file_write_stream(struct output_file *output, const char *line, size_t length)
{
    int fd = open_path(output->path, O_WRONLY | O_APPEND);
    int error = fd < 0 ? fd : is_same(output, fd) ? 0 : -ESTALE;

    if (!error)
        error = (int)sys_write(fd, line, length);
    output_file_close(fd);
    if (error < 0 && error != -EINTR)
        output_file_give_up(output, error);
}

/* --- lines in a mapped file -------------------------------------------------------------- */

static size_t window_size(size_t longest)
{
    return (WINDOW + longest + 4095) & ~(size_t)4095;
}

void output_file_window_drop(struct output_file_window *window, size_t longest)
{
    if (window->at)
        output_file_unmap(window->at, window_size(longest));
    window->at = NULL;
}

void output_file_add_line(struct output_file *output, struct output_file_window *window,
                          const char *line, size_t length, size_t longest)
{
    /* The place is the line's alone; a line that starts in a window ends in the room behind it. */
    uint64_t position = atomic_fetch_add_explicit(&output->position, length, memory_order_relaxed);
    uint64_t offset = position & ~(uint64_t)(WINDOW - 1);

    if (!window->at || window->offset != offset) {
        output_file_window_drop(window, longest);
        window->at = output_file_map_piece(output, offset, window_size(longest));
        window->offset = offset;
        if (!window->at) {
            atomic_fetch_sub_explicit(&output->position, length, memory_order_relaxed);
            return;
        }
    }
    memcpy(window->at + (position - offset), line, length);
}
