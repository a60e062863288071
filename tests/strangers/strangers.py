# SPDX-License-Identifier: MIT
"""Programs of other people under /etc/ld.so.preload: each as without the library.

Takes the library, the directory of the system, the program `filter`, and the scripts. Each is run without the library and
with it, and once more for each line "# also: SETTINGS" in it; exit status and output must be the
same. A line "# in: the system outside, where the program is: NAME" runs it above the root of this
machine instead, if that has the program. What a script prints must not go by time, process id or chance: it sees to that.
"""

import concurrent.futures
import difflib
import os
import re
import shutil
import sys

from system import System, harness

ATTEMPTS = 3  # a program may do this or that by chance; what the library does, it does each time
WITHOUT = None


def read(script):
    with open(script, encoding="utf-8") as file:
        text = file.read()
    return text, ["", *re.findall(r"(?m)^# also: (.*)$", text)]


def where(text, directory):
    """The system that the script runs in, and why it cannot run there, or None."""
    outside = re.search(r"(?m)^# in: the system outside, where the program is: (.*)$", text)
    if not outside:
        return directory, System.missing(directory)
    if not shutil.which(outside.group(1)):
        return "/", f"no {outside.group(1)}"
    return "/", System.missing("/", wanted="etc")


def describe(before, after):
    lines = list(difflib.unified_diff(before[1].splitlines(), after[1].splitlines(),
                                      "without the library", "with it", lineterm="", n=2))
    return "\n".join([f"exit status {before[0]} without the library, {after[0]} with it", *lines[:80]])


class Comparison:
    """The runs of one script."""

    def __init__(self, system, text, helper):
        self.system, self.text, self.helper = system, text, helper

    def run(self, settings):
        if settings is WITHOUT:
            return self.system.run(self.text, library=False, files=[self.helper])
        return self.system.run(self.text, settings=settings, files=[self.helper])

    def wrong(self, pool, first, settings):
        """What is not as without the library, or None. `first`: the first run without it."""
        before = first
        for attempt in range(ATTEMPTS):
            after = self.run(settings)
            status, out = before.result()
            if status is None or not out:
                return f"fails without the library: {status} {out}"
            if (status, out) == after:
                return None
            if attempt < ATTEMPTS - 1:
                before = pool.submit(self.run, WITHOUT)
        return describe(before.result(), after)


def main():
    (library, directory, helper), scripts = sys.argv[1:4], sys.argv[4:]
    tap = harness.Tap()
    for script in scripts:
        name = os.path.basename(script)[:-3]
        text, settings = read(script)
        system, why = where(text, directory)
        if why:
            tap.skip(name, why)
            continue
        comparison = Comparison(System(library, system), text, helper)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(comparison.run, WITHOUT)
            for each in settings:
                wrong = comparison.wrong(pool, first, each)
                tap.case(wrong is None, f"{name} {each}".rstrip(), wrong)
    tap.end()


main()
