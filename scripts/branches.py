# SPDX-License-Identifier: MIT
"""What gcov counted of core/, against docs/coverage.md.

Takes the root of the sources, the build directory, and a directory for the records. The page names
each branch that no test takes; a branch stands there by its file, its function and the text of its
line, so that it stays true when lines move. Prints a table, a line or branch of each wing; then what
the page does not name, in its own form, and what it names though it is taken now. Exit status 1 if a
branch is not named. --all: every uncovered branch, in the form of the page.
"""

import collections
import json
import os
import re
import subprocess
import sys

ROW = re.compile(r"^    ( ?\d+) of ( ?\d+)  (.*)$")
PLACE = re.compile(r"^(core/\S+): (\S+)$")


def gcov(build, work):
    """What gcov says of each object of the core and of the preload (which has the core's inline
    functions)."""
    data = sorted(os.path.join(folder, name)
                  for wing in ("core", "preload")
                  for folder, _, names in os.walk(os.path.join(build, wing))
                  for name in names if name.endswith(".gcda"))
    out = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", *data],
                         capture_output=True, text=True, check=True, cwd=work).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


class Line:
    """A line in one function: how often it ran, and each of its branches."""

    def __init__(self):
        self.count, self.branches = 0, []

    def add(self, count, branches):
        self.count += count
        if len(branches) > len(self.branches):
            self.branches += [0] * (len(branches) - len(self.branches))
        for i, taken in enumerate(branches):
            self.branches[i] += taken


def copies(lines):
    """gcov does not say which function a line was in that is always inline: it has the branches of
    each copy one behind the other. How many copies there are: the shortest has one condition."""
    lengths = [len(line["branches"]) for line in lines
               if line["branches"] and "function_name" not in line]
    return max(min(lengths, default=2) // 2, 1)


def collect(reports, top):
    """(file, line) -> Line, and (file, line) -> function."""
    found, functions = collections.defaultdict(Line), {}
    for report in reports:
        for file in report["files"]:
            path = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]),
                                   top)
            if not path.startswith("core/"):
                continue
            count = copies(file["lines"])
            for line in file["lines"]:
                at = path, line["line_number"]
                taken = [branch["count"] for branch in line["branches"]]
                if "function_name" not in line and len(taken) % count == 0:
                    size = len(taken) // count
                    for i in range(count):
                        found[at].add(line["count"], taken[i * size:(i + 1) * size])
                else:
                    found[at].add(line["count"], taken)
                if "function_name" in line:
                    functions[at] = line["function_name"]
    return found, functions


class Sources:
    def __init__(self, top):
        self.top, self.lines = top, {}

    def __call__(self, path, number):
        if path not in self.lines:
            with open(os.path.join(self.top, path), encoding="utf-8") as file:
                self.lines[path] = file.read().split("\n")
        return self.lines[path][number - 1]

    def function(self, path, number):
        """The last line before it that begins a function."""
        while number > 0:
            text = self(path, number)
            match = re.match(r"^(?!\W|typedef|struct \w+ \{)[^;={]*?(\w+)\(", text)
            if match and match[1] not in ("__attribute__",):
                return match[1]
            number -= 1
        return "?"


def table(found):
    wings = collections.defaultdict(lambda: [0] * 4)
    for (path, _), line in found.items():
        parts = path.split("/")
        for name in ("core/" + parts[1] if len(parts) > 2 else "core", "all"):
            row = wings[name]
            row[0] += line.count > 0
            row[1] += 1
            row[2] += sum(taken > 0 for taken in line.branches)
            row[3] += len(line.branches)
    print("| wing | lines | | branches | |\n| --- | --- | --- | --- | --- |")
    for name in sorted(wings, key=lambda name: (name == "all", name)):
        lines, of_lines, branches, of_branches = wings[name]
        print(f"| {name} | {lines} of {of_lines} | {100 * lines / of_lines:.1f} % "
              f"| {branches} of {of_branches} | {100 * branches / of_branches:.1f} % |")


def uncovered(found, functions, sources):
    """(file, function, text) -> [uncovered, all]"""
    keys = {}
    for (path, number), line in sorted(found.items()):
        missing = sum(taken <= 0 for taken in line.branches)
        if line.branches:
            text = " ".join(sources(path, number).split())
            name = functions.get((path, number)) or sources.function(path, number)
            row = keys.setdefault((path, name, text), [0, 0])
            row[0] += missing
            row[1] += len(line.branches)
    return keys


def named(page):
    """What the page names, in the same form."""
    keys, place = {}, None
    with open(page, encoding="utf-8") as file:
        for line in file:
            match = PLACE.match(line)
            if match:
                place = match[1], match[2]
            match = ROW.match(line.rstrip("\n"))
            if match and place:
                row = keys.setdefault((*place, match[3]), [0, 0])
                row[0] += int(match[1])
                row[1] += int(match[2])
    return keys


def show(keys):
    place = None
    for (path, function, text), (missing, count) in keys.items():
        if place != (path, function):
            place = path, function
            print(f"{path}: {function}")
        print(f"    {missing:2} of {count:2}  {text}")


def main():
    top, build, work = map(os.path.abspath, sys.argv[1:4])
    found, functions = collect(gcov(build, work), top)
    keys = uncovered(found, functions, Sources(top))
    if "--all" in sys.argv:
        show({key: row for key, row in keys.items() if row[0]})
        return 0
    table(found)
    page = named(os.path.join(top, "docs", "coverage.md"))
    news = {key: row for key, row in keys.items() if row[0] > page.get(key, [0, 0])[0]}
    gone = {key: row for key, row in page.items() if keys.get(key, [0, 0])[0] == 0}
    if gone:
        print("\nNamed in docs/coverage.md, and taken now, or no longer there:\n")
        show(gone)
    if news:
        print("\nNot taken, and not (or not as often) in docs/coverage.md:\n")
        show(news)
    total = sum(row[0] for row in keys.values())
    print(f"\n{total} branches are not taken; {len(page)} lines are named in docs/coverage.md")
    return 1 if news else 0


if __name__ == "__main__":
    sys.exit(main())
