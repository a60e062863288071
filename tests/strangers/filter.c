/* SPDX-License-Identifier: MIT */
/*
 * filter KIND PROGRAM [ARGUMENT...]: runs the program in a sandbox that is there before it.
 *
 * service: as systemd's SystemCallFilter=@system-service, which kills for what no service needs. (The
 * booted machine has the real one.)
 * container: Docker's default profile: what it does not name fails by EPERM.
 * files: by Landlock, files can be read and run, and nothing be written to but in /tmp and /dev.
 *
 * Linked statically, so that no library sees the filter come. The list of what a service may not do
 * has calls that look into other processes, change the system, or make sandboxes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const int left_out[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_acct,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_lookup_dcookie,
    SYS_open_by_handle_at,
    SYS_quotactl,
    SYS_vhangup,
    SYS_setns,
    SYS_move_pages,
    SYS_kcmp,
    SYS_syslog,
    SYS_fanotify_init,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_add_key,
    SYS_chroot,
    SYS_seccomp,
    SYS_pkey_mprotect,
    SYS_pkey_alloc,
    SYS_vmsplice,
    SYS_landlock_create_ruleset,
    SYS_mincore,
    SYS_mbind,
    SYS_name_to_handle_at,
    SYS_landlock_add_rule,
    SYS_landlock_restrict_self,
};

#define CALL(name) SYS_##name,
static const int container_calls[] = {
#include "container_calls.def"
};
#undef CALL

/* What a container may call with some arguments only. */
enum {
    NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                 CLONE_NEWNET | CLONE_NEWCGROUP
};
static const unsigned personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

#define STATEMENT(...)         (struct sock_filter) BPF_STMT(__VA_ARGS__)
#define JUMP(...)              (struct sock_filter) BPF_JUMP(__VA_ARGS__)
#define LOAD(member)           STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(value)          STATEMENT(BPF_RET | BPF_K, value)
/* The next `count` instructions only for the call, or the value. */
#define ONLY_FOR(value, count) JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, count)
#define NOT_FOR(value, count)  JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), count, 0)

static int install(struct sock_filter *code, unsigned short count)
{
    struct sock_fprog program = {count, code};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int confine_service(void)
{
    struct sock_filter code[2 + 2 * COUNT(left_out)];
    unsigned short n = 0;

    code[n++] = LOAD(nr);
    for (unsigned i = 0; i < COUNT(left_out); i++) {
        code[n++] = ONLY_FOR(left_out[i], 1);
        code[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    }
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    return install(code, n);
}

static int confine_container(void)
{
    enum { NO = SECCOMP_RET_ERRNO | EPERM, UNKNOWN = SECCOMP_RET_ERRNO | ENOSYS };
    struct sock_filter code[32 + 2 * COUNT(container_calls)];
    unsigned short n = 0;

    code[n++] = LOAD(nr);
    for (unsigned i = 0; i < COUNT(container_calls); i++) {
        code[n++] = ONLY_FOR(container_calls[i], 1);
        code[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
    /* glibc falls back to clone, whose flags a filter can see. */
    code[n++] = ONLY_FOR(SYS_clone3, 1);
    code[n++] = RETURN(UNKNOWN);
    code[n++] = ONLY_FOR(SYS_clone, 4);
    code[n++] = LOAD(args[0]);
    code[n++] = JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)NAMESPACES, 1, 0);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    code[n++] = RETURN(NO);
    code[n++] = ONLY_FOR(SYS_socket, 4);
    code[n++] = LOAD(args[0]);
    code[n++] = NOT_FOR(AF_VSOCK, 1);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    code[n++] = RETURN(NO);
    code[n++] = NOT_FOR(SYS_personality, 1);
    code[n++] = RETURN(NO);
    code[n++] = LOAD(args[0]);
    for (unsigned i = 0; i < COUNT(personalities); i++) {
        code[n++] = ONLY_FOR(personalities[i], 1);
        code[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
    code[n++] = RETURN(NO);
    return install(code, n);
}

static int allow_beneath(int rules, const char *path, unsigned long long access)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = access};

    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
    return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
}

static int confine_files(void)
{
    const unsigned long long every = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;
    struct landlock_ruleset_attr handled = {.handled_access_fs = every};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);

    if (rules < 0)
        return -1;
    return allow_beneath(rules, "/",
                         LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                             LANDLOCK_ACCESS_FS_READ_DIR) ||
           allow_beneath(rules, "/tmp", every) || allow_beneath(rules, "/dev", every) ||
           syscall(SYS_landlock_restrict_self, rules, 0);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[1] : "";
    int failed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    if (strcmp(kind, "service") == 0)
        failed |= confine_service();
    else if (strcmp(kind, "container") == 0)
        failed |= confine_container();
    else if (strcmp(kind, "files") == 0)
        failed |= confine_files();
    else
        failed = 1;
    if (failed) {
        fprintf(stderr, "filter: cannot make a sandbox of kind \"%s\": %s\n", kind,
                strerror(errno));
        return 125;
    }
    execvp(argv[2], argv + 2);
    return 127;
}
