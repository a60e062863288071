/* SPDX-License-Identifier: MIT */
/*
 * Debian's libuv: uv_poll on a socket, or uv_udp, which receives by recvmsg (a reporting call, so
 * it needs WSRX_CALLS=all) into the buffer that the program gives it.
 */
#include "loop.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

static uv_loop_t *loop;
static int fd;

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)events;
    if (status < 0 || loop_receive(fd))
        uv_stop(loop);
}

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char bytes[PART];

    (void)handle;
    (void)size;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_message(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer,
                       const struct sockaddr *peer, unsigned flags)
{
    (void)handle;
    (void)flags;
    if (length < 0 || (peer && loop_copy(buffer->base, length)))
        uv_stop(loop);
}

int main(int argc, char **argv)
{
    static uv_poll_t poll;
    static uv_udp_t udp;

    loop = uv_default_loop();
    fd = loop_socket();
    if (argc > 1 && strcmp(argv[1], "udp") == 0) {
        if (uv_udp_init(loop, &udp) < 0 || uv_udp_open(&udp, fd) < 0 ||
            uv_udp_recv_start(&udp, give_buffer, on_message) < 0)
            return 3;
    } else if (uv_poll_init(loop, &poll, fd) < 0 ||
               uv_poll_start(&poll, UV_READABLE, on_poll) < 0) {
        return 3;
    }
    return uv_run(loop, UV_RUN_DEFAULT) < 0;
}
