# SPDX-License-Identifier: MIT
"""No call takes more than 2 KiB of stack more with the library than without it.

(stack.c says how many in this build.)

And each runs in a thread of 16 KiB and on a signal stack of 8 KiB (small_stacks.c).

Takes the root of the sources and of the build, the library, and the programs stack and small_stacks.
"""

import os
import subprocess
import sys
import tempfile

import house

SETTINGS = (
    {},
    {"CALLS": "all"},
    {"MODE": "error"},
    {"MODE": "observe"},
    {"MODE": "off"},
    {"HOLD": "kernel", "CALLS": "all"},
    {"HOLD_MAX": "4K"},
    {"TABLE": "@/table"},
    {"SOCKETS": "udp,!port=1"},
    {"STATS": "@/stats"},
    {"TRACE": "text", "TRACE_FILE": "@/%p.txt"},
    {"TRACE": "text"},
    {"TRACE": "jsonl", "TRACE_FILE": "@/%p.jsonl", "TRACE_DATA": "64"},
    {"TRACE": "ring", "TRACE_FILE": "@/%p.ring"},
)


def lines(program, library, settings):
    """What the program prints."""
    with tempfile.TemporaryDirectory(prefix="wsrx-house-") as place:
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("WSRX_", "LD_"))}
        environment |= {f"WSRX_{key}": value.replace("@", place) for key, value in settings.items()}
        if library:
            environment["LD_PRELOAD"] = library
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60,
                              check=True)
    return done.stdout.splitlines()


def depths(program, library, settings):
    """What is done -> bytes of stack, the most that it took."""
    found = {}
    for line in lines(program, library, settings):
        name, _, depth = line.rpartition(" ")
        found[name] = max(found.get(name, 0), int(depth))
    return found


def main():
    library, program, small = (os.path.abspath(path) for path in sys.argv[3:6])
    assert os.path.exists(library), library
    tap = house.Tap()
    alone = depths(program, None, {})
    most = alone["most"]
    for settings in SETTINGS:
        words = "".join(f" {key}={value}" for key, value in settings.items()) or " no settings"
        deeper = {name: depth - min(depth, alone.get(name, 0))
                  for name, depth in depths(program, library, settings).items() if name != "most"}
        wrong = [f"{name}: {more} bytes more than without the library"
                 for name, more in sorted(deeper.items(), key=lambda one: -one[1]) if more > most]
        if not deeper:
            wrong = ["nothing was measured"]
        tap.case(f"at most {most} bytes of stack:{words} ({max(deeper.values(), default=0)} bytes)", wrong)
    alone = lines(small, None, {})
    for settings in SETTINGS:
        words = "".join(f" {key}={value}" for key, value in settings.items()) or " no settings"
        found = lines(small, library, settings)
        tap.case(f"every call on a small stack:{words}",
                 [f"{with_it} (without the library: {without})"
                  for without, with_it in zip(alone, found) if without != with_it]
                 or ([] if len(found) == len(alone) > 0 else ["not all were made"]))
    tap.end()


main()
