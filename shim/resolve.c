/* SPDX-License-Identifier: MIT
 *
 * wsrx_resolve(): the functions of this library by name and calling convention.
 */
#include "thunk.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

enum { ABIS = WSRX_ABI_STDCALL + 1, FUNCTIONS = 5 };

static const struct thunk_function functions[FUNCTIONS] = {
    {"WSARecvEx",
     (void (*)(void))WSARecvEx,
     THUNK_INT,
     4,
     {THUNK_INT, THUNK_POINTER, THUNK_INT, THUNK_POINTER}},
    {"WSAGetLastError", (void (*)(void))WSAGetLastError, THUNK_INT, 0, {THUNK_VOID}},
    {"WSASetLastError", (void (*)(void))WSASetLastError, THUNK_VOID, 1, {THUNK_INT}},
    {"WSAStartup", (void (*)(void))WSAStartup, THUNK_INT, 2, {THUNK_INT, THUNK_POINTER}},
    {"WSACleanup", (void (*)(void))WSACleanup, THUNK_INT, 0, {THUNK_VOID}},
};

/* Protects `made`: each pointer is made once, so that a second lookup costs no memory. Only
 * malloc's lock is taken under it. If the process forks while another thread makes a pointer, the
 * lock stays taken in the child: like most libraries, this one is not for use between fork and
 * exec. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *made[FUNCTIONS][ABIS];

__attribute__((visibility("default"))) void *wsrx_resolve(const char *name, enum wsrx_abi abi)
{
    void *pointer = NULL;

    if (!name || (unsigned)abi >= ABIS)
        return NULL;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) != 0)
            continue;
        pthread_mutex_lock(&lock);
        if (!made[i][abi])
            made[i][abi] = thunk_make(&functions[i], abi);
        pointer = made[i][abi];
        pthread_mutex_unlock(&lock);
        break;
    }
    return pointer;
}
