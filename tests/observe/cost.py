# SPDX-License-Identifier: MIT
"""What the observer costs a receive over AF_UNIX that loses nothing, on this machine's own kernel:
python3 tests/observe/cost.py build/tools/wsrx build/tests/observe/cost [ROUNDS], as root.

Runs without and with it take turns, and the medians are compared. Then come the instructions of each
program, as the kernel has them, if bpftool is there.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys


def measure(cost):
    return float(subprocess.run([cost], capture_output=True, check=True).stdout)


def start(command):
    # Of one process: losses of others attach a second program.
    process = subprocess.Popen([command, "trace", "--system", "-p", str(os.getpid()), "-o",
                                "/dev/null"], stderr=subprocess.PIPE)
    said = process.stderr.readline()
    if b"watching" not in said:
        sys.exit(said.decode())
    return process


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
    command, cost, rounds = sys.argv[1], sys.argv[2], int((*sys.argv, 15)[3])
    without, with_it = [], []
    for _ in range(rounds):
        without.append(measure(cost))
        process = start(command)
        with_it.append(measure(cost))
        end(process)
    before, after = statistics.median(without), statistics.median(with_it)
    print(f"a send and a receive: {before:.0f} ns without, {after:.0f} ns with the observer: "
          f"{after - before:+.0f} ns "
          f"({min(without):.0f} to {max(without):.0f}, {min(with_it):.0f} to {max(with_it):.0f})")
    show_programs(command)


main()
