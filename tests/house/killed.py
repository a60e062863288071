# SPDX-License-Identifier: MIT
"""A filter of system calls kills the program for what it does not call itself: it lives.

Takes the root of the sources and of the build, the library, mark.so, and the programs lossy,
program and confined.

The program's own filter, which it installs before it receives, or while a tail is held, allows what
it calls from then on without the library, and nothing else. So does a filter that was there before
it, for all that it calls from its start to its end; but the library cannot know of such a filter,
and with it the program needs what is in NEEDED as well: docs/limits.md names these. With mode off
it needs nothing.
--only=WORD: the cases with that word.
"""

import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import calls
import house
import kernel

WAYS = ("prctl", "syscall-prctl", "syscall-seccomp")
SETTINGS = (
    {},
    {"HOLD": "kernel"},
    {"CALLS": "all"},
    {"MODE": "error"},
    {"MODE": "off"},
    {"TABLE": "@/table"},
    {"STATS": "@/stats"},
    {"TRACE": "text"},
    {"TRACE": "jsonl", "TRACE_FILE": "@/%p.jsonl"},
    {"TRACE": "ring", "TRACE_FILE": "@/%p.ring"},
)
LOSSY = ("recv", "poll", "select", "epoll", "nested", "thread", "fork", "close", "held", "held-ppoll",
         "held-select", "held-epoll", "held-fork")
# What the library makes beside the program's own calls where a filter was there before it: for a
# datagram into a buffer that is new; for a fork; for a tail.
FOR_RECEIVES = {"futex", "getsockopt", "recvmsg", "rt_sigprocmask"}
FOR_FORKS = {"getpid", "gettid", "madvise", "munlock", "rt_sigprocmask"}
FOR_PEEKS = {"ioctl", "sched_yield"} | FOR_FORKS
FOR_TAILS = {"eventfd2", "fcntl", "ppoll"} | FOR_RECEIVES | FOR_PEEKS


def numbers():
    """The name of each system call -> its number, by the compiler's headers."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M))


class Killed:
    def __init__(self, directory):
        self.library, self.mark, self.lossy, self.program, self.confined = (
            os.path.abspath(path) for path in sys.argv[3:8])
        assert os.path.exists(self.library), self.library
        self.directory, self.numbers, self.called = directory, numbers(), {}

    def listed(self, names):
        return ",".join(sorted(self.numbers[name] for name in names if name in self.numbers))

    def trace(self, argv, preload, settings=None, options=()):
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            environment = {f"WSRX_{key}": value.replace("@", place)
                           for key, value in (settings or {}).items()}
            return kernel.run(argv, preload, place, settings=environment, options=options)

    def run(self, argv, settings, confined=None):
        """What is wrong with a run under the library, in a filter; nothing if it is right.
        `confined`: the numbers of the filter that is there before it."""
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            environment = {key: value for key, value in os.environ.items()
                           if not key.startswith(("WSRX_", "LD_", "PYTHON"))}
            environment |= {f"WSRX_{key}": value.replace("@", place)
                            for key, value in settings.items()}
            environment["MALLOC_ARENA_MAX"] = "1"
            if confined is None:
                environment["LD_PRELOAD"] = self.library
            else:
                argv = [self.confined, confined, self.library, *argv]
            done = subprocess.run(argv, env=environment, capture_output=True, cwd=place,
                                  stdin=subprocess.DEVNULL, timeout=kernel.LIMIT, check=False)
        if done.returncode == 0:
            return []
        return [f"status {done.returncode} {done.stderr.decode(errors='replace')[-300:]}"
                f" {self.killer(argv, settings, confined)}"]

    def killer(self, argv, settings, confined):
        """The call that was killed for, and whence it came."""
        trace, *_ = self.trace(argv, [] if confined else [self.library], settings, ["-k"])
        for made in trace.calls.values():
            # Its result is the number of the call.
            if made and str(made[-1].result) == self.numbers.get(made[-1].name):
                return f"{made[-1]} by {' < '.join(made[-1].within()[:6])}"
        return ""

    # --- the program's own filter ------------------------------------------------------------

    def own(self, case, way):
        """With each setting, a filter that allows what the program calls after it."""
        alone = [self.lossy, case, way, self.listed(self.numbers)[:0] + "-9999"]
        trace, status, *_ = self.trace(alone, [])
        if status != 0:
            return [f"without the library: {status}"]
        allowed = set()
        for _, made in trace.processes():
            place = max([at for at, call in enumerate(made) if is_filter(call)], default=-1)
            allowed |= {call.name for call in made[place + 1:]}
        allowed.add("lseek")  # for what it says where it is wrong
        argv = [self.lossy, case, way, self.listed(allowed)]
        return [f"{settings or ''}: {line}" for settings in SETTINGS
                for line in self.run(argv, settings)]

    # --- one that was there before -----------------------------------------------------------

    def alone(self, argv):
        """What it calls without the library."""
        key = tuple(argv)
        if key not in self.called:
            trace, status, *_ = self.trace(argv, [])
            assert status == 0, f"without the library: {status}"
            self.called[key] = {call.name for made in trace.calls.values() for call in made}
        return self.called[key] | {"execve", "lseek"}

    def before(self, argv, settings, needed):
        """The filter allows what it calls without the library, and what is needed."""
        if settings.get("MODE") == "off":
            needed = set()
        return self.run(argv, settings, self.listed(self.alone(argv) | needed))

    def needs(self, name, runs):
        """Whether the call is made by itself: a filter that allows all the others kills one of the
        runs (program and arguments, settings). Otherwise it is not needed, and need not be named."""
        for argv, settings in runs:
            if name not in self.alone(argv) and self.run_kills(argv, settings, self.listed({name})):
                return []
        return [f"no run needs {name}"]

    def run_kills(self, argv, settings, numbers):
        """Whether a filter that kills for these numbers only kills the program."""
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            environment = {f"WSRX_{key}": value for key, value in settings.items()}
            done = subprocess.run([self.confined, f"-{numbers}", self.library, *argv],
                                  env=environment | {"PATH": os.environ["PATH"]}, cwd=place,
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=kernel.LIMIT, check=False)
        return done.returncode != 0


def is_filter(call):
    return call.name == "seccomp" or call.name == "prctl" and "PR_SET_SECCOMP" in call.rest


def works(killed):
    for case in LOSSY:
        for way in WAYS:
            yield (f"its own filter by {way}: {case}", killed.own, (case, way))
    for settings in ({}, {"HOLD": "kernel"}, {"MODE": "off"}):
        words = "".join(f", {key}={value}" for key, value in settings.items())
        yield (f"a filter from before, no message: no-sockets{words}", killed.before,
               ([killed.program, "no-sockets"], settings, set()))
        for case in calls.CASES:
            needed = FOR_RECEIVES | (FOR_FORKS if "fork" in case or "filter" in case else set())
            needed |= FOR_PEEKS if "HOLD" in settings else set()
            yield (f"a filter from before, nothing is lost: {case}{words}", killed.before,
                   ([killed.program, case], settings, needed))
        for case in LOSSY:
            yield (f"a filter from before, tails: {case}{words}", killed.before,
                   ([killed.lossy, case], settings, FOR_TAILS))


def singly(killed):
    """Each of the calls that a filter from before has to allow, and no other."""
    lossless = [([killed.program, case], {}) for case in calls.CASES]
    peeks = [(argv, {"HOLD": "kernel"}) for argv, _ in lossless]
    tails = [([killed.lossy, case], settings) for case in LOSSY for settings in ({}, {"HOLD": "kernel"})]
    for names, runs, when in ((FOR_RECEIVES | FOR_FORKS, lossless, "nothing is lost"),
                              (FOR_PEEKS - FOR_FORKS, peeks, "HOLD=kernel"),
                              (FOR_TAILS - FOR_RECEIVES - FOR_PEEKS, tails, "tails")):
        for name in sorted(names):
            yield (f"a filter from before kills for {name} alone: {when}", killed.needs, (name, runs))


def main():
    tap = house.Tap()
    only = [word[7:] for word in sys.argv if word.startswith("--only=")]
    with tempfile.TemporaryDirectory(prefix="wsrx-house-") as directory:
        killed = Killed(directory)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = [(name, pool.submit(work, *arguments))
                    for name, work, arguments in (*works(killed), *singly(killed))
                    if not only or any(word in name for word in only)]
            for name, wrong in done:
                if shutil.which("strace"):
                    tap.case(name, wrong.result())
                else:
                    tap.skip(name, "no strace")
    tap.end()


if __name__ == "__main__":
    main()
