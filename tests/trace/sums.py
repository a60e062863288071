# SPDX-License-Identifier: MIT
"""Sums that are right whatever was overwritten, what a trace tells of its program, and what the kernel
or the program itself has dropped."""

import json
import os
import re
import signal
import struct
import sys

from harness import PRELUDE, PYTHON, equal, main, records_of, test

MANY = """
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind(("127.0.0.1", 0))
for n in range(4000):
    c.sendto(bytes(n % 500), to); s.recv(300)
    if n % 500 > 300 and os.environ.get("WSRX_MODE") != "observe": s.recv(300)
    c.sendto(bytes(10), other.getsockname()); other.recvfrom(300)
"""


def totals(text, what):
    """Of the row of `what`: its numbers. The command's tables have them on a line of their own."""
    lines = ("\n " + text.replace("\n", "\n ")).splitlines()
    at = [i for i, line in enumerate(lines) if what in line + " "][0]
    line = lines[at] if re.match(r" +[\d,]+ ", lines[at]) else lines[at + 1]
    return [int(word.replace(",", "")) for word in re.findall(r"(?<!\S)[\d,]+(?!\S)", line)]


@test
def a_ring_that_went_round_has_the_same_sums_as_one_that_did_not(bench):
    for size, keep in (("16K", "last"), ("16M", "last"), ("16K", "all")):
        done = bench.python(MANY + "s.close(); other.close()", TRACE="ring", TRACE_SIZE=size,
                            TRACE_KEEP=keep, TRACE_FILE=size + keep)
        equal((done.returncode, done.stderr), (0, b""))
    reports = [bench.wsrx("report", name) for name in ("16Klast", "16Mlast", "16Kall")]
    sums = [totals(report.stdout.decode(), " total") for report in reports]
    equal(sums[0], sums[1])
    equal(sums[0], sums[2])
    assert sums[0][5] > 100000, sums  # bytes
    for kind in ("recv at", "recvfrom at"):
        equal(*(totals(r.stdout.decode(), kind)[:6] for r in reports[:2]), kind)
    assert b"older records were overwritten; the sums count them" in reports[0].stderr
    equal(reports[1].stderr, b"")


@test
def the_sums_are_there_when_the_program_is_killed(bench):
    done = bench.python(MANY + "os.kill(os.getpid(), signal.SIGKILL)", TRACE="ring",
                        TRACE_SIZE="8K", TRACE_FILE="t", MODE="observe")
    equal(done.returncode, -signal.SIGKILL)
    whole = bench.python(MANY + "os.kill(os.getpid(), signal.SIGKILL)", TRACE="ring",
                         TRACE_KEEP="all", TRACE_FILE="j", MODE="observe")
    equal(whole.returncode, -signal.SIGKILL)
    lines = bench.records("j")[0]
    found = totals(bench.wsrx("report", "t").stdout.decode(), " total")
    equal(found[:1] + found[3:6:2],
          [sum(r[name] for r in lines) for name in ("lost",)] + [len(lines)] +
          [sum(r["bytes"] for r in lines)])


@test
def threads_and_many_sockets_are_summed_up(bench):
    done = bench.python("""
        def run():
            for i in range(200):
                a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                for n in range(5): a.send(bytes(40)); b.recv(30); b.recv(30)
                a.close(); b.close()
        threads = [threading.Thread(target=run) for i in range(12)]
        for t in threads: t.start()
        for t in threads: t.join()
        """, TRACE="ring", TRACE_SIZE="8K", TRACE_FILE="t")
    equal((done.returncode, done.stderr), (0, b""))
    found = totals(bench.wsrx("report", "t").stdout.decode(), " total")
    equal(found[2:6], [12 * 200 * 5 * 10, 12 * 200 * 5 * 2, 0, 12 * 200 * 5 * 40])


@test
def stat_is_right_however_small_its_ring(bench):
    done = bench.wsrx("stat", "--trace-size=8K", PYTHON, "-c", PRELUDE + MANY)
    equal(done.returncode, 0, done.stderr)
    small = done.stderr.decode()
    large = bench.wsrx("stat", "--trace-size=64M", PYTHON, "-c", PRELUDE + MANY).stderr.decode()
    equal(totals(small, " total"), totals(large, " total"))
    equal(totals(small, ", recv ")[:8], totals(large, ", recv ")[:8])
    assert "overwritten" not in small and "at least" not in small, small


@test
def a_ring_of_an_older_library_is_read_and_its_sums_are_at_least(bench):
    bench.python(MANY, TRACE="ring", TRACE_SIZE="16K", TRACE_FILE="t")
    with open(bench.path("t"), "rb") as file:
        data = bytearray(file.read())
    # ring.h: before there were modules and totals, their numbers were reserved, or 0.
    struct.pack_into("<I", data, 76, 0)
    data[400:1288] = bytes(888)
    with open(bench.path("old"), "wb") as file:
        file.write(data)
    done = bench.wsrx("convert", "--to=text", "old")
    equal(done.returncode, 0)
    assert b" caller 0x" in done.stdout and b"records were overwritten (" in done.stderr, done.stderr
    new = bench.wsrx("convert", "--to=text", "t").stdout
    equal(len(done.stdout.splitlines()), len(new.splitlines()))
    said = bench.wsrx("stat", "-p", "old").stderr.decode()
    assert said.splitlines()[0].endswith("; at least"), said
    less, more = (totals(bench.wsrx("report", name).stdout.decode(), " total") for name in ("old", "t"))
    assert less[5] < more[5] / 10, (less, more)


# --- what a trace tells of its program -----------------------------------------------------------

@test
def lines_begin_with_what_they_are_about(bench):
    done = bench.python("""
        c.sendto(b'x', to); s.recv(9)
        if os.fork() == 0:
            c.sendto(b'x', to); s.recv(9); sys.exit(7)
        os.wait()
        """, TRACE="jsonl", TRACE_FILE="%p", MODE="observe")
    equal(done.returncode, 0, done.stderr)
    starts = []
    for name in sorted(os.listdir(bench.directory)):
        with open(bench.path(name), encoding="ascii") as file:
            lines = [json.loads(line) for line in file]
        equal([line.get("type") for line in lines], ["start", None, "module"], name)
        starts.append(lines[0])
    parent, child = sorted(starts, key=lambda start: start["parent"])
    equal(child["parent"], parent["pid"])
    for start in starts:
        equal(start["version"], 1)
        equal(start["mode"], "observe")
        equal(os.path.realpath(PYTHON), start["program"])
        assert start["command"].startswith(f"{PYTHON} -c "), start
        equal(start["host"], os.uname().nodename)
    report = bench.wsrx("report", *map(str, (parent["pid"], child["pid"]))).stdout.decode()
    assert f"\n{parent['pid']}: {os.path.basename(parent['program'])} [" in report, report


@test
def lines_of_a_newer_version_are_refused_and_of_other_types_passed_over(bench):
    record = (b'{"time":1.0,"pid":1,"call":"recv","fd":3,"socket":7,"protocol":"udp","local":"",'
              b'"peer":"","length":5,"buffer":9,"bytes":5,"last":true}\n')
    with open(bench.path("new"), "wb") as file:
        file.write(b'{"type":"start","version":2,"pid":1}\n' + record)
    done = bench.wsrx("convert", "--to=jsonl", "new")
    equal(done.returncode, 1)
    assert b"its format is version 2, newer than this wsrx (version 1)" in done.stderr, done.stderr
    with open(bench.path("other"), "wb") as file:
        file.write(b'{"type":"weather","version":9}\n' + record)
    done = bench.wsrx("convert", "--to=jsonl", "other")
    equal((done.returncode, done.stderr, len(records_of(done.stdout))), (0, b"", 1))


@test
def callers_are_places_in_files(bench):
    """A program whose receive is in a library of its own, loaded later."""
    with open(bench.path("lib.c"), "w", encoding="ascii") as file:
        file.write("#include <sys/socket.h>\n"
                   "long get(int fd) { char b[9]; long got = recv(fd, b, sizeof b, 0);"
                   " return got + 1; }\n")
    built = bench.run(["cc", "-shared", "-fPIC", "-Wl,--build-id=0x" + "5a" * 16, "-o", "libget.so",
                       "lib.c"], library=False)
    equal(built.returncode, 0, built.stderr)
    code = ("import ctypes; get = ctypes.CDLL('./libget.so').get\n"
            "c.sendto(b'x', to); s.recv(9); c.sendto(b'x', to); get(s.fileno())\n")
    for kind in ("ring", "jsonl", "text"):
        done = bench.python(code, TRACE=kind, TRACE_FILE=kind)
        equal((done.returncode, done.stderr), (0, b""))
    symbols = bench.run(["nm", "-S", "libget.so"], library=False).stdout.decode()
    start, size = (int(word, 16) for word in re.search(r"(\w+) (\w+) T get", symbols).groups())
    ring = bench.wsrx("convert", "--to=jsonl", "ring").stdout.decode()
    with open(bench.path("jsonl"), encoding="ascii") as file:
        for text in (file.read(), ring):
            lines = [json.loads(line) for line in text.splitlines()]
            found = [line for line in lines if line.get("path", "").endswith("/libget.so")]
            equal([line["build_id"] for line in found], ["5a" * 16])
            equal(os.path.realpath(found[0]["path"]), os.path.realpath(bench.path("libget.so")))
            name, offset = records_of(text)[1]["at"].split("+")
            equal(name, "libget.so")
            assert start < int(offset, 16) <= start + size, (start, size, offset)
            equal(int(records_of(text)[1]["caller"], 16) - int(found[0]["bias"], 16),
                  int(offset, 16))
            assert records_of(text)[0]["at"].startswith("python"), text
    with open(bench.path("text"), encoding="ascii") as file:
        lines = file.read().splitlines()
    assert re.search(r" caller python[0-9.]*\+0x[0-9a-f]+$", lines[0]), lines[0]
    assert lines[1].endswith(f" caller libget.so+{offset}"), lines[1]
    equal(bench.wsrx("convert", "--to=text", "ring").stdout.decode().splitlines()[1].split()[-1],
          f"libget.so+{offset}")


@test
def filters_leave_out_what_has_a_mark_before_it(bench):
    code = ("import contextlib\n"
            "c.sendto(bytes(30), to); s.recv(20, socket.MSG_PEEK); s.recv(20); s.recvfrom(20)\n"
            "with contextlib.suppress(OSError): s.recv(9, socket.MSG_DONTWAIT)\n")
    for words, wanted in (("!error", 3), ("!peek", 3), ("!peek,!error", 2), ("call=recv,!partial", 1),
                          ("!call=recv", 1), ("peek", 1), ("!fd=3", 0), ("!port=9,partial", 2)):
        bench.python(code, TRACE="ring", TRACE_FILE="t", TRACE_FILTER=words)
        found = len(bench.records("t")[0]) if os.path.exists(bench.path("t")) else 0
        equal(found, wanted, words)
        if found:
            os.unlink(bench.path("t"))
    done = bench.wsrx("trace", "-m", "continue", "-e", "!error", PYTHON, "-c", PRELUDE + code)
    equal(done.stderr.count(b"\n"), 3, done.stderr)
    done = bench.python("c.sendto(b'x', to)", TRACE="text", TRACE_FILTER="!")
    assert b'WSRX_TRACE_FILTER="!": expected ' in done.stderr, done.stderr


@test
def peeks_are_marked_and_need_no_buffer(bench):
    done = bench.python("""
        c.sendto(bytes(3000), to)
        s.recvfrom(500, socket.MSG_PEEK); s.recv(4000)
        """, STATS=1)
    text = done.stderr.decode()
    assert re.search(r" - +- recvfrom peek +fd 3, ", text), text
    assert re.search(r" 4000 +3000 recv +fd 3, ", text), text


@test
def a_socket_without_a_name_is_called_one_thing(bench):
    code = ("a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "a.send(bytes(30)); b.recv(9)\n")
    done = bench.python(code, STATS=1, TRACE="ring", TRACE_FILE="t")
    assert b"(unnamed)\n" in done.stderr, done.stderr
    assert b" (unnamed), recv" in bench.wsrx("report", "t").stdout
    assert b"<unix (unnamed)>, 9)" in bench.wsrx("convert", "--to=text", "t").stdout


# --- what was dropped ----------------------------------------------------------------------------

FLOOD = """
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4000)
for n in range(300): c.sendto(bytes(500), to)
s.setblocking(False); got = 0
try:
    while True: s.recv(600); got += 1
except BlockingIOError: pass
print(300 - got)
"""


@test
def what_the_kernel_dropped_is_counted(bench):
    for end in ("", "s.close()\n", "os.closerange(3, 99)\n",
                "if os.fork() == 0: c.sendto(b'x', to); s.recv(9); os._exit(0)\nos.wait()\n"):
        done = bench.python(FLOOD + end, STATS="./stats", TRACE="ring", TRACE_FILE="t")
        equal((done.returncode, done.stderr), (0, b""), end)
        dropped = int(done.stdout)
        assert dropped > 100, dropped
        with open(bench.path("stats"), encoding="ascii") as file:
            text = file.read()
        equal(totals(text, " total")[2], dropped, end)
        equal(totals(text, " recv ")[2], dropped, end)
        assert any(r.get("dropped") == dropped and r["call"] in ("close", "exit")
                   for r in bench.records("t")[0]), end
        for name in os.listdir(bench.directory):
            os.unlink(bench.path(name))
    # A socket of two processes is counted once, and the cure is told.
    done = bench.wsrx("stat", PYTHON, "-c", PRELUDE + FLOOD + end)
    text = done.stderr.decode()
    equal(totals(text, " total")[4], int(done.stdout), text)
    assert "SO_RCVBUF" in text and "net.core.rmem_max" in text, text
    done = bench.wsrx("trace", "-e", "dropped", PYTHON, "-c", PRELUDE + FLOOD)
    assert re.search(rb"^\S+ \S+ #\d+ close\(3<udp \S+>, 0\) = DROPPED %s " % done.stdout.strip(),
                     done.stderr, re.M), done.stderr


CLIENT = """
import ctypes
c.bind(("127.0.0.1", 0)); c.connect(to); c.settimeout(5)
libc = ctypes.CDLL(None)
def ask(question):
    if HOW == "send": c.send(question)
    elif HOW == "sendto": libc.sendto(c.fileno(), question, len(question), 0, None, 0)
    elif HOW == "sendmsg": c.sendmsg([question])
    elif HOW == "write": os.write(c.fileno(), question)
    elif HOW == "writev": os.writev(c.fileno(), [question])
    elif HOW == "syscall": libc.syscall(1, c.fileno(), question, len(question))
got = []
for i in range(4):
    ask(b"ask%d" % i)
    question, client = s.recvfrom(100)
    s.sendto(b"reply%d " % i + b"extension" * i, client)
    got.append(c.recv(6).decode())
print(" ".join(got))
"""


@test
def a_send_ends_the_tail_before_it(bench):
    for hold in ("process", "kernel"):
        for how in ("send", "sendto", "sendmsg", "write", "writev", "syscall"):
            if how == "syscall" and os.uname().machine != "x86_64":
                continue
            done = bench.python(f"HOW = {how!r}\n" + CLIENT, TAIL="until-send", HOLD=hold, STATS=1,
                                TRACE="jsonl", TRACE_FILE="t")
            equal(done.stdout, b"reply0 reply1 reply2 reply3\n", (hold, how, done.stderr))
            lost = [r for r in bench.lines("t") if r["call"] == "send"]
            equal([(r["length"], r["offset"], r["lost"]) for r in lost],
                  [(7, 6, 1), (16, 6, 10), (25, 6, 19)], (hold, how))
            assert re.search(r"^ +30 +3 .* send +fd ", done.stderr.decode(), re.M), done.stderr
            os.unlink(bench.path("t"))
    kept = bench.python("HOW = 'send'\n" + CLIENT, STATS=1)
    equal(kept.stdout, b"reply0   reply1  exten\n")
    assert b" send " not in kept.stderr, kept.stderr


@test
def a_send_ends_nothing_but_a_tail(bench):
    """Messages that wait stay, in order, and so does the tail of another socket."""
    done = bench.python("""
        d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("127.0.0.1", 0))
        for x in (s, d):
            for n in (3, 4): c.sendto(b'%d' % n * 900, x.getsockname())
        print(s.recv(100)[:1], d.recv(100)[:1])
        s.sendto(b'x', c.getsockname() if c.getsockname()[1] else to)
        print(s.recv(2000)[:1], len(d.recv(2000)), d.recv(2000)[:1])
        s.setblocking(False)
        try: print(len(s.recv(2000)))
        except BlockingIOError: print("none")
        """, TAIL="until-send")
    equal(done.stdout.splitlines()[:2], [b"b'3' b'3'", b"b'4' 800 b'4'"], done.stderr)
    equal(done.stdout.splitlines()[2], b"none")


NO_COOKIE = '''
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
code = lambda c, k: struct.pack("HBBI", c, 0, 0, k)
jump = lambda k, t, f: struct.pack("HBBI", 0x15, t, f, k)
# getsockopt(2) is 55; its third argument (at 32) is SO_COOKIE, 57: ENOPROTOOPT.
filter = code(0x20, 0) + jump(55, 0, 3) + code(0x20, 32) + jump(57, 0, 1) + code(6, 0x00050000 | 92) + \\
    code(6, 0x7fff0000)
buffer = ctypes.create_string_buffer(filter, len(filter))
class Program(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("at", ctypes.c_void_p)]
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Program(len(filter) // 8, ctypes.addressof(buffer))), 0, 0) == 0
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.argv[2], sys.argv[2:])
'''


@test
def a_kernel_that_has_no_cookies_is_reported_once(bench):
    if os.uname().machine != "x86_64":
        return
    done = bench.run([PYTHON, "-c", NO_COOKIE, bench.library, PYTHON, "-c", PRELUDE +
                      "for i in range(3): c.sendto(b'0123456789', to); print(s.recv(4))"],
                     library=False)
    equal(done.stdout, b"b'0123'\n" * 3, done.stderr)
    equal(re.sub(rb"\[\d+\]", b"", done.stderr),
          b"libwsrx: the socket cannot be identified; 6 bytes of a message are lost\n")


sys.exit(main())
