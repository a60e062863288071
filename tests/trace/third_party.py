# SPDX-License-Identifier: MIT
"""Traces of other people's programs, and our files in other people's viewers; and what needs root.
A test that misses a program says SKIP."""

import os
import re
import socket
import struct
import sys

from harness import LIMIT, PRELUDE, PYTHON, Skip, bound_port, equal, main, need, send, test, until
from traces import fields, trace_of


@test
def a_full_disk_is_reported_once_and_what_was_written_stays(bench):
    os.mkdir(bench.path("disk"))
    for kind, more in (("ring", "WSRX_TRACE_SIZE=64K WSRX_TRACE_KEEP=all"), ("jsonl", "")):
        done = bench.run(["unshare", "-m", "sh", "-c", f"""
            mount -t tmpfs -o size=600k none disk || exit 99
            WSRX_TRACE={kind} WSRX_TRACE_FILE=disk/t {more} \
                LD_PRELOAD={bench.library} {PYTHON} -c 'if 1:
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
            for i in range(20000):
                s.sendto(b"x" * (i % 100), s.getsockname()); assert len(s.recv(200)) == i % 100
            print("done")
            '
            cp disk/t t.{kind}"""], library=False)
        if done.returncode == 99 or b"unshare" in done.stderr:
            raise Skip("no tmpfs can be mounted here")
        code = done.stdout.decode()
        if "done" not in code:
            raise AssertionError((done.stdout, done.stderr))
        equal(done.stderr.count(b"cannot write"), 1, done.stderr)
        records, complaints = bench.records(f"t.{kind}")
        assert len(records) > 500, len(records)
        assert all(r["length"] < 100 for r in records)


@test
def socat(bench):
    need("socat")
    process = bench.start(["socat", "-u", "UDP-RECV:0,bind=127.0.0.1", "STDOUT"], TRACE="ring",
                          TRACE_FILE="t", TRACE_DATA=16)
    try:
        port = until(lambda: bound_port(process.pid))
        messages = [bytes([65 + i]) * 9000 for i in range(3)]
        send(port, *messages)
        equal(process.stdout.read(27000), b"".join(messages), "socat's output")
    finally:
        process.kill()
        process.wait(LIMIT)
    records, _ = bench.records("t")
    # It peeks at each for its sender first.
    received = [r for r in records if (r["partial"] or r["last"]) and not r.get("peek")]
    equal([fields(r, "length", "buffer", "bytes", "offset", "left", "lost", "data")
           for r in received],
          [row for i in range(3) for row in
           ((9000, 8192, 8192, 0, 808, 0, f"{65 + i:x}" * 16),
            (9000, 8192, 808, 8192, 0, 0, f"{65 + i:x}" * 16))])
    equal({r["local"] for r in received}, {f"127.0.0.1:{port}"})


@test
def dnsmasq(bench):
    program = need("dnsmasq")
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = bench.start([program, "--keep-in-foreground", f"--port={port}", "--no-resolv",
                           "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces",
                           "--user=root", "--group=root", "--pid-file=", "--conf-file=/dev/null",
                           "--address=/example.test/127.0.0.9"], TRACE="ring", TRACE_FILE="t.%p")
    queries = [b"\x12" + bytes([i]) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" +
               b"".join(bytes([len(label)]) + label for label in
                        (b"a" * (i + 1), b"example", b"test", b"")) + b"\x00\x01\x00\x01"
               for i in range(5)]
    try:
        until(lambda: bound_port(process.pid) or process.poll() is not None)
        if process.poll() is not None:
            raise Skip(f"dnsmasq does not start: {process.stderr.read()}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(LIMIT)
            client.bind(("127.0.0.1", 0))
            peer = client.getsockname()[1]
            for query in queries:
                client.sendto(query, ("127.0.0.1", port))
                assert client.recv(2000)[:2] == query[:2]
    finally:
        process.kill()
        process.wait(LIMIT)
    records, _ = bench.records(*[n for n in os.listdir(bench.directory) if n.startswith("t.")])
    mine = [r for r in records if r["peer"] == f"127.0.0.1:{peer}"]
    equal([fields(r, "call", "length", "bytes", "lost", "local") for r in mine],
          [("recvmsg", len(q), len(q), 0, f"127.0.0.1:{port}") for q in queries])


@test
def pcapng_is_what_tshark_reads(bench):
    tshark = need("tshark")
    for mode in ("continue", "observe"):
        name = trace_of(bench, mode, MODE=mode, TRACE_DATA=100)
        records, _ = bench.records(name)
        equal(bench.wsrx("convert", "--to=pcapng", "-o", "x.pcapng", name).returncode, 0)

        def fields(*what):
            done = bench.run([tshark, "-n", "-r", "x.pcapng", "-T", "fields",
                              *[word for field in what for word in ("-e", field)]], library=False)
            equal(done.returncode, 0, done.stderr)
            return [tuple(line.split("\t")) for line in done.stdout.decode().split("\n")[:-1]]

        messages = [r for r in records if r["last"]]
        rows = fields("frame.interface_id", "frame.len", "frame.cap_len", "ip.version",
                      "frame.comment")
        equal(len(rows), len(messages))
        headers = {"4": 28, "6": 48}
        equal([int(row[1]) - headers[row[3]] for row in rows], [r["length"] for r in messages])
        equal(len({row[0] for row in rows}), 3, "interfaces")
        # A message's payload, as far as its parts were kept without a gap.
        kept, captured = {}, []
        for record in records:
            socket, at = record["socket"], record["offset"]
            if at == 0:
                kept[socket] = 0
            if kept[socket] == at:
                kept[socket] += min(record["bytes"], 100)
            if record["last"]:
                captured.append(kept[socket])
        equal([int(row[2]) - headers[row[3]] for row in rows], captured)
        assert max(captured) > 100 or mode == "observe"
        for row, record in zip(rows, messages):
            if record["lost"]:
                assert int(row[2]) < int(row[1])
        partial = bench.run([tshark, "-n", "-r", "x.pcapng", "-Y",
                             'frame.comment contains "partial"'], library=False).stdout
        equal(partial.count(b"\n"), sum(r["offset"] == 0 and r["partial"] for r in records))
        comments = sum(row[4].count("; thread ") for row in rows)
        equal(comments, sum(r["partial"] or r["last"] for r in records))
        done = bench.run([tshark, "-n", "-r", "x.pcapng", "-q", "-z", "expert,warn"], library=False)
        complaints = done.stdout.decode()
        assert "Error" not in complaints and "Warn" not in complaints and \
            "Malformed" not in complaints, complaints


def shark(bench, *argv):
    done = bench.run([need("tshark"), "-n", "-r", "x.pcapng", *argv], library=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout.decode()


@test
def pcapng_tells_conversations_directions_and_what_was_not_recorded(bench):
    """Two AF_UNIX sockets of one program are two conversations, and none of the Internet's."""
    trace_of(bench, code=PRELUDE + "def unix(name):\n"
             "    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind(name); return u\n"
             "one, two, v = unix('one'), unix('two'), unix('sender')\n"
             "for i in range(3): v.sendto(bytes(50), 'one'); one.recvfrom(20)\n"
             "v.sendto(bytes(9), 'two'); two.recv(20)\n"
             "c.sendto(bytes(70), to); s.recv(100)\n"
             "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "b.send(b'x'); a.recv(9)\n", MODE="observe", TRACE_DATA=8)
    equal(bench.wsrx("convert", "-o", "x.pcapng", "t").returncode, 0)
    said = shark(bench, "-q", "-z", "conv,udp")
    pairs = re.findall(r"^([\d.]+):(\d+) +<-> ([\d.]+):(\d+) +\d+ \S+ bytes? +(\d+)", said, re.M)
    unix = {(one, other, count) for one, _, other, _, count in pairs if "127.1.0" in one + other}
    equal(sorted(int(count) for _, _, count in unix), [1, 1, 3], said)
    equal(len(pairs), 4, said)
    rows = [line.split("\t") for line in shark(
        bench, "-T", "fields", "-e", "frame.packet_flags_direction", "-e", "frame.comment", "-e",
        "frame.interface_description", "-e", "frame.interface_name").splitlines()]
    equal({row[0] for row in rows}, {"0x00000001"}, "inbound")
    equal([re.findall(r"(\d+) (lost|not recorded)", row[1]) for row in rows],
          3 * [[("30", "lost"), ("12", "not recorded")]] + [[("1", "not recorded")],
                                                           [("62", "not recorded")], []])
    assert re.fullmatch(r"the messages that python[\d.]* received on one, from t", rows[0][2])
    assert re.fullmatch(r"python[\d.]*\[\d+\] fd \d+ one", rows[0][3]), rows[0]
    done = bench.run([need("capinfos"), "x.pcapng"], library=False).stdout.decode()
    equal(done.count("Number of stat entries = 1"), 4, done)
    names = bench.run([need("tshark"), "-r", "x.pcapng", "-Nn", "-T", "fields", "-e", "ip.dst_host",
                       "-e", "ip.src_host"], library=False).stdout.decode()
    assert "one\tsender\n" in names, names


@test
def pcapng_statistics_count_what_each_socket_received(bench):
    """They are read by hand: tshark shows that there are some, and not what they say."""
    trace_of(bench, MODE="observe")
    records, _ = bench.records("t")
    data, at, found = bench.wsrx("convert", "--to=pcapng", "t").stdout, 0, {}
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 5:
            number, option = struct.unpack_from("<I", data, at + 8)[0], at + 20
            while True:
                code, size = struct.unpack_from("<HH", data, option)
                if code == 0:
                    break
                found.setdefault(number, {})[code] = data[option + 4:option + 4 + size]
                option += 4 + (size + 3 & ~3)
        at += length
    equal(at, len(data))
    sockets = list(dict.fromkeys(r["socket"] for r in records))
    equal([(struct.unpack("<Q", found[i][4])[0], struct.unpack("<Q", found[i][5])[0],
            struct.unpack("<Q", found[i][8])[0]) for i in range(3)],
          [(sum(r["last"] for r in records if r["socket"] == one), 0,
            sum(r["last"] for r in records if r["socket"] == one)) for one in sockets])
    for number, one in enumerate(sockets):
        times = [r["time"] for r in records if r["socket"] == one]
        for code, wanted in ((2, times[0]), (3, times[-1])):
            high, low = struct.unpack("<II", found[number][code])
            assert abs((high << 32 | low) / 1e9 - wanted) < 1e-5, (number, code)


@test
def pcapng_of_a_syslog_socket_is_dissected(bench):
    logger = need("logger")
    process = bench.start([PYTHON, "-c", "import socket\n"
                           "u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind('./log')\n"
                           "print('ready', flush=True); u.recv(2000)"], TRACE="ring",
                          TRACE_FILE="t", TRACE_DATA=500)
    try:
        equal(process.stdout.readline(), b"ready\n")
        # With the host's name, which Wireshark takes the next word for otherwise (4.4).
        equal(bench.run([logger, "--rfc3164", "-u", bench.path("log"), "-p", "mail.err",
                         "the disk is full"], library=False).returncode, 0)
        equal(process.wait(LIMIT), 0)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(LIMIT)
    equal(bench.wsrx("convert", "-o", "x.pcapng", "t").returncode, 0)
    facility, level, text = shark(bench, "-T", "fields", "-e", "syslog.facility", "-e",
                                  "syslog.level", "-e", "syslog.msg").rstrip("\n").split("\t")
    equal((facility, level), ("2", "3"))
    assert "the disk is full" in text, text


@test
def systemd_activates_the_program_by_its_socket(bench):
    activate = need("systemd-socket-activate")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import os, socket\n" \
           "s = socket.socket(fileno=3)\n" \
           "print(os.getpid() == int(os.environ['LISTEN_PID']), os.environ['LISTEN_FDS'],\n" \
           "      len(s.recv(1000)), len(s.recv(9000)))\n"
    for command, wanted in (("run", b"True 1 1000 2000\n"), ("stat", b"True 1 1000 4\n")):
        process = bench.start([activate, "--datagram", "-l", f"127.0.0.1:{port}", bench.command,
                               command, PYTHON, "-c", code], library=False)
        try:
            assert b"Listening on" in process.stderr.readline()
            send(port, bytes(3000), b"last")
            out, err = process.communicate(timeout=LIMIT)
            equal((process.returncode, out), (0, wanted), err)
            equal(b"its buffer of 1000 bytes is too small" in err, command == "stat", err)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@test
def doctor_reports_what_is_seen(bench):
    done = bench.wsrx("doctor", "socat") if need("socat") else None
    equal(done.returncode, 0)
    for word in (b"dynamically linked", b"recvfrom", b"wsrx run --calls=all socat"):
        assert word in done.stdout, done.stdout
    need("cc")
    with open(bench.path("s.c"), "w", encoding="ascii") as file:
        file.write("int main(void) { return 0; }\n")
    bench.run(["cc", "-static", "-o", "static", "s.c"], library=False)
    if os.path.exists(bench.path("static")):
        done = bench.wsrx("doctor", "./static")
        equal(done.returncode, 1)
        assert b"statically linked" in done.stdout, done.stdout
        done = bench.wsrx("run", "./static")
        equal(done.returncode, 0)
        assert b"warning: ./static is statically linked" in done.stderr, done.stderr
    equal(bench.wsrx("doctor", "/nowhere").returncode, 127)


sys.exit(main())
