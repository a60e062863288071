# SPDX-License-Identifier: MIT
"""What the tests inside the guest share: the observer, which all of them watch through, and sockets."""

import json
import os
import signal
import socket
import subprocess

from harness import LIMIT, Skip, equal, until

SO_COOKIE = 57
VSOCK = (1, 4242) # VMADDR_CID_LOCAL, and a port


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

    def attached(self):
        """How many programs it has in the kernel now."""
        files = f"/proc/{self.process.pid}/fdinfo"
        count = 0
        for fd in os.listdir(files):
            with open(f"{files}/{fd}", encoding="ascii") as file:
                count += "link_type:" in file.read()
        return count

    def end(self):
        self.process.send_signal(signal.SIGINT)
        rest = self.process.communicate(timeout=LIMIT)[1]
        return self.process.returncode, rest


def udp(address=("127.0.0.1", 0), family=socket.AF_INET):
    """A bound socket, and one that sends to it."""
    receiver, sender = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(address)
    sender.bind((address[0], 0) if family != socket.AF_UNIX else "")
    return receiver, sender


def vsock():
    """A connection to this machine itself (vsock_loopback), for records: its receiver, its sender."""
    try:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET) as listener:
            listener.bind(VSOCK)
            listener.listen()
            client = socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET)
            client.connect(VSOCK)
            return listener.accept()[0], client
    except OSError as error:
        raise Skip(f"no vsock here: {error}") from error


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
