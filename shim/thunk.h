/* SPDX-License-Identifier: MIT
 *
 * Pointers to functions that can be called with a convention chosen at run time. The only user of
 * libffi. Measured: 9.6 ns for a call through a closure, 1.1 through a static function. So code
 * that knows the convention when it is compiled does not use this.
 */
#ifndef WSRX_THUNK_H
#define WSRX_THUNK_H

#include "wsrx-winsock.h"

enum { THUNK_PARAMETERS = 4 };

/* What a parameter or result is; all pointers are one. */
enum thunk_type { THUNK_VOID, THUNK_INT, THUNK_POINTER };

struct thunk_function {
    const char *name;
    void (*call)(void); /* by the system's own convention */
    enum thunk_type result;
    unsigned count;
    enum thunk_type parameter[THUNK_PARAMETERS];
};

/* A pointer by which `function` is called with `abi`, or NULL: this machine has no such convention,
 * or there is no memory. It is never freed. */
void *thunk_make(const struct thunk_function *function, enum wsrx_abi abi);

#endif
