# SPDX-License-Identifier: MIT
"""Programs under strace: what they ask of the kernel, call by call, and where each call was made.

Start-up ends at the mark that mark.c makes right before main().
"""

import os
import re
import subprocess
import tempfile

LIMIT = 60  # seconds that one program may take, however busy the machine is

LINE = re.compile(r"^(\w+)\((.*)$")
FRAME = re.compile(r"^ > (.*?)\((\w*)[^)]*\) \[")
LIBRARY = re.compile(r"libwsrx\.so\.0\.[\d.]+")  # of whatever version
MARK = "getpriority"
NOBODY = "-7777"
# Whoever shares memory with others makes these or not as it happens; and where the heap ends, at
# which start-up has left it.
CHANCE = {"brk", "futex", "sched_yield", "restart_syscall", "rt_sigreturn"}
# In whose arguments or results a number may be that of a process.
ABOUT_PROCESSES = {
    "clone", "clone3", "fcntl", "fork", "getpgid", "getpgrp", "getpid", "getsid", "gettid", "ioctl",
    "kill", "prlimit64", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sched_getaffinity",
    "sched_setaffinity", "set_tid_address", "setpgid", "setsid", "tgkill", "tkill", "vfork", "wait4",
    "waitid",
}


def is_ours(file):
    return LIBRARY.fullmatch(file) is not None


class Call:
    """A system call, and whence it came: (file, function), the innermost first, if asked for."""

    def __init__(self, name, rest):
        self.name, self.rest, self.frames = name, rest, []
        result = re.search(r"= (-?\d+|0x[0-9a-f]+)", rest[rest.rfind(") "):])
        self.result = int(result.group(1), 0) if result else None

    def __str__(self):
        return f"{self.name}({self.rest}"

    def within(self):
        """The functions of libwsrx that it came from, the innermost first."""
        # gcc puts what is rarely executed apart, under names such as recv.cold.
        return [function for file, function in self.frames if is_ours(file)]

    def by_chance(self):
        """Made or not as it happens. The first malloc() of a process seeds itself."""
        return self.name in CHANCE or str(self).startswith('getrandom(""..., 8, GRND_NONBLOCK)')

    def is_mark(self):
        return self.name == MARK and NOBODY in self.rest

    def is_exec(self):
        return self.name in ("execve", "execveat") and self.result == 0

    def makes_process(self):
        return (self.name in ("clone", "clone3", "fork", "vfork")
                and self.result is not None and self.result > 0)


class Trace:
    """What one run has left: its processes and threads, each with its calls."""

    def __init__(self, directory):
        self.calls = {}
        for name in os.listdir(directory):
            calls = self.calls.setdefault(int(name.rpartition(".")[2]), [])
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    if match := LINE.match(line):
                        calls.append(Call(match[1], match[2]))
                    elif (match := FRAME.match(line)) and calls:
                        calls[-1].frames.append((os.path.basename(match[1]), match[2]))

    def root(self):
        """The first process."""
        born = {call.result for calls in self.calls.values() for call in calls
                if call.makes_process()}
        roots = [pid for pid in self.calls if pid not in born]
        assert len(roots) == 1, f"strace has left the first processes {roots}"
        return roots[0]

    def processes(self, pid=None, name="main"):
        """(name, calls) of each process and thread, a child after its parent: names as they are
        born, so that those of two runs are the same."""
        calls = self.calls.get(pid or self.root(), [])
        yield name, calls
        children = 0
        for call in calls:
            if call.makes_process():
                children += 1
                yield from self.processes(call.result, f"{name}.{children}")

    def images(self):
        """(name, calls of start-up, calls from main() on) of each program that a process was.

        A child of fork() begins in the middle: all its calls are from main() on.
        """
        for name, calls in self.processes():
            began, marked, images = 0, 0, 0
            starting = name == "main"
            for place, call in enumerate(calls + [None]):
                if call is not None and call.is_mark():
                    marked, starting = place, False
                if call is None or (call.is_exec() and place > 0):
                    if starting:  # not linked dynamically: it has no mark, and no library either
                        marked = began
                    end = place if call is None else place + 1
                    yield f"{name}/{images}", calls[began:marked], calls[marked:end]
                    began = marked = end
                    images += 1
                    starting = True

    def plain(self, call):
        """A call as it is in every run: without addresses and numbers of processes."""
        text = re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", str(call))
        if call.name in ("alarm", "getppid"):
            return re.sub(r" = .*", "", str(call))
        if call.name not in ABOUT_PROCESSES:
            return re.sub(r"\s+=", " =", text)
        pids = "|".join(str(pid) for pid in self.calls)
        return re.sub(rf"\b({pids})\b", "PID", re.sub(r"\s+=", " =", text))


def run(argv, preload, directory, settings=None, options=(), feed=None):
    """The trace of a program; its exit status; what it wrote. `feed`, called with the process of
    strace, gives the program what it waits for."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        # One heap for all threads: how many a process has, and where, is left to chance.
        environment = {"LD_PRELOAD": ":".join(preload), "MALLOC_ARENA_MAX": "1", **(settings or {})}
        words = [word for name, value in environment.items() for word in ("-E", f"{name}={value}")]
        with subprocess.Popen(
            ["strace", "-ff", "-qq", "-s", "0", "-e", "verbose=none", "-e", "signal=none",
             "-o", os.path.join(place, "t"), *options, *words, *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=directory, env={key: value for key, value in os.environ.items()
                                if not key.startswith(("WSRX_", "LD_", "PYTHON"))}) as process:
            if feed:
                feed(process)
            try:
                out, errors = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                out, errors = process.communicate()
        return Trace(place), process.returncode, out, errors
