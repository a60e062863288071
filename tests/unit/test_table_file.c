/* SPDX-License-Identifier: MIT
 *
 * The fragment table in a file: shared by whoever opens it, and never made of somebody else's.
 */
#define _GNU_SOURCE
#include "table_layout.h"

#include "tails.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

static const uint64_t SOCKET = 77;
static const size_t HOLD_MAX = 1 << 20;

static char directory[] = "/tmp/wsrx-unit-XXXXXX", path[100];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/table", directory);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(path);
    rmdir(directory);
}

TestSuite(table_open, .init = set_up, .fini = tear_down, .timeout = 60);

/* --- helpers ----------------------------------------------------------------------------- */

static struct table *open_table(void)
{
    struct table *table = NULL;
    const char *why = table_open(path, HOLD_MAX, &table);

    cr_assert_null(why, "%s", why);
    cr_assert_not_null(table);
    return table;
}

static void write_file(const char *text, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

/* --- a file of ours ---------------------------------------------------------------------- */

Test(table_open, makes_a_file_for_its_owner_only)
{
    struct stat status;

    umask(0);
    open_table();
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode, S_IFREG | 0600, "mode %o", status.st_mode);
}

Test(table_open, takes_an_empty_file)
{
    write_file("", 0, 0600);
    open_table();
}

/* Another mapping, at another address, as in the next program. */
Test(table_open, the_tails_outlast_the_mapping)
{
    struct table *before = open_table(), *after;
    struct tail_take take;

    cr_assert_eq(tails_hold(before, SOCKET, 1, 9000, 1000), 0);
    take = tails_take(before, SOCKET, 500, 0);
    cr_assert_eq(take.right, 500);

    after = open_table();
    cr_assert_neq(after, before);
    cr_assert_eq(tails_hold(after, SOCKET, 2, 300, 100), 1);
    take = tails_take(after, SOCKET, 1000, 0);
    cr_assert(take.result == 1 && take.message == 1 && take.held.offset == 1500);
    cr_assert_eq(take.right, 1000);
    take = tails_take(before, SOCKET, 9000, 0);
    cr_assert(take.result == 1 && take.message == 1 && take.held.offset == 2500);
    cr_assert_eq(take.right, 6500);
    take = tails_take(before, SOCKET, 9000, 0);
    cr_assert(take.result == 1 && take.message == 2 && take.held.offset == 0);
    cr_assert_eq(take.right, 300);
    cr_assert(table_idle(after));
    cr_assert(table_idle(before));
}

Test(table_open, the_tails_outlast_the_process)
{
    pid_t pid = fork();
    struct tail_take take;
    int status;

    if (pid == 0) {
        /* It dies with the mutex of another table's mapping unlocked, and without a good-bye. */
        tails_hold(open_table(), SOCKET, 1, 5000, 100);
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    take = tails_take(open_table(), SOCKET, 5000, 0);
    cr_assert_eq(take.result, 1);
    cr_assert_eq(take.right, 4900);
}

/* The file's own size stays, whatever the next program's WSRX_HOLD_MAX is. */
Test(table_open, with_another_hold_max)
{
    struct table *table = open_table(), *larger = NULL;
    struct tail_take take;

    cr_assert_eq(tails_hold(table, SOCKET, 1, 5000, 100), 0);
    cr_assert_null(table_open(path, 8 * HOLD_MAX, &larger));
    take = tails_take(larger, SOCKET, 5000, 0);
    cr_assert_eq(take.right, 4900);
}

/* More than was made sure of at first. */
Test(table_open, holds_as_much_as_it_says)
{
    struct table *table = NULL;
    const char *why = table_open(path, 16 << 20, &table);
    unsigned count = 0;

    cr_assert_null(why, "%s", why);
    for (; !atomic_load(&table->full) && count < 1000; count++)
        cr_assert_eq(tails_hold(table, 1000 + count, count, 60000, 0), 0, "message %u", count);
    cr_assert_geq(count, 16 * 1024 * 1024 / (60000 + 4096));
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(tails_take(table, 1000 + i, 60000, 0).right, 60000, "message %u", i);
    cr_assert(table_idle(table));
    cr_assert_not(atomic_load(&table->full));
}

/* --- a file of somebody else ------------------------------------------------------------- */

static void a_directory(void)
{
    cr_assert_eq(mkdir(path, 0700), 0);
}

static void a_fifo(void)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
}

static void a_link(void)
{
    cr_assert_eq(symlink("/dev/null", path), 0);
}

static void for_the_group(void)
{
    write_file("", 0, 0640);
}

static void for_others(void)
{
    open_table();
    cr_assert_eq(chmod(path, 0606), 0);
}

static void of_another_user(void)
{
    write_file("", 0, 0600);
    if (chown(path, geteuid() + 1, (gid_t)-1) != 0)
        cr_skip_test("only root can give a file away");
}

static void short_text(void)
{
    write_file("precious", 8, 0600);
}

static void long_text(void)
{
    static char text[1 << 20];

    memset(text, 'x', sizeof text);
    write_file(text, sizeof text, 0600);
}

/* A table of ours, of which one thing has been changed. */
static void changed(size_t at, const void *bytes, size_t length)
{
    int fd;

    tails_hold(open_table(), SOCKET, 1, 5000, 100);
    fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, bytes, length, (off_t)at), (ssize_t)length);
    close(fd);
}

static void without_magic(void)
{
    changed(offsetof(struct inside, magic), "x", 1);
}

static void of_another_format(void)
{
    changed(offsetof(struct inside, format), "\x7f", 1);
}

static void of_another_boot(void)
{
    changed(offsetof(struct inside, boot), "00000000-0000-0000-0000-000000000000", 36);
}

static void cut(void)
{
    struct stat status;

    open_table();
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(truncate(path, status.st_size - 1), 0);
}

static void cut_to_the_head(void)
{
    open_table();
    cr_assert_eq(truncate(path, (off_t)sizeof(struct table) + 100), 0);
}

struct refusal {
    const char *what;
    void (*make)(void);
    const char *why;
};

static const struct refusal refusals[] = {
    {"directory", a_directory, "Is a directory"},
    {"FIFO", a_fifo, "it is no regular file"},
    {"symbolic link", a_link, "it is a symbolic link"},
    {"mode 0640", for_the_group, "others may use it (its mode must be 0600)"},
    {"mode 0606", for_others, "others may use it (its mode must be 0600)"},
    {"another user's", of_another_user, "it belongs to another user"},
    {"short text", short_text, "it is no fragment table"},
    {"long text", long_text, "it is no fragment table"},
    {"no magic", without_magic, "it is no fragment table"},
    {"another format", of_another_format, "it is of another version"},
    {"another boot", of_another_boot, "it is from before the system was started"},
    {"cut", cut, "it is damaged"},
    {"cut to its head", cut_to_the_head, "it is no fragment table"},
};

enum { REFUSALS = sizeof refusals / sizeof *refusals };

static off_t size_of_file(void)
{
    struct stat status;

    return lstat(path, &status) == 0 ? status.st_size : -1;
}

ParameterizedTestParameters(table_open, refuses)
{
    static int indices[REFUSALS];

    for (int i = 0; i < REFUSALS; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, REFUSALS);
}

ParameterizedTest(int *index, table_open, refuses)
{
    const struct refusal *refusal = &refusals[*index];
    struct table *table = NULL;
    const char *why;
    off_t size;

    refusal->make();
    size = size_of_file();
    why = table_open(path, HOLD_MAX, &table);
    cr_assert_not_null(why, "%s: taken", refusal->what);
    cr_expect_str_eq(why, refusal->why, "%s: \"%s\"", refusal->what, why);
    cr_expect_null(table, "%s", refusal->what);
    cr_expect_eq(size_of_file(), size, "%s: changed", refusal->what);
}

Test(table_open, in_a_place_that_is_not_there)
{
    struct table *table = NULL;
    const char *why = table_open("/nonexistent/table", HOLD_MAX, &table);

    cr_assert_not_null(why);
    cr_expect_str_eq(why, "No such file or directory");
    cr_expect_null(table);
}

/* Where the table's own notes are: its head, its buckets, the slots of the first messages. */
static size_t some_place(const struct table *table, unsigned dice)
{
    const struct inside *inside = (const struct inside *)table;
    size_t head = offsetof(struct inside, magic), buckets = offsetof(struct inside, bucket);

    switch (dice % 3) {
    case 0:
        return head + dice / 3 % (buckets - head);
    case 1: /* those of the sockets that hold something are among them */
        return buckets + (table_hash(SOCKET) + dice / 3 % 2) * sizeof *inside->bucket + dice % 4;
    default:
        return inside->extents.slots_at + dice / 3 % (12 * sizeof(struct slot));
    }
}

/* Whatever a byte of a table is changed to: it is refused, or it is used without a crash and
 * without an end. But the mutex: one that says that it is held is waited for. */
Test(table_open, with_any_damage)
{
    const size_t mutex = offsetof(struct inside, mutex);
    unsigned dice = 4711, refused = 0;

    for (unsigned i = 0; i < 150; i++) {
        struct table *table = open_table();
        unsigned char byte;
        size_t at, wrong;
        struct tail tails[8];
        int fd;

        for (unsigned message = 0; message < 5; message++)
            cr_assert_geq(tails_hold(table, SOCKET + message / 2, message, 5000, 100), 0);
        dice = dice * 1103515245 + 12345;
        byte = (unsigned char)(dice >> 12 & (i % 2 ? 0xff : 0x07));
        dice = dice * 1103515245 + 12345;
        at = some_place(table, dice >> 8);
        if (at < mutex || at >= mutex + sizeof(pthread_mutex_t)) {
            fd = open(path, O_WRONLY);
            cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
            close(fd);
        }

        table = NULL;
        if (table_open(path, HOLD_MAX, &table))
            refused++;
        for (unsigned message = 0; table && message < 3; message++)
            tails_drain(table, SOCKET + message, tails, 8, &wrong);
        cr_assert_eq(unlink(path), 0);
    }
    cr_assert_gt(refused, 0);
}
