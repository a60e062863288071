/* SPDX-License-Identifier: MIT
 *
 * wsrx.so: the Unix half of wsrx.dll (windows.c). Loaded by Wine, it starts the core
 * beneath ntdll.so. It has no functions that Windows code calls, but Wine takes only a library that
 * has tables of them: one for programs of the process's own word size, and one for 32-bit programs
 * in a 64-bit process (the new WoW64).
 */
#include "../beneath.h"

#define EXPORT __attribute__((visibility("default")))

extern int (*const __wine_unix_call_funcs[])(void *);
extern int (*const __wine_unix_call_wow64_funcs[])(void *);
EXPORT int (*const __wine_unix_call_funcs[1])(void *) = {0};
EXPORT int (*const __wine_unix_call_wow64_funcs[1])(void *) = {0};

__attribute__((constructor)) static void start(void)
{
    beneath_start();
}
