# SPDX-License-Identifier: MIT
"""The table of the library's own system calls is true: docs/architecture.md, "The door to the kernel".

Takes the root of the sources and of the build, the library, mark.so, and the program. The table is
compared with core/base/sys.[ch], and with what the library is seen to do under strace when a tail
is held, a trace is made, and so on. --show prints what was seen.
"""

import os
import re
import shutil
import sys
import tempfile

import house
import kernel

PHASES = ("START", "PARTS", "EPOLL", "TRACE", "END")
PAGES = ("docs/architecture.md",)
ROW = re.compile(r"^\| `(sys_\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
DECLARATION = re.compile(r"^(?!static)[\w ]+[ *](sys_\w+)\(", re.M)

# What is no call for ourselves: that for the program, and what only reads or writes memory.
NOT_OURS = {"sys_cancellable_call", "sys_direct_call", "sys_fstat_number", "sys_is_cancellable",
            "sys_is_direct", "sys_is_direct_in_threads", "sys_is_sandboxed", "sys_is_single_threaded", "sys_may_cancel",
            "sys_recvfrom", "sys_recvfrom_by_libc", "sys_recvmsg", "sys_recvmsg_by_libc"}

# Parts of the functions of sys.c, which need no rows of their own.
HELPERS = {"call_mmap", "quiet_enter", "quiet_leave", "sys_fstat_number", "wake_op"}

# The program's own calls, which the library makes in its stead. By themselves, or by the next
# library, which is libc here.
FOR_THE_PROGRAM = {
    "accept", "accept4", "clone", "clone3", "close", "close_range", "dup", "dup2", "dup3",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "execve", "execveat", "exit_group", "fcntl", "fork", "ioctl", "mprotect", "mremap", "munmap",
    "poll", "ppoll", "preadv2", "pselect6", "read", "readv", "recvfrom", "recvmmsg", "recvmsg",
    "select", "sendmmsg", "sendmsg", "socket", "socketpair", "vfork",
}
# What libc does for the functions of libc-names, as the table's page says: (system call, who of
# the library asked for it). localtime_r() reads the time zone.
BY_LIBC = {(call, "trace_start") 
           for call in ("openat", "newfstatat", "fstat", "read", "lseek", "close")}

TRACING = ("PARTS", "TRACE", "END")

# name, settings ("@": a directory), the program's case, the phases from main() on
SCENARIOS = (
    ("a tail", {}, "tail", ("PARTS",)),
    ("a tail, seen by poll and select", {}, "tail-in-waits", ("PARTS",)),
    ("a tail in an epoll set", {}, "tail-in-epoll", ("PARTS", "EPOLL")),
    ("a tail in an epoll set, by edges", {}, "tail-in-epoll-edge", ("PARTS", "EPOLL")),
    ("a tail in a set inside another", {}, "tail-in-epoll-nested", ("PARTS", "EPOLL")),
    ("a tail when the program execs", {}, "tail-at-exec", ("PARTS", "TRACE")),
    ("a tail when the program ends", {}, "tail-at-end", ("PARTS",)),
    ("held in the kernel", {"HOLD": "kernel"}, "tail", ("PARTS",)),
    ("a tail in a file's table", {"TABLE": "@/table"}, "tail", ("PARTS",)),
    ("mode error", {"MODE": "error"}, "tail", ("PARTS",)),
    ("mode discard", {"MODE": "discard", "CALLS": "all"}, "tail", ("PARTS",)),
    ("mode off", {"MODE": "off"}, "tail", ()),
    ("a bad setting", {"MODE": "wrong", "STRICT": "1"}, "tail", ("START",)),
    ("text to stderr", {"TRACE": "text"}, "tail", TRACING),
    ("text to a file", {"TRACE": "text", "TRACE_FILE": "@/%e-%t-%p"}, "tail", TRACING),
    ("lines to a file, with the bytes",
     {"TRACE": "jsonl", "TRACE_FILE": "@/%p.jsonl", "TRACE_DATA": "100"}, "fork", TRACING),
    ("a ring", {"TRACE": "ring", "TRACE_FILE": "@/%p.ring"}, "threads", TRACING),
    ("a ring, and tails", {"TRACE": "ring", "TRACE_FILE": "@/%p.ring"}, "tail", TRACING),
    ("a file that cannot be", {"TRACE": "ring", "TRACE_FILE": "/dev/null/x"}, "tail", TRACING),
    ("statistics to stderr", {"STATS": "1"}, "tail", TRACING),
    ("statistics to a file", {"STATS": "@/stats"}, "threads", TRACING),
    ("selected sockets", {"SOCKETS": "udp"}, "tail", TRACING),
)


# By what is inline in sys.h.
INLINE = {"getsockopt": "sys_getsockopt"}


def table(root):
    """The rows of the table: function -> (system calls, phases); and where it stands."""
    for page in PAGES:
        if os.path.exists(os.path.join(root, page)):
            rows = ROW.findall(house.read(root, page))
            if rows:
                return page, {name: (re.findall(r"`(\w+)`", calls), re.findall(r"\w+", when))
                              for name, calls, when, _ in rows}
    return PAGES[0], {}


def against_sources(root, rows):
    """sys.h declares what the table lists, and sys.c makes the calls that it names."""
    head, text = house.read(root, "core/base/sys.h"), house.read(root, "core/base/sys.c")
    declared = set(DECLARATION.findall(head)) - NOT_OURS
    wrong = [f"{name} is in sys.h and not in the table" for name in sorted(declared - set(rows))]
    wrong += [f"{name} is in the table and not in sys.h" for name in sorted(set(rows) - declared)]
    for name in sorted(declared & set(rows)):
        calls, phases = rows[name]
        wrong += [f"{name}: no such phase as {phase}" for phase in phases if phase not in PHASES]
        body = re.search(rf"\b{name}\([^;{{]*\)\n\{{\n(.*?)^\}}", text + head, re.M | re.S)
        made = set(re.findall(r"\bSYS_(\w+)", body.group(1))) if body else set()
        used = body.group(1) if body else ""
        for helper in HELPERS:
            if f"{helper}(" in used:
                its = re.search(rf"\b{helper}\([^;{{]*\)\n\{{\n(.*?)^\}}", text, re.M | re.S)
                used += its.group(1)
        made |= set(re.findall(r"\bSYS_(\w+)", used))
        if body and "FCNTL" in body.group(1):
            made.add("fcntl")
        for other in re.findall(r"\b(sys_\w+)\(", used):
            made |= set(rows.get(other, ((), ()))[0])
        wrong += [f"{name}: sys.c does not make {call}" for call in calls if call not in made]
        if not calls or not phases:
            wrong.append(f"{name}: its row names no call, or no phase")
    return wrong


def seen(trace, started_only=False):
    """(function, system call) -> one such call, for what the library did: at start-up, or later."""
    found = {}
    for _, start, rest in trace.images():
        for call in start if started_only else rest:
            through = [name for name in call.within() if name not in HELPERS]
            if through:
                found.setdefault((through[0], call.name), call)
    return found


def unlisted(found, rows, phases):
    wrong = []
    for (function, name), call in sorted(found.items()):
        through = " < ".join(call.within())
        direct = kernel.is_ours(call.frames[0][0])
        if direct and function not in rows:
            function = INLINE.get(name, function)
        calls, when = rows.get(function, ((), ()))
        if function in rows:
            if name not in calls:
                wrong.append(f"{name} by {function}, whose row does not name it: {through}")
            elif not set(when) & set(phases):
                wrong.append(f"{name} by {function}, which belongs to {', '.join(when)}: {through}")
        elif direct and name not in ("recvfrom", "recvmsg", "epoll_wait", "epoll_ctl"):
            wrong.append(f"{name} by {function}, which has no row: {through}")
        elif (name not in FOR_THE_PROGRAM and not call.by_chance() and
              (name, function) not in BY_LIBC):
            wrong.append(f"{name} by libc for {function}: {through}")
    return wrong


def main():
    root = sys.argv[1]
    library, mark, program = (os.path.abspath(path) for path in sys.argv[3:6])
    tap = house.Tap()
    page, rows = table(root)
    tap.case("the table is there", [] if rows else [f"no table in {page}"])
    tap.case("the table lists what sys.h has, with the calls of sys.c", against_sources(root, rows))
    everything = {}
    with tempfile.TemporaryDirectory(prefix="wsrx-house-") as directory:
        for name, settings, case, phases in SCENARIOS:
            settings = {f"WSRX_{key}": value.replace("@", directory)
                        for key, value in settings.items()}
            name = f"the library's own calls are those of the table: {name}"
            if not shutil.which("strace"):
                tap.skip(name, "no strace")
                continue
            trace, *_ = kernel.run([program, case], [mark, library], directory, settings=settings,
                                   options=["-k"])
            start, rest = seen(trace, started_only=True), seen(trace)
            everything |= {key: call for key, call in {**start, **rest}.items()}
            wrong = [f"start-up: {line}" for line in unlisted(start, rows, ("START",))]
            wrong += [f"later: {line}" for line in unlisted(rest, rows, phases)]
            if not start and not rest:
                wrong.append("nothing was traced")
            tap.case(name, wrong)
            if "--show" in sys.argv:
                for when, calls in ("start", start), ("later", rest):
                    for function, call in sorted(calls):
                        print(f"#   {when} {function} {call}")
    if everything:
        unseen = sorted(set(rows) - {function for function, _ in everything} -
                        {INLINE.get(call) for _, call in everything})
        print(f"# not provoked here: {', '.join(unseen)}")
    tap.end()


main()
