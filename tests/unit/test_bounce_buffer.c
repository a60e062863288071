/* SPDX-License-Identifier: MIT
 *
 * The bounce buffers: one a thread, another one for a receive on top of a receive, and none that
 * stays behind. Mappings are counted in /proc/self/maps, or with a sanitizer, which maps memory of
 * its own at any time, where the core maps and unmaps; or an area's address is looked for.
 */
#define _GNU_SOURCE
#include "receive/bounce_buffer.h"
#include "table/current.h"

#include "step.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

/* What UDP and AF_UNIX ask for. */
enum { SMALL = 65535, LARGE = 8 << 20, PAGE = 4096 };

static void set_up(void)
{
    cr_assert_null(table_start());
    cr_assert_eq(bounce_start(), 0);
}

TestSuite(bounce, .init = set_up, .timeout = 100);

/* --- helpers ----------------------------------------------------------------------------- */

/* Whether the address lies in a mapping. If not, mincore(2) fails with ENOMEM. */
static bool mapped(const void *at)
{
    unsigned char resident;

    return mincore((void *)((uintptr_t)at & ~(uintptr_t)(PAGE - 1)), 1, &resident) == 0;
}

static bool all_mapped(const struct bounce_buffer *bounce)
{
    return mapped(bounce) && mapped(bounce->data) && mapped(bounce->data + bounce->size - 1);
}

#ifdef WRAP_MAP
/* ThreadSanitizer maps more for each thread and each clock (seen with gcc 14), so that the whole of
 * the address space says nothing. Here ld calls these in place of the core's (--wrap). */
static _Atomic size_t bytes;

void *__real_sys_map_private(size_t size);
void *__wrap_sys_map_private(size_t size);
int __real_sys_unmap(void *at, size_t size);
int __wrap_sys_unmap(void *at, size_t size);

void *__wrap_sys_map_private(size_t size)
{
    void *at = __real_sys_map_private(size);

    bytes += at ? size : 0;
    return at;
}

int __wrap_sys_unmap(void *at, size_t size)
{
    int result = __real_sys_unmap(at, size);

    bytes -= result == 0 ? size : 0;
    return result;
}

static size_t mapped_bytes(void)
{
    return bytes;
}
#else
/* Bytes of address space in use (proc(5)). Neighbours may be one line there, so bytes, not
 * lines. */
static size_t mapped_bytes(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long from, to;
    size_t sum = 0;
    char line[512];

    cr_assert_not_null(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &from, &to) == 2)
            sum += to - from;
    fclose(maps);
    return sum;
}
#endif

static size_t resident_pages(const void *from, size_t size)
{
    static unsigned char resident[LARGE / PAGE + 2];
    uintptr_t first = ((uintptr_t)from + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    size_t pages = ((uintptr_t)from + size - first) / PAGE, count = 0;

    cr_assert_eq(mincore((void *)first, pages * PAGE, resident), 0);
    for (size_t i = 0; i < pages; i++)
        count += resident[i] & 1;
    return count;
}

/* Uses all that was promised. */
static void use(struct bounce_buffer *bounce, char with, size_t size)
{
    memset(bounce->data, with, size);
    for (size_t i = 0; i < BOUNCE_IOVECS; i++)
        bounce->iov[i] = (struct iovec){bounce, (size_t)with};
}

static bool used(const struct bounce_buffer *bounce, char with, size_t size)
{
    return bounce->data[0] == with && bounce->data[size / 2] == with &&
           bounce->data[size - 1] == with && bounce->iov[0].iov_len == (size_t)with &&
           bounce->iov[BOUNCE_IOVECS - 1].iov_len == (size_t)with;
}

/* For a call that is never found gone. */
static struct bounce_buffer *acquire(size_t size)
{
    return bounce_acquire(size, (const void *)1);
}

/* --- acquire and release ----------------------------------------------------------------- */

Test(bounce, gives_what_was_asked_for_and_gives_it_again)
{
    struct bounce_buffer *first = acquire(SMALL), *again;
    size_t before;

    cr_assert_not_null(first);
    cr_assert_geq(first->size, SMALL);
    cr_assert(all_mapped(first));
    use(first, 1, SMALL);
    bounce_release(first, SMALL);

    before = mapped_bytes();
    cr_assert_geq(before, SMALL, "it is counted");
    for (int i = 0; i < 100; i++) {
        again = acquire(i % 2 ? SMALL : 100);
        cr_assert_eq(again, first, "the thread's own area");
        bounce_release(again, 100);
    }
    cr_assert_eq(mapped_bytes(), before);
}

Test(bounce, grows_and_leaves_nothing_behind)
{
    struct bounce_buffer *small = acquire(SMALL), *large;
    size_t before = mapped_bytes(), mapped_size = small->mapped;

    bounce_release(small, 0);
    large = acquire(LARGE);
    cr_assert_not_null(large);
    cr_assert_geq(large->size, LARGE);
    cr_assert(all_mapped(large));
    cr_assert_leq(mapped_bytes(), before - mapped_size / PAGE * PAGE + LARGE + (64 << 10));
    use(large, 2, LARGE);
    bounce_release(large, LARGE);

    /* The larger one does for the smaller need. */
    before = mapped_bytes();
    small = acquire(SMALL);
    cr_assert_eq(small, large);
    bounce_release(small, 0);
    cr_assert_eq(mapped_bytes(), before);
}

/* A receive in a handler on top of a receive on top of a receive. */
Test(bounce, a_nested_acquire_gets_another_area)
{
    struct bounce_buffer *outer = acquire(SMALL), *middle, *inner;
    size_t before = mapped_bytes();

    use(outer, 1, SMALL);
    middle = acquire(SMALL);
    cr_assert_not_null(middle);
    cr_assert_neq(middle, outer);
    use(middle, 2, SMALL);
    inner = acquire(LARGE);
    cr_assert_not_null(inner);
    cr_assert(inner != outer && inner != middle);
    use(inner, 3, LARGE);

    cr_assert(used(outer, 1, SMALL));
    cr_assert(used(middle, 2, SMALL));
    cr_assert(used(inner, 3, LARGE));
    bounce_release(inner, LARGE);
    bounce_release(middle, SMALL);
    cr_assert(used(outer, 1, SMALL));
    before = mapped_bytes();
    for (int i = 0; i < 100; i++) { /* it is kept */
        struct bounce_buffer *another = acquire(SMALL);

        cr_assert_eq(another, middle);
        bounce_release(another, SMALL);
    }
    cr_assert_eq(mapped_bytes(), before);
    bounce_release(outer, SMALL);

    inner = acquire(SMALL);
    cr_assert_eq(inner, outer, "the thread's own is free again");
    bounce_release(inner, 0);
}

/* More than stand in the thread's own data. */
Test(bounce, many_nested_ones)
{
    enum { MANY = BOUNCE_AREAS + 5 };
    struct bounce_buffer *bounce[MANY];
    size_t before = 0;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            use(bounce[i] = acquire(SMALL), (char)i, SMALL);
        for (int i = 0; i < MANY; i++)
            cr_assert(used(bounce[i], (char)i, SMALL), "area %d", i);
        for (int i = MANY - 1; i >= 0; i--)
            bounce_release(bounce[i], SMALL);
        if (round == 0)
            before = mapped_bytes();
    }
    cr_assert_eq(mapped_bytes(), before, "they are kept");
}

/* --- a receive that is left by siglongjmp() ---------------------------------------------- */

static sigjmp_buf jump;
static struct bounce_buffer *abandoned;

static __attribute__((noinline)) void leave_with_it(int depth)
{
    volatile char frame[256];

    frame[0] = 1;
    if (depth > 0) {
        leave_with_it(depth - 1);
    } else {
        abandoned = bounce_acquire(SMALL, BOUNCE_CALL);
        siglongjmp(jump, 1);
    }
    frame[1] = frame[0];
}

static void leave_and_return(int depth)
{
    if (sigsetjmp(jump, 1) == 0)
        leave_with_it(depth);
    cr_assert_not_null(abandoned);
}

/* The classic one: again and again from the same place. */
Test(bounce, an_area_of_a_call_that_is_gone_is_free)
{
    struct bounce_buffer *first;

    leave_and_return(0);
    first = abandoned;
    for (int i = 0; i < 20; i++) {
        leave_and_return(0);
        cr_assert_eq(abandoned, first);
    }
}

/* From many places, again and again: there is at most one for each. */
Test(bounce, areas_of_calls_that_are_gone)
{
    enum { DEPTHS = 30 };
    size_t before = 0;

    for (int round = 0; round < 3 * DEPTHS; round++) {
        if (round == DEPTHS)
            before = mapped_bytes();
        for (int depth = DEPTHS; depth > 0; depth--)
            leave_and_return(depth);
    }
    cr_assert_eq(mapped_bytes(), before);
}

/* One that is under way is not gone, wherever the next one stands. */
static __attribute__((noinline)) struct bounce_buffer *acquire_below(int depth)
{
    volatile char frame[256];
    struct bounce_buffer *bounce;

    frame[0] = 1;
    bounce = depth > 0 ? acquire_below(depth - 1) : bounce_acquire(SMALL, BOUNCE_CALL);
    frame[1] = frame[0];
    return bounce;
}

Test(bounce, an_area_of_a_call_under_way_is_not_free)
{
    struct bounce_buffer *outer = bounce_acquire(SMALL, BOUNCE_CALL);

    for (int depth = 0; depth < 10; depth++) {
        struct bounce_buffer *inner = acquire_below(depth);

        cr_assert_neq(inner, outer);
        bounce_release(inner, 0);
    }
    bounce_release(outer, 0);
}

/* A burst's memory goes back to the system; what an ordinary receive touches stays. */
Test(bounce, what_was_touched_goes_back)
{
    struct bounce_buffer *bounce = acquire(LARGE);

    use(bounce, 1, LARGE);
    cr_assert_geq(resident_pages(bounce->data, LARGE), LARGE / PAGE - 1);
    bounce_release(bounce, LARGE);
    cr_assert(all_mapped(bounce));
    cr_assert_leq(resident_pages(bounce->data, LARGE), BOUNCE_KEPT / PAGE + 1);
    cr_assert_eq(acquire(LARGE), bounce);
    use(bounce, 2, LARGE);
    cr_assert(used(bounce, 2, LARGE));
    bounce_release(bounce, LARGE);

    cr_assert_eq(acquire(SMALL), bounce);
    use(bounce, 3, SMALL);
    bounce_release(bounce, SMALL);
    cr_assert_geq(resident_pages(bounce->data, SMALL), SMALL / PAGE - 1);
}

/* --- no memory --------------------------------------------------------------------------- */

Test(bounce, without_memory_there_is_none_and_later_there_is)
{
    struct rlimit before, none = {.rlim_cur = 1 << 20};
    struct bounce_buffer *small = acquire(SMALL), *again;

    cr_assert_not_null(small);
    bounce_release(small, 0);
    getrlimit(RLIMIT_AS, &before);
    none.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
    cr_expect_null(acquire(LARGE));
    again = acquire(SMALL);
    cr_expect_eq(again, small, "the old one is still there");
    cr_expect_null(acquire(SMALL), "a nested one");
    cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
    cr_assert(all_mapped(small));
    bounce_release(again, 0);

    again = acquire(LARGE);
    cr_assert_not_null(again);
    bounce_release(again, 0);
}

/* --- the end of a thread ----------------------------------------------------------------- */

/* An area is where its lists begin. */
struct thread {
    void *small, *large;
    void (*then)(void);
};

static void *live(void *context)
{
    struct thread *thread = context;
    struct bounce_buffer *bounce = acquire(SMALL);

    thread->small = bounce->iov;
    use(bounce, 1, SMALL);
    bounce_release(bounce, SMALL);
    bounce = acquire(LARGE);
    thread->large = bounce->iov;
    use(bounce, 1, SMALL);
    bounce_release(acquire(SMALL), 0);
    if (thread->then)
        thread->then();
    bounce_release(bounce, SMALL);
    return context;
}

static void be_cancelled(void)
{
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static void run_thread(struct thread *thread)
{
    pthread_t id;

    cr_assert_eq(pthread_create(&id, NULL, live, thread), 0);
    cr_assert_eq(pthread_join(id, NULL), 0);
}

Test(bounce, ends_with_its_thread)
{
    struct thread thread = {NULL, NULL, NULL}, first = thread;
    size_t before;

    run_thread(&first); /* glibc keeps its stack */
    before = mapped_bytes();
    for (int i = 0; i < 20; i++) {
        run_thread(&thread);
        cr_assert_neq(thread.large, thread.small);
        cr_assert_not(mapped(thread.large));
    }
    cr_assert_eq(mapped_bytes(), before);
}

/* recv(2) is a cancellation point, so a thread may end with its area in use. */
Test(bounce, ends_with_a_cancelled_thread)
{
    struct thread thread = {NULL, NULL, be_cancelled};
    size_t before;

    run_thread(&thread);
    before = mapped_bytes();
    for (int i = 0; i < 20; i++)
        run_thread(&thread);
    cr_assert_not(mapped(thread.large));
    cr_assert_eq(mapped_bytes(), before);
}

Test(bounce, each_thread_has_its_own)
{
    struct bounce_buffer *own = acquire(SMALL);
    struct thread thread = {NULL, NULL, NULL};

    use(own, 7, SMALL);
    run_thread(&thread);
    cr_assert_neq(thread.small, own->iov);
    cr_assert(used(own, 7, SMALL));
    bounce_release(own, SMALL);
}

/* Another key's destructor may receive, after the area is gone. */
static pthread_key_t late;
static void *late_area;

static void receive_late(void *unused)
{
    struct bounce_buffer *bounce = acquire(SMALL);

    (void)unused;
    if (bounce) {
        late_area = bounce->iov;
        use(bounce, 1, SMALL);
        bounce_release(bounce, SMALL);
    }
}

static void set_late(void)
{
    pthread_setspecific(late, &late);
}

Test(bounce, a_receive_in_a_threads_last_moments)
{
    struct thread thread = {NULL, NULL, set_late};

    cr_assert_eq(pthread_key_create(&late, receive_late), 0);
    run_thread(&thread);
    cr_assert_not_null(late_area);
    cr_assert_not(mapped(late_area));
    cr_assert_not(mapped(thread.large));
}

/* --- a signal between any two instructions ----------------------------------------------- */

static volatile sig_atomic_t handled;
static size_t handler_needs;
static const char *wrong;

static void receive_in_handler(int signal)
{
    struct bounce_buffer *bounce = acquire(handler_needs);
    volatile char *data;

    (void)signal;
    handled++;
    if (!bounce) {
        wrong = "no area for the handler";
        return;
    }
    data = bounce->data;
    data[0] = data[handler_needs - 1] = 9;
    bounce->iov[0].iov_len = 9;
    bounce_release(bounce, 0);
}

static void receive(void *context)
{
    const size_t *size = context;
    struct bounce_buffer *bounce = acquire(*size);
    volatile char *data;

    if (!bounce) {
        wrong = "no area";
        return;
    }
    /* The handler comes before this, or after, or within; what is ours stays ours. */
    data = bounce->data;
    data[0] = data[*size - 1] = 1;
    if (data[0] != 1 || data[*size - 1] != 1)
        wrong = "the handler had the same area";
    bounce_release(bounce, 0);
}

static void raise_signal(void *context)
{
    (void)context;
    raise(SIGUSR1);
}

static void receive_under_signals(unsigned long count)
{
    static const size_t sizes[][3] = {/* the area before, the receive's need, the handler's */
                                      {0, SMALL, SMALL},     {0, SMALL, LARGE},
                                      {SMALL, SMALL, SMALL}, {SMALL, SMALL, LARGE},
                                      {SMALL, LARGE, SMALL}, {SMALL, LARGE, LARGE}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !wrong; i++) {
        size_t need = sizes[i][1];

        for (unsigned area = 0; area < BOUNCE_AREAS; area++) {
            struct bounce_buffer *own = &bounce_own.area[area];

            if (own->size > 0)
                munmap(own->iov, own->mapped);
            *own = (struct bounce_buffer){.size = 0};
        }
        if (sizes[i][0] > 0)
            bounce_release(acquire(sizes[i][0]), 0);
        handler_needs = sizes[i][2];
        step_interrupt(count, receive, raise_signal, &need);
        for (unsigned area = 0; area < BOUNCE_AREAS; area++)
            if (bounce_own.area[area].owner)
                wrong = "an area stays busy";
    }
}

Test(bounce, a_signal_at_any_instruction)
{
    int before = -1;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, receive_in_handler);
    for (unsigned long count = 1; handled != before; count = step_next(count, 0)) {
        before = handled;
        receive_under_signals(count);
        cr_assert_null(wrong, "%s, after %lu instructions", wrong, count);
    }
    cr_assert_gt(handled, 100);
}
