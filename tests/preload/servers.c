/* SPDX-License-Identifier: MIT */
/*
 * Servers of the distribution under load, unmodified: thousands of messages, each as soon as the
 * server's queue has room for it, and every byte of them accounted for.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"
#include "udp.h"

enum { START_MS = 20000, STALL_MS = 30000, DEADLINE_MS = 120000 };

static void start(struct spawned *server, const char *script, unsigned port, bool preload,
                  const char *const settings[3])
{
    const char *const argv[] = {"bash", "-c", script, NULL};
    char variable[32];
    const char *const environment[] = {variable, settings[0], settings[0] ? settings[1] : NULL,
                                       settings[0] && settings[1] ? settings[2] : NULL, NULL};
    struct spawn_request request = {
        .argv = argv, .environment = environment, .preload = preload, .deadline_ms = DEADLINE_MS};
    long long deadline = spawn_now_ms() + START_MS;
    struct udp_socket socket;

    snprintf(variable, sizeof(variable), "PORT=%u", port);
    cr_assert(spawn_start(server, &request));
    while (!udp_look(port, &socket)) {
        cr_assert(spawn_now_ms() < deadline, "it does not listen: %s", server->err.data);
        usleep(2000);
    }
}

/* --- rsyslogd: what it receives goes to stdout, byte for byte ------------------------------ */

enum {
    RECORDS = 2000,
    LONGEST = 40000,
    BUFFER = 8096,       /* rsyslogd's, where its configuration says nothing of it */
    QUEUED_MOST = 60000, /* one more record fits SO_RCVBUF's default then */
};

static const char rsyslogd[] =
    "exec rsyslogd -n -i NONE -f <(cat <<END\n"
    "module(load=\"imudp\")\n"
    "main_queue(queue.type=\"direct\")\n" /* any other drops records when it is full */
    "input(type=\"imudp\" port=\"$PORT\" address=\"127.0.0.1\" ruleset=\"out\")\n"
    "template(name=\"raw\" type=\"string\" string=\"%rawmsg%\")\n"
    "ruleset(name=\"out\") { action(type=\"omfile\" file=\"/dev/stdout\" template=\"raw\") }\n"
    "END\n"
    ")";

static size_t length_of(unsigned record)
{
    return 1 + record * 7919 % LONGEST;
}

/* Printable bytes that distinguish one record, and one part of it, from any other; without 'z', with which
 * a compressed record would begin. */
static void make_record(char *to, unsigned record)
{
    for (size_t i = 0; i < length_of(record); i++)
        to[i] = (char)('!' + (record * 17 + i / 700 * 31 + i) % 80);
}

/* What is printed where at most `room` bytes of each record are received. */
static char *expected_output(size_t room, size_t *ret_length)
{
    char *all = malloc((size_t)RECORDS * LONGEST);
    size_t length = 0;

    cr_assert(all);
    for (unsigned i = 0; i < RECORDS; i++) {
        make_record(all + length, i);
        length += length_of(i) < room ? length_of(i) : room;
    }
    memcpy(all + length, "end", 3);
    *ret_length = length + 3;
    return all;
}

enum { SENT, NOT_RECEIVED, SEND_FAILED, DROPPED }; /* exit statuses */

static int send_records(unsigned port)
{
    int fd = udp_connect(-1, port);
    unsigned long drops = 0;
    char record[LONGEST];

    for (unsigned i = 0; i < RECORDS; i++) {
        if (!udp_await_room(port, QUEUED_MOST, STALL_MS, &drops))
            return NOT_RECEIVED;
        make_record(record, i);
        if (send(fd, record, length_of(i), 0) != (ssize_t)length_of(i))
            return SEND_FAILED;
    }
    if (!udp_await_room(port, QUEUED_MOST, STALL_MS, &drops))
        return NOT_RECEIVED;
    if (send(fd, "end", 3, 0) != 3)
        return SEND_FAILED;
    return drops == 0 ? SENT : DROPPED;
}

/* The number in a column of the library's statistics, in the line of the sums. */
static unsigned long statistic(const struct spawned *server, int column)
{
    char *at = strstr(server->err.data, "total"); /* the line's last word */
    unsigned long number = 0;

    cr_assert(at, "no statistics: %s", server->err.data);
    while (at > server->err.data && at[-1] != '\n')
        at--;
    for (int i = 0; i <= column; i++)
        number = strtoul(at, &at, 10);
    return number;
}

enum {
    LOST_BYTES,
    MESSAGES_CUT,
    DROPPED_BY_KERNEL,
    SAVED_BYTES,
    RECEIVES,
    PARTIAL,
    ERRORS,
    BYTES
}; /* columns */

static void log_records(const char *mode, bool keeps)
{
    const char *const settings[3] = {"WSRX_CALLS=all", "WSRX_STATS=1", mode};
    unsigned port = udp_free_port();
    size_t sent, length;
    char *expected;
    struct spawned server;
    int status = -1;
    pid_t sender;

    free(expected_output(LONGEST, &sent));
    expected = expected_output(keeps ? LONGEST : BUFFER, &length);
    start(&server, rsyslogd, port, mode != NULL, settings);
    sender = fork(); /* it sends while this process takes what the server prints */
    if (sender == 0)
        _exit(send_records(port));
    cr_expect(spawn_await_word(&server, "end"), "the last record never came");
    cr_assert(waitpid(sender, &status, 0) == sender);
    cr_expect(status == SENT, "the sender ended with status %d", WEXITSTATUS(status));
    kill(server.pid, SIGTERM);
    spawn_await_end(&server);

    cr_expect_eq(server.exit_status, 0);
    cr_expect_eq(server.out.length, length, "%zu bytes logged, %zu expected, of %zu sent",
                 server.out.length, length, sent);
    cr_expect(server.out.length == length && memcmp(server.out.data, expected, length) == 0,
              "it has logged what was not sent");
    if (mode) {
        cr_expect_eq(statistic(&server, LOST_BYTES), sent - length);
        cr_expect_eq(statistic(&server, BYTES), length);
    } else {
        cr_expect_str_empty(server.err.data);
    }
    free(expected);
    spawn_free(&server);
}

Test(servers, rsyslogd)
{
    if (!spawn_finds("rsyslogd"))
        cr_skip_test("rsyslogd is not installed");
    log_records(NULL, false);
    log_records("WSRX_MODE=observe", false);
    log_records("WSRX_MODE=continue", true);
    log_records("WSRX_HOLD=kernel", true);
}

/* --- dnsmasq: it reports truncation, drops what is cut, and is left alone ------------------ */

enum { QUERIES = 4000, WINDOW = 32, ANSWER_MOST = 64, JUNK = 9000 };

static const char dnsmasq[] =
    "exec dnsmasq -k -C /dev/null -p $PORT --listen-address=127.0.0.1 --bind-interfaces -h -R "
    "--address=/test/10.0.0.1 --pid-file= -u root --log-facility=/dev/null";

struct answer {
    size_t length;
    unsigned char bytes[ANSWER_MOST];
};

/* Every eighth query is far too long, and gets no answer. */
static bool is_overlong(unsigned query)
{
    return query % 8 == 3;
}

static void ask(int fd, unsigned query)
{
    unsigned char message[64 + JUNK] = {
        (unsigned char)(query >> 8), (unsigned char)query, 1, 0, 0, 1};
    size_t length = 12;
    int name = snprintf((char *)message + length + 1, 8, "n%05u", query);

    message[length] = (unsigned char)name;
    length += 1 + (size_t)name;
    memcpy(message + length, "\4test\0\0\1\0\1", 10);
    length += 10;
    if (is_overlong(query))
        length += JUNK;
    cr_assert(send(fd, message, length, 0) == (ssize_t)length);
}

static void take_answer(int fd, struct answer *answers)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct answer answer = {0};
    ssize_t got;
    unsigned query;

    cr_assert(poll(&wait, 1, STALL_MS) == 1, "no answer");
    got = recv(fd, answer.bytes, sizeof(answer.bytes), MSG_TRUNC);
    cr_assert(got > 12 && got <= ANSWER_MOST);
    query = (unsigned)answer.bytes[0] << 8 | answer.bytes[1];
    answer.length = (size_t)got;
    cr_assert(query < QUERIES && !is_overlong(query) && answers[query].length == 0,
              "an answer to what was not asked: %u", query);
    answers[query] = answer;
}

static void resolve(bool preload, struct answer *answers)
{
    static const char *const settings[3] = {NULL};
    unsigned port = udp_free_port();
    struct spawned server;
    int fd;

    start(&server, dnsmasq, port, preload, settings);
    fd = udp_connect(-1, port);
    for (unsigned first = 0; first < QUERIES; first += WINDOW) {
        for (unsigned i = first; i < first + WINDOW; i++)
            ask(fd, i);
        for (unsigned i = first; i < first + WINDOW; i++)
            if (!is_overlong(i))
                take_answer(fd, answers);
    }
    close(fd);
    spawn_stop(&server);
    cr_expect(!strstr(server.err.data, "wsrx"), "it says: %s", server.err.data);
    spawn_free(&server);
}

Test(servers, dnsmasq)
{
    static const unsigned char address[4] = {10, 0, 0, 1};
    struct answer *without = calloc(QUERIES, sizeof(*without));
    struct answer *with = calloc(QUERIES, sizeof(*with));

    if (!spawn_finds("dnsmasq"))
        cr_skip_test("dnsmasq is not installed");
    resolve(false, without);
    resolve(true, with);
    for (unsigned i = 0; i < QUERIES; i++) {
        cr_assert(is_overlong(i) || memmem(with[i].bytes, with[i].length, address, sizeof(address)),
                  "query %u: no address in the answer", i);
        cr_assert(memcmp(&without[i], &with[i], sizeof(*with)) == 0, "query %u: another answer", i);
    }
    free(without);
    free(with);
}
