/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stand_in.h"

#include "engine.h"
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    OUT_OF_THE_WAY = 256, /* descriptor numbers below this are left to the program */
    /* The kernel's private bits, which a fired shot keeps (EP_PRIVATE_BITS). */
    MANNER = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP,
    /* Marks a registration as silenced: nothing ever raises it on a socket. */
    SILENCED = EPOLLMSG,
};

__thread int stand_in_waited = STAND_IN_NEVER_WAITED;

bool stand_in_is_held(uint64_t cookie)
{
    enum held_kind kind;

    if (!table_may_hold(engine.table, cookie))
        return false;
    kind = table_look(engine.table, cookie, NULL);
    return kind == HELD_HERE || kind == HELD_STREAM;
}

static int control(const struct registration *registration, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {events, registration->data};

    return engine.system.epoll_ctl(registration_set(registration)->epfd, operation, fd, &event);
}

/* --- the kernel's word ------------------------------------------------------------------- */

struct fdinfo {
    int fd;
    off_t at;
    size_t length, next;
    char text[1024];
};

/* A line without its end, cut to the room that there is; false: the end. */
static bool fdinfo_line(struct fdinfo *info, char *line, size_t room)
{
    size_t length = 0;

    for (;;) {
        if (info->next == info->length) {
            ssize_t got = pread(info->fd, info->text, sizeof info->text, info->at);

            if (got <= 0)
                return false;
            info->at += got;
            info->length = (size_t)got;
            info->next = 0;
        }
        if (info->text[info->next] == '\n')
            break;
        if (length + 1 < room)
            line[length++] = info->text[info->next];
        info->next++;
    }
    info->next++;
    line[length] = '\0';
    return true;
}

/* The number after `name`, which is taken off; 0 where it is not there. */
static uint64_t number_after(const char **line, const char *name, unsigned base)
{
    const char *at = strstr(*line, name);
    uint64_t number = 0;

    if (!at)
        return 0;
    for (at += strlen(name); *at == ' '; at++)
        continue;
    for (unsigned digit;; at++) {
        digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                           : base;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    *line = at;
    return number;
}

static void write_number(char *to, unsigned number)
{
    char digits[10];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *to++ = digits[--count];
    *to = '\0';
}

/* What the kernel waits for on `fd` in the set, by proc(5): "tfd: 5 events: 19 data: 1". -1: it
 * cannot be asked, or knows nothing of it. */
static int64_t kernel_waits_for(const struct set *set, int fd)
{
    char path[64] = "/proc/self/fdinfo/", line[128];
    struct fdinfo info = {.fd = -1};
    int64_t events = -1;

    write_number(path + strlen(path), (unsigned)set->epfd);
    info.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (info.fd < 0)
        return -1;
    while (events < 0 && fdinfo_line(&info, line, sizeof line)) {
        const char *rest = line;

        if (strncmp(line, "tfd:", 4) == 0 && number_after(&rest, "tfd:", 10) == (unsigned)fd)
            events = (int64_t)number_after(&rest, "events:", 16);
    }
    engine.system.close(info.fd);
    return events;
}

enum stand_in_shot stand_in_shot(const struct registration *registration)
{
    int64_t events = kernel_waits_for(registration_set(registration), registration->fd);

    if (events < 0)
        return SHOT_UNKNOWN;
    if ((events & ~(int64_t)MANNER) == 0)
        return SHOT_FIRED;
    if (events & SILENCED)
        return SHOT_SILENCED;
    return events & STAND_IN_READABLE ? SHOT_ARMED : SHOT_TOLD;
}

bool stand_in_has_fired(const struct registration *registration)
{
    return (kernel_waits_for(registration_set(registration), registration->stand_in) &
            ~(int64_t)MANNER) == 0;
}

static void set_due(struct registration *registration, bool due)
{
    if (due && !registration->due)
        atomic_fetch_add(&registration_set(registration)->dues, 1);
    else if (!due && registration->due)
        atomic_fetch_sub(&registration_set(registration)->dues, 1);
    registration->due = due;
}

/* --- begin ------------------------------------------------------------------------------- */

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

static uint32_t stand_in_events(const struct registration *registration)
{
    uint32_t manner = registration->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE);

    if (set_is_inherited(registration_set(registration)))
        manner |= EPOLLET;
    return EPOLLIN | manner;
}

static bool attach(struct registration *registration)
{
    static atomic_int told;
    int fd = make_eventfd();

    if (fd >= 0 &&
        control(registration, EPOLL_CTL_ADD, fd, stand_in_events(registration)) != 0) {
        engine.system.close(fd);
        fd = -1;
    }
    if (fd < 0) {
        tell_once(told, "no eventfd for epoll: %s; from now on tails are held in the kernel",
                  strerrordesc_np(errno));
        engine_hold_in_kernel();
        return false;
    }
    registration->stand_in = fd;
    socket_set_ours(fd, true);
    if (registration->events & EPOLLONESHOT)
        registration->silenced = control(registration, EPOLL_CTL_MOD, registration->fd,
                                         EPOLLONESHOT | SILENCED) == 0;
    return true;
}

/* Whether nobody can be asleep in the set, or look at it but by our waits. */
static bool nobody_else_looks(const struct set *set)
{
    return system_is_single_threaded() && set_of(stand_in_waited) == set && !set->watched &&
           !set_is_inherited(set);
}

static void begin(struct registration *registration)
{
    struct set *set = registration_set(registration);
    bool alone = registration_is_alone(registration);

    registration->told = SIZE_MAX;
    set_due(registration, (alone && nobody_else_looks(set)) || !attach(registration) ||
                              (alone && set_is_inherited(set)));
    registration_set_active(registration, true);
}

static bool is_armed(const struct registration *registration)
{
    enum stand_in_shot shot = stand_in_shot(registration);

    /* Silenced, and not by us: by a process that may be gone. */
    return shot == SHOT_ARMED || shot == SHOT_SILENCED || shot == SHOT_UNKNOWN;
}

void stand_in_update(struct registration *registration, bool held, bool asked)
{
    if (!held || !(registration->events & STAND_IN_READABLE)) {
        if (registration->active)
            stand_in_end(registration, false);
    } else if (!registration->active) {
        if (asked || (!(registration->events & EPOLLET) &&
                      (!(registration->events & EPOLLONESHOT) || is_armed(registration))))
            begin(registration);
    }
}

void stand_in_expose(struct registration *registration)
{
    if (registration->stand_in < 0 && attach(registration) &&
        !set_is_inherited(registration_set(registration)))
        set_due(registration, false);
}

void stand_in_watch(struct set *set)
{
    set->watched = true;
    for (struct registration *each = registration_at(set->first_active); each;
         each = registration_at(each->next_active))
        stand_in_expose(each);
}

/* --- told, and ended --------------------------------------------------------------------- */

void stand_in_told(struct registration *registration)
{
    if (registration->events & EPOLLONESHOT) {
        /* The shot is spent, wherever it was. */
        control(registration, EPOLL_CTL_MOD, registration->fd, EPOLLONESHOT);
        registration->silenced = false;
        stand_in_end(registration, false);
    } else if (registration->events & EPOLLET) {
        stand_in_end(registration, false);
    } else if (registration->stand_in >= 0 && set_is_inherited(registration_set(registration))) {
        control(registration, EPOLL_CTL_MOD, registration->stand_in,
                stand_in_events(registration));
    }
}

/* Another process may have told of the tail, and spent the shot. */
static bool is_still_silenced(const struct registration *registration)
{
    enum stand_in_shot shot = SHOT_SILENCED;

    if (set_is_inherited(registration_set(registration)))
        shot = stand_in_shot(registration);
    return shot == SHOT_SILENCED || shot == SHOT_UNKNOWN;
}

void stand_in_end(struct registration *registration, bool closing)
{
    if (registration->stand_in >= 0) {
        /* Closed it would be out by itself, but for a child that has not come to its exec. */
        if (!closing)
            engine.system.epoll_ctl(registration_set(registration)->epfd, EPOLL_CTL_DEL,
                                    registration->stand_in, NULL);
        socket_set_ours(registration->stand_in, false);
        engine.system.close(registration->stand_in);
        registration->stand_in = -1;
    }
    if (registration->silenced && !closing && is_still_silenced(registration))
        control(registration, EPOLL_CTL_MOD, registration->fd, registration->events);
    registration->silenced = false;
    set_due(registration, false);
    registration_set_active(registration, false);
}

/* --- processes --------------------------------------------------------------------------- */

static void scan_one(struct registration *registration)
{
    stand_in_update(registration, stand_in_is_held(registration->cookie), false);
    /* What another process's wait was told of it is to be told here, too. */
    if (registration->stand_in >= 0 && !registration->due &&
        !(registration->events & (EPOLLET | EPOLLONESHOT)))
        stand_in_told(registration);
}

void stand_in_scan(struct set *set)
{
    for (struct registration *each = registration_at(set->first); each;
         each = registration_at(each->next_in_set))
        if (each->cookie && (each->active || table_may_hold(engine.table, each->cookie)))
            scan_one(each);
}

void stand_in_before_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        for (struct registration *each = registration_at(set->first_active), *next; each;
             each = next) {
            next = registration_at(each->next_active);
            stand_in_end(each, false);
            set_due(each, true);
            registration_set_active(each, true);
        }
}

void stand_in_after_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set)) {
        if (system_is_single_threaded() && !set->watched)
            continue;
        for (struct registration *each = registration_at(set->first_active); each;
             each = registration_at(each->next_active))
            stand_in_expose(each);
    }
}
