/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_registry.h"

#include "base/compiler.h"
#include "base/sys.h"
#include "table/table.h"

#include <errno.h>
#include <pthread.h>

enum { REGISTRATIONS = 1 << 20, SETS = 1 << 18 };

FAST_PATH_DATA _Atomic uint32_t *registry_set_of;
_Atomic uint32_t *registry_first_of;
FAST_PATH_DATA struct set *registry_sets;
FAST_PATH_DATA unsigned registry_count;
atomic_int registry_highest = -1;
atomic_uint registry_forks;
atomic_uint registry_sockets;
FAST_PATH_DATA atomic_uint registry_watched;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    struct registration *registration;
    uint32_t of_data[REGISTRY_BUCKETS];
    uint32_t of_cookie[REGISTRY_BUCKETS];
    uint32_t free, used; /* those above `used` were never used */
    uint32_t free_set, used_sets;
} lists;

int registry_start(void)
{
    lists.registration = sys_map_private(REGISTRATIONS * sizeof *lists.registration);
    registry_sets = sys_map_private(SETS * sizeof *registry_sets);
    registry_set_of = sys_map_private(REGISTRY_NUMBERS * sizeof *registry_set_of);
    registry_first_of = sys_map_private(REGISTRY_NUMBERS * sizeof *registry_first_of);
    if (!lists.registration || !registry_sets || !registry_set_of || !registry_first_of)
        return -ENOMEM;
    lists.used = lists.used_sets = 1;
    registry_count = REGISTRY_NUMBERS;
    return 0;
}

void registry_enter(struct critical_section *section)
{
    critical_section_enter(section);
    pthread_mutex_lock(&lock);
}

void registry_leave(const struct critical_section *section)
{
    pthread_mutex_unlock(&lock);
    critical_section_leave(section);
}

static uint32_t load(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void store(_Atomic uint32_t *to, uint32_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static void note_number(int fd)
{
    if (fd > atomic_load_explicit(&registry_highest, memory_order_relaxed))
        atomic_store_explicit(&registry_highest, fd, memory_order_relaxed);
}

/* --- sets -------------------------------------------------------------------------------- */

static uint32_t index_of_set(const struct set *set)
{
    return (uint32_t)(set - registry_sets);
}

static unsigned load_forks(void)
{
    return atomic_load_explicit(&registry_forks, memory_order_relaxed);
}

bool set_is_inherited(const struct set *set)
{
    return atomic_load_explicit(&set->forks, memory_order_relaxed) != load_forks();
}

struct set *set_make(int epfd)
{
    uint32_t at = lists.free_set;
    struct set *set;

    if (!registry_in_range(epfd))
        return NULL;
    if (at)
        lists.free_set = registry_sets[at].next_free;
    else if (lists.used_sets < SETS)
        at = lists.used_sets++;
    else
        return NULL;
    set = &registry_sets[at];
    set->epfd = epfd;
    set->numbers = 0;
    atomic_store_explicit(&set->forks, load_forks(), memory_order_relaxed);
    set->exposed = false;
    set_add_number(set, epfd);
    return set;
}

void set_add_number(struct set *set, int epfd)
{
    if (!registry_in_range(epfd))
        return;
    set->numbers++;
    note_number(epfd);
    store(&registry_set_of[epfd], index_of_set(set));
}

bool set_drop_number(struct set *set, int epfd)
{
    store(&registry_set_of[epfd], 0);
    if (--set->numbers == 0)
        return true;
    for (int fd = 0; set->epfd == epfd && fd <= registry_highest; fd++)
        if (load(&registry_set_of[fd]) == index_of_set(set))
            set->epfd = fd;
    return false;
}

void set_free(struct set *set)
{
    set->next_free = lists.free_set;
    lists.free_set = index_of_set(set);
}

void set_update_watched(struct set *set, bool shared)
{
    bool before = atomic_load(&set->watched) & SET_SHARED, now = shared && set->sockets > 0;

    if (now == before)
        return;
    atomic_fetch_xor(&set->watched, SET_SHARED);
    atomic_fetch_add(&registry_watched, now ? 1u : -1u);
}

struct set *set_next(const struct set *set)
{
    for (uint32_t at = set ? index_of_set(set) + 1 : 1; at < lists.used_sets; at++)
        if (registry_sets[at].numbers > 0)
            return &registry_sets[at];
    return NULL;
}

/* --- registrations ----------------------------------------------------------------------- */

static uint32_t index_of(const struct registration *registration)
{
    return (uint32_t)(registration - lists.registration);
}

struct registration *registration_at(uint32_t at)
{
    return at ? &lists.registration[at] : NULL;
}

struct set *registration_set(const struct registration *registration)
{
    return &registry_sets[registration->set];
}

struct registration *registration_find(const struct set *set, int fd)
{
    struct registration *registration = registration_at(load(&registry_first_of[fd]));

    while (registration && registration_set(registration) != set)
        registration = registration_at(registration->next_of_fd);
    return registration;
}

static uint32_t *data_bucket(uint32_t set, uint64_t data)
{
    uint64_t mixed = (data ^ (uint64_t)set << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return &lists.of_data[mixed >> 50 & (REGISTRY_BUCKETS - 1)];
}

static struct registration *same_data(uint32_t at, uint32_t set, uint64_t data)
{
    struct registration *registration = registration_at(at);

    while (registration && (registration->set != set || registration->data.u64 != data))
        registration = registration_at(registration->next_of_data);
    return registration;
}

struct registration *registration_of_data(const struct set *set, uint64_t data)
{
    uint32_t at = index_of_set(set);

    return same_data(*data_bucket(at, data), at, data);
}

struct registration *registration_next_of_data(const struct registration *registration)
{
    return same_data(registration->next_of_data, registration->set, registration->data.u64);
}

bool registration_is_alone(const struct registration *registration)
{
    return registration_of_data(registration_set(registration), registration->data.u64) ==
               registration &&
           !registration_next_of_data(registration);
}

static uint32_t *cookie_bucket(uint64_t cookie)
{
    return &lists.of_cookie[table_hash(cookie) & (REGISTRY_BUCKETS - 1)];
}

static struct registration *same_cookie(uint32_t at, uint64_t cookie)
{
    struct registration *registration = registration_at(at);

    while (registration && registration->cookie != cookie)
        registration = registration_at(registration->next_of_cookie);
    return registration;
}

struct registration *registration_of_cookie(uint64_t cookie)
{
    return same_cookie(*cookie_bucket(cookie), cookie);
}

struct registration *registration_next_of_cookie(const struct registration *registration)
{
    return same_cookie(registration->next_of_cookie, registration->cookie);
}

static void link_data(struct registration *registration)
{
    uint32_t *bucket = data_bucket(registration->set, registration->data.u64);

    registration->next_of_data = *bucket;
    *bucket = index_of(registration);
}

static void unlink_data(const struct registration *registration)
{
    uint32_t *link = data_bucket(registration->set, registration->data.u64);

    while (*link != index_of(registration))
        link = &lists.registration[*link].next_of_data;
    *link = registration->next_of_data;
}

struct registration *registration_make(struct set *set, int fd, const struct epoll_event *event)
{
    uint32_t at = lists.free;
    struct registration *made;

    if (at)
        lists.free = lists.registration[at].next_of_data;
    else if (lists.used < REGISTRATIONS)
        at = lists.used++;
    else
        return NULL;
    made = &lists.registration[at];
    *made = (struct registration){.set = index_of_set(set),
                                  .fd = fd,
                                  .events = event->events,
                                  .data = event->data,
                                  .next_of_fd = load(&registry_first_of[fd]),
                                  .next_in_set = set->first,
                                  .proxy = -1};
    store(&registry_first_of[fd], at);
    note_number(fd);
    if (set->first)
        lists.registration[set->first].previous_in_set = at;
    set->first = at;
    link_data(made);
    return made;
}

void registration_change(struct registration *registration, const struct epoll_event *event)
{
    unlink_data(registration);
    registration->events = event->events;
    registration->data = event->data;
    link_data(registration);
}

void registration_set_socket(struct registration *registration, uint64_t cookie)
{
    struct set *set = registration_set(registration);
    uint32_t *link;

    if (registration->cookie == cookie)
        return;
    if (registration->cookie) {
        link = cookie_bucket(registration->cookie);
        while (*link != index_of(registration))
            link = &lists.registration[*link].next_of_cookie;
        *link = registration->next_of_cookie;
        set->sockets--;
        atomic_fetch_sub(&registry_sockets, 1);
    }
    registration->cookie = cookie;
    if (cookie) {
        link = cookie_bucket(cookie);
        registration->next_of_cookie = *link;
        *link = index_of(registration);
        set->sockets++;
        atomic_fetch_add(&registry_sockets, 1);
    }
}

void registration_set_active(struct registration *registration, bool active)
{
    struct set *set = registration_set(registration);
    uint32_t at = index_of(registration);

    if (registration->active == active)
        return;
    registration->active = active;
    if (active) {
        registration->previous_active = 0;
        registration->next_active = set->first_active;
        if (set->first_active)
            lists.registration[set->first_active].previous_active = at;
        set->first_active = at;
        atomic_fetch_add(&set->watched, 1);
        atomic_fetch_add(&registry_watched, 1);
        return;
    }
    if (registration->previous_active)
        lists.registration[registration->previous_active].next_active = registration->next_active;
    else
        set->first_active = registration->next_active;
    if (registration->next_active)
        lists.registration[registration->next_active].previous_active =
            registration->previous_active;
    atomic_fetch_sub(&set->watched, 1);
    atomic_fetch_sub(&registry_watched, 1);
}

void registration_free(struct registration *registration)
{
    struct set *set = registration_set(registration);
    uint32_t at = index_of(registration), before = load(&registry_first_of[registration->fd]);

    registration_set_socket(registration, 0);
    unlink_data(registration);
    if (before == at) {
        store(&registry_first_of[registration->fd], registration->next_of_fd);
    } else {
        while (lists.registration[before].next_of_fd != at)
            before = lists.registration[before].next_of_fd;
        lists.registration[before].next_of_fd = registration->next_of_fd;
    }
    if (registration->previous_in_set)
        lists.registration[registration->previous_in_set].next_in_set = registration->next_in_set;
    else
        set->first = registration->next_in_set;
    if (registration->next_in_set)
        lists.registration[registration->next_in_set].previous_in_set =
            registration->previous_in_set;
    registration->next_of_data = lists.free;
    lists.free = at;
}
