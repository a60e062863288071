/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/standard_error.h"

#include "base/sys.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    /* Of a pipe with room for anything there is room for as much, and it arrives in one piece:
     * pipe(7). */
    PIPE_PIECE = PIPE_BUF,
    /* A pseudo-terminal counts its room in pieces of 256 bytes, and takes a newline, which becomes
     * two, only where another piece is free. */
    TERMINAL_PIECE = 240,
    RETRIES = 16, /* after signals */
};

enum { NOT_STARTED, NONE, REMEMBERED };

FAST_PATH_DATA static struct {
    atomic_int state;
    atomic_bool slow; /* nobody made room in time, and there has been none since */
    uint64_t device, inode;
} remembered;

static bool is_same(const struct sys_file *one, uint64_t device, uint64_t inode)
{
    return one->device == device && one->inode == inode;
}

/* A socket that is standard input as well is a connection to a client, as from inetd(8): what is
 * written there goes into the client's protocol. */
static bool is_client(const struct sys_file *standard)
{
    struct sys_file input;

    return S_ISSOCK(standard->mode) && sys_fstat(STDIN_FILENO, &input) == 0 &&
           is_same(&input, standard->device, standard->inode);
}

START_CODE void standard_error_start(void)
{
    struct sys_file now;

    if (atomic_load(&remembered.state) != NOT_STARTED)
        return;
    if (sys_fstat(STDERR_FILENO, &now) != 0 || is_client(&now)) {
        atomic_store(&remembered.state, NONE);
        return;
    }
    remembered.device = now.device;
    remembered.inode = now.inode;
    atomic_store_explicit(&remembered.state, REMEMBERED, memory_order_release);
}

/* Whether descriptor 2 is still what it was, and what that is. Before the start it is what it
 * is. */
static bool is_still_there(struct sys_file *ret_now)
{
    int was = atomic_load_explicit(&remembered.state, memory_order_acquire);

    if (was == NONE || sys_fstat(STDERR_FILENO, ret_now) != 0)
        return false;
    return was == NOT_STARTED ? !is_client(ret_now)
                              : is_same(ret_now, remembered.device, remembered.inode);
}

static bool has_room(int patience)
{
    struct pollfd standard = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready = sys_poll(&standard, 0);

    /* Signals make the wait longer, but not by much. */
    for (int tries = 0; ready == 0 && patience > 0 && tries < RETRIES; tries++) {
        if (atomic_load(&remembered.slow))
            return false;
        ready = sys_poll(&standard, patience);
        if (ready == 0)
            atomic_store(&remembered.slow, true);
        else if (ready == -EINTR)
            ready = 0;
    }
    if (ready <= 0 || !(standard.revents & POLLOUT) || (standard.revents & (POLLERR | POLLNVAL)))
        return false;
    if (atomic_load(&remembered.slow))
        atomic_store(&remembered.slow, false);
    return true;
}

/* Null, kmsg and the like take everything, and each write to kmsg is a message. */
static bool is_terminal(const struct sys_file *file)
{
    enum { MEMORY_DEVICES = 1 };

    return S_ISCHR(file->mode) && major(file->special) != MEMORY_DEVICES;
}

/* How much of the text may be written at once. */
static size_t next_piece(const struct sys_file *file, const char *text, size_t length)
{
    bool terminal = is_terminal(file);
    size_t most = S_ISREG(file->mode) ? SIZE_MAX : terminal ? TERMINAL_PIECE : PIPE_PIECE;
    const char *newline = terminal ? memchr(text, '\n', length) : NULL;

    if (newline)
        length = newline > text ? (size_t)(newline - text) : 1;
    return length < most ? length : most;
}

static ssize_t write_piece(mode_t mode, const char *text, size_t piece)
{
    if (S_ISREG(mode))
        return sys_write(STDERR_FILENO, text, piece);
    if (S_ISSOCK(mode))
        return sys_send_now(STDERR_FILENO, text, piece);
    return sys_write_now(STDERR_FILENO, text, piece);
}

enum standard_error_result standard_error_write(const char *text, size_t length, int patience)
{
    struct sys_file now;

    if (sys_is_sandboxed())
        return STANDARD_ERROR_DROPPED;
    if (!is_still_there(&now))
        return STANDARD_ERROR_REPLACED;
    for (int tries = 0; length > 0 && tries < RETRIES;) {
        ssize_t written;

        if (!S_ISREG(now.mode) && !has_room(patience))
            return STANDARD_ERROR_DROPPED;
        written = write_piece(now.mode, text, next_piece(&now, text, length));
        if (written < 0 && written != -EINTR && written != -EAGAIN)
            return STANDARD_ERROR_DROPPED;
        if (written <= 0) {
            tries++;
            continue;
        }
        text += written;
        length -= (size_t)written;
    }
    return length == 0 ? STANDARD_ERROR_WRITTEN : STANDARD_ERROR_DROPPED;
}
