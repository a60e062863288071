# SPDX-License-Identifier: MIT
"""A 64-bit command reads the files of a 32-bit program, and the two kinds of table are kept apart.

Arguments: the 32-bit library, the command, the 32-bit victim, the 64-bit library.
"""

import os
import sys

from harness import equal, main, test

TRANSCRIPT = "udp4; send 3000; recv 1000; recv 1000; recv 1000"


def play(bench, **settings):
    return bench.run([sys.argv[3], TRANSCRIPT], **settings)


@test
def a_ring(bench):
    done = play(bench, TRACE="ring", TRACE_FILE=bench.path("a.ring"))
    text = bench.wsrx("convert", "--to", "text", "a.ring").stdout.decode()
    equal([line.split(" caller")[0].split(" = ")[1] for line in text.splitlines()],
          ["1000 of 3000 PARTIAL left 2000", "1000 of 3000 @1000 PARTIAL left 1000",
           "1000 of 3000 @2000 last"], done)


@test
def statistics(bench):
    play(bench, STATS=bench.path("stats"))
    with open(bench.path("stats"), encoding="ascii") as file:
        written = file.read()
    assert "2000          3         2" in written, written


@test
def a_table_of_64_bits(bench):
    table = bench.path("table")
    library64 = sys.argv[4]
    bench.run(["env", f"LD_PRELOAD={library64}", f"WSRX_TABLE={table}", "true"], library=False)
    assert os.path.exists(table)
    done = play(bench, TABLE=table)
    assert b"it is no fragment table" in done.stderr, done.stderr
    assert b"recv 1000 -> 1000 m1[2000..2999]" in done.stdout, done.stdout


sys.exit(main())
