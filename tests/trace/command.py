# SPDX-License-Identifier: MIT
"""The wsrx command: how it runs programs, and what it makes of their records."""

import json
import os
import random
import re
import signal
import struct
import subprocess
import sys

from harness import LIMIT, PRELUDE, PYTHON, bound_port, equal, main, records_of, send, test, until
from traces import trace_of


@test
def run_has_the_programs_exit_code_or_its_own(bench):
    for argv, wanted in ((["sh", "-c", "exit 3"], 3), (["true"], 0), (["/nowhere/app"], 127),
                         (["no-such-program-here"], 127), (["/etc/passwd"], 126),
                         (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM)):
        equal(bench.wsrx("run", "--", *argv).returncode, wanted, argv)
    for argv in (["run"], ["run", "--no-such-option", "true"], ["no-such"], ["convert"],
                 ["trace"], ["report"], ["doctor"]):
        done = bench.wsrx(*argv)
        equal(done.returncode, 125, argv)
        assert done.stderr.startswith(b"wsrx: "), done.stderr


@test
def run_passes_every_setting(bench):
    options = {"mode": "observe", "calls": "all", "sockets": "udp", "hold": "process",
               "hold-max": "1M", "table": bench.path("table"), "trace": "ring",
               "trace-file": "x.%p", "filter": "partial", "trace-size": "64K", "keep": "all",
               "data": "9", "stats": "1", "strict": "1"}
    names = {"filter": "TRACE_FILTER", "keep": "TRACE_KEEP", "data": "TRACE_DATA"}
    done = bench.wsrx("run", *[f"--{name}={value}" for name, value in options.items()], "--",
                      "env")
    environment = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    for name, value in options.items():
        variable = "WSRX_" + names.get(name, name.upper().replace("-", "_"))
        equal(environment[variable], value, variable)
    assert "/libwsrx.so" in environment["LD_PRELOAD"], environment["LD_PRELOAD"]


@test
def run_lets_the_program_lose_nothing(bench):
    done = bench.wsrx("run", PYTHON, "-c", PRELUDE +
                      "c.sendto(bytes(3000), to)\n"
                      "print(*[len(s.recv(1000)) for i in range(3)])")
    equal(done.stdout, b"1000 1000 1000\n")


@test
def trace_shows_lines_and_keeps_the_exit_code(bench):
    done = bench.wsrx("trace", PYTHON, "-c", PRELUDE +
                      "c.sendto(bytes(3000), to); s.recv(1000); sys.exit(7)")
    equal(done.returncode, 7)
    assert re.search(rb" recv\(3<udp [^>]+>, 1000\) = 1000 of 3000 LOST 2000 ", done.stderr)
    assert b"\033" not in done.stderr
    done = bench.wsrx("trace", "-o", "out", "--mode=continue", "-e", "partial", PYTHON, "-c",
                      PRELUDE + "c.sendto(bytes(3000), to); s.recv(1000); s.recv(9000)\n"
                      "if os.fork() == 0: c.sendto(bytes(50), to); s.recv(40); os._exit(0)\n"
                      "os.wait()")
    equal((done.returncode, done.stderr), (0, b""))
    with open(bench.path("out"), encoding="ascii") as file:
        lines = file.read().splitlines()
    equal([re.search(r"= (.*) caller", line)[1] for line in lines],
          ["1000 of 3000 PARTIAL left 2000", "40 of 50 PARTIAL left 10"])
    equal(len({line.split()[1].split("/")[0] for line in lines}), 2, "processes")


@test
def trace_hides_receives_that_found_nothing(bench):
    code = PRELUDE + "s.setblocking(False)\n" \
        "for i in range(5):\n" \
        "    try: s.recv(10)\n" \
        "    except BlockingIOError: pass\n" \
        "c.sendto(bytes(7), to); s.recv(10)\n" \
        "gone = c.getsockname(); c.close()\n" \
        "x = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
        "x.connect(('127.0.0.1', gone[1])); x.send(b'x')\n" \
        "try: x.recv(10)\n" \
        "except ConnectionRefusedError: pass\n"
    said = bench.wsrx("trace", PYTHON, "-c", code).stderr
    equal((said.count(b"EAGAIN"), said.count(b" 7 of 7 ")), (1, 1), said)
    assert b"wsrx: 5 receives that found no message (EAGAIN) are not shown; -e error shows them\n" \
        in said, said
    equal(said.count(b"ECONNREFUSED"), 1, said)
    said = bench.wsrx("trace", "-e", "error", PYTHON, "-c", code).stderr
    equal((said.count(b"EAGAIN"), said.count(b"not shown")), (5, 0), said)


@test
def convert_knows_the_format_by_the_name(bench):
    trace_of(bench)
    for name, kind in (("a.jsonl", "jsonl"), ("a.txt", "text"), ("a.pcapng", "pcapng"),
                       ("a.json", "perfetto")):
        equal(bench.wsrx("convert", "-o", name, "t").returncode, 0)
        with open(bench.path(name), "rb") as file:
            equal(file.read(), bench.wsrx("convert", "--to", kind, "t").stdout, name)
    equal(bench.wsrx("convert", "--to=text", "-o", "b.jsonl", "t").returncode, 0)
    with open(bench.path("b.jsonl"), "rb") as file:
        assert not file.read().startswith(b"{")
    for argv in (["-o", "a.bin"], ["-o", "-"], []):
        done = bench.wsrx("convert", *argv, "t")
        equal((done.returncode, done.stderr.count(b"\n")), (125, 1), argv)
        assert b"missing --to" in done.stderr, done.stderr


@test
def a_file_that_is_a_dash_is_standard_input(bench):
    trace_of(bench)
    wanted = bench.wsrx("convert", "--to=jsonl", "t").stdout
    with open(bench.path("t.jsonl"), "wb") as file:
        file.write(wanted)
    for script in ('"$0" convert --to=jsonl - < t', 'cat t.jsonl | "$0" convert --to=jsonl -',
                   '"$0" convert --to=jsonl t | "$0" convert --to=jsonl -'):
        done = bench.run(["sh", "-c", script, bench.command], library=False)
        equal((done.returncode, done.stderr, done.stdout == wanted), (0, b"", True), script)
    done = bench.run(["sh", "-c", 'cat t | "$0" report -', bench.command], library=False)
    equal((done.returncode, done.stderr),
          (1, b"wsrx: -: a ring can be read from a file, but not from a pipe\n"))


@test
def trace_follows_a_running_ring(bench):
    process = bench.start([PYTHON, "-c", PRELUDE + "while True: s.recv(10)"], TRACE="ring",
                          TRACE_FILE="t")
    follower = None
    try:
        port = until(lambda: bound_port(process.pid))
        send(port, bytes(7))
        until(lambda: os.path.exists(bench.path("t")) and os.path.getsize(bench.path("t")) > 4096)
        follower = bench.start([bench.command, "trace", "-o", "out", "-p", "t"], library=False)
        for size in range(11, 14):
            send(port, bytes(size))
        until(lambda: os.path.exists(bench.path("out")) and
              open(bench.path("out"), encoding="ascii").read().count("\n") >= 4)
        process.kill()
        process.wait(LIMIT)
        equal(follower.wait(LIMIT), 0)
    finally:
        for one in (process, follower):
            if one and one.poll() is None:
                one.kill()
                one.wait()
    with open(bench.path("out"), encoding="ascii") as file:
        text = file.read()
    # A part longer than the buffer is held: 10 of 11, then 1 of 11 …
    equal(re.findall(r"= (\d+) of (\d+)", text)[:2], [("7", "7"), ("10", "11")])


@test
def stat_counts_even_when_the_program_is_killed(bench):
    done = bench.wsrx("stat", PYTHON, "-c", PRELUDE +
                      "for i in range(10): c.sendto(bytes(1500), to); s.recv(1000)\n"
                      "os.kill(os.getpid(), 9)")
    equal(done.returncode, -signal.SIGKILL)
    equal(done.stderr.splitlines()[3].split()[:4], [b"5,000", b"10", b"0", b"10"])


@test
def stat_says_what_would_have_kept_the_bytes(bench):
    """And that is true: it is typed, and then nothing is lost."""
    for call, calls in (("recv", ""), ("recvmsg", " --calls=all")):
        done = bench.wsrx("stat", PYTHON, "-c", PRELUDE + "for i in range(3):\n"
                          f"    c.sendto(bytes(3000), to); s.{call}(1000)")
        said = done.stderr.decode()
        assert re.search(r"^wsrx: recv(msg)? on fd 3: its buffer of 1000 bytes is too small; 3000 "
                         r"would have been enough$", said, re.M), said
        line = re.search(r"^wsrx: to keep the tails: (.*)$", said, re.M)[1]
        assert f" run{calls} -- {PYTHON} -c " in line, line
    with open(bench.path("app.py"), "w", encoding="ascii") as file:
        file.write(PRELUDE + "c.sendto(bytes(3000), to)\ns.settimeout(1)\n"
                   "try: print(*[len(s.recvmsg(1000)[0]) for i in range(3)])\n"
                   "except TimeoutError: print('lost')\n")
    done = bench.wsrx("stat", PYTHON, "app.py")
    equal(done.stdout, b"lost\n")
    line = re.search(rb"^wsrx: to keep the tails: (.*)$", done.stderr, re.M)[1].decode()
    typed = bench.run(["sh", "-c", line], library=False)
    equal((typed.stdout, typed.stderr), (b"1000 1000 1000\n", b""), line)
    done = bench.wsrx("stat", PYTHON, "-c", PRELUDE + "c.sendto(bytes(30), to); s.recv(1000)")
    assert b"to keep the tails" not in done.stderr, done.stderr


@test
def a_socket_is_selected_by_the_name_that_the_trace_prints(bench):
    code = """
import socket, sys
name = eval(sys.argv[1])
def tail(name):
    a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); a.bind(name)
    b = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    b.sendto(b'0123456789', name); a.recv(4)
    try: return a.recv(9, socket.MSG_DONTWAIT).decode()
    except OSError: return 'lost'
print(tail(name), tail(name + b'x'))
"""
    names = (b"\0wsrx-test", b"\0wsrx\0\x01\xff\\n", b'\0a,b"c"', b"x\ny", b"@z", b"a b")
    for number, name in enumerate(names):
        unique = name + str(os.getpid()).encode()
        done = bench.wsrx("trace", PYTHON, "-c", code, repr(unique))
        printed = re.search(r"<unix (.*?)>, ", done.stderr.decode())[1]
        for written in (printed, f'"{printed}"'):
            if "," in printed and written == printed:
                continue
            for path in (unique, unique + b"x"):
                if path[0] and os.path.exists(bench.path(path.decode())):
                    os.unlink(bench.path(path.decode()))
            done = bench.wsrx("run", f"--sockets=path={written}", "--", PYTHON, "-c", code,
                              repr(unique))
            equal((done.stdout, done.stderr), (b"456789 lost\n", b""), (number, written))
    done = bench.wsrx("run", '--sockets=path="a', "true")
    equal(done.returncode, 125, done.stderr)


@test
def a_bad_value_of_an_option_is_no_other_value(bench):
    with open(bench.path("app"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\ntouch started\n")
    os.chmod(bench.path("app"), 0o755)
    for command in ("run", "stat", "trace"):
        for argv, wanted in ((["-m", "obsreve"], "--mode=obsreve: expected continue, error, discard, "
                              "observe or off; did you mean observe?"),
                             (["-s", "tcp"], "--sockets=tcp: expected udp, unix, "),
                             (["-s", "udp,prot=5"], "; did you mean port=N?"),
                             (["-e", "lots"], "; did you mean lost?"),
                             (["--calls=al"], "; did you mean all?"),
                             (["--hold-max=2X"], "--hold-max=2X: expected a size in bytes from 0 "
                              "to 1024G, with K, M or G"),
                             (["--strict=yes"], "--strict=yes: expected 0 or 1"),
                             (["--stats=lots"], "--stats=lots: expected 0, 1 (to stderr), ")):
            done = bench.wsrx(command, *argv, "./app")
            equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (125, b"", 1), argv)
            assert done.stderr.decode().startswith(f"wsrx: {command}: "), done.stderr
            assert wanted in done.stderr.decode(), (argv, done.stderr)
    assert not os.path.exists(bench.path("started"))


@test
def report_text_and_diff(bench):
    trace_of(bench, "a", MODE="observe")
    trace_of(bench, "b")
    done = bench.wsrx("report", "a")
    lost = sum(max(0, 100 + i * 37 % 3000 - 1000) for i in range(300)) + \
        sum(max(0, i - 100) for i in range(300)) + \
        sum(max(0, i * 1001 % 70000 - 512) for i in range(300))
    assert re.search(rf"^total\n +{lost:,} ", done.stdout.decode(), re.M), done.stdout
    done = bench.wsrx("report", "--diff", "a", "b")
    assert re.search(rf"lost bytes +{lost:,} +0 +-{lost:,} \(-100\.0 %\)", done.stdout.decode())
    assert re.search(rf"saved bytes +0 +{lost:,} ", done.stdout.decode())


@test
def convert_gives_the_same_records_in_every_format(bench):
    trace_of(bench, TRACE_DATA=8)
    jsonl = bench.wsrx("convert", "--to=jsonl", "t")
    equal((jsonl.returncode, jsonl.stderr), (0, b""))
    with open(bench.path("t.jsonl"), "wb") as file:
        file.write(jsonl.stdout)
    again = bench.wsrx("convert", "--to=jsonl", "t.jsonl")
    equal(again.stdout, jsonl.stdout, "JSON Lines, read and written again")
    text = bench.wsrx("convert", "--to=text", "t").stdout
    records = records_of(jsonl.stdout)
    equal(text.count(b"\n"), len(records))
    equal(text.count(b" PARTIAL "), sum(r["partial"] for r in records))
    events = json.loads(bench.wsrx("convert", "--to=perfetto", "t").stdout)["traceEvents"]
    equal(sum(e["ph"] == "i" for e in events), len(records))
    equal([e["name"] for e in events if e["ph"] == "M"], ["process_name", "thread_name"])


@test
def perfetto_names_threads_and_shows_how_long_a_message_lasts(bench):
    trace_of(bench, code=PRELUDE + "c.sendto(bytes(30), to); c.sendto(bytes(5), to)\n"
             "def part(): s.recv(10)\n"
             "part(); part()\n"
             "t = threading.Thread(target=part); t.start(); t.join(); part()\n"
             "c.sendto(bytes(20), to); s.recv(10)\n")
    trace = json.loads(bench.wsrx("convert", "--to=perfetto", "t").stdout)
    records, _ = bench.records("t")
    events = trace["traceEvents"]
    times = [e["ts"] for e in events if "ts" in e]
    equal((min(times), times == sorted(times)), (0, True))
    assert re.match(f"{records[0]['time']:.9f}"[:13], trace["otherData"]["start"])
    names = [e["args"]["name"] for e in events if e["name"] == "thread_name"]
    tids = [r["tid"] for r in records]
    equal(names, [f"main thread {tids[0]}", f"thread {tids[2]}"])
    slices = [(e["ph"], e["name"], e["args"]["parts"], e["args"]["lost"], e["tid"])
              for e in events if e["ph"] in "be"]
    equal(slices, [("b", "message of 30 bytes", 1, 0, tids[0]),
                   ("e", "message of 30 bytes", 3, 0, tids[2]),
                   ("b", "message of 20 bytes", 1, 0, tids[0]),
                   ("e", "message of 20 bytes", 1, 10, tids[0])])


@test
def no_subcommand_sets_what_has_no_effect(bench):
    """Neither the program, nor those that it starts, with their environment or with less of it."""
    script = "true; sh -c true; WSRX_TRACE=off true; WSRX_MODE=off true; env -i true"
    for argv in (["run"], ["run", "--trace=text", "--data=9"], ["trace"], ["trace", "--keep=all"],
                 ["stat"], ["stat", "--filter=lost"]):
        for settings in ({}, {"TRACE": "text"}, {"TRACE": "off", "TRACE_FILE": "t"}):
            done = bench.run([bench.command, *argv, "--", "sh", "-c", script], library=False,
                             **settings)
            equal((done.returncode, b"libwsrx" in done.stderr), (0, False),
                  (argv, settings, done.stderr))
    done = bench.wsrx("run", "--trace-file=t", "true")
    equal((done.returncode, done.stderr.count(b" has no effect without WSRX_TRACE=text, ")), (0, 1),
          done.stderr)


@test
def html_says_what_was_not(bench):
    trace_of(bench, code=PRELUDE + "s.setblocking(False)\n"
             "for n in range(3):\n"
             "    try: s.recv(10)\n"
             "    except BlockingIOError: pass\n"
             "o = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); o.bind('sock')\n"
             "v = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "v.sendto(b'x', 'sock'); o.recv(70000)\n")
    page = bench.wsrx("report", "--html=-", "t").stdout.decode()
    cards = re.findall(r'<section class="card">\s*<h3>(.*?)</h3>\s*<p class="dim">[^<]*?; '
                       r'(.*?)</section>', page, re.S)
    equal(len(cards), 2, page)
    for name, card in cards:
        if name == "sock":
            assert card.startswith("1 message, the longest, of 1 byte, fit</p>"), card
            # An axis that would reach so far had no room for what is on it.
            assert "buffer 70,000 →" in card, card
            equal(card.count("<svg"), 1)
        else:
            equal(card.strip(), "no message in 3 receives</p>")
            row = re.search(f'<th scope="row">{re.escape(name)} .*?</tr>', page, re.S)[0]
            equal(re.findall(r"<td [^>]*>([^<]*)</td>", row),
                  ["0", "0", "3", "0", "0", "3", "0", "–", "–"])


@test
def help_for_each(bench):
    names = re.findall(rb"^  (\w+) ", bench.wsrx("help").stdout, re.M)
    assert {b"run", b"trace", b"stat", b"report", b"convert", b"doctor", b"help"} <= set(names)
    for name in set(names) - {b"help"}:
        for argv in (("help", name), (name, "--help")):
            done = bench.wsrx(*argv)
            equal((done.returncode, done.stderr), (0, b""), argv)
            assert b"Usage:" in done.stdout, argv
            assert done.stdout.startswith(b"wsrx " + name + b": "), argv
    settings = bench.wsrx("help", "settings").stdout
    for name in (b"WSRX_MODE=continue", b"WSRX_TRACE=off", b"WSRX_STATS=0"):
        assert name in settings, name

MANUAL = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                      "docs", "wsrx")


@test
def help_and_manual_pages_name_the_same(bench):
    """Every option, short and long, and every subcommand and setting."""
    def page_of(name):
        with open(os.path.join(MANUAL, name), encoding="ascii") as file:
            return file.read()

    def flags(text):
        return {("--" if found[1] else "-") + found[2]
                for found in re.finditer(r"\bFl (Fl )?(?!Fl\b)([a-zA-Z][a-z-]*)", text)}

    listed = bench.wsrx("help").stdout.decode()
    names = set(re.findall(r"^  (\w+) ", listed, re.M))
    page = page_of("wsrx.1")
    equal(names, set(re.findall(r"^\.It Cm (\w+)$", page, re.M)))
    equal(flags(page) - {"-h", "-V"}, set(re.findall(r"--[a-z]+", listed)))
    equal({name[5:-2] for name in os.listdir(MANUAL) if name.startswith("wsrx-")}, names - {"help"})
    for name in names - {"help"}:
        text, page = bench.wsrx(name, "--help").stdout.decode(), page_of(f"wsrx-{name}.1")
        options = set(re.findall(r"^  (?:-\w, |    )?(--[a-z-]+)", text, re.M)) | \
            set(re.findall(r"^  (-\w), ", text, re.M))
        assert "--help" in options, text
        # What is said not to be there is named by its long name; other options by both.
        others = {"--trace", "--trace-file"} if name in ("trace", "stat") else set()
        equal(flags(page) - others, options, name)
    listed = bench.wsrx("help", "settings").stdout.decode()
    settings = set(re.findall(r"^(WSRX_\w+)=", listed, re.M))
    with open(os.path.join(MANUAL, "..", "libwsrx.7"), encoding="ascii") as file:
        equal(set(re.findall(r"^\.It Ev (WSRX_\w+)$", file.read(), re.M)), settings)
    with open(os.path.join(MANUAL, "..", "settings.md"), encoding="utf-8") as file:
        equal(set(re.findall(r"`(WSRX_\w+)`", file.read())), settings)


@test
def a_ring_is_followed_through_a_filter(bench):
    trace_of(bench, MODE="observe")
    wanted, _ = bench.records("t")
    for words, keeps in (("lost", lambda r: r["lost"]), ("error", lambda r: r["errno"]),
                         ("call=recvfrom,partial", lambda r: r["partial"])):
        done = bench.wsrx("trace", "-e", words, "-p", "t")
        equal(done.returncode, 0, done.stderr)
        equal(done.stderr.count(b"\n"), sum(bool(keeps(r)) for r in wanted), words)
    done = bench.wsrx("stat", "-o", "out", "-e", "lost", "-p", "t")
    equal((done.returncode, done.stderr), (0, b""))
    with open(bench.path("out"), "rb") as file:
        table = file.read().splitlines()
    assert table[0].endswith(b", mode observe"), table
    row = [line for line in table if not line.startswith(b"wsrx: ")][-1].split()
    equal([int(row[0].replace(b",", b"")), int(row[3])], [sum(r["lost"] for r in wanted),
                                       sum(r["lost"] > 0 for r in wanted)])
    done = bench.wsrx("trace", "-e", "lots", "-p", "t")
    equal((done.returncode, done.stderr.count(b"\n")), (125, 1))
    assert b'trace: --filter=lots: expected partial, ' in done.stderr, done.stderr


@test
def damaged_files_are_read_up_to_the_damage(bench):
    trace_of(bench, code=PRELUDE + "for i in range(200): c.sendto(bytes(i), to); s.recv(100)",
             TRACE_KEEP="all", MODE="observe")
    with open(bench.path("t"), "rb") as file:
        whole = file.read()
    wanted, _ = bench.records("t")
    equal(len(wanted), 200)

    def check(data, what):
        with open(bench.path("d"), "wb") as file:
            file.write(data)
        for kind in ("jsonl", "pcapng"):
            done = bench.wsrx("convert", "--to", kind, "d")
            assert done.returncode in (0, 1), (what, done.returncode, done.stderr)
        done = bench.wsrx("convert", "--to=jsonl", "d")
        return done, records_of(done.stdout)

    chance = random.Random(5)
    header = struct.unpack_from("<I", whole, 12)[0]
    start = header + 256
    cuts = [0, 1, 7, 8, 100, 4095, 4096, 4097, header - 1, header, header + 1, start - 1, start, start + 255, start + 256] + \
        [chance.randrange(start + 200 * 256) for _ in range(60)]
    for cut in cuts:
        done, records = check(whole[:cut], cut)
        equal([r | {"at": None} for r in records], [r | {"at": None} for r in wanted][:max(0, (cut - start) // 256)], f"cut at {cut}")
        equal(done.returncode, 1, f"cut at {cut}")
        assert done.stderr.startswith(b"wsrx: d: "), (cut, done.stderr)
    # Anything may stand in the file: no crash, no endless loop, no absurd memory.
    for turn in range(150):
        data = bytearray(whole[:start + 200 * 256])
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.choice((chance.randrange(1400), 4096 + chance.randrange(400),
                                16384 + chance.randrange(600), header + chance.randrange(64),
                                chance.randrange(len(data))))] = chance.choice((0, 1, 127, 255))
        check(bytes(data), f"turn {turn}")
    done, records = check(b"WSRXRING" + struct.pack("<I", 2) + whole[12:], "newer")
    equal(records, [])
    assert b"newer than this wsrx" in done.stderr, done.stderr
    done, records = check(b"\x7fELF foreign" * 1000, "foreign")
    assert b"not a libwsrx trace" in done.stderr, done.stderr


@test
def a_slip_is_answered_with_what_was_meant(bench):
    for argv, wanted in ((["rnu", "true"], b"rnu: no such subcommand; did you mean run? "),
                         (["--verison"],
                          b"--verison: no such subcommand; did you mean --version? "),
                         (["-run"], b"-run: no such subcommand; did you mean run? "),
                         (["help", "rnu"], b"help: rnu: no such subcommand; did you mean run? "),
                         (["help", "setings"],
                          b"help: setings: no such subcommand; did you mean settings? "),
                         (["help", "--foo"], b"help: --foo: no such subcommand; wsrx help lists"),
                         (["wine", "isntall"],
                          b"wine isntall: no such action; did you mean install? "),
                         (["convert", "--to=json", "x"],
                          b'convert: unknown format "json": expected text, '),
                         (["trace", "--trace=text", "true"], b"--trace=text: unknown option; "),
                         (["reprot"], b"reprot: no such subcommand; did you mean report? "),
                         (["xyz"], b"xyz: no such subcommand; wsrx help lists them"),
                         (["run", "--moed=observe", "true"],
                          b"--moed=observe: unknown option; did you mean --mode? "),
                         (["convert", "--outptu", "x"],
                          b"--outptu: unknown option; did you mean --output? "),
                         (["run", "--qwerty", "true"],
                          b"--qwerty: unknown option; wsrx run --help lists the options")):
        done = bench.wsrx(*argv)
        equal((done.returncode, done.stdout), (125, b""), argv)
        assert done.stderr.startswith(b"wsrx: " + wanted), done.stderr
        equal(done.stderr.count(b"\n"), 1, done.stderr)


@test
def a_file_that_cannot_be_read_gives_one_line_and_nothing_else(bench):
    with open(bench.path("empty"), "wb"):
        pass
    with open(bench.path("foreign"), "wb") as file:
        file.write(b"root:x:0:0\n" * 10)
    bench.python("c.sendto(b'x', to); s.recv(1)", TRACE="text", TRACE_FILE="text")
    with open(bench.path("precious"), "wb") as file:
        file.write(b"precious")
    for name, wanted in (("none", b"No such file"), ("empty", b"empty"), ("/dev/null", b"empty"),
                         (".", b"Is a directory"), ("foreign", b"line 1 is not a record"),
                         ("text", b"a text trace cannot be read")):
        for argv in (["report"], ["report", "--html=precious"], ["convert", "--to=jsonl"],
                     ["convert", "--to=pcapng", "-o", "precious"], ["trace", "-p"]):
            done = bench.wsrx(*argv, name)
            equal((done.returncode, done.stdout), (1, b""), (argv, name))
            assert done.stderr.startswith(b"wsrx: " + name.encode() + b": " + wanted), done.stderr
            equal(done.stderr.count(b"\n"), 1, done.stderr)
        done = bench.wsrx("report", "--diff", name, name)
        equal((done.returncode, done.stdout), (1, b""), name)
    # What was there under the output's name is there still.
    with open(bench.path("precious"), "rb") as file:
        equal(file.read(), b"precious")
    # One that can be read beside one that cannot: it is read.
    bench.python("c.sendto(b'x', to); s.recv(1)", TRACE="ring", TRACE_FILE="t")
    done = bench.wsrx("convert", "--to=jsonl", "none", "t")
    equal((done.returncode, len(records_of(done.stdout))), (1, 1), done.stderr)


@test
def what_cannot_be_written_is_reported_and_no_success(bench):
    trace_of(bench)
    for argv in (["help"], ["--help"], ["help", "run"], ["help", "settings"], ["--version"],
                 ["run", "--help"], ["wine", "--help"], ["doctor", "sh"], ["report", "t"],
                 ["convert", "--to=text", "t"],
                 ["report", "--html=-", "t"], ["convert", "--to=pcapng", "-o", "-", "t"],
                 ["report", "--html=/dev/full", "t"], ["convert", "--to=jsonl", "-o/dev/full", "t"],
                 ["trace", "-o/dev/full", "-p", "t"], ["stat", "-o/dev/full", "-p", "t"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([bench.command, *argv], cwd=bench.directory, stdout=full,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT,
                                  env=bench.environment(library=False), check=False)
        equal(done.returncode, 125, (argv, done.stderr))
        assert re.fullmatch(rb"wsrx: (standard output|/dev/full): "
                            rb"(No space left on device|not all of it could be written)\n",
                            done.stderr), (argv, done.stderr)


@test
def what_is_read_is_not_written_over(bench):
    trace_of(bench)
    os.link(bench.path("t"), bench.path("same"))
    with open(bench.path("t"), "rb") as file:
        before = file.read()
    for argv in (["report", "--html=same", "t"], ["convert", "--to=jsonl", "-o", "same", "t"],
                 ["convert", "--to=pcapng", "-o", "t", "t"], ["trace", "-o", "same", "-p", "t"]):
        done = bench.wsrx(*argv)
        equal((done.returncode, done.stdout), (125, b""), argv)
        assert b": cannot be read and written at once" in done.stderr, done.stderr
        with open(bench.path("t"), "rb") as file:
            assert file.read() == before, argv


@test
def a_name_that_is_a_dash_is_standard_output(bench):
    trace_of(bench)
    for argv, wanted in ((["report", "--html=-", "t"], b"<!doctype html>"),
                         (["convert", "--to=pcapng", "-o", "-", "t"], b"\n\r\r\n"),
                         (["trace", "-o", "-", "sh", "-c", "echo one"], b"one\n")):
        done = bench.wsrx(*argv)
        equal(done.returncode, 0, done.stderr)
        assert done.stdout.startswith(wanted), done.stdout[:80]
    assert not os.path.exists(bench.path("-"))


@test
def who_stops_reading_lines_ends_neither_the_program_nor_the_tidying(bench):
    """As `wsrx trace ./app 2>&1 | head -1`."""
    os.mkdir(bench.path("run"), 0o700)
    for command in ("trace", "stat"):
        ours, theirs = os.pipe()
        process = subprocess.Popen(
            [bench.command, command, PYTHON, "-c", PRELUDE + "import time\n"
             "for i in range(50): c.sendto(bytes(9), to); s.recv(1); time.sleep(0.004)\n"
             "open('finished', 'w').write('yes')\n"
             "sys.exit(7)"],
            cwd=bench.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
            env=dict(bench.environment(library=False), XDG_RUNTIME_DIR=bench.path("run")))
        os.close(theirs)
        if command == "trace":
            assert os.read(ours, 1)
        os.close(ours)
        equal(process.wait(LIMIT), 7, command)
        assert os.path.exists(bench.path("finished")), command
        os.unlink(bench.path("finished"))
        equal(os.listdir(bench.path("run")), [], command)
    # The program itself gets SIGPIPE as it would have without us.
    done = bench.wsrx("trace", "sh", "-c", "grep ^SigIgn: /proc/$$/status")
    equal(int(done.stdout.split()[1], 16) >> (signal.SIGPIPE - 1) & 1, 0, done.stdout)


@test
def a_program_that_does_not_start_has_no_statistics(bench):
    for command in ("stat", "trace"):
        done = bench.wsrx(command, "/nowhere/app")
        equal((done.returncode, done.stdout, done.stderr),
              (127, b"", b"wsrx: /nowhere/app: No such file or directory\n"))
        done = bench.wsrx(command, "sh", "-c", "exit 5")
        equal(done.returncode, 5)
        assert done.stderr.startswith(b"wsrx: no receive on a message socket was seen; "
                                      b"wsrx doctor sh "), done.stderr


sys.exit(main())
