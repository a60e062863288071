# SPDX-License-Identifier: MIT
"""What the observer costs a receive that loses nothing, in instructions, on Debian's kernel in a guest
(which takes some minutes): python3 tests/observe/instructions.py build/tools/wsrx build/tests/observe
build-guest, as root."""

import os
import sys

from guest import Guest


def main():
    command, directory, kernel = (os.path.abspath(word) for word in sys.argv[1:4])
    guest = Guest(kernel, os.path.join(directory, "guest-init"), counts=True)
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        guest.run(["/usr/bin/python3", "-B", os.path.join(here, "cost.py"), command, directory, "3",
                   "instructions"], lambda line: print(line, flush=True))
    finally:
        guest.remove()


main()
