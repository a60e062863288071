# SPDX-License-Identifier: MIT
"""The tests of wsrx refuse, which inside.py runs."""

import errno
import os
import signal
import subprocess

from harness import LIMIT, PYTHON, Skip, equal, test
from observation import own, udp, vsock

RECEIVER = """
import errno, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("ready", flush=True)
sys.stdin.readline()
def receive(size, flags=socket.MSG_DONTWAIT):
    try:
        return len(s.recv(size, flags))
    except OSError as error:
        return errno.errorcode[error.errno]
s.sendto(bytes(3000), s.getsockname())
s.sendto(bytes(2000), s.getsockname())
s.sendto(bytes(10), s.getsockname())
print(receive(1000), receive(1000, socket.MSG_PEEK), receive(5000), receive(1000), receive(1000),
      receive(1000), flush=True)
sys.stdin.readline()
"""


def receive_refused(command, child=None):
    """What RECEIVER says; the command waits for a line before it does anything, or `child` does."""
    process = subprocess.Popen([*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    equal(process.stdout.readline(), b"ready\n")
    try:
        refuse = child(process.pid) if child else None
        process.stdin.write(b"\n")
        process.stdin.flush()
        return process.stdout.readline().decode().split(), refuse, process
    finally:
        process.stdin.write(b"\n")
        process.stdin.flush()


ONCE = ["EMSGSIZE", "1000", "3000", "EMSGSIZE", "1000", "10"]


@test
def what_would_be_cut_is_refused(bench):
    """Once each; and a larger buffer gets it all. The program is started by the command."""
    said, _, process = receive_refused([bench.command, "refuse", PYTHON, "-c", RECEIVER])
    equal(said, ONCE)
    assert b"2 receives were refused" in process.communicate(timeout=LIMIT)[1]
    equal(process.returncode, 0)


@test
def a_process_that_runs_is_refused(bench):
    def refuse(pid):
        one = subprocess.Popen([bench.command, "refuse", "--always", "-p", str(pid)],
                               stderr=subprocess.PIPE)
        assert b"refusing receives of process" in one.stderr.readline()
        return one

    said, one, process = receive_refused([PYTHON, "-c", RECEIVER], refuse)
    equal(said, ["EMSGSIZE", "1000", "3000", "EMSGSIZE", "EMSGSIZE", "EMSGSIZE"])
    process.communicate(timeout=LIMIT)
    assert b"4 receives were refused" in one.communicate(timeout=LIMIT)[1], "it ends with it"
    receiver, sender = udp()
    sender.sendto(bytes(10), receiver.getsockname())
    equal(len(receiver.recv(5)), 5, "others are not concerned")


@test
def a_control_group_is_refused(bench):
    group = "/sys/fs/cgroup/wsrx-test"
    try:
        os.mkdir(group)
    except OSError as error:
        raise Skip(f"no control groups: {error}") from error
    one = subprocess.Popen([bench.command, "refuse", "--cgroup", group], stderr=subprocess.PIPE)
    assert b"refusing" in one.stderr.readline()

    def enter(pid):
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))

    said, _, process = receive_refused([PYTHON, "-c", RECEIVER], enter)
    equal(said, ONCE)
    process.communicate(timeout=LIMIT)
    one.send_signal(signal.SIGINT)
    equal((one.communicate(timeout=LIMIT)[1], one.returncode),
          (b"wsrx: 2 receives were refused (EMSGSIZE)\n", 0))


@test
def vsock_is_left_as_it_is(bench):
    """The queue of its records is in a module: see docs/observe.md."""
    refuse = subprocess.Popen([bench.command, "refuse", "-p", str(own())], stderr=subprocess.PIPE)
    assert b"refusing" in refuse.stderr.readline()
    try:
        server, client = vsock()
        client.send(bytes(3000))
        equal(len(server.recv(1000)), 1000)
        receiver, sender = udp()
        sender.sendto(bytes(3000), receiver.getsockname())
        try:
            raise AssertionError(len(receiver.recv(1000)))
        except OSError as error:
            equal(error.errno, errno.EMSGSIZE)
    finally:
        refuse.send_signal(signal.SIGINT)
        refuse.communicate(timeout=LIMIT)
