# SPDX-License-Identifier: MIT
"""What the tests in Python share: TAP, and programs that run with or without the library.

A test is a function marked @test that takes a Bench; main() runs them all. A test that is no
function (those under Wine, which share a prefix) reports its cases to a Tap.

Sends on loopback only, and ends only the programs that it started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback

LIMIT = 60  # seconds that one program may take, however busy the machine is
PYTHON = "/usr/bin/python3"


class Skip(Exception):
    """Why a test cannot run here."""


class Tap:
    """Prints one line a case, in the Test Anything Protocol."""

    def __init__(self):
        self.count = self.failed = 0

    def case(self, good, name, reason=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in str(reason).splitlines():
                print(f"# {line}", flush=True)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def end(self):
        print(f"1..{self.count}", flush=True)


tests = []


def test(function):
    tests.append(function)
    return function


def need(program):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{program} is not installed")
    return path


# Run with "import" done, on a socket `s` that is bound to loopback, and `to` its address; `c`
# sends.
PRELUDE = """
import os, signal, socket, sys, threading, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.bind(("127.0.0.1", 0))
to = s.getsockname()
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
"""


class Bench:
    """A directory of its own, the library and the command."""

    def __init__(self, library, command):
        self.library, self.command = library, command
        self.directory = tempfile.mkdtemp(prefix="wsrx-test-")

    def path(self, name):
        return os.path.join(self.directory, name)

    def names(self, end):
        return sorted(name for name in os.listdir(self.directory) if name.endswith(end))

    def environment(self, library=True, **settings):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WSRX_") and key not in ("LD_PRELOAD", "PYTHONPATH")}
        environment.update({f"WSRX_{key}": str(value) for key, value in settings.items()})
        # The command leaves the freeing of what it has to its end.
        environment.update(LC_ALL="C", NO_COLOR="1", ASAN_OPTIONS="detect_leaks=0")
        if library:
            environment["LD_PRELOAD"] = self.library
        return environment

    def run(self, argv, library=True, **settings):
        return subprocess.run(argv, cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=LIMIT,
                              env=self.environment(library, **settings), check=False)

    def start(self, argv, library=True, **settings):
        return subprocess.Popen(argv, cwd=self.directory, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(library, **settings))

    def python(self, code, **settings):
        return self.run([PYTHON, "-c", PRELUDE + textwrap.dedent(code)], **settings)

    def wsrx(self, *argv):
        return self.run([self.command, *argv], library=False)

    def records(self, *names):
        """The records of files, by way of `wsrx convert`; its standard error in the second."""
        done = self.wsrx("convert", "--to", "jsonl", *names)
        return records_of(done.stdout), done.stderr.decode()

    def lines(self, name):
        """The records of a file of JSON Lines."""
        with open(self.path(name), encoding="ascii") as file:
            return records_of(file.read())


def records_of(text):
    """Of JSON Lines, those that are records: the others have a type."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if "type" not in line]


def until(condition):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("did not happen in time")


def bound_port(pid):
    """The port of the first UDP socket of a process, or None."""
    ports = {}
    with open("/proc/net/udp", encoding="ascii") as table:
        next(table)
        for line in table:
            field = line.split()
            ports[field[9]] = int(field[1].split(":")[1], 16)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if link.startswith("socket:[") and ports.get(link[8:-1]):
                return ports[link[8:-1]]
    except OSError:
        pass
    return None


def send(port, *messages):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for message in messages:
            sender.sendto(message, ("127.0.0.1", port))


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def run_tests(call):
    """Runs the tests by call(function), and prints their TAP. An argument --only=WORD picks those
    that have the word in their name."""
    only = [word[7:] for word in sys.argv if word.startswith("--only=")]
    sys.argv[1:] = [word for word in sys.argv[1:] if not word.startswith("--only=")]
    tap = Tap()
    for function in tests:
        name = function.__name__.replace("_", " ")
        if only and not any(word in name for word in only):
            continue
        try:
            call(function)
            tap.case(True, name)
        except Skip as why:
            tap.skip(name, why)
        except Exception:  # whatever it is, the other tests still run
            tap.case(False, name, traceback.format_exc())
    tap.end()
    return 1 if tap.failed else 0


def main():
    """Tests that take a Bench. Arguments of the program: the library, the command, and more."""
    sys.argv[1:] = [word if word.startswith("--") else os.path.abspath(word)
                    for word in sys.argv[1:]]

    def call(function):
        bench = Bench(*sys.argv[1:3])
        try:
            function(bench)
        finally:
            shutil.rmtree(bench.directory, ignore_errors=True)

    return run_tests(call)
