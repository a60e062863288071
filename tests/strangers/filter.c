/* SPDX-License-Identifier: MIT */
/*
 * filter KIND PROGRAM [ARGUMENT...]: runs the program in a sandbox that is there before it.
 *
 * service: as systemd's SystemCallFilter=@system-service, which kills for what no service needs.
 * container: as is usual for containers, where such a call fails by EPERM.
 * files: by Landlock, files can be read and run, and nothing be written to but in /tmp and /dev.
 *
 * Linked statically, so that no library sees the filter come. The lists have what these groups
 * leave out: calls that look into other processes, change the system, or make sandboxes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The first COMMON are in neither; the rest a container's programs may use, and a service's not. */
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
#define COMMON 33

static int install(const int *calls, unsigned count, unsigned action)
{
    struct sock_filter code[4 + COUNT(left_out)];
    struct sock_fprog program = {.filter = code};
    unsigned short n = 0;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
                                                 (unsigned char)(count - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    program.len = n;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
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
        failed |= install(left_out, COUNT(left_out), SECCOMP_RET_KILL_PROCESS);
    else if (strcmp(kind, "container") == 0)
        failed |= install(left_out, COMMON, SECCOMP_RET_ERRNO | EPERM);
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
