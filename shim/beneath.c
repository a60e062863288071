/* SPDX-License-Identifier: MIT
 *
 * The core beneath Wine, without a preload: for the winelib DLLs.
 *
 * Every receive of a program under Wine is one recvmsg() that ntdll.so makes. This file starts the
 * core inside the DLL. It points the slots through which ntdll.so calls recvmsg() and close() (they
 * are in its global offset table) to the core. It changes nothing else; and nothing at all if the
 * core is beneath ntdll.so already, in libwsrx.so by LD_PRELOAD or in another of our DLLs.
 */
#define _GNU_SOURCE
#include "beneath.h"

#include "base/diag.h"
#include "lifecycle.h"
#include "receive/receive.h"
#include "trace/record.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* --- what ntdll.so calls ------------------------------------------------------------------- */

static ssize_t beneath_recvmsg(int fd, struct msghdr *msg, int flags)
{
    int saved = errno;
    struct receive_result result = receive_message(fd, msg, flags, RECEIVE_SITE(RECORD_RECVMSG));

    errno = saved;
    if (result.outcome == RECEIVE_PASS)
        return recvmsg(fd, msg, flags);
    if (result.value >= 0)
        return result.value;
    errno = (int)-result.value;
    return -1;
}

static int beneath_close(int fd)
{
    int saved = errno, result;
    fd_class class = lifecycle_closing(fd);

    errno = saved;
    result = close(fd);
    saved = errno;
    lifecycle_closed(fd, class);
    errno = saved;
    return result;
}

/* --- the slots ------------------------------------------------------------------------------- */

struct slots {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * rela, *jumps;
    size_t rela_size, jumps_size;
};

static void read_dynamic(const struct link_map *map, struct slots *slots)
{
    *slots = (struct slots){.base = map->l_addr};
    for (const ElfW(Dyn) *at = map->l_ld; at->d_tag != DT_NULL; at++) {
        const void *pointer = (const void *)at->d_un.d_ptr;

        switch (at->d_tag) {
        case DT_SYMTAB:
            slots->symbols = pointer;
            break;
        case DT_STRTAB:
            slots->strings = pointer;
            break;
        case DT_RELA:
            slots->rela = pointer;
            break;
        case DT_RELASZ:
            slots->rela_size = at->d_un.d_val;
            break;
        case DT_JMPREL:
            slots->jumps = pointer;
            break;
        case DT_PLTRELSZ:
            slots->jumps_size = at->d_un.d_val;
            break;
        default:
            break;
        }
    }
}

/* The slot of a function in one list of relocations: that of the jump table; or, in a library that
 * was linked to be bound at once and has none, that of the address. */
static void **find_in(const struct slots *slots, const ElfW(Rela) * list, size_t size,
                      const char *name)
{
    for (const ElfW(Rela) *at = list; at && at < list + size / sizeof *list; at++) {
        unsigned type = (unsigned)ELF64_R_TYPE(at->r_info);

        if ((type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) &&
            strcmp(slots->strings + slots->symbols[ELF64_R_SYM(at->r_info)].st_name, name) == 0)
            return (void **)(slots->base + at->r_offset);
    }
    return NULL;
}

static void **find(const struct slots *slots, const char *name)
{
    void **slot = find_in(slots, slots->jumps, slots->jumps_size, name);

    return slot ? slot : find_in(slots, slots->rela, slots->rela_size, name);
}

/* The table may have been made read-only after start-up. */
static bool direct(void **slot, void *to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)slot & ~(page - 1);

    if (mprotect((void *)start, page, PROT_READ | PROT_WRITE) != 0)
        return false;
    __atomic_store_n(slot, to, __ATOMIC_RELEASE);
    return true;
}

/* Whether ntdll.so's calls of recvmsg() reach libc: its slot points there; or it is not bound yet,
 * and the process's search finds libc's function first. */
static bool is_free(const struct link_map *ntdll, void *slot)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *theirs;
    Dl_info owner;

    if (!libc)
        return false;
    theirs = dlsym(libc, "recvmsg");
    dlclose(libc);
    if (slot == theirs)
        return true;
    return dlsym(RTLD_DEFAULT, "recvmsg") == theirs && dladdr(slot, &owner) != 0 &&
           (ElfW(Addr))owner.dli_fbase == ntdll->l_addr;
}

/* --- start ----------------------------------------------------------------------------------- */

static int start_core(void)
{
    static const struct lifecycle_entrance entrance = {
        .next = {.recvfrom = recvfrom,
                 .recvmsg = recvmsg,
                 .ppoll = ppoll,
                 .pselect = pselect,
                 .epoll_ctl = epoll_ctl},
        .under_wine = true,
    };

    return lifecycle_start(&entrance, environ);
}

__attribute__((destructor)) static void end(void)
{
    lifecycle_end();
}

void beneath_start(void)
{
    struct link_map *ntdll = dlopen("ntdll.so", RTLD_LAZY | RTLD_NOLOAD);
    struct slots slots;
    void **receive, **close_slot;

    if (!ntdll)
        return; /* not under Wine: a tool that looks at the file */
    read_dynamic(ntdll, &slots);
    if (!slots.symbols || !slots.strings)
        return;
    receive = find(&slots, "recvmsg");
    close_slot = find(&slots, "close");
    if (!receive || !close_slot) {
        diag("this Wine's ntdll.so does not call recvmsg(); WSARecvEx cannot keep what does not "
             "fit");
        return;
    }
    if (!is_free(ntdll, *receive))
        return;

    if (start_core() != 0)
        return;
    /* close() first: what a receive learns of a descriptor must be forgotten with it. */
    if (!direct(close_slot, (void *)beneath_close) || !direct(receive, (void *)beneath_recvmsg))
        diag("cannot direct ntdll.so's recvmsg(); WSARecvEx cannot keep what does not fit");
}
