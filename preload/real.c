/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>

struct real real;

void real_resolve_early(void **ret_call, const char *name)
{
    void *libc;

    *ret_call = dlsym(RTLD_NEXT, name);
    if (*ret_call)
        return;
    /* Libc comes before us where a program is linked only with a library that is linked with us:
     * then nothing is interposed, but our own interface works. */
    libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (libc) {
        *ret_call = dlsym(libc, name);
        dlclose(libc);
    }
}

bool real_is_libc(const char *name, const void *call)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    bool is = libc && dlsym(libc, name) == call;

    if (libc)
        dlclose(libc);
    return is;
}

void real_resolve(void)
{
#define CALL(type, name, parameters) real_resolve_early((void **)&real.name, #name);
#include "calls.def"
#undef CALL
}
