/* SPDX-License-Identifier: MIT */
/* wsrx_resolve(): WSARecvEx in each calling convention. */
#define _GNU_SOURCE
#include "case.h"

#include <stdint.h>

static void resolve_own(void)
{
    int (*call)(int, char *, int, int *) =
        (int (*)(int, char *, int, int *))wsrx_resolve("WSARecvEx", WSRX_ABI_DEFAULT);
    int flags;

    CHECK((void *)call == (void *)WSARecvEx);
    open_udp(AF_INET);
    put(1, 10);
    CHECK(call(in, buffer, 4, &flags) == 4 && flags == MSG_PARTIAL);
    CHECK(wsrx_resolve("WSASend", WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve("", WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve(NULL, WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", (enum wsrx_abi)99) == NULL);
#ifdef __x86_64__
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_SYSV) == (void *)WSARecvEx);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_CDECL) == NULL);
#endif
#ifdef __i386__
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_CDECL) == (void *)WSARecvEx);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_SYSV) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == NULL);
#endif
}

#ifdef __x86_64__
/* Windows code passes a SOCKET of 64 bits. */
typedef int(__attribute__((ms_abi)) * ms_receive)(uint64_t, char *, int, int *);

static void resolve_microsoft(void)
{
#ifdef WSRX_HAVE_FFI
    ms_receive call = (ms_receive)wsrx_resolve("WSARecvEx", WSRX_ABI_MS);
    int(__attribute__((ms_abi)) * error)(void) =
        (int(__attribute__((ms_abi)) *)(void))wsrx_resolve("WSAGetLastError", WSRX_ABI_MS);
    void(__attribute__((ms_abi)) * set_error)(int) =
        (void(__attribute__((ms_abi)) *)(int))wsrx_resolve("WSASetLastError", WSRX_ABI_MS);
    int flags = -1;

    CHECK(call != NULL && (void *)call != (void *)WSARecvEx && error && set_error);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == (void *)call);
    open_udp(AF_INET);
    put(1, 3000);
    for (int i = 0; i < 3; i++) {
        CHECK(call((uint64_t)in, buffer, 1000, &flags) == 1000);
        CHECK(flags == (i < 2 ? MSG_PARTIAL : 0) && is_part(1, (size_t)i * 1000, 1000));
    }
    CHECK(call(UINT64_MAX, buffer, 10, &flags) == -1 && error() == WSAENOTSOCK);
    set_error(5);
    CHECK(WSAGetLastError() == 5);
#else
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == NULL);
    case_skip("built without libffi");
#endif
}
#endif

#ifdef __i386__
#define STDCALL __attribute__((stdcall))
typedef int(STDCALL *std_receive)(int, char *, int, int *);

static void resolve_stdcall(void)
{
#ifdef WSRX_HAVE_FFI
    std_receive call = (std_receive)wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL);
    int(STDCALL * error)(void) =
        (int(STDCALL *)(void))wsrx_resolve("WSAGetLastError", WSRX_ABI_STDCALL);
    void(STDCALL * set_error)(int) =
        (void(STDCALL *)(int))wsrx_resolve("WSASetLastError", WSRX_ABI_STDCALL);
    int(STDCALL * start)(unsigned short, void *) =
        (int(STDCALL *)(unsigned short, void *))wsrx_resolve("WSAStartup", WSRX_ABI_STDCALL);
    int(STDCALL * clean_up)(void) =
        (int(STDCALL *)(void))wsrx_resolve("WSACleanup", WSRX_ABI_STDCALL);
    int flags = -1;

    CHECK(call != NULL && (void *)call != (void *)WSARecvEx && error && set_error && start &&
          clean_up);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == (void *)call);
    open_udp(AF_INET);
    /* Whoever leaves the arguments on the stack moves it a little with each call. */
    for (unsigned number = 0; number < 5000; number++) {
        put(number, 3000);
        for (int i = 0; i < 3; i++) {
            CHECK(call(in, buffer, 1000, &flags) == 1000);
            CHECK(flags == (i < 2 ? MSG_PARTIAL : 0) && is_part(number, (size_t)i * 1000, 1000));
        }
    }
    CHECK(call(-1, buffer, 10, &flags) == -1 && error() == WSAENOTSOCK);
    set_error(5);
    CHECK(WSAGetLastError() == 5);
    CHECK(start(0x202, NULL) == 0 && clean_up() == 0 && clean_up() == -1);
    CHECK(error() == WSANOTINITIALISED);
#else
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == NULL);
    case_skip("built without libffi");
#endif
}
#endif

const struct shim_case cases[] = {
    {"wsrx_resolve: the system's own convention", resolve_own},
#ifdef __x86_64__
    {"wsrx_resolve: Microsoft's x64 convention", resolve_microsoft},
#endif
#ifdef __i386__
    {"wsrx_resolve: stdcall", resolve_stdcall},
#endif
};
const size_t case_count = sizeof cases / sizeof *cases;
