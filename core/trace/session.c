/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/session.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/critical_section.h"
#include "base/diag.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "state.h"
#include "trace/format.h"
#include "trace/output_file.h"
#include "trace/ring.h"
#include "trace/stats.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* --- a thread's place -------------------------------------------------------------------- */

enum { CACHE_LINE = 64 };

/* Names of a socket, asked for once: they belong to the cookie. What an Internet socket needs of
 * them lies in one line of the cache. */
struct names {
    uint64_t cookie;
    int fd;
    socklen_t local_length, peer_length;
    struct sockaddr_storage local, peer;
} __attribute__((aligned(CACHE_LINE)));

enum { NAMES = 64, ROWS = 4 };

/* Everything that a thread writes to without asking others. A thread that ends leaves it to the
 * next; so does a signal handler that has interrupted its thread in the midst of it. */
struct thread_buffer {
    struct thread_buffer *next; /* of all places of the process; written once */
    atomic_bool taken;
    atomic_bool writing; /* the thread is in the midst of a record */
    uint32_t tid;
    struct stats_row *row[ROWS]; /* where a descriptor was counted last */
    struct clock clock __attribute__((aligned(CACHE_LINE)));
    struct ring_writer ring;
    struct output_file_window window;
    struct names names[NAMES];
    struct stats_table stats;
    struct format_cache lines;
    char line[]; /* FORMAT_LINE_MAX */
};

/* `epoch`: that of the process for which it was taken. */
static __thread struct {
    struct thread_buffer *place;
    unsigned epoch;
} own;

static pthread_key_t at_thread_end;

/* --- the process ------------------------------------------------------------------------- */

/* The kernel wipes this page in a child, by whatever call it was made. */
struct alive {
    atomic_uint epoch; /* 0: a child that has not begun its own trace yet */
};

#define EPOCH_ENDED (~0u) /* no more records */

static struct {
    /* What every record asks for is in one line of the cache. */
    enum trace_kind kind;
    bool stats;
    bool filters;
    size_t data_size;
    long east;
    struct trace_filter filter;
    struct ring_settings ring;
    const char *mode;
    char pattern[PATH_MAX], stats_pattern[PATH_MAX];
    char directory[PATH_MAX], start_time[24];
    struct output_file standard; /* stderr at the start */
} __attribute__((aligned(CACHE_LINE))) config;

static FAST_PATH_DATA struct alive *alive;
static atomic_uint epochs;
static uint32_t pid;
static int64_t realtime_offset;
static _Atomic(struct thread_buffer *) places;
static atomic_ulong lines;
static struct output_file output, stats_output;
static struct ring_process ring;
static atomic_bool ended;

FAST_PATH_DATA _Atomic unsigned char trace_level;

static const char *extension(enum trace_kind kind)
{
    return kind == TRACE_TEXT ? "txt" : kind == TRACE_JSONL ? "jsonl" : "ring";
}

static void begin_output(struct output_file *file, const char *pattern, const char *suffix)
{
    memset(file, 0, sizeof *file);
    if (!output_file_expand(pattern, config.directory, config.start_time, suffix, file->path,
                            sizeof file->path))
        output_file_give_up(file, -ENAMETOOLONG);
}

/* The process, or a new child, has nothing yet. */
static void begin(uint32_t parent)
{
    struct clock clock = {0};
    char suffix[24] = "";

    pid = (uint32_t)sys_getpid();
    realtime_offset = clock_realtime_offset();
    atomic_store(&places, NULL);
    atomic_store(&lines, 0);
    atomic_store(&ended, false);
    if (parent) {
        char *at = suffix + sizeof suffix - 1;

        *at = '\0';
        for (uint32_t rest = pid; rest > 0; rest /= 10)
            *--at = (char)('0' + rest % 10);
        *--at = '.';
        memmove(suffix, at, strlen(at) + 1);
    }
    if (config.kind == TRACE_TEXT && !config.pattern[0]) {
        output = config.standard;
    } else if (config.kind != TRACE_OFF) {
        begin_output(&output, config.pattern, suffix);
        if (config.kind == TRACE_RING)
            ring_prepare(&ring, &config.ring, &output, parent, clock_now(&clock));
    }
    if (config.stats_pattern[0])
        begin_output(&stats_output, config.stats_pattern, suffix);
    else
        stats_output = config.standard;
    atomic_store_explicit(&alive->epoch, atomic_fetch_add(&epochs, 1) + 1, memory_order_release);
}

void trace_forked(void)
{
    if (trace_on() && atomic_load(&alive->epoch) == 0)
        begin(pid);
}

static void leave(void *at)
{
    struct thread_buffer *place = at;

    output_file_window_drop(&place->window, FORMAT_LINE_MAX(config.data_size));
    if (own.place == place)
        own.place = NULL;
    atomic_store_explicit(&place->taken, false, memory_order_release);
}

/* --- start ------------------------------------------------------------------------------- */

static void copy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);

    if (length >= size)
        length = size - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

static void note_time(void)
{
    time_t now = time(NULL);
    struct tm local;

    if (!localtime_r(&now, &local))
        return;
    config.east = local.tm_gmtoff;
    strftime(config.start_time, sizeof config.start_time, "%Y%m%d-%H%M%S", &local);
}

void trace_start(const struct settings *settings)
{
    static const char *const modes[] = {MODE_WORDS(WORD_TEXT)};
    long page = sysconf(_SC_PAGESIZE);
    int error;
    void *at;

    if ((settings->trace == TRACE_OFF && !settings->stats) || settings->mode == MODE_OFF)
        return;
    config.kind = settings->trace;
    config.stats = settings->stats != NULL;
    config.filter = settings->trace_filter;
    config.filters = !record_filter_is_empty(&config.filter);
    config.data_size = settings->trace_data;
    config.mode = modes[settings->mode];
    if (settings->stats)
        copy(config.stats_pattern, settings->stats, sizeof config.stats_pattern);
    if (settings->trace_file) {
        copy(config.pattern, settings->trace_file, sizeof config.pattern);
    } else if (settings->trace != TRACE_TEXT) {
        copy(config.pattern, "wsrx.%e.%p.", sizeof config.pattern);
        strcat(config.pattern, extension(settings->trace));
    }
    if (sys_getcwd(config.directory, sizeof config.directory) < 0)
        copy(config.directory, ".", sizeof config.directory);
    note_time();
    config.ring = (struct ring_settings){settings->trace_size, settings->trace_keep_all,
                                         settings->trace_data, config.east};
    output_file_take_standard(&config.standard);
    clock_start();

    at = sys_map((size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &error);
    if (!error)
        error = sys_madvise(at, (size_t)page, MADV_WIPEONFORK);
    if (!error)
        error = -pthread_key_create(&at_thread_end, leave);
    if (error) {
        diag("cannot trace: %s; the program goes on without it", strerrordesc_np(-error));
        return;
    }
    alive = at;
    sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    begin(0);
    atomic_store(&trace_level, config.kind == TRACE_OFF ? TRACE_LEVEL_COUNTS : TRACE_LEVEL_RECORDS);
}

/* --- a place for the thread -------------------------------------------------------------- */

static struct thread_buffer *new_place(void)
{
    struct thread_buffer *place =
        sys_map_private(sizeof *place + FORMAT_LINE_MAX(config.data_size));

    if (!place)
        return NULL;
    atomic_store(&place->taken, true);
    place->next = atomic_load(&places);
    while (!atomic_compare_exchange_weak(&places, &place->next, place))
        continue;
    return place;
}

static struct thread_buffer *take_place(void)
{
    struct thread_buffer *place = atomic_load(&places);

    for (; place; place = place->next) {
        bool taken = false;

        if (atomic_compare_exchange_strong(&place->taken, &taken, true))
            break;
    }
    if (!place)
        place = new_place();
    if (place) {
        /* Another thread's clock, names of sockets it has closed since: none of our business. */
        memset(&place->clock, 0, sizeof place->clock);
        place->tid = (uint32_t)sys_gettid();
    }
    return place;
}

static void leave_place(struct thread_buffer *place)
{
    atomic_store_explicit(&place->writing, false, memory_order_release);
    if (__builtin_expect(place != own.place, 0))
        leave(place);
}

/* The first record of a thread or a process, or one in a signal handler on top of another. */
__attribute__((noinline)) static struct thread_buffer *enter_slowly(void)
{
    unsigned epoch = atomic_load(&alive->epoch);
    struct thread_buffer *place;

    if (epoch == 0) {
        begin(pid);
        epoch = atomic_load(&alive->epoch);
    }
    if (own.epoch != epoch)
        own.place = NULL;
    own.epoch = epoch;
    place = take_place();
    if (!place)
        return NULL;
    atomic_store(&place->writing, true);
    if (!own.place) {
        own.place = place;
        pthread_setspecific(at_thread_end, place);
    }
    if (atomic_load(&alive->epoch) != EPOCH_ENDED)
        return place;
    leave_place(place);
    return NULL;
}

/* The thread's place, now its own alone, or NULL: it has none that is free, or the program has
 * ended. Who ends it makes the two steps below appear in their order (membarrier(2)), at no cost
 * here. */
static inline struct thread_buffer *enter_own(void)
{
    struct thread_buffer *place = own.place;

    if (!LIKELY(place && !atomic_load_explicit(&place->writing, memory_order_relaxed)))
        return NULL;
    atomic_store_explicit(&place->writing, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (LIKELY(atomic_load_explicit(&alive->epoch, memory_order_acquire) == own.epoch))
        return place;
    atomic_store_explicit(&place->writing, false, memory_order_relaxed);
    return NULL;
}

/* That, or another place; NULL: no memory, or the program has ended. */
static inline struct thread_buffer *enter(void)
{
    struct thread_buffer *place = enter_own();

    return LIKELY(place) ? place : enter_slowly();
}

/* --- a record ---------------------------------------------------------------------------- */

__attribute__((noinline)) static void ask_names(struct names *names, const struct record *record)
{
    names->fd = record->fd;
    names->local_length = sizeof names->local;
    if (sys_getsockname(record->fd, (struct sockaddr *)&names->local, &names->local_length) != 0)
        names->local_length = 0;
    names->peer_length = sizeof names->peer;
    if (sys_getpeername(record->fd, (struct sockaddr *)&names->peer, &names->peer_length) != 0)
        names->peer_length = 0;
    /* Before it sends or is bound, a socket has no name: ask again next time. */
    names->cookie =
        record_port((struct sockaddr *)&names->local, names->local_length) == 0 &&
                (names->local.ss_family == AF_INET || names->local.ss_family == AF_INET6)
            ? 0
            : record->cookie;
}

static inline const struct names *names_of(struct thread_buffer *place, const struct record *record)
{
    struct names *names = &place->names[(unsigned)record->fd % NAMES];

    if (__builtin_expect(names->cookie != record->cookie || names->fd != record->fd, 0))
        ask_names(names, record);
    return names;
}

__attribute__((noinline)) static void write_line(struct thread_buffer *place, struct record *record)
{
    size_t longest = FORMAT_LINE_MAX(config.data_size), length;
    int now = atomic_load_explicit(&output.state, memory_order_acquire), none = OUTPUT_NONE;

    if (now == OUTPUT_BROKEN)
        return;
    record->sequence = atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed) + 1;
    length = config.kind == TRACE_TEXT
                 ? format_text(&place->lines, record, config.east, place->line)
                 : format_jsonl(&place->lines, record, place->line);
    if (now == OUTPUT_NONE) {
        struct critical_section section;

        critical_section_enter(&section);
        if (atomic_compare_exchange_strong(&output.state, &none, OUTPUT_MAKING))
            output_file_close(output_file_make(&output, longest, true));
        critical_section_leave(&section);
    }
    /* Another thread makes it, with its signals blocked: that takes some microseconds. */
    for (int tries = 0; tries < 100000; tries++) {
        now = atomic_load_explicit(&output.state, memory_order_acquire);
        if (now != OUTPUT_MAKING)
            break;
        sys_yield();
    }
    switch (now) {
    case OUTPUT_MAPPED:
        output_file_add_line(&output, &place->window, place->line, length, longest);
        break;
    case OUTPUT_STREAM:
        output_file_write_stream(&output, place->line, length);
        break;
    case OUTPUT_STANDARD:
        if (output_file_write_standard(&output, place->line, length))
            break;
        /* The program has put something of its own there. From now on to a file. */
        copy(config.pattern, "wsrx.%e.%p.txt", sizeof config.pattern);
        atomic_store(&output.state, OUTPUT_MAKING);
        begin_output(&output, config.pattern, "");
        output_file_close(output_file_make(&output, longest, true));
        if (atomic_load(&output.state) == OUTPUT_MAPPED)
            output_file_add_line(&output, &place->window, place->line, length, longest);
        break;
    default:
        break;
    }
}

/* All of a record but what is written: names, statistics, filter. Whether it is to be written. */
static inline bool complete(struct thread_buffer *place, struct record *record)
{
    const struct names *names = names_of(place, record);

    record->local = (const struct sockaddr *)&names->local;
    record->local_length = names->local_length;
    if (record->peer_length == 0) {
        record->peer = (const struct sockaddr *)&names->peer;
        record->peer_length = names->peer_length;
    }
    if (!LIKELY(!config.stats))
        place->row[(unsigned)record->fd % ROWS] = stats_add(&place->stats, record);
    return LIKELY(config.kind != TRACE_OFF) &&
           (LIKELY(!config.filters) || record_filter_match(&config.filter, record));
}

static inline void add(struct thread_buffer *place, struct record *record)
{
    if (!LIKELY(complete(place, record)))
        return;
    record->tid = place->tid;
    record->time = clock_now(&place->clock);
    if (record->data_length > config.data_size)
        record->data_length = config.data_size;
    if (LIKELY(config.kind == TRACE_RING)) {
        ring_write(&ring, &place->ring, record);
    } else {
        record->pid = pid;
        record->time += (uint64_t)realtime_offset;
        write_line(place, record);
    }
}

/* No memory for a place, or the end. */
static void drop(void)
{
    if (config.kind == TRACE_RING)
        ring_drop(&ring);
}

void trace_add(struct record *record)
{
    struct thread_buffer *place = enter();

    if (!place) {
        drop();
        return;
    }
    add(place, record);
    leave_place(place);
}

bool trace_counted(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length)
{
    struct thread_buffer *place = enter_own();
    struct stats_row *row;
    bool same;

    if (!LIKELY(place))
        return false;
    row = place->row[(unsigned)fd % ROWS];
    same = LIKELY(row && row->cookie == cookie && row->call == call);
    if (same)
        stats_count(row, room, length);
    atomic_store_explicit(&place->writing, false, memory_order_release);
    return same;
}

void trace_fitting(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length,
                   const void *data, const void *caller, const struct sockaddr *peer,
                   socklen_t peer_length)
{
    struct thread_buffer *place = enter();
    struct record record;

    if (!place) {
        drop();
        return;
    }
    record.cookie = cookie;
    record.caller = (uintptr_t)caller;
    record.room = room;
    record.length = record.given = length;
    record.offset = record.left = record.lost = 0;
    record.fd = fd;
    record.call = call;
    record.flags = RECORD_LAST;
    record.error = 0;
    record.peer = peer;
    record.peer_length = peer_length;
    record.data = data;
    record.data_length = length;
    add(place, &record);
    leave_place(place);
}

/* --- the end ----------------------------------------------------------------------------- */

static void print_stats(void)
{
    static struct stats_table sum;
    static char text[64 << 10];
    enum { PROGRAM_MAX = 64 };
    const char *program = state_program((char[STATE_PROGRAM]){0});
    char shown[4 * PROGRAM_MAX + 1];
    size_t length;
    int fd;

    for (struct thread_buffer *place = atomic_load(&places); place; place = place->next)
        stats_merge(&sum, &place->stats);
    *record_put_escaped(shown, program, strnlen(program, PROGRAM_MAX), false) = '\0';
    length = stats_text(&sum, shown, pid, config.mode, text, sizeof text);
    if (!config.stats_pattern[0]) {
        output_file_write_standard(&stats_output, text, length);
        return;
    }
    fd = output_file_make(&stats_output, 1, true);
    if (fd >= 0) {
        ssize_t written = sys_pwrite(fd, text, length, 0);
        int error = written < 0 ? (int)written : sys_ftruncate(fd, length);

        if (error || written != (ssize_t)length)
            output_file_give_up(&stats_output, error ? error : -ENOSPC);
        output_file_close(fd);
    } else if (atomic_load(&stats_output.state) == OUTPUT_STREAM) {
        output_file_write_stream(&stats_output, text, length);
    }
}

/* From now on nobody writes a record. False: a thread is still at it (it has been stopped, or has
 * left by siglongjmp()). */
static bool end_of_writing(void)
{
    atomic_store(&alive->epoch, EPOCH_ENDED);
    if (sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
        return false;
    for (struct thread_buffer *place = atomic_load(&places); place; place = place->next)
        for (int tries = 0; atomic_load(&place->writing); tries++) {
            if (tries == 10000 || place == own.place)
                return false;
            sys_yield();
        }
    return true;
}

void trace_end(void)
{
    /* A vfork()ed child shares our memory, and its _exit() is not our end. */
    if (!trace_on() || (uint32_t)sys_getpid() != pid || atomic_exchange(&ended, true))
        return;
    /* Whoever writes beyond the end of a file that is cut would get SIGBUS. */
    if (!end_of_writing())
        return;
    /* A child that has received nothing has nothing to tell. */
    if (config.stats && atomic_load(&places))
        print_stats();
    if (config.kind == TRACE_RING)
        ring_end(&ring);
    else if (config.kind != TRACE_OFF)
        output_file_end(&output, atomic_load(&output.position));
}
