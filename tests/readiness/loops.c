/* SPDX-License-Identifier: MIT */
/*
 * Real event loops, unmodified from the distribution, around programs that receive long messages
 * with small buffers, once an event. Without the library each loses what does not fit; with it
 * every byte arrives, in order, and no loop gets an event for nothing.
 */
#include "rows.h"
#include "spawn.h"
#include "udp.h"

#include <linux/sock_diag.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 60, LONGEST = 9000, START_MS = 60000, DEADLINE_MS = 120000 };

struct loop {
    const char *name;
    const char *script; /* for bash; $LOOPS: the programs beside this test, $SOURCES: theirs */
    const char *needs;  /* a file that must be there */
    const char *setting;
};

static const struct loop loops[] = {
    {"libevent, epoll", "exec $LOOPS/loop-libevent", "$LOOPS/loop-libevent", NULL},
    {"libevent, poll", "EVENT_NOEPOLL=1 exec $LOOPS/loop-libevent", "$LOOPS/loop-libevent", NULL},
    {"libevent, select", "EVENT_NOEPOLL=1 EVENT_NOPOLL=1 exec $LOOPS/loop-libevent",
     "$LOOPS/loop-libevent", NULL},
    {"libevent, change list", "EVENT_EPOLL_USE_CHANGELIST=1 exec $LOOPS/loop-libevent",
     "$LOOPS/loop-libevent", NULL},
    {"libevent, bufferevent", "exec $LOOPS/loop-libevent buffered", "$LOOPS/loop-libevent", NULL},
    {"libuv, uv_poll", "exec $LOOPS/loop-libuv poll", "$LOOPS/loop-libuv", NULL},
    {"libuv, uv_udp", "exec $LOOPS/loop-libuv udp", "$LOOPS/loop-libuv", "WSRX_CALLS=all"},
    {"libev, epoll", "exec $LOOPS/loop-libev epoll", "$LOOPS/loop-libev", NULL},
    {"libev, poll", "exec $LOOPS/loop-libev poll", "$LOOPS/loop-libev", NULL},
    {"libev, select", "exec $LOOPS/loop-libev select", "$LOOPS/loop-libev", NULL},
    {"python3, SelectSelector", "exec /usr/bin/python3 $SOURCES/selector.py select",
     "/usr/bin/python3", NULL},
    {"python3, PollSelector", "exec /usr/bin/python3 $SOURCES/selector.py poll", "/usr/bin/python3",
     NULL},
    {"python3, EpollSelector", "exec /usr/bin/python3 $SOURCES/selector.py epoll",
     "/usr/bin/python3", NULL},
    {"python3, asyncio sock_recv", "exec /usr/bin/python3 $SOURCES/selector.py calls",
     "/usr/bin/python3", NULL},
    {"python3, asyncio add_reader", "exec /usr/bin/python3 $SOURCES/selector.py reader",
     "/usr/bin/python3", NULL},
    {"python3, asyncio DatagramProtocol", "exec /usr/bin/python3 $SOURCES/selector.py protocol",
     "/usr/bin/python3", NULL},
    {"perl, IO::Select and recv", "exec perl $SOURCES/select.pl recv", "/usr/bin/perl", NULL},
    {"perl, IO::Select and sysread", "exec perl $SOURCES/select.pl sysread", "/usr/bin/perl", NULL},
};

static bool is_there(const char *path, const char *directory)
{
    char full[4096];

    if (strncmp(path, "$LOOPS", 6) == 0)
        snprintf(full, sizeof(full), "%s%s", directory, path + 6);
    else
        snprintf(full, sizeof(full), "%s", path);
    return access(full, X_OK) == 0;
}

/* The receiver's queue, as the kernel accounts for it. */
static uint32_t queue_of(int receiver, uint32_t *ret_drops)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t length = sizeof(memory);

    if (getsockopt(receiver, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        return UINT32_MAX;
    *ret_drops = memory[SK_MEMINFO_DROPS];
    return memory[SK_MEMINFO_RMEM_ALLOC];
}

static unsigned length_of(unsigned number)
{
    return 1 + number * 2711 % LONGEST;
}

/* Each byte differs from what the neighbouring messages and parts have in its place. */
static void make_message(char *to, unsigned number, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        to[i] = (char)(' ' + (number * 17 + i / 700 * 31 + i) % 90);
}

/* What the messages are, one after the other. */
static char *make_messages(size_t *ret_length)
{
    char *all = malloc((size_t)MESSAGES * LONGEST);
    size_t length = 0;

    for (unsigned i = 0; i < MESSAGES; i++) {
        make_message(all + length, i, length_of(i));
        length += length_of(i);
    }
    *ret_length = length;
    return all;
}

enum { SENT, NOBODY_RECEIVES, SEND_FAILED, DROPPED };

/* Sends all of it, never more than the receiver's queue has room for. */
static int send_messages(int fd, int receiver, const char *all)
{
    uint32_t drops = 0;

    for (unsigned i = 0; i < MESSAGES; i++) {
        long long deadline = spawn_now_ms() + START_MS;

        while (queue_of(receiver, &drops) > 60000) {
            if (spawn_now_ms() > deadline)
                return NOBODY_RECEIVES;
            usleep(500); /* leave the processor to the receiver */
        }
        if (send(fd, all, length_of(i), 0) != (ssize_t)length_of(i))
            return SEND_FAILED;
        all += length_of(i);
    }
    if (send(fd, "end", 3, 0) != 3)
        return SEND_FAILED;
    queue_of(receiver, &drops);
    return drops == 0 ? SENT : DROPPED;
}

/* A process of its own sends, while this one takes what the program prints. */
static pid_t sender_start(int fd, int receiver, const char *all)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(send_messages(fd, receiver, all));
    return pid;
}

static void sender_await(pid_t pid, const char *name)
{
    static const char *const words[] = {[SENT] = "sent",
                                        [NOBODY_RECEIVES] = "nobody receives",
                                        [SEND_FAILED] = "a send failed",
                                        [DROPPED] = "the kernel dropped messages: sent too fast"};
    int status = -1;

    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    cr_expect(status == 0, "%s: the sender says: %s", name, words[WEXITSTATUS(status)]);
}

static void play(const struct loop *loop, bool preload, const char *hold)
{
    const char *const argv[] = {"bash", "--norc", "-c", loop->script, NULL};
    char loops_word[4096], sources_word[4096];
    const char *const environment[] = {loops_word, sources_word, hold ? hold : "WSRX_HOLD=auto",
                                       loop->setting, NULL};
    /* Its stdin from the start: there is no port to be taken by others, nor to be waited for. */
    unsigned port;
    int receiver = udp_bind(&port), fd = udp_connect(-1, port);
    struct spawn_request request = {.argv = argv,
                                    .environment = environment,
                                    .preload = preload,
                                    .stdin_fd = receiver,
                                    .deadline_ms = DEADLINE_MS};
    struct spawned child;
    size_t length;
    char *expected;
    pid_t sender;

    snprintf(loops_word, sizeof(loops_word), "LOOPS=%s", getenv("WSRX_TEST_LOOPS"));
    snprintf(sources_word, sizeof(sources_word), "SOURCES=%s/tests/readiness/loops",
             spawn_source_root());
    cr_assert(spawn_start(&child, &request));
    expected = make_messages(&length);
    sender = sender_start(fd, receiver, expected);
    spawn_await_end(&child);
    sender_await(sender, loop->name);
    if (preload)
        cr_expect(child.exit_status == 0 && child.out.length == length &&
                      memcmp(child.out.data, expected, length) == 0,
                  "%s, %s: %zu of %zu bytes%s (exit status %d%s): %s", loop->name,
                  hold ? hold : "by default", child.out.length, length,
                  child.out.length == length ? ", others than were sent" : "", child.exit_status,
                  child.timed_out ? ", does not end" : "", child.err.data);
    else
        cr_expect(child.exit_status == 0 && child.out.length < length,
                  "%s: loses nothing without the library, so it shows nothing (%zu of %zu; %s)",
                  loop->name, child.out.length, length, child.err.data);
    close(fd);
    close(receiver);
    free(expected);
    spawn_free(&child);
}

ROWS(loops, to_the_last_byte, ROWS_OF(loops))
{
    const struct loop *loop = &loops[*row];
    const char *directory = getenv("WSRX_TEST_LOOPS");

    cr_assert(directory, "WSRX_TEST_LOOPS is not set: run the tests with `meson test`");
    if (!is_there(loop->needs, directory))
        cr_skip_test("SKIP: %s is not there: is its -dev package installed?", loop->needs);
    play(loop, false, NULL);
    play(loop, true, NULL);
    play(loop, true, "WSRX_HOLD=kernel");
}
