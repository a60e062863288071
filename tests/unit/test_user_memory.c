/* SPDX-License-Identifier: MIT
 *
 * The caller's memory: a bad pointer is EFAULT, as the kernel says it, and never a crash; and what
 * is known of a page is forgotten in time. A crash of a test is its failure.
 */
#define _GNU_SOURCE
#include "base/revocable.h"
#include "base/user_memory.h"

#include "rows.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

enum { PAGE = USER_MEMORY_PAGE, PAGES = 8 };

/* PAGES pages that can be written to, between two that cannot. */
static char *pages;
static char pattern[PAGES * PAGE];

static void set_up(void)
{
    char *at = mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(at, MAP_FAILED);
    pages = at + PAGE;
    cr_assert_eq(mprotect(pages, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * 7 + i / PAGE + 1);
}

TestSuite(user_memory_write, .init = set_up, .timeout = 60);
TestSuite(user_memory_read, .init = set_up, .timeout = 60);
TestSuite(user_memory_learn, .init = set_up, .timeout = 60);
TestSuite(user_memory_forget, .init = set_up, .timeout = 60);
TestSuite(user_memory_scatter, .init = set_up, .timeout = 60);
TestSuite(user_memory_impossible, .init = set_up, .timeout = 60);

/* --- helpers ----------------------------------------------------------------------------- */

static char *page(unsigned index)
{
    return pages + (size_t)index * PAGE;
}

static void protect(unsigned index, int protection)
{
    cr_assert_eq(mprotect(page(index), PAGE, protection), 0);
}

static bool is_blank(const char *at, size_t size)
{
    return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

/* --- bad pointers ------------------------------------------------------------------------ */

/* Where the kernel says EFAULT; by index, for the addresses are known only at run time. */
static const char *const bad_names[] = {
    "NULL",
    "a low address",
    "an unmapped page",
    "a page without access",
    "the end of one that can be written to, and the next",
    "the byte before one that can be written to",
    "the kernel's half",
    "the last address",
    "the last address but 15: the range wraps round",
    "a non-canonical address",
};

static bool is_half_good(size_t index)
{
    return index == 4;
}

static char *bad_address(int index)
{
    switch (index) {
    case 0:
        return NULL;
    case 1:
        return (char *)64;
    case 2:
        cr_assert_eq(munmap(page(3), PAGE), 0);
        return page(3) + 100;
    case 3:
        protect(3, PROT_NONE);
        return page(3) + 100;
    case 4:
        return page(PAGES) - 10;
    case 5:
        return page(0) - 1;
    case 6:
        return (char *)UINT64_C(0xffff888000000000);
    case 7:
        return (char *)UINTPTR_MAX;
    case 8:
        return (char *)(UINTPTR_MAX - 15);
    default:
        return (char *)UINT64_C(0x8000000000000000);
    }
}

ROWS(user_memory_write, to_a_bad_address_is_efault, ROWS_OF(bad_names))
{
    char *bad = bad_address((int)*row);

    cr_assert_eq(user_memory_write(bad, pattern, 100), -EFAULT, "%s", bad_names[*row]);
    cr_assert_eq(user_memory_write(bad, pattern, 2 * PAGE), -EFAULT, "%s", bad_names[*row]);
    if (!is_half_good(*row))
        cr_assert_not(user_memory_known(bad), "%s", bad_names[*row]);
}

ROWS(user_memory_read, from_a_bad_address_is_efault, ROWS_OF(bad_names))
{
    static char to[2 * PAGE];
    char *bad = bad_address((int)*row);

    cr_assert_eq(user_memory_read(to, bad, 100), -EFAULT, "%s", bad_names[*row]);
    cr_assert_eq(user_memory_read(to, bad, sizeof to), -EFAULT, "%s", bad_names[*row]);
}

/* --- user_memory_write ------------------------------------------------------------------- */

Test(user_memory_write, copies_and_learns)
{
    cr_assert_not(user_memory_known(page(1)));
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(user_memory_write(page(1) + 5, pattern + i, 100), 0);
        cr_assert_eq(memcmp(page(1) + 5, pattern + i, 100), 0);
        cr_assert(user_memory_known(page(1)));
    }
    cr_assert(is_blank(page(1), 5));
    cr_assert(is_blank(page(1) + 105, PAGE - 105));
    cr_assert_not(user_memory_known(page(0)));
    cr_assert_not(user_memory_known(page(2)));
}

Test(user_memory_write, to_read_only_memory_is_efault)
{
    protect(2, PROT_READ);
    cr_assert_eq(user_memory_write(page(2), pattern, 100), -EFAULT);
    cr_assert_eq(user_memory_write(page(2) + PAGE - 1, pattern, 1), -EFAULT);
    cr_assert(is_blank(page(2), PAGE));
    /* A string constant is where a program would really meet that. */
    cr_assert_eq(user_memory_write((char *)(uintptr_t) "constant", pattern, 4), -EFAULT);
}

Test(user_memory_write, over_page_borders)
{
    static const size_t offsets[] = {0, 1, PAGE - 1};
    static const size_t sizes[] = {PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 2};

    for (int round = 0; round < 2; round++) { /* unknown pages, then known ones */
        for (size_t i = 0; i < 3; i++) {
            for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
                if (round == 0)
                    user_memory_forget_all();
                memset(pages, 0, PAGES * PAGE);
                cr_assert_eq(user_memory_write(page(1) + offsets[i], pattern, sizes[j]), 0);
                cr_assert_eq(memcmp(page(1) + offsets[i], pattern, sizes[j]), 0);
                cr_assert(is_blank(page(0), PAGE + offsets[i]));
                cr_assert(
                    is_blank(page(1) + offsets[i] + sizes[j], 6 * PAGE - offsets[i] - sizes[j]));
            }
        }
    }
}

/* A known page, and behind it one that is bad: wherever the border falls in what is written. */
Test(user_memory_write, from_a_known_page_into_a_bad_one_is_efault)
{
    for (size_t before = 1; before <= PAGE; before += before < 4 ? 1 : PAGE - 4) {
        user_memory_forget_all();
        cr_assert_eq(user_memory_write(page(PAGES - 1), pattern, PAGE), 0);
        cr_assert(user_memory_known(page(PAGES - 1)));
        cr_assert_eq(user_memory_write(page(PAGES) - before, pattern, before), 0);
        cr_assert_eq(user_memory_write(page(PAGES) - before, pattern, before + 1), -EFAULT);
    }
    /* Known, bad, known. */
    cr_assert_eq(user_memory_write(pages, pattern, 3 * PAGE), 0);
    protect(1, PROT_READ);
    user_memory_forget_all();
    cr_assert_eq(user_memory_write(page(0), pattern, PAGE), 0);
    cr_assert_eq(user_memory_write(page(2), pattern, PAGE), 0);
    cr_assert_eq(user_memory_write(page(0) + 10, pattern, 2 * PAGE), -EFAULT);
}

/* As the kernel: a copy of nothing touches nothing. */
Test(user_memory_write, of_nothing_needs_no_memory)
{
    cr_assert_eq(user_memory_write(page(0), pattern, 0), 0);
    cr_assert_eq(user_memory_write(NULL, pattern, 0), 0);
    cr_assert_eq(user_memory_write((char *)UINTPTR_MAX, pattern, 0), 0);
}

/* --- user_memory_read -------------------------------------------------------------------- */

Test(user_memory_read, copies_from_what_can_only_be_read)
{
    char to[200];

    memcpy(page(2), pattern, PAGE);
    protect(2, PROT_READ);
    cr_assert_eq(user_memory_read(to, page(2) + 3, sizeof to), 0);
    cr_assert_eq(memcmp(to, pattern + 3, sizeof to), 0);
    /* That it can be read says nothing of writing. */
    cr_assert_not(user_memory_known(page(2)));
    cr_assert_eq(user_memory_write(page(2), pattern, 1), -EFAULT);
}

Test(user_memory_read, over_page_borders)
{
    static char to[3 * PAGE];

    memcpy(pages, pattern, sizeof pattern);
    for (int round = 0; round < 2; round++) {
        memset(to, 0, sizeof to);
        cr_assert_eq(user_memory_read(to, page(1) - 1, 2 * PAGE + 2), 0);
        cr_assert_eq(memcmp(to, pattern + PAGE - 1, 2 * PAGE + 2), 0);
        cr_assert(is_blank(to + 2 * PAGE + 2, PAGE - 2));
        user_memory_learn(pages, PAGES * PAGE);
    }
}

/* --- user_memory_learn ------------------------------------------------------------------- */

Test(user_memory_learn, knows_each_page_of_the_piece_and_no_other)
{
    user_memory_learn(page(1) + PAGE - 1, PAGE + 2); /* the last byte of 1, 2, the first of 3 */
    cr_expect_not(user_memory_known(page(0)));
    cr_expect(user_memory_known(page(1)));
    cr_expect(user_memory_known(page(1) + PAGE - 1));
    cr_expect(user_memory_known(page(2)));
    cr_expect(user_memory_known(page(3)));
    cr_expect_not(user_memory_known(page(4)));
}

Test(user_memory_learn, of_nothing_knows_nothing)
{
    user_memory_learn(page(1), 0);
    user_memory_learn(page(1) + 5, 0);
    cr_expect_not(user_memory_known(page(0)));
    cr_expect_not(user_memory_known(page(1)));
}

/* There is room for so many pages; one that has no room is unknown, and not taken for another. */
Test(user_memory_learn, of_more_pages_than_it_knows)
{
    const size_t many = 4 * USER_MEMORY_SETS;
    char *at = mmap(NULL, many * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t known = 0;

    cr_assert_neq(at, MAP_FAILED);
    user_memory_learn(at, many * PAGE);
    for (size_t i = 0; i < many; i++)
        known += user_memory_known(at + i * PAGE);
    cr_expect_lt(known, many);
    cr_expect(user_memory_known(at));

    /* Pages that share a place: the latest one has it, and each is written to all the same. */
    for (size_t i = 0; i < 4; i++) {
        char *page = at + i * USER_MEMORY_SETS * PAGE;

        user_memory_learn(page, 1);
        cr_expect(user_memory_known(page));
        cr_expect_not(user_memory_known(page + PAGE * many));
    }
    for (size_t i = 0; i < 8; i++) {
        char *page = at + i % 4 * USER_MEMORY_SETS * PAGE;

        cr_assert_eq(user_memory_write(page, pattern + i, PAGE), 0);
        cr_expect(user_memory_known(page));
        cr_assert_eq(memcmp(page, pattern + i, PAGE), 0);
    }
}

/* --- user_memory_forget ------------------------------------------------------------------ */

/* What the library does when the program calls mprotect() and munmap(). */
Test(user_memory_forget, after_a_change_of_the_mappings)
{
    cr_assert_eq(user_memory_write(pages, pattern, 3 * PAGE), 0);
    user_memory_forget_all();
    cr_expect_not(user_memory_known(page(0)));
    protect(0, PROT_READ);
    protect(1, PROT_NONE);
    cr_assert_eq(munmap(page(2), PAGE), 0);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(user_memory_write(page(i), pattern, 10), -EFAULT, "page %u", i);
    cr_expect_eq(user_memory_read(pattern, page(1), 10), -EFAULT);
    cr_expect_eq(user_memory_write(page(3), pattern, 10), 0);
}

/* A page that may only be read is remembered as such; and that is forgotten too. */
Test(user_memory_forget, what_could_be_read)
{
    char to[100];

    protect(4, PROT_READ);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(user_memory_read(to, page(4), sizeof to), 0);
    cr_expect_eq(user_memory_write(page(4), pattern, 1), -EFAULT);
    cr_expect_eq(user_memory_read(to, page(4) + PAGE - 1, 2), 0);
    user_memory_forget_all();
    protect(4, PROT_NONE);
    cr_expect_eq(user_memory_read(to, page(4), sizeof to), -EFAULT);
    user_memory_learn(page(5), 1);
    cr_expect_eq(user_memory_read(to, page(4), sizeof to), -EFAULT);
    cr_expect_eq(user_memory_read(to, page(5) - 1, 2), -EFAULT, "from it into a good one");
}

/* What was learnt before the change stays forgotten when something else is learnt after it. */
Test(user_memory_forget, is_not_undone_by_learning)
{
    user_memory_learn(page(0), 3 * PAGE);
    user_memory_forget_all();
    user_memory_learn(page(5), PAGE);
    cr_expect(user_memory_known(page(5)));
    for (unsigned i = 0; i < 3; i++)
        cr_expect_not(user_memory_known(page(i)), "page %u", i);
}

static pthread_barrier_t barrier;

static void *forget_and_wait(void *unused)
{
    bool known_here;

    user_memory_learn(page(1), 1);
    pthread_barrier_wait(&barrier); /* both know */
    pthread_barrier_wait(&barrier); /* and have seen what */
    user_memory_forget_all();
    pthread_barrier_wait(&barrier); /* forgotten */
    known_here = user_memory_known(page(1));
    return known_here ? pages : unused;
}

/* One thread's munmap() is every thread's. */
Test(user_memory_forget, in_every_thread)
{
    pthread_t thread;
    void *result;

    cr_assert_eq(pthread_barrier_init(&barrier, NULL, 2), 0);
    user_memory_learn(page(0), 1);
    cr_assert_eq(pthread_create(&thread, NULL, forget_and_wait, NULL), 0);
    pthread_barrier_wait(&barrier);
    cr_expect(user_memory_known(page(0)));
    cr_expect_not(user_memory_known(page(1)), "what another thread learnt");
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    cr_expect_not(user_memory_known(page(0)));
    cr_assert_eq(pthread_join(thread, &result), 0);
    cr_expect_null(result, "the thread itself remembers");
}

static bool known_still(const char *at)
{
    user_memory_catch_up();
    return user_memory_known(at);
}

/* What is far away from a change stays known: whoever maps and unmaps takes the fast path from
 * nobody else. */
Test(user_memory_forget, a_range_and_no_other)
{
    enum { STEP = (256 << 10) + PAGE }; /* in the next part of the address space, another set */
    char *at = mmap(NULL, 4 * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(at, MAP_FAILED);
    for (unsigned i = 0; i < 3; i++)
        user_memory_learn(at + i * STEP, 1);
    user_memory_forget(at + STEP, STEP + 1);
    cr_expect_not(user_memory_known(at), "nothing is, until one has looked");
    cr_expect(known_still(at));
    cr_expect_not(known_still(at + STEP));
    cr_expect_not(known_still(at + 2 * STEP));
    user_memory_forget(at, 0);
    cr_expect(known_still(at));
    user_memory_forget(at + 5, 1);
    cr_expect_not(known_still(at));
    user_memory_learn(at, 1);
    user_memory_forget(NULL, SIZE_MAX / 2);
    cr_expect_not(known_still(at));
    /* The first page of a part, so that what is forgotten begins in the one before. */
    at += (256 << 10) - (uintptr_t)at % (256 << 10);
    user_memory_learn(at, 1);
    user_memory_forget(at - PAGE, SIZE_MAX); /* more than there is: to the end and round */
    cr_expect_not(known_still(at));
}

/* --- memory that others can take away ---------------------------------------------------- */

Test(user_memory_learn, nothing_of_a_file)
{
    revocable_add(page(1), 2 * PAGE);
    user_memory_learn(page(0), PAGE);
    user_memory_learn(page(1) + PAGE - 1, 1);
    user_memory_learn(page(2), 1);
    user_memory_learn(page(3), 1);
    cr_expect(user_memory_known(page(0)));
    cr_expect_not(user_memory_known(page(1)));
    cr_expect_not(user_memory_known(page(2)));
    cr_expect(user_memory_known(page(3)));
    /* It is written to all the same, and asked for each time. */
    for (int i = 0; i < 2; i++)
        cr_expect_eq(user_memory_write(page(1), pattern, PAGE), 0);
    cr_expect_not(user_memory_known(page(1)));
    protect(1, PROT_NONE);
    cr_expect_eq(user_memory_write(page(1), pattern, PAGE), -EFAULT);

    cr_expect_not(revocable_remove(page(1), PAGE), "a piece of it");
    cr_expect(revocable_has(page(2), 1));
    cr_expect(revocable_remove(page(0), 4 * PAGE));
    cr_expect_not(revocable_has(page(0), 4 * PAGE));
    user_memory_learn(page(2), 1);
    cr_expect(user_memory_known(page(2)));
}

/* More ranges than there is room for: too much is taken for such memory, never too little. */
Test(user_memory_learn, nothing_of_many_files)
{
    enum { MANY = 200 };
    char *at = mmap(NULL, 2 * MANY * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char local = 0;

    cr_assert_neq(at, MAP_FAILED);
    for (unsigned i = 0; i < MANY; i++)
        revocable_add(at + 2 * i * PAGE, PAGE);
    for (unsigned i = 0; i < MANY; i++)
        cr_expect(revocable_has(at + 2 * i * PAGE, PAGE), "range %u", i);
    cr_expect_not(revocable_has(at + PAGE, PAGE));
    user_memory_learn(&local, 1);
    cr_expect(user_memory_known(&local));
    for (unsigned i = 0; i < MANY; i++)
        revocable_remove(at + 2 * i * PAGE, PAGE);
    cr_expect_not(revocable_has(at, PAGE));
    /* There is room again. */
    revocable_add(at, PAGE);
    cr_expect(revocable_has(at, 1));
}

static atomic_bool stop;

static void *change_the_size(void *file)
{
    while (!stop) {
        ftruncate(*(int *)file, 0);
        ftruncate(*(int *)file, 4 * PAGE);
    }
    return NULL;
}

/* Somebody has the file open, too, and makes it shorter and longer all the time. */
Test(user_memory_write, while_a_file_becomes_shorter)
{
    int file = memfd_create("shared", MFD_CLOEXEC);
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    unsigned written = 0, refused = 0;
    char back[2 * PAGE];
    pthread_t thread;

    cr_assert_neq(at, MAP_FAILED);
    revocable_add(at, 4 * PAGE);
    cr_assert_eq(pthread_create(&thread, NULL, change_the_size, &file), 0);
    for (time_t end = time(NULL) + 2; time(NULL) < end;) {
        int error = user_memory_write(at + PAGE / 2, pattern, 2 * PAGE);

        cr_assert(error == 0 || error == -EFAULT, "%d", error);
        written += error == 0;
        refused += error != 0;
        error = user_memory_read(back, at + PAGE / 2, sizeof back);
        cr_assert(error == 0 || error == -EFAULT, "%d", error);
    }
    stop = true;
    pthread_join(thread, NULL);
    cr_expect(written > 0 && refused > 0, "%u written, %u refused", written, refused);
}

/* --- a filter of system calls ------------------------------------------------------------ */

/* Strict mode kills for any call but read, write and exit. */
Test(user_memory_write, in_a_sandbox_asks_nothing)
{
    pid_t child;
    int status;

#ifdef __SANITIZE_THREAD__
    cr_skip_test("the sanitizer makes calls of its own");
#endif
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        char to[100];
        bool good;

        user_memory_may_ask(false);
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        good = user_memory_write(page(1), pattern, PAGE) == 0 &&
               user_memory_read(to, page(2), sizeof to) == 0 && memcmp(page(1), pattern, PAGE) == 0;
        syscall(SYS_exit, good ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
}

/* --- user_memory_scatter ----------------------------------------------------------------- */

Test(user_memory_scatter, fills_one_buffer_after_the_other)
{
    struct iovec iov[] = {
        {page(0) + 10, 100},      {NULL, 0},    {page(2) - 50, 200}, /* over a border */
        {(void *)UINTPTR_MAX, 0}, {page(4), 1}, {page(5), 1000}};

    for (int round = 0; round < 2; round++) {
        memset(pages, 0, PAGES * PAGE);
        cr_assert_eq(user_memory_scatter(iov, 6, pattern, 311), 0);
        cr_assert_eq(memcmp(page(0) + 10, pattern, 100), 0);
        cr_assert_eq(memcmp(page(2) - 50, pattern + 100, 200), 0);
        cr_assert_eq(*page(4), pattern[300]);
        cr_assert_eq(memcmp(page(5), pattern + 301, 10), 0);
        cr_assert(is_blank(page(5) + 10, PAGE - 10));
        cr_assert(is_blank(page(0), 10));
        cr_assert(is_blank(page(4) + 1, PAGE - 1));
    }
}

/* What is not needed is not touched: the kernel does not either. */
Test(user_memory_scatter, leaves_the_buffers_behind_the_end)
{
    struct iovec iov[] = {{page(0), 100}, {NULL, 100}};

    cr_assert_eq(user_memory_scatter(iov, 2, pattern, 100), 0);
    cr_assert_eq(user_memory_scatter(iov, 2, pattern, 101), -EFAULT);
    cr_assert_eq(user_memory_scatter(iov, 2, pattern, 0), 0);
    cr_assert_eq(user_memory_scatter(NULL, 0, pattern, 0), 0);
}

Test(user_memory_scatter, into_a_bad_buffer_is_efault)
{
    protect(3, PROT_READ);
    for (unsigned bad = 0; bad < 3; bad++) {
        struct iovec iov[] = {{page(0), 100}, {page(1), 100}, {page(2), 100}};

        iov[bad].iov_base = page(3);
        cr_assert_eq(user_memory_scatter(iov, 3, pattern, 300), -EFAULT, "buffer %u", bad);
    }
    cr_assert(is_blank(page(3), PAGE));
}

/* --- user_memory_impossible -------------------------------------------------------------- */

/* What the kernel does: readv(2) of a socket without a message, where it says EFAULT at once. */
static bool refused_by_the_kernel(const struct iovec *iov, int iovlen)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    bool refused;

    cr_assert_geq(fd, 0);
    cr_assert_eq(readv(fd, iov, iovlen), -1);
    refused = errno == EFAULT;
    cr_assert(refused || errno == EAGAIN || errno == EINVAL, "%s", strerror(errno));
    close(fd);
    return refused;
}

ROWS(user_memory_impossible, is_what_the_kernel_refuses, ROWS_OF(bad_names))
{
    struct iovec bad = {bad_address((int)*row), 100}, second[] = {{page(0), 100}, bad};

    cr_expect_eq(user_memory_impossible(&bad, 1), refused_by_the_kernel(&bad, 1), "%s",
                 bad_names[*row]);
    cr_expect_eq(user_memory_impossible(second, 2), refused_by_the_kernel(second, 2),
                 "%s, in the second place", bad_names[*row]);
}

Test(user_memory_impossible, is_nothing_that_is_good)
{
    struct iovec good[] = {{page(0), 100}, {NULL, 0}, {page(1), 0}, {page(2), PAGE}};

    cr_expect_not(user_memory_impossible(good, 4));
    cr_expect_not(user_memory_impossible(good, 0));
    user_memory_learn(page(0), 1);
    cr_expect_not(user_memory_impossible(good, 4));
}
