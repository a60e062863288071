# SPDX-License-Identifier: MIT
"""Counts test cases from the results that `meson test` leaves.

Takes the paths of testlog.json (one object a test program: how it ended as a whole) and of
testlog.junit.xml (the cases inside each program that speaks TAP). A program without cases counts
as one. A program that failed although none of its cases did (it crashed, or timed out) counts as
one more failed case. Meson's own XML cannot serve alone: it leaves out that a program timed out.

A third argument is the last line of another run, and is added: "N passed, N failed, N skipped".

Prints the skipped and the failed ones with what they said (Meson does not show what a program
that speaks TAP said), and as its last line "N passed, N failed, N skipped".
Exit status 1 if one failed or none passed.
"""

import collections
import json
import re
import sys
import xml.etree.ElementTree

# Test output may hold bytes that XML does not allow, and Meson writes them all the same.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
GOOD = ("OK", "EXPECTEDFAIL")
LINES_MOST = 200  # of what one program said


def cases_by_program(path):
    """Program -> [(case, "passed" or "failed" or "skipped", explanation)]."""
    with open(path, encoding="utf-8", errors="replace") as file:
        root = xml.etree.ElementTree.fromstring(NOT_XML.sub("?", file.read()).encode())
    found = collections.defaultdict(list)
    for case in root.iter("testcase"):
        # The class is "project.program" for a case inside a program, "project" for all others.
        program = case.get("classname", "").partition(".")[2]
        if not program:
            continue
        result = "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            result = "failed"
        elif case.find("skipped") is not None:
            result = "skipped"
        found[program].append((case.get("name"), result, case.findtext("system-out") or ""))
    return found


def said_by_failures(program):
    """The "not ok" lines of a program's output, each with the comments above it and all below it."""
    said, before, inside = [], [], False
    for line in (program.get("stdout") or "").splitlines():
        if re.match(r"(not )?ok\b", line):
            inside = line.startswith("not") and not re.search(r"# (TODO|SKIP)\b", line, re.I)
            said += before if inside else []
            before = []
        before = [*before, line] if line.startswith("#") and not inside else []
        if inside:
            said.append(line)
    if not said:  # it has ended before it could tell
        said = f"{program.get('stdout') or ''}\n{program.get('stderr') or ''}".splitlines()
    said = [line for line in said if line.strip()]
    if len(said) > LINES_MOST:  # a sanitizer says the cause first, a crash comes last
        said[LINES_MOST // 2 : -LINES_MOST // 2] = ["[...]"]
    return said


def main():
    sys.stdout.reconfigure(errors="replace")
    cases = cases_by_program(sys.argv[2])
    counts = collections.Counter()
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        programs = [json.loads(line) for line in file if line.strip()]

    for program in programs:
        inside = cases.pop(program["name"], [])
        # Where there are suites, Meson puts "project:suite / " before the name.
        name, outcome = program["name"].rpartition(" / ")[2], program["result"]
        results = [result for _, result, _ in inside]
        counts.update(results)
        for case, result, explanation in inside:
            if result == "skipped":
                print(f"skipped: {name}: {case} {explanation}".rstrip())
        if outcome not in GOOD and outcome != "SKIP":
            print(f"failed: {name} ({outcome}, exit status {program['returncode']})")
            print("".join(f"    {line}\n" for line in said_by_failures(program)), end="")

        if outcome == "SKIP" and not inside:
            counts["skipped"] += 1
            last = (program.get("stdout") or "").strip().rpartition("\n")[2]
            print(f"skipped: {name} {last}".rstrip())
        elif outcome in GOOD and not inside:
            counts["passed"] += 1
        elif outcome not in GOOD and outcome != "SKIP" and "failed" not in results:
            counts["failed"] += 1

    for last in sys.argv[3:]:
        elsewhere = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
        if elsewhere:
            for kind, count in zip(("passed", "failed", "skipped"), elsewhere.groups()):
                counts[kind] += int(count)
        else:  # it has not come to its count
            print(f"failed: another run ended by: {last}")
            counts["failed"] += 1

    if cases:  # then the two files are not of one run
        sys.exit(f"tally: cases of no known program: {', '.join(cases)}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
