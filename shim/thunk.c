/* SPDX-License-Identifier: MIT */
#include "thunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a convention is the system's own: then the function itself is the result. */
static bool is_own(enum wsrx_abi abi)
{
#if defined(__x86_64__)
    return abi == WSRX_ABI_DEFAULT || abi == WSRX_ABI_SYSV;
#elif defined(__i386__)
    return abi == WSRX_ABI_DEFAULT || abi == WSRX_ABI_CDECL;
#else
    return abi == WSRX_ABI_DEFAULT;
#endif
}

#ifdef WSRX_HAVE_FFI
#include <ffi.h>

/* libffi's name for a convention; FFI_LAST_ABI: this machine does not have it. */
static ffi_abi foreign(enum wsrx_abi abi)
{
#if defined(__x86_64__)
    if (abi == WSRX_ABI_MS)
        return FFI_GNUW64;
#elif defined(__i386__)
    if (abi == WSRX_ABI_STDCALL)
        return FFI_STDCALL;
#endif
    (void)abi;
    return FFI_LAST_ABI;
}

static ffi_type *type_of(enum thunk_type type)
{
    switch (type) {
    case THUNK_INT:
        return &ffi_type_sint;
    case THUNK_POINTER:
        return &ffi_type_pointer;
    default:
        return &ffi_type_void;
    }
}

/* What a closure needs for its whole life. */
struct thunk {
    ffi_cif outside; /* by the foreign convention */
    ffi_cif inside;  /* by our own */
    ffi_type *parameter[THUNK_PARAMETERS];
    void (*call)(void);
};

static void forward(ffi_cif *cif, void *result, void **arguments, void *context)
{
    struct thunk *thunk = context;

    (void)cif;
    ffi_call(&thunk->inside, thunk->call, result, arguments);
}

static void *make(const struct thunk_function *function, ffi_abi abi)
{
    /* One piece of memory for both: that of ffi_closure_alloc() can be written to, too. */
    struct whole {
        ffi_closure closure;
        struct thunk thunk;
    } * whole;
    void *code;

    whole = ffi_closure_alloc(sizeof *whole, &code);
    if (!whole)
        return NULL;
    whole->thunk.call = function->call;
    for (unsigned i = 0; i < function->count; i++)
        whole->thunk.parameter[i] = type_of(function->parameter[i]);
    if (ffi_prep_cif(&whole->thunk.outside, abi, function->count, type_of(function->result),
                     whole->thunk.parameter) != FFI_OK ||
        ffi_prep_cif(&whole->thunk.inside, FFI_DEFAULT_ABI, function->count,
                     type_of(function->result), whole->thunk.parameter) != FFI_OK ||
        ffi_prep_closure_loc(&whole->closure, &whole->thunk.outside, forward, &whole->thunk,
                             code) != FFI_OK) {
        ffi_closure_free(whole);
        return NULL;
    }
    return code;
}

void *thunk_make(const struct thunk_function *function, enum wsrx_abi abi)
{
    ffi_abi other = foreign(abi);

    if (is_own(abi))
        return (void *)(uintptr_t)function->call;
    return other == FFI_LAST_ABI ? NULL : make(function, other);
}

#else /* without libffi */

void *thunk_make(const struct thunk_function *function, enum wsrx_abi abi)
{
    return is_own(abi) ? (void *)(uintptr_t)function->call : NULL;
}

#endif
