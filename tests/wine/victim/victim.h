/* SPDX-License-Identifier: MIT
 *
 * A Windows program that receives: what its scenarios share.
 *
 * A scenario returns NULL, or what is wrong. It reaches mswsock.dll by import, as any program does.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <mswsock.h>
#include <windows.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scenario {
    const char *name;
    const char *(*run)(void);
};

/* Lists that end with a NULL name. */
extern const struct scenario scenarios_basic[], scenarios_after[], scenarios_shared[],
    scenarios_error[], scenarios_people[];

/* The reason for a failure, formatted; valid until the next one. */
const char *wrong(const char *format, ...);

/* Says that the scenario does not hang: each message does. Nothing has to be done in so long as
 * PATIENCE, in ms, but on a busy machine a scenario as a whole may take longer. */
void progress(void);
enum { PATIENCE = 30000, SOON = PATIENCE / 2 };

#define CHECK(condition, ...)                               \
    do {                                                    \
        if (!(condition))                                   \
            return wrong("line %d: " #condition, __LINE__); \
    } while (0)

/* Both values are shown. */
#define EQUAL(found, expected)                                                                 \
    do {                                                                                       \
        long long found_ = (long long)(found), expected_ = (long long)(expected);              \
        if (found_ != expected_)                                                               \
            return wrong("line %d: " #found " is %lld, not %lld (error %d)", __LINE__, found_, \
                         expected_, WSAGetLastError());                                        \
    } while (0)

/* Runs another function of this type first. */
#define MUST(call)                   \
    do {                             \
        const char *wrong_ = (call); \
        if (wrong_)                  \
            return wrong_;           \
    } while (0)

/* A receiver on loopback and a sender that is connected to it. */
struct pair {
    SOCKET in, out;
};
extern struct pair pair;
enum { V4 = AF_INET, V6 = AF_INET6 };
const char *pair_open(int family);           /* UDP, bound */
const char *pair_open_connected(int family); /* the receiver is connected to the sender too */
const char *pair_open_stream(void);          /* TCP */
void pair_close(void);
void set_blocking(SOCKET socket, BOOL blocking);
void set_timeout(SOCKET socket, DWORD milliseconds);

/* The bytes of message `number`, from `offset` on. */
void pattern(char *to, unsigned number, size_t offset, size_t size);
BOOL is_pattern(const char *found, unsigned number, size_t offset, size_t size);

enum { LONGEST = 65507 };
extern char buffer[LONGEST + 4096];

/* Sends message `number` of `size` bytes. */
const char *put(unsigned number, size_t size);

/* WSARecvEx must give bytes `offset` to `offset + size` of message `number`, and say whether more
 * follows, in a call with room for `room`. */
const char *get(unsigned number, size_t offset, int room, size_t size, BOOL partial);

/* The same for recv: `error` 0, or what it fails with, its buffer filled. */
const char *get_plain(unsigned number, size_t offset, int room, size_t size, int error);

/* A message of 3,000 bytes of which the first 1,000 have been received. */
const char *put_partial(void);

/* WSARecvEx on any socket must fail with this error. */
const char *fails(SOCKET socket, char *buf, int len, int error);

/* Nothing is there to receive. */
const char *is_empty(void);

#endif
