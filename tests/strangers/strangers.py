# SPDX-License-Identifier: MIT
"""Programs of other people under /etc/ld.so.preload: each as without the library.

Takes the library, the directory of the system, the program `filter`, and the scripts. Each is run without the library and
with it, and once more for each line "# also: SETTINGS" in it; exit status and output must be the
same. A line "# in: the system outside, where the program is: NAME" runs it above the root of this
machine instead, if that has the program; "# in: a machine that boots", in a virtual machine (only
where WSRX_TEST_LONG is set). What a script prints must not go by time, process id or chance: it sees
to that. What does is printed as "measured NAME VALUE", and "# at most: NAME MORE [for each OTHER]"
says how much more it may be with the library than without it (for each one of what OTHER has
measured there).
"""

import concurrent.futures
import difflib
import os
import re
import shutil
import sys

from booted import Booted
from system import System, harness

ATTEMPTS = 3  # a program may do this or that by chance; what the library does, it does each time
WITHOUT = None


def read(script):
    with open(script, encoding="utf-8") as file:
        text = file.read()
    return text, ["", *re.findall(r"(?m)^# also: (.*)$", text)]


def where(text, library, directory):
    """The system that the script runs in, and why it cannot run there, or None."""
    if "\n# in: a machine that boots\n" in text:
        if not os.environ.get("WSRX_TEST_LONG"):
            return None, "takes minutes of processor time for each boot: WSRX_TEST_LONG=1 runs it"
        return Booted(library, directory), Booted.missing(directory)
    outside = re.search(r"(?m)^# in: the system outside, where the program is: (.*)$", text)
    if not outside:
        return System(library, directory), System.missing(directory)
    if not shutil.which(outside.group(1)):
        return None, f"no {outside.group(1)}"
    return System(library, "/"), System.missing("/", wanted="etc")


def measured(out):
    return {name: int(value) for name, value in re.findall(r"(?m)^measured (\w+) (-?\d+)$", out)}


def same_part(out):
    return re.sub(r"(?m)^measured .*\n", "", out)


def too_much(text, without, with_it):
    """What is above its bound, a line each."""
    found = []
    for name, more, each in re.findall(r"(?m)^# at most: (\w+) (\d+)(?: for each (\w+))?$", text):
        most = int(more) * (with_it.get(each, 0) if each else 1)
        if name not in without or name not in with_it:
            found.append(f"{name} was not measured")
        elif with_it[name] - without[name] > most:
            found.append(f"{name}: {without[name]} without the library, {with_it[name]} with it: "
                         f"more than {most} more")
    return found


def describe(before, after):
    lines = list(difflib.unified_diff(before[1].splitlines(), after[1].splitlines(),
                                      "without the library", "with it", lineterm="", n=2))
    return "\n".join([f"exit status {before[0]} without the library, {after[0]} with it", *lines[:80]])


class Comparison:
    """The runs of one script."""

    def __init__(self, system, text, helper):
        self.system, self.text, self.helper = system, text, helper

    def run(self, settings, again=False):
        if again and isinstance(self.system, Booted):
            self.system.forget(settings is not WITHOUT, settings or "")
        return self.system.run(self.text, settings is not WITHOUT, settings or "", [self.helper])

    def wrong(self, pool, first, settings):
        """What is not as without the library, or None. `first`: the first run without it."""
        before = first
        booted = isinstance(self.system, Booted)
        attempts = ATTEMPTS - 1 if booted else ATTEMPTS
        if booted:
            before.result()  # which says how long each may take
        for attempt in range(attempts):
            after = self.run(settings, again=attempt > 0)
            status, out = before.result()
            if status is None or not out:
                return f"fails without the library: {status} {out}"
            over = too_much(self.text, measured(out), measured(after[1]))
            if (status, same_part(out)) == (after[0], same_part(after[1])) and not over:
                return None
            if attempt < attempts - 1:
                before = pool.submit(self.run, WITHOUT, again=True)
        if booted:
            self.system.forget(True, settings)
        return "\n".join([describe(before.result(), after), *over])


def main():
    (library, directory, helper), scripts = sys.argv[1:4], sys.argv[4:]
    tap = harness.Tap()
    for script in scripts:
        name = os.path.basename(script)[:-3]
        text, settings = read(script)
        system, why = where(text, library, directory)
        if why:
            tap.skip(name, why)
            continue
        comparison = Comparison(system, text, helper)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(comparison.run, WITHOUT)
            for each in settings:
                wrong = comparison.wrong(pool, first, each)
                tap.case(wrong is None, f"{name} {each}".rstrip(), wrong)
    tap.end()


main()
