/* SPDX-License-Identifier: MIT
 *
 * WSARecvEx for programs that are ported from Windows to POSIX, on descriptors.
 *
 * Link with `pkg-config --cflags --libs wsrx-winsock`. The library uses libwsrx. So a plain recv()
 * after a partial WSARecvEx() gets the next part, and poll(), select() and epoll see it.
 * docs/wine.md lists the decisions where Microsoft's page is silent.
 */
#ifndef WSRX_WINSOCK_H
#define WSRX_WINSOCK_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MSG_PARTIAL
#define MSG_PARTIAL 0x8000
#endif

/* The error codes of Microsoft's page, and WSAEMSGSIZE for a socket whose tail cannot be held. */
#ifndef WSABASEERR
#define WSABASEERR        10000
#define WSAEINTR          10004
#define WSAEFAULT         10014
#define WSAEINVAL         10022
#define WSAEWOULDBLOCK    10035
#define WSAEINPROGRESS    10036
#define WSAENOTSOCK       10038
#define WSAEMSGSIZE       10040
#define WSAEOPNOTSUPP     10045
#define WSAENETDOWN       10050
#define WSAENETRESET      10052
#define WSAECONNABORTED   10053
#define WSAECONNRESET     10054
#define WSAENOTCONN       10057
#define WSAESHUTDOWN      10058
#define WSAETIMEDOUT      10060
#define WSANOTINITIALISED 10093
#endif

/* Receives a part of a message, at most `len` bytes, into `buf`. Returns its length, and sets
 * *flags to MSG_PARTIAL if more of the message comes with the next receive, to 0 if it ends here.
 * On a stream socket it is recv(). At the end of a stream it returns 0. On an error it returns -1,
 * sets *flags to 0, and WSAGetLastError() returns the code. Thread-safe, and a cancellation point
 * as recv(2). */
int WSARecvEx(int s, char *buf, int len, int *flags);

/* The calling thread's last error of this library, and of nothing else. */
int WSAGetLastError(void);
void WSASetLastError(int error);

/* A program need not call WSAStartup(): there is nothing to start. If it does, WSARecvEx() fails
 * with WSANOTINITIALISED after the last WSACleanup(). `data` may be NULL, and is not written to.
 * Define WSRX_WINSOCK_NO_STARTUP if the program has these functions itself. */
#ifndef WSRX_WINSOCK_NO_STARTUP
int WSAStartup(unsigned short version, void *data);
int WSACleanup(void);
#endif

/* A calling convention for wsrx_resolve(). */
enum wsrx_abi {
    WSRX_ABI_DEFAULT, /* this system's own */
    WSRX_ABI_SYSV,    /* x86-64: System V */
    WSRX_ABI_MS,      /* x86-64: Microsoft's */
    WSRX_ABI_CDECL,   /* 32-bit x86 */
    WSRX_ABI_STDCALL, /* 32-bit x86 */
};

/* A function of this library by its name, for callers with the given convention: for loaders that
 * bind Windows code to it. NULL: there is no such function, or no such convention on this machine
 * (without libffi there is only the system's own). The pointer stays valid, and a second lookup
 * returns the same one. Thread-safe. */
void *wsrx_resolve(const char *name, enum wsrx_abi abi);

#ifdef __cplusplus
}
#endif

#endif
