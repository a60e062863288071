/* SPDX-License-Identifier: MIT */
/*
 * The tests of WSARecvEx on descriptors. They are linked with the library, so no test runner of
 * somebody else may be in the process: each program lists its cases, and case.c runs each of them
 * in a process of its own, with a limit, and prints TAP.
 *
 * A case has one pair of sockets, in and out. Its messages are numbered: every byte follows from
 * the number and the byte's place.
 */
#ifndef WSRX_TESTS_SHIM_CASE_H
#define WSRX_TESTS_SHIM_CASE_H

#include "wsrx-winsock.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct shim_case {
    const char *name;
    void (*run)(void);
};

/* Of each program. */
extern const struct shim_case cases[];
extern const size_t case_count;

#define CHECK(condition)                                 \
    do {                                                 \
        if (!(condition))                                \
            case_failed(__FILE__, __LINE__, #condition); \
    } while (0)

void case_failed(const char *file, int line, const char *condition) __attribute__((noreturn));
void case_skip(const char *reason) __attribute__((noreturn));

enum { LONGEST = 65507, BUFFER_SIZE = 1 << 21 };
extern char buffer[BUFFER_SIZE];
extern int in, out;

void put(unsigned number, size_t size);
bool is_part(unsigned number, size_t offset, size_t size); /* what stands in buffer */

/* WSARecvEx with room: must give these bytes of the message. */
void get(unsigned number, size_t offset, int room, int size, bool partial);

/* WSARecvEx must fail with the error. */
void fails(int s, char *buf, int len, int error);

void is_empty(void);
void set_timeout(int milliseconds);

socklen_t loopback(int family, struct sockaddr_storage *name);
void open_udp(int family); /* both ends bound, and connected to each other */
void open_unix(int type);
void open_tcp(void);

#endif
