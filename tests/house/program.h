/* SPDX-License-Identifier: MIT
 *
 * What the cases of the program share: pairs of sockets, one message, and room for it.
 */
#ifndef HOUSE_PROGRAM_H
#define HOUSE_PROGRAM_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE = 3000, ROOM = 5000, SHORT = 1000 };

extern char message[MESSAGE], room[ROOM];
/* Those of main(). */
extern char **arguments;

#define MUST(condition)                                                          \
    do {                                                                         \
        if (!(condition)) {                                                      \
            dprintf(2, "line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

struct pair {
    int receiver, sender;
};

/* Connected to each other; `accepted` by listen(2) and accept(2). */
struct pair udp(int family);
struct pair local(int type);
struct pair accepted(int family, int type);

/* Sends one message; `take` receives it as well. */
void give(struct pair pair);
void take(struct pair pair);

/* The cases that lose something without the library: program_tails.c. */
void case_tail(void);
void case_tail_in_waits(void);
void case_tail_in_epoll(void);
void case_tail_in_epoll_edge(void);
void case_tail_in_epoll_nested(void);
void case_tail_at_exec(void);
void case_tail_at_end(void);

#endif
