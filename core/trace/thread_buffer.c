/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/thread_buffer.h"

#include "base/critical_section.h"
#include "base/libc.h"
#include "base/sys.h"
#include "state.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__thread struct thread_buffer_own thread_buffer_own;
FAST_PATH_DATA atomic_uint *thread_buffers_alive;

static struct {
    pthread_key_t at_thread_end;
    size_t longest_line;
    void (*begin)(void);
    atomic_uint number; /* of the last process that began */
    _Atomic(struct thread_buffer *) first;
} process = {.number = THREAD_BUFFERS_FIRST};

/* --- the process ------------------------------------------------------------------------- */

static void leave(void *at)
{
    struct thread_buffer *buffer = at;

    if (thread_buffer_own.buffer == buffer)
        thread_buffer_own.buffer = NULL;
    atomic_store_explicit(&buffer->taken, false, memory_order_release);
}

int thread_buffers_start(size_t longest_line, void (*begin)(void))
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int error;
    void *at = sys_map(page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &error);

    process.longest_line = longest_line;
    process.begin = begin;
    if (!error)
        error = sys_madvise(at, page, MADV_WIPEONFORK);
    if (!error)
        error = -pthread_key_create(&process.at_thread_end, leave);
    if (error)
        return error;
    thread_buffers_alive = at;
    sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    thread_buffers_begin();
    return 0;
}

void thread_buffers_begin(void)
{
    unsigned now = THREAD_BUFFERS_NEW;
    struct critical_section section;
    bool sandboxed = sys_is_sandboxed();

    if (LIKELY(atomic_load(thread_buffers_alive) != THREAD_BUFFERS_NEW))
        return;
    if (!sandboxed)
        critical_section_enter(&section);
    if (atomic_compare_exchange_strong(thread_buffers_alive, &now, THREAD_BUFFERS_BEGINS)) {
        atomic_store(&process.first, NULL);
        process.begin();
        atomic_store_explicit(thread_buffers_alive, atomic_fetch_add(&process.number, 1),
                              memory_order_release);
    }
    if (!sandboxed)
        critical_section_leave(&section);
}

struct thread_buffer *thread_buffers_first(void)
{
    return atomic_load(&process.first);
}

bool thread_buffers_end(void)
{
    atomic_store(thread_buffers_alive, THREAD_BUFFERS_ENDED);
    if (sys_is_sandboxed())
        return true; /* nothing is cut there */
    if (sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
        return false;
    for (struct thread_buffer *at = thread_buffers_first(); at; at = at->next)
        for (int tries = 0; atomic_load(&at->writing); tries++) {
            if (tries == 10000 || at == thread_buffer_own.buffer)
                return false;
            sys_yield();
        }
    return true;
}

/* --- a thread ---------------------------------------------------------------------------- */

static struct thread_buffer *make(bool taken)
{
    enum { NAMES_OF_FEW = 8 * sizeof(struct socket_names) };

    struct thread_buffer *buffer =
        sys_is_sandboxed() ? NULL : sys_map_private(sizeof *buffer + process.longest_line);

    if (!buffer)
        return NULL;
    /* The pages that each record touches. One by one it would be three faults: a name is read first. */
    sys_madvise(buffer, offsetof(struct thread_buffer, names) + NAMES_OF_FEW, MADV_POPULATE_WRITE);
    atomic_store(&buffer->taken, taken);
    buffer->next = atomic_load(&process.first);
    while (!atomic_compare_exchange_weak(&process.first, &buffer->next, buffer))
        continue;
    return buffer;
}

void thread_buffers_prepare_sandbox(void)
{
    enum { SPARE = 4 }; /* for threads that receive for the first time there, and handlers */

    for (int i = 0; i < SPARE; i++)
        make(false);
}

static struct thread_buffer *take(void)
{
    struct thread_buffer *buffer = thread_buffers_first();

    for (; buffer; buffer = buffer->next) {
        bool taken = false;

        if (atomic_compare_exchange_strong(&buffer->taken, &taken, true))
            break;
    }
    if (!buffer)
        buffer = make(true);
    if (buffer) {
        /* Another thread's clock, names of sockets it has closed since: none of our business. */
        memset(&buffer->clock, 0, sizeof buffer->clock);
        buffer->tid = sys_is_sandboxed() ? 0 : (uint32_t)sys_gettid();
    }
    return buffer;
}

void thread_buffer_leave(struct thread_buffer *buffer)
{
    leave(buffer);
}

/* The first record of a thread or a process, or one in a signal handler on top of another. */
struct thread_buffer *thread_buffer_acquire_slow(void)
{
    struct thread_buffer *buffer;
    unsigned now;

    thread_buffers_begin();
    now = atomic_load(thread_buffers_alive);
    if (now == THREAD_BUFFERS_BEGINS)
        return NULL; /* another thread is at it, for some microseconds */
    if (thread_buffer_own.process != now)
        thread_buffer_own.buffer = NULL;
    thread_buffer_own.process = now;
    buffer = take();
    if (!buffer)
        return NULL;
    atomic_store(&buffer->writing, true);
    if (!thread_buffer_own.buffer) {
        thread_buffer_own.buffer = buffer;
        pthread_setspecific(process.at_thread_end, buffer);
    }
    if (atomic_load(thread_buffers_alive) != THREAD_BUFFERS_ENDED)
        return buffer;
    thread_buffer_release(buffer);
    return NULL;
}
