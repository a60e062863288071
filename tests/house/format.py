# SPDX-License-Identifier: MIT
"""The sources are laid out as .clang-format says.

Takes the root of the sources. Later versions of clang-format lay out some things otherwise, so it
is version 14 that decides.
"""

import re
import shutil
import subprocess
import sys

import house

VERSION = "14"
# The folders that are in form. What comes here once stays here.
FOLDERS = ("core", "preload", "shim", "tools", "tests", "examples")


def clang_format():
    """The program, or why it cannot decide."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if not program:
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        version = re.search(r"version (\d+)", said.stdout)
        if version and version.group(1) == VERSION:
            return program, ""
    return None, f"no clang-format {VERSION}"


def main():
    root = sys.argv[1]
    tap = house.Tap()
    program, reason = clang_format()
    for folder in FOLDERS:
        name = f"{folder}/ is laid out as .clang-format has it"
        paths = house.sources(root, folder)
        if not paths:
            continue
        if not program:
            tap.skip(name, reason)
            continue
        done = subprocess.run([program, "--dry-run", *paths], cwd=root, capture_output=True,
                              text=True, check=False)
        places = re.findall(r"^(\S+:\d+):\d+: (?:warning|error)", done.stderr, re.M)
        wrong = sorted(set(places), key=places.index)
        if wrong:
            wrong.append(f"clang-format-{VERSION} -i lays it out")
        tap.case(name, wrong or done.stderr.splitlines())
    tap.end()


main()
