/* SPDX-License-Identifier: MIT
 *
 * The Winsock error codes of a receive, as numbers: for code that has no winsock2.h.
 */
#ifndef WSRX_WINSOCK_ERROR_H
#define WSRX_WINSOCK_ERROR_H

/* WINSOCK_ERROR(name, code): those of Microsoft's page of WSARecvEx first. */
#define WINSOCK_ERRORS(WINSOCK_ERROR)             \
    WINSOCK_ERROR(EINTR, 10004)                   \
    WINSOCK_ERROR(EFAULT, 10014)                  \
    WINSOCK_ERROR(EINVAL, 10022)                  \
    WINSOCK_ERROR(EWOULDBLOCK, 10035)             \
    WINSOCK_ERROR(EINPROGRESS, 10036)             \
    WINSOCK_ERROR(ENOTSOCK, 10038)                \
    WINSOCK_ERROR(EOPNOTSUPP, 10045)              \
    WINSOCK_ERROR(ENETDOWN, 10050)                \
    WINSOCK_ERROR(ENETRESET, 10052)               \
    WINSOCK_ERROR(ECONNABORTED, 10053)            \
    WINSOCK_ERROR(ECONNRESET, 10054)              \
    WINSOCK_ERROR(ENOTCONN, 10057)                \
    WINSOCK_ERROR(ESHUTDOWN, 10058)               \
    WINSOCK_ERROR(ETIMEDOUT, 10060)               \
    WINSOCK_ERROR(NOTINITIALISED, 10093)          \
    /* what else a system may say of a receive */ \
    WINSOCK_ERROR(EACCES, 10013)                  \
    WINSOCK_ERROR(EMFILE, 10024)                  \
    WINSOCK_ERROR(EMSGSIZE, 10040)                \
    WINSOCK_ERROR(ENOPROTOOPT, 10042)             \
    WINSOCK_ERROR(ENETUNREACH, 10051)             \
    WINSOCK_ERROR(ENOBUFS, 10055)                 \
    WINSOCK_ERROR(ECONNREFUSED, 10061)            \
    WINSOCK_ERROR(EHOSTDOWN, 10064)               \
    WINSOCK_ERROR(EHOSTUNREACH, 10065)

enum winsock_error {
#define WINSOCK_ERROR(name, code) WINSOCK_##name = code,
    WINSOCK_ERRORS(WINSOCK_ERROR)
#undef WINSOCK_ERROR
};

/* The code for an errno of a receive. EAGAIN is WSAEWOULDBLOCK; only the caller can know whether it
 * was a timeout. An errno for which Winsock has no code is WSAEINVAL. */
int winsock_error_of(int error);

#endif
