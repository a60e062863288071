# SPDX-License-Identifier: MIT
"""Runs test programs on victims of another home: another processor's, or another C library's.

Takes the home's name, a file of what cannot be shown there, and the test programs. The tests are
this system's; what they start is named by WSRX_TEST_LIBRARY, WSRX_TEST_VICTIM, WSRX_TEST_WAITER and
WSRX_TEST_PROCESS_VICTIM, and by WSRX_TEST_EMULATOR what runs it. A test program of that home itself
(shim-..., or a unit test: test_...) is run so, too.
A line of the file is a home (a pattern), a test program, a case or a line that it says (a pattern),
and the reason: a case that fails there counts as skipped.

The last line is the count, as that of scripts/test. Exit status 1 if a case failed or none passed.
"""

import concurrent.futures
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

SECONDS = 240  # for one program
EMULATOR = os.environ.get("WSRX_TEST_EMULATOR", "").split()
CASE = re.compile(r"(not ok|ok)\b[ \d-]*(?P<name>.*?)\s*(?:# SKIP(?P<reason>.*))?$", re.I)


def limits(path, home):
    with open(path, encoding="ascii") as file:
        rows = [line.split(maxsplit=3) for line in file if line.strip() and line[0] != "#"]
    return [row[1:] for row in rows if fnmatch.fnmatchcase(home, row[0])]


def cases(program):
    """[(case, "passed" or "failed" or "skipped", what it said)]"""
    environment = dict(os.environ)
    if os.path.basename(program).startswith("process-"):
        environment["WSRX_TEST_VICTIM"] = os.environ["WSRX_TEST_PROCESS_VICTIM"]
    command = [program, "--tap"]
    if os.path.basename(program).startswith(("shim-", "test_")):
        command = [*EMULATOR, *command]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL, env=environment)
        out, ending = done.stdout, f"exit status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        out, ending = error.stdout or b"", f"not through after {SECONDS} s"
    found, planned = [], None
    for line in out.decode(errors="replace").splitlines():
        plan, case = re.match(r"1\.\.(\d+)", line), CASE.match(line)
        if plan:
            planned = int(plan.group(1))
        elif case and line.startswith("ok"):
            result = "passed" if case["reason"] is None else "skipped"
            found.append((case["name"], result, [(case["reason"] or "").strip()]))
        elif case:
            found.append((case["name"], "failed", []))
        elif found:
            found[-1][2].append(line.strip())
    if planned is None or len(found) != planned:
        found.append(("all", "failed", [f"{len(found)} cases of {planned}; {ending}"]))
    return found


def ring_case():
    """A ring that is written there, and read by this system's command (WSRX_TEST_TOOL)."""
    library, victim = os.environ["WSRX_TEST_LIBRARY"], os.environ["WSRX_TEST_VICTIM"]
    with tempfile.TemporaryDirectory(prefix="wsrx-home-") as directory:
        ring = os.path.join(directory, "a.ring")
        subprocess.run([*EMULATOR, victim, "udp4; send 3000; recv 1000; recv 5000"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60,
                       env={"LD_PRELOAD": library, "WSRX_TRACE": "ring", "WSRX_TRACE_FILE": ring})
        done = subprocess.run([os.environ["WSRX_TEST_TOOL"], "convert", "--to", "text", ring],
                              capture_output=True, timeout=60, check=False)
    out, said = done.stdout.decode(), done.stderr.decode()
    parts = [line.split(" = ")[1].split(" caller")[0] for line in out.splitlines()]
    good = done.returncode == 0 and said == "" and "127.0.0.1:" in out and parts == [
        "1000 of 3000 PARTIAL left 2000", "2000 of 3000 @1000 last"]
    return [("a ring is read, whatever its byte order and word size", "passed" if good else "failed",
             [f"exit status {done.returncode}", *out.splitlines(), *said.splitlines()])]


def main():
    home, path, programs = sys.argv[1], sys.argv[2], sys.argv[3:]
    known = limits(path, home)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(zip(programs, pool.map(cases, programs)))
        rows += [("ring", ring_case())] if "WSRX_TEST_TOOL" in os.environ else []
        for program, found in rows:
            name = os.path.basename(program)
            for case, result, said in found:
                reasons = [row[2].strip() for row in known
                           if row[0] == name and
                           any(fnmatch.fnmatchcase(text, row[1]) for text in (case, *said))]
                if result == "failed" and reasons:
                    result, said = "skipped", reasons[:1]
                counts[result] += 1
                if result != "passed":
                    print(f"{result}: {home}: {name}: {case} {said[0] if said else ''}".rstrip())
                if result == "failed":
                    print("".join(f"    {line}\n" for line in said[1:40]), end="")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] or not counts["passed"] else 0


sys.exit(main())
