/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <libc_has.h>
#include <stdint.h>

struct real real;

void real_resolve_early(void **ret_call, const char *name)
{
    void *libc;

    *ret_call = dlsym(RTLD_NEXT, name);
    if (*ret_call)
        return;
    /* If a program is linked only with a library that is linked with us, libc comes before us: then
     * nothing is interposed, but our own interface works. */
    libc = dlopen(LIBC_NAME, RTLD_LAZY | RTLD_NOLOAD);
    if (libc) {
        *ret_call = dlsym(libc, name);
        dlclose(libc);
    }
    if (!*ret_call)
        *ret_call = real_by_number(name);
}

/* By the object that contains it: dladdr(3) allocates nothing, unlike dlopen(3). */
bool real_is_libc(const void *call)
{
    Dl_info of_call, of_libc;

    return dladdr(call, &of_call) != 0 &&
           dladdr((const void *)(uintptr_t)LIBC_LANDMARK, &of_libc) != 0 &&
           of_call.dli_fbase == of_libc.dli_fbase;
}

void real_resolve(void)
{
#define CALL(type, name, parameters)                    \
    if (LIBC_HAS_##name)                                \
        real_resolve_early((void **)&real.name, #name); \
    else                                                \
        *(void **)&real.name = real_by_number(#name);
#include "calls.def"
#undef CALL
}
