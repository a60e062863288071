/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "output.h"

#include "engine.h"
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

bool output_is_pattern(const char *pattern)
{
    if (!*pattern)
        return false;
    for (; *pattern; pattern++)
        if (*pattern == '%' && (!*++pattern || !strchr("pet%", *pattern)))
            return false;
    return true;
}

bool output_expand(const char *pattern, const char *directory, const char *start_time,
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
            name_add(&name, decimal((unsigned long)getpid(), digits + sizeof digits));
            unique = true;
            break;
        case 'e':
            name_add(&name, engine_program((char[ENGINE_PROGRAM]){0}));
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

/* By system call: our own interposed close() is the program's. */
static int open_path(const char *path, int flags)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
                          flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

    return fd < 0 ? -errno : fd;
}

void output_close(int fd)
{
    if (fd >= 0)
        syscall(SYS_close, fd);
}

/* By system call: the interposed munmap() is the program's, and would make us forget what we know
 * of its memory. */
void output_unmap(void *at, size_t size)
{
    syscall(SYS_munmap, at, size);
}

void output_give_up(struct output *output, int error)
{
    if (atomic_exchange(&output->state, OUTPUT_BROKEN) != OUTPUT_BROKEN)
        tell("cannot write %s: %s; the program goes on without it", output->path,
             error == ELOOP ? "it is a symbolic link" : strerrordesc_np(error));
}

/* ENOSPC now is better than SIGBUS later. */
static int reserve(int fd, uint64_t offset, size_t size)
{
    struct stat now;

    if (syscall(SYS_fallocate, fd, 0, (off_t)offset, (off_t)size) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    if (fstat(fd, &now) != 0)
        return errno;
    if ((uint64_t)now.st_size < offset + size && ftruncate(fd, (off_t)(offset + size)) != 0)
        return errno;
    return 0;
}

/* An empty regular file of our own, by which nothing else is reached. */
static int take_existing(struct output *output, int fd, size_t size, bool streams)
{
    struct stat now;
    int error;

    if (fstat(fd, &now) != 0)
        return errno;
    output->device = now.st_dev;
    output->inode = now.st_ino;
    if (!S_ISREG(now.st_mode)) {
        if (!streams)
            return EINVAL;
        atomic_store(&output->state, OUTPUT_STREAM);
        return 0;
    }
    if (now.st_nlink != 1 || now.st_uid != geteuid())
        return EPERM;
    /* Two programs that find it empty at once: the lock goes with the descriptor, the size
     * stays. */
    if (now.st_size > 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return EEXIST;
    if (fstat(fd, &now) != 0 || now.st_size > 0)
        return EEXIST;
    if (fchmod(fd, 0600) != 0)
        return errno;
    error = reserve(fd, 0, size);
    if (error == 0)
        atomic_store(&output->state, OUTPUT_MAPPED);
    return error;
}

/* One name: a descriptor, or a negative errno; -EEXIST: there is something already. */
static int make_named(struct output *output, size_t size, bool streams)
{
    int fd = open_path(output->path, O_RDWR | O_CREAT | O_EXCL), error;
    bool made = fd >= 0;

    if (fd == -EEXIST) {
        fd = open_path(output->path, streams ? O_WRONLY | O_APPEND : O_RDWR);
        if (streams && fd >= 0) {
            struct stat now;

            /* To be mapped it has to be readable. */
            if (fstat(fd, &now) == 0 && S_ISREG(now.st_mode)) {
                output_close(fd);
                fd = open_path(output->path, O_RDWR);
            }
        }
    }
    if (fd < 0)
        return fd;
    error = take_existing(output, fd, size, streams);
    if (error || atomic_load(&output->state) == OUTPUT_STREAM) {
        output_close(fd);
        if (error && made)
            unlink(output->path);
        return error ? -error : -1;
    }
    return fd;
}

int output_make(struct output *output, size_t size, bool streams)
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
        tell("%s: the name was taken, so a number is behind it", output->path);
    if (fd < 0 && atomic_load(&output->state) != OUTPUT_STREAM)
        output_give_up(output, -fd);
    return fd < 0 ? -1 : fd;
}

static bool is_same(const struct output *output, int fd)
{
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_dev == output->device && now.st_ino == output->inode;
}

int output_open(const struct output *output)
{
    int fd = open_path(output->path, O_RDWR);

    if (fd >= 0 && !is_same(output, fd)) {
        output_close(fd);
        return -ESTALE;
    }
    return fd;
}

/* --- pieces ------------------------------------------------------------------------------ */

void *output_map(struct output *output, int fd, uint64_t offset, size_t size)
{
    int error = reserve(fd, offset, size);
    void *at;

    if (error) {
        output_give_up(output, error);
        return NULL;
    }
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED) {
        output_give_up(output, errno);
        return NULL;
    }
    /* All its pages at once: cheaper than one by one, and where the file system could not reserve
     * (EFAULT) the trouble comes now. Linux before 5.14 does not know it, and need not. */
    if (madvise(at, size, MADV_POPULATE_WRITE) != 0 && errno == EFAULT) {
        output_unmap(at, size);
        output_give_up(output, ENOSPC);
        return NULL;
    }
    return at;
}

void *output_map_piece(struct output *output, uint64_t offset, size_t size)
{
    int fd = output_open(output);
    void *at;

    if (fd < 0) {
        output_give_up(output, -fd);
        return NULL;
    }
    at = output_map(output, fd, offset, size);
    output_close(fd);
    return at;
}

void output_end(struct output *output, uint64_t size)
{
    int fd;

    if (output->inode == 0 || atomic_load(&output->state) == OUTPUT_STREAM)
        return;
    fd = output_open(output);
    if (fd < 0)
        return;
    (void)!ftruncate(fd, (off_t)size);
    output_close(fd);
}

/* --- streams ----------------------------------------------------------------------------- */

void output_take_standard(struct output *output)
{
    struct stat now;

    strcpy(output->path, "stderr");
    if (fstat(STDERR_FILENO, &now) != 0)
        return;
    output->device = now.st_dev;
    output->inode = now.st_ino;
    atomic_store(&output->state, OUTPUT_STANDARD);
}

bool output_write_standard(struct output *output, const char *line, size_t length)
{
    /* The program may have closed it and opened something else under its number. */
    if (!is_same(output, STDERR_FILENO))
        return false;
    while (syscall(SYS_write, STDERR_FILENO, line, length) < 0 && errno == EINTR)
        continue;
    return true;
}

void output_write_stream(struct output *output, const char *line, size_t length)
{
    int fd = open_path(output->path, O_WRONLY | O_APPEND);
    int error = fd < 0 ? -fd : 0;

    if (error == 0 && !is_same(output, fd))
        error = ESTALE;
    if (error == 0 && syscall(SYS_write, fd, line, length) < 0)
        error = errno;
    output_close(fd);
    if (error && error != EINTR)
        output_give_up(output, error);
}

/* --- lines in a mapped file -------------------------------------------------------------- */

static size_t window_size(size_t longest)
{
    return (WINDOW + longest + 4095) & ~(size_t)4095;
}

void output_window_drop(struct output_window *window, size_t longest)
{
    if (window->at)
        output_unmap(window->at, window_size(longest));
    window->at = NULL;
}

void output_add_line(struct output *output, struct output_window *window, const char *line,
                     size_t length, size_t longest)
{
    /* The place is the line's alone; a line that starts in a window ends in the room behind it. */
    uint64_t position = atomic_fetch_add_explicit(&output->position, length, memory_order_relaxed);
    uint64_t offset = position & ~(uint64_t)(WINDOW - 1);

    if (!window->at || window->offset != offset) {
        output_window_drop(window, longest);
        window->at = output_map_piece(output, offset, window_size(longest));
        window->offset = offset;
        if (!window->at) {
            atomic_fetch_sub_explicit(&output->position, length, memory_order_relaxed);
            return;
        }
    }
    memcpy(window->at + (position - offset), line, length);
}
