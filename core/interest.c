/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "interest.h"

#include "engine.h"
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 1 << 20, /* as many as there are beliefs (socket.c) */
    ENTRIES = 1 << 20,
    BUCKETS = 1 << 14,
    OUT_OF_THE_WAY = 256, /* descriptor numbers below this are left to the program */
    READABLE = EPOLLIN | EPOLLRDNORM,
};

/* One registration of a descriptor in an epoll set. Entries are named by index; 0 is none. */
struct entry {
    int epfd;
    int fd;
    uint32_t generation; /* of the epoll descriptor's number, as it was then */
    uint32_t events;     /* as the program asked */
    epoll_data_t data;
    uint32_t next_of_fd;
    uint32_t next_in_bucket; /* by epfd and data; in the free list: the next free entry */
    uint32_t next_active, previous_active;
    uint32_t next_of_cookie; /* message sockets only */

    bool message;  /* a message socket */
    bool armed;    /* EPOLLONESHOT: has not fired since it was asked for */
    bool fresh;    /* EPOLLET: just asked for, so that what is ready now is an edge */
    bool active;   /* is in the active list */
    bool unsignalled; /* a tail is held, and no stand-in could be made */
    bool silenced; /* one shot: the socket's own registration waits while the stand-in is armed */
    int stand_in;  /* the eventfd, or -1 */
    pid_t owner;   /* the process that put the stand-in into the set */
    uint64_t cookie; /* of a message socket: its numbers may come and go */
    size_t told;     /* what was left of the tail when the wait last told of it */
};

static struct {
    pthread_mutex_t lock;
    struct entry *entry;
    uint32_t *first_of_fd; /* [DESCRIPTORS] */
    uint32_t *generation;  /* [DESCRIPTORS], by number: odd for an epoll set, else not one */
    uint32_t bucket[BUCKETS];
    uint32_t of_cookie[BUCKETS];
    uint32_t free;
    uint32_t used; /* entries above were never used */
    uint32_t first_active;
} lists = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct interest_state interest_state;

static __thread sigset_t signals_before_fork;

int interest_start(void)
{
    size_t entries = ENTRIES * sizeof *lists.entry, numbers = DESCRIPTORS * sizeof(uint32_t);
    char *at = mmap(NULL, entries + 2 * numbers, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    lists.entry = (struct entry *)at;
    lists.first_of_fd = (uint32_t *)(at + entries);
    lists.generation = (uint32_t *)(at + entries + numbers);
    lists.used = 1;
    return 0;
}

static void enter(sigset_t *signals)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, signals);
    pthread_mutex_lock(&lists.lock);
}

static void leave(const sigset_t *signals)
{
    pthread_mutex_unlock(&lists.lock);
    pthread_sigmask(SIG_SETMASK, signals, NULL);
}

void interest_before_fork(void)
{
    enter(&signals_before_fork);
}

void interest_after_fork(void)
{
    leave(&signals_before_fork);
}

/* --- the entries ------------------------------------------------------------------------- */

static bool in_range(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS;
}

static uint32_t *bucket_of(int epfd, uint64_t data)
{
    uint64_t mixed = (data ^ (uint64_t)(unsigned)epfd << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return &lists.bucket[mixed >> 50 & (BUCKETS - 1)];
}

static bool is_current(const struct entry *entry)
{
    return entry->generation == lists.generation[entry->epfd];
}

static bool matches(const struct entry *entry, int epfd, uint64_t data)
{
    return entry->epfd == epfd && entry->data.u64 == data && is_current(entry);
}

static struct entry *find(int epfd, int fd)
{
    for (uint32_t at = lists.first_of_fd[fd]; at; at = lists.entry[at].next_of_fd)
        if (lists.entry[at].epfd == epfd && is_current(&lists.entry[at]))
            return &lists.entry[at];
    return NULL;
}

static void link_bucket(struct entry *entry)
{
    uint32_t *bucket = bucket_of(entry->epfd, entry->data.u64);

    entry->next_in_bucket = *bucket;
    *bucket = (uint32_t)(entry - lists.entry);
}

static void unlink_bucket(const struct entry *entry)
{
    uint32_t *link = bucket_of(entry->epfd, entry->data.u64);

    while (&lists.entry[*link] != entry)
        link = &lists.entry[*link].next_in_bucket;
    *link = entry->next_in_bucket;
}

static uint32_t *cookie_bucket(uint64_t cookie)
{
    return &lists.of_cookie[table_hash(cookie) & (BUCKETS - 1)];
}

static void unlink_cookie(struct entry *entry)
{
    uint32_t *link = cookie_bucket(entry->cookie);

    while (&lists.entry[*link] != entry)
        link = &lists.entry[*link].next_of_cookie;
    *link = entry->next_of_cookie;
}

/* What the entry's descriptor is, at the time it is asked for: 0, or a message socket's cookie. */
static void set_socket(struct entry *entry, uint64_t cookie)
{
    uint32_t *bucket = cookie_bucket(cookie);

    if (entry->message && entry->cookie == cookie)
        return;
    if (entry->message) {
        unlink_cookie(entry);
        atomic_fetch_sub(&interest_state.sockets, 1);
    }
    entry->message = cookie != 0;
    entry->cookie = cookie;
    if (entry->message) {
        entry->next_of_cookie = *bucket;
        *bucket = (uint32_t)(entry - lists.entry);
        atomic_fetch_add(&interest_state.sockets, 1);
    }
}

static void set_active(struct entry *entry, bool active)
{
    if (entry->active == active)
        return;
    entry->active = active;
    if (active) {
        entry->previous_active = 0;
        entry->next_active = lists.first_active;
        if (lists.first_active)
            lists.entry[lists.first_active].previous_active = (uint32_t)(entry - lists.entry);
        lists.first_active = (uint32_t)(entry - lists.entry);
        atomic_fetch_add(&interest_state.active, 1);
    } else {
        if (entry->previous_active)
            lists.entry[entry->previous_active].next_active = entry->next_active;
        else
            lists.first_active = entry->next_active;
        if (entry->next_active)
            lists.entry[entry->next_active].previous_active = entry->previous_active;
        atomic_fetch_sub(&interest_state.active, 1);
    }
}

/* One shot is active while it is armed: the wait must see it fire. */
static void update_active(struct entry *entry)
{
    set_active(entry, entry->stand_in >= 0 || entry->unsignalled ||
                          (entry->message && (entry->events & EPOLLONESHOT) && entry->armed));
}

static struct entry *entry_new(int epfd, int fd)
{
    uint32_t at = lists.free;
    struct entry *entry;

    if (at)
        lists.free = lists.entry[at].next_in_bucket;
    else if (lists.used < ENTRIES)
        at = lists.used++;
    else
        return NULL;
    entry = &lists.entry[at];
    *entry = (struct entry){.epfd = epfd, .fd = fd, .generation = lists.generation[epfd],
                            .next_of_fd = lists.first_of_fd[fd], .stand_in = -1};
    lists.first_of_fd[fd] = at;
    return entry;
}

/* --- stand-ins --------------------------------------------------------------------------- */

static int make_eventfd(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), moved;

    if (fd < 0 || fd >= OUT_OF_THE_WAY)
        return fd;
    moved = engine.system.fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (moved < 0)
        return fd;
    engine.system.close(fd);
    return moved;
}

/* Takes the stand-in away. `closing`: because the program closes the socket, in this process. */
static void detach(struct entry *entry, bool closing)
{
    if (entry->stand_in >= 0) {
        /* Out of the set for all processes that share it, but not for a child's close alone. */
        if (!closing || entry->owner == getpid())
            engine.system.epoll_ctl(entry->epfd, EPOLL_CTL_DEL, entry->stand_in, NULL);
        socket_set_ours(entry->stand_in, false);
        engine.system.close(entry->stand_in);
        entry->stand_in = -1;
    }
    if (entry->silenced && entry->armed && !closing) {
        struct epoll_event event = {entry->events, entry->data};

        engine.system.epoll_ctl(entry->epfd, EPOLL_CTL_MOD, entry->fd, &event);
    }
    entry->silenced = false;
    entry->unsignalled = false;
    update_active(entry);
}

static struct epoll_event stand_in_event(const struct entry *entry)
{
    uint32_t manner = entry->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE);

    return (struct epoll_event){EPOLLIN | manner, entry->data};
}

static void attach(struct entry *entry)
{
    static atomic_int told;
    struct epoll_event event = stand_in_event(entry);
    int fd = make_eventfd();

    entry->fresh = false;
    if (fd >= 0 && engine.system.epoll_ctl(entry->epfd, EPOLL_CTL_ADD, fd, &event) != 0) {
        engine.system.close(fd);
        fd = -1;
    }
    if (fd < 0) {
        tell_once(told, "no eventfd for epoll: %s; from now on tails are held in the kernel",
                  strerrordesc_np(errno));
        engine_hold_in_kernel();
        entry->unsignalled = true;
    } else {
        entry->stand_in = fd;
        entry->owner = getpid();
        socket_set_ours(fd, true);
        if (entry->events & EPOLLONESHOT) {
            /* One of the two may fire, not both. */
            event.events = EPOLLONESHOT;
            entry->silenced = engine.system.epoll_ctl(entry->epfd, EPOLL_CTL_MOD, entry->fd,
                                                      &event) == 0;
        }
    }
    update_active(entry);
}

static bool is_held(uint64_t cookie)
{
    enum held_kind kind = table_look(engine.table, cookie, NULL);

    return kind == HELD_HERE || kind == HELD_STREAM;
}

/* Gives the entry a stand-in, or takes it away: by what is held now. */
static void reconcile(struct entry *entry, bool held)
{
    bool wanted = held && is_current(entry) && (entry->events & READABLE);

    if (entry->events & EPOLLET)
        wanted = wanted && (entry->fresh || entry->stand_in >= 0);
    if (entry->events & EPOLLONESHOT)
        wanted = wanted && entry->armed;
    entry->fresh = false;

    if (!wanted) {
        detach(entry, false);
    } else if (entry->stand_in >= 0) {
        /* Another process may have ended an earlier tail, and taken it out of the set. */
        struct epoll_event event = stand_in_event(entry);

        engine.system.epoll_ctl(entry->epfd, EPOLL_CTL_ADD, entry->stand_in, &event);
    } else if (!entry->unsignalled) {
        attach(entry);
    }
}

void interest_update(uint64_t cookie)
{
    sigset_t signals;
    bool held;

    if (atomic_load_explicit(&interest_state.sockets, memory_order_acquire) == 0)
        return;
    enter(&signals);
    held = is_held(cookie);
    for (uint32_t at = *cookie_bucket(cookie); at; at = lists.entry[at].next_of_cookie)
        if (lists.entry[at].cookie == cookie)
            reconcile(&lists.entry[at], held);
    leave(&signals);
}

/* --- epoll_ctl --------------------------------------------------------------------------- */

static void entry_remove(struct entry *entry, bool closing)
{
    uint32_t at = (uint32_t)(entry - lists.entry);
    uint32_t *link = &lists.first_of_fd[entry->fd];

    entry->armed = false;
    detach(entry, closing);
    while (*link != at)
        link = &lists.entry[*link].next_of_fd;
    *link = entry->next_of_fd;
    unlink_bucket(entry);
    set_socket(entry, 0);
    entry->next_in_bucket = lists.free;
    lists.free = at;
}

/* The program asked for `event`: of a new entry, or anew. */
static void entry_ask(struct entry *entry, const struct epoll_event *event, bool is_new)
{
    /* Asked anew: the number may have been closed and reused behind our back. */
    socket_belief belief = socket_ask(entry->fd);

    if (!is_new)
        unlink_bucket(entry);
    entry->events = event->events;
    entry->data = event->data;
    link_bucket(entry);
    set_socket(entry, socket_is_message(belief) ? socket_cookie(belief) : 0);
    entry->armed = entry->fresh = true;
    /* A stand-in that is there already has the old data, or has fired. */
    entry->silenced = false;
    detach(entry, false);
    if (entry->message)
        reconcile(entry, is_held(entry->cookie));
}

/* Entries in sets that are gone. */
static void remove_stale(int fd)
{
    for (uint32_t at = lists.first_of_fd[fd], next; at; at = next) {
        next = lists.entry[at].next_of_fd;
        if (!is_current(&lists.entry[at]))
            entry_remove(&lists.entry[at], true);
    }
}

int interest_control(int epfd, int operation, int fd, struct epoll_event *event)
{
    struct entry *entry;
    sigset_t signals;
    int error;

    enter(&signals);
    error = engine.system.epoll_ctl(epfd, operation, fd, event) == 0 ? 0 : -errno;
    if (!error && in_range(epfd) && in_range(fd)) {
        lists.generation[epfd] |= 1;
        remove_stale(fd);
        entry = find(epfd, fd);
        if (operation == EPOLL_CTL_DEL) {
            if (entry)
                entry_remove(entry, false);
        } else if (entry) {
            entry_ask(entry, event, false);
        } else if ((entry = entry_new(epfd, fd))) {
            entry_ask(entry, event, true);
        }
    }
    leave(&signals);
    return error;
}

/* --- the end of descriptors -------------------------------------------------------------- */

bool interest_is_ours(int fd)
{
    return socket_kind(socket_believe(fd)) == SOCKET_OURS;
}

/* Whether a descriptor's number means nothing to us: without the lock. */
static bool is_unknown(int fd)
{
    return !in_range(fd) || !lists.entry ||
           (!(__atomic_load_n(&lists.generation[fd], __ATOMIC_RELAXED) & 1) &&
            !__atomic_load_n(&lists.first_of_fd[fd], __ATOMIC_RELAXED));
}

static void forget_locked(int fd, bool gone)
{
    uint32_t at, next;

    if (lists.generation[fd] & 1) {
        for (at = lists.first_active; at; at = next) {
            next = lists.entry[at].next_active;
            if (lists.entry[at].epfd == fd) {
                /* The set goes on in a child that shares it. */
                if (atomic_load(&engine.table->shared))
                    lists.entry[at].owner = 0;
                entry_remove(&lists.entry[at], true);
            }
        }
        lists.generation[fd]++;
    }
    /* The kernel keeps the registration while a dup is open. */
    for (at = lists.first_of_fd[fd]; gone && at; at = next) {
        next = lists.entry[at].next_of_fd;
        entry_remove(&lists.entry[at], true);
    }
}

void interest_forget(int fd, bool gone)
{
    sigset_t signals;

    if (is_unknown(fd) || !engine_is_own())
        return;
    enter(&signals);
    forget_locked(fd, gone);
    leave(&signals);
}

void interest_forget_socket(uint64_t cookie)
{
    sigset_t signals;

    if (atomic_load_explicit(&interest_state.sockets, memory_order_acquire) == 0 ||
        !engine_is_own())
        return;
    enter(&signals);
    for (uint32_t at = *cookie_bucket(cookie), next; at; at = next) {
        next = lists.entry[at].next_of_cookie;
        if (lists.entry[at].cookie == cookie)
            entry_remove(&lists.entry[at], true);
    }
    leave(&signals);
}

void interest_forget_range(unsigned first, unsigned last)
{
    sigset_t signals;
    uint32_t at, next;

    if (!lists.entry || lists.used == 1 || !engine_is_own())
        return;
    enter(&signals);
    for (unsigned fd = first; fd <= last && fd < DESCRIPTORS; fd++)
        if (!is_unknown((int)fd))
            forget_locked((int)fd, true);
    for (at = lists.first_active; at; at = next) {
        struct entry *entry = &lists.entry[at];

        next = entry->next_active;
        if (entry->stand_in >= 0 && (unsigned)entry->stand_in >= first &&
            (unsigned)entry->stand_in <= last)
            detach(entry, true);
    }
    leave(&signals);
}

void interest_refresh(void)
{
    sigset_t signals;

    if (atomic_load_explicit(&interest_state.sockets, memory_order_acquire) == 0 ||
        !engine_is_own())
        return;
    enter(&signals);
    for (uint32_t at = 1; at < lists.used; at++) {
        struct entry *entry = &lists.entry[at];

        if (entry->message && is_current(entry))
            reconcile(entry, is_held(entry->cookie));
    }
    leave(&signals);
}

/* --- epoll_wait -------------------------------------------------------------------------- */

/* What the kernel says of the socket itself, for the events the program asked for. */
static uint32_t kernel_events(const struct entry *entry)
{
    struct pollfd socket = {.fd = entry->fd, .events = (short)(entry->events & 0xffff)};

    if (engine.system.ppoll(&socket, 1, &(struct timespec){0, 0}, NULL) <= 0 ||
        (socket.revents & POLLNVAL))
        return 0;
    return (uint32_t)(unsigned short)socket.revents;
}

/* The entries of the set with this data: how many, and the active one among them. */
static unsigned find_by_data(int epfd, uint64_t data, struct entry **ret_active)
{
    unsigned count = 0;

    *ret_active = NULL;
    for (uint32_t at = *bucket_of(epfd, data); at; at = lists.entry[at].next_in_bucket) {
        struct entry *entry = &lists.entry[at];

        if (!matches(entry, epfd, data))
            continue;
        count++;
        if (entry->active)
            *ret_active = entry;
    }
    return count;
}

/* Whether the kernel finds anything ready on the entries that share this data. */
static bool any_ready(int epfd, uint64_t data)
{
    for (uint32_t at = *bucket_of(epfd, data); at; at = lists.entry[at].next_in_bucket)
        if (matches(&lists.entry[at], epfd, data) && kernel_events(&lists.entry[at]))
            return true;
    return false;
}

static int index_of(const struct epoll_event *events, int count, uint64_t data)
{
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == data)
            return i;
    return -1;
}

/* Whether the entry's socket is still there: asked where the wait tells of a tail again of which
 * nobody has taken a part since, for the socket may have been closed behind our back. */
static bool still_is(struct entry *entry)
{
    size_t before = entry->told;

    table_look(engine.table, entry->cookie, &entry->told);
    return entry->told != before || socket_ask_cookie(entry->fd) == entry->cookie ||
           socket_next_duplicate(entry->fd, -1, entry->cookie) >= 0;
}

/* One event of an active entry that is alone with its data. False: nothing is ready after all. */
static bool complete_event(struct entry *entry, struct epoll_event *event)
{
    bool stood_in = entry->stand_in >= 0, held = false;

    if (stood_in || entry->unsignalled)
        held = is_held(entry->cookie) && still_is(entry);

    if (entry->events & EPOLLONESHOT) {
        if (stood_in && !held && !kernel_events(entry)) {
            detach(entry, false); /* and the socket's own registration is armed again */
            return false;
        }
        entry->armed = false;
        if (stood_in)
            event->events |= kernel_events(entry);
        detach(entry, false);
    } else if (held) {
        if (entry->events & 0xffff & ~(uint32_t)READABLE)
            event->events |= kernel_events(entry);
        if (entry->events & EPOLLET)
            detach(entry, false); /* the edge has been told */
    } else if (stood_in) {
        detach(entry, false);
        if (!(entry->events & EPOLLET))
            event->events = kernel_events(entry);
    }
    if (held)
        event->events |= entry->events & READABLE;
    event->events &= entry->events | EPOLLERR | EPOLLHUP;
    return event->events != 0;
}

/* Kernel events and a tail's event for one descriptor become one. Returns the new count. */
static int complete_locked(int epfd, struct epoll_event *events, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        struct epoll_event event = events[i];
        struct entry *entry;
        unsigned sharing = find_by_data(epfd, event.data.u64, &entry);

        if (entry && sharing == 1) {
            int earlier = index_of(events, kept, event.data.u64);

            if (earlier >= 0) {
                events[earlier].events |= event.events & entry->events;
                continue;
            }
            if (!complete_event(entry, &event))
                continue;
        } else if (entry) {
            /* Several descriptors with one data: the program cannot tell them apart either. */
            bool one_shot = entry->events & EPOLLONESHOT, held = is_held(entry->cookie);

            if (one_shot)
                entry->armed = false;
            if (one_shot || !held)
                detach(entry, false);
            if (!held && !(entry->events & (EPOLLONESHOT | EPOLLET)) &&
                !any_ready(epfd, event.data.u64))
                continue;
        } else if (sharing == 1 && index_of(events, kept, event.data.u64) >= 0) {
            /* The second event of a one shot that the first one has ended. */
            events[index_of(events, kept, event.data.u64)].events |= event.events;
            continue;
        }
        events[kept++] = event;
    }
    return kept;
}

/* Tails that could not be given a stand-in. */
static int add_unsignalled_locked(const struct interest_wait *wait, int count)
{
    for (uint32_t at = lists.first_active; at && count < wait->max;
         at = lists.entry[at].next_active) {
        struct entry *entry = &lists.entry[at];

        if (entry->unsignalled && entry->epfd == wait->epfd && is_current(entry) &&
            is_held(entry->cookie) && index_of(wait->events, count, entry->data.u64) < 0)
            wait->events[count++] =
                (struct epoll_event){entry->events & READABLE, entry->data};
    }
    return count;
}

static bool any_unsignalled_locked(int epfd)
{
    for (uint32_t at = lists.first_active; at; at = lists.entry[at].next_active)
        if (lists.entry[at].unsignalled && lists.entry[at].epfd == epfd &&
            is_current(&lists.entry[at]) && is_held(lists.entry[at].cookie))
            return true;
    return false;
}

static int64_t coarse_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int interest_complete(int epfd, struct epoll_event *events, int count)
{
    sigset_t signals;

    if (count <= 0 || !interest_concerns() || !in_range(epfd))
        return count;
    enter(&signals);
    count = complete_locked(epfd, events, count);
    leave(&signals);
    return count;
}

int interest_wait(const struct interest_wait *wait)
{
    int64_t start = wait->timeout > 0 ? coarse_now() : 0, timeout = wait->timeout;

    for (;;) {
        bool unsignalled = false;
        sigset_t signals;
        int count;

        if (interest_concerns() && in_range(wait->epfd)) {
            enter(&signals);
            unsignalled = any_unsignalled_locked(wait->epfd);
            leave(&signals);
        }
        count = wait->call(wait, unsignalled ? 0 : timeout);
        if (count < 0)
            return -errno;
        if ((count == 0 && !unsignalled) || !interest_concerns() || !in_range(wait->epfd))
            return count;

        enter(&signals);
        count = complete_locked(wait->epfd, wait->events, count);
        if (unsignalled)
            count = add_unsignalled_locked(wait, count);
        leave(&signals);
        if (count > 0 || timeout == 0)
            return count;
        if (wait->timeout > 0) {
            timeout = wait->timeout - (coarse_now() - start);
            timeout = timeout > 0 ? timeout : 0;
        }
    }
}
