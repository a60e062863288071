/* SPDX-License-Identifier: MIT
 *
 * The interposed calls that move bytes from a socket into a pipe: a held tail goes first.
 *
 * If nothing is held, they are libc's own. tee(2) and vmsplice(2) do not work on sockets.
 */
#define _GNU_SOURCE
#include "base/sys.h"
#include "fd/fd_class.h"
#include "real.h"
#include "receive/bounce_buffer.h"
#include "wait/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* How much can be written at once to a pipe that poll(2) has reported as writable. */
static size_t room_of_pipe(int pipe)
{
    enum { PAGE = 4096 }; /* PIPE_BUF: a writable pipe has room for it */
    int queued = 0, size;

    if (sys_queued(pipe, &queued) != 0 || queued > 0)
        return PAGE;
    size = sys_fcntl(pipe, F_GETPIPE_SZ, 0);
    return size > PAGE ? (size_t)size : PAGE;
}

/* Whether it is a pipe that can be written to; waits for room. 1: yes, 0: no, or a negative errno.
 * Anything else the kernel refuses before it takes bytes from the socket. */
static int wait_for_room(int pipe, bool waits)
{
    static const struct timespec at_once = {0, 0};
    struct pollfd poll = {.fd = pipe, .events = POLLOUT};
    struct sys_file file;
    int count, flags;

    if (sys_fstat(pipe, &file) != 0 || !S_ISFIFO(file.mode))
        return 0;
    flags = sys_fcntl(pipe, F_GETFL, 0);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return 0;
    waits = waits && !(flags & O_NONBLOCK);
    count = next_calls.ppoll(&poll, 1, waits ? NULL : &at_once, NULL);
    if (count < 0)
        return -errno;
    if (poll.revents & (POLLERR | POLLNVAL))
        return 0;
    return count > 0 ? 1 : -EAGAIN;
}

/* Writes all of it: the bytes have been taken, and there was room for them a moment ago. */
static ssize_t write_all(int pipe, const char *bytes, size_t size)
{
    enum { NAP = 100000 }; /* nanoseconds; sys_sleep() is no cancellation point */

    for (size_t done = 0; done < size;) {
        ssize_t written = sys_write(pipe, bytes + done, size - done);

        if (written == -EAGAIN) { /* another writer was faster */
            sys_sleep(NAP);
        } else if (written >= 0) {
            done += (size_t)written;
        } else if (written != -EINTR) {
            return done > 0 ? (ssize_t)done : written;
        }
    }
    return (ssize_t)size;
}

/* Moves a piece of what is held for the socket into the pipe. false: nothing is held, or it is no
 * pipe, so the caller makes the program's own call. */
SLOW_PATH static bool move_tail(int fd, int pipe, size_t length, bool waits, ssize_t *ret_result)
{
    enum { MOST = 65535 };
    struct bounce_buffer *bounce;
    ssize_t got, result;
    size_t left, room;

    if (length == 0 || sys_is_sandboxed() || !poll_bytes_left(fd, &left))
        return false;
    result = wait_for_room(pipe, waits);
    if (result == 0)
        return false;
    if (result < 0) {
        *ret_result = result;
        return true;
    }
    room = room_of_pipe(pipe);
    length = length < room ? length : room;
    length = length < left ? length : left;
    bounce = bounce_acquire(MOST, BOUNCE_CALL);
    if (!bounce)
        return false;
    length = length < bounce->size ? length : bounce->size;
    got = recv(fd, bounce->data, length, MSG_DONTWAIT);
    if (got < 0 && errno == EMSGSIZE) /* WSRX_MODE=error: the buffer has been filled */
        got = (ssize_t)length;
    *ret_result = got > 0 ? write_all(pipe, bounce->data, (size_t)got) : got;
    bounce_release(bounce, (size_t)(got > 0 ? got : 0));
    return got >= 0; /* otherwise another receive was faster */
}

#define RETURN_IF_MOVED(fd, pipe, length, waits)                                  \
    do {                                                                          \
        if (!table_nothing_held()) {                                              \
            int saved_ = errno;                                                   \
            ssize_t moved_;                                                       \
            bool is_moved_ = move_tail((fd), (pipe), (length), (waits), &moved_); \
                                                                                  \
            errno = saved_;                                                       \
            if (is_moved_)                                                        \
                return real_result(moved_);                                       \
        }                                                                         \
    } while (0)

INTERPOSED ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                          unsigned flags)
{
    enum { ALL = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT };

    if (!in_at && !out_at && !(flags & ~(unsigned)ALL)) /* others are EINVAL */
        RETURN_IF_MOVED(in, out, length, !(flags & SPLICE_F_NONBLOCK));
    return REAL(splice)(in, in_at, out, out_at, length, flags);
}

INTERPOSED ssize_t sendfile(int out, int in, off_t *at, size_t length)
{
    if (!at)
        RETURN_IF_MOVED(in, out, length, true);
    return REAL(sendfile)(out, in, at, length);
}

INTERPOSED ssize_t sendfile64(int out, int in, off64_t *at, size_t length)
{
    if (!at)
        RETURN_IF_MOVED(in, out, length, true);
    return REAL(sendfile64)(out, in, at, length);
}
