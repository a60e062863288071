# SPDX-License-Identifier: MIT
"""What a client with threads pays: dnsperf, with the library and without.

dnsperf.py LIBRARY [ROUNDS]

The server (knotd or dnsmasq, on the loopback interface) runs without the library, on a processor of its
own if there are two. Each round runs dnsperf three times: without, with, and without once more, for
the control; who comes first changes. The processor's time a query (user and system) is compared as well as
the time that it takes, since it depends less on what else runs. strace counts the system calls, and
callgrind the instructions, of more runs. Says SKIP and why where a program is missing.
"""

import contextlib
import math
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 40
NAMES = 1000
REPEATS = 25          # of all names, in one run of dnsperf
GOAL = 1.005

KNOT = """server:
  listen: 127.0.0.1@{port}
  rundir: {directory}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: {directory}/log
    any: warning
database:
  storage: {directory}
zone:
  - domain: example
    file: {directory}/zone
    zonefile-load: whole
    journal-content: none
"""
ZONE = """$ORIGIN example.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
* A 127.0.0.2
"""


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def find(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def server_command(directory, port):
    if find("knotd"):
        write(f"{directory}/zone", ZONE)
        write(f"{directory}/knot.conf", KNOT.format(directory=directory, port=port))
        return [find("knotd"), "-c", f"{directory}/knot.conf"]
    if find("dnsmasq"):
        return [find("dnsmasq"), "--keep-in-foreground", f"--port={port}", "--conf-file=/dev/null",
                "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                "--user=", "--group=", "--pid-file=", "--address=/example/127.0.0.2"]
    return None


def answers(port):
    """Whether n1.example has an address there."""
    query = (b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
             b"\x02n1\x07example\x00\x00\x01\x00\x01")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        client.send(query)
        try:
            return client.recv(512)[6:8] == b"\0\1"
        except OSError:
            return False


@contextlib.contextmanager
def server(directory, processors):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    command = server_command(directory, port)
    if not command:
        sys.exit("SKIP: no server (knotd or dnsmasq)")
    with open(f"{directory}/server.log", "wb") as log, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, processors[:1])) as process:
        try:
            until = time.monotonic() + 10
            while not answers(port):
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"SKIP: {command[0]} does not answer")
                time.sleep(0.1)
            yield port, os.path.basename(command[0])
        finally:
            process.terminate()


def command(directory, port, repeats):
    return ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", f"{directory}/names",
            "-T", "2", "-c", "2", "-q", "20", "-n", str(repeats)]


def environment(library):
    own = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    if library:
        own["LD_PRELOAD"] = library
    return own


def run(what, library, processors):
    """The processor's time a query and the time a query, in nanoseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(what, env=environment(library), stdin=subprocess.DEVNULL, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="ascii",
                          preexec_fn=lambda: os.sched_setaffinity(0, processors[-1:]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    completed = int(re.search(r"Queries completed: +(\d+)", done.stdout).group(1))
    seconds = float(re.search(r"Run time \(s\): +([\d.]+)", done.stdout).group(1))
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took / completed * 1e9, seconds / completed * 1e9


def compare(what, library, processors, rounds):
    variants = [None, library, None]
    took = [[] for _ in variants]
    for round_ in range(rounds):
        for place in range(len(variants)):
            at = (round_ + place) % len(variants)
            took[at].append(run(what, variants[at], processors))
    return took


def ratio(took, at, which):
    """The median of the rounds' ratios to the first, and its error, of which a few rounds that somebody
    disturbed are no part."""
    ratios = [one[which] / first[which] for one, first in zip(took[at], took[0])]
    median = statistics.median(ratios)
    deviation = 1.4826 * statistics.median(abs(one - median) for one in ratios)
    return median, 1.25 * deviation / math.sqrt(len(ratios))


def row(name, took, which):
    value, error = ratio(took, 1, which)
    control, _ = ratio(took, 2, which)
    without = statistics.median(one[which] for one in took[0])
    missed = "  missed" if value > GOAL else ""
    if abs(value - GOAL) < max(error, abs(control - 1)):
        missed = "  undecided"
    print(f"{name:<44} {without:8.0f} ns  {value:.4f} +- {error:.4f}  control {control:.4f}"
          f"  goal {GOAL}{missed}", flush=True)


def calls(directory, port, library, repeats):
    """How many that did not fail: the program's work, and others but for waits, which go by the clock."""
    counts = f"{directory}/counts"
    preload = ["-E", f"LD_PRELOAD={library}"] if library else []
    subprocess.run(["strace", "-f", "-qq", "-c", "-U", "calls,errors,name", "-o", counts, *preload,
                    *command(directory, port, repeats)], env=environment(None), check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = {}
    with open(counts, encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 2 and fields[0].isdigit() and fields[-1] != "total":
                made[fields[-1]] = int(fields[0]) - (int(fields[1]) if len(fields) == 3 else 0)
    work = made.get("recvfrom", 0) + made.get("sendto", 0)
    return work, sum(made.values()) - work - sum(made.get(name, 0) for name in ("poll", "futex"))


def instructions(directory, port, library):
    """Instructions a query in user space, without the program's start: the median of three."""
    collected = {}
    for repeats in (2, 22):
        collected[repeats] = [int(re.search(r"Collected : (\d+)", subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             *command(directory, port, repeats)], env=environment(library), check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            encoding="ascii").stderr).group(1)) for _ in range(3)]
    return (statistics.median(collected[22]) - statistics.median(collected[2])) / (20 * NAMES)


def counted(directory, port, library):
    """What does not depend on the machine, but a little on who waits for whom."""
    for how, preload in (("without", None), ("with", library)):
        if find("strace"):
            few, many = (calls(directory, port, preload, repeats) for repeats in (2, 6))
            work, others = ((after - before) / (4 * NAMES) for before, after in zip(few, many))
            says = f"{work:.3f} of sending and receiving, {others:.3f} others but waits"
        else:
            says = "SKIP: no strace"
        print(f"system calls a query, {how:<8} {says}")
    for how, preload in (("without", None), ("with", library)):
        print(f"instructions a query, {how:<8} " + (
            f"{instructions(directory, port, preload):.0f}" if find("valgrind") else
            "SKIP: no valgrind"))


def main(library, rounds=ROUNDS):
    if not find("dnsperf"):
        sys.exit("SKIP: no dnsperf")
    processors = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="wsrx-bench-", dir="/dev/shm") as directory:
        write(f"{directory}/names", "".join(f"n{at}.example A\n" for at in range(NAMES)))
        with server(directory, processors) as (port, name):
            print(f"dnsperf with two threads for sending and two for receiving, against {name}:"
                  f" {NAMES * REPEATS} queries a run, {rounds} rounds")
            library = os.path.abspath(library)
            took = compare(command(directory, port, REPEATS), library, processors, int(rounds))
            row("processor's time a query", took, 0)
            row("time a query", took, 1)
            counted(directory, port, library)


if __name__ == "__main__":
    main(*sys.argv[1:])
