/* SPDX-License-Identifier: MIT */
/*
 * WSRX_SOCKETS. Every row names two sockets: one keeps its tails and the other is left to Linux.
 * "%P" is a free port, "%Q" another one, "%D" a directory of the test's own.
 */
#include "rows.h"
#include "scenario.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 4096 };

/* What becomes of two messages on a socket that is selected, and on one that is not. */
#define PARTS(socket, first, second)                                   \
    "send 1500 from=" socket "s\n"                                     \
    "send 5 from=" socket "s\n"                                        \
    "recv 1000 dontwait on=" socket " -> 1000 m" first "[0..999]\n"    \
    "recv 1000 dontwait on=" socket " -> 500 m" first "[1000..1499]\n" \
    "recv 1000 dontwait on=" socket " -> 5 m" second "[0..4]\n"
#define LINUX(socket, first, second)                                \
    "send 1500 from=" socket "s\n"                                  \
    "send 5 from=" socket "s\n"                                     \
    "recv 1000 dontwait on=" socket " -> 1000 m" first "[0..999]\n" \
    "recv 1000 dontwait on=" socket " -> 5 m" second "[0..4]\n"     \
    "recv 1000 dontwait on=" socket " -> -1 EAGAIN\n"

static const struct {
    const char *selectors;
    const char *transcript;
} rows[] = {
    {"udp", "udp4 a as\n" PARTS("a", "1", "2") "unix b bs\n" LINUX("b", "3", "4")},
    {"udp", "udp6 a as\n" PARTS("a", "1", "2") "seqpacket b bs\n" LINUX("b", "3", "4")},
    {"unix", "unix a as\n" PARTS("a", "1", "2") "udp4 b bs\n" LINUX("b", "3", "4")},
    {"unix", "seqpacket a as\n" PARTS("a", "1", "2") "unixpair b bs\n" PARTS("b", "3", "4")},
    {"vsock", "unix b bs\n" LINUX("b", "1", "2") "udp4 c cs\n" LINUX("c", "3", "4")},
    {"udp,unix", "unix a as\n" PARTS("a", "1", "2") "udp4 b bs\n" PARTS("b", "3", "4")},
    {"!udp", "unix a as\n" PARTS("a", "1", "2") "udp4 b bs\n" LINUX("b", "3", "4")},
    {"!unix", "udp6 a as\n" PARTS("a", "1", "2") "seqpair b bs\n" LINUX("b", "3", "4")},
    {"!vsock", "udp6 a as\n" PARTS("a", "1", "2") "seqpair b bs\n" PARTS("b", "3", "4")},
    {"!udp,!unix", "udp4 a as\n" LINUX("a", "1", "2") "unix b bs\n" LINUX("b", "3", "4")},
    {"port=%P", "udp4 a as port=%P\n" PARTS("a", "1", "2") "udp4 b bs\n" LINUX("b", "3", "4")},
    {"port=%P", "udp6 a as port=%P\n" PARTS("a", "1", "2") "unix b bs\n" LINUX("b", "3", "4")},
    {"!port=%P", "udp4 a as\n" PARTS("a", "1", "2") "udp4 b bs port=%P\n" LINUX("b", "3", "4")},
    {"udp,!port=%P", "udp4 a as\n" PARTS("a", "1", "2") "udp4 b bs port=%P\n" LINUX(
                         "b", "3", "4") "unix c cs\n" LINUX("c", "5", "6")},
    {"port=%P,port=%Q", "udp4 a as port=%P\n" PARTS("a", "1", "2") "udp4 b bs port=%Q\n" PARTS(
                            "b", "3", "4") "udp4 c cs\n" LINUX("c", "5", "6")},
    {"port=%P,unix", "udp4 a as port=%P\n" PARTS("a", "1", "2") "unix b bs\n" PARTS(
                         "b", "3", "4") "udp4 c cs\n" LINUX("c", "5", "6")},
    {"fd=33", "udp4 a as at=#33\n" PARTS("a", "1", "2") "udp4 b bs\n" LINUX("b", "3", "4")},
    {"!fd=33", "udp4 a as\n" PARTS("a", "1", "2") "udp4 b bs at=#33\n" LINUX("b", "3", "4")},
    {"fd=0", "unix a as at=#0\n" PARTS("a", "1", "2") "unix b bs\n" LINUX("b", "3", "4")},
    {"path=%D/x.sock",
     "unix a as path=%D/x.sock\n" PARTS("a", "1", "2") "unix b bs path=%D/y.sock\n" LINUX(
         "b", "3", "4") "udp4 c cs\n" LINUX("c", "5", "6")},
    {"path=%D/x.sock", "seqpacket a as path=%D/x.sock\n" PARTS(
                           "a", "1", "2") "seqpacket b bs\n" LINUX("b", "3", "4")},
    {"!path=%D/x.sock", "unix a as path=%D/x.sock\n" LINUX(
                            "a", "1", "2") "unix b bs path=%D/x.sock2\n" PARTS("b", "3", "4")},
    {"!fd=33,!port=%P,udp", "udp4 a as\n" PARTS("a", "1", "2") "udp4 b bs port=%P\n" LINUX(
                                "b", "3", "4") "udp6 c cs at=#33\n" LINUX("c", "5", "6")},
};

static unsigned free_port(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    close(fd);
    return ntohs(address.sin6_port);
}

static void fill_in(char *to, const char *from, unsigned p, unsigned q, const char *directory)
{
    size_t length = 0;

    to[0] = '\0';
    while (*from) {
        char word[64] = {from[0]};

        if (from[0] == '%') {
            from++;
            if (*from == 'D')
                snprintf(word, sizeof(word), "%s", directory);
            else
                snprintf(word, sizeof(word), "%u", *from == 'P' ? p : q);
        }
        from++;
        length += strlen(word);
        cr_assert(length < TEXT);
        strcat(to, word);
    }
}

ROWS(selectors, rows, ROWS_OF(rows))
{
    static char transcript[TEXT], environment[TEXT + 64], title[TEXT + 64];
    char selectors[TEXT], directory[] = "/tmp/wsrx-test-XXXXXX", path[128];
    struct scenario scenario = {
        .name = title,
        .holds = HOLD_BOTH,
        .environment = {environment},
        .transcript = transcript,
    };
    unsigned p = free_port(), q = free_port();

    cr_assert(mkdtemp(directory), "no temporary directory");
    fill_in(selectors, rows[*row].selectors, p, q, directory);
    fill_in(transcript, rows[*row].transcript, p, q, directory);
    snprintf(environment, sizeof(environment), "WSRX_SOCKETS=%s", selectors);
    snprintf(title, sizeof(title), "WSRX_SOCKETS=%s", selectors);
    /* A path can be bound once: the second run needs it gone. */
    for (unsigned hold = HOLD_PROCESS; hold <= HOLD_KERNEL; hold <<= 1) {
        scenario.holds = hold;
        scenario_check(&scenario);
        for (const char *const *name = (const char *const[]){"x.sock", "x.sock2", "y.sock", NULL};
             *name; name++) {
            snprintf(path, sizeof(path), "%s/%s", directory, *name);
            unlink(path);
        }
    }
    rmdir(directory);
}
