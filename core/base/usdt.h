/* SPDX-License-Identifier: MIT
 *
 * The probe "wsrx:part" of SystemTap, bpftrace and perf (USDT): fd, the message's length, the
 * buffer's, the bytes given, what is left of the message. It is a nop until somebody attaches.
 * Built in where <sys/sdt.h> was there.
 */
#ifndef WSRX_BASE_USDT_H
#define WSRX_BASE_USDT_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define USDT_PART(fd, length, room, given, left) \
    STAP_PROBE5(wsrx, part, (fd), (length), (room), (given), (left))
#else
#define USDT_PART(fd, length, room, given, left) \
    ((void)(fd), (void)(length), (void)(room), (void)(given), (void)(left))
#endif

#endif
