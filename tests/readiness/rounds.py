# SPDX-License-Identifier: MIT
"""What a round of an event loop costs while tails are held, in numbers that no machine changes:
system calls, and instructions outside the kernel. The rounds are those of rounds.c.

A row fails if a round makes one system call more than is written here, or takes 3 % more
instructions. If it needs less, that is said, and should be entered. Instructions are compared only
where compiler and libc are those with which they were counted.

Arguments: the library, rounds, and --built-with="gcc 12 debugoptimized".
"""

import os
import platform
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Skip, main, need, test  # noqa: E402

ROUNDS = 64
MORE = 1.03
COUNTED_WITH = ("gcc 12 debugoptimized", "glibc 2.36", "x86_64")

BUILT_WITH = [word[13:] for word in sys.argv if word.startswith("--built-with=")][0]

# The row: system calls in 64 rounds, and instructions in one (None: they go by what the child does
# at the same time).
ROWS = {
    "level-fits": (128, 246),
    "level-2-parts": (160, 2496),
    "level-64-parts": (135, 2824),
    "edge-64-parts": (72, 2116),
    "shot-fits": (192, 463),
    "shot-2-parts": (417, 3405),
    "shot-64-parts": (202, 3510),
    "thread-level-2-parts": (544, 3133),
    "thread-level-64-parts": (267, 3291),
    "thread-shot-2-parts": (896, 5330),
    "thread-shot-64-parts": (588, 4642),
    "child-level-2-parts": (1024, None),
    "child-shot-2-parts": (1472, None),
    "poll-2-parts": (192, 1634),
    "poll-64-parts": (198, 2487),
    "select-64-parts": (198, 2948),
}


def system_calls(bench, row):
    trace = bench.path("strace")
    done = bench.run([need("strace"), "-f", "-qq", "-o", trace, "-E", f"LD_PRELOAD={bench.library}",
                      bench.command, row, str(ROUNDS)], library=False)
    assert done.returncode == 0, done.stderr.decode()
    with open(trace, encoding="ascii") as file:
        calls = [re.match(r"\d+ +(\w+)\((-?\d*)", line) for line in file]
    calls = [call.groups() for call in calls if call]
    first, last = (at for at, call in enumerate(calls) if call == ("close", "-77"))
    return [name for name, _ in calls[first + 1:last]]


def instructions(bench, row):
    """Of the process that plays the rounds: those inside counted()."""
    bench.run([need("valgrind"), "--tool=callgrind", "--toggle-collect=counted", "-q",
               f"--callgrind-out-file={bench.path('callgrind.%p')}",
               bench.command, row, str(ROUNDS)])
    totals = [0]
    for name in os.listdir(bench.directory):
        if name.startswith("callgrind."):
            with open(bench.path(name), encoding="utf-8", errors="replace") as file:
                totals += [int(line.split()[1]) for line in file if line.startswith("totals:")]
            os.remove(bench.path(name))
    assert max(totals) > 0, "callgrind has counted nothing"
    return max(totals) / ROUNDS


def judge(what, rows):
    """Each row: its name, what was counted, at most, as entered."""
    failures = []
    for row, got, most, entered, more in rows:
        line = f"{row}: {got:g} {what}{more}; entered: {entered}"
        print(f"# {line}", flush=True)
        if got > most:
            failures.append(line)
    assert not failures, "\n".join(failures)


@test
def no_more_system_calls_than_entered(bench):
    def rows():
        for row, (most, _) in ROWS.items():
            calls = system_calls(bench, row)
            counts = ", ".join(f"{name} {calls.count(name)}" for name in sorted(set(calls)))
            yield row, len(calls), most, most, f" ({counts})"

    judge(f"system calls in {ROUNDS} rounds", rows())


@test
def no_more_instructions_than_entered(bench):
    here = (BUILT_WITH, " ".join(platform.libc_ver()), platform.machine())
    if here != COUNTED_WITH:
        raise Skip(f"counted with {', '.join(COUNTED_WITH)}, and this is {', '.join(here)}")
    judge("instructions a round",
          ((row, instructions(bench, row), entered * MORE, entered, "")
           for row, (_, entered) in ROWS.items() if entered))


sys.exit(main())
