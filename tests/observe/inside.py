# SPDX-License-Identifier: MIT
"""The tests of the observer, inside the guest.

Takes the library, the command, the directory of get-guest, and the programs uring and server (Go), or
"-" where they could not be built. One observer watches all tests; each looks at the processes that
it knows.
"""

import array
import json
import os
import re
import signal
import socket
import subprocess
import sys

import harness
import refusals # its tests: pylint: disable=unused-import
from harness import LIMIT, PYTHON, Bench, Skip, equal, need, run_tests, test, until
from observation import (VSOCK, Observer, cookie, end, expect, name, own, start_lines, udp,
                         vsock)
from screen import Screen

OBSERVER = None


def losses(count, act):
    """What this process loses while it acts."""
    before = len(OBSERVER.of(own()))
    act()
    return OBSERVER.losses(own(), count, before)


# --- UDP -------------------------------------------------------------------------------------

@test
def udp_by_each_call(bench):
    receiver, sender = udp()
    address = sender.getsockname()
    calls = (
        ("recv", 1000, lambda: receiver.recv(1000)),
        ("recvfrom", 100, lambda: receiver.recvfrom(100)),
        ("read", 10, lambda: os.read(receiver.fileno(), 10)),
        ("readv", 30, lambda: os.readv(receiver.fileno(), [bytearray(10), bytearray(20)])),
        ("recvmsg", 999, lambda: receiver.recvmsg(999)),
        ("recvfrom", 0, lambda: receiver.recvfrom(0)), # recv(0) is no call in Python
    )

    def act():
        for _, _, call in calls:
            sender.sendto(bytes(3000), receiver.getsockname())
            call()

    for record, (call, room, _) in zip(losses(len(calls), act), calls):
        expect(record, call=call, fd=receiver.fileno(), socket=cookie(receiver), protocol="udp",
               local=name(receiver), peer=f"127.0.0.1:{address[1]}", length=3000, buffer=room,
               bytes=room, lost=3000 - room, last=True, partial=False, errno=0, tid=own())
    equal(OBSERVER.programs(own()), [os.path.realpath(PYTHON)])


@test
def the_caller_has_its_module(bench):
    """The instruction behind that which enters the kernel, here in libc."""
    receiver, sender = udp()

    def act():
        sender.sendto(bytes(30), receiver.getsockname())
        receiver.recv(10)

    record, = losses(1, act)
    module, = (line for line in OBSERVER.lines() if line.get("type") == "module" and
               line["pid"] == own() and line["path"].endswith("/libc.so.6"))
    offset = int(record["caller"], 16) - int(module["bias"], 16)
    equal(record["at"], f"libc.so.6+0x{offset:x}")
    with open(module["path"], "rb") as file:
        file.seek(offset - 2)
        equal(file.read(2), b"\x0f\x05", "syscall")


@test
def ipv6_and_mapped_addresses(bench):
    receiver, sender = udp(("::", 0), socket.AF_INET6)
    port = receiver.getsockname()[1]
    mapped = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mapped.bind(("127.0.0.1", 0))

    def act():
        sender.sendto(bytes(2000), ("::1", port))
        receiver.recv(100)
        mapped.sendto(bytes(1500), ("127.0.0.1", port))
        receiver.recv(100)

    six, four = losses(2, act)
    expect(six, local=f"[::]:{port}", peer=f"[::1]:{sender.getsockname()[1]}", length=2000)
    expect(four, peer=f"[::ffff:127.0.0.1]:{mapped.getsockname()[1]}", length=1500, lost=1400)


def lose_nothing(receiver, post):
    """What must make no event, on a socket of messages."""
    for size, flags in ((1000, socket.MSG_PEEK), (0, socket.MSG_PEEK), (1000, socket.MSG_TRUNC),
                        (0, socket.MSG_PEEK | socket.MSG_TRUNC)):
        post(3000)
        receiver.recvfrom(size, flags)
        if flags & socket.MSG_PEEK:
            receiver.recv(3000)
    for size in (3000, 2999, 0):
        post(size)
        receiver.recv(3000)
    receiver.setblocking(False)
    try:
        receiver.recv(1)
    except BlockingIOError:
        pass


@test
def no_event_where_nothing_is_lost(bench):
    """The last message is lost, so that the observer has come so far."""
    receiver, sender = udp()
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]

    def act():
        lose_nothing(receiver, lambda size: sender.sendto(bytes(size), receiver.getsockname()))
        lose_nothing(one, lambda size: other.send(bytes(size)))
        for to, by in ((a, b), (server, client)):
            by.sendall(bytes(3000))
            to.recv(1000)
            to.recv(2000, socket.MSG_WAITALL)
        sender.sendto(bytes(77), receiver.getsockname())
        receiver.setblocking(True)
        receiver.recv(7)

    equal([record["length"] for record in losses(1, act)], [77])


# --- AF_UNIX ---------------------------------------------------------------------------------

@test
def unix_sockets_of_each_kind(bench):
    path = bench.path("socket")
    by_path, by_name = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    by_path.bind(path)
    by_name.bind("\0wsrx-test")
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.bind(bench.path("sender"))

    def act():
        sender.sendto(bytes(3000), path)
        by_path.recv(1000)
        sender.sendto(bytes(3000), "\0wsrx-test")
        os.read(by_name.fileno(), 1)
        pair[0].send(bytes(70000))
        pair[1].recvmsg(69999)
        pair[0].send(bytes(8))
        pair[1].recvfrom(0)

    first, second, third, fourth = losses(4, act)
    expect(first, call="recv", protocol="unix", local=path, peer=bench.path("sender"), length=3000,
           bytes=1000, lost=2000, fd=by_path.fileno(), socket=cookie(by_path))
    expect(second, call="read", local="@wsrx-test", peer=bench.path("sender"), lost=2999)
    expect(third, call="recvmsg", protocol="unix", local="", peer="", length=70000, buffer=69999,
           lost=1, fd=pair[1].fileno())
    expect(fourth, call="recvfrom", buffer=0, lost=8)


def lose_over_unix(pair, named, sender):
    """Three losses, and what is none."""
    one, other = pair
    lose_nothing(other, lambda size: one.send(bytes(size)))
    other.setblocking(True)
    one.send(bytes(3000))
    other.recvmsg(2, 0, socket.MSG_PEEK)
    other.recvmsg(2, 0, socket.MSG_TRUNC)
    for room, receive in ((1000, other.recv), (999, other.recvmsg)):
        one.send(bytes(3000))
        receive(room)
    sender.sendto(bytes(200), named.getsockname())
    os.read(named.fileno(), 10)


@test
def losses_over_unix_attach_nothing_more(bench):
    """Whether what ends a receive could be attached or not."""
    named, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    named.bind("\0wsrx-first")
    for way, refused in enumerate(("", "observe_unix,observe_length")):
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        observer = Observer(bench, "-p", str(own()), refused=refused, name=f"way{way}")
        before = observer.attached()
        for skip in (0, 3):
            lose_over_unix(pair, named, sender)
            first, second, third = observer.losses(own(), 3, skip)
            expect(first, call="recv", fd=pair[1].fileno(), length=3000, bytes=1000, lost=2000,
                   socket=cookie(pair[1]), protocol="unix", local="")
            expect(second, call="recvmsg", fd=pair[1].fileno(), length=3000, bytes=999,
                   socket=cookie(pair[1]))
            expect(third, call="read", fd=named.fileno(), length=200, bytes=10, lost=190,
                   socket=cookie(named), local="@wsrx-first")
        equal(observer.attached(), before)
        equal((observer.end()[0], len(observer.of(own()))), (0, 6), refused)


@test
def io_uring_over_unix(bench):
    """The registers tell neither its socket nor its flags: the first that is cut attaches what does."""
    if os.path.basename(sys.argv[4]) == "-":
        raise Skip("no liburing: the program was not built")
    one = subprocess.Popen([sys.argv[4], "inline", "unix"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)

    def receive(flag, wanted):
        one.stdin.write(f"{flag}\n")
        one.stdin.flush()
        said = one.stdout.readline()
        if said.startswith("no io_uring"):
            raise Skip(said.strip())
        equal(said, wanted)

    try:
        before = OBSERVER.attached()
        receive("", "1000\n")
        expect(OBSERVER.losses(one.pid, 1)[0], call="io_uring", fd=-1, socket=0, protocol="unix",
               length=3000, lost=2000)
        until(lambda: OBSERVER.attached() == before + 1)
        receive("trunc", "3000\n")
        receive("", "1000\n")
        second, = OBSERVER.losses(one.pid, 1, 1)
        expect(second, call="io_uring", fd=-1, protocol="unix", length=3000, lost=2000)
        assert second["socket"] > 0, second
    finally:
        end(one)


@test
def a_descriptor_that_is_passed_keeps_messages_whole(bench):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def act():
        one.sendmsg([bytes(50)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
        other.recvmsg(20, 100)

    expect(losses(1, act)[0], call="recvmsg", length=50, lost=30)


@test
def records_of_vsock(bench):
    """To this machine itself: vsock_loopback."""
    server, client = vsock()

    def act():
        for size, room, flags in ((3000, 3000, 0), (3000, 1000, socket.MSG_TRUNC), (3000, 3001, 0),
                                  (3000, 1000, 0), (70000, 69999, 0)):
            client.send(bytes(size))
            server.recv(room, flags)

    first, second = losses(2, act)
    expect(first, call="recv", protocol="vsock", fd=server.fileno(), length=3000, bytes=1000,
           lost=2000, local=f"vsock:{VSOCK[0]}:{VSOCK[1]}")
    expect(second, length=70000, buffer=69999, lost=1)
    assert second["socket"] == first["socket"] > 0, "Python asks no vsock for its cookie"


# --- programs that the library cannot see ---------------------------------------------------------

@test
def a_static_go_server(bench):
    if os.path.basename(sys.argv[5]) == "-":
        raise Skip("no Go compiler: the server was not built")
    process = start_lines(bench, [sys.argv[5]])
    try:
        harness.send(int(process.stdout.readline()), bytes(3000), bytes(999))
        equal([process.stdout.readline() for _ in range(2)], [b"1000 <nil>\n", b"999 <nil>\n"])
        record, = OBSERVER.losses(process.pid, 1)
        expect(record, call="recvfrom", length=3000, buffer=1000, lost=2000, protocol="udp")
        assert record["at"].startswith(os.path.basename(sys.argv[5]) + "+0x"), record
        equal(OBSERVER.programs(process.pid), [os.path.realpath(sys.argv[5])])
    finally:
        end(process)


@test
def a_static_syslogd(bench):
    busybox, = (path for path in (os.path.join(sys.argv[3], part, "bin", "busybox")
                                  for part in ("", "usr")) if os.path.exists(path))
    process = start_lines(bench, [busybox, "syslogd", "-n", "-O", bench.path("messages")])
    try:
        until(lambda: os.path.exists("/dev/log"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            until(lambda: sender.connect_ex("/dev/log") == 0)
            sender.send(b"<13>wsrx: " + b"x" * 1990)
        record, = OBSERVER.losses(process.pid, 1)
        expect(record, call="read", protocol="unix", local="/dev/log", length=2000,
               lost=2000 - record["buffer"])
        equal(OBSERVER.programs(process.pid), [os.path.realpath(busybox)])
    finally:
        end(process)


@test
def io_uring_in_each_way(bench):
    if os.path.basename(sys.argv[4]) == "-":
        raise Skip("no liburing: the program was not built")
    for way in ("inline", "armed", "worker"):
        process = start_lines(bench, [sys.argv[4], way])
        said = process.communicate(timeout=LIMIT)[0]
        if process.returncode == 77:
            raise Skip(said.decode())
        equal(said, b"1000\n", way)
        expect(OBSERVER.losses(process.pid, 1)[0], call="io_uring", fd=-1, length=3000,
               buffer=1000, lost=2000, protocol="udp")


@test
def sed_and_cut_read_from_bash(bench):
    """By stdio, inside libc."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    for program in ("sed -u 1q", "cut -c1-5"):
        process = start_lines(bench, [need("bash"), "-c",
                                      f"exec 3<>/dev/udp/127.0.0.1/{server.getsockname()[1]}; "
                                      f"echo >&3; exec {program} <&3"])
        try:
            peer = server.recvfrom(10)[1]
            until(lambda: OBSERVER and os.readlink(f"/proc/{process.pid}/exe").endswith(
                program.split()[0]))
            server.sendto(b"hello\n" + bytes(8994), peer)
            record, = OBSERVER.losses(process.pid, 1)
            expect(record, call="read", fd=0, length=9000, lost=9000 - record["buffer"],
                   peer=name(server))
        finally:
            end(process)


@test
def another_network_namespace(bench):
    code = """
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 4242))
s.sendto(bytes(300), s.getsockname())
s.recv(100)
"""
    process = start_lines(bench, [need("unshare"), "--net", PYTHON, "-c", code])
    equal(process.communicate(timeout=LIMIT)[0], b"")
    expect(OBSERVER.losses(process.pid, 1)[0], local="127.0.0.1:4242", length=300, lost=200)


# --- the faces -------------------------------------------------------------------------------

@test
def the_rings_are_those_of_the_library(bench):
    directory = bench.path("rings")
    ring = subprocess.Popen([bench.command, "trace", "--system", "-p", str(own()), "--to", "ring",
                             "-o", directory], stderr=subprocess.PIPE)
    assert b"watching process" in ring.stderr.readline()
    receiver, sender = udp()

    def act():
        for size in (3000, 4000):
            sender.sendto(bytes(size), receiver.getsockname())
            receiver.recv(1000)

    seen = losses(2, act)
    ring.send_signal(signal.SIGINT)
    equal((ring.communicate(timeout=LIMIT)[1], ring.returncode), (b"", 0))
    files = [os.path.join(directory, file) for file in os.listdir(directory)]
    equal([os.path.basename(file) for file in files], [f"python3.{own()}.ring"])
    kept, said = bench.records(*files)
    equal(said, "")
    for record in kept + seen:
        for key in ("time", "seq"): # two clocks were read, and the other observer saw more
            record.pop(key)
    equal(kept, seen)
    table = bench.wsrx("stat", "--json", "-o", "-", "-p", files[0])
    row, = json.loads(table.stdout)["sockets"]
    equal((row["messages_lost"], row["bytes_lost"]), (2, 5000), row)
    report = bench.wsrx("report", OBSERVER.path)
    assert b"busybox" in report.stdout, report


@test
def top_shows_who_loses(bench):
    receiver, sender = udp()
    metrics = bench.path("wsrx.prom")
    top = subprocess.Popen([bench.command, "top", "--json", "-n", "1", "-d", "2", "-p", str(own()),
                            "--all", "--metrics", metrics], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    assert b"watching process" in top.stderr.readline()
    for size in (3000, 5000, 10):
        sender.sendto(bytes(size), receiver.getsockname())
        receiver.recvmsg(1000)
    out, said = top.communicate(timeout=LIMIT)
    equal((top.returncode, said), (0, b""))
    shown = json.loads(out)
    row, = (row for row in shown["sockets"] if row["socket"] == cookie(receiver))
    expect(row, pid=own(), program="python3", fd=receiver.fileno(), protocol="udp",
           address=name(receiver), messages_lost=2, bytes_lost=6000, messages=3,
           smallest_buffer=1000, needed=5000, messages_told=2, calls=["recvmsg"],
           netns=int(re.search(r"\d+", os.readlink("/proc/self/ns/net"))[0]))
    equal(round(row["messages_lost_per_second"] * shown["seconds"]), 2)
    with open(metrics, encoding="ascii") as file:
        lines = [line for line in file if f'socket="{cookie(receiver)}"' in line]
    equal([line.split()[-1] for line in lines if line.startswith("wsrx_lost_bytes_total")],
          ["6000"])


@test
def top_ends_with_its_process(bench):
    """And its socket keeps the name that it got meanwhile."""
    code = """
import socket, sys
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
sys.stdin.readline()
one.send(bytes(300))
other.recv(10)
sys.stdin.readline()
"""
    process = subprocess.Popen([PYTHON, "-c", code], stdin=subprocess.PIPE)
    top = subprocess.Popen([bench.command, "top", "--json", "-d", "0.5", "-p", str(process.pid)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"watching" in top.stderr.readline()
    process.stdin.write(b"\n")
    process.stdin.flush()
    rows = []
    while not rows:
        rows = json.loads(top.stdout.readline())["sockets"]
    process.communicate(b"\n", LIMIT)
    last = json.loads(top.communicate(timeout=LIMIT)[0].splitlines()[-1])["sockets"]
    equal(top.returncode, 0)
    equal([(row["socket"], row["messages_lost"]) for row in last], [(rows[0]["socket"], 1)])
    assert rows[0]["socket"] > 0, rows


@test
def top_on_a_terminal(bench):
    """Nothing waits for the round, which is long."""
    screen = Screen([bench.command, "top", "-d", "100", "-p", str(own())], ("stdin", "stdout"), 40)
    try:
        first = screen.read(b"LOST")
        assert b"SOCKET AND CALLS" not in first, first
        screen.resize(130)
        screen.read(b"SOCKET AND CALLS")
        screen.write(b"s")
        screen.read(b" AF_UNIX and vsock by bytes")
        screen.write(b"q")
        assert screen.read().endswith(b"\033[?25h\033[?1049l"), screen.seen
        equal(screen.process.wait(LIMIT), 0)
        lines = re.split(rb"\r\n", first.rpartition(b"\033[J")[2])
        assert max(map(len, lines)) <= 40, lines
    finally:
        screen.close()


@test
def two_capabilities_are_enough(bench):
    setpriv = need("setpriv")
    user = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    with_two = [setpriv, *user, "--inh-caps=+bpf,+perfmon", "--ambient-caps=+bpf,+perfmon",
                bench.command]
    done = subprocess.run([*with_two, "top", "-b", "-n", "1", "-d", "0.1"], capture_output=True,
                          check=False)
    equal(done.returncode, 0, done)
    assert b"watching all processes: UDP and AF_UNIX;" in done.stderr, done.stderr
    for has, missing in (("-all", b"CAP_BPF and CAP_PERFMON are missing"),
                         ("+bpf", b"CAP_PERFMON is missing"), ("+perfmon", b"CAP_BPF is missing")):
        done = subprocess.run([setpriv, *user, f"--inh-caps={has}", f"--ambient-caps={has}",
                               bench.command, "top", "-b", "-n", "1"], capture_output=True,
                              check=False)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (125, b"", 1))
        assert missing in done.stderr, done.stderr


@test
def the_doctor_tells_what_there_is(bench):
    done = bench.wsrx("doctor", "--system")
    equal(done.returncode, 0, done)
    for word in (b"BTF", b"CAP_BPF", b"CAP_PERFMON", b"UDP", b"AF_UNIX", b"refuse"):
        assert re.search(rb"^  %s +yes" % word, done.stdout, re.M), (word, done.stdout)


@test
def losses_beyond_the_buffer_are_counted(bench):
    receiver, sender = udp()
    trace = subprocess.Popen([bench.command, "trace", "--system", "-p", str(own())],
                             stderr=subprocess.PIPE)
    assert b"watching" in trace.stderr.readline()
    trace.send_signal(signal.SIGSTOP)
    for _ in range(4000):
        sender.sendto(b"xx", receiver.getsockname())
        receiver.recv(1)
    trace.send_signal(signal.SIGCONT)
    trace.send_signal(signal.SIGINT)
    said = trace.communicate(timeout=LIMIT)[1]
    missing = re.search(rb"wsrx: (\d+) losses are not shown", said)
    assert missing, said[-300:]
    equal(said.count(b" LOST 1 ") + int(missing[1]), 4000)


# --- the last: the guest stays so -----------------------------------------------------------------

@test
def the_end_of_a_receive_is_left(bench):
    """Ten seconds after io_uring has cut the last message over AF_UNIX: the tests before take longer."""
    fresh = Observer(bench, name="fresh")
    until(lambda: OBSERVER.attached() == fresh.attached())
    equal(fresh.end()[0], 0)


@test
def the_observer_ends_without_a_word(bench):
    equal(OBSERVER.end(), (0, b""))


@test
def a_switch_of_the_kernel_is_told(bench):
    """Without trampolines AF_UNIX is left."""
    switch = "/proc/sys/kernel/ftrace_enabled"
    told = b"kernel.ftrace_enabled is 0"
    try:
        with open(switch, "w", encoding="ascii") as file:
            file.write("0")
    except OSError as error:
        raise Skip(f"{switch}: {error}") from error
    try:
        done = bench.wsrx("doctor", "--system")
        for word, said in ((b"UDP", b"no: " + told), (b"AF_UNIX", b"yes"), (b"refuse", b"no: ")):
            assert re.search(rb"^  %s +%s" % (word, said), done.stdout, re.M), (word, done.stdout)
        done = bench.wsrx("top", "-b", "-n", "1", "-d", "0.1")
        equal((done.returncode, done.stderr.count(b"\n")), (0, 2), done.stderr)
        assert b"AF_UNIX; " in done.stderr and told in done.stderr, done.stderr
        done = bench.wsrx("refuse", "true")
        equal((done.returncode, done.stderr.count(b"\n")), (125, 1), done.stderr)
        assert told in done.stderr, done.stderr
    finally:
        with open(switch, "w", encoding="ascii") as file:
            file.write("1")


@test
def a_locked_kernel_says_so(bench):
    lockdown = "/sys/kernel/security/lockdown"
    subprocess.run(["mount", "-t", "securityfs", "none", "/sys/kernel/security"], check=False,
                   capture_output=True)
    try:
        with open(lockdown, "w", encoding="ascii") as file:
            file.write("confidentiality")
    except OSError as error:
        raise Skip(f"no lockdown: {error}") from error
    for command in (("top", "-b", "-n", "1"), ("trace", "--system"), ("refuse", "--system")):
        done = bench.wsrx(*command)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (125, b"", 1), command)
        assert b"this kernel is locked down (confidentiality)" in done.stderr, done.stderr


def main():
    global OBSERVER  # one for all, since its start takes a second here
    bench = Bench(*sys.argv[1:3])
    OBSERVER = Observer(bench)
    return run_tests(lambda function: function(bench))


sys.exit(main())
