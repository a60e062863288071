# SPDX-License-Identifier: MIT
"""The processes behind `wsrx run`, `stat` and `trace`: who is whose parent, who gets which signal,
and what is left when the program has ended."""

import array
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time

from harness import LIMIT, PRELUDE, PYTHON, equal, main, test, until

LOSES = "c.sendto(bytes(3000), to); s.recv(1000)\n"


def start(bench, *argv, directory=None, **more):
    environment = dict(bench.environment(library=False), **more)
    if directory:
        os.makedirs(bench.path(directory), exist_ok=True)
        environment["XDG_RUNTIME_DIR"] = bench.path(directory)
    return subprocess.Popen([bench.command, *argv], cwd=bench.directory, env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, bufsize=0,
                            # Not an orphaned group, whose members SIGTSTP does not stop.
                            process_group=0)


def line_of(stream):
    """The next line of an unbuffered pipe; but not for ever."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], LIMIT / 4)
        assert ready, f"nothing comes behind {line!r}"
        got = stream.read(1)
        if not got:
            break
        line += got
    return line


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


@test
def run_becomes_the_program(bench):
    """Its pid, its parent, its children: as without us."""
    process = start(bench, "run", PYTHON, "-c", "import os\n"
                    "try: os.wait(); child = True\n"
                    "except ChildProcessError: child = False\n"
                    "print(os.getpid(), os.getppid(), child)", directory="run")
    out, err = process.communicate(timeout=LIMIT)
    equal((out, err), (f"{process.pid} {os.getpid()} False\n".encode(), b""))
    until(lambda: os.listdir(bench.path("run")) == [])
    # Without tails there is nothing to remove: no process of ours at all.
    process = start(bench, "run", "--mode=observe", "sh", "-c", "ls $XDG_RUNTIME_DIR; "
                    "echo $WSRX_TABLE.", directory="run")
    equal(process.communicate(timeout=LIMIT)[0], b".\n")
    process = start(bench, "run", "/nowhere", directory="run")
    process.communicate(timeout=LIMIT)
    equal((process.returncode, os.listdir(bench.path("run"))), (127, []))


@test
def the_table_stays_as_long_as_a_child(bench):
    """One that the program has left behind, and that runs another program then."""
    code = PRELUDE + """
out = os.open('out', os.O_WRONLY | os.O_CREAT, 0o600)
os.set_inheritable(s.fileno(), True)
os.set_inheritable(out, True)
if os.fork() == 0:
    parent = os.getppid()
    while os.getppid() == parent: time.sleep(0.01)
    time.sleep(0.3)
    c.sendto(bytes(3000), to); s.recv(1000)
    os.execv(sys.executable, [sys.executable, '-c', 'import os, socket\\n'
        's = socket.socket(fileno=%d); s.setblocking(False)\\n'
        'os.write(%d, b"%%d\\\\n" %% len(s.recv(9000)))' % (s.fileno(), out)])
"""
    process = start(bench, "run", PYTHON, "-c", code, directory="run")
    try:
        equal(process.wait(LIMIT), 0)
        equal(os.listdir(bench.path("run")) != [], True, "the directory, while the child runs")
        until(lambda: os.path.exists(bench.path("out")) and os.path.getsize(bench.path("out")))
        with open(bench.path("out"), "rb") as file:
            equal(file.read(), b"2000\n")
        until(lambda: os.listdir(bench.path("run")) == [])
    finally:
        end(process)


NOTIFY = PRELUDE + """
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
n.sendto(b'%s %d' % (os.environ['LISTEN_PID'].encode(), os.getpid()), os.environ['NOTIFY_SOCKET'])
""" + LOSES


@test
def a_service_manager_sees_the_program(bench):
    """MAINPID and LISTEN_PID, as sd_notify(3) and sd_listen_fds(3) want them."""
    for argv in (["run"], ["stat", "-o", "out"], ["trace", "-o", "out"]):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        path = bench.path("notify")
        if os.path.exists(path):
            os.unlink(path)
        manager.bind(path)
        manager.settimeout(LIMIT)
        process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", bench.command, *argv, PYTHON, "-c",
             NOTIFY], cwd=bench.directory, stdin=subprocess.DEVNULL,
            env=dict(bench.environment(library=False), NOTIFY_SOCKET=path))
        try:
            data, control, _, _ = manager.recvmsg(100, 100)
            sender = array.array("i", control[0][2])[0]
            listen, own = map(int, data.split())
            equal((sender, listen, own), (process.pid,) * 3, argv)
            equal(process.wait(LIMIT), 0, argv)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            manager.close()
        if "out" in argv:
            def said():
                with open(bench.path("out"), "rb") as file:
                    return file.read()
            until(lambda: re.search(b"2,?000", said()))
            os.unlink(bench.path("out"))


@test
def a_child_is_told_its_own_pid(bench):
    """Socket activation without a manager that waits for notifications: its parent is the shell."""
    done = bench.run(["sh", "-c", 'LISTEN_PID=$$ WATCHDOG_PID=$$ "$0" "$@"; :', bench.command,
                      "stat", "sh", "-c", 'LISTEN_PID=x; echo $$ $WATCHDOG_PID'], library=False)
    # Ours was not named: nothing is changed.
    pid, watchdog = done.stdout.split()
    assert pid != watchdog, done.stdout
    done = bench.run(["sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"', bench.command, "stat", "sh",
                      "-c", "echo $$ $WATCHDOG_PID"], library=False)
    pid, watchdog = done.stdout.split()
    equal(pid, watchdog)


CATCHES = """
import os, signal, sys
caught = []
def handler(number, frame): caught.append(number)
for number in signal.valid_signals():
    try: signal.signal(number, handler)
    except OSError: pass
print('ready', flush=True)
import time
end = time.monotonic() + 60
while time.monotonic() < end:
    time.sleep(0.01)
    while caught:
        number = caught.pop(0)
        print(int(number), flush=True)
        if number == signal.SIGTERM: sys.exit(9)
"""


@test
def every_signal_reaches_the_program(bench):
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
               signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCONT, signal.SIGWINCH,
               signal.SIGIO, signal.SIGPWR, signal.SIGURG, signal.SIGXCPU, signal.SIGPIPE,
               signal.SIGSYS, signal.SIGTRAP, signal.SIGABRT, signal.SIGSEGV, signal.SIGRTMIN + 1,
               signal.SIGRTMAX, signal.SIGTERM]
    for command in ("run", "trace", "stat"):
        process = start(bench, command, PYTHON, "-c", CATCHES, directory="run")
        try:
            equal(line_of(process.stdout), b"ready\n")
            for number in numbers:
                process.send_signal(number)
                equal(line_of(process.stdout), f"{int(number)}\n".encode(), command)
            equal(process.wait(LIMIT), 9, command)
            until(lambda: os.listdir(bench.path("run")) == [])
        finally:
            end(process)


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


@test
def a_stop_stops_both(bench):
    process = start(bench, "trace", "sh", "-c", "echo $$; for i in $(seq 999); do sleep 0.05; done")
    try:
        program = int(line_of(process.stdout))
        process.send_signal(signal.SIGTSTP)
        until(lambda: state(program) == "T" and state(process.pid) == "T")
        process.send_signal(signal.SIGCONT)
        until(lambda: state(program) != "T" and state(process.pid) != "T")
        process.terminate()
        equal(process.wait(LIMIT), -signal.SIGTERM)
    finally:
        end(process)


@test
def an_ignored_signal_stays_ignored_in_the_program(bench):
    for command in ("run", "stat"):
        done = bench.run(["sh", "-c", 'trap "" HUP; "$0" "$@"; :', bench.command, command, "grep",
                          "^Sig[BI]", "/proc/self/status"], library=False)
        masks = [int(line.split()[1], 16) for line in done.stdout.splitlines()]
        equal(masks[0], 0, "blocked")
        equal(masks[1] >> (signal.SIGHUP - 1) & 1, 1, "SIGHUP")
        equal(masks[1] >> (signal.SIGUSR1 - 1) & 1, 0, "SIGUSR1")


DAEMON = PRELUDE + """
if os.fork() > 0: sys.exit(3)
os.setsid()
if os.fork() > 0: os._exit(0)
while os.path.exists('wait'): time.sleep(0.01)
""" + LOSES


@test
def a_daemon_is_watched_to_its_end(bench):
    for command, wanted in (("stat", rb"\n +2,000 +1 "), ("trace", rb" 1000 of 3000 LOST 2000 ")):
        with open(bench.path("wait"), "wb"):
            pass
        process = start(bench, command, PYTHON, "-c", DAEMON, directory="run")
        try:
            line = line_of(process.stderr)
            assert re.search(rb"has ended; process \d+, which it has started, still runs", line), \
                line
            os.unlink(bench.path("wait"))
            _, err = process.communicate(timeout=LIMIT)
            equal(process.returncode, 3, command)
            assert re.search(wanted, line + err), (line, err)
            until(lambda: os.listdir(bench.path("run")) == [])
        finally:
            end(process)


@test
def a_signal_goes_to_the_daemon_when_the_program_has_ended(bench):
    code = "import os, signal, sys, time\n" \
           "if os.fork() > 0: sys.exit(3)\n" \
           "os.setsid()\n" \
           "signal.alarm(50)\n" \
           "while True: time.sleep(1)\n"
    process = start(bench, "stat", PYTHON, "-c", code)
    try:
        daemon = int(re.search(rb"process (\d+)", line_of(process.stderr))[1])
        process.terminate()
        equal(process.wait(LIMIT), 3)
        assert not os.path.exists(f"/proc/{daemon}") or state(daemon) == "Z"
    finally:
        end(process)


@test
def an_interrupt_from_the_terminal_ends_only_the_watching(bench):
    with open(bench.path("wait"), "wb"):
        pass
    os.mkdir(bench.path("run"))
    environment = dict(bench.environment(library=False), XDG_RUNTIME_DIR=bench.path("run"))
    code = DAEMON.replace("while os.path.exists('wait'): time.sleep(0.01)",
                          LOSES + "while os.path.exists('wait'): time.sleep(0.01)")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.directory)
        os.execve(bench.command, [bench.command, "stat", PYTHON, "-c", code], environment)
    seen = b""

    def read(wanted):
        nonlocal seen
        while not re.search(wanted, seen):
            ready, _, _ = select.select([terminal], [], [], LIMIT)
            assert ready, seen
            seen += os.read(terminal, 65536)
        return re.search(wanted, seen)
    try:
        read(rb"process (\d+), which it has started, still runs")
        until(lambda: any(name.endswith(".ring") for place, _, names in os.walk(bench.path("run"))
                          for name in names))
        time.sleep(0.3)
        os.write(terminal, b"\x03")
        daemon = int(read(rb"still runs: wsrx stat -p (\d+) goes on")[1])
        read(rb"\n +2,000 +1 ")
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)
        watcher = start(bench, "trace", "-p", str(daemon))
        assert b" 1000 of 3000 LOST 2000 " in line_of(watcher.stderr)
        os.unlink(bench.path("wait"))
        _, err = watcher.communicate(timeout=LIMIT)
        assert b" 1000 of 3000 LOST 2000 " in err, err
        until(lambda: os.listdir(bench.path("run")) == [])
    finally:
        os.close(terminal)


@test
def a_running_process_is_followed_by_its_pid(bench):
    process = bench.start([PYTHON, "-c", PRELUDE + "c.sendto(bytes(7), to); s.recv(10)\n"
                           "print('ready', flush=True); sys.stdin = open('fifo'); sys.stdin.read()\n"
                           + LOSES], TRACE="ring", TRACE_FILE="any name", MODE="observe")
    os.mkfifo(bench.path("fifo"))
    try:
        equal(process.stdout.readline(), b"ready\n")
        follower = start(bench, "trace", "-p", str(process.pid))
        first = line_of(follower.stderr)
        assert b" 7 of 7 " in first, first
        with open(bench.path("fifo"), "wb"):
            pass
        _, err = follower.communicate(timeout=LIMIT)
        equal(follower.returncode, 0, err)
        assert b" 1000 of 3000 LOST 2000 " in err, err
    finally:
        end(process)
    plain = subprocess.Popen(["sleep", "100"], env=bench.environment(library=False))
    quiet = subprocess.Popen(["sleep", "100"], env=bench.environment(TRACE="ring"))
    try:
        until(lambda: b"libwsrx" in open(f"/proc/{quiet.pid}/maps", "rb").read())
        for pid, wanted in ((plain.pid, b"runs without libwsrx: start it with wsrx run --trace=ring"),
                            (quiet.pid, b"writes no ring"), (2 ** 22 - 3, b"No such process")):
            done = bench.wsrx("trace", "-p", str(pid))
            equal((done.returncode, done.stderr.count(b"\n")), (1, 1), done.stderr)
            assert wanted in done.stderr, done.stderr
    finally:
        for one in (plain, quiet):
            one.kill()
            one.wait()


@test
def lines_of_all_threads_are_in_the_order_of_time(bench):
    code = PRELUDE + """
def receive():
    r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('127.0.0.1', 0))
    x = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); x.connect(r.getsockname())
    for i in range(4000): x.send(b'x'); r.recv(10)
threads = [threading.Thread(target=receive) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
    done = bench.wsrx("trace", PYTHON, "-c", code)
    equal(done.returncode, 0, done.stderr[-300:])
    times = [line.split()[0] for line in done.stderr.splitlines()]
    equal(len(times), 16000)
    late = [(one, other) for one, other in zip(times, times[1:]) if one > other]
    equal(late, [])
    equal(len({line.split()[1] for line in done.stderr.splitlines()}), 4, "threads")


sys.exit(main())
