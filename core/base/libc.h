/* SPDX-License-Identifier: MIT
 *
 * What the C libraries have in different ways: glibc on one side, musl on the other. Functions that
 * one of them lacks altogether are no matter of this header: preload/meson.build looks for each.
 *
 * Include it behind the system's headers.
 */
#ifndef WSRX_BASE_LIBC_H
#define WSRX_BASE_LIBC_H

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* As POSIX has them in musl, and as the kernel has them in glibc. */
typedef __typeof__(((struct msghdr *)0)->msg_iovlen) msghdr_count;
typedef __typeof__(((struct msghdr *)0)->msg_controllen) msghdr_room;

#ifdef __GLIBC__

#include <gnu/libc-version.h>

typedef unsigned long ioctl_request;
typedef int mmsghdr_flags;

/* A function that nobody interposes, and the library's name. */
#define LIBC_LANDMARK gnu_get_libc_version
#define LIBC_NAME     "libc.so.6"

#else

#include <features.h>

typedef int ioctl_request;
typedef unsigned mmsghdr_flags;

extern int __libc_start_main();
#define LIBC_LANDMARK   __libc_start_main
#define LIBC_NAME       "libc.so"

/* Never translated, and safe in a signal handler. */
#define strerrordesc_np strerror

/* Offsets have 64 bits; some of the names are macros. The functions are interposed by either. */
#undef off64_t
#undef mmap64
#undef sendfile64
#define off64_t off_t

#endif

/* Whether a cancellation point is cancelled as sys_is_cancellable() has it. */
bool libc_cancels_at_once(void);

/* Whether fstat(3) is the system call of its name, and not newfstatat(2). */
bool libc_calls_fstat(void);

/* "ENOENT"; NULL: not known. */
const char *libc_error_name(int error);

/* glibc 2.35: dladdr() without its lock. */
#ifndef DLFO_STRUCT_HAS_EH_DBASE
struct dl_find_object {
    void *dlfo_map_start, *dlfo_map_end;
    struct link_map *dlfo_link_map;
};
int _dl_find_object(void *address, struct dl_find_object *ret_found);
#endif

/* What headers older than the kernel do not have. */
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* Linux 4.14 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

#endif
