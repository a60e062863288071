# SPDX-License-Identifier: MIT
"""Files that nobody has made on purpose, and some that somebody has: the command, built with
sanitizers, never crashes, hangs or takes much memory. What it says of them is command.py's."""

import os
import random
import shutil
import socket
import struct
import sys

from harness import PRELUDE, PYTHON, Skip, equal, main, test

COMMANDS = (["report", "FILE"], ["report", "--html=page", "FILE"],
            ["report", "--diff", "FILE", "FILE"],
            *(["convert", f"--to={kind}", "-o", "out", "FILE"]
              for kind in ("text", "jsonl", "pcapng", "perfetto")))

# Whose names are not for a terminal, in more than one process and thread.
RECEIVES = PRELUDE + """
u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind('\\0x"<b>&\\x1b[31m\\n\\\\')
v = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); v.bind('')
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); six.bind(("::1", 0))
c6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for x in (s, u, six): x.setblocking(False)
def receive():
    for i in range(12):
        c.sendto(b'<"' * (100 + i * 37), to); c6.sendto(bytes(i * 20), six.getsockname())
        v.sendto(bytes(i * 601), u.getsockname())
        for x, size in ((s, 500), (u, 512), (six, 100)):
            try:
                while True: x.recvfrom(size)
            except BlockingIOError: pass
t = threading.Thread(target=receive); t.start(); t.join(); receive()
"""


def check(bench, data, what):
    """What each command says of the file: all of it on stderr."""
    with open(bench.path("odd"), "wb") as file:
        file.write(data)
    said = []
    for argv in COMMANDS:
        done = bench.run([bench.command, *("odd" if word == "FILE" else word for word in argv)],
                         library=False)
        if done.returncode not in (0, 1) or b"runtime error" in done.stderr:
            raise AssertionError(f"{what}: wsrx {' '.join(argv)}: {done.returncode}, "
                                 f"{done.stderr.decode(errors='replace')[-2000:]}; "
                                 f"the file: {data[:200]!r}")
        said.append(done.stderr)
    return said


def original(bench, kind):
    done = bench.run([PYTHON, "-c", RECEIVES], TRACE=kind, TRACE_FILE="t", TRACE_SIZE="8K",
                     TRACE_DATA="40", TRACE_FILTER="partial,lost,call=recvfrom")
    equal(done.returncode, 0, done.stderr)
    with open(bench.path("t"), "rb") as file:
        data = file.read()
    os.unlink(bench.path("t"))
    check(bench, data, "as it was written")
    return data


def mutate(bench, data, turns, hot, chance):
    for turn in range(turns):
        odd = bytearray(data)
        for _ in range(chance.choice((1, 3, 20, 200))):
            where = chance.choice(hot) + chance.randrange(8) if chance.random() < 0.4 else \
                chance.randrange(len(odd))
            odd[where % len(odd)] = chance.choice((0, 1, 16, 127, 128, 255, chance.randrange(256)))
        if chance.random() < 0.2:
            del odd[chance.randrange(len(odd)):]
        check(bench, bytes(odd), f"turn {turn}")


@test
def a_ring_with_other_bytes_in_it(bench):
    # The heads of the file and of its first ring (ring.h), the first module and the first totals more
    # often than the rest.
    data = original(bench, "ring")
    header = struct.unpack_from("<I", data, 12)[0]
    hot = [*range(8, 88, 4), *range(416, 480, 4), *range(4096, 4160, 4), *range(16384, 16900, 4),
           *range(header, header + 40, 4)]
    mutate(bench, data, 30, hot, random.Random(7))


# The structures of ring.h.
FILE = "8s4IQ2IqQq4IQ40s256s16s3Q4I"
HEAD, RECORD, TOTAL, MODULE = "4s3I3Q", "5Q6Ii2B2H2BI", "6Q3Ii7Q2IQ", "3Q"


def turned(data):
    """The ring as a machine of the other byte order writes it."""
    odd = bytearray(data)

    def turn(at, form):
        fields = struct.unpack_from("<" + form, odd, at)
        struct.pack_into(">" + form, odd, at, *fields)
        return fields

    def turn_address(at, length):
        if length and turn(at, "H")[0] == socket.AF_INET6:
            turn(at + 24, "I")

    file = turn(0, FILE)
    header, head, record, size = file[2:6]
    rings, modules, modules_at, totals_at = file[13], file[14], file[19], file[20]
    module_size, total_size, totals = file[22:25]
    for number in range(modules):
        turn(modules_at + number * module_size, MODULE)
    for number in range(totals):
        at = totals_at + number * total_size
        turn_address(at + struct.calcsize("<" + TOTAL), turn(at, TOTAL)[18])
    for number in range(rings):
        turn(header + number * size, HEAD)
        for at in range(header + number * size + head,
                        min(header + (number + 1) * size, len(odd)) - record + 1, record):
            fields = turn(at, RECORD)
            tail = at + struct.calcsize("<" + RECORD)
            turn_address(tail, fields[16])
            turn_address(tail + fields[16], fields[17])
    return bytes(odd)


@test
def a_ring_of_the_other_byte_order(bench):
    if sys.byteorder != "little":
        raise Skip("this machine is that other one")
    data = original(bench, "ring")
    said = []
    for each in data, turned(data):
        with open(bench.path("t"), "wb") as file:
            file.write(each)
        for argv in (["convert", "--to=jsonl"], ["convert", "--to=text"], ["report"]):
            done = bench.run([bench.command, *argv, "t"], library=False)
            equal(done.returncode, 0, done.stderr)
            assert len(done.stdout.splitlines()) > 10, done.stdout
            said.append((done.stdout, done.stderr))
    for mine, other in zip(said[:3], said[3:]):
        assert mine == other, next(pair for pair in zip(mine[0].splitlines(), other[0].splitlines())
                                   if pair[0] != pair[1])
    mutate(bench, turned(data), 10, [*range(8, 88, 4), *range(416, 480, 4)], random.Random(9))


@test
def lines_with_other_bytes_in_them(bench):
    data = original(bench, "jsonl")
    mutate(bench, b"\n".join(data.split(b"\n")[:40]) + b"\n", 20, range(0, 200, 4),
           random.Random(8))


@test
def lines_that_are_json_and_no_records_of_ours(bench):
    for line in (b'{"call":null}', b'{"call":7}', b'{"call":"recv"} and more',
                 b'{"call":"recv","time":null,"protocol":null,"local":null,"peer":null,'
                 b'"data":null}',
                 b'{"call":"recv","time":{"a":1},"local":[1],"data":{"b":2},"errno":"x","fd":-3}',
                 b'{"call":"recv","protocol":"udp","local":"[","peer":":","length":-5,"data":"zz"}',
                 b'{"call":"recv","protocol":"udp","local":"[:","peer":"[::1]:99999999999"}',
                 b'{"call":"recv","protocol":"unix","local":"' + b"x" * 500 + b'","last":true}',
                 b'{"call":"recv","protocol":"vsock","local":"vsock:x:y","errno":99999999999}',
                 b'{"call":"recv","time":99999999999999999999.9,"length":4294967295,'
                 b'"bytes":4294967295,"lost":4294967295,"offset":4294967295,"last":true}'):
        for said in check(bench, line + b"\n" + line + b"\n", line):
            equal(said, b"", line)
    for line in (b"[]", b"null", b"7", b"{}", b"{" * 1000, b'{"call":"recv"'):
        for said in check(bench, line + b"\n", line):
            assert b"line 1 is not a record: not a libwsrx trace" in said, (line, said)


@test
def a_ring_that_nobody_writes_is_not_waited_for(bench):
    data = bytearray(original(bench, "ring"))
    # No end is noted in it (ring.h: flags, at 68), as when its program was killed. The number of
    # its process (at 32) is none, or is somebody's in another boot (at 88).
    struct.pack_into("<I", data, 68, 0)
    for pid, boot in ((0, None), (2**32 - 1, None), (2**31, None), (os.getpid(), b"another")):
        struct.pack_into("<I", data, 32, pid)
        if boot:
            data[88:88 + len(boot)] = boot
        with open(bench.path("odd"), "wb") as file:
            file.write(data)
        done = bench.run([bench.command, "trace", "-p", "odd"], library=False)
        equal(done.returncode, 0, done.stderr)
        assert done.stderr, "its records are shown"


@test
def programs_with_other_bytes_in_them(bench):
    chance = random.Random(9)
    with open(shutil.which("true"), "rb") as file:
        whole = file.read()
    # Where the table of sections is (elf(5): e_shoff), in the forms of 64 and of 32 bits.
    sections, = struct.unpack_from("<Q", whole, 40) if whole[4] == 2 else \
        struct.unpack_from("<I", whole, 32)
    for turn in range(60):
        odd = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            where = chance.choice((range(4, 64), range(64, 800), range(sections, len(odd)),
                                   range(4, len(odd))))
            odd[chance.choice(where)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        with open(bench.path("odd"), "wb") as file:
            file.write(odd[:chance.randrange(len(odd))] if turn % 6 == 0 else odd)
        os.chmod(bench.path("odd"), 0o755)
        done = bench.run([bench.command, "doctor", "./odd"], library=False)
        assert done.returncode in (0, 1, 126, 127) and b"runtime error" not in done.stderr, \
            (turn, done.returncode, done.stderr[-2000:])


@test
def what_has_no_end_is_given_up(bench):
    def limited(*argv):
        # Sanitizers reserve much and use little of it: what counts is what is resident.
        return bench.run(["/usr/bin/env", "ASAN_OPTIONS=detect_leaks=0:hard_rss_limit_mb=500",
                          bench.command, *argv], library=False)

    # No line's end in 2 GiB, of which the file system has nothing to keep; and no end at all.
    with open(bench.path("letters"), "wb") as file:
        file.write(b"x" * (2 << 20))
        file.truncate(2 << 30)
    with open(bench.path("zeros"), "wb") as file:
        file.truncate(2 << 30)
    for name in ("letters", "zeros", "/dev/zero"):
        for argv in (["report"], ["convert", "--to=jsonl"]):
            done = limited(*argv, name)
            equal((done.returncode, done.stdout), (1, b""), (name, done.stderr))
            assert done.stderr.startswith(b"wsrx: %s: line 1 is not a record" % name.encode()), \
                done.stderr
            equal(done.stderr.count(b"\n"), 1, done.stderr)
    # Zeros between records and behind them are what a program that was killed leaves.
    bench.python("for i in range(3): c.sendto(bytes(i), to); s.recv(100)", TRACE="jsonl",
                 TRACE_FILE="t")
    with open(bench.path("t"), "rb") as file:
        lines = file.read().splitlines(keepends=True)
    with open(bench.path("killed"), "wb") as file:
        file.write(lines[0] + bytes(300) + b"".join(lines[1:]) + bytes(5000))
    done = bench.run([bench.command, "convert", "--to=jsonl", "killed"], library=False)
    equal((done.returncode, sorted(done.stdout.splitlines(keepends=True)), done.stderr),
          (0, sorted(lines), b""))


sys.exit(main())
