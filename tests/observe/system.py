# SPDX-License-Identifier: MIT
"""Runs the tests of inside.py in a guest, and passes their results on.

Takes the library, the command, guest-init, the directory of get-guest, the program uring, and where
the tests' shared modules are. More arguments go to inside.py (--only=WORD).
"""

import os
import re
import sys

from guest import Guest, Missing
from harness import Tap

RESULT = re.compile(r"(?:not )?ok \d+ - |#|1\.\.\d+$")


def main():
    library, command, init, directory, *rest = sys.argv[1:]
    try:
        guest = Guest(os.path.abspath(directory), os.path.abspath(init))
    except Missing as why:
        tap = Tap()
        tap.skip("the observer", str(why))
        tap.end()
        return
    ended = []

    def take(line):
        if RESULT.match(line):
            print(line, flush=True)
            ended.extend([line] if line.startswith("1..") else [])
        elif line:
            print("#", line, flush=True)

    try:
        here = os.path.dirname(os.path.abspath(__file__))
        guest.run(["/usr/bin/env", f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}",
                   "/usr/bin/python3", "-B", os.path.join(here, "inside.py"),
                   *(os.path.abspath(path) for path in (library, command)),
                   *(word if word.startswith("--") else os.path.abspath(word) for word in rest)],
                  take)
        if not ended:
            print("Bail out! the guest did not come to the end of the tests")
            for line in guest.said().splitlines()[-40:]:
                print("#", line)
    finally:
        guest.remove()


main()
