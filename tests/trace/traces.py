# SPDX-License-Identifier: MIT
"""Traces that more than one test looks into."""

import os

from harness import PRELUDE, PYTHON, equal, test

LOSSES = PRELUDE + """
u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind('sock')
v = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); six.bind(("::1", 0))
c6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for x in (s, u, six): x.setblocking(False)
for i in range(300):
    c.sendto(bytes(100 + i * 37 % 3000), to)
    c6.sendto(bytes(i), six.getsockname())
    v.sendto(bytes(i * 1001 % 70000), 'sock')
    for x, size in ((s, 1000), (u, 512), (six, 100)):
        try:
            while True: x.recvfrom(size)
        except BlockingIOError: pass
"""


def trace_of(bench, name="t", code=LOSSES, **settings):
    done = bench.run([PYTHON, "-c", code], TRACE="ring", TRACE_FILE=name, TRACE_SIZE="32M",
                     **settings)
    equal(done.returncode, 0, done.stderr)
    if os.path.exists(bench.path("sock")):
        os.unlink(bench.path("sock"))
    return name


def fields(record, *names):
    return tuple(record[name] for name in names)
