# SPDX-License-Identifier: MIT
"""A program on a terminal of its own: a pseudo-terminal that a test reads and types into."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time

from harness import LIMIT


def mount_terminals():
    """A system that a test has booted may have none yet."""
    if not os.path.exists("/dev/pts/ptmx"):
        os.makedirs("/dev/pts", exist_ok=True)
        subprocess.run(["mount", "-t", "devpts", "devpts", "/dev/pts"], check=True)


class Screen:
    """`on`: which of its standard files are the terminal, as stdin, stdout and stderr; the others
    are /dev/null. Further arguments are those of Popen."""

    def __init__(self, argv, on=("stdin", "stdout", "stderr"), columns=None, **options):
        mount_terminals()
        self.ours, self.theirs = os.openpty()
        self.seen = b""
        if columns:
            self.resize(columns)
        files = {name: self.theirs if name in on else subprocess.DEVNULL
                 for name in ("stdin", "stdout", "stderr")}
        self.process = subprocess.Popen(argv, preexec_fn=self.take, **files, **options)
        os.close(self.theirs)

    def take(self):
        """As the terminal of a session of its own, so that it is told of another size."""
        os.setsid()
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def resize(self, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))

    def write(self, keys):
        os.write(self.ours, keys)

    def read(self, wanted=None):
        """What was seen until the end, or until `wanted` was."""
        deadline = time.monotonic() + LIMIT
        while not (wanted and wanted in self.seen):
            ready, _, _ = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"not seen in time: {wanted!r} in {self.seen!r}")
            try:
                got = os.read(self.ours, 65536)
            except OSError: # EIO: nobody has the other end any more
                got = b""
            if not got:
                break
            self.seen += got
        return self.seen

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
