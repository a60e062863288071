/* SPDX-License-Identifier: MIT */
/*
 * What the programs under test share: a pair of sockets, messages whose every byte can be recognised, and
 * expectations that end the program with a line on stdout. Knows nothing of the library.
 */
#ifndef WSRX_TESTS_PROCESS_LINK_H
#define WSRX_TESTS_PROCESS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct link {
    int r, s; /* s sends to r */
};

enum link_kind { LINK_UDP, LINK_UNIX };

struct link link_make(enum link_kind kind);
void link_send(const struct link *link, unsigned message, size_t length);

/* Ends the process with a line on stdout and exit status 1. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define EXPECT(condition)                                                                    \
    do {                                                                                     \
        if (!(condition))                                                                    \
            fail("%s:%d: %s (errno %d)", __FILE__, __LINE__, #condition, link_last_error()); \
    } while (0)

int link_last_error(void);

/* The next receive of `room` bytes gives `length` bytes of the message, from `offset`. */
void expect_part(int fd, size_t room, unsigned message, size_t offset, size_t length);

/* Nothing is there: neither a message nor a tail, nor does poll(2) say so. */
void expect_nothing(int fd);

/* The child has ended with status 0. */
void expect_end(pid_t child);

/* Sends a message of 3,000 bytes and takes the first 1,000, which leaves a tail of 2,000. */
void link_leave_tail(const struct link *link, unsigned message);
void expect_tail(int fd, unsigned message);

struct scenario_entry {
    const char *name;
    void (*play)(void);
};

/* The number after a scenario's name, or 0. */
extern size_t scenario_number;

extern const struct scenario_entry fork_scenarios[], daemon_scenarios[], prefork_scenarios[],
    usual_scenarios[], cancel_scenarios[], blocked_scenarios[], small_table_scenarios[],
    own_descriptors_scenarios[], leaves_scenarios[];

#endif
