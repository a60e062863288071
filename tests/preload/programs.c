/* SPDX-License-Identifier: MIT */
/*
 * Unmodified programs of the distribution. Each is run twice on the same messages: without the
 * library it must lose bytes, with it none; a control loses nothing either way. The last message
 * ends the program, or tells that everything before it has arrived, so that nothing is timed.
 */
#include "rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "spawn.h"

enum { MESSAGES = 64, DEADLINE_MS = 20000, START_MS = 10000 };

enum expectation { LOSES, KEEPS };

struct program {
    const char *name;
    const char *needs;  /* looked for in PATH; a missing one is skipped */
    bool calls;         /* it sends the first message, from a port of its own; else it listens */
    bool open_stdin;    /* end of file on stdin would end it */
    const char *script; /* for bash, which exec's the program; $PORT */
    unsigned lengths[MESSAGES]; /* of the messages; up to a 0 */
    const char *last;           /* the message that ends it; no part of what is expected */
    unsigned last_count;        /* how often it is sent */
    enum expectation without;
    bool last_is_printed; /* wait for it on stdout, then stop the program */
};

#define END "\nend\n"

static const struct program programs[] = {
    {
        .name = "bash read",
        .needs = "bash",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "read -t 10 -r line <&3; printf '%s\\n' \"$line\"",
        .lengths = {40},
        .last = "\n",
        .last_count = 1,
    },
    {
        .name = "bash mapfile",
        .needs = "bash",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "mapfile -n 3 lines <&3; printf '%s' \"${lines[@]}\"",
        .lengths = {40, 50, 60},
        .last = "\n",
        .last_count = 3,
    },
    {
        .name = "dash read",
        .needs = "dash",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "exec dash -c 'read -r a <&3; read -r b <&3; printf \"%s\\\\n\" \"$a\" \"$b\"'",
        .lengths = {40, 300},
        .last = "\n",
        .last_count = 2,
    },
    {
        .name = "dd bs=1",
        .needs = "dd",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "exec dd bs=1 count=50 status=none <&3",
        .lengths = {50},
        .last = ".",
        .last_count = 49,
    },
    {
        .name = "dd bs=512",
        .needs = "dd",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "exec dd bs=512 count=6 status=none <&3",
        .lengths = {1400, 1400},
        .last = ".",
        .last_count = 4,
    },
    {
        .name = "head -c",
        .needs = "head",
        .calls = true,
        .script = "exec 3<>/dev/udp/127.0.0.1/$PORT; echo hello >&3\n"
                  "exec head -c 12000 <&3",
        .lengths = {12000},
        .last = "................................................................"
                "................................................................",
        .last_count = 30,
    },
    {
        .name = "socat, messages of 9,000",
        .needs = "socat",
        .script = "exec socat -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
        .lengths = {9000, 9000, 9000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "socat -b 512",
        .needs = "socat",
        .script = "exec socat -b 512 -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
        .lengths = {1400, 1400, 1400},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "socat in both directions",
        .needs = "socat",
        .open_stdin = true,
        .script = "exec socat UDP-LISTEN:$PORT,bind=127.0.0.1 STDIO",
        .lengths = {9000, 9000, 9000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "OpenBSD's nc",
        .needs = "nc.openbsd",
        .open_stdin = true,
        .script = "exec nc.openbsd -u -l 127.0.0.1 $PORT",
        .lengths = {20000, 20000, 20000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "traditional nc",
        .needs = "nc.traditional",
        .open_stdin = true,
        .script = "exec nc.traditional -u -l -s 127.0.0.1 -p $PORT",
        .lengths = {20000, 20000, 20000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "python3 recv",
        .needs = "/usr/bin/python3",
        .script = "exec /usr/bin/python3 -c '\n"
                  "import os, socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.bind((\"127.0.0.1\", int(os.environ[\"PORT\"])))\n"
                  "while True:\n"
                  "    sys.stdout.buffer.write(s.recv(1024))\n"
                  "    sys.stdout.buffer.flush()\n"
                  "'",
        .lengths = {3000, 10, 60000, 1024, 1025},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "python3 recvfrom with a timeout",
        .needs = "/usr/bin/python3",
        .script = "exec /usr/bin/python3 -c '\n"
                  "import os, socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.bind((\"127.0.0.1\", int(os.environ[\"PORT\"])))\n"
                  "s.settimeout(15)\n" /* Python then polls before it receives */
                  "peers = set()\n"
                  "while True:\n"
                  "    data, peer = s.recvfrom(1000)\n"
                  "    peers.add(peer)\n"
                  "    assert len(peers) == 1\n"
                  "    sys.stdout.buffer.write(data)\n"
                  "    sys.stdout.buffer.flush()\n"
                  "'",
        .lengths = {3000, 10, 60000, 1000, 1001},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "python3 makefile",
        .needs = "/usr/bin/python3",
        .calls = true,
        .script = "exec /usr/bin/python3 -c '\n"
                  "import os, socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.connect((\"127.0.0.1\", int(os.environ[\"PORT\"])))\n"
                  "s.send(b\"hello\")\n"
                  "f = s.makefile(\"rb\")\n"
                  "for i in range(3):\n"
                  "    sys.stdout.buffer.write(f.readline())\n"
                  "'",
        .lengths = {20000, 30000, 9000},
        .last = "\n",
        .last_count = 3,
    },
    {
        .name = "perl recv",
        .needs = "perl",
        .script = "exec perl -MSocket -e '\n"
                  "socket(S, PF_INET, SOCK_DGRAM, 0); $| = 1;\n"
                  "bind(S, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die $!;\n"
                  "while (1) { defined(recv(S, $b, 1000, 0)) or die $!; print $b }\n"
                  "'",
        .lengths = {3000, 10, 60000, 1000, 1001},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "perl <>",
        .needs = "perl",
        .calls = true,
        .script = "exec perl -MSocket -e '\n"
                  "socket(S, PF_INET, SOCK_DGRAM, 0);\n"
                  "connect(S, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die $!;\n"
                  "send(S, \"hello\", 0); $l = <S>; print $l; $l = <S>; print $l;\n"
                  "'",
        .lengths = {20000, 30000},
        .last = "\n",
        .last_count = 2,
    },
    {
        .name = "gawk /inet/udp",
        .needs = "gawk",
        .calls = true,
        .script = "exec gawk 'BEGIN {\n"
                  "s = \"/inet/udp/0/127.0.0.1/\" ENVIRON[\"PORT\"]; print \"hello\" |& s\n"
                  "for (i = 0; i < 2; i++) { s |& getline line; print line }\n"
                  "exit }'",
        .lengths = {20000, 30000},
        .last = "\n",
        .last_count = 2,
    },
    {
        .name = "php fgets",
        .needs = "php",
        .calls = true,
        .script = "exec php -n -r '\n"
                  "$s = stream_socket_client(\"udp://127.0.0.1:\" . getenv(\"PORT\"));\n"
                  "fwrite($s, \"hello\"); echo fgets($s); echo fgets($s);\n"
                  "'",
        .lengths = {20000, 30000},
        .last = "\n",
        .last_count = 2,
    },
    {
        .name = "ruby recv",
        .needs = "ruby",
        .script =
            "exec ruby -rsocket -e '\n"
            "s = UDPSocket.new; s.bind(\"127.0.0.1\", ENV[\"PORT\"].to_i); $stdout.sync = true\n"
            "loop { $stdout.write(s.recv(1000)) }\n"
            "'",
        .lengths = {3000, 10, 60000, 1000, 1001},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
    },
    {
        .name = "ruby gets",
        .needs = "ruby",
        .calls = true,
        .script = "exec ruby -rsocket -e '\n"
                  "s = UDPSocket.new; s.connect(\"127.0.0.1\", ENV[\"PORT\"].to_i)\n"
                  "s.send(\"hello\", 0); $stdout.write(s.gets, s.gets)\n"
                  "'",
        .lengths = {30000, 40000},
        .last = "\n",
        .last_count = 2,
    },
    {
        .name = "control: ncat has a buffer for every message",
        .needs = "ncat",
        .open_stdin = true,
        .script = "exec ncat -u -l 127.0.0.1 $PORT",
        .lengths = {9000, 20000, 60000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
        .without = KEEPS,
    },
    {
        .name = "control: node has a buffer for every message",
        .needs = "node",
        .script = "exec node -e '\n"
                  "const s = require(\"dgram\").createSocket(\"udp4\")\n"
                  "s.on(\"message\", (m) => process.stdout.write(m))\n"
                  "s.bind(Number(process.env.PORT), \"127.0.0.1\")\n"
                  "'",
        .lengths = {9000, 20000, 60000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
        .without = KEEPS,
    },
    {
        .name = "control: socat, messages that fit",
        .needs = "socat",
        .script = "exec socat -u UDP-RECV:$PORT,bind=127.0.0.1 STDOUT",
        .lengths = {8192, 8192, 1, 8000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
        .without = KEEPS,
    },
    {
        .name = "control: python3 with a buffer for every message",
        .needs = "/usr/bin/python3",
        .script = "exec /usr/bin/python3 -c '\n"
                  "import os, socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.bind((\"127.0.0.1\", int(os.environ[\"PORT\"])))\n"
                  "while True:\n"
                  "    sys.stdout.buffer.write(s.recv(65536))\n"
                  "    sys.stdout.buffer.flush()\n"
                  "'",
        .lengths = {9000, 20000, 60000},
        .last = END,
        .last_count = 1,
        .last_is_printed = true,
        .without = KEEPS,
    },
};

/* Text without spaces that differs from place to place and message to message, and a newline. */
static void make_message(char *to, unsigned number, unsigned length)
{
    for (unsigned i = 0; i + 1 < length; i++)
        to[i] = (char)(']' + (i / 7 * 31 + i + number * 17 + i / 997) % 29);
    if (length > 0)
        to[length - 1] = '\n';
}

static bool is_there(const char *program)
{
    const char *const argv[] = {"sh", "-c", "command -v \"$0\"", program, NULL};
    struct spawn_request request = {.argv = argv};
    struct spawned shell;
    bool there = spawn_run(&shell, &request) && shell.exit_status == 0;

    spawn_free(&shell);
    return there;
}

static int bind_loopback(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int size = 1 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* A listener is ready when the kernel lists its port. */
static bool is_bound(unsigned port)
{
    char wanted[16], line[512];
    bool found = false;
    FILE *file;

    snprintf(wanted, sizeof(wanted), ":%04X ", port);
    for (const char *const *path = (const char *const[]){"/proc/net/udp", "/proc/net/udp6", NULL};
         *path && !found; path++) {
        file = fopen(*path, "r");
        while (file && !found && fgets(line, sizeof(line), file)) {
            char *local = strchr(line, ':');

            local = local ? strchr(local + 1, ':') : NULL; /* after the slot number */
            found = local && strncmp(local, wanted, strlen(wanted)) == 0;
        }
        if (file)
            fclose(file);
    }
    return found;
}

static void await_bound(const struct spawned *child, unsigned port, const char *name)
{
    long long deadline = spawn_now_ms() + START_MS;

    while (!is_bound(port)) {
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

static void connect_to_port(int fd, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* Sends everything; returns what ought to be printed. */
static char *send_messages(int fd, const struct program *program, size_t *ret_length)
{
    char *all = calloc(1, 1 << 20), message[65536];
    size_t length = 0;

    for (unsigned i = 0; i < MESSAGES && program->lengths[i]; i++) {
        make_message(message, i, program->lengths[i]);
        cr_assert(send(fd, message, program->lengths[i], 0) == (ssize_t)program->lengths[i]);
        memcpy(all + length, message, program->lengths[i]);
        length += program->lengths[i];
    }
    /* A program that has got what it wanted may be gone by now: then these fail, and that is all. */
    for (unsigned i = 0; i < program->last_count; i++)
        (void)!send(fd, program->last, strlen(program->last), 0);
    *ret_length = length;
    return all;
}

/* Runs it once; returns how many bytes were lost, or -1 where what came out is wrong otherwise. */
static long play(const struct program *program, bool preload)
{
    const char *const argv[] = {"bash", "-c", program->script, NULL};
    char variable[32], *expected;
    const char *const environment[] = {variable, NULL};
    struct spawn_request request = {
        .argv = argv,
        .environment = environment,
        .preload = preload,
        .open_stdin = program->open_stdin,
        .deadline_ms = DEADLINE_MS,
    };
    struct spawned child;
    unsigned port, own_port;
    size_t length, got;
    int fd = bind_loopback(&own_port);
    long lost;

    port = own_port;
    if (!program->calls)
        close(bind_loopback(&port)); /* a free one, for the listener */
    snprintf(variable, sizeof(variable), "PORT=%u", port);
    cr_assert(spawn_start(&child, &request));
    if (program->calls) {
        await_call(fd, program->name);
    } else {
        await_bound(&child, port, program->name);
        connect_to_port(fd, port);
    }
    expected = send_messages(fd, program, &length);
    if (program->last_is_printed) {
        cr_expect(spawn_await_word(&child, program->last), "%s%s: its last message never came",
                  program->name, preload ? ", preloaded" : "");
        spawn_stop(&child);
        got = child.out.length >= strlen(program->last) ? child.out.length - strlen(program->last)
                                                        : 0;
    } else {
        spawn_await_end(&child);
        cr_expect(!child.timed_out, "%s%s: does not end", program->name,
                  preload ? ", preloaded" : "");
        got = child.out.length;
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

    if (!is_there(program->needs))
        cr_skip_test("%s: %s is not installed", program->name, program->needs);
    without = play(program, false);
    with = play(program, true);
    if (program->without == LOSES)
        cr_expect(without > 0, "%s loses nothing without the library: it shows nothing (%ld)",
                  program->name, without);
    else
        cr_expect(without == 0, "%s, a control, loses %ld bytes without the library", program->name,
                  without);
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
    char record[LENGTH + 1] = "";
    size_t without, with;

    if (geteuid() != 0)
        cr_skip_test("busybox syslogd: a /dev of its own takes root");
    if (!is_there("busybox") || !is_there("unshare"))
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
