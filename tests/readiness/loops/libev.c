/* SPDX-License-Identifier: MIT */
/* Debian's libev, with the backend that the command line names. */
#include "loop.h"

#include <ev.h>
#include <string.h>

static void on_event(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    if (loop_receive(watcher->fd))
        ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "epoll";
    unsigned backend = strcmp(name, "select") == 0 ? EVBACKEND_SELECT
                       : strcmp(name, "poll") == 0 ? EVBACKEND_POLL
                                                   : EVBACKEND_EPOLL;
    struct ev_loop *loop = ev_loop_new(backend);
    ev_io watcher;

    if (!loop || ev_backend(loop) != backend)
        return 3;
    ev_io_init(&watcher, on_event, loop_socket(), EV_READ);
    ev_io_start(loop, &watcher);
    ev_run(loop, 0);
    return 0;
}
