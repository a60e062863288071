/* SPDX-License-Identifier: MIT */
/* Debian's libevent: an event on a socket, or a bufferevent; the method from $EVENT_NO…. */
#include "loop.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

static struct event_base *base;

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    (void)context;
    if (loop_receive(fd))
        event_base_loopbreak(base);
}

/* It receives with readv, as much as FIONREAD says, and at most what the limit allows. */
static void on_bytes(struct bufferevent *buffered, void *context)
{
    char bytes[PART];
    size_t length = bufferevent_read(buffered, bytes, sizeof(bytes));

    (void)context;
    if (loop_copy(bytes, (long)length))
        event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "level";
    int fd = loop_socket();

    base = event_base_new();
    if (!base)
        return 3;
    fprintf(stderr, "method: %s\n", event_base_get_method(base));
    if (strcmp(how, "buffered") == 0) {
        struct bufferevent *buffered = bufferevent_socket_new(base, fd, 0);

        bufferevent_set_max_single_read(buffered, PART);
        bufferevent_setcb(buffered, on_bytes, NULL, NULL, NULL);
        bufferevent_enable(buffered, EV_READ);
    } else {
        event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_event, NULL), NULL);
    }
    return event_base_dispatch(base) < 0;
}
