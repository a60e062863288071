/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/kernel_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libbpf explains to programmers, in many lines; kernel_why() says it in one. */
static int print_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* The constants of the programs, which have a section of their own. */
static int set_config(struct bpf_object *object, const struct observe_config *config)
{
    struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.config");

    return map ? bpf_map__set_initial_value(map, config, sizeof *config) : 0;
}

static int set_cgroup(struct bpf_object *object, int fd)
{
    int map = bpf_object__find_map_fd_by_name(object, "cgroup");
    unsigned zero = 0;

    if (fd < 0)
        return 0;
    return map < 0 ? map : bpf_map_update_elem(map, &zero, &fd, BPF_ANY);
}

/* Its link; NULL: see errno. */
static struct bpf_link *link_program(const struct kernel_object *object, const char *name)
{
    struct bpf_program *program = bpf_object__find_program_by_name(object->object, name);

    if (!program)
        errno = ENOENT;
    return program ? bpf_program__attach(program) : NULL;
}

int kernel_object_attach(struct kernel_object *to, const char *name)
{
    int i = 0;

    while (to->link[i])
        i++;
    to->link[i] = link_program(to, name);
    return to->link[i] ? 0 : -errno;
}

void kernel_object_detach(struct kernel_object *from)
{
    int i = KERNEL_PROGRAMS - 1;

    while (!from->link[i])
        i--;
    bpf_link__destroy(from->link[i]);
    from->link[i] = NULL;
}

/* Whether the kernel would let it be attached: some refuse only that. */
static int try(const struct kernel_object *object, const char *name)
{
    struct bpf_link *link = name ? link_program(object, name) : NULL;

    if (name && !link)
        return -errno;
    bpf_link__destroy(link);
    return 0;
}

static int attach(struct kernel_object *to, const char *const *programs)
{
    int error = 0;

    for (; *programs && !error; programs++)
        error = kernel_object_attach(to, *programs);
    return error;
}

static bool needs_trampoline(const struct bpf_program *program)
{
    switch (bpf_program__expected_attach_type(program)) {
    case BPF_TRACE_FENTRY:
    case BPF_TRACE_FEXIT:
    case BPF_MODIFY_RETURN:
    case BPF_LSM_MAC:
        return true;
    default:
        return false;
    }
}

static bool is_wanted(const char *name, const char *const *programs, const char *later)
{
    return is_one_of(name, programs) || (later && strcmp(name, later) == 0);
}

/* For the tests: a program that this kernel is said to refuse. */
static bool is_refused(const char *const *programs, const char *later)
{
    const char *names = getenv("WSRX_TEST_REFUSED"), *end;
    char name[64];

    for (; names && *names; names = *end ? end + 1 : end) {
        end = strchrnul(names, ',');
        snprintf(name, sizeof name, "%.*s", (int)(end - names), names);
        if (is_wanted(name, programs, later))
            return true;
    }
    return false;
}

/* Chooses these programs. A kernel may attach one to its functions that it then never runs. */
static int choose(struct bpf_object *object, const char *const *programs, const char *later)
{
    struct bpf_program *program;
    int error = 0;

    bpf_object__for_each_program(program, object)
    {
        bool wanted = is_wanted(bpf_program__name(program), programs, later);

        bpf_program__set_autoload(program, wanted);
        if (wanted && needs_trampoline(program) && kernel_no_trampolines())
            error = -EBUSY;
    }
    return error;
}

int kernel_object_start(struct kernel_object *to, const struct kernel_source *source,
                        const char *const *programs, const char *later)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "wsrx");
    int error;

    memset(to, 0, sizeof *to);
    if (is_refused(programs, later))
        return -EPERM;
    libbpf_set_print(print_nothing);
    to->object = bpf_object__open_mem(source->bytes, source->size, &options);
    if (!to->object)
        return -errno;
    error = choose(to->object, programs, later);
    if (!error)
        error = set_config(to->object, &source->config);
    if (!error)
        error = bpf_object__load(to->object);
    if (!error)
        error = set_cgroup(to->object, source->cgroup);
    if (!error)
        error = attach(to, programs);
    if (!error)
        error = try(to, later);
    if (error)
        kernel_object_end(to);
    return error;
}

/* Its programs print nothing: one read is all of it. */
static int run_iterator(const struct bpf_link *link)
{
    int fd = bpf_iter_create(bpf_link__fd(link));
    char nothing;
    int error = fd < 0 || read(fd, &nothing, sizeof nothing) < 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    return error;
}

int kernel_object_iterate(const struct kernel_object *object, const char *name, unsigned pid)
{
    union bpf_iter_link_info files = {.task = {.pid = pid}};
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &files, .link_info_len = sizeof files);
    struct bpf_program *program = bpf_object__find_program_by_name(object->object, name);
    struct bpf_link *link = program ? bpf_program__attach_iter(program, &options) : NULL;
    int error;

    if (!link)
        return -errno;
    error = run_iterator(link);
    bpf_link__destroy(link);
    return error;
}

void kernel_object_end(struct kernel_object *object)
{
    for (int i = 0; i < KERNEL_PROGRAMS; i++)
        bpf_link__destroy(object->link[i]);
    bpf_object__close(object->object);
    memset(object, 0, sizeof *object);
}

int kernel_object_map(const struct kernel_object *object, const char *name)
{
    return bpf_object__find_map_fd_by_name(object->object, name);
}

bool kernel_has_btf(void)
{
    return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static bool is_capable(int number)
{
    FILE *file = fopen("/proc/self/status", "re");
    uint64_t effective = 0;
    char line[256];

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
            break;
    if (file)
        fclose(file);
    return effective >> number & 1;
}

/* capabilities(7): that one includes the others. */
bool kernel_has_capability(int number)
{
    return is_capable(number) || is_capable(CAPABILITY_SYS_ADMIN);
}

/* An administrator may have switched it off. Linux 6.1 attaches programs then, and never runs them. */
const char *kernel_no_trampolines(void)
{
    FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");
    bool off = file && fgetc(file) == '0';

    if (file)
        fclose(file);
    return off ? "kernel.ftrace_enabled is 0, so nothing can be attached to functions; sysctl "
                 "kernel.ftrace_enabled=1 allows it"
               : NULL;
}

/* In confidentiality mode programs may not read the kernel's memory. */
static bool is_locked_down(void)
{
    FILE *file = fopen("/sys/kernel/security/lockdown", "re");
    char line[128] = "";
    bool locked = file && fgets(line, sizeof line, file) && strstr(line, "[confidentiality]");

    if (file)
        fclose(file);
    return locked;
}

const char *kernel_why(int error, char to[KERNEL_WHY])
{
    bool bpf = kernel_has_capability(CAPABILITY_BPF);
    bool perfmon = kernel_has_capability(CAPABILITY_PERFMON);

    if (!bpf || !perfmon)
        snprintf(to, KERNEL_WHY, "%s%s%s missing: run it as root, or with these two capabilities",
                 bpf ? "" : "CAP_BPF", bpf || perfmon ? "" : " and ",
                 perfmon ? (bpf ? "" : " is")
                 : bpf   ? "CAP_PERFMON is"
                         : "CAP_PERFMON are");
    else if (!kernel_has_btf())
        snprintf(to, KERNEL_WHY, "this kernel has no BTF (/sys/kernel/btf/vmlinux)");
    else if (is_locked_down())
        snprintf(to, KERNEL_WHY, "this kernel is locked down (confidentiality), which forbids it");
    else if (kernel_no_trampolines())
        snprintf(to, KERNEL_WHY, "%s", kernel_no_trampolines());
    else
        snprintf(to, KERNEL_WHY, "this kernel refuses its programs: %s", strerror(-error));
    return to;
}
