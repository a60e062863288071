# SPDX-License-Identifier: MIT
"""The libraries have the interface that was recorded, by abidiff(1).

Arguments: the directory of the records, and the libraries. A record is made anew, where an interface
is to change, by `python3 tests/abi/abi.py --record tests/abi LIBRARY...`, of a build on x86-64.
"""

import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

OPTIONS = ("--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--type-id-style", "hash")


def smaller(record):
    """Without what is hidden: variables, and the types that nothing refers to then."""
    tree = ElementTree.fromstring(record)
    for part in tree.findall("abi-instr"):
        for each in part.findall("var-decl"):
            part.remove(each)
        for each in part.findall("function-decl"):
            if not re.match("wsrx_|WSA", each.get("name")):
                part.remove(each)
    while True:
        used = {each.get(key) for each in tree.iter() for key in ("type-id", "naming-typedef-id",
                                                                  "def-of-decl-id")}
        unused = [(part, each) for part in tree.findall("abi-instr") for each in part
                  if each.get("id") and each.get("id") not in used]
        for part, each in unused:
            part.remove(each)
        if not unused:
            break
    for part in tree.findall("abi-instr"):
        if not len(part):
            tree.remove(part)
    # abidiff knows a record by its first bytes.
    return ElementTree.tostring(tree) + b"\n<!-- SPDX-License-Identifier: MIT -->\n"


def main():
    recording = sys.argv[1] == "--record"
    directory, *libraries = sys.argv[2 if recording else 1:]
    suppressions = ["--suppressions", os.path.join(directory, "public.suppr")]
    for number, library in enumerate(libraries, 1):
        name = os.path.basename(library).partition(".so")[0]
        record = os.path.join(directory, name + ".abi")
        if recording:
            made = subprocess.run(["abidw", *suppressions, *OPTIONS, library], check=True,
                                  stdout=subprocess.PIPE).stdout
            with open(record, "wb") as file:
                file.write(smaller(made))
            continue
        case = f"{number} - {name} has the recorded interface"
        if not shutil.which("abidiff"):
            print(f"ok {case} # SKIP no abidiff (Debian: abigail-tools)")
            continue
        done = subprocess.run(["abidiff", *suppressions, record, library], capture_output=True,
                              check=False)
        print(f"{'not ok' if done.returncode else 'ok'} {case}")
        for line in (done.stdout + done.stderr).decode().splitlines() if done.returncode else ():
            print(f"# {line}")
    print(f"1..{len(libraries)}")


main()
