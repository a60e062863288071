# SPDX-License-Identifier: MIT
"""What the tests inside the guest share: the observer, which all of them watch through, and sockets."""

import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios

from harness import LIMIT, equal, until

SO_COOKIE = 57


class Observer:
    """wsrx trace --system, into a file of JSON Lines."""

    def __init__(self, bench, *options, refused="", name="observed.jsonl"):
        """`refused`: programs that the kernel is said to refuse."""
        self.path = bench.path(name)
        environment = dict(bench.environment(library=False), WSRX_TEST_REFUSED=refused)
        self.process = subprocess.Popen(
            [bench.command, "trace", "--system", "--to", "jsonl", "-o", self.path, *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        self.said = self.process.stderr.readline()
        if b"watching " not in self.said:
            raise AssertionError((self.said, self.process.stderr.read()))

    def lines(self):
        with open(self.path, encoding="ascii") as file:
            text = file.read()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def of(self, pid):
        return [line for line in self.lines() if "type" not in line and line["pid"] == pid]

    def losses(self, pid, count, skip=0):
        """The next losses of a process, once there are so many, behind those of before."""
        return until(lambda: len(self.of(pid)) >= skip + count and self.of(pid)[skip:])

    def programs(self, pid):
        return [line["program"] for line in self.lines()
                if line.get("type") == "start" and line["pid"] == pid]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        rest = self.process.communicate(timeout=LIMIT)[1]
        return self.process.returncode, rest


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, argv, columns):
        if not os.path.exists("/dev/pts/ptmx"):
            os.makedirs("/dev/pts", exist_ok=True)
            subprocess.run(["mount", "-t", "devpts", "devpts", "/dev/pts"], check=True)
        self.ours, self.theirs = os.openpty()
        self.seen = b""
        self.resize(columns)
        self.process = subprocess.Popen(argv, stdin=self.theirs, stdout=self.theirs,
                                        stderr=subprocess.DEVNULL, preexec_fn=self.take)
        os.close(self.theirs)

    def take(self):
        os.setsid()
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def resize(self, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))

    def write(self, keys):
        os.write(self.ours, keys)

    def until(self, wanted):
        """What was seen until `wanted` was, or until the end."""
        while wanted is None or wanted not in self.seen:
            ready, _, _ = select.select([self.ours], [], [], LIMIT)
            if not ready:
                raise AssertionError((wanted, self.seen))
            try:
                got = os.read(self.ours, 65536)
            except OSError: # EIO: nobody has the other end any more
                got = b""
            if not got:
                break
            self.seen += got
        return self.seen


def udp(address=("127.0.0.1", 0), family=socket.AF_INET):
    """A bound socket, and one that sends to it."""
    receiver, sender = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(address)
    sender.bind((address[0], 0) if family != socket.AF_UNIX else "")
    return receiver, sender


def cookie(one):
    return int.from_bytes(one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


def name(one):
    """As the trace writes the address of an Internet socket."""
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def expect(record, **wanted):
    equal({key: record.get(key) for key in wanted}, wanted, record)


def start_lines(bench, argv):
    """A program whose standard output is read by line."""
    return subprocess.Popen(argv, cwd=bench.directory, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=bench.environment(library=False))


def end(process):
    process.kill()
    process.communicate(timeout=LIMIT)


def own():
    return os.getpid()
