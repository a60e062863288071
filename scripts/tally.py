# SPDX-License-Identifier: MIT
"""Counts test cases from the results that `meson test` leaves.

Takes the paths of testlog.json (one object a test program: how it ended as a whole) and of
testlog.junit.xml (the cases inside each program that speaks TAP). A program without cases counts
as one. A program that failed although none of its cases did (it crashed, or timed out) counts as
one more failed case. Meson's own XML cannot serve alone: it leaves out that a program timed out.

Prints the skipped and the failed ones, and as its last line "N passed, N failed, N skipped".
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


def main():
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
            if result != "passed":
                print(f"{result}: {name}: {case} {explanation}".rstrip())

        if outcome == "SKIP" and not inside:
            counts["skipped"] += 1
            last = (program.get("stdout") or "").strip().rpartition("\n")[2]
            print(f"skipped: {name} {last}".rstrip())
        elif outcome in GOOD and not inside:
            counts["passed"] += 1
        elif outcome not in GOOD and outcome != "SKIP" and "failed" not in results:
            counts["failed"] += 1
            print(f"failed: {name} ({outcome}, exit status {program['returncode']})")

    if cases:
        sys.exit(f"tally: cases of no known program: {', '.join(cases)}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
