/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_proxy.h"

#include "base/diag.h"
#include "base/libc.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

/* Lower descriptor numbers are left to the program. Flares are apart from the proxies: none of these may
 * have the number of a flare when that is to be put out. */
enum { OUT_OF_THE_WAY = 256, FLARES = 512 };

enum {
    /* The bits that a registration keeps when its one shot has fired (EP_PRIVATE_BITS). */
    MANNER = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP,
    /* Marks a registration as muted: no socket ever raises it. */
    MUTED = EPOLLMSG,
    MUTED_LOW = 0x7ff & ~(EPOLLERR | EPOLLHUP | EPOLLMSG),
    MUTED_SHIFT = 16,
    MUTED_RDHUP = 1 << 27,
    FLARE = EPOLLOUT | MUTED,
};

__thread int proxy_waited = PROXY_NEVER_WAITED;
atomic_uint proxy_muted;

bool proxy_look(uint64_t cookie, size_t *ret_left)
{
    enum held_kind kind;

    if (!table_may_hold(state.table, cookie))
        return false;
    kind = table_look(state.table, cookie, ret_left);
    return kind == HELD_HERE || kind == HELD_STREAM;
}

static bool is_inherited(const struct registration *registration)
{
    return atomic_load_explicit(&registration_set(registration)->inherited, memory_order_relaxed);
}

/* `fd`: the program's, or one of ours. 0, or a negative errno. */
static int control(const struct registration *registration, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {events, registration->data};
    int epfd = registration_set(registration)->epfd;

    if (fd != registration->fd)
        return sys_epoll_ctl(epfd, operation, fd, &event);
    return next_calls.epoll_ctl(epfd, operation, fd, &event) == 0 ? 0 : -errno;
}

/* --- what the kernel has ------------------------------------------------------------------ */

/* The events of a muted registration. The program's own are kept in bits that no socket or eventfd
 * ever raises. */
static uint32_t muted_events(uint32_t events)
{
    return EPOLLONESHOT | MUTED | (events & MUTED_LOW) << MUTED_SHIFT |
           (events & EPOLLRDHUP ? MUTED_RDHUP : 0);
}

bool proxy_is_muted(const struct fdinfo_entry *entry, uint32_t *ret_events)
{
    if (!(entry->events & MUTED) || !(entry->events & EPOLLONESHOT) || (entry->events & EPOLLOUT))
        return false;
    *ret_events = EPOLLONESHOT | (entry->events >> MUTED_SHIFT & MUTED_LOW) |
                  (entry->events & MUTED_RDHUP ? (uint32_t)EPOLLRDHUP : 0);
    return true;
}

bool proxy_may_be_flare(const struct fdinfo_entry *entry)
{
    return entry->fd >= OUT_OF_THE_WAY && (entry->events & EPOLLONESHOT) &&
           ((entry->events & ~(uint32_t)MANNER) == 0 || (entry->events & FLARE) == FLARE);
}

enum proxy_shot proxy_shot(const struct registration *registration)
{
    int64_t events = fdinfo_events(registration_set(registration)->epfd, registration->fd);

    if (events < 0)
        return SHOT_UNKNOWN;
    if ((events & ~(int64_t)MANNER) == 0)
        return SHOT_FIRED;
    if (events & MUTED)
        return SHOT_MUTED;
    return events & PROXY_READABLE ? SHOT_ARMED : SHOT_REPORTED;
}

bool proxy_has_fired(const struct registration *registration)
{
    return (fdinfo_events(registration_set(registration)->epfd, registration->proxy) &
            ~(int64_t)MANNER) == 0;
}

/* --- begin ------------------------------------------------------------------------------- */

static int make_eventfd(void)
{
    int fd = sys_eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), moved;

    if (fd < 0 || fd >= OUT_OF_THE_WAY)
        return fd;
    moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (moved < 0)
        return fd;
    sys_close(fd);
    return moved;
}

static uint32_t proxy_events(const struct registration *registration)
{
    uint32_t manner = registration->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE);

    if (is_inherited(registration))
        manner |= EPOLLET;
    return EPOLLIN | manner;
}

/* The duplicate is closed at once. To take the flare out, the same number is used again; if the
 * program has it meanwhile, the flare stays until it fires or the socket is closed. */
static void light_flare(struct registration *registration)
{
    int fd, error;

    if (!fd_has_cookie(registration->fd, registration->cookie))
        return;
    fd = sys_fcntl(registration->fd, F_DUPFD_CLOEXEC, FLARES);
    if (fd == -EINVAL) /* more than the limit of descriptors */
        fd = sys_fcntl(registration->fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (fd < 0)
        return;
    error = control(registration, EPOLL_CTL_ADD, fd, EPOLLONESHOT | FLARE);
    if (error == -EEXIST)
        error = control(registration, EPOLL_CTL_MOD, fd, EPOLLONESHOT | FLARE);
    if (!error)
        registration->flare = fd;
    sys_close(fd);
}

static void put_out_flare(struct registration *registration)
{
    int fd = sys_fcntl(registration->fd, F_DUPFD_CLOEXEC, registration->flare);

    /* If it is another socket by now, the set does not have it by this number. */
    if (fd == registration->flare)
        control(registration, EPOLL_CTL_DEL, fd, 0);
    if (fd >= 0)
        sys_close(fd);
    registration->flare = -1;
}

/* Puts the proxy into the set, or arms it again. 0, or a negative errno. */
static int insert(struct registration *registration)
{
    uint32_t events = proxy_events(registration);
    int fd = registration->proxy, error;

    if (fd >= 0)
        return control(registration, EPOLL_CTL_MOD, fd, events);
    fd = make_eventfd();
    if (fd < 0)
        return fd;
    error = control(registration, EPOLL_CTL_ADD, fd, events);
    if (error) {
        sys_close(fd);
        return error;
    }
    registration->proxy = fd;
    fd_set_internal(fd, true);
    return 0;
}

static void mute(struct registration *registration)
{
    if (is_inherited(registration)) {
        atomic_fetch_add(&proxy_muted, 1);
        atomic_fetch_add(&state.table->muted, 1);
    }
    registration->muted = control(registration, EPOLL_CTL_MOD, registration->fd,
                                  muted_events(registration->events)) == 0;
}

static bool attach(struct registration *registration)
{
    static atomic_int reported;
    int error = insert(registration);

    if (error) {
        diag_once(reported, "no eventfd for epoll: %s; from now on tails are held in the kernel",
                  strerrordesc_np(-error));
        state_hold_in_kernel();
        return false;
    }
    if (registration->events & EPOLLONESHOT)
        mute(registration);
    /* With several registrations of one data, the flare's event would count as one of theirs. */
    if (is_inherited(registration) && registration_is_alone(registration))
        light_flare(registration);
    return true;
}

bool proxy_only_waits_look(const struct set *set)
{
    return sys_is_single_threaded() && set_of(proxy_waited) == set && !set->exposed &&
           !set->inherited;
}

static void begin(struct registration *registration)
{
    struct set *set = registration_set(registration);
    bool alone = registration_is_alone(registration), pending;

    registration->reported = SIZE_MAX;
    pending = (alone && registration->proxy < 0 && proxy_only_waits_look(set)) ||
              !attach(registration) || (alone && is_inherited(registration));
    registration_set_state(registration, pending ? TAIL_PENDING : TAIL_SHOWN);
}

static bool is_armed(const struct registration *registration)
{
    enum proxy_shot shot = proxy_shot(registration);

    /* Muted by another process, which may be gone. */
    return shot == SHOT_ARMED || shot == SHOT_MUTED || shot == SHOT_UNKNOWN;
}

/* A tail has come that the program has not asked for by a call just now. */
static void begin_unasked(struct registration *registration)
{
    struct set *set = registration_set(registration);
    bool one_shot = registration->events & EPOLLONESHOT;

    if (registration->events & EPOLLET)
        return;
    if (one_shot && registration_is_alone(registration) && proxy_only_waits_look(set))
        /* The program nearly always arms it before it waits. */
        registration_set_state(registration, TAIL_UNSURE);
    else if (!one_shot || is_armed(registration))
        begin(registration);
}

/* If it has lingered, it is pending for a tail that has just come. */
static bool is_pending_in_vain(const struct registration *registration)
{
    return !(registration->events & (EPOLLET | EPOLLONESHOT)) &&
           registration_state(registration) == TAIL_PENDING && registration->proxy < 0 &&
           !is_inherited(registration) && !proxy_only_waits_look(registration_set(registration));
}

void proxy_update(struct registration *registration, bool held, bool requested)
{
    enum tail_state before = registration_state(registration);

    if (!held || !(registration->events & PROXY_READABLE)) {
        if (before == TAIL_LOOSE)
            proxy_settle(registration); /* from now on a poll of the set does not look here */
        else if (before != TAIL_IDLE || registration->proxy >= 0)
            proxy_end(registration, false);
    } else if (before == TAIL_IDLE && requested) {
        begin(registration);
    } else if (before == TAIL_IDLE) {
        begin_unasked(registration);
    } else if (is_pending_in_vain(registration)) {
        proxy_expose(registration);
    }
}

void proxy_end_lingering(struct registration *registration)
{
    if (registration_state(registration) == TAIL_PENDING && registration->proxy < 0 &&
        !proxy_look(registration->cookie, NULL))
        proxy_end(registration, false);
}

void proxy_settle(struct registration *registration)
{
    enum tail_state before = registration_state(registration);

    proxy_end_lingering(registration);
    if (before == TAIL_UNSURE)
        registration_set_state(registration, is_armed(registration) ? TAIL_PENDING : TAIL_IDLE);
    if (before != TAIL_LOOSE)
        return;
    proxy_end(registration, false);
    control(registration, EPOLL_CTL_MOD, registration->fd, EPOLLONESHOT);
    registration_set_state(registration, TAIL_SPENT);
}

void proxy_expose(struct registration *registration)
{
    proxy_settle(registration);
    if (registration->proxy < 0 && registration_state(registration) == TAIL_PENDING &&
        attach(registration) && !is_inherited(registration))
        registration_set_state(registration, TAIL_SHOWN);
}

void proxy_watch(struct set *set)
{
    set->exposed = true;
    registration_each_active(set, proxy_expose);
}

/* --- reported, and ended ------------------------------------------------------------------- */

void proxy_reported(struct registration *registration)
{
    if (registration->events & EPOLLONESHOT) {
        /* The shot is spent, in whichever registration it was. While only our waits look, the other
         * one stays as it is; a proxy that has fired, as long as there is a tail. */
        struct set *set = registration_set(registration);
        bool keeps = registration->muted && !set->inherited && !set->exposed;

        registration->muted = false;
        if (!keeps)
            proxy_end(registration, false);
        registration_set_state(registration, TAIL_LOOSE);
        if (!keeps && !proxy_only_waits_look(set))
            proxy_settle(registration);
    } else if (registration->events & EPOLLET) {
        proxy_end(registration, false);
    } else if (registration->proxy >= 0 && is_inherited(registration)) {
        control(registration, EPOLL_CTL_MOD, registration->proxy, proxy_events(registration));
    }
}

/* Another process may have reported the tail, and spent the shot. */
static bool is_still_muted(const struct registration *registration)
{
    enum proxy_shot shot = SHOT_MUTED;

    if (is_inherited(registration))
        shot = proxy_shot(registration);
    return shot == SHOT_MUTED || shot == SHOT_UNKNOWN;
}

void proxy_end(struct registration *registration, bool closing)
{
    if (registration->proxy >= 0) {
        /* The close alone is not enough while a child that has not yet called exec has a copy. */
        if (!closing)
            control(registration, EPOLL_CTL_DEL, registration->proxy, 0);
        fd_set_internal(registration->proxy, false);
        sys_close(registration->proxy);
        registration->proxy = -1;
    }
    if (registration->flare >= 0)
        put_out_flare(registration);
    if (registration->muted && !closing && is_still_muted(registration))
        control(registration, EPOLL_CTL_MOD, registration->fd, registration->events);
    registration->muted = false;
    if (!proxy_is_spent(registration))
        registration_set_state(registration, TAIL_IDLE);
}

void proxy_reset(struct registration *registration, bool closing)
{
    registration->muted = false;
    proxy_end(registration, closing);
    registration_set_state(registration, TAIL_IDLE);
}

void proxy_renew(struct registration *registration)
{
    registration->muted = false;
    if (!proxy_is_spent(registration))
        proxy_end(registration, false);
    registration_set_state(registration, TAIL_IDLE);
}

/* --- processes --------------------------------------------------------------------------- */

void proxy_leave(struct registration *registration)
{
    if (!is_inherited(registration) || !registration->cookie)
        return;
    if (registration->muted && fd_has_cookie(registration->fd, registration->cookie) &&
        is_still_muted(registration))
        control(registration, EPOLL_CTL_MOD, registration->fd, registration->events);
    registration->muted = false;
    /* A waiter that the proxy has woken may not have looked yet. */
    if (proxy_look(registration->cookie, NULL))
        registration->flare = -1;
}

void proxy_share(struct set *set)
{
    registration_each_active(set, proxy_settle);
    set->inherited = true;
}

/* Its tail is found by the waits of both processes. */
static void take_out(struct registration *registration)
{
    proxy_end(registration, false);
    if (!proxy_is_spent(registration))
        registration_set_state(registration, TAIL_PENDING);
}

void proxy_before_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        registration_each_active(set, take_out);
}

void proxy_after_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        if (!sys_is_single_threaded() || set->exposed)
            registration_each_active(set, proxy_expose);
}

void proxy_close_copies(void)
{
    for (struct registration *each = registry_next_proxy(NULL); each;
         each = registry_next_proxy(each)) {
        fd_set_internal(each->proxy, false);
        sys_close(each->proxy);
    }
}
