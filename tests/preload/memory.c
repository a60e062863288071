/* SPDX-License-Identifier: MIT */
/*
 * Memory that goes. The buffer was good, and receives have been into it; then it is gone, by any
 * call that takes memory away. Every row is played without and with the library, and must come out
 * the same: EFAULT where the kernel says so, and no signal.
 */
#include "rows.h"
#include "scenario.h"

static const char *const calls[] = {"recv",           "read",   "recvfrom", "readv",
                                    "recvmsg noname", "__read", "sys_read", "sys_recvfrom"};

/* Found good three times, so that the fast path takes it. */
#define THREE_RECEIVES(how)  \
    "send 10\n"              \
    "send 11\n"              \
    "send 12\n"              \
    "$C 1000 buf=x" how "\n" \
    "$C 1000 buf=x" how "\n" \
    "$C 1000 buf=x" how "\n"

/* Bad now; and what the receive has consumed is as without the library. */
#define BAD_NOW           \
    "send 13\n"           \
    "send 14\n"           \
    "$C 1000 buf=x:512\n" \
    "$C 1000 buf=x\n"     \
    "$C 100\n"            \
    "$C 100\n"

static const struct scenario rows[] = {
    {
        .name = "mmap(MAP_FIXED, PROT_NONE)",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "cover x\n" BAD_NOW,
    },
    {
        .name = "mmap(MAP_FIXED) of a file to read",
        .transcript = "map x 4096\n" THREE_RECEIVES("") "cover x read\n" BAD_NOW,
    },
    {
        .name = "mmap(MAP_FIXED, PROT_NONE) by syscall()",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "cover x by=syscall\n" BAD_NOW,
    },
    {
        .name = "munmap() by syscall()",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "unmap x by=syscall\n" BAD_NOW,
    },
    {
        .name = "mprotect() by syscall()",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "protect x read by=syscall\n" BAD_NOW,
    },
    {
        .name = "mremap()",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "move x\n" BAD_NOW,
    },
    {
        .name = "mremap() by syscall()",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "move x by=syscall\n" BAD_NOW,
    },
    {
        .name = "shmdt()",
        .transcript = "attach x 65536\n" THREE_RECEIVES("") "detach x\n" BAD_NOW,
    },
    {
        .name = "shmdt() by syscall()",
        .transcript = "attach x 65536\n" THREE_RECEIVES("") "detach x by=syscall\n" BAD_NOW,
    },
    {
        .name = "a shared file that ends earlier now, and then later",
        .transcript = "filemap x 65536\n" THREE_RECEIVES(
            "") "truncate x 0\n" BAD_NOW "truncate x 65536\n" THREE_RECEIVES(""),
    },
    {
        .name = "a private mapping of a file that ends earlier now",
        .transcript = "filemap x 65536 private\n" THREE_RECEIVES("") "truncate x 0\n" BAD_NOW,
    },
    {
        .name = "a private mapping to read, then to write, of a file that ends earlier now",
        .transcript = "filemap x 65536 private read\n" THREE_RECEIVES("") "truncate x 0\n" BAD_NOW,
    },
    {
        .name = "a second mapping, by mremap(), of a shared file that ends earlier now",
        .transcript = "filemap x 65536\n"
                      "again x\n" THREE_RECEIVES("") "truncate x 0\n" BAD_NOW,
    },
    {
        .name = "a shared file, protected and not, that ends earlier now",
        .transcript = "filemap x 65536\n" THREE_RECEIVES("") "protect x\n" THREE_RECEIVES(
            "") "truncate x 4096\n" THREE_RECEIVES("") "truncate x 0\n" BAD_NOW,
    },
    {
        .name = "MADV_DONTFORK, in a child",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "dontfork x\n"
                                                         "fork c\n"
                                                         "send 13\n"
                                                         "send 14\n"
                                                         "$C 1000 buf=x in=c\n"
                                                         "$C 1000 buf=x\n",
    },
    {
        .name = "userfaultfd(2)",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "userfault x\n" BAD_NOW,
    },
    {
        .name = "madvise(MADV_GUARD_INSTALL)",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "guard x\n" BAD_NOW,
    },
    {
        .name = "process_madvise(MADV_GUARD_INSTALL)",
        .transcript = "map x 65536\n" THREE_RECEIVES("") "guard x by=process_madvise\n" BAD_NOW,
    },
    {
        .name = "another thread's buffer",
        .transcript =
            "map x 65536\n" THREE_RECEIVES(" in=thread") THREE_RECEIVES("") "cover x\n" BAD_NOW,
    },
};

SCENARIOS_BY_CALL(memory, that_goes, rows, calls, .kinds = KIND_UDP4 | KIND_UNIX,
                  .modes = MODE_NONBLOCK, .holds = HOLD_PROCESS, .without = WITHOUT_DECIDES)

/* The next part of a held message goes where the memory is gone: the part stays. */
static const struct scenario tail_rows[] = {
    {
        .name = "a part into memory that is gone",
        .transcript = "map x 65536\n"
                      "send 3000\n"
                      "$C 1000 buf=x -> 1000 m1[0..999]\n"
                      "$C 500 buf=x -> 500 m1[1000..1499]\n"
                      "cover x\n"
                      "$C 500 buf=x -> -1 EFAULT\n"
                      "$C 500 -> 500 m1[1500..1999]\n"
                      "$C 2000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "parts into a file's memory",
        .transcript = "filemap x 65536\n"
                      "send 9000\n"
                      "$C 1000 buf=x -> 1000 m1[0..999]\n"
                      "$C 500 buf=x -> 500 m1[1000..1499]\n"
                      "truncate x 4096\n"
                      "$C 500 buf=x -> 500 m1[1500..1999]\n"
                      "$C 5000 buf=x -> -1 EFAULT\n"
                      "truncate x 0\n"
                      "$C 500 buf=x -> -1 EFAULT\n"
                      "truncate x 65536\n"
                      "$C 5000 buf=x:4000 -> 5000 m1[2000..6999]\n"
                      "$C 5000 -> 2000 m1[7000..8999]\n",
    },
};

static const char *const tail_calls[] = {"recv", "read", "recvfrom noname", "readv", "sys_read"};

SCENARIOS_BY_CALL(memory, tails, tail_rows, tail_calls, .kinds = KIND_UDP4 | KIND_UNIX,
                  .holds = HOLD_BOTH, .without = WITHOUT_DIFFERS)
