/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/standard_error.h"

#include "base/sys.h"
#include "state.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Of a pipe with room for anything there is room for as much, and it arrives in one piece:
     * pipe(7). */
    PIPE_PIECE = PIPE_BUF,
    /* A pseudo-terminal counts its room in pieces of 256 bytes, and a newline becomes two. */
    TERMINAL_PIECE = 240,
    RETRIES = 16, /* after signals */
};

static struct {
    atomic_bool started, exists;
    atomic_bool slow; /* nobody made room in time, and there has been none since */
    uint64_t device, inode;
} remembered;

static bool is_remembered(const struct sys_file *file)
{
    return file->device == remembered.device && file->inode == remembered.inode;
}

void standard_error_start(void)
{
    struct sys_file now, input;

    if (atomic_exchange(&remembered.started, true) || sys_fstat(STDERR_FILENO, &now) != 0)
        return;
    remembered.device = now.device;
    remembered.inode = now.inode;
    /* A socket that is standard input as well is a connection to a client, as from inetd(8): what
     * is written there goes into the client's protocol. */
    if (S_ISSOCK(now.mode) && sys_fstat(STDIN_FILENO, &input) == 0 && is_remembered(&input))
        return;
    atomic_store_explicit(&remembered.exists, true, memory_order_release);
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

static size_t largest_piece(mode_t mode)
{
    return S_ISREG(mode) ? SIZE_MAX : S_ISCHR(mode) ? TERMINAL_PIECE : PIPE_PIECE;
}

enum standard_error_result standard_error_write(const char *text, size_t length, int patience)
{
    struct sys_file now;

    if (state_is_sandboxed())
        return STANDARD_ERROR_DROPPED;
    if (!atomic_load_explicit(&remembered.exists, memory_order_acquire) ||
        sys_fstat(STDERR_FILENO, &now) != 0 || !is_remembered(&now))
        return STANDARD_ERROR_REPLACED;
    for (int tries = 0; length > 0 && tries < RETRIES;) {
        size_t piece = largest_piece(now.mode);
        ssize_t written;

        if (piece > length)
            piece = length;
        if (!S_ISREG(now.mode) && !has_room(patience))
            return STANDARD_ERROR_DROPPED;
        written = S_ISSOCK(now.mode)  ? sys_send_now(STDERR_FILENO, text, piece)
                  : S_ISREG(now.mode) ? sys_write(STDERR_FILENO, text, piece)
                                      : sys_write_now(STDERR_FILENO, text, piece);
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
