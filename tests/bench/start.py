# SPDX-License-Identifier: MIT
"""What a program pays that loses nothing: its start, a first record, a close of many descriptors.

start.py LIBRARY WORKER [WSRX]

Everything is run in turn, with the library and without, and the medians are compared. The row of the
empty library is what the dynamic linker takes for any library that is loaded first. Needs a C
compiler for it (cc).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 600
TRUE = "/bin/true"


def make_empty(directory):
    source, library = os.path.join(directory, "empty.c"), os.path.join(directory, "empty.so")
    with open(source, "w", encoding="ascii") as file:
        file.write("int empty;\n")
    done = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=False)
    return library if done.returncode == 0 else None


def start(command, preload):
    """How long it takes, in microseconds."""
    environment = {"PATH": "/usr/bin:/bin"}
    if preload:
        environment["LD_PRELOAD"] = preload
    before = time.perf_counter_ns()
    process = os.posix_spawn(command[0], command, environment)
    _, status = os.waitpid(process, 0)
    assert status == 0, command
    return (time.perf_counter_ns() - before) / 1000


def compare(variants):
    """The median of each, run in turn. Who comes first changes with each round."""
    took = [[] for _ in variants]
    for round_ in range(ROUNDS):
        for place in range(len(variants)):
            at = (round_ + place) % len(variants)
            took[at].append(start(*variants[at]))
    return [statistics.median(one) for one in took]


def ask(worker, what, library, **settings):
    """The worker's answer in microseconds, the least of five."""
    environment = dict(settings, PATH="/usr/bin:/bin")
    if library:
        environment["LD_PRELOAD"] = library
    return min(float(subprocess.run([worker, what], env=environment, check=True,
                                    stdout=subprocess.PIPE).stdout) for _ in range(5)) / 1000


def row(name, value, unit, goal):
    missed = "" if goal is None or value <= goal else "  missed"
    print(f"{name:<58} {value:9.3f} {unit:<6}{'' if goal is None else f'goal {goal}'}{missed}")


def main(library, worker, wsrx=None):
    with tempfile.TemporaryDirectory(prefix="wsrx-bench-", dir="/dev/shm") as directory:
        empty = make_empty(directory)
        plain, control, with_empty, with_ours = compare(
            [([TRUE], None), ([TRUE], None), ([TRUE], empty), ([TRUE], library)])
        row("true, without against without", control / plain, "", None)
        if empty:
            row("true, an empty library against none", with_empty / plain, "", None)
            row("true, ours against an empty library", with_ours / with_empty, "", 1.05)
        row("true, ours against none", with_ours / plain, "", 1.05)
        if wsrx:
            plain, run = compare([([TRUE], None), ([wsrx, "run", TRUE], None)])
            row("wsrx run true, more than true", (run - plain) / 1000, "ms", 1)
        row("close_range(5, ~0U) with a tail, against without",
            ask(worker, "tail", library) / ask(worker, "closes", library), "", 1.05)
        row("a thread's first receive, without the library", ask(worker, "first", None), "us", None)
        first = ask(worker, "first", library)
        row("the same, with it", first, "us", None)
        ring = os.path.join(directory, "output.%p")
        for kind in ("ring", "text", "jsonl"):
            traced = ask(worker, "first", library, WSRX_TRACE=kind, WSRX_TRACE_FILE=ring)
            row(f"the same, more with WSRX_TRACE={kind}", traced - first, "us", 20)
        counted = ask(worker, "first", library, WSRX_STATS=ring)
        row("the same, more with WSRX_STATS", counted - first, "us", 20)


if __name__ == "__main__":
    main(*sys.argv[1:])
