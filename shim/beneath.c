/* SPDX-License-Identifier: MIT
 *
 * The core beneath Wine, without a preload: for the winelib DLLs, and for wsrx.so.
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

/* The function that ntdll.so calls. A 32-bit one is built for times of 64 bits: there libc has
 * another function for it, which converts the kernel's timestamps (seen in Debian 12 and 13). */
static ssize_t (*next_recvmsg)(int fd, struct msghdr *msg, int flags) = recvmsg;
static const char *recvmsg_name = "recvmsg";

#if !defined(__LP64__) && __GLIBC_PREREQ(2, 34)
ssize_t __recvmsg64(int fd, struct msghdr *msg, int flags);

static void receive_by_time64(void)
{
    next_recvmsg = __recvmsg64;
    recvmsg_name = "__recvmsg64";
}
#else
#define receive_by_time64() ((void)0)
#endif

static ssize_t beneath_recvmsg(int fd, struct msghdr *msg, int flags)
{
    int saved = errno;
    struct receive_result result = receive_message(fd, msg, flags, RECEIVE_SITE(RECORD_RECVMSG));

    errno = saved;
    if (result.outcome == RECEIVE_PASS)
        return next_recvmsg(fd, msg, flags);
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

/* A relocation begins with its place and its type and symbol, with an addend behind them or not;
 * which of them, and how long each is, the library's header says. */
#if defined(__LP64__)
#define R_SYMBOL(info) ELF64_R_SYM(info)
#define R_TYPE(info)   ELF64_R_TYPE(info)
enum { R_JUMP_SLOT = R_X86_64_JUMP_SLOT, R_ADDRESS = R_X86_64_GLOB_DAT };
#else
#define R_SYMBOL(info) ELF32_R_SYM(info)
#define R_TYPE(info)   ELF32_R_TYPE(info)
enum { R_JUMP_SLOT = R_386_JMP_SLOT, R_ADDRESS = R_386_GLOB_DAT };
#endif

struct relocations {
    const char *at;
    size_t size, each;
};

struct slots {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *strings;
    struct relocations jumps, with_addend, without;
};

static void read_dynamic(const struct link_map *map, struct slots *slots)
{
    bool addends = false;

    *slots = (struct slots){.base = map->l_addr,
                            .with_addend.each = sizeof(ElfW(Rela)),
                            .without.each = sizeof(ElfW(Rel))};
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
            slots->with_addend.at = pointer;
            break;
        case DT_RELASZ:
            slots->with_addend.size = at->d_un.d_val;
            break;
        case DT_REL:
            slots->without.at = pointer;
            break;
        case DT_RELSZ:
            slots->without.size = at->d_un.d_val;
            break;
        case DT_JMPREL:
            slots->jumps.at = pointer;
            break;
        case DT_PLTRELSZ:
            slots->jumps.size = at->d_un.d_val;
            break;
        case DT_PLTREL:
            addends = at->d_un.d_val == DT_RELA;
            break;
        default:
            break;
        }
    }
    slots->jumps.each = addends ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
}

/* The slot of a function in one list of relocations: that of the jump table; or, in a library that
 * was linked to be bound at once and has none, that of the address. */
static void **find_in(const struct slots *slots, const struct relocations *list, const char *name)
{
    for (size_t at = 0; list->at && at < list->size; at += list->each) {
        const ElfW(Rel) *one = (const void *)(list->at + at);
        unsigned type = (unsigned)R_TYPE(one->r_info);

        if ((type == R_JUMP_SLOT || type == R_ADDRESS) &&
            strcmp(slots->strings + slots->symbols[R_SYMBOL(one->r_info)].st_name, name) == 0)
            return (void **)(slots->base + one->r_offset);
    }
    return NULL;
}

static void **find(const struct slots *slots, const char *name)
{
    void **slot = find_in(slots, &slots->jumps, name);

    if (!slot)
        slot = find_in(slots, &slots->with_addend, name);
    return slot ? slot : find_in(slots, &slots->without, name);
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
    theirs = dlsym(libc, recvmsg_name);
    dlclose(libc);
    if (slot == theirs)
        return true;
    return dlsym(RTLD_DEFAULT, recvmsg_name) == theirs && dladdr(slot, &owner) != 0 &&
           (ElfW(Addr))owner.dli_fbase == ntdll->l_addr;
}

/* --- start ----------------------------------------------------------------------------------- */

/* How Wine's Unix code declares its Windows functions. 64-bit: with Windows' convention in Wine 8.0,
 * with Unix's in 10.0 (seen). The registers of both are filled: the first two arguments of the one
 * are the last two of the other, the other way round. It does not return, so that it may use the
 * stack as it likes. */
#if defined(__LP64__)
typedef int nt_terminate_process(void *process, long status, long status_too, void *process_too);
#define TERMINATE(call, status) (call)((void *)-1, (status), (status), (void *)-1)
#else
typedef int __attribute__((stdcall)) nt_terminate_process(void *process, int status);
#define TERMINATE(call, status) (call)((void *)-1, (status)) /* -1: this one */
#endif

/* As Windows does it: wineserver, which others ask for the program's exit code, must hear of it. */
static void end_process(int status)
{
    void *ntdll = dlopen("ntdll.so", RTLD_LAZY | RTLD_NOLOAD);
    nt_terminate_process *terminate = ntdll ? dlsym(ntdll, "NtTerminateProcess") : NULL;

    if (terminate)
        TERMINATE(terminate, status);
}

static int start_core(void)
{
    struct lifecycle_entrance entrance = {
        .next = {.recvfrom = recvfrom,
                 .recvmsg = next_recvmsg,
                 .ppoll = ppoll,
                 .pselect = pselect,
                 .epoll_ctl = epoll_ctl},
        .under_wine = true,
        .end_process = end_process,
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
    receive = find(&slots, recvmsg_name);
    if (!receive) {
        receive_by_time64();
        receive = find(&slots, recvmsg_name);
    }
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
