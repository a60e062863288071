/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_registry.h"

#include "base/sys.h"
#include "table/table.h"
#include "wait/chunks.h"
#include "wait/epoll_announce.h"

#include <pthread.h>
#include <string.h>

/* For a quarter of a million sets, and a million registrations. */
enum { SETS_CHUNKS = 12, REGISTRATIONS_CHUNKS = 14, BUCKETS = 1 << 12 };

struct registry_number *_Atomic registry_numbers[REGISTRY_NUMBERS / REGISTRY_CHUNK];
atomic_int registry_highest = -1;
atomic_uint registry_watched;
atomic_uint registry_sockets;
atomic_bool registry_is_full;

FAST_PATH_DATA static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Mapped when they are needed. Never unmapped, since they are read without the lock. */
static struct set *_Atomic set_chunks[SETS_CHUNKS];
static struct registration *registration_chunks[REGISTRATIONS_CHUNKS];

/* The first chunk of each: a small program needs no memory that could be refused. */
static struct {
    struct registry_number numbers[REGISTRY_CHUNK];
    struct set sets[CHUNKS_FIRST];
    struct registration registrations[CHUNKS_FIRST];
    struct {
        uint32_t of_data[BUCKETS], of_cookie[BUCKETS];
    } buckets; /* chains by the hash of set and data, and by that of the cookie */
} first;

static struct {
    uint32_t free, used; /* registrations; from `used` on they were never used */
    uint32_t free_set, used_sets;
} lists = {.used = 1, .used_sets = 1};

void registry_enter(struct critical_section *section)
{
    critical_section_enter(section);
    pthread_mutex_lock(&lock);
    announced_interrupt();
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

/* Chunk `index`, of which the first is not mapped. NULL: there is no room. */
static void *new_chunk(size_t index, size_t chunks, void *the_first, size_t size)
{
    void *chunk = index == 0 ? the_first : index < chunks ? sys_map_private(size) : NULL;

    if (!chunk)
        atomic_store_explicit(&registry_is_full, true, memory_order_relaxed);
    return chunk;
}

static bool need_number(int fd)
{
    size_t index = (size_t)fd / REGISTRY_CHUNK;

    if (registry_in_range(fd) && !registry_numbers[index])
        registry_numbers[index] = new_chunk(index, REGISTRY_NUMBERS / REGISTRY_CHUNK, first.numbers,
                                            sizeof first.numbers);
    return registry_number(fd) != NULL;
}

static bool need_set(uint32_t at)
{
    unsigned index = chunk_of(at);

    if (index < SETS_CHUNKS && !set_chunks[index])
        set_chunks[index] = new_chunk(index, SETS_CHUNKS, first.sets, sizeof first.sets << index);
    return index < SETS_CHUNKS && set_chunks[index];
}

static bool need_registration(uint32_t at)
{
    unsigned index = chunk_of(at);

    if (index < REGISTRATIONS_CHUNKS && !registration_chunks[index])
        registration_chunks[index] = new_chunk(index, REGISTRATIONS_CHUNKS, first.registrations,
                                               sizeof first.registrations << index);
    return index < REGISTRATIONS_CHUNKS && registration_chunks[index];
}

/* Each word that is read without the lock is written as one. */
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
        memset(set->first, 0, sizeof set->first);
    }
    if (lists.used > 1)
        memset(&first.buckets, 0, sizeof first.buckets);
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
    unsigned index = chunk_of(at);

    if (at < CHUNKS_FIRST) /* nearly always */
        return &first.sets[at];
    return &atomic_load_explicit(&set_chunks[index], memory_order_acquire)[at - chunk_begin(index)];
}

struct set *set_make(int epfd)
{
    uint32_t at = lists.free_set;
    struct set *set;

    if (!need_number(epfd))
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
    atomic_store(&set->pending_count, 0);
    atomic_store(&set->exposed, false);
    atomic_store(&set->inherited, false);
    atomic_store(&set->looked_at, 0);
    note_number(epfd);
    store(&registry_number(epfd)->set, at);
    return set;
}

void set_add_number(struct set *set, int epfd)
{
    if (!need_number(epfd))
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

static struct registration *registration_at(uint32_t at)
{
    unsigned index = chunk_of(at);

    if (at < CHUNKS_FIRST) /* nearly always */
        return at ? &first.registrations[at] : NULL;
    return &registration_chunks[index][at - chunk_begin(index)];
}

struct registration *registration_first(const struct set *set, enum registration_list list)
{
    return registration_at(set->first[list]);
}

struct registration *registration_next(const struct registration *registration,
                                       enum registration_list list)
{
    return registration_at(registration->listed[list].next);
}

void registration_each_active(const struct set *set, void (*act)(struct registration *))
{
    struct registration *each = registration_first(set, REGISTRATION_ACTIVE), *next;

    for (; each; each = next) {
        next = registration_next(each, REGISTRATION_ACTIVE);
        act(each);
    }
}

struct registration *registration_of_fd(int fd)
{
    return registration_at(registry_first_of(fd));
}

struct set *registration_set(const struct registration *registration)
{
    return set_at(registration->set);
}

struct registration *registry_next_proxy(const struct registration *registration)
{
    for (uint32_t at = registration ? registration->self + 1 : 1; at < lists.used; at++) {
        struct registration *each = registration_at(at);

        if (each && each->proxy >= 0)
            return each;
    }
    return NULL;
}

struct registration *registration_find(const struct set *set, int fd)
{
    struct registration *registration = registration_of_fd(fd);

    while (registration && registration_set(registration) != set)
        registration = registration_at(registration->chained[CHAIN_FD]);
    return registration;
}

static uint32_t *data_bucket(uint32_t set, uint64_t data)
{
    uint64_t mixed = (data ^ (uint64_t)set << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return &first.buckets.of_data[mixed >> 50 & (BUCKETS - 1)];
}

static struct registration *same_data(uint32_t at, uint32_t set, uint64_t data)
{
    struct registration *registration = registration_at(at);

    while (registration && (registration->set != set || registration->data.u64 != data))
        registration = registration_at(registration->chained[CHAIN_DATA]);
    return registration;
}

struct registration *registration_of_data(const struct set *set, uint64_t data)
{
    return same_data(*data_bucket(set->self, data), set->self, data);
}

struct registration *registration_next_of_data(const struct registration *registration)
{
    return same_data(registration->chained[CHAIN_DATA], registration->set, registration->data.u64);
}

bool registration_is_alone(const struct registration *registration)
{
    return registration_of_data(registration_set(registration), registration->data.u64) ==
               registration &&
           !registration_next_of_data(registration);
}

static uint32_t *cookie_bucket(uint64_t cookie)
{
    return &first.buckets.of_cookie[table_hash(cookie) & (BUCKETS - 1)];
}

static struct registration *same_cookie(uint32_t at, uint64_t cookie)
{
    struct registration *registration = registration_at(at);

    while (registration && registration->cookie != cookie)
        registration = registration_at(registration->chained[CHAIN_COOKIE]);
    return registration;
}

struct registration *registration_of_cookie(uint64_t cookie)
{
    return same_cookie(*cookie_bucket(cookie), cookie);
}

struct registration *registration_next_of_cookie(const struct registration *registration)
{
    return same_cookie(registration->chained[CHAIN_COOKIE], registration->cookie);
}

static void chain_in(uint32_t *head, struct registration *registration,
                     enum registration_chain chain)
{
    registration->chained[chain] = *head;
    *head = registration->self;
}

static void chain_out(uint32_t *link, const struct registration *registration,
                      enum registration_chain chain)
{
    while (*link != registration->self)
        link = &registration_at(*link)->chained[chain];
    *link = registration->chained[chain];
}

static uint32_t *bucket_of(const struct registration *registration)
{
    return data_bucket(registration->set, registration->data.u64);
}

static void list_in(struct registration *registration, enum registration_list list)
{
    uint32_t *head = &registration_set(registration)->first[list];

    registration->listed[list].previous = 0;
    registration->listed[list].next = *head;
    if (*head)
        registration_at(*head)->listed[list].previous = registration->self;
    *head = registration->self;
}

static void list_out(const struct registration *registration, enum registration_list list)
{
    struct set *set = registration_set(registration);
    uint32_t next = registration->listed[list].next, previous = registration->listed[list].previous;

    if (next)
        registration_at(next)->listed[list].previous = previous;
    if (previous)
        registration_at(previous)->listed[list].next = next;
    else
        set->first[list] = next;
}

static uint32_t next_word(uint32_t word, enum tail_state state)
{
    return ((word >> TAIL_BITS) + 1) << TAIL_BITS | (uint32_t)state;
}

struct registration *registration_make(struct set *set, int fd, const struct epoll_event *event)
{
    uint32_t at = lists.free ? lists.free : lists.used, head, word;
    struct registration *made;

    if (!need_number(fd) || !need_registration(at))
        return NULL;
    made = registration_at(at);
    word = next_word(registration_word(made), TAIL_IDLE);
    if (lists.free)
        lists.free = made->chained[0];
    else
        lists.used++;
    *made = (struct registration){.self = at,
                                  .set = set->self,
                                  .fd = fd,
                                  .events = event->events,
                                  .data = event->data,
                                  .state = word,
                                  .proxy = -1,
                                  .flare = -1};
    head = registry_first_of(fd);
    chain_in(&head, made, CHAIN_FD);
    store(&registry_number(fd)->first, head);
    note_number(fd);
    list_in(made, REGISTRATION_ALL);
    chain_in(bucket_of(made), made, CHAIN_DATA);
    return made;
}

void registration_change(struct registration *registration, const struct epoll_event *event)
{
    chain_out(bucket_of(registration), registration, CHAIN_DATA);
    registration->events = event->events;
    registration->data = event->data;
    chain_in(bucket_of(registration), registration, CHAIN_DATA);
}

void registration_set_socket(struct registration *registration, uint64_t cookie)
{
    struct set *set = registration_set(registration);

    if (registration->cookie == cookie)
        return;
    if (registration->cookie) {
        chain_out(cookie_bucket(registration->cookie), registration, CHAIN_COOKIE);
        set->sockets--;
        atomic_fetch_sub(&registry_sockets, 1);
    }
    registration->cookie = cookie;
    if (cookie) {
        chain_in(cookie_bucket(cookie), registration, CHAIN_COOKIE);
        set->sockets++;
        atomic_fetch_add(&registry_sockets, 1);
    }
}

static unsigned is_pending(enum tail_state state)
{
    return state == TAIL_PENDING || state == TAIL_UNSURE;
}

void registration_set_state(struct registration *registration, enum tail_state state)
{
    struct set *set = registration_set(registration);
    uint32_t word = registration_word(registration);
    enum tail_state before = tail_state_of(word);

    store(&registration->state, next_word(word, state));
    atomic_fetch_add(&set->pending_count, is_pending(state) - is_pending(before));
    if (before == TAIL_IDLE && state != TAIL_IDLE) {
        list_in(registration, REGISTRATION_ACTIVE);
        atomic_fetch_add(&set->watched, 1);
        atomic_fetch_add(&registry_watched, 1);
    }
    if (before != TAIL_IDLE && state == TAIL_IDLE) {
        list_out(registration, REGISTRATION_ACTIVE);
        atomic_fetch_sub(&set->watched, 1);
        atomic_fetch_sub(&registry_watched, 1);
    }
}

bool registration_try_state(struct registration *registration, uint32_t seen, enum tail_state state)
{
    struct set *set = registration_set(registration);
    unsigned before = is_pending(tail_state_of(seen)), after = is_pending(state);
    bool done;

    /* Never too low meanwhile, since then a signal handler's wait might sleep. */
    atomic_fetch_add(&set->pending_count, after);
    done = atomic_compare_exchange_strong(&registration->state, &seen, next_word(seen, state));
    atomic_fetch_sub(&set->pending_count, done ? before : after);
    return done;
}

void registration_free(struct registration *registration)
{
    uint32_t head = registry_first_of(registration->fd);

    registration_set_socket(registration, 0);
    chain_out(bucket_of(registration), registration, CHAIN_DATA);
    chain_out(&head, registration, CHAIN_FD);
    store(&registry_number(registration->fd)->first, head);
    list_out(registration, REGISTRATION_ALL);
    registration->chained[0] = lists.free;
    lists.free = registration->self;
}
