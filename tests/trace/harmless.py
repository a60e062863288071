# SPDX-License-Identifier: MIT
"""What the library writes, and where, does no harm to the program: it may have put its own data
under descriptor 2, have nobody who reads there, be limited, or be watched by strangers."""

import fcntl
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import termios
import time

from harness import LIMIT, PRELUDE, PYTHON, Skip, equal, main, test, until

PART = "c.sendto(b'x' * 100, to); s.recv(30)\n"  # leaves a tail
EXEC = "s.set_inheritable(True); os.execv('/bin/true', ['true'])\n"
DEFAULT_SIGNALS = """
for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTOU):
    signal.signal(number, signal.SIG_DFL)
"""


def run(bench, code, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        before=None, **settings):
    # pylint: disable=subprocess-popen-preexec-fn
    return subprocess.run([PYTHON, "-c", PRELUDE + DEFAULT_SIGNALS + code], cwd=bench.directory,
                          stdin=stdin, stdout=stdout, stderr=stderr, timeout=LIMIT,
                          preexec_fn=before, check=False, env=bench.environment(**settings))


# What makes the library say something: a message, lines, a table at the end.
SPEAKERS = (("a message", PART + EXEC, {}),
            ("lines", PART + "s.recv(99)\n", {"TRACE": "text"}),
            ("statistics", PART + "s.recv(99)\n", {"STATS": 1}))


def speak(bench, first="", **more):
    for what, code, settings in SPEAKERS:
        yield what, run(bench, first + code, **more, **settings)


# --- descriptor 2 ----------------------------------------------------------------------------

@test
def what_the_program_puts_under_number_2_is_its_own(bench):
    ways = {
        "opened": "os.close(2); assert os.open('data', os.O_RDWR | os.O_CREAT) == 2\n",
        "duplicated": "d = os.open('data', os.O_RDWR | os.O_CREAT); os.dup2(d, 2)\n",
        "a pipe": "r, w = os.pipe(); os.dup2(w, 2); os.set_blocking(r, False)\n"
                  "import atexit\n"
                  "def check():\n"
                  "    try: open('data', 'ab').write(os.read(r, 9999))\n"
                  "    except BlockingIOError: pass\n"
                  "atexit.register(check)\n",
    }
    for way, before in ways.items():
        for what, done in speak(bench, before + "open('data', 'ab').write(b'DATA')\n"):
            equal(done.returncode, 0, (way, what))
            with open(bench.path("data"), "rb") as file:
                equal(file.read(), b"DATA", (way, what, done.stderr))
            os.unlink(bench.path("data"))


@test
def a_program_that_started_without_stderr_gets_none(bench):
    before = "import os\nassert os.open('data', os.O_RDWR | os.O_CREAT) == 2\n"
    for what, code, settings in SPEAKERS:
        # The prelude's sockets take the lowest numbers.
        code = before + PRELUDE + code
        done = subprocess.run(["sh", "-c", 'exec 2>&-; exec "$@"', "sh", PYTHON, "-c", code],
                              cwd=bench.directory, stdin=subprocess.DEVNULL, timeout=LIMIT,
                              env=bench.environment(**settings), check=False)
        equal((done.returncode, os.path.getsize(bench.path("data"))), (0, 0), what)
        os.unlink(bench.path("data"))


@test
def a_stderr_that_comes_back_is_written_to_again(bench):
    done = run(bench, "keep = os.dup(2); d = os.open('/dev/null', os.O_WRONLY); os.dup2(d, 2)\n"
                      "os.dup2(keep, 2)\n" + PART + EXEC)
    assert b"70 bytes held" in done.stderr, done.stderr


@test
def a_clients_connection_gets_nothing(bench):
    """As inetd(8) starts a program: all three are the connection."""
    for what, code, settings in SPEAKERS + (("a bad setting", "", {"MODE": "x"}),):
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                done = run(bench, code + "os.write(1, b'answer') if 0 else None\n", stdin=theirs,
                           stdout=theirs, stderr=theirs, **settings)
            equal((done.returncode, ours.recv(9999)), (0, b""), what)


@test
def a_socket_that_is_only_stderr_is_written_to(bench):
    for what, code, settings in SPEAKERS:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                run(bench, code, stderr=theirs, **settings)
            assert ours.recv(9999), what


# --- signals ---------------------------------------------------------------------------------

@test
def nobody_who_reads_ends_no_program(bench):
    for kind in ("pipe", "socket"):
        read, write = os.pipe() if kind == "pipe" else (end.detach() for end in
                                                        socket.socketpair())
        os.close(read)
        for what, done in speak(bench, stderr=write):
            equal(done.returncode, 0, (kind, what))
        os.close(write)


PENDING = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE, signal.SIGXFSZ])
before
c.sendto(b'x', to); s.recv(9)
print(signal.sigpending() & {signal.SIGPIPE, signal.SIGXFSZ} == expected)
"""


@test
def a_signal_that_is_pending_is_the_programs_own(bench):
    read, write = os.pipe()
    os.close(read)
    for before, expected in (("", "set()"), ("signal.raise_signal(signal.SIGPIPE)",
                                             "{signal.SIGPIPE}")):
        for blocked in ("SIG_DFL", "SIG_IGN"):
            done = run(bench, PENDING.replace("before", f"signal.signal(signal.SIGPIPE, "
                                                        f"signal.{blocked}); {before}", 1)
                       .replace("expected", expected), stderr=write, TRACE="text")
            if blocked == "SIG_IGN" and before:
                continue  # whether an ignored one is kept is the kernel's to say
            equal((done.returncode, done.stdout), (0, b"True\n"), (before, blocked))
    os.close(write)


@test
def a_limit_of_files_ends_no_program(bench):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    with open(bench.path("errors"), "wb") as errors:
        errors.write(b"x" * 8192)
        errors.flush()
        for what, done in speak(bench, stderr=errors, before=limit):
            equal(done.returncode, 0, what)
    code = "for i in range(2000): c.sendto(b'x' * 20, to); assert len(s.recv(99)) == 20\n"
    done = run(bench, code, TRACE="jsonl", TRACE_FILE="t.l", before=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (200000, 200000)))
    equal((done.returncode, done.stderr.count(b"cannot write")), (0, 1), done.stderr)
    with open(bench.path("t.l"), "rb") as file:
        lines = file.read()
    # A window that does not fit as a whole is not written to: what comes before it is all there.
    assert len(lines) > 60000 and b"\0" not in lines, (len(lines), lines[-400:])
    for settings in ({"TRACE": "ring", "TRACE_FILE": "t.r"},
                     {"TRACE": "ring", "TRACE_FILE": "t.r2", "TRACE_SIZE": "4K",
                      "TRACE_KEEP": "all"},
                     {"TRACE": "jsonl", "TRACE_FILE": "t.j"}, {"TRACE": "text", "TRACE_FILE": "t.t"},
                     {"STATS": "t.s"}):
        done = run(bench, code, before=limit, **settings)
        equal(done.returncode, 0, (settings, done.stderr))
        wanted = 0 if "STATS" in settings else 1
        equal(done.stderr.count(b"cannot write"), wanted, (settings, done.stderr))


# --- no waiting ------------------------------------------------------------------------------

def fill(fd):
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(fd, True)


@test
def a_full_pipe_stops_no_program(bench):
    read, write = os.pipe()
    fill(write)
    for what, code, settings in SPEAKERS:
        start = time.monotonic()
        done = run(bench, "for i in range(100): c.sendto(b'x', to); s.recv(9)\n" + code,
                   stderr=write, **settings)
        equal(done.returncode, 0, what)
        assert time.monotonic() - start < 10, what
    os.close(read)
    os.close(write)


@test
def a_reader_who_is_slow_gets_every_line(bench):
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    process = subprocess.Popen([PYTHON, "-c", PRELUDE + "for i in range(500):\n"
                                "    c.sendto(b'x', to); s.recv(9)\n"], stderr=write,
                               env=bench.environment(TRACE="text"), cwd=bench.directory)
    os.close(write)
    got = b""
    while True:
        time.sleep(0.001)
        piece = os.read(read, 4096)
        if not piece:
            break
        got += piece
    os.close(read)
    equal(process.wait(LIMIT), 0)
    equal(got.count(b"recv("), 500)


@test
def a_stopped_terminal_stops_no_program(bench):
    ours, theirs = pty.openpty()
    termios.tcflow(theirs, termios.TCOOFF)
    for what, done in speak(bench, stderr=theirs):
        equal(done.returncode, 0, what)
    termios.tcflow(theirs, termios.TCOON)
    os.close(theirs)
    os.close(ours)


@test
def a_terminal_that_nobody_reads_stops_no_program(bench):
    ours, theirs = pty.openpty()
    done = run(bench, "for i in range(2000): c.sendto(b'x', to); s.recv(9)\n", stderr=theirs,
               TRACE="text")
    equal(done.returncode, 0)
    os.close(theirs)
    os.close(ours)


@test
def a_program_in_the_background_is_not_stopped(bench):
    """A terminal with TOSTOP sends SIGTTOU to who writes from the background: termios(3)."""
    for what, code, settings in SPEAKERS:
        script = f"""if 1:
            import fcntl, os, pty, signal, subprocess, sys, termios
            ours, theirs = pty.openpty()
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            state = termios.tcgetattr(theirs)
            state[3] |= termios.TOSTOP
            termios.tcsetattr(theirs, termios.TCSANOW, state)
            environment = dict(os.environ, LD_PRELOAD={bench.library!r})
            child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stderr=theirs,
                                     env=environment, preexec_fn=lambda: os.setpgid(0, 0))
            pid, status = os.waitpid(child.pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                os.kill(pid, signal.SIGKILL)
                sys.exit(9)
            sys.exit(os.waitstatus_to_exitcode(status))
            """
        done = subprocess.run([PYTHON, "-c", script, PRELUDE + DEFAULT_SIGNALS + code],
                              cwd=bench.directory, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=LIMIT, check=False,
                              env=bench.environment(library=False, **settings))
        equal(done.returncode, 0, (what, done.stderr))


# --- files -----------------------------------------------------------------------------------

@test
def threads_that_lose_stderr_make_one_file(bench):
    for turn in range(10):
        with open(bench.path("first"), "wb") as errors:
            done = run(bench, """
def work():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for i in range(50): a.send(b'abc')
    b.recv(9)
    here.wait(); there.wait()
    for i in range(49): b.recv(9)
here, there = threading.Barrier(9), threading.Barrier(9)
them = [threading.Thread(target=work) for i in range(8)]
for t in them: t.start()
here.wait()
os.close(2); assert os.open('own', os.O_RDWR | os.O_CREAT) == 2
there.wait()
for t in them: t.join()
""", stderr=errors, TRACE="text")
        equal(done.returncode, 0)
        names = bench.names(".txt")
        equal((len(names), os.path.getsize(bench.path("own"))), (1, 0), turn)
        lines = b""
        for name in ("first", names[0]):
            with open(bench.path(name), "rb") as file:
                lines += file.read()
        equal((lines.count(b"recv("), lines.count(b"\0")), (400, 0), turn)
        for name in names + ["own", "first"]:
            os.unlink(bench.path(name))


NOBODY = 65534


def as_stranger(code):
    subprocess.run([PYTHON, "-c", f"import os\nos.setgid({NOBODY}); os.setuid({NOBODY})\n"
                    "os.umask(0)\n" + code], check=True, timeout=LIMIT)


@test
def what_belongs_to_strangers_gets_nothing(bench):
    if os.getuid() != 0:
        raise Skip("only root can be another user")
    os.chmod(bench.directory, 0o777)
    for kind in ("jsonl", "text", "ring"):
        for make in ("os.mkfifo(path, 0o666)", "os.close(os.open(path, os.O_CREAT, 0o666))"):
            as_stranger(f"path = {bench.path('theirs')!r}\n{make}\n")
            # Somebody reads there, so that it could be opened.
            reader = os.open(bench.path("theirs"), os.O_RDONLY | os.O_NONBLOCK)
            done = run(bench, "for i in range(3): c.sendto(b'SECRET', to); s.recv(9)\n",
                       TRACE=kind, TRACE_FILE="theirs", TRACE_DATA=9)
            equal(done.returncode, 0)
            equal(done.stderr.count(b"cannot write"), 1, (kind, make, done.stderr))
            try:
                equal(os.read(reader, 99), b"", (kind, make))
            except BlockingIOError:
                pass
            os.close(reader)
            os.unlink(bench.path("theirs"))
    for settings in ({"STATS": "theirs"}, {"TRACE": "text", "TRACE_FILE": "theirs"}):
        as_stranger(f"os.mkfifo({bench.path('theirs')!r}, 0o666)\n")
        reader = os.open(bench.path("theirs"), os.O_RDWR | os.O_NONBLOCK)
        done = run(bench, "c.sendto(b'x', to); s.recv(9)\n", **settings)
        equal(done.returncode, 0)
        try:
            equal(os.read(reader, 99), b"", settings)
        except BlockingIOError:
            pass
        os.close(reader)
        os.unlink(bench.path("theirs"))


@test
def a_pipe_is_that_of_the_children_too(bench):
    os.mkfifo(bench.path("fifo"))
    reader = os.open(bench.path("fifo"), os.O_RDWR | os.O_NONBLOCK)
    done = run(bench, "if os.fork() == 0:\n    c.sendto(b'x', to); s.recv(9); os._exit(0)\n"
                      "os.wait(); c.sendto(b'x', to); s.recv(9)\n", TRACE="jsonl", TRACE_FILE="fifo")
    equal((done.returncode, done.stderr, os.read(reader, 99999).count(b'"call"')), (0, b"", 2))
    os.close(reader)
    equal([name for name in os.listdir(bench.path(".")) if name.startswith("fifo")], ["fifo"])


@test
def a_pipe_of_our_own_gets_the_lines_and_a_full_one_loses_some(bench):
    os.mkfifo(bench.path("fifo"))
    reader = os.open(bench.path("fifo"), os.O_RDWR | os.O_NONBLOCK)
    done = run(bench, "for i in range(5): c.sendto(b'x', to); s.recv(9)\n", TRACE="jsonl",
               TRACE_FILE="fifo")
    equal((done.returncode, done.stderr, os.read(reader, 99999).count(b'"call"')), (0, b"", 5))
    done = run(bench, "for i in range(2000): c.sendto(b'x', to); s.recv(9)\n"
                      "open('fifo', 'rb').read(9000)\n"
                      "c.sendto(b'last', to); s.recv(9)\n", TRACE="jsonl", TRACE_FILE="fifo")
    equal(done.returncode, 0)
    assert b" records could not be written" in done.stderr, done.stderr
    os.set_blocking(reader, False)
    got = b""
    try:
        while True:
            got += os.read(reader, 65536)
    except BlockingIOError:
        pass
    assert b'"length":4,' in got
    os.close(reader)


@test
def a_ring_takes_what_it_needs(bench):
    process = bench.start([PYTHON, "-c", PRELUDE + "c.sendto(b'x', to); s.recv(9)\n"
                           "print(1, flush=True); sys.stdin.read(1); time.sleep(60)\n"],
                          TRACE="ring", TRACE_FILE="t", TRACE_SIZE="4M")
    try:
        process.stdout.readline()
        status = os.stat(bench.path("t"))
        assert status.st_size >= 4 << 20, status
        assert status.st_blocks * 512 <= 64 << 10, status
    finally:
        process.kill()
        process.wait(LIMIT)
    equal(len(bench.records("t")[0]), 1)


@test
def errno_is_untouched(bench):
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(99)
bad = []
for i in range(300):
    d = os.dup(s.fileno()) if i < 50 else s.fileno()
    c.sendto(b'x' * 60, to)
    ctypes.set_errno(4242)
    got = libc.recv(d, buffer, 99, 0)
    if (got, ctypes.get_errno()) != (60, 4242): bad.append((i, got, ctypes.get_errno()))
    ctypes.set_errno(4242)
    if libc.recv(d, buffer, 99, 0x40) != -1 or ctypes.get_errno() != 11: bad.append(i)
print(bad)
"""
    read, write = os.pipe()
    os.close(read)
    for settings in ({"TRACE": "ring", "TRACE_FILE": "r", "TRACE_SIZE": "4K"},
                     {"TRACE": "ring", "TRACE_FILE": "k", "TRACE_SIZE": "4K", "TRACE_KEEP": "all"},
                     {"TRACE": "jsonl", "TRACE_FILE": "j", "TRACE_DATA": 99}, {"TRACE": "text"},
                     {"TRACE": "text", "TRACE_FILE": "/dev/full"}, {"STATS": "/dev/null"},
                     {"TRACE": "jsonl", "TRACE_FILE": "/proc/none"}):
        done = run(bench, code, stderr=write, **settings)
        equal((done.returncode, done.stdout), (0, b"[]\n"), settings)
    os.close(write)


# --- a sandbox -------------------------------------------------------------------------------

@test
def a_sandbox_kills_for_no_call_of_the_trace(bench):
    """confined.c allows receives, sends and the end; of its receives read(2) is not recorded."""
    program = os.path.join(os.path.dirname(sys.argv[3]), "trace-confined")
    after = 2 * 27
    for how, before in (("prctl", 3), ("syscall", 3), ("late", 0)):
        for kind, settings in (("ring", {}), ("jsonl", {}), ("text", {}),
                               ("ring", {"TRACE_SIZE": "4K", "TRACE_KEEP": "all"})):
            done = bench.run([program, how], TRACE=kind, TRACE_FILE="t", STATS="s.txt", **settings)
            equal((done.returncode, done.stderr), (0, b""), (how, kind))
            with open(bench.path("s.txt"), encoding="ascii") as file:
                lines = file.read().split("\n")
            wanted = [str(before + after), str(10 * (before + after)), "total"]
            total = [line.split() for line in lines if line.endswith("total")][0]
            equal([total[4], total[7], total[8]], wanted, (how, kind))
            if kind == "text":
                with open(bench.path("t"), "rb") as file:
                    equal(file.read().count(b" of 10 last"), before + after, how)
            elif settings:
                # No ring can be taken there: the one that there is goes round.
                assert 10 < len(bench.records("t")[0]) < before + after
            else:
                records = bench.records("t")[0]
                equal([r["bytes"] for r in records], [10] * (before + after), (how, kind))
            for name in ("t", "s.txt"):
                os.unlink(bench.path(name))
        for settings in ({"TRACE": "text"}, {"STATS": 1}, {"TRACE": "jsonl", "TRACE_FILE": "/dev/null"}):
            done = bench.run([program, how], **settings)
            equal(done.returncode, 0, (how, settings))


@test
def who_forbids_the_processor_s_counter_is_not_killed_for_a_time(bench):
    """Strict mode and PR_SET_TSC end with SIGSEGV who reads it, in clock_gettime(2) too."""
    program = os.path.join(os.path.dirname(sys.argv[3]), "trace-confined")
    for how in "no-counter", "strict", "strict-syscall":
        for settings in ({"TRACE": "ring"}, {"TRACE": "jsonl"}, {"TRACE": "text"}, {"STATS": "s.txt"},
                         {"TRACE": "ring", "HOLD": "kernel"}, {}):
            done = bench.run([program, how], **settings | ({"TRACE_FILE": "t"} if "TRACE" in settings
                                                           else {}))
            equal((done.returncode, done.stderr), (0, b""), (how, settings))
            if settings.get("TRACE") in ("ring", "jsonl"):
                records = bench.records("t")[0]
                equal([r["bytes"] for r in records], [10, 15], (how, settings))
                assert records[0]["time"] <= records[1]["time"], records
            for name in {"t", "s.txt"} & set(os.listdir(bench.path("."))):
                os.unlink(bench.path(name))


if __name__ == "__main__":
    sys.exit(main())
