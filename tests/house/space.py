# SPDX-License-Identifier: MIT
"""A program that loses nothing takes at most 1 MiB of address space and 300 KiB of memory more, and
its fork with a message socket at most 3 MiB of address space: the table that the two share, with room
for a message of 1 MiB.

A host with vm.overcommit_memory=2 counts what could be written to (VmData, and the table that a fork
shares), whether it is touched or not; so VmData stands for that setting, which is the whole machine's.

Takes the root of the sources and of the build, the library, and the program space.
"""

import os
import subprocess
import sys

import house

RUNS = 20  # where the mappings lie is chance, and so is how many pages a fault brings: the least counts
MEBIBYTE, RESIDENT = 1024, 300


def measure(program, library, settings):
    """When -> the least of each of its numbers."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(("WSRX_", "LD_"))} | settings
    if library:
        environment["LD_PRELOAD"] = library
    found = {}
    for _ in range(RUNS):
        out = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60,
                             check=True).stdout
        for when, *numbers in map(str.split, out.splitlines()):
            found[when] = [min(pair) for pair in zip(map(int, numbers), found.get(when, [1 << 40] * 3))]
    return found


COUNTED = 640  # KiB that a start takes of what may be promised: the library's zeroed data


def main():
    library, program = (os.path.abspath(path) for path in sys.argv[3:5])
    tap = house.Tap()
    alone = measure(program, None, {})
    for settings in ({}, {"WSRX_MODE": "off"}):
        more = {when: [number - other for number, other in zip(numbers, alone[when])]
                for when, numbers in measure(program, library, settings).items()}
        words = " ".join(f"{key}={value}" for key, value in settings.items()) or "no settings"
        size, data, resident = more["start"]
        tap.case(f"{words}: a start takes {size} KiB of space, {data} of it counted, {resident} of memory",
                 [f"more than {most}: {number}" for number, most in
                  ((size, MEBIBYTE), (data, COUNTED), (resident, RESIDENT)) if number > most])
        for when in "child", "forked":
            again = more[when][0] - size
            most = 0 if settings else 3 * MEBIBYTE
            tap.case(f"{words}: {when}: {again} KiB of space more than at the start",
                     [f"more than {most}"] if again > most else [])
            tap.case(f"{words}: {when}: {more[when][2]} KiB of memory more than without the library",
                     [f"more than {RESIDENT}"] if more[when][2] > RESIDENT else [])
    tap.end()


main()
