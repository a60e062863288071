/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/session.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/libc.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "state.h"
#include "trace/format.h"
#include "trace/line_output.h"
#include "trace/modules.h"
#include "trace/output_file.h"
#include "trace/output_path.h"
#include "trace/program.h"
#include "trace/ring.h"
#include "trace/stats.h"
#include "trace/summary.h"
#include "trace/thread_buffer.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* --- what does not change after the start ------------------------------------------------ */

static struct {
    /* What every record asks for is in one line of the cache. */
    enum trace_kind kind;
    bool stats;
    bool filters;
    bool to_standard; /* error: lines */
    size_t data_size;
    long east;
    struct trace_filter filter;
    struct ring_settings ring;
    const char *mode;
    char pattern[PATH_MAX], stats_pattern[PATH_MAX];
    char directory[PATH_MAX], start_time[24];
} __attribute__((aligned(64))) config;

FAST_PATH_DATA _Atomic unsigned char trace_level;

/* --- the process ------------------------------------------------------------------------- */

static uint32_t pid, parent; /* 0: the first process has not begun yet */
static int64_t realtime_offset;
static uint64_t began; /* by CLOCK_MONOTONIC */
static atomic_ulong lines;
static atomic_uint modules_told; /* in JSON Lines: so many have a line */
static struct output_file output, stats_output;
static struct line_output line_output;
static struct ring_process ring;
static atomic_bool ended;

/* The first line of JSON Lines. */
static size_t make_start(char *to)
{
    const struct format_start start = {.time = began + (uint64_t)realtime_offset,
                                       .pid = pid,
                                       .parent = parent,
                                       .program = &trace_program,
                                       .library = WSRX_VERSION};

    return config.kind == TRACE_JSONL ? format_jsonl_start(&start, to) : 0;
}

/* The process, or a new child, has nothing yet. */
static void begin(void)
{
    struct clock clock = {0};
    char suffix[24];
    struct strbuf text = strbuf_in(suffix, sizeof suffix);
    struct output_path_facts facts = {config.directory, config.start_time, suffix, 0};

    parent = pid;
    pid = facts.pid = (uint32_t)(sys_is_sandboxed() ? state.pid : sys_getpid());
    if (parent) {
        strbuf_add_char(&text, '.');
        strbuf_add_number(&text, pid);
    }
    realtime_offset = clock_realtime_offset();
    began = clock_now(&clock);
    atomic_store(&lines, 0);
    atomic_store(&modules_told, 0);
    atomic_store(&ended, false);
    summary_begin();
    if (config.kind != TRACE_OFF)
        output_file_plan(&output, config.pattern, &facts);
    if (config.kind == TRACE_RING)
        ring_prepare(&ring, &config.ring, &output, parent, began);
    else
        line_output_plan(&line_output, &output, config.to_standard,
                         FORMAT_LINE_MAX(config.data_size), make_start);
    if (config.stats_pattern[0])
        output_file_plan(&stats_output, config.stats_pattern, &facts);
}

void trace_forked(void)
{
    if (trace_on())
        thread_buffers_begin();
}

/* --- start ------------------------------------------------------------------------------- */

static void copy(char *to, const char *from, size_t size)
{
    struct strbuf text = strbuf_in(to, size);

    strbuf_add(&text, from);
}

static void set_pattern(const struct settings *settings)
{
    static const char *const defaults[] = {
        [TRACE_TEXT] = "wsrx.%e.%p.txt", /* once stderr is not the same any more */
        [TRACE_JSONL] = "wsrx.%e.%p.jsonl",
        [TRACE_RING] = "wsrx.%e.%p.ring",
    };

    config.to_standard = settings->trace == TRACE_TEXT && !settings->trace_file;
    if (settings->trace != TRACE_OFF)
        copy(config.pattern,
             settings->trace_file ? settings->trace_file : defaults[settings->trace],
             sizeof config.pattern);
    if (settings->stats)
        copy(config.stats_pattern, settings->stats, sizeof config.stats_pattern);
    if (sys_getcwd(config.directory, sizeof config.directory) < 0)
        copy(config.directory, ".", sizeof config.directory);
}

static void set_time(void)
{
    time_t now = time(NULL);
    struct tm local;

    if (!localtime_r(&now, &local))
        return;
    config.east = local.tm_gmtoff;
    strftime(config.start_time, sizeof config.start_time, "%Y%m%d-%H%M%S", &local);
}

START_CODE void trace_start(const struct settings *settings)
{
    static const char *const modes[] = {"continue", "error", "discard", "observe", "off"};
    int error;

    if ((settings->trace == TRACE_OFF && !settings->stats) || settings->mode == MODE_OFF)
        return;
    config.kind = settings->trace;
    config.stats = settings->stats != NULL;
    config.filter = settings->trace_filter;
    config.filters = !record_filter_is_empty(&config.filter);
    config.data_size = settings->trace_data;
    config.mode = modes[settings->mode];
    set_pattern(settings);
    set_time();
    if (config.kind != TRACE_OFF) {
        trace_program_start(config.mode);
        modules_start(config.directory);
    }
    config.ring = (struct ring_settings){settings->trace_size, settings->trace_keep_all,
                                         settings->trace_data, config.east};
    clock_start();
    error = config.stats ? summary_start() : 0;
    if (!error)
        error = thread_buffers_start(FORMAT_LINE_MAX(config.data_size), begin);
    if (error) {
        diag("cannot trace: %s; the program goes on without it", strerrordesc_np(-error));
        return;
    }
    atomic_store(&trace_level, config.kind == TRACE_OFF ? TRACE_LEVEL_COUNTS : TRACE_LEVEL_RECORDS);
}

/* --- a record ---------------------------------------------------------------------------- */

static const struct record_module *module_of(const struct record *record)
{
    return modules_find(record->caller);
}

/* The modules that records of this process name, each in a line. */
static void write_modules(struct thread_buffer *buffer)
{
    unsigned number = atomic_load_explicit(&modules_told, memory_order_relaxed);
    const struct record_module *module;

    while (!LIKELY(number == MODULES) && !LIKELY(!(module = modules_get(number)))) {
        size_t length = format_jsonl_module(module, pid, buffer->line);

        if (atomic_compare_exchange_strong(&modules_told, &number, number + 1))
            line_output_add(&line_output, &buffer->window, buffer->line, length);
        number = atomic_load(&modules_told);
    }
}

__attribute__((noinline)) static void write_line(struct thread_buffer *buffer,
                                                 struct record *record)
{
    size_t length;

    if (!line_output_works(&line_output))
        return;
    buffer->lines.module_of = module_of;
    record->sequence = atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed) + 1;
    length = config.kind == TRACE_TEXT
                 ? format_text(&buffer->lines, record, config.east, buffer->line)
                 : format_jsonl(&buffer->lines, record, buffer->line);
    line_output_add(&line_output, &buffer->window, buffer->line, length);
    if (config.kind == TRACE_JSONL)
        write_modules(buffer);
}

/* All of a record but what is written: names, statistics, filter. Whether it is to be written. */
static inline bool complete(struct thread_buffer *buffer, struct record *record)
{
    const struct socket_names *names = socket_names_of(&buffer->names, record);

    record->local = (const struct sockaddr *)&names->local;
    record->local_length = names->local_length;
    if (record->peer_length == 0) {
        record->peer = (const struct sockaddr *)&names->peer;
        record->peer_length = names->peer_length;
    }
    if (!LIKELY(!config.stats))
        buffer->row[(unsigned)record->fd % THREAD_BUFFER_ROWS] = stats_add(&buffer->stats, record);
    return LIKELY(config.kind != TRACE_OFF) &&
           (LIKELY(!config.filters) || record_filter_match(&config.filter, record));
}

static inline void add(struct thread_buffer *buffer, struct record *record)
{
    if (!LIKELY(complete(buffer, record)))
        return;
    record->tid = buffer->tid;
    record->time = clock_now(&buffer->clock);
    if (record->data_length > config.data_size)
        record->data_length = config.data_size;
    if (LIKELY(config.kind == TRACE_RING)) {
        ring_write(&ring, &buffer->ring, record);
    } else {
        record->pid = pid;
        record->modules = NULL;
        record->time += (uint64_t)realtime_offset;
        write_line(buffer, record);
    }
}

/* No memory for a buffer, or the end. */
SLOW_PATH static void drop(void)
{
    if (config.kind == TRACE_RING)
        ring_drop(&ring);
}

void trace_add(struct record *record)
{
    struct thread_buffer *buffer = thread_buffer_acquire();

    if (!LIKELY(buffer)) {
        drop();
        return;
    }
    add(buffer, record);
    thread_buffer_release(buffer);
}

bool trace_counted(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length)
{
    struct thread_buffer *buffer = thread_buffer_acquire_own();
    struct stats_row *row;
    bool same;

    if (!LIKELY(buffer))
        return false;
    row = buffer->row[(unsigned)fd % THREAD_BUFFER_ROWS];
    same = LIKELY(row && row->cookie == cookie && row->call == call);
    if (same)
        stats_count(row, room, length);
    atomic_store_explicit(&buffer->writing, false, memory_order_release);
    return same;
}

void trace_fitting(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length,
                   const void *data, const void *caller, const struct sockaddr *peer,
                   socklen_t peer_length)
{
    struct thread_buffer *buffer = thread_buffer_acquire();
    struct record record;

    if (!LIKELY(buffer)) {
        drop();
        return;
    }
    record.cookie = cookie;
    record.caller = (uintptr_t)caller;
    record.room = room;
    record.length = record.given = length;
    record.offset = record.left = record.lost = record.dropped = 0;
    record.fd = fd;
    record.call = call;
    record.flags = RECORD_LAST;
    record.error = 0;
    record.peer = peer;
    record.peer_length = peer_length;
    record.data = data;
    record.data_length = length;
    add(buffer, &record);
    thread_buffer_release(buffer);
}

/* How many messages the kernel has dropped of the socket's, by sock_diag(7). 0 as well: not known. */
static uint32_t query_dropped(int fd)
{
    enum { DROPS = 8, VARIABLES = 9 }; /* SK_MEMINFO_DROPS and _VARS of linux/sock_diag.h */
    uint32_t memory[VARIABLES] = {0};
    socklen_t length = sizeof memory;

    return sys_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) == 0 ? memory[DROPS] : 0;
}

void trace_dropped(int fd, uint64_t cookie, enum record_call call)
{
    struct record record = {.cookie = cookie, .fd = fd, .call = call};

    if (sys_is_sandboxed() || !thread_buffers_first())
        return;
    record.dropped = query_dropped(fd);
    if (record.dropped > 0)
        trace_add(&record);
}

/* --- a sandbox, and the end -------------------------------------------------------------- */

void trace_prepare_sandbox(void)
{
    struct thread_buffer *buffer;

    if (!trace_on() || (uint32_t)sys_getpid() != pid || !(buffer = thread_buffer_acquire()))
        return;
    if (config.kind == TRACE_RING)
        ring_prepare_sandbox(&ring, &buffer->ring, buffer->tid);
    else if (config.kind != TRACE_OFF)
        line_output_prepare_sandbox(&line_output, &buffer->window);
    if (config.stats_pattern[0])
        summary_prepare_sandbox(&stats_output);
    thread_buffer_release(buffer);
    thread_buffers_prepare_sandbox();
}

void trace_prepare_sandbox_socket(int fd, uint64_t cookie)
{
    struct thread_buffer *buffer = thread_buffer_acquire();

    if (!buffer)
        return;
    socket_names_of(&buffer->names, &(struct record){.fd = fd, .cookie = cookie});
    thread_buffer_release(buffer);
}

START_CODE void trace_end(void)
{
    /* A vfork()ed child shares our memory, and its _exit() is not our end. */
    if (!trace_on() || (!sys_is_sandboxed() && (uint32_t)sys_getpid() != pid) ||
        atomic_exchange(&ended, true))
        return;
    /* Whoever writes beyond the end of a file that is cut would get SIGBUS. */
    if (!thread_buffers_end())
        return;
    /* A child that has received nothing has nothing to tell. */
    if (config.stats && thread_buffers_first())
        summary_write(&(struct summary_head){pid, config.mode},
                      config.stats_pattern[0] ? &stats_output : NULL);
    if (config.kind == TRACE_RING)
        ring_end(&ring);
    else if (config.kind != TRACE_OFF)
        line_output_end(&line_output);
}
