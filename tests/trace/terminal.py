# SPDX-License-Identifier: MIT
"""The wsrx command on a terminal: colours, the progress bar, completion. And without one."""

import array
import os
import re
import struct
import subprocess
import sys

from harness import LIMIT, PRELUDE, PYTHON, equal, main, need, test
from screen import Screen

RECORDS = 500000  # from so many on a conversion is long


def on_terminal(bench, *argv, **more):
    environment = bench.environment(library=False)
    del environment["NO_COLOR"]
    environment["TERM"] = "xterm"
    environment.update(more)
    terminal = Screen([bench.command, *argv], ("stderr",), cwd=bench.directory, env=environment)
    try:
        seen = terminal.read()
        return terminal.process.wait(LIMIT), seen
    finally:
        terminal.close()


LOSES = [PYTHON, "-c", PRELUDE + "c.sendto(bytes(3000), to); s.recv(1000)\n"
         "c.sendto(bytes(30), to); s.recv(1000)"]


@test
def lines_are_coloured_on_a_terminal_only(bench):
    status, seen = on_terminal(bench, "trace", *LOSES)
    equal(status, 0, seen)
    lines = seen.splitlines()
    equal(len(lines), 2, lines)
    lost = rb"\033\[31m[^\033]* 1000 of 3000 LOST 2000 [^\033]*\033\[0m"
    assert re.fullmatch(lost, lines[0]), lines
    assert b"\033" not in lines[1] and b" 30 of 30 " in lines[1], lines
    _, seen = on_terminal(bench, "trace", "--mode=continue", *LOSES)
    assert re.match(rb"\033\[33m[^\033]* PARTIAL left 2000 [^\033]*\033\[0m", seen), seen


@test
def no_colours_where_they_are_not_wanted(bench):
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        _, seen = on_terminal(bench, "trace", *LOSES, **more)
        assert b"LOST 2000" in seen and b"\033" not in seen, (more, seen)
    # NO_COLOR that is there and empty says nothing (no-color.org).
    _, seen = on_terminal(bench, "trace", *LOSES, NO_COLOR="")
    assert b"\033[31m" in seen, seen
    _, seen = on_terminal(bench, "trace", "-o", "out", *LOSES)
    equal(seen, b"")
    with open(bench.path("out"), "rb") as file:
        text = file.read()
    assert b"LOST 2000" in text and b"\033" not in text, text


def large_ring(bench, name):
    """A ring file with the same record again and again, made from a small one."""
    done = bench.python("c.sendto(bytes(100), to); s.recv(1000)", TRACE="ring", TRACE_FILE="small")
    equal(done.returncode, 0, done.stderr)
    with open(bench.path("small"), "rb") as file:
        small = file.read()
    header, ring, size = struct.unpack_from("<III", small, 12)
    records = memoryview(bytearray(small[header + ring:header + ring + size] * RECORDS))
    # The sequence numbers (ring.h): the first 8 bytes of each record.
    records.cast("Q")[::size // 8] = memoryview(array.array("Q", range(1, RECORDS + 1)))
    head = bytearray(small[:header + ring])
    struct.pack_into("<Q", head, 32 - 8, ring + len(records))
    struct.pack_into("<QQ", head, header + 24, RECORDS, RECORDS)
    with open(bench.path(name), "wb") as file:
        file.write(head)
        file.write(records)


@test
def a_long_conversion_shows_how_far_it_is(bench):
    large_ring(bench, "t")
    status, seen = on_terminal(bench, "convert", "--to=text", "-o", "out", "t")
    equal(status, 0, seen)
    shown = [int(part) for part in re.findall(rb"\r\[[# ]{40}\] +(\d+)%", seen)]
    assert len(shown) > 50 and shown == sorted(shown) and shown[0] <= 2 and shown[-1] >= 99, shown
    # Wiped at the end: what comes next begins at the line's beginning.
    assert re.search(rb"\r +\r$", seen), seen[-80:]
    with open(bench.path("out"), "rb") as file:
        equal(sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")), RECORDS)
    done = bench.wsrx("convert", "--to=text", "-o", "out", "t")
    equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), "without a terminal")


@test
def what_is_binary_is_not_written_to_a_terminal(bench):
    bench.python("c.sendto(bytes(100), to); s.recv(1000)", TRACE="ring", TRACE_FILE="t")
    for argv in (["-t", "pcapng", "t"], ["-t", "pcapng", "-o", "-", "t"]):
        terminal = Screen([bench.command, "convert", *argv], cwd=bench.directory,
                          env=bench.environment(library=False))
        try:
            equal((terminal.read(), terminal.process.wait(LIMIT)),
                  (b"wsrx: convert: pcapng is not for a terminal: use -o FILE\r\n", 125), argv)
        finally:
            terminal.close()


@test
def a_short_conversion_shows_none(bench):
    bench.python("c.sendto(bytes(100), to); s.recv(1000)", TRACE="ring", TRACE_FILE="t")
    equal(on_terminal(bench, "convert", "--to=text", "-o", "out", "t"), (0, b""))


def completion_of(bench):
    return os.path.join(os.path.dirname(bench.command), "completion")


def with_command(bench):
    environment = bench.environment(library=False)
    environment["PATH"] = os.path.dirname(bench.command) + ":" + environment.get("PATH", "")
    environment["TERM"] = "dumb"
    return environment


@test
def bash_completes(bench):
    bash = need("bash")

    def completions(*words):
        script = f"source {completion_of(bench)}/wsrx\n" \
                 "COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n" \
                 "complete -p wsrx >/dev/null || exit 1\n" \
                 "_wsrx\nprintf '%s\\n' \"${COMPREPLY[@]}\""
        done = subprocess.run([bash, "--norc", "-c", script, "bash", *words], cwd=bench.directory,
                              env=with_command(bench), capture_output=True, timeout=LIMIT,
                              check=False)
        equal((done.returncode, done.stderr), (0, b""), words)
        return done.stdout.decode().split()

    equal(completions("wsrx", "con"), ["convert"])
    commands = set(completions("wsrx", ""))
    assert {"run", "trace", "stat", "report", "convert", "doctor", "help", "--version"} <= commands
    equal(completions("wsrx", "convert", "--to", "p"), ["pcapng", "perfetto"])
    equal(completions("wsrx", "run", "--mode", ""),
          ["continue", "error", "discard", "observe", "off"])
    assert {"--sockets", "--stats", "--strict"} <= set(completions("wsrx", "run", "--s"))
    assert "--html" in completions("wsrx", "report", "--")
    assert "settings" in completions("wsrx", "help", "")
    equal(completions("wsrx", "trace", "--to", ""), ["text", "jsonl"])
    assert "setpriv" in completions("wsrx", "stat", "--json", "setpri")
    # Bash makes three words of "--to=p", and two of "--mode=".
    equal(completions("wsrx", "convert", "--to", "=", "p"), ["pcapng", "perfetto"])
    equal(completions("wsrx", "run", "--calls", "="), ["plain", "all"])
    equal(completions("wsrx", "run", "-t", "r"), ["ring"])
    equal(completions("wsrx", "convert", "-t", "j"), ["jsonl"])
    # The program comes behind the options and their values; what is behind it is its own.
    for options in ((), ("--mode", "off"), ("--mode", "=", "off"), ("-moff",), ("-m", "off", "--"),
                    ("--table", "=", "x", "--strict", "1")):
        assert "setpriv" in completions("wsrx", "run", *options, "setpri"), options
        equal(completions("wsrx", "run", *options, "cat", "--mod"), [], options)
    for name in ("some.exe", "stats"):
        with open(bench.path(name), "wb"):
            pass
    equal(set(completions("wsrx", "wine", "")),
          {"run", "install", "status", "remove", "--help", "some.exe"})
    equal(completions("wsrx", "wine", "st"), ["status"])
    equal(completions("wsrx", "wine", "run", "som"), ["some.exe"])


def complete_each(terminal, rows):
    """On a line of its own each; what is waited for never stands in what is typed."""
    for typed, wanted in rows:
        terminal.seen = b""
        terminal.write(b"\x15" + typed)
        terminal.read(wanted)


@test
def bash_completes_what_is_typed(bench):
    environment = with_command(bench)
    environment.update(HOME=bench.directory, PS1="ready> ")
    terminal = Screen([need("bash"), "--norc", "--noprofile", "-i"], cwd=bench.directory,
                      env=environment)
    try:
        terminal.write(f"source {completion_of(bench)}/wsrx; echo sour''ced\n".encode())
        terminal.read(b"sourced")
        complete_each(terminal, ((b"wsrx run --mode=obs\t", b"observe"),
                                 (b"wsrx wine inst\t", b"install"),
                                 (b"wsrx trace --mode=off --kee\t", b"keep"),
                                 (b"wsrx run --mode=off setpri\t", b"setpriv")))
    finally:
        terminal.close()


@test
def zsh_completes(bench):
    zsh = need("zsh")
    directory = bench.path("functions")
    os.mkdir(directory)
    os.symlink(f"{completion_of(bench)}/_wsrx", f"{directory}/_wsrx")
    environment = with_command(bench)
    environment.update(HOME=bench.directory, PS1="ready> ")
    terminal = Screen([zsh, "-f", "-i"], cwd=bench.directory, env=environment)
    try:
        terminal.write(f"fpath=({directory} $fpath); autoload -Uz compinit; compinit -u -D; "
                       "print com''pinit-$_comps[wsrx]\n".encode())
        terminal.read(b"compinit-_wsrx")
        # What is waited for never stands in what is typed.
        terminal.write(b"wsrx conv\t")
        terminal.read(b"convert")
        terminal.write(b"--to pcap\t")
        terminal.read(b"pcapng")
        complete_each(terminal, ((b"wsrx run --sock\t", b"sockets"),
                                 (b"wsrx run --mode=obs\t", b"observe"),
                                 (b"wsrx wine inst\t", b"install"),
                                 (b"wsrx help sett\t", b"settings"),
                                 (b"wsrx run -c al\t--kee\t", b"keep"),
                                 (b"wsrx trace --to js\t", b"jsonl"),
                                 (b"wsrx stat --json setpri\t", b"setpriv"),
                                 (b"wsrx run --mode=off setpri\t", b"setpriv")))
    finally:
        terminal.close()


sys.exit(main())
