# SPDX-License-Identifier: MIT
"""An #include points down, or stays inside its wing.

Takes the root of the sources. The map of the wings is in house.py.
"""

import os
import re
import sys

import house

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def resolve(root, path, name):
    """The file that an #include of ours means: beside it, in core/, or the public interface; for the
    command's files, in tools/."""
    for folder in (os.path.dirname(path), "core", "preload",
                   *(["tools"] if path.startswith("tools/") else [])):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(os.path.join(root, candidate)):
            return candidate
    return None


def read_includes(root):
    """Source -> the files of ours that it includes; and what is included and not there."""
    found, missing = {}, []
    paths = house.sources(root, "core", "preload", "shim", "tools", ends=(".c", ".h", ".def"))
    for path in paths:
        found[path] = set()
        for name in INCLUDE.findall(house.read(root, path)):
            # Wine's own headers are named with <>; what a build makes is not in the sources.
            other = resolve(root, path, name)
            if other is None:
                missing.append(f'{path}: "{name}" is not there')
            else:
                found[path].add(other)
    return found, missing


def without_wing(includes):
    return [f"{path}: no wing (house.py)" for path in includes
            if house.level(house.wing(path)) is None]


def upward(includes):
    wrong = []
    for path, others in includes.items():
        mine = house.wing(path)
        for other in sorted(others):
            its = house.wing(other)
            if mine == its or mine in house.LEVELS[0]:
                continue
            if None in (house.level(mine), house.level(its)):
                continue  # told by without_wing()
            if house.level(its) <= house.level(mine):
                wrong.append(f"{path} ({mine}) includes {other} ({its}), which does not lie below")
    return wrong


def across_faces(includes):
    return [f"{path} includes {other}: another face"
            for path, others in includes.items() for other in sorted(others)
            if house.wing(path) in house.LEVELS[0] and house.wing(other) in house.LEVELS[0]
            and house.wing(path) != house.wing(other) and other not in house.PUBLIC]


def beyond_records(includes):
    return [f"{path} includes {other}: the command knows only {', '.join(sorted(house.FOR_TOOLS))}"
            for path, others in includes.items() for other in sorted(others)
            if path.startswith("tools/") and other.startswith("core/")
            and other[len("core/"):] not in house.FOR_TOOLS]


# The command's wings, from the top.
TOOL_LEVELS = (("",), ("commands",), ("formats",), ("input", "observe", "program"), ("util",))


def tool_wing(path):
    return os.path.dirname(path)[len("tools/"):]


def upward_in_the_command(includes):
    level = {name: number for number, names in enumerate(TOOL_LEVELS) for name in names}
    wrong = []
    for path, others in includes.items():
        if not path.startswith("tools/"):
            continue
        mine = tool_wing(path)
        if mine not in level:
            wrong.append(f"{path}: no wing (TOOL_LEVELS)")
            continue
        wrong += [f"{path} includes {other}, which does not lie below" for other in sorted(others)
                  if other.startswith("tools/") and tool_wing(other) != mine
                  and level.get(tool_wing(other), -1) <= level[mine]]
    return wrong


def in_circles(includes):
    """Heads alone: which files reach each other is a question to their objects (symbols.py)."""
    graph = {path: others for path, others in includes.items() if not path.endswith(".c")}
    return ["in a circle: " + ", ".join(circle) for circle in house.circles(graph)]


def not_documented(root):
    """The wings that docs/architecture.md does not name, and the folders that are no wing."""
    wings = [name for line in house.LEVELS for name in line if name not in ("roof", "ground")]
    folders = [name for name in os.listdir(os.path.join(root, "core"))
               if os.path.isdir(os.path.join(root, "core", name))]
    wrong = [f"core/{name} is a folder, and no wing (house.py)" for name in sorted(folders)
             if name not in wings]
    wrong += [f"core/{name} is a wing, and no folder" for name in wings
              if name not in house.LEVELS[0] and name not in folders]
    page = "docs/architecture.md"
    if os.path.exists(os.path.join(root, page)):
        text = house.read(root, page)
        wrong += [f"{page} does not name {name}/" for name in wings if f"{name}/" not in text]
    return wrong


def main():
    root = sys.argv[1]
    includes, missing = read_includes(root)
    tap = house.Tap()
    tap.case("every file that is included is there", missing)
    tap.case("every file has a wing", without_wing(includes))
    tap.case("includes point down, or stay inside their wing", upward(includes))
    tap.case("the faces and the command do not include each other", across_faces(includes))
    tap.case("the command knows the records, the ring and the settings", beyond_records(includes))
    tap.case("the command's includes point down, or stay inside their wing",
             upward_in_the_command(includes))
    tap.case("no heads include each other in a circle", in_circles(includes))
    tap.case("the wings are the folders, and docs/architecture.md names them",
             not_documented(root))
    tap.end()


main()
