/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_scan.h"

#include "base/libc.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/epoll_fdinfo.h"
#include "wait/epoll_proxy.h"

/* --- what was left muted ----------------------------------------------------------------- */

/* Registrations that are muted in the kernel, though none of ours. Returns how many.
 * `ret_all`: there are no others. Not so if /proc cannot be read just now (EMFILE). */
static unsigned find_muted(const struct set *set, struct fdinfo_entry *ret_entries, unsigned most,
                           bool *ret_all)
{
    struct registration *registration;
    struct fdinfo_entry entry;
    struct fdinfo info;
    unsigned count = 0;
    uint32_t events;

    *ret_all = false;
    if (fdinfo_open(&info, set->epfd) != 0)
        return 0;
    while (count < most && fdinfo_next(&info, &entry)) {
        registration = proxy_is_muted(&entry, &events) ? registration_find(set, entry.fd) : NULL;
        if (registration && registration->cookie && !registration->muted)
            ret_entries[count++] = entry;
    }
    fdinfo_close(&info);
    *ret_all = count < most && info.error == 0;
    return count;
}

/* Whether a proxy of another process is still to fire: then whose wait it ends arms the shot. */
static bool has_anothers_proxy(const struct set *set, uint64_t data)
{
    struct fdinfo_entry entry;
    struct fdinfo info;
    uint32_t events;
    bool found = false;

    if (fdinfo_open(&info, set->epfd) != 0)
        return true; /* not known: so it is looked for again */
    while (!found && fdinfo_next(&info, &entry))
        found = entry.data == data && (entry.events & EPOLLIN) &&
                !proxy_is_muted(&entry, &events) && !registration_find(set, entry.fd);
    fdinfo_close(&info);
    return found;
}

/* By other processes, ever, and one more: a set that was never looked at has 0. */
static unsigned muted_by_others(void)
{
    return atomic_load_explicit(&state.table->muted, memory_order_relaxed) -
           atomic_load_explicit(&proxy_muted, memory_order_relaxed) + 1;
}

bool scan_may_be_left(const struct set *set)
{
    unsigned muted = muted_by_others();

    if (muted == 1 || !set)
        return muted != 1;
    return atomic_load_explicit(&set->inherited, memory_order_relaxed) &&
           atomic_load_explicit(&set->looked_at, memory_order_relaxed) != muted;
}

static bool has_one_shots(const struct set *set)
{
    struct registration *each = registration_first(set, REGISTRATION_ALL);

    while (each && !(each->cookie && (each->events & EPOLLONESHOT)))
        each = registration_next(each, REGISTRATION_ALL);
    return each != NULL;
}

/* Whoever has muted a registration may have been killed, or have called exec, and its tail may be
 * gone. It is muted only while there is a tail: once it is found armed and no tail is held, it need
 * not be looked at again before somebody mutes one. */
static void arm_what_others_left(struct set *set)
{
    enum { MOST = 16 };
    struct fdinfo_entry found[MOST];
    unsigned muted = muted_by_others();
    bool none_held = !table_tails_here(), all = true;
    unsigned count = has_one_shots(set) ? find_muted(set, found, MOST, &all) : 0;

    for (unsigned i = 0; i < count; i++) {
        struct registration *registration = registration_find(set, found[i].fd);
        struct epoll_event event = {.data.u64 = found[i].data};
        uint32_t events;

        if (proxy_look(registration->cookie, NULL) || has_anothers_proxy(set, found[i].data))
            all = false;
        else if (fd_has_cookie(found[i].fd, registration->cookie) &&
                 proxy_is_muted(&found[i], &events)) {
            event.events = events;
            next_calls.epoll_ctl(set->epfd, EPOLL_CTL_MOD, found[i].fd, &event);
        }
    }
    if (all && none_held)
        atomic_store_explicit(&set->looked_at, muted, memory_order_relaxed);
}

/* --- what was left to be shown ----------------------------------------------------------- */

static void scan_one(struct registration *registration)
{
    proxy_update(registration, proxy_look(registration->cookie, NULL), false);
    /* What a wait of another process has reported is reported here, too. */
    if (registration_state(registration) == TAIL_SHOWN &&
        !(registration->events & (EPOLLET | EPOLLONESHOT)))
        proxy_reported(registration);
}

void scan_set(struct set *set)
{
    for (struct registration *each = registration_first(set, REGISTRATION_ALL); each;
         each = registration_next(each, REGISTRATION_ALL))
        if (each->cookie &&
            (registration_state(each) != TAIL_IDLE || table_may_hold(state.table, each->cookie)))
            scan_one(each);
    if (scan_may_be_left(set))
        arm_what_others_left(set);
}
