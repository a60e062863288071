# SPDX-License-Identifier: MIT
"""What wsrx says of programs that the library cannot help, how it ends, and where it finds the
library once it is installed."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

from harness import LIMIT, PRELUDE, PYTHON, Skip, equal, main, need, test

EXIT_0 = {64: "mov $60, %eax\n xor %edi, %edi\n syscall\n",
          32: "mov $1, %eax\n xor %ebx, %ebx\n int $0x80\n"}


def assemble(bench, name, bits=64, more=""):
    """A static program that ends at once, without a library or a compiler's runtime."""
    if os.uname().machine != "x86_64":
        raise Skip("the program is written for x86-64")
    source = ".globl _start\n_start:\n" + EXIT_0[bits] + more + ".section .note.GNU-stack\n"
    for argv in ([need("as"), f"--{bits}", "-o", name + ".o", "-"],
                 [need("ld"), "-m", "elf_i386" if bits == 32 else "elf_x86_64", "-o", name,
                  name + ".o"]):
        done = subprocess.run(argv, input=source.encode(), cwd=bench.directory,
                              capture_output=True, timeout=LIMIT, check=False)
        equal(done.returncode, 0, done.stderr)
    return "./" + name


@test
def a_static_program_is_warned_of(bench):
    program = assemble(bench, "static")
    done = bench.wsrx("run", program)
    equal((done.returncode, done.stdout, done.stderr),
          (0, b"", b"wsrx: warning: ./static is statically linked: nothing can be preloaded into "
                   b"it\n"))
    done = bench.wsrx("doctor", program)
    equal(done.returncode, 1)
    assert b"64 bits, statically linked\n" in done.stdout, done.stdout


@test
def a_static_go_program_is_warned_of(bench):
    program = need("go-md2man")
    done = bench.wsrx("run", program)
    equal((done.returncode, done.stderr),
          (0, f"wsrx: warning: {program} is a Go program: its receives do not go through libc, and "
              "are not seen\n".encode()))
    done = bench.wsrx("doctor", program)
    equal(done.returncode, 1)
    assert b"statically linked, Go\n" in done.stdout, done.stdout
    assert b"wsrx run" not in done.stdout, done.stdout


@test
def a_dynamic_go_program_is_warned_of(bench):
    program = need("xmpp-dns")
    done = bench.run([bench.command, "run", program, "--version"], library=False, HELP="1")
    equal(done.returncode, 0)
    equal(done.stderr.count(f"wsrx: warning: {program} is a Go program: ".encode()), 1, done.stderr)
    assert b"WSRX_MODE=continue\n" in done.stderr, "the library is not in it"
    done = bench.wsrx("doctor", program)
    equal(done.returncode, 1)
    assert b"dynamically linked, Go\n  not seen: Go's own receives make system calls past libc; " \
        in done.stdout, done.stdout
    assert b"wsrx run" not in done.stdout, done.stdout


def answer(server, long):
    """Answers DNS questions; to those about a service, with `long` bytes more than is needed."""
    host = b"\x00\x05\x00\x00\x14\x66\x04host\x07example\x00"
    while True:
        message, peer = server.recvfrom(9000)
        question = message[12:message.index(b"\x00", 12) + 5]
        service = question[-4:-2] == b"\x00\x21"
        reply = message[:2] + b"\x85\x80\x00\x01" + struct.pack(">HHH", service, 0, 0) + question
        if service:
            reply += b"\xc0\x0c\x00\x21\x00\x01" + struct.pack(">IH", 1, len(host)) + host + \
                bytes(long)
        server.sendto(reply, peer)


@test
def receives_of_a_go_program_are_not_seen(bench):
    """The library is in it, and the datagrams pass by all the same: not even their loss is seen."""
    program = need("xmpp-dns")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(("127.53.0.1", 53))  # it asks no other port
    except OSError as error:
        raise Skip(f"127.53.0.1:53: {error}") from error
    threading.Thread(target=answer, args=(server, 2000), daemon=True).start()
    command = [program, "--client", "--no-color", "--resolver=127.53.0.1", "example.org"]
    for _ in range(5):  # it does not wait long for an answer
        done = bench.run([bench.command, "stat", *command], library=False)
        if b" host.example. 5222\n" in done.stdout:
            break
    assert b" host.example. 5222\n" in done.stdout, (done.stdout, done.stderr)
    assert b"wsrx: no receive on a message socket was seen; " in done.stderr, done.stderr


@test
def a_32_bit_program_is_warned_of(bench):
    program = assemble(bench, "small", bits=32)
    done = bench.wsrx("run", program)
    # A kernel may be built without them: then exec says what it says.
    assert done.returncode in (0, 126), done
    assert b"wsrx: warning: ./small is a 32-bit program, and the library has 64 bits\n" \
        in done.stderr, done.stderr
    done = bench.wsrx("doctor", program)
    equal(done.returncode, 1)
    assert b"  32 bits, " in done.stdout and b"needs a library of 32 bits" in done.stdout, \
        done.stdout


@test
def a_setuid_program_is_warned_of(bench):
    argv = [bench.command, "run", "./true"]
    shutil.copy(shutil.which("true"), bench.path("true"))
    done = bench.wsrx("run", "./true")
    equal((done.returncode, done.stderr), (0, b""), "before it is setuid")
    if os.geteuid() == 0:
        # Not for root: the mode is of no meaning then.
        os.chmod(bench.path("true"), 0o4755)
        equal(bench.wsrx("run", "./true").stderr, b"", "run by root")
        os.chmod(bench.directory, 0o755)
        argv = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
        probe = bench.run([*argv[:4], "test", "-x", bench.command, "-a", "-r", bench.library],
                          library=False)
        if probe.returncode != 0:
            raise Skip("another user cannot reach what is tested")
    else:
        os.chmod(bench.path("true"), 0o4755)
    done = bench.run(argv, library=False, TABLE="")
    equal(done.returncode, 0, done.stderr)
    assert b"wsrx: warning: ./true is setuid or has capabilities: the loader ignores LD_PRELOAD\n" \
        in done.stderr, done.stderr


@test
def an_ordinary_program_is_not_warned_of(bench):
    with open(bench.path("script"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 4\n")
    os.chmod(bench.path("script"), 0o755)
    done = bench.wsrx("run", "./script")
    equal((done.returncode, done.stdout, done.stderr), (4, b"", b""))


@test
def each_way_to_start_a_program_ends_as_the_program(bench):
    with open(bench.path("no-interpreter"), "w", encoding="ascii") as file:
        file.write("#!/nowhere/sh\n")
    os.chmod(bench.path("no-interpreter"), 0o755)
    for command in ("run", "trace", "stat"):
        for argv, wanted in ((["true"], 0), (["sh", "-c", "exit 125"], 125),
                             (["sh", "-c", "exit 255"], 255), (["./nowhere"], 127),
                             (["no-such-program-here"], 127), (["./no-interpreter"], 127),
                             (["/etc/passwd"], 126), (["/"], 126),
                             (["sh", "-c", "kill -INT $$"], -signal.SIGINT),
                             (["sh", "-c", "kill -KILL $$"], -signal.SIGKILL),
                             (["sh", "-c", "kill -SEGV $$"], -signal.SIGSEGV)):
            equal(bench.wsrx(command, "--", *argv).returncode, wanted, (command, argv))
        for argv in (["--no-such-option", "true"], [], ["--mode"]):
            done = bench.wsrx(command, *argv)
            equal(done.returncode, 125, (command, argv))
            equal(done.stderr.count(b"\n"), 1, done.stderr)


@test
def a_signal_to_wsrx_reaches_the_program(bench):
    for command in ("run", "trace"):
        process = bench.start([bench.command, command, "sh", "-c",
                               "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"],
                              library=False)
        try:
            equal(process.stdout.readline(), b"ready\n")
            process.terminate()
            equal(process.wait(LIMIT), 9, command)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@test
def what_is_installed_finds_its_library(bench):
    build = os.path.dirname(os.path.dirname(bench.command))
    environment = bench.environment(library=False)
    environment["DESTDIR"] = bench.path("elsewhere")
    done = subprocess.run([need("meson"), "install", "-C", build, "--no-rebuild", "--quiet"],
                          env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=LIMIT, check=False)
    equal(done.returncode, 0, done.stdout + done.stderr)
    found = [os.path.join(place, "wsrx") for place, _, names in os.walk(environment["DESTDIR"])
             if "wsrx" in names and place.endswith("bin")]
    equal(len(found), 1, "wsrx in a bin directory")

    def parts(command):
        return bench.run([command, "run", PYTHON, "-c", PRELUDE +
                          "c.sendto(bytes(3000), to); s.setblocking(False)\n"
                          "print(len(s.recv(1000)), len(s.recv(9000)), "
                          "os.environ['LD_PRELOAD'].startswith(sys.argv[1]))",
                          environment["DESTDIR"]], library=False)

    done = parts(found[0])
    equal((done.returncode, done.stdout), (0, b"1000 2000 True\n"), done.stderr)
    # By a link on the PATH too.
    os.symlink(found[0], bench.path("link"))
    equal(parts(bench.path("link")).stdout, b"1000 2000 True\n")
    # Without its library it does not run the program as if nothing were missing.
    for place, _, names in os.walk(environment["DESTDIR"]):
        for name in names:
            if name.startswith("libwsrx.so"):
                os.unlink(os.path.join(place, name))
    done = parts(found[0])
    if b"True" not in done.stdout and done.returncode == 0:
        raise Skip("another libwsrx is installed where this one would be")
    equal((done.returncode, done.stdout), (125, b""))
    assert done.stderr.startswith(b"wsrx: the library is not there: "), done.stderr


sys.exit(main())
