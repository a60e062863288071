# SPDX-License-Identifier: MIT
"""The records that the library makes, checked against what was sent and received."""

import json
import os
import re
import signal
import stat
import struct
import sys
import tempfile

from harness import LIMIT, PYTHON, equal, main, send, test
from traces import fields

SIZES = (3000, 100, 0, 1000, 1001, 9000)

RECEIVE_ALL = f"""
sizes = {SIZES}
for n in sizes:
    c.sendto(bytes(i % 251 for i in range(n)), to)
s.setblocking(False)
while True:
    try:
        s.recvfrom(1000)
    except BlockingIOError:
        break
    except OSError:
        pass
print(c.getsockname()[1], to[1], os.getpid())
"""


def expected(mode):
    """(length, bytes, offset, left, lost, partial, error) of each receive of RECEIVE_ALL."""
    rows = []
    for size in SIZES:
        if mode in ("continue", "error"):
            offset = 0
            while True:
                given = min(1000, size - offset)
                left = size - offset - given
                error = "EMSGSIZE" if mode == "error" and left else None
                rows.append((size, given, offset, left, 0, left > 0, error))
                offset += given
                if not left:
                    break
        else:
            given = min(1000, size)
            error = "EMSGSIZE" if mode == "discard" and size > 1000 else None
            rows.append((size, given, 0, 0, size - given, False, error))
    rows.append((0, 0, 0, 0, 0, False, "EAGAIN"))
    return rows


def rows_of(records):
    return [fields(r, "length", "bytes", "offset", "left", "lost", "partial") + (r.get("error"),)
            for r in records]


def check_mode(bench, mode, kind):
    done = bench.python(RECEIVE_ALL, MODE=mode, TRACE=kind, TRACE_FILE=f"{mode}.{kind}")
    equal(done.stderr, b"", "stderr")
    peer, local, pid = map(int, done.stdout.split())
    records = bench.lines(f"{mode}.{kind}") if kind == "jsonl" else \
        bench.records(f"{mode}.{kind}")[0]
    equal(rows_of(records), expected(mode), f"{mode}, {kind}")
    equal([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence")
    times = [r["time"] for r in records]
    equal(times, sorted(times), "times")
    for record in records:
        equal(fields(record, "pid", "tid", "call", "buffer", "local", "protocol"),
              (pid, pid, "recvfrom", 1000, f"127.0.0.1:{local}", "udp"))
        if record["errno"] == 0:
            equal(record["peer"], f"127.0.0.1:{peer}")
        assert int(record["caller"], 16) > 0x1000


@test
def every_mode_as_json_lines(bench):
    for mode in ("continue", "error", "discard", "observe"):
        check_mode(bench, mode, "jsonl")


@test
def every_mode_in_a_ring(bench):
    for mode in ("continue", "error", "discard", "observe"):
        check_mode(bench, mode, "ring")


@test
def mode_off_traces_nothing(bench):
    bench.python("c.sendto(b'x', to); s.recv(1)", MODE="off", TRACE="jsonl")
    equal(os.listdir(bench.directory), [])


@test
def reporting_calls_have_the_true_length_and_stay_as_they_were(bench):
    done = bench.python("""
        for n in (3000, 200):
            c.sendto(b'x' * n, to)
        got = s.recvmsg(1000)
        print(len(got[0]), bool(got[2] & socket.MSG_TRUNC))
        got = s.recvmsg(1000)
        print(len(got[0]), bool(got[2] & socket.MSG_TRUNC))
        """, TRACE="jsonl", TRACE_FILE="t")
    equal(done.stdout, b"1000 True\n200 False\n")
    equal([fields(r, "call", "length", "bytes", "lost") for r in bench.lines("t")],
          [("recvmsg", 3000, 1000, 2000), ("recvmsg", 200, 200, 0)])


@test
def large_buffers_peeks_and_sizing_receives(bench):
    done = bench.python("""
        c.sendto(b'x' * 3000, to)
        print(len(s.recv(500, socket.MSG_PEEK)))
        print(s.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC))
        print(len(s.recv(70000)))
        c.sendto(b'x' * 300, to)
        print(s.recv_into(bytearray(100), 100, socket.MSG_TRUNC))
        c.sendto(b'y' * 40, to)
        print(os.read(s.fileno(), 70000) == b'y' * 40)
        """, TRACE="jsonl", TRACE_FILE="t")
    equal(done.stdout, b"500\n3000\n3000\n300\nTrue\n")
    equal([fields(r, "call", "length", "bytes", "left", "lost") + (r.get("peek", False),)
           for r in bench.lines("t")],
          [("recv", 3000, 500, 2500, 0, True), ("recv", 3000, 1, 2999, 0, True),
           ("recv", 3000, 3000, 0, 0, False), ("recv", 300, 100, 0, 200, False),
           ("read", 40, 40, 0, 0, False)])


@test
def streams_and_pipes_are_not_traced(bench):
    bench.python("""
        a, b = socket.socketpair()
        a.send(b'x' * 100); b.recv(10); b.recv(1000)
        r, w = os.pipe()
        os.write(w, b'x'); os.read(r, 10)
        """, TRACE="jsonl")
    equal(os.listdir(bench.directory), [])


@test
def unix_messages_and_their_names(bench):
    bench.python("""
        u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind('sock')
        v = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); v.bind('peer "q"')
        v.sendto(b'x' * 200000, 'sock')
        u.recvfrom(1000); u.recvfrom(300000)
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        a.send(b'abcdef'); b.recv(4); b.recv(4)
        """, TRACE="jsonl", TRACE_FILE="t", TRACE_DATA=3)
    equal([fields(r, "protocol", "local", "peer", "length", "bytes", "left", "data")
           for r in bench.lines("t")],
          [("unix", "sock", 'peer "q"', 200000, 1000, 199000, "787878"),
           ("unix", "sock", 'peer "q"', 200000, 199000, 0, "787878"),
           ("unix", "", "", 6, 4, 2, "616263"), ("unix", "", "", 6, 2, 0, "6566")])


@test
def a_tail_that_is_closed_is_a_loss(bench):
    bench.python("c.sendto(b'x' * 100, to); s.recv(30); s.close()", TRACE="jsonl", TRACE_FILE="t")
    equal([fields(r, "call", "lost") for r in bench.lines("t")], [("recv", 0), ("close", 70)])


@test
def a_tail_that_is_held_at_the_end_is_a_loss(bench):
    ends = ("os._exit(0)", "import ctypes; ctypes.CDLL(None).exit(0)",
            "os.dup(s.fileno()); os._exit(0)")
    for i, end in enumerate(ends):
        done = bench.python(f"c.sendto(b'x' * 100, to); s.recv(30); {end}", TRACE="jsonl",
                            TRACE_FILE=f"t{i}", STATS=1)
        equal([fields(r, "call", "lost") for r in bench.lines(f"t{i}")],
              [("recv", 0), ("exit", 70)])
        assert re.search(rb"^ +70 +1 +0 +0 +1 +1 +0 +30 .* total$", done.stderr, re.M), done.stderr


@test
def a_tail_that_somebody_may_still_ask_for_is_none(bench):
    for i, code in enumerate(("os.fork() or os._exit(0); s.recv(30); os._exit(0)",
                              "s.recv(30); s.recv(70); os._exit(0)")):
        bench.python(f"c.sendto(b'x' * 100, to); {code}", TRACE="jsonl", TRACE_FILE=f"t{i}")
        equal({r["call"] for r in bench.lines(f"t{i}")}, {"recv"})


@test
def statistics_name_a_program_as_it_can_be_printed(bench):
    done = bench.run(["bash", "-c", r"""exec -a $'x\e[31m"y' python3 -c '
import socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
a.send(b"x")
b.recv(9)
'"""], STATS=1)
    assert rb' by x\x1b[31m\"y, mode continue' in done.stderr, done.stderr


@test
def text_has_a_line_for_each_receive(bench):
    done = bench.python("c.sendto(b'x' * 3000, to); s.recvfrom(1000); s.recvfrom(5000)",
                        TRACE="text")
    lines = done.stderr.decode().splitlines()
    equal(len(lines), 2, lines)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} \d+/\d+ #1"
                        r" recvfrom\(3<udp 127\.0\.0\.1:\d+>, 1000\)"
                        r" = 1000 of 3000 PARTIAL left 2000 from 127\.0\.0\.1:\d+"
                        r" caller python[0-9.]*\+0x[0-9a-f]+", lines[0]), lines[0]
    assert " = 2000 of 3000 @1000 last " in lines[1], lines[1]


@test
def filters(bench):
    """Three receives: a partial one, the last part, one that fails; by recv, recvfrom, recv."""
    for value, wanted in (("partial", [1000]), ("lost", []), ("error", [0]),
                          ("call=recv", [1000, 0]), ("call=recvfrom", [500]),
                          ("call=recv,partial", [1000]), ("call=recvfrom,partial", []),
                          ("partial,error", [1000, 0]), ("fd=77", []), ("fd=3", [1000, 500, 0]),
                          ("port=9", []), ("port=9,port=30077,port=8", [1000, 500, 0])):
        name = f"f.{value}"
        bench.python("""
            s.close()
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", 30077))
            c.sendto(b'x' * 1500, ("127.0.0.1", 30077))
            s.recv(1000)
            s.recvfrom(1000)
            try: s.recv(1000, socket.MSG_DONTWAIT)
            except BlockingIOError: pass
            """, TRACE="jsonl", TRACE_FILE=name, TRACE_FILTER=value)
        got = [r["bytes"] for r in bench.lines(name)] if os.path.exists(bench.path(name)) else []
        equal(got, wanted, value)


@test
def kill_in_mid_trace_loses_no_record(bench):
    process = bench.start([PYTHON, "-c", """if 1:
        import os, socket, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
        c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        n = 0
        while True:
            c.sendto(n.to_bytes(4, "little") + bytes(n % 1000), s.getsockname())
            s.recv(65536 if n % 2 else 2000)
            n += 1
            os.write(1, n.to_bytes(4, "little"))
        """], TRACE="ring", TRACE_KEEP="all", TRACE_SIZE="64K", TRACE_DATA="4", TRACE_FILE="t")
    printed = process.stdout.read(4 * 5000)
    process.send_signal(signal.SIGKILL)
    printed += process.stdout.read()
    process.wait(LIMIT)
    received = struct.unpack("<I", printed[-4:])[0]
    records, complaints = bench.records("t")
    equal(complaints, "", "complaints")
    # The last one may have been received and recorded, but not printed any more.
    assert len(records) in (received, received + 1), (len(records), received)
    for number, record in enumerate(records):
        equal(fields(record, "seq", "length", "data"),
              (number + 1, 4 + number % 1000, number.to_bytes(4, "little").hex()))


@test
def a_full_ring_counts_what_it_overwrites(bench):
    bench.python("for i in range(100): c.sendto(bytes(i), to); s.recv(1000)", TRACE="ring",
                 TRACE_FILE="t", TRACE_SIZE="4K")
    records, complaints = bench.records("t")
    assert 10 <= len(records) < 100, len(records)
    equal([r["length"] for r in records], list(range(100 - len(records), 100)))
    assert f" {100 - len(records)} older records were overwritten" in complaints, complaints


@test
def keep_all_keeps_all(bench):
    bench.python("for i in range(1000): c.sendto(bytes(i), to); s.recv(1000)", TRACE="ring",
                 TRACE_FILE="t", TRACE_SIZE="4K", TRACE_KEEP="all")
    records, complaints = bench.records("t")
    equal([fields(r, "seq", "length") for r in records], [(i + 1, i) for i in range(1000)])
    equal(complaints, "")


@test
def threads_are_merged_by_time(bench):
    done = bench.python("""
        def work(n):
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for i in range(500):
                a.send(bytes(n)); b.recv(100)
            done.append((threading.get_native_id(), n))
        done = []
        for turn in range(2):
            them = [threading.Thread(target=work, args=(8 * turn + n,)) for n in range(8)]
            for t in them: t.start()
            for t in them: t.join()
        for tid, n in done: print(tid, n)
        """, TRACE="ring", TRACE_FILE="t", TRACE_SIZE="4M")
    records, complaints = bench.records("t")
    equal(complaints, "")
    equal(len(records), 16 * 500)
    times = [r["time"] for r in records]
    equal(times, sorted(times))
    for tid, length in (map(int, line.split()) for line in done.stdout.splitlines()):
        mine = [r["length"] for r in records if r["tid"] == tid and r["length"] == length]
        equal(len(mine), 500, (tid, length))
    # Threads that ended left their rings to those that came after.
    assert os.path.getsize(bench.path("t")) < 9 * (4 << 20) + 8192


@test
def lines_of_threads_make_one_file_without_gaps(bench):
    """In memory, and where temporary files are, which is often a disk: their pages come differently."""
    code = """
        def work():
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for i in range(1500):
                a.send(b"x"); b.recv(100)
        them = [threading.Thread(target=work) for n in range(6)]
        for t in them: t.start()
        for t in them: t.join()
        """
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        for path in os.path.join(memory, "t"), bench.path("t"):
            done = bench.python(code, TRACE="jsonl", TRACE_FILE=path)
            equal(done.stderr, b"", path)
            with open(path, "rb") as file:
                lines = [json.loads(line) for line in file]
            equal(sorted(line["seq"] for line in lines if "seq" in line),
                  list(range(1, 6 * 1500 + 1)), path)


@test
def after_fork_each_process_has_its_own(bench):
    for kind, pattern in (("ring", "r.%p"), ("jsonl", "j"), ("ring", "q")):
        done = bench.python("""
            c.sendto(b'x' * 10, to); s.recv(100)
            sys.stdout.flush()
            pid = os.fork()
            c.sendto(b'x' * (20 if pid else 30), to); s.recv(100)
            if pid:
                os.waitpid(pid, 0)
                print(os.getpid(), pid)
            else:
                os._exit(0)
            """, TRACE=kind, TRACE_FILE=pattern)
        equal(done.stderr, b"")
        parent, child = map(int, done.stdout.split())
        names = (f"r.{parent}", f"r.{child}") if "%p" in pattern else (pattern,
                                                                       f"{pattern}.{child}")
        got = [[fields(r, "pid", "bytes") for r in
                (bench.lines(name) if kind == "jsonl" else bench.records(name)[0])]
               for name in names]
        equal([len(records) for records in got], [2, 1], kind)
        assert all(pid == parent for pid, _ in got[0]) and got[1][0][0] == child, got
        equal(sorted(size for records in got for _, size in records), [10, 20, 30])


@test
def files_are_private_and_named_by_the_pattern(bench):
    for kind, end in (("ring", "ring"), ("jsonl", "jsonl"), ("text", "txt")):
        done = bench.python("c.sendto(b'x', to); s.recv(1); print(os.getpid())", TRACE=kind,
                            **({"TRACE_FILE": "wsrx.%e.%p.txt"} if kind == "text" else {}))
        name = f"wsrx.python3.{done.stdout.decode().strip()}.{end}"
        equal(stat.S_IMODE(os.stat(bench.path(name)).st_mode), 0o600, name)
    bench.python("c.sendto(b'x', to); s.recv(1)", TRACE="jsonl", TRACE_FILE="%%.%t")
    assert any(re.fullmatch(r"%\.\d{8}-\d{6}", name) for name in os.listdir(bench.directory))


@test
def nothing_is_written_through_a_symbolic_link(bench):
    for kind in ("ring", "jsonl", "text"):
        with open(bench.path("target"), "wb"):
            pass
        os.symlink("target", bench.path("link"))
        done = bench.python("for i in range(3): c.sendto(b'x', to); print(s.recv(1))", TRACE=kind,
                            TRACE_FILE="link")
        equal(done.stdout, b"b'x'\n" * 3)
        equal(done.stderr.count(b"is a symbolic link"), 1, done.stderr)
        equal(os.path.getsize(bench.path("target")), 0)
        os.unlink(bench.path("link"))


@test
def what_is_there_is_not_overwritten(bench):
    for kind in ("ring", "jsonl"):
        with open(bench.path(f"t.{kind}"), "wb") as file:
            file.write(b"precious")
        done = bench.python("c.sendto(b'x', to); s.recv(1)", TRACE=kind, TRACE_FILE=f"t.{kind}")
        assert b"the name was taken" in done.stderr, done.stderr
        with open(bench.path(f"t.{kind}"), "rb") as file:
            equal(file.read(), b"precious")
        equal(len(bench.records(f"t.{kind}.2")[0]), 1)


@test
def an_unwritable_path_is_reported_once(bench):
    for kind, path in (("jsonl", "/dev/full"), ("text", "/dev/full"), ("ring", "/dev/full"),
                       ("ring", "none/t"), ("text", "none/t"), ("jsonl", "/proc/none")):
        done = bench.python("for i in range(5): c.sendto(b'x', to); print(s.recv(1))", TRACE=kind,
                            TRACE_FILE=path)
        equal((done.returncode, done.stdout), (0, b"b'x'\n" * 5), (kind, path))
        equal(done.stderr.count(b"\n"), 1, done.stderr)
        assert b"cannot write" in done.stderr and path.encode() in done.stderr, done.stderr


@test
def descriptors_and_threads_are_the_programs_own(bench):
    code = """
        for i in range(50):
            c.sendto(b'x' * 1500, to); s.recv(1000)
        t = os.open("/dev/null", os.O_RDONLY)
        print(t, sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")))
        """
    without = bench.python(code, library=False)
    for kind, more in (("ring", {"TRACE_SIZE": "4K", "TRACE_KEEP": "all"}), ("jsonl", {}),
                       ("text", {})):
        done = bench.python(code, TRACE=kind, TRACE_FILE="%p.t", STATS="%p.s.txt", **more)
        equal((done.stdout, done.stderr), (without.stdout, b""), kind)


@test
def text_never_lands_in_a_file_of_the_program(bench):
    bench.python("""
        os.close(2)
        assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
        c.sendto(b'x', to); s.recv(1)
        """, TRACE="text", STATS="1")
    equal(os.path.getsize(bench.path("data")), 0)
    equal(len(bench.names(".txt")), 1)


@test
def statistics(bench):
    code = """
        for n in (3000, 100, 5000): c.sendto(b'x' * n, to); s.recv(1000)
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
        c.sendto(b'y' * 77, u.getsockname()); u.recv(1000)
        """
    done = bench.python(code, MODE="observe", STATS="1")
    lines = done.stderr.decode().splitlines()
    equal(lines[2].split()[:11],
          ["6000", "2", "0", "0", "3", "0", "0", "2100", "1000", "5000", "recv"])
    equal(lines[3].split()[:11], ["0", "0", "0", "0", "1", "0", "0", "77", "1000", "77", "recv"])
    equal(lines[4].split(), ["6000", "2", "0", "0", "4", "0", "0", "2177", "total"])
    done = bench.python(code, MODE="observe", STATS="s.%p.txt")
    equal(done.stderr, b"")
    with open(bench.path(bench.names(".txt")[0]), encoding="ascii") as file:
        equal(file.read().splitlines()[4], lines[4])


@test
def statistics_of_a_program_that_ends_by_underscore_exit(bench):
    done = bench.python("c.sendto(b'x' * 9, to); s.recv(5); os._exit(3)", STATS="1", MODE="observe")
    equal(done.returncode, 3)
    assert b"total" in done.stderr, done.stderr


@test
def statistics_of_many_sockets_add_up(bench):
    done = bench.python("""
        for i in range(1000):
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            a.send(b'x' * 30); b.recv(10)
        """, MODE="observe", STATS="1")
    equal(done.stderr.splitlines()[-1].split(),
          [b"20000", b"1000", b"0", b"0", b"1000", b"0", b"0", b"10000", b"total"])


@test
def a_signal_handler_that_receives(bench):
    done = bench.run([sys.argv[3]], TRACE="ring", TRACE_FILE="t", TRACE_SIZE="64K",
                     TRACE_KEEP="all")
    equal(done.returncode, 0, done.stderr)
    outer, inner = map(int, done.stdout.split())
    records, complaints = bench.records("t")
    equal(complaints, "")
    equal(sum(r["length"] == 10 for r in records), outer)
    equal(sum(r["length"] == 6 for r in records), 2 * inner)
    times = [r["time"] for r in records]
    equal(times, sorted(times))


@test
def bad_settings_are_reported_and_the_default_holds(bench):
    for name, value in (("TRACE", "jsno"), ("TRACE_FILE", "%x"), ("TRACE_FILTER", "none"),
                        ("TRACE_SIZE", "1"), ("TRACE_KEEP", "some"), ("TRACE_DATA", "99999"),
                        ("STATS", "yes")):
        done = bench.run([PYTHON, "-c", "print(1)"], **{name: value})
        equal((done.returncode, done.stdout), (0, b"1\n"))
        assert re.fullmatch(rf'libwsrx\[\d+\]: WSRX_{name}="{value}": expected .*; .*\n',
                            done.stderr.decode()), done.stderr
    done = bench.run([PYTHON, "-c", ""], TRACE="jsno")
    equal(done.stderr.decode().partition(": ")[2],
          'WSRX_TRACE="jsno": expected off, text, jsonl or ring; '
          'using the default, off\n')


sys.exit(main())
