/* SPDX-License-Identifier: MIT
 *
 * The probe "wsrx:part" for SystemTap, bpftrace and perf (USDT): fd, length of the message, length
 * of the buffer, bytes given, bytes left. It is a nop until a tracer attaches. Built in if there is
 * a <sys/sdt.h> when the build is configured (WSRX_SDT), so that one that comes later gets it built.
 */
#ifndef WSRX_BASE_USDT_H
#define WSRX_BASE_USDT_H

#if defined WSRX_SDT && __has_include(<sys/sdt.h>) /* a build for 32 bits has its own */
#include <sys/sdt.h>
#define USDT_PART(fd, length, room, given, left) \
    STAP_PROBE5(wsrx, part, (fd), (length), (room), (given), (left))
#else
#define USDT_PART(fd, length, room, given, left) \
    ((void)(fd), (void)(length), (void)(room), (void)(given), (void)(left))
#endif

#endif
