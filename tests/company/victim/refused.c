/* SPDX-License-Identifier: MIT */
/*
 * refused FLAG…: takes the first part of a long message, then receives in a thread to which the
 * kernel refuses (EACCES, by a seccomp filter) each recvmsg(2) with MSG_DONTWAIT and exactly these
 * FLAGs: peek, trunc. That thread is done for; the other goes on. Says what each receive got.
 *
 * Under a name that begins with "wine" it is taken for Wine, and asks for parts as Wine's programs
 * do (core/wine_protocol.h).
 */
#include "../../lib/pattern.h"
#include "../../lib/raw_syscall.h"
#include "../../process/victim/link.h"
#include "wine_protocol.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the library knows Wine's loader by. */
extern const int wine_main_preload_info;
__attribute__((visibility("default"))) const int wine_main_preload_info = 1;

static struct link link_;
static int refused = MSG_DONTWAIT;

static void refuse(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    /* The library must not see it, or it would make no call that can be refused. */
    if (raw_syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0, 0) != 0) {
        fprintf(stderr, "no seccomp filters here: %s\n", strerror(errno));
        _exit(77);
    }
}

static void play(unsigned message, size_t room, size_t offset)
{
    static unsigned char bytes[65536];
    struct wine_request ask = {.magic = WINE_REQUEST_MAGIC};
    struct iovec iov[] = {{bytes, room}, {&ask, 0}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t got = recvmsg(link_.r, &msg, MSG_DONTWAIT);

    if (got < 0)
        puts(strerrorname_np(errno));
    else if (pattern_match(bytes, (size_t)got, message, offset, sizeof bytes) != (size_t)got)
        puts("other bytes");
    else
        printf("%zd from %zu\n", got, offset);
}

static void *without_it(void *context)
{
    refuse();
    play(1, 5000, 1000);
    play(1, 5000, 1000);
    return context;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++)
        refused |= strcmp(argv[i], "peek") == 0 ? MSG_PEEK : MSG_TRUNC;
    link_ = link_make(LINK_UDP);
    link_send(&link_, 1, 3000);
    link_send(&link_, 2, 700);
    play(1, 1000, 0);
    EXPECT(pthread_create(&thread, NULL, without_it, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    play(1, 5000, 1000);
    play(2, 5000, 0);
    play(3, 5000, 0);
    return 0;
}
