/* SPDX-License-Identifier: MIT */
#include "wsarecvex.h"

#include "winsock_error.h"

#include <stddef.h>

static int fail(const struct winsock_provider *provider, int error)
{
    provider->set_error(error);
    return -1;
}

int wsarecvex(const struct winsock_provider *provider, uintptr_t socket, char *buf, int len,
              int *flags)
{
    bool partial = false;
    int error, got;

    /* Its value on input is ignored. Written before the receive: see the head of the header. */
    if (flags)
        *(volatile int *)flags = 0;
    if (!flags || len < 0 || (!buf && len > 0)) {
        error = provider->check(socket);
        return fail(provider, error ? error : WINSOCK_EFAULT);
    }

    got = provider->receive(socket, buf, (unsigned)len, &partial, &error);
    if (got < 0)
        return fail(provider, error);
    if (partial)
        *flags = WSARECVEX_PARTIAL;
    return got;
}
