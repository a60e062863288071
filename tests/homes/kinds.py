# SPDX-License-Identifier: MIT
"""`wsrx run` takes the library that fits the program: its processor, word size and C library.

Arguments: the library, the command, the victim, the library directory below a prefix, and for each
other kind its name, its library and its victim. All are installed side by side below a prefix here.
"""

import os
import shutil
import sys

from harness import Bench, equal, run_tests, Skip, test

TRANSCRIPT = "udp4; send 3000; recv 1000; recv 5000 dontwait"
WITHOUT = b"udp4\nsend 3000\nrecv 1000 -> 1000 m1[0..999]\nrecv 5000 dontwait -> -1 EAGAIN\n"
WITH = WITHOUT.replace(b"-1 EAGAIN", b"2000 m1[1000..2999]")
NAME = "libwsrx.so.0"


def others():
    words = sys.argv[5:]
    if not words:
        raise Skip("nothing of another kind was built")
    return [(words[at], *map(os.path.abspath, words[at + 1:at + 3]))
            for at in range(0, len(words), 3)]


def install(bench, *kinds):
    """The command as installed, with these kinds beside its own."""
    libraries = os.path.join("prefix", sys.argv[4])
    beside = os.path.dirname(libraries) if libraries.endswith("-linux-gnu") else libraries
    shutil.rmtree(bench.path("prefix"), ignore_errors=True)
    for directory in ("prefix/bin", libraries):
        os.makedirs(bench.path(directory))
    shutil.copy(bench.command, bench.path("prefix/bin/wsrx"))
    shutil.copy(bench.library, bench.path(os.path.join(libraries, NAME)))
    os.makedirs(bench.path(os.path.join(libraries, "wsrx")))
    shutil.copy(os.path.join(os.path.dirname(bench.command), "wsrx-commands.so"),
                bench.path(os.path.join(libraries, "wsrx")))
    for kind, library in kinds:
        os.makedirs(bench.path(os.path.join(beside, kind)), exist_ok=True)
        shutil.copy(library, bench.path(os.path.join(beside, kind, NAME)))
    return bench.path("prefix/bin/wsrx")


def run(bench, command, *argv):
    return bench.run([command, "run", *argv], library=False)


@test
def each_program_gets_the_library_of_its_kind(bench):
    command = install(bench, *[(kind, library) for kind, library, _ in others()])
    for victim in [os.path.abspath(sys.argv[3]), *[victim for _, _, victim in others()]]:
        done = run(bench, command, victim, TRANSCRIPT)
        equal((done.returncode, done.stdout, done.stderr), (0, WITH, b""), victim)


@test
def a_script_gets_that_of_its_interpreter(bench):
    command = install(bench, *[(kind, library) for kind, library, _ in others()])
    for _, _, victim in others():
        shutil.copy(victim, bench.path("victim"))
        with open(bench.path("script"), "w", encoding="ascii") as file:
            file.write(f"#!{bench.path('victim')}\n")  # which does not know "./script"
        os.chmod(bench.path("script"), 0o755)
        done = run(bench, command, "./script")
        assert done.stderr.startswith(b"victim: unknown"), done.stderr
        done = run(bench, install(bench), "./script")
        assert done.stderr.startswith(b"wsrx: warning: ./script runs without libwsrx"), done.stderr
        command = install(bench, *[(kind, library) for kind, library, _ in others()])


@test
def without_it_one_line_says_so(bench):
    command = install(bench)
    for kind, _, victim in others():
        done = run(bench, command, victim, TRANSCRIPT)
        equal((done.returncode, done.stdout), (0, WITHOUT), victim)
        equal(done.stderr.decode(), f"wsrx: warning: {victim} runs without libwsrx, which is not "
                                    f"installed for {kind}\n")
        done = bench.run([command, "doctor", victim], library=False)
        equal(done.returncode, 1)
        assert f"  not seen: libwsrx is not installed for {kind}\n" in done.stdout.decode(), done


@test
def one_of_another_kind_in_its_place_is_not_taken(bench):
    command = install(bench, *[(kind, bench.library) for kind, _, _ in others()])
    for kind, _, victim in others():
        done = run(bench, command, victim, TRANSCRIPT)
        equal((done.returncode, done.stdout), (0, WITHOUT), victim)
        equal(done.stderr.count(b"\n"), 1, done.stderr)
        assert f"not installed for {kind}\n" in done.stderr.decode(), done.stderr


@test
def what_it_starts_gets_that_of_its_own_kind(bench):
    """By the loader's $LIB: as far as it is glibc's."""
    if not sys.argv[4].endswith("lib/x86_64-linux-gnu"):
        raise Skip(f"libraries are in {sys.argv[4]}")
    command = install(bench, *[(kind, library) for kind, library, _ in others()])
    for kind, _, victim in others():
        done = run(bench, command, "/bin/sh", "-c", f'{victim} "{TRANSCRIPT}"')
        # A file with tails is of one word size; the 32-bit program says so.
        assert done.returncode == 0 and (not done.stderr or (
            kind.startswith("i386-") and b"is no fragment table" in done.stderr)), done
        equal(done.stdout, WITHOUT if kind.endswith("-musl") else WITH, victim)
        if not kind.endswith("-musl"):
            done = run(bench, command, victim, TRANSCRIPT)
            equal((done.stdout, done.stderr), (WITH, b""), victim)


def call(function):
    # Not harness.main(): it takes every argument for a path.
    bench = Bench(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    try:
        function(bench)
    finally:
        shutil.rmtree(bench.directory, ignore_errors=True)


sys.exit(run_tests(call))
