# SPDX-License-Identifier: MIT
"""Each system call that the library makes for itself fails in turn; the program gets what Linux alone
would give it, or its tail, and never less.

Takes the root of the sources and of the build, the library, mark.so, and the program lossy, which
looks at what it gets. strace makes the calls fail, from outside. --all: with every error, not only
with two. --only=WORD: the scenarios with that word.
"""

import collections
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

import house
import kernel

ERRORS = ("EPERM", "ENOMEM", "ENOSYS", "EMFILE")

# What is known to go wrong still: (system call, a function that it comes through), and why.
KNOWN = {
}

# settings ("@": a directory), the program's cases
SCENARIOS = (
    ({}, ("recv", "select", "epoll", "nested", "thread", "fork", "close")),
    ({"HOLD": "kernel"}, ("poll", "nested", "fork")),
    ({"TABLE": "@/table"}, ("poll", "fork")),
    ({"SOCKETS": "udp"}, ("poll",)),
    ({"STATS": "@/stats"}, ("thread",)),
    ({"TRACE": "text"}, ("poll",)),
    ({"TRACE": "jsonl", "TRACE_FILE": "@/%p.jsonl"}, ("fork",)),
    ({"TRACE": "ring", "TRACE_FILE": "@/%p.ring"}, ("thread",)),
)


class Site:
    """One place where the library asks the kernel: the nth call of that name of a process. Each
    process and each thread counts by itself, and so it may be several calls."""

    def __init__(self, calls, number):
        self.name, self.number = calls[0].name, number
        self.through = [call.within() for call in calls]

    def __str__(self):
        return f"{self.name} by {' and '.join(' < '.join(way[:6]) for way in self.through)}"

    def known(self):
        """The rows of KNOWN that it is one of."""
        return {row for row in KNOWN
                if row[0] == self.name and any(row[1] in way for way in self.through)}


def sites(trace):
    """One for each way in which the library makes a call."""
    numbered = {}  # (process, name, number) -> call
    for pid, calls in trace.calls.items():
        counts = collections.Counter()
        for call in calls:
            counts[call.name] += 1
            numbered[pid, call.name, counts[call.name]] = call

    def is_ours(call):
        function = (call.within() or [""])[0]
        return function.startswith("sys_") and not function.endswith("_by_libc")

    found = {}
    for (pid, name, number), call in numbered.items():
        others = [numbered[other, name, number] for other in trace.calls
                  if other != pid and (other, name, number) in numbered]
        if all(map(is_ours, [call, *others])):
            found.setdefault((name, *call.within()), Site([call, *others], number))
    return list(found.values())


class Scenario:
    def __init__(self, program, case, settings, preload, directory):
        self.argv, self.preload, self.directory = [program, case], preload, directory
        self.settings, self.case = settings, case
        self.known = set()
        words = "".join(f", {key}={value}" for key, value in settings.items())
        self.name = f"whatever fails, nothing is lost by the library: {case}{words}"

    def environment(self, place):
        return {f"WSRX_{key}": value.replace("@", place) for key, value in self.settings.items()}

    def without(self):
        """How many messages there are."""
        done = subprocess.run(self.argv, capture_output=True, text=True, check=True)
        return sum(int(word) for word in done.stdout.split() if word.isdigit())

    def inject(self, work):
        site, error, messages = work
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            _, status, out, errors = kernel.run(
                self.argv, self.preload, place, settings=self.environment(place),
                options=["--seccomp-bpf", "-e", f"trace={site.name},execve",
                         "-e", f"inject={site.name}:error={error}:when={site.number}"])
        got = sum(int(word) for word in out.decode().split() if word.isdigit())
        others = [line for line in errors.decode(errors="replace").splitlines()
                  if not line.startswith("libwsrx")]
        if status == 0 and got == messages and not (others and "TRACE" not in self.settings):
            return []
        if site.known():
            self.known |= site.known()
            return []
        return [f"{error} for {site} (call {site.number}): status {status}, {out.decode().strip()!r}"
                f" {' '.join(others)[:200]}"]

    def run(self, errors):
        """What goes wrong, and how many faults were tried."""
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            trace, status, *_ = kernel.run(self.argv, self.preload, place,
                                           settings=self.environment(place), options=["-k"])
        found = sites(trace)
        if status != 0 or not found:
            return [f"status {status}, {len(found)} calls"], 0
        messages = self.without()
        works = [(site, error, messages) for site in found for error in errors]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return [line for lines in pool.map(self.inject, works) for line in lines], len(works)


def main():
    library, mark, program = (os.path.abspath(path) for path in sys.argv[3:6])
    tap = house.Tap()
    errors = ERRORS if "--all" in sys.argv else ERRORS[:2]
    only = [word[7:] for word in sys.argv if word.startswith("--only=")]
    known = set()
    with tempfile.TemporaryDirectory(prefix="wsrx-house-") as directory:
        for settings, cases in SCENARIOS:
            for case in cases:
                each = Scenario(program, case, settings, [mark, library], directory)
                if only and not any(word in each.name for word in only):
                    continue
                if not shutil.which("strace"):
                    tap.skip(each.name, "no strace")
                    continue
                wrong, count = each.run(errors)
                tap.case(f"{each.name} ({count} faults)", wrong)
                known |= each.known
    for row, reason in KNOWN.items():
        if not only and shutil.which("strace"):
            tap.case(f"{row[0]} by {row[1]} may fail", [reason] if row in known else [],
                     todo="known")
    tap.end()


main()
