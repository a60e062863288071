/* SPDX-License-Identifier: MIT */
/*
 * Unmodified programs of the distribution. Each is run twice on the same messages: without the
 * library it must lose bytes, with it none; a control loses nothing either way. The last message
 * ends the program, or shows that everything before it has arrived, so that nothing is timed.
 */
#include "rows.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "spawn.h"
#include "udp.h"

enum { MESSAGES = 8, DEADLINE_MS = 20000, START_MS = 10000 };

/* What ends a program that listens: it is printed, as all before it has been. */
#define END "\nend\n"

/* A descriptor of bash's own, on which the test is called. */
#define CALL "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"

#define PYTHON                                               \
    "exec /usr/bin/python3 -c '\n"                           \
    "import os, socket, sys\n"                               \
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
    "test = (\"127.0.0.1\", int(os.environ[\"PORT\"]))\n"    \
    "def show(data):\n"                                      \
    "    sys.stdout.buffer.write(data)\n"                    \
    "    sys.stdout.buffer.flush()\n"

#define PERL                                                                  \
    "exec perl -MSocket -e '$| = 1; socket(S, PF_INET, SOCK_DGRAM, 0); $t = " \
    "sockaddr_in($ENV{PORT}, INADDR_LOOPBACK);\n"

#define RUBY "exec ruby -rsocket -e 's = UDPSocket.new; t = \"127.0.0.1\", ENV[\"PORT\"].to_i\n"

struct program {
    const char *name;
    const char *needs;          /* looked for in PATH; a missing one is skipped */
    const char *script;         /* for bash, which exec's the program; $PORT */
    unsigned lengths[MESSAGES]; /* of the messages; up to a 0 */
    /* A program that calls sends the first message, from a port of its own, and ends by itself: by
     * the bytes of this message, sent so often, even where it has lost all others but their first
     * parts. NULL: it listens, and ends by END. */
    const char *ends_by;
    unsigned times;
    bool control; /* it loses nothing, with the library or without it */
    bool either;  /* of one version that is so, of another it is not */
};

/* clang-format off */
static const struct program programs[] = {
    {"bash read", "bash",
     CALL "read -t 10 -r line <&3; printf '%s\\n' \"$line\"",
     .lengths = {40}, .ends_by = "\n", .times = 1},
    {"bash mapfile", "bash",
     CALL "mapfile -n 3 lines <&3; printf '%s' \"${lines[@]}\"",
     .lengths = {40, 50, 60}, .ends_by = "\n", .times = 3},
    {"dash read", "dash",
     CALL "exec dash -c 'read -r a <&3; read -r b <&3; printf \"%s\\\\n\" \"$a\" \"$b\"'",
     .lengths = {40, 300}, .ends_by = "\n", .times = 2},
    {"dd bs=1", "dd",
     CALL "exec dd bs=1 count=50 status=none <&3",
     .lengths = {50}, .ends_by = ".", .times = 49},
    {"dd bs=512", "dd",
     CALL "exec dd bs=512 count=6 status=none <&3",
     .lengths = {1400, 1400}, .ends_by = ".", .times = 4},
    {"head -c", "head",
     CALL "exec head -c 12000 <&3",
     .lengths = {12000}, .ends_by = "....................................", .times = 110},
    {"socat, messages of 9,000", "socat",
     "exec socat -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
     .lengths = {9000, 9000, 9000}},
    {"socat -b 512", "socat",
     "exec socat -b 512 -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
     .lengths = {1400, 1400, 1400}},
    {"socat in both directions", "socat",
     "exec socat UDP-LISTEN:$PORT,bind=127.0.0.1 STDIO",
     .lengths = {9000, 9000, 9000}},
    {"OpenBSD's nc", "nc.openbsd",
     "exec nc.openbsd -u -l 127.0.0.1 $PORT",
     .lengths = {20000, 20000, 20000}},
    {"traditional nc", "nc.traditional",
     "exec nc.traditional -u -l -s 127.0.0.1 -p $PORT",
     .lengths = {20000, 20000, 20000}},
    {"python3 recv", "/usr/bin/python3",
     PYTHON "s.bind(test)\n"
            "while True: show(s.recv(1024))'",
     .lengths = {3000, 10, 60000, 1024, 1025}},
    {"python3 recvfrom with a timeout", "/usr/bin/python3", /* it polls, then receives */
     PYTHON "s.bind(test)\n"
            "s.settimeout(15)\n"
            "peers = set()\n"
            "while True:\n"
            "    data, peer = s.recvfrom(1000)\n"
            "    peers.add(peer)\n"
            "    assert len(peers) == 1\n"
            "    show(data)'",
     .lengths = {3000, 10, 60000, 1000, 1001}},
    {"python3 makefile", "/usr/bin/python3",
     PYTHON "s.connect(test); s.send(b\"hello\"); f = s.makefile(\"rb\")\n"
            "for i in range(3): show(f.readline())'",
     .lengths = {20000, 30000, 9000}, .ends_by = "\n", .times = 3},
    {"perl recv", "perl",
     PERL "bind(S, $t) or die $!;\n"
          "while (1) { defined(recv(S, $b, 1000, 0)) or die $!; print $b }'",
     .lengths = {3000, 10, 60000, 1000, 1001}},
    {"perl <>", "perl",
     PERL "connect(S, $t) or die $!; send(S, \"hello\", 0);\n"
          "$l = <S>; print $l; $l = <S>; print $l'",
     .lengths = {20000, 30000}, .ends_by = "\n", .times = 2},
    {"gawk /inet/udp", "gawk",
     "exec gawk 'BEGIN {\n"
     "s = \"/inet/udp/0/127.0.0.1/\" ENVIRON[\"PORT\"]; print \"hello\" |& s\n"
     "for (i = 0; i < 2; i++) { s |& getline line; print line }\n"
     "exit }'",
     .lengths = {20000, 30000}, .ends_by = "\n", .times = 2},
    {"php fgets", "php",
     "exec php -n -r '$s = stream_socket_client(\"udp://127.0.0.1:\" . getenv(\"PORT\"));\n"
     "fwrite($s, \"hello\"); echo fgets($s); echo fgets($s);'",
     .lengths = {20000, 30000}, .ends_by = "\n", .times = 2},
    {"ruby recv", "ruby",
     RUBY "s.bind(*t); $stdout.sync = true; loop { $stdout.write(s.recv(1000)) }'",
     .lengths = {3000, 10, 60000, 1000, 1001}},
    {"ruby gets", "ruby",
     RUBY "s.connect(*t); s.send(\"hello\", 0); $stdout.write(s.gets, s.gets)'",
     .lengths = {30000, 40000}, .ends_by = "\n", .times = 2},

    /* Its buffer has 128 KiB in 7.93 (Debian 12), and 8,192 bytes in 7.95 (Debian 13). */
    {"ncat", "ncat",
     "exec ncat -u -l 127.0.0.1 $PORT",
     .lengths = {9000, 20000, 60000}, .either = true},

    /* Controls: a buffer for every message, or messages that fit. */
    {"ncat, messages that fit", "ncat",
     "exec ncat -u -l 127.0.0.1 $PORT",
     .lengths = {8192, 8000, 1}, .control = true},
    {"node", "node",
     "exec node -e 's = require(\"dgram\").createSocket(\"udp4\")\n"
     "s.on(\"message\", (m) => process.stdout.write(m))\n"
     "s.bind(Number(process.env.PORT), \"127.0.0.1\")'",
     .lengths = {9000, 20000, 60000}, .control = true},
    {"socat, messages that fit", "socat",
     "exec socat -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
     .lengths = {8192, 8192, 1, 8000}, .control = true},
    {"python3 recv(65536)", "/usr/bin/python3",
     PYTHON "s.bind(test)\n"
            "while True: show(s.recv(65536))'",
     .lengths = {9000, 20000, 60000}, .control = true},
};
/* clang-format on */

/* Text without spaces that differs from place to place and message to message, and a newline. */
static void make_message(char *to, unsigned number, unsigned length)
{
    for (unsigned i = 0; i + 1 < length; i++)
        to[i] = (char)(']' + (i / 7 * 31 + i + number * 17 + i / 997) % 29);
    if (length > 0)
        to[length - 1] = '\n';
}

static void await_bound(const struct spawned *child, unsigned port, const char *name)
{
    long long deadline = spawn_now_ms() + START_MS;
    struct udp_socket socket;

    while (!udp_look(port, &socket)) {
        cr_assert(spawn_now_ms() < deadline && !child->ended, "%s does not listen", name);
        usleep(2000);
    }
}

static void await_call(int fd, const char *name)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    char greeting[64];

    cr_assert(poll(&wait, 1, START_MS) == 1, "%s does not call", name);
    cr_assert(recvfrom(fd, greeting, sizeof(greeting), 0, (struct sockaddr *)&peer, &length) > 0);
    cr_assert(connect(fd, (struct sockaddr *)&peer, length) == 0);
}

/* Sends everything; returns what ought to be printed. */
static char *send_messages(int fd, const struct program *program, size_t *ret_length)
{
    char *all = calloc(1, 1 << 20), message[65536];
    const char *last;
    size_t length = 0;

    for (unsigned i = 0; i < MESSAGES && program->lengths[i]; i++) {
        make_message(message, i, program->lengths[i]);
        cr_assert(send(fd, message, program->lengths[i], 0) == (ssize_t)program->lengths[i],
                  "%s: message %u cannot be sent: %m", program->name, i);
        memcpy(all + length, message, program->lengths[i]);
        length += program->lengths[i];
    }
    /* A program that has got what it wanted may be gone by now: then these fail, and no more. */
    last = program->ends_by ? program->ends_by : END;
    for (unsigned i = 0; i < (program->ends_by ? program->times : 1); i++)
        (void)!send(fd, last, strlen(last), 0);
    *ret_length = length;
    return all;
}

/* Runs it once; returns how many bytes were lost, or -1 where what came out is wrong otherwise. */
static long play(const struct program *program, bool preload)
{
    const char *const argv[] = {"bash", "-c", program->script, NULL};
    char variable[32], *expected;
    const char *const environment[] = {variable, NULL};
    struct spawn_request request = {.argv = argv,
                                    .environment = environment,
                                    .preload = preload,
                                    .open_stdin = true, /* its end would end some of them */
                                    .deadline_ms = DEADLINE_MS};
    bool calls = program->ends_by != NULL;
    struct spawned child;
    unsigned port;
    size_t length, got;
    int fd = udp_bind(&port);
    long lost;

    if (!calls)
        port = udp_free_port();
    snprintf(variable, sizeof(variable), "PORT=%u", port);
    cr_assert(spawn_start(&child, &request));
    if (calls) {
        await_call(fd, program->name);
    } else {
        await_bound(&child, port, program->name);
        udp_connect(fd, port);
    }
    expected = send_messages(fd, program, &length);
    if (calls) {
        spawn_await_end(&child);
        cr_expect(!child.timed_out, "%s%s: does not end", program->name,
                  preload ? ", preloaded" : "");
        got = child.out.length;
    } else {
        cr_expect(spawn_await_word(&child, END), "%s%s: its last message never came", program->name,
                  preload ? ", preloaded" : "");
        spawn_stop(&child);
        got = child.out.length >= strlen(END) ? child.out.length - strlen(END) : 0;
    }
    lost = (long)length - (long)got;
    if (lost == 0 && memcmp(expected, child.out.data, length) != 0)
        lost = preload ? -1 : 1; /* all there, but not what was sent */
    cr_expect(!strstr(child.err.data, "wsrx"), "%s says: %s", program->name, child.err.data);
    free(expected);
    spawn_free(&child);
    close(fd);
    return lost;
}

ROWS(programs, lose_nothing, ROWS_OF(programs))
{
    const struct program *program = &programs[*row];
    long without, with;

    if (!spawn_finds(program->needs))
        cr_skip_test("%s: %s is not installed", program->name, program->needs);
    without = play(program, false);
    with = play(program, true);
    if (program->control)
        cr_expect(without == 0, "%s, a control, loses %ld bytes without the library", program->name,
                  without);
    else if (!program->either)
        cr_expect(without > 0, "%s loses nothing without the library: it shows nothing (%ld)",
                  program->name, without);
    cr_expect(with == 0, "%s: %ld bytes lost, preloaded (without: %ld)", program->name, with,
              without);
}

/*
 * busybox syslogd listens on /dev/log and nowhere else: it gets a /dev of its own, in a mount
 * namespace, which takes root. It logs every part as a line, with a time and a host before it.
 */
static const char syslogd[] = "mount -t tmpfs none /dev && exec busybox syslogd -n -O -";

static bool send_record(pid_t pid, const char *record, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent;

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%d/root/dev/log", (int)pid);
    sent = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           send(fd, record, length, 0) == (ssize_t)length;
    close(fd);
    return sent;
}

/* What syslogd has put before each line ends with the last space: the record has none. */
static size_t logged_bytes(const char *log, const char *record)
{
    size_t matched = 0;

    while (*log) {
        size_t line = strcspn(log, "\n");
        const char *text = memrchr(log, ' ', line);

        text = text ? text + 1 : log;
        if (strncmp(text, record + matched, (size_t)(log + line - text)) == 0)
            matched += (size_t)(log + line - text);
        log += line + (log[line] == '\n');
    }
    return matched;
}

static size_t log_record(const char *record, size_t length, bool preload)
{
    const char *const argv[] = {"unshare", "-m", "sh", "-c", syslogd, NULL};
    struct spawn_request request = {.argv = argv, .preload = preload, .deadline_ms = DEADLINE_MS};
    static const char last[] = "<13>the.end";
    long long deadline = spawn_now_ms() + START_MS;
    struct spawned daemon;
    char *whole = NULL;
    size_t logged;

    cr_assert(spawn_start(&daemon, &request));
    cr_assert(asprintf(&whole, "<13>%s", record) > 0);
    while (!send_record(daemon.pid, whole, length + 4)) {
        cr_assert(spawn_now_ms() < deadline, "syslogd does not listen: %s", daemon.err.data);
        usleep(2000);
    }
    cr_assert(send_record(daemon.pid, last, strlen(last)));
    cr_expect(spawn_await_word(&daemon, "the.end"), "its last record never came");
    spawn_stop(&daemon);
    logged = logged_bytes(daemon.out.data, record);
    free(whole);
    spawn_free(&daemon);
    return logged;
}

Test(programs, busybox_syslogd)
{
    enum { LENGTH = 3000 };
    static const char *const argv[] = {"unshare", "-m", "true", NULL};
    static const struct spawn_request own_namespace = {.argv = argv};
    char record[LENGTH + 1] = "";
    struct spawned namespace;
    size_t without, with;

    if (!spawn_run(&namespace, &own_namespace) || namespace.exit_status != 0)
        cr_skip_test("busybox syslogd: no mount namespace for a /dev of its own");
    spawn_free(&namespace);
    if (!spawn_finds("busybox"))
        cr_skip_test("busybox is not installed");
    make_message(record, 1, LENGTH);
    record[LENGTH - 1] = 'x';
    for (char *c = record; *c; c++)
        *c = *c == '<' || *c == '>' || *c == ':' ? '.' : *c; /* no priority, no time to be found */
    without = log_record(record, LENGTH, false);
    with = log_record(record, LENGTH, true);
    cr_expect(without < LENGTH, "syslogd logs %zu of %d bytes without the library", without,
              LENGTH);
    cr_expect_eq(with, LENGTH, "syslogd logs %zu of %d bytes, preloaded (without: %zu)", with,
                 LENGTH, without);
}
