/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_linger.h"

#include "state.h"
#include "wait/epoll_announce.h"
#include "wait/epoll_learn.h"
#include "wait/epoll_proxy.h"

/* Pending, and the wait's look into the table is all that there is to it. */
static bool is_plain(const struct registration *registration)
{
    return registration_state(registration) == TAIL_PENDING && registration->proxy < 0 &&
           !(registration->events & (EPOLLET | EPOLLONESHOT)) && registration->cookie != 0;
}

/* The socket's only registration, if it can linger. */
static struct registration *find(uint64_t cookie)
{
    struct registration *found;

    if (!learn_following() || !sys_is_single_threaded() || !state_is_own_as_seen())
        return NULL;
    found = registration_of_cookie(cookie);
    return found && is_plain(found) && !registration_next_of_cookie(found) &&
                   proxy_only_waits_look(registration_set(found)) && registration_is_alone(found)
               ? found
               : NULL;
}

bool linger_may(uint64_t cookie)
{
    return find(cookie) != NULL;
}

bool linger_tail_ended(uint64_t cookie)
{
    struct registration *found = find(cookie);

    if (!found)
        return false;
    found->reported = SIZE_MAX; /* of the next tail nothing was reported */
    registration_set(found)->lingered = 1;
    return true;
}

bool linger_begin(uint64_t cookie)
{
    if (atomic_load(&announced_cookie) != 0)
        return false; /* by what a handler has interrupted, or left */
    atomic_store(&announced_cookie, cookie);
    if (linger_may(cookie))
        return true;
    atomic_store(&announced_cookie, 0);
    return false;
}

bool linger_goes_on(uint64_t cookie)
{
    return atomic_load(&announced_cookie) == cookie;
}

bool linger_end(uint64_t cookie)
{
    atomic_store(&announced_cookie, 0);
    return linger_may(cookie);
}

bool linger_only(const struct set *set)
{
    struct registration *only =
        sys_is_single_threaded() && atomic_load(&set->watched) == 1 && !set->inherited
            ? registration_first(set, REGISTRATION_ACTIVE)
            : NULL;
    uint32_t word;

    if (!only)
        return false;
    word = registration_word(only);
    return is_plain(only) && !proxy_look(only->cookie, NULL) && registration_word(only) == word &&
           atomic_load(&set->watched) == 1;
}
