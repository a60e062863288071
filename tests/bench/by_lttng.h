/* SPDX-License-Identifier: MIT
 *
 * The event that by_lttng.c records: what the line of by_fprintf.c says. LTTng-UST adds the time,
 * and includes this file several times (lttng-ust(3)).
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER wsrx_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "by_lttng.h"

#if !defined(BENCH_BY_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_BY_LTTNG_H

#include <lttng/tracepoint.h>
#include <stdint.h>
#include <sys/types.h>

/* clang-format off */
LTTNG_UST_TRACEPOINT_EVENT(
    wsrx_bench, recv,
    LTTNG_UST_TP_ARGS(int, fd, size_t, length, ssize_t, result, const void *, caller),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(int, fd, fd)
        lttng_ust_field_integer(size_t, length, length)
        lttng_ust_field_integer(ssize_t, result, result)
        lttng_ust_field_integer_hex(uintptr_t, caller, (uintptr_t)caller)))
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
