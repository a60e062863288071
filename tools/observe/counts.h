/* SPDX-License-Identifier: MIT
 *
 * For the programs in the kernel: the map `counts`, a number for each enum observe_count.
 */
#ifndef WSRX_OBSERVE_COUNTS_H
#define WSRX_OBSERVE_COUNTS_H

#include "observe/event.h"

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, OBSERVE_COUNTS);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

static inline void count(__u32 number)
{
    __u64 *at = bpf_map_lookup_elem(&counts, &number);

    if (at)
        __sync_fetch_and_add(at, 1);
}

#endif
