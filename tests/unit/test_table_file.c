/* SPDX-License-Identifier: MIT */
/* The fragment table in a file: shared by whoever opens it, and never made of somebody else's. */
#define _GNU_SOURCE
#include "table/backing.h"
#include "table/layout.h"

#include "rows.h"
#include "table_path.h"
#include "tails.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t SOCKET = 77;

TestSuite(table_open, .init = table_path_make, .fini = table_path_remove, .timeout = 60);

static void write_file(const char *text, size_t length, mode_t mode)
{
    int fd = open(table_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

/* --- a file of ours ----------------------------------------------------------------------- */

Test(table_open, makes_a_file_for_its_owner_only)
{
    struct stat status;

    umask(0);
    table_path_open();
    cr_assert_eq(stat(table_path, &status), 0);
    cr_expect_eq(status.st_mode, S_IFREG | 0600, "mode %o", status.st_mode);
}

Test(table_open, takes_an_empty_file)
{
    write_file("", 0, 0600);
    table_path_open();
}

static long disk_space(void)
{
    struct stat status;

    cr_assert_eq(stat(table_path, &status), 0);
    return (long)status.st_blocks * 512;
}

/* Each program that is started opens it, and most receive nothing: to open it must not take time. */
Test(table_open, takes_disk_space_when_a_message_is_received)
{
    enum { HEADS = 100 << 10, FIRST = TABLE_FIRST * PAGE };
    struct table *table = table_path_open();

    cr_expect_leq(disk_space(), HEADS, "%ld bytes at first", disk_space());
    table_path_open();
    cr_expect_leq(disk_space(), HEADS, "%ld bytes for a second program", disk_space());
    table_prepare(table);
    cr_expect_geq(disk_space(), FIRST, "%ld bytes when it receives", disk_space());
}

/* Another mapping, at another address, as in the next program. */
Test(table_open, the_tails_outlast_the_mapping)
{
    struct table *before = table_path_open(), *after;
    struct tail_take take;

    cr_assert_eq(tails_hold(before, SOCKET, 1, 9000, 1000), 0);
    take = tails_take(before, SOCKET, 500, 0);
    cr_assert_eq(take.right, 500);

    after = table_path_open();
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
        tails_hold(table_path_open(), SOCKET, 1, 5000, 100);
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    take = tails_take(table_path_open(), SOCKET, 5000, 0);
    cr_assert_eq(take.result, 1);
    cr_assert_eq(take.right, 4900);
}

/* The file's own size stays, whatever the next program's WSRX_HOLD_MAX is. */
Test(table_open, with_another_hold_max)
{
    struct table *table = table_path_open(), *larger = NULL;
    struct tail_take take;

    cr_assert_eq(tails_hold(table, SOCKET, 1, 5000, 100), 0);
    cr_assert_null(table_open(table_path, 8 * TABLE_PATH_HOLD_MAX, &larger));
    take = tails_take(larger, SOCKET, 5000, 0);
    cr_assert_eq(take.right, 4900);
}

/* More than was made sure of at first. */
Test(table_open, holds_as_much_as_it_says)
{
    struct table *table = NULL;
    const char *why = table_open(table_path, 16 << 20, &table);
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

/* --- a file of somebody else -------------------------------------------------------------- */

static void a_directory(void)
{
    cr_assert_eq(mkdir(table_path, 0700), 0);
}

static void a_fifo(void)
{
    cr_assert_eq(mkfifo(table_path, 0600), 0);
}

static void a_link(void)
{
    cr_assert_eq(symlink("/dev/null", table_path), 0);
}

static void for_the_group(void)
{
    write_file("", 0, 0640);
}

static void for_others(void)
{
    table_path_open();
    cr_assert_eq(chmod(table_path, 0606), 0);
}

static void of_another_user(void)
{
    write_file("", 0, 0600);
    if (chown(table_path, geteuid() + 1, (gid_t)-1) != 0)
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

    tails_hold(table_path_open(), SOCKET, 1, 5000, 100);
    fd = open(table_path, O_WRONLY);
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

    table_path_open();
    cr_assert_eq(stat(table_path, &status), 0);
    cr_assert_eq(truncate(table_path, status.st_size - 1), 0);
}

static void cut_to_the_head(void)
{
    table_path_open();
    cr_assert_eq(truncate(table_path, (off_t)sizeof(struct table) + 100), 0);
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

static off_t size_of_file(void)
{
    struct stat status;

    return lstat(table_path, &status) == 0 ? status.st_size : -1;
}

ROWS(table_open, refuses, ROWS_OF(refusals))
{
    const struct refusal *refusal = &refusals[*row];
    struct table *table = NULL;
    const char *why;
    off_t size;

    refusal->make();
    size = size_of_file();
    why = table_open(table_path, TABLE_PATH_HOLD_MAX, &table);
    cr_assert_not_null(why, "%s: taken", refusal->what);
    cr_expect_str_eq(why, refusal->why, "%s: \"%s\"", refusal->what, why);
    cr_expect_null(table, "%s", refusal->what);
    cr_expect_eq(size_of_file(), size, "%s: changed", refusal->what);
}

Test(table_open, in_a_place_that_is_not_there)
{
    struct table *table = NULL;
    const char *why = table_open("/nonexistent/table", TABLE_PATH_HOLD_MAX, &table);

    cr_assert_not_null(why);
    cr_expect_str_eq(why, "No such file or directory");
    cr_expect_null(table);
}
