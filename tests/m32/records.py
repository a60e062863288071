#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A 32-bit program's files are read by a 64-bit command, and its table is not mistaken for one of
64 bits. Arguments: the 32-bit library and program, the 64-bit library, the command. Speaks TAP."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

library, victim, library64, command = sys.argv[1:]
SCENARIO = "udp4; send 3000; recv 1000; recv 1000; recv 1000"
HERE = {name: value for name, value in os.environ.items() if not name.startswith("WSRX_")}


def run(*words, **environment):
    done = subprocess.run(words, env=HERE | environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def case(number, good, name, reason):
    print(f"{'ok' if good else 'not ok'} {number} {name}")
    if not good:
        print(*(f"# {line}" for line in str(reason).splitlines()), sep="\n")


print("1..3")
with tempfile.TemporaryDirectory(prefix="wsrx-m32-") as folder:
    ring, stats, table = (str(Path(folder) / name) for name in ("a.ring", "stats", "table"))
    victim_says = run(victim, SCENARIO, LD_PRELOAD=library, WSRX_TRACE="ring",
                      WSRX_TRACE_FILE=ring, WSRX_STATS=stats)
    code, text, errors = run(command, "convert", "--to", "text", ring)
    parts = code == 0 and [line.split(" caller")[0].split(" = ")[1] for line in text.splitlines()]
    case(1, parts == [
        "1000 of 3000 PARTIAL left 2000", "1000 of 3000 @1000 PARTIAL left 1000",
        "1000 of 3000 @2000 last"], "a ring", f"{victim_says}\n{text}{errors}")
    written = Path(stats).read_text() if Path(stats).exists() else "no file"
    case(2, "2000          3         2" in written, "statistics", written)
    run("/bin/true", LD_PRELOAD=library64, WSRX_TABLE=table)
    code, text, errors = run(victim, SCENARIO, LD_PRELOAD=library, WSRX_TABLE=table)
    case(3, Path(table).exists() and "it is no fragment table" in errors and
         "recv 1000 -> 1000 m1[2000..2999]" in text, "a table of 64 bits", text + errors)
