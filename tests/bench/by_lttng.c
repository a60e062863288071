/* SPDX-License-Identifier: MIT
 *
 * A preload that records each recv() with LTTng-UST. For comparison only.
 */
#define _GNU_SOURCE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "by_lttng.h"

#include <dlfcn.h>
#include <sys/socket.h>

static ssize_t (*next)(int fd, void *buf, size_t len, int flags);

__attribute__((constructor)) static void start(void)
{
    next = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t result = next(fd, buf, len, flags);

    lttng_ust_tracepoint(wsrx_bench, recv, fd, len, result, __builtin_return_address(0));
    return result;
}
