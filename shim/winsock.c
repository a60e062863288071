/* SPDX-License-Identifier: MIT */
#include "winsock.h"

const struct winsock *winsock(void)
{
    static struct winsock calls;
    static volatile LONG ready;

    if (!ready) {
        HMODULE dll = LoadLibraryA("ws2_32.dll");

        /* If several threads come here first, they write the same values. */
#define WINSOCK_CALL(type, name, parameters) \
    calls.name = (type(WINAPI *) parameters)(void *)GetProcAddress(dll, #name);
        WINSOCK_CALLS(WINSOCK_CALL)
#undef WINSOCK_CALL
        InterlockedExchange(&ready, 1);
    }
    return &calls;
}
