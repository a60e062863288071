/* SPDX-License-Identifier: MIT */
/* The registry of epoll sets: entries that lie in chunks, of which each is longer than the last. */
#define _GNU_SOURCE
#include "wait/chunks.h"
#include "wait/epoll_registry.h"

#include <criterion/criterion.h>

TestSuite(epoll_registry, .timeout = 60);

Test(epoll_registry, each_entry_has_a_place_of_its_own)
{
    enum { ENTRIES = 1 << 20 };
    unsigned chunk = 0;

    for (uint32_t at = 0; at < ENTRIES; at++) {
        if (at == chunk_begin(chunk + 1))
            chunk++;
        cr_assert_eq(chunk_of(at), chunk, "entry %u is in chunk %u", at, chunk_of(at));
    }
    cr_expect_eq(chunk_begin(1) - chunk_begin(0), CHUNKS_FIRST);
    cr_expect_eq(chunk_begin(8) - chunk_begin(7), CHUNKS_FIRST << 7);
}

Test(epoll_registry, of_many_sets_and_registrations_none_is_another)
{
    enum { SETS = 1000, REGISTRATIONS = 10000, FIRST_FD = SETS + 100 };
    unsigned of_a_set[SETS] = {0};

    for (int epfd = 0; epfd < SETS; epfd++)
        cr_assert(set_make(epfd));
    for (int i = 0; i < REGISTRATIONS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)i};

        cr_assert(registration_make(set_of(i % SETS), FIRST_FD + i, &event));
    }
    for (int i = 0; i < REGISTRATIONS; i++) {
        struct registration *each = registration_of_fd(FIRST_FD + i);

        cr_assert_eq(each->data.u64, (uint64_t)i);
        cr_assert_eq(registration_set(each), set_of(i % SETS));
        cr_assert_eq(registration_of_data(set_of(i % SETS), (uint64_t)i), each);
    }
    for (struct set *set = set_next(NULL); set; set = set_next(set)) {
        struct registration *each = registration_first(set, REGISTRATION_ALL);

        for (; each; each = registration_next(each, REGISTRATION_ALL))
            of_a_set[set->epfd]++;
    }
    for (int epfd = 0; epfd < SETS; epfd++)
        cr_assert_eq(of_a_set[epfd], REGISTRATIONS / SETS);
    cr_expect(!registry_is_full);
}
