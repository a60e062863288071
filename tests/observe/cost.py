# SPDX-License-Identifier: MIT
"""What the observer costs a receive that loses nothing, on this machine's own kernel:
python3 tests/observe/cost.py build/tools/wsrx build/tests/observe [ROUNDS], as root; in instructions, in a
guest: instructions.py.

The cases take turns: without it; with it; after this process has lost a message there; and after
io_uring has cut one in the program uring, which attaches a second program for some seconds. Each is
compared with the run without it next to it. Then come the instructions of each program, as the kernel
has them, if bpftool is there.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time


def measure(directory, kind, blocks):
    return float(subprocess.run([os.path.join(directory, "cost"), kind, str(blocks)],
                                capture_output=True, check=True).stdout)


def start(command):
    process = subprocess.Popen([command, "trace", "--system", "-o", "/dev/null"],
                               stderr=subprocess.PIPE)
    said = process.stderr.readline()
    if b"watching" not in said:
        sys.exit(said.decode())
    return process


def nothing(_):
    pass


def lose(_):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.send(bytes(100))
        other.recv(10)
    time.sleep(1)


def lose_by_io_uring(directory):
    subprocess.run([os.path.join(directory, "uring"), "inline", "unix"], input=b"\n", check=True,
                   capture_output=True)
    time.sleep(1)


CASES = {
    "unix, nothing was cut": nothing,
    "unix, after a loss": lose,
    "unix, after one by io_uring": lose_by_io_uring,
    "udp": nothing,
}


def end(process):
    process.send_signal(signal.SIGINT)
    process.communicate()


def show_programs(command):
    if not shutil.which("bpftool"):
        return
    process = start(command)
    listed = json.loads(subprocess.run(["bpftool", "--json", "prog", "list"], capture_output=True,
                                       check=True).stdout)
    for program in listed:
        if program.get("name", "").startswith("observe_"):
            print(f"{program['name']}: {program['bytes_xlated'] // 8} instructions of BPF in all, "
                  f"{program.get('bytes_jited')} bytes of the machine's")
    end(process)


def main():
    command, directory, rounds = sys.argv[1], sys.argv[2], int((*sys.argv, 15)[3])
    unit, blocks, scale = ("instructions", 20, 2) if sys.argv[4:] else ("ns", 4000, 1)
    seen = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, prepare in CASES.items():
            kind = name.split(",")[0]
            without = measure(directory, kind, blocks)
            process = start(command)
            prepare(directory)
            seen[name].append((without / scale, measure(directory, kind, blocks) / scale))
            end(process)
    for name, pairs in seen.items():
        more = sorted(after - before for before, after in pairs)
        print(f"{name}: {statistics.median(before for before, _ in pairs):.0f} {unit} without, "
              f"{statistics.median(more):+.0f} with the observer "
              f"(half of the runs {more[len(more) // 4]:+.0f} to {more[-1 - len(more) // 4]:+.0f})")
    show_programs(command)


main()
