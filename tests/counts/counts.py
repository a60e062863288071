# SPDX-License-Identifier: MIT
"""What a receive costs, in numbers that do not depend on the machine or on who else uses it.

Takes the library, the program `receives`, the table, and the compiler and its optimisation. For each
row of the table the system calls of a receive are counted by strace, and its instructions by
valgrind. The program plays each row twice, and the second time is counted, so that neither start-up
nor what is made once is in it. --show after that prints the table as it would have to be.

The system calls must be as the table says. The instructions may be 3 % more; where the compiler or
the libc is another one than the table's, 25 % and what libc's own function may take more.
"""

import collections
import os
import platform
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import LIMIT, Skip, Tap, need

ROUNDS = 50
MORE, MORE_ELSEWHERE, LIBC_ELSEWHERE = 1.03, 1.25, 30
MARK = "close(-1)"
COUNTED = ("receive_counted", "send_counted")

Row = collections.namedtuple("Row", "settings name calls instructions")


def read_table(path):
    """The rows, and the compiler and libc that they were counted with."""
    rows, made_with = [], ""
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith("# with "):
                made_with = line[len("# with "):].strip()
            elif line.strip() and not line.startswith("#"):
                settings, name, calls, instructions = line.split()
                rows.append(Row(settings, name, float(calls), float(instructions)))
    return rows, made_with


def environment(library, settings):
    result = {key: value for key, value in os.environ.items()
              if not key.startswith("WSRX_") and key != "LD_PRELOAD"}
    if settings != "-":
        result.update(setting.split("=") for setting in settings.split(","))
    result["LD_PRELOAD"] = library
    return result


def run(command, program, library, settings, names):
    """How often each row's call was made."""
    done = subprocess.run([*command, program, str(ROUNDS), *names], capture_output=True, text=True,
                          env=environment(library, settings), timeout=LIMIT, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [int(line.split()[1]) for line in done.stdout.splitlines()]


def instructions_of(directory, program, library, settings, names):
    out = os.path.join(directory, "callgrind")
    command = [need("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}",
               "--dump-after=row_ends", *(f"--toggle-collect={name}" for name in COUNTED)]
    counts = run(command, program, library, settings, names)
    result = []
    for index, count in enumerate(counts):
        with open(f"{out}.{2 * index + 2}", encoding="utf-8") as file:
            total = next(line for line in file if line.startswith(("summary:", "totals:")))
        result.append(int(total.split()[1]) / count)
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    return result


def is_of_the_program(line, name):
    """Whether it is the other end's call in a round."""
    return "recvfrom(" in line if ":send:" in name or ":write:" in name else "sendto(" in line


def system_calls_of(directory, program, library, settings, names):
    out = os.path.join(directory, "strace")
    # The library is for the program alone.
    command = [need("strace"), "-f", "-o", out, "-E", f"LD_PRELOAD={library}", "env"]
    counts = run(command[:-1], program, "", settings, names)
    with open(out, encoding="utf-8", errors="replace") as file:
        between = file.read().split(MARK)
    os.unlink(out)
    result = []
    for index, count in enumerate(counts):
        # The line that the mark begins in, and the rest of the line before it.
        lines = between[2 * index + 1].splitlines()[1:-1]
        result.append(sum(not is_of_the_program(line, names[index]) for line in lines) / count)
    return result


def measure(rows, program, library):
    """(system calls, instructions) of each row."""
    groups = collections.OrderedDict()
    for row in rows:
        groups.setdefault((row.settings, row.name.endswith("+thread")), []).append(row)
    result = {}
    with tempfile.TemporaryDirectory(prefix="wsrx-counts-") as directory:
        for (settings, _), group in groups.items():
            names = [row.name for row in group]
            calls = system_calls_of(directory, program, library, settings, names)
            instructions = instructions_of(directory, program, library, settings, names)
            result.update(zip(group, zip(calls, instructions)))
    return result


def check(tap, row, counted, most):
    """`most`: instructions; None: they do not count."""
    calls, instructions = counted
    name = row.name if row.settings == "-" else f"{row.settings} {row.name}"
    tap.case(abs(calls - row.calls) < 0.005, f"system calls: {name}",
             f"{calls:.2f} a receive, and not {row.calls:.2f}")
    if most is not None:
        tap.case(instructions <= most, f"instructions: {name}",
                 f"{instructions:.1f} a receive, and not at most {most:.1f} "
                 f"(python3 counts.py ... --show prints the table)")


def main():
    library, program, path, compiler, optimised = sys.argv[1:6]
    rows, made_with = read_table(path)
    here = f"{compiler}, {os.confstr('CS_GNU_LIBC_VERSION')}"
    tap = Tap()
    try:
        if platform.machine() != "x86_64":
            raise Skip("the table is that of x86-64")
        need("valgrind")
        need("strace")
        counted = measure(rows, program, library)
    except Skip as skip:
        tap.skip("what a receive costs", str(skip))
        tap.end()
        return
    if "--show" in sys.argv:
        print(f"# with {here}")
        for row in rows:
            print(f"{row.settings:20} {row.name:28} {counted[row][0]:6.2f} {counted[row][1]:9.1f}")
        return
    for row in rows:
        most = row.instructions * MORE
        if here != made_with:
            most = row.instructions * MORE_ELSEWHERE + LIBC_ELSEWHERE
        check(tap, row, counted[row], most if optimised == "yes" else None)
    if optimised != "yes":
        tap.skip("instructions", "the build is not optimised")
    tap.end()
    sys.exit(tap.failed > 0)


main()
