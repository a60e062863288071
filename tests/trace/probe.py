# SPDX-License-Identifier: MIT
"""The USDT probe: a debugger attaches to it for real, and sees what was received."""

import re
import subprocess
import sys

from harness import PRELUDE, PYTHON, Skip, equal, main, need, test

COMMANDS = """
set confirm off
set pagination off
set breakpoint pending on
set startup-with-shell off
set environment LD_PRELOAD {library}
break -probe-stap wsrx:part
commands
silent
printf "PART %d %d %d %d ", $_probe_arg0, $_probe_arg1, $_probe_arg2, $_probe_arg3
printf "%d\\n", $_probe_arg4
continue
end
run
"""


def has_notes(bench):
    notes = bench.run([need("readelf"), "-n", bench.library], library=False).stdout
    return b"stapsdt" in notes


def parts_seen(bench, code):
    """What gdb sees at the probe while a program runs."""
    with open(bench.path("program.py"), "w", encoding="ascii") as file:
        file.write(PRELUDE + code)
    with open(bench.path("commands"), "w", encoding="ascii") as file:
        file.write(COMMANDS.format(library=bench.library))
    done = bench.run([need("gdb"), "-nx", "-batch", "-x", "commands", "--args", PYTHON,
                      "program.py"], library=False)
    if b"ptrace" in done.stderr and b"not permitted" in done.stderr:
        raise Skip("gdb may not trace here")
    output = done.stdout.decode()
    return [tuple(map(int, line.split()[1:])) for line in output.splitlines()
            if line.startswith("PART ")], output + done.stderr.decode()


@test
def a_debugger_sees_every_part_and_its_sizes(bench):
    if not has_notes(bench):
        # Where the header is, the build has found it, even if it came later.
        done = subprocess.run([need("cc"), "-E", "-x", "c", "-"], input=b"#include <sys/sdt.h>\n",
                              capture_output=True, check=False)
        assert done.returncode != 0, "built without <sys/sdt.h>, which is there"
        raise Skip("there is no <sys/sdt.h>")
    parts, output = parts_seen(bench, """
assert s.fileno() == 3
c.sendto(b'x' * 100, to); s.recv(2000)
c.sendto(b'x' * 3000, to); s.recv(1000); s.recv(1500); s.recv(9000)
for i in range(20): c.sendto(b'x' * (200 + i), to); s.recv(2000)
c.sendto(b'x' * 64, to); s.recvfrom(2000)
""")
    # Descriptor, the message, the buffer, given, left.
    equal(parts, [(3, 100, 2000, 100, 0), (3, 3000, 1000, 1000, 2000), (3, 3000, 1500, 1500, 500),
                  (3, 3000, 9000, 500, 0)] +
          [(3, 200 + i, 2000, 200 + i, 0) for i in range(20)] + [(3, 64, 2000, 64, 0)], output)


@test
def without_the_header_there_is_no_probe_and_it_compiles(bench):
    cc = need("cc")
    source = '#include "base/usdt.h"\nvoid f(int fd);\nvoid f(int fd)\n{\n' \
             '    USDT_PART(fd, 1, 2, 3, 4);\n}\n'
    include = sys.argv[4]
    for more, wanted in ((("-nostdinc",), 0), (("-DWSRX_SDT",), 1)):
        if wanted and not has_notes(bench):
            raise Skip("built without <sys/sdt.h>")
        done = subprocess.run([cc, "-Wall", "-Wextra", "-Werror", "-I", include, *more, "-c", "-o",
                               "probe.o", "-x", "c", "-"], input=source.encode(),
                              cwd=bench.directory, capture_output=True, check=False)
        equal((done.returncode, done.stderr), (0, b""), more)
        sections = bench.run([need("readelf"), "-SW", "probe.o"], library=False).stdout
        equal(len(re.findall(rb" \.note\.stapsdt ", sections)), wanted, "notes")


sys.exit(main())
