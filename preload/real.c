/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>

struct real real;

void real_resolve_early(void **ret_call, const char *name)
{
    *ret_call = dlsym(RTLD_NEXT, name);
}

void real_resolve(void)
{
#define CALL(type, name, parameters) real_resolve_early((void **)&real.name, #name);
#include "calls.def"
#undef CALL
}
