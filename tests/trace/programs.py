# SPDX-License-Identifier: MIT
"""What wsrx says of programs that the library cannot help, how it ends, and where it finds the
library once it is installed."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

from harness import LIMIT, PRELUDE, PYTHON, Skip, equal, main, need, test

OTHERS = "wsrx-commands.so"  # what the command loads for all but run

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
    equal(done.stderr.splitlines()[0],
          b"wsrx: warning: ./small is statically linked: nothing can be preloaded into it")
    done = bench.wsrx("doctor", program)
    equal(done.returncode, 1)
    assert b"  32 bits, " in done.stdout, done.stdout


WARNING = b"wsrx: warning: ./true is setuid or has capabilities: the loader ignores LD_PRELOAD\n"


@test
def a_setuid_program_is_warned_of_where_it_raises_rights(bench):
    def warned(argv=()):
        done = bench.run([*argv, bench.command, "run", "./true"], library=False, TABLE="")
        equal(done.returncode, 0, done.stderr)
        doctor = bench.run([*argv, bench.command, "doctor", "./true"], library=False)
        blind = b"not seen: the loader ignores LD_PRELOAD" in doctor.stdout
        equal((doctor.returncode, blind), (1, True) if WARNING in done.stderr else (0, False))
        # Of what cannot be seen no line is given that would see it.
        equal(b"Keep the tails:" in doctor.stdout, not blind, doctor.stdout)
        return blind

    shutil.copy(shutil.which("true"), bench.path("true"))
    equal(warned(), False, "before it is setuid")
    os.chmod(bench.path("true"), 0o4755)
    equal(warned(), False, "run by its owner")
    if os.geteuid() != 0:
        raise Skip("only root can make a program that raises rights")
    os.chown(bench.path("true"), 65534, 0)
    os.chmod(bench.path("true"), 0o4755)
    equal(warned(), True, "root runs it as another user")
    os.chown(bench.path("true"), 0, 65534)
    os.chmod(bench.path("true"), 0o2755)
    equal(warned(), True, "root runs it with another group")
    os.chown(bench.path("true"), 0, 0)
    os.chmod(bench.path("true"), 0o4755)
    os.chmod(bench.directory, 0o755)
    nobody = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    probe = bench.run([*nobody, "test", "-x", bench.command, "-a", "-r", bench.library],
                      library=False)
    if probe.returncode != 0:
        raise Skip("another user cannot reach what is tested")
    equal(warned(nobody), True, "somebody runs it as root")


@test
def an_ordinary_program_is_not_warned_of(bench):
    with open(bench.path("script"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 4\n")
    os.chmod(bench.path("script"), 0o755)
    done = bench.wsrx("run", "./script")
    equal((done.returncode, done.stdout, done.stderr), (4, b"", b""))


def script(bench, name, text):
    with open(bench.path(name), "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(bench.path(name), 0o755)


@test
def doctor_looks_at_what_runs_a_script(bench):
    script(bench, "first", "#!/bin/sh\n")
    for name, first in (("plain", "#!/bin/sh -e"), ("env", "#!/usr/bin/env sh"),
                        ("split", "#!/usr/bin/env -S sh -e"),
                        ("attached", "#!/usr/bin/env -Ssh -e"),
                        ("variable", "#!/usr/bin/env -S -i A=1 sh"),
                        ("nested", f"#!{bench.path('first')}")):
        script(bench, name, first + "\n")
        done = bench.wsrx("doctor", "./" + name)
        equal((done.returncode, done.stderr), (0, b""), name)
        assert re.match(rb"\./%s, a script for (/bin/)?sh; of which:\n  64 bits, dynamically"
                        % name.encode(), done.stdout), done.stdout
    script(bench, "lost", "#!/nowhere/interpreter\n")
    done = bench.wsrx("doctor", "./lost")
    equal((done.returncode, done.stdout, done.stderr),
          (127, b"", b"wsrx: ./lost: its interpreter /nowhere/interpreter: No such file or "
                     b"directory\n"))


@test
def doctor_says_what_cannot_be_a_program(bench):
    shutil.copy(shutil.which("true"), bench.path("whole"))
    with open(bench.path("whole"), "rb") as file:
        whole = bytearray(file.read())
    pieces = {"empty": b"", "text": b"true\n", "head": whole[:300], "half": whole[:len(whole) // 2]}
    # The table of sections (elf(5): e_shoff, e_shnum, e_shstrndx) may be missing; it still runs.
    struct.pack_into("<Q", whole, 40, 0)
    struct.pack_into("<HH", whole, 60, 0, 0)
    pieces["stripped"] = whole
    for name, data in pieces.items():
        with open(bench.path(name), "wb") as file:
            file.write(data)
        os.chmod(bench.path(name), 0o755)
    os.mkfifo(bench.path("pipe"))
    os.chmod(bench.path("pipe"), 0o755)
    for name, status, said in (("empty", 1, b"not an ELF program"),
                               ("text", 1, b"not an ELF program"),
                               ("head", 1, b"truncated or damaged"),
                               ("half", 1, b"truncated or damaged"),
                               ("stripped", 0, b"its imports are unknown"),
                               ("pipe", 126, b"Permission denied"), (".", 126, b"Is a directory")):
        done = bench.wsrx("doctor", "./" + name)
        equal(done.returncode, status, name)
        assert said in done.stdout + done.stderr, (name, done)
    # A damaged one is not called static either; exec says what it says.
    assert b"static" not in bench.wsrx("run", "./half").stderr


@test
def doctor_tells_a_library_from_a_static_program(bench):
    need("cc")
    for name, options, text in (
            ("l.so", ["-shared", "-fPIC"],
             "#include <unistd.h>\nlong f(char *b) { return read(0, b, 9); }"),
            ("static-pie", ["-static-pie"], "int main(void) { return 0; }")):
        with open(bench.path("s.c"), "w", encoding="ascii") as file:
            file.write(text + "\n")
        done = bench.run(["cc", *options, "-o", name, "s.c"], library=False)
        equal(done.returncode, 0, done.stderr)
    for mode in (0o755, 0o644):  # Debian's libraries are not executable
        os.chmod(bench.path("l.so"), mode)
        done = bench.wsrx("doctor", "./l.so")
        equal((done.returncode, done.stdout), (0, b"./l.so\n  64 bits, a library\n"
                                                  b"  seen, plain calls: read\n"))
    done = bench.wsrx("doctor", "./static-pie")
    equal(done.returncode, 1)
    assert b"64 bits, statically linked\n" in done.stdout, done.stdout
    os.chmod(bench.path("static-pie"), 0o644)
    equal(bench.wsrx("doctor", "./static-pie").returncode, 126, "a program has to be executable")


RECEIVES = """
#include <sys/socket.h>
#include <stdio.h>
int main(void)
{
    char b[9];
    int s[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    send(s[1], "0123456789", 10, 0);
    recv(s[0], b, 4, 0);
    printf("%d", (int)recv(s[0], b, 9, MSG_DONTWAIT));
}
"""


def compile_c(bench, name, text, *options):
    with open(bench.path("s.c"), "w", encoding="ascii") as file:
        file.write(text)
    done = bench.run([need("cc"), "-w", "-o", name, "s.c", *options], library=False)
    if done.returncode != 0:
        raise Skip(done.stderr.decode(errors="replace"))


@test
def doctor_looks_at_the_libraries_that_are_needed(bench):
    """Also at those that only a library needs; along $ORIGIN, and without running anything."""
    inner = "#include <sys/socket.h>\nlong inner(int s) { return recvmsg(s, 0, 0); }\n"
    os.mkdir(bench.path("sub"))
    compile_c(bench, "sub/libinner.so", inner, "-shared", "-fPIC")
    compile_c(bench, "sub/libouter.so", "long inner(int); long outer(int s) { return inner(s); }",
              "-shared", "-fPIC", "-Lsub", "-linner", "-Wl,-rpath,$ORIGIN")
    compile_c(bench, "app", "long outer(int); int main(void) { return outer(0); }", "-Lsub",
              "-louter", "-Wl,-rpath,$ORIGIN/sub", "-Wl,-rpath-link,sub")
    done = bench.wsrx("doctor", "./app")
    equal(done.returncode, 0, done.stderr)
    assert b"  imports no receive call itself\n" in done.stdout, done.stdout
    assert b"  seen in its library libinner.so: recvmsg\n" in done.stdout, done.stdout
    assert b" run --calls=all ./app\n" in done.stdout, done.stdout
    assert b"libouter" not in done.stdout and b"libc.so" not in done.stdout, done.stdout
    compile_c(bench, "sub/libinner.so", inner.replace("recvmsg(s, 0, 0)", "recv(s, 0, 0, 0)"),
              "-shared", "-fPIC")
    done = bench.wsrx("doctor", "./app")
    assert b": recv\n" in done.stdout and b" run ./app\n" in done.stdout, done.stdout
    os.unlink(bench.path("sub/libinner.so"))
    done = bench.wsrx("doctor", "./app")
    assert b"  its library libinner.so was not found\n" in done.stdout, done.stdout


@test
def doctor_finds_what_the_loader_finds(bench):
    """Of real programs: all that ldd(1) lists is found, by the system's cache."""
    for program in ("socat", "dnsmasq", "python3", "dig"):
        path = shutil.which(program, path="/usr/sbin:/usr/bin")
        if path:
            done = bench.wsrx("doctor", path)
            equal((done.returncode, b"was not found" in done.stdout), (0, False), done.stdout)


@test
def doctor_looks_at_several_programs(bench):
    done = bench.wsrx("doctor", "sh", "/nowhere", PYTHON)
    equal(done.returncode, 127)
    equal(len(re.findall(rb"^Keep the tails: ", done.stdout, re.M)), 2, done.stdout)


@test
def a_program_for_another_c_library_is_told(bench):
    compile_c(bench, "app", RECEIVES, "-Wl,-dynamic-linker,/lib/ld-musl-x86_64.so.1")
    done = bench.wsrx("doctor", "./app")
    equal(done.returncode, 1)
    assert b"not seen: libwsrx is not installed for x86_64-linux-musl\n" \
        in done.stdout and b"wsrx run" not in done.stdout, done.stdout
    done = bench.wsrx("run", "./app")
    assert done.stderr.startswith(b"wsrx: warning: ./app runs without libwsrx, which is not "
                                  b"installed for x86_64-linux-musl\n"), done.stderr
    compile_c(bench, "app", RECEIVES, "-Wl,-dynamic-linker,/system/bin/linker64")
    done = bench.wsrx("run", "./app")
    assert done.stderr.startswith(b"wsrx: warning: ./app runs without libwsrx, which there is not "
                                  b"for its loader, /system/bin/linker64\n"), done.stderr


@test
def a_program_with_address_sanitizer_runs(bench):
    """It ends at once if any library is loaded before its runtime."""
    compile_c(bench, "app", RECEIVES, "-fsanitize=address")
    done = bench.run(["./app"])
    assert b"ASan runtime does not come first" in done.stderr, done
    done = bench.wsrx("run", "./app")
    equal((done.returncode, done.stdout, done.stderr), (0, b"6", b""))
    done = bench.wsrx("doctor", "./app")
    assert b", with AddressSanitizer\n" in done.stdout, done.stdout
    line = re.search(rb"^Without wsrx: +(.*)$", done.stdout, re.M)[1].decode()
    typed = bench.run(["sh", "-c", line], library=False)
    equal((typed.stdout, typed.stderr), (b"6", b""), line)


@test
def a_windows_program_is_told(bench):
    # The two headers of a program for AMD64, as they begin.
    data = bytearray(128)
    data[:2] = b"MZ"
    data[0x3c] = 0x40
    data[0x40:0x46] = b"PE\0\0\x64\x86"
    with open(bench.path("app.exe"), "wb") as file:
        file.write(data)
    os.chmod(bench.path("app.exe"), 0o755)
    done = bench.wsrx("doctor", "./app.exe")
    equal(done.returncode, 0)
    assert b" wine run ./app.exe\n" in done.stdout, done.stdout
    done = bench.wsrx("run", "./app.exe")
    assert done.stderr.startswith(b"wsrx: warning: ./app.exe is a Windows program: wsrx wine run "
                                  b"runs it\n"), done.stderr


@test
def doctors_lines_can_be_typed(bench):
    for name in ("a b", "it's", "$(touch gone)", "\x1b[31m\\ red's", "ü;&"):
        shutil.copy(shutil.which("true"), bench.path(name))
        done = bench.wsrx("doctor", "./" + name)
        equal(done.returncode, 0, done.stderr)
        assert b"\x1b" not in done.stdout, done.stdout
        for what in ("Who loses what?", "Keep the tails:", "Without wsrx:"):
            line = re.search(rf"^{re.escape(what)} +(.*)$", done.stdout.decode(), re.M)[1]
            typed = bench.run([need("bash"), "--norc", "-c", line], library=False)
            equal(typed.returncode, 0, (line, typed.stderr))
            assert b"LD_PRELOAD cannot be preloaded" not in typed.stderr, typed.stderr
    assert not os.path.exists(bench.path("gone"))


@test
def names_do_not_reach_the_terminal_as_they_are(bench):
    hostile = "\x1b[31m<b>&\x9b\x07"
    os.mkdir(bench.path(hostile))
    shutil.copy(PYTHON, bench.path(f"{hostile}/{hostile}"))
    run = f"./{hostile}/{hostile}"
    done = bench.run([run, "-c", PRELUDE + "c.sendto(bytes(3000), to); s.recv(1000)"], TRACE="ring",
                     TRACE_FILE=f"{hostile}/ring", MODE="observe")
    equal(done.returncode, 0, done.stderr)
    ring = f"{hostile}/ring"
    shown = rb"\x1b[31m<b>&\xc2\x9b\x07"
    for argv in (["report", ring], ["report", "--diff", ring, ring], ["doctor", run],
                 ["stat", run, "-c", PRELUDE + "c.sendto(bytes(3000), to); s.recv(1000)"],
                 ["report", ring + "-"], ["convert", "--to=perfetto", ring],
                 ["run", run + "-"], [hostile],
                 ["report", "--" + hostile], ["report", "--html=-", ring]):
        done = bench.wsrx(*argv)
        said = done.stdout + done.stderr
        equal([bad for bad in (b"\x1b", b"\x07", b"\xc2\x9b") if bad in said], [], (argv, said))
        wanted = shown
        if argv[0] == "convert":
            wanted = shown.replace(b"\\", b"\\\\")
        elif "--html=-" in argv:
            wanted = shown.replace(b"<b>&", b"&lt;b&gt;&amp;")
        assert wanted in said, (argv, said)
    assert b"m<b>" not in said, "in a page it is no element either"


@test
def a_path_with_a_space_is_no_obstacle(bench):
    """The command and its library in such a directory; the program's children get it, too."""
    for folder in ("bin", "preload"):
        os.makedirs(bench.path("a space/" + folder))
    command = bench.path("a space/bin/wsrx")
    shutil.copy(bench.command, command)
    shutil.copy(os.path.join(os.path.dirname(bench.command), OTHERS), os.path.dirname(command))
    shutil.copy(os.path.realpath(bench.library), bench.path("a space/preload/libwsrx.so"))
    code = PRELUDE + "for i in range(2):\n" \
        "    c.sendto(bytes(3000), to); s.setblocking(False)\n" \
        "    print(len(s.recv(1000)), len(s.recv(9000)), flush=True)\n" \
        "    if i or os.fork(): os._exit(os.wait()[1] if not i else 0)\n" \
        "    os.execv(sys.executable, [sys.executable, '-c', 'import socket\\n' + CHILD])\n"
    child = "s, c = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n" \
        "c.send(bytes(9)); print(len(s.recv(4)), len(s.recv(9)))"
    done = bench.run([command, "run", PYTHON, "-c", f"CHILD = {child!r}\n" + code], library=False)
    equal((done.returncode, done.stdout, done.stderr), (0, b"1000 2000\n4 5\n", b""))
    said = bench.run([command, "doctor", PYTHON], library=False).stdout.decode()
    line = re.search("^Without wsrx: +(.*)$", said, re.M)[1]
    done = bench.run(["sh", "-c", line + ' -c "$0"', "import socket\n" + child], library=False)
    equal((done.returncode, done.stdout, done.stderr), (0, b"4 5\n", b""), line)


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
def who_installs_builds_no_tests(bench):
    source = os.path.join(os.path.dirname(sys.argv[4]), "meson.build")
    done = bench.run([need("meson"), "introspect", "--buildoptions", source], library=False)
    options = {option["name"]: option["value"] for option in json.loads(done.stdout)}
    equal((options["tests"], options["tools"]), ("disabled", "auto"))


@test
def run_loads_nothing_but_libc(bench):
    """It is paid for each program; 0.35 ms were for libraries that only other subcommands need."""
    environment = bench.environment(library=False)
    environment["LD_DEBUG"] = "files"
    done = subprocess.run([bench.command, "run", "--mode=off", "/nowhere/true"], env=environment,
                          capture_output=True, timeout=LIMIT, check=False)
    loaded = set(re.findall(rb"file=([^ ]+) \[0\];  generating link map", done.stderr))
    equal((done.returncode, loaded), (127, {b"libc.so.6"}))


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
    # What it needs for the other subcommands alone, it needs for them alone.
    equal(bench.run([found[0], "help"], library=False).returncode, 0)
    for place, _, names in os.walk(environment["DESTDIR"]):
        if OTHERS in names:
            os.unlink(os.path.join(place, OTHERS))
    equal(parts(found[0]).stdout, b"1000 2000 True\n")
    done = bench.run([found[0], "help"], library=False)
    if done.returncode == 0:
        raise Skip("another libwsrx is installed where this one would be")
    equal((done.returncode, done.stdout), (125, b""))
    assert re.match(b"wsrx: the file with this subcommand is not there: ", done.stderr), done.stderr
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
