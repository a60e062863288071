/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_registry.h"

#include "base/sys.h"
#include "table/table.h"

#include <pthread.h>
#include <string.h>

enum {
    SETS_CHUNK = 64,
    SETS_CHUNKS = 1 << 12,
    REGISTRATIONS_CHUNK = 64,
    REGISTRATIONS_CHUNKS = 1 << 14,
    BUCKETS = 1 << 12,
};

/* By a hash: of set and data, and of the cookie. */
struct buckets {
    uint32_t of_data[BUCKETS], of_cookie[BUCKETS];
};

struct registry_number *_Atomic registry_numbers[REGISTRY_NUMBERS / REGISTRY_CHUNK];
atomic_int registry_highest = -1;
atomic_uint registry_watched;
atomic_uint registry_sockets;
atomic_bool registry_is_full;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Mapped as they are needed, and never unmapped, for others read them without the lock. */
static struct set *_Atomic set_chunks[SETS_CHUNKS];
static struct registration *registration_chunks[REGISTRATIONS_CHUNKS];
static struct buckets *buckets;

/* The first ones are here, so that little needs no memory that can be refused. No page of it is
 * there before the first tail. */
static struct {
    struct registry_number numbers[REGISTRY_CHUNK];
    struct set sets[SETS_CHUNK];
    struct registration registrations[REGISTRATIONS_CHUNK];
    struct buckets buckets;
} first;

static struct {
    uint32_t free, used; /* registrations; those above `used` were never used */
    uint32_t free_set, used_sets;
} lists = {.used = 1, .used_sets = 1};

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

/* --- memory ------------------------------------------------------------------------------ */

static bool no_room(void)
{
    atomic_store_explicit(&registry_is_full, true, memory_order_relaxed);
    return false;
}

static bool need_number(int fd)
{
    struct registry_number *chunk;

    if (registry_number(fd))
        return true;
    chunk = fd < REGISTRY_CHUNK ? first.numbers : sys_map_private(REGISTRY_CHUNK * sizeof *chunk);
    if (!chunk)
        return no_room();
    atomic_store_explicit(&registry_numbers[fd / REGISTRY_CHUNK], chunk, memory_order_release);
    return true;
}

static bool need_set(uint32_t at)
{
    struct set *chunk;

    if (at / SETS_CHUNK >= SETS_CHUNKS)
        return no_room();
    if (atomic_load_explicit(&set_chunks[at / SETS_CHUNK], memory_order_relaxed))
        return true;
    chunk = at < SETS_CHUNK ? first.sets : sys_map_private(SETS_CHUNK * sizeof *chunk);
    if (!chunk)
        return no_room();
    atomic_store_explicit(&set_chunks[at / SETS_CHUNK], chunk, memory_order_release);
    return true;
}

static bool need_registration(uint32_t at)
{
    struct registration **chunk;

    buckets = &first.buckets;
    if (at / REGISTRATIONS_CHUNK >= REGISTRATIONS_CHUNKS)
        return no_room();
    chunk = &registration_chunks[at / REGISTRATIONS_CHUNK];
    if (!*chunk)
        *chunk = at < REGISTRATIONS_CHUNK ? first.registrations
                                          : sys_map_private(REGISTRATIONS_CHUNK * sizeof **chunk);
    return *chunk || no_room();
}

/* Of what others read without the lock each word is written as one. */
void registry_clear(void)
{
    for (int fd = 0; fd <= registry_highest; fd++) {
        struct registry_number *number = registry_number(fd);

        if (!number) {
            fd |= REGISTRY_CHUNK - 1;
            continue;
        }
        store(&number->set, 0);
        store(&number->first, 0);
    }
    for (uint32_t at = 1; at < lists.used_sets; at++) {
        struct set *set = set_at(at);

        atomic_store(&set->watched, 0);
        atomic_store(&set->pending_count, 0);
        set->numbers = set->sockets = 0;
        set->first = set->first_active = 0;
    }
    if (buckets)
        memset(buckets, 0, sizeof *buckets);
    lists.used = lists.used_sets = 1;
    lists.free = lists.free_set = 0;
    atomic_store(&registry_highest, -1);
    atomic_store(&registry_sockets, 0);
}

void registry_clear_in_child(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    registry_clear();
}

unsigned registry_size(void)
{
    return lists.used;
}

static void note_number(int fd)
{
    if (fd > atomic_load_explicit(&registry_highest, memory_order_relaxed))
        atomic_store_explicit(&registry_highest, fd, memory_order_relaxed);
}

/* --- sets -------------------------------------------------------------------------------- */

struct set *set_at(uint32_t at)
{
    struct set *chunk = atomic_load_explicit(&set_chunks[at / SETS_CHUNK], memory_order_acquire);

    return &chunk[at % SETS_CHUNK];
}

struct set *set_make(int epfd)
{
    uint32_t at = lists.free_set;
    struct set *set;

    if (!registry_in_range(epfd) || !need_number(epfd))
        return NULL;
    if (at)
        lists.free_set = set_at(at)->next_free;
    else if (need_set(lists.used_sets))
        at = lists.used_sets++;
    else
        return NULL;
    set = set_at(at);
    set->self = at;
    set->epfd = epfd;
    set->numbers = 1;
    set->sockets = 0;
    atomic_store(&set->exposed, false);
    atomic_store(&set->inherited, false);
    note_number(epfd);
    store(&registry_number(epfd)->set, at);
    return set;
}

void set_add_number(struct set *set, int epfd)
{
    if (!registry_in_range(epfd) || !need_number(epfd))
        return;
    set->numbers++;
    note_number(epfd);
    store(&registry_number(epfd)->set, set->self);
}

bool set_drop_number(struct set *set, int epfd)
{
    store(&registry_number(epfd)->set, 0);
    if (--set->numbers == 0)
        return true;
    for (int fd = 0; set->epfd == epfd && fd <= registry_highest; fd++)
        if (registry_number(fd) && load(&registry_number(fd)->set) == set->self)
            set->epfd = fd;
    return false;
}

void set_free(struct set *set)
{
    set->next_free = lists.free_set;
    lists.free_set = set->self;
}

struct set *set_next(const struct set *set)
{
    for (uint32_t at = set ? set->self + 1 : 1; at < lists.used_sets; at++)
        if (set_at(at)->numbers > 0)
            return set_at(at);
    return NULL;
}

/* --- registrations ----------------------------------------------------------------------- */

struct registration *registration_at(uint32_t at)
{
    return at ? &registration_chunks[at / REGISTRATIONS_CHUNK][at % REGISTRATIONS_CHUNK] : NULL;
}

struct set *registration_set(const struct registration *registration)
{
    return set_at(registration->set);
}

struct registration *registry_next_proxy(const struct registration *registration)
{
    for (uint32_t at = registration ? registration->self + 1 : 1; at < lists.used; at++)
        if (registration_at(at)->proxy >= 0)
            return registration_at(at);
    return NULL;
}

struct registration *registration_find(const struct set *set, int fd)
{
    struct registration *registration = registration_at(registry_first_of(fd));

    while (registration && registration_set(registration) != set)
        registration = registration_at(registration->next_of_fd);
    return registration;
}

static uint32_t *data_bucket(uint32_t set, uint64_t data)
{
    uint64_t mixed = (data ^ (uint64_t)set << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return &buckets->of_data[mixed >> 50 & (BUCKETS - 1)];
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
    return buckets ? same_data(*data_bucket(set->self, data), set->self, data) : NULL;
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
    return &buckets->of_cookie[table_hash(cookie) & (BUCKETS - 1)];
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
    return buckets ? same_cookie(*cookie_bucket(cookie), cookie) : NULL;
}

struct registration *registration_next_of_cookie(const struct registration *registration)
{
    return same_cookie(registration->next_of_cookie, registration->cookie);
}

static void link_data(struct registration *registration)
{
    uint32_t *bucket = data_bucket(registration->set, registration->data.u64);

    registration->next_of_data = *bucket;
    *bucket = registration->self;
}

static void unlink_data(const struct registration *registration)
{
    uint32_t *link = data_bucket(registration->set, registration->data.u64);

    while (*link != registration->self)
        link = &registration_at(*link)->next_of_data;
    *link = registration->next_of_data;
}

struct registration *registration_make(struct set *set, int fd, const struct epoll_event *event)
{
    uint32_t at = lists.free ? lists.free : lists.used;
    struct registration *made;

    if (!registry_in_range(fd) || !need_number(fd) || !need_registration(at))
        return NULL;
    made = registration_at(at);
    if (lists.free)
        lists.free = made->next_of_data;
    else
        lists.used++;
    *made = (struct registration){.self = at,
                                  .set = set->self,
                                  .fd = fd,
                                  .events = event->events,
                                  .data = event->data,
                                  .next_of_fd = registry_first_of(fd),
                                  .next_in_set = set->first,
                                  .proxy = -1,
                                  .flare = -1};
    store(&registry_number(fd)->first, at);
    note_number(fd);
    if (set->first)
        registration_at(set->first)->previous_in_set = at;
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
        while (*link != registration->self)
            link = &registration_at(*link)->next_of_cookie;
        *link = registration->next_of_cookie;
        set->sockets--;
        atomic_fetch_sub(&registry_sockets, 1);
    }
    registration->cookie = cookie;
    if (cookie) {
        link = cookie_bucket(cookie);
        registration->next_of_cookie = *link;
        *link = registration->self;
        set->sockets++;
        atomic_fetch_add(&registry_sockets, 1);
    }
}

void registration_set_active(struct registration *registration, bool active)
{
    struct set *set = registration_set(registration);
    uint32_t at = registration->self;

    if (registration->active == active)
        return;
    registration->active = active;
    if (active) {
        registration->previous_active = 0;
        registration->next_active = set->first_active;
        if (set->first_active)
            registration_at(set->first_active)->previous_active = at;
        set->first_active = at;
        atomic_fetch_add(&set->watched, 1);
        atomic_fetch_add(&registry_watched, 1);
        return;
    }
    if (registration->previous_active)
        registration_at(registration->previous_active)->next_active = registration->next_active;
    else
        set->first_active = registration->next_active;
    if (registration->next_active)
        registration_at(registration->next_active)->previous_active = registration->previous_active;
    atomic_fetch_sub(&set->watched, 1);
    atomic_fetch_sub(&registry_watched, 1);
}

static void unlink_fd(const struct registration *registration)
{
    uint32_t at = registry_first_of(registration->fd);

    if (at == registration->self) {
        store(&registry_number(registration->fd)->first, registration->next_of_fd);
        return;
    }
    while (registration_at(at)->next_of_fd != registration->self)
        at = registration_at(at)->next_of_fd;
    registration_at(at)->next_of_fd = registration->next_of_fd;
}

void registration_free(struct registration *registration)
{
    struct set *set = registration_set(registration);

    registration_set_socket(registration, 0);
    unlink_data(registration);
    unlink_fd(registration);
    if (registration->previous_in_set)
        registration_at(registration->previous_in_set)->next_in_set = registration->next_in_set;
    else
        set->first = registration->next_in_set;
    if (registration->next_in_set)
        registration_at(registration->next_in_set)->previous_in_set = registration->previous_in_set;
    registration->next_of_data = lists.free;
    lists.free = registration->self;
}
