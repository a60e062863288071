/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/system.h"

#include "observe/kernel_object.h"
#include "observe/refuser.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void system_catch(void)
{
    struct sigaction action = {.sa_handler = interrupt};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

bool system_is_interrupted(void)
{
    return interrupted;
}

/* The process of a thread, by proc(5); 0 if that cannot be read. */
static unsigned process_of(unsigned long thread)
{
    char path[64], line[128];
    unsigned process = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%lu/status", thread);
    file = fopen(path, "re");
    while (file && process == 0 && fgets(line, sizeof line, file))
        sscanf(line, "Tgid: %u", &process);
    if (file)
        fclose(file);
    return process;
}

int system_process(const char *command, const char *word, unsigned *ret_pid)
{
    char *end;
    unsigned long pid = strtoul(word, &end, 10);
    unsigned process;

    if (word[0] < '0' || word[0] > '9' || *end || pid == 0 || pid > INT32_MAX) {
        complain("%s: -p %s: expected the number of a process", command, word);
        return EXIT_OURS;
    }
    if (kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
        complain("%s: process %lu: %s", command, pid, strerror(ESRCH));
        return EXIT_TROUBLE;
    }
    process = process_of(pid);
    if (process != 0 && process != pid) {
        complain("%s: %lu is a thread of process %u", command, pid, process);
        return EXIT_TROUBLE;
    }
    *ret_pid = (unsigned)pid;
    return 0;
}

bool system_has_ended(unsigned pid)
{
    return pid != 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

const char *system_watched(const struct observer *observer)
{
    struct observer_view view = observer_view(observer);

    if (view.vsock)
        return "UDP, AF_UNIX and vsock";
    return !view.udp ? "AF_UNIX" : view.local ? "UDP and AF_UNIX" : "UDP";
}

struct observer *system_observe(const char *command, const struct observe_config *config)
{
    char why[KERNEL_WHY], of[32] = "all processes";
    struct observer *observer = observer_start(config, why, sizeof why);
    struct observer_view view;

    if (!observer) {
        complain("%s: %s; wsrx doctor --system tells more", command, why);
        return NULL;
    }
    view = observer_view(observer);
    if (config->pid)
        snprintf(of, sizeof of, "process %u", config->pid);
    complain("watching %s: %s; ^C ends it", of, system_watched(observer));
    if (!view.udp && kernel_no_trampolines())
        complain("UDP is not seen: %s", kernel_no_trampolines());
    else if (!view.udp || !view.local)
        complain("this kernel does not show %s: see wsrx doctor --system",
                 view.udp ? "AF_UNIX" : "UDP");
    return observer;
}

/* --- doctor ------------------------------------------------------------------------------ */

static void print_line(const char *what, bool good, const char *detail)
{
    printf("  %-11s %s%s%s\n", what, good ? "yes" : "no", *detail ? ": " : "", detail);
}

static const char *unix_detail(enum observer_unix way)
{
    switch (way) {
    case OBSERVER_UNIX_BY_EXIT:
        return "at the exit of __unix_dgram_recvmsg";
    case OBSERVER_UNIX_BY_TRACEPOINTS:
        return "by the tracepoints of a receive (Linux 6.3 and later)";
    case OBSERVER_UNIX_BY_COPY:
        return "in the copy of a message; what fits is not counted by wsrx top --all";
    default:
        return "the kernel refuses the program in skb_copy_datagram_iovec";
    }
}

static const char *udp_detail(bool seen)
{
    const char *why = kernel_no_trampolines();

    if (seen)
        return "in skb_consume_udp";
    return why ? why : "the kernel refuses trampolines (fentry)";
}

static const char *vsock_detail(bool seen)
{
    if (seen)
        return "in virtio_transport_seqpacket_dequeue";
    if (!kernel_has_capability(CAPABILITY_SYS_ADMIN))
        return "CAP_SYS_ADMIN is missing";
    return "its modules are not loaded, or the kernel refuses trampolines";
}

/* False: nothing can be seen. */
static bool print_view(void)
{
    const struct observe_config config = {0};
    char why[KERNEL_WHY];
    struct observer *observer = observer_start(&config, why, sizeof why);
    struct observer_view view;

    if (!observer) {
        print_line("observe", false, why);
        return false;
    }
    view = observer_view(observer);
    print_line("UDP", view.udp, udp_detail(view.udp));
    print_line("AF_UNIX", view.local, unix_detail(view.local));
    print_line("vsock", view.vsock, vsock_detail(view.vsock));
    observer_end(observer);
    return true;
}

static void print_refuse(void)
{
    char why[KERNEL_WHY];
    const char *way = refuser_way(why, sizeof why);

    print_line("refuse", way, way ? way : why);
}

int system_doctor(void)
{
    struct utsname name;
    bool seen;

    uname(&name);
    printf("Linux %s, %s\n", name.release, name.machine);
    if (!observer_is_built()) {
        print_line("observer", false, "this wsrx was built without libbpf, or without clang");
        return EXIT_OURS;
    }
    print_line("BTF", kernel_has_btf(),
               kernel_has_btf() ? "" : "/sys/kernel/btf/vmlinux is missing");
    print_line("CAP_BPF", kernel_has_capability(CAPABILITY_BPF), "");
    print_line("CAP_PERFMON", kernel_has_capability(CAPABILITY_PERFMON), "");
    seen = print_view();
    if (!seen)
        return EXIT_OURS;
    print_refuse();
    return 0;
}
