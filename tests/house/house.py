# SPDX-License-Identifier: MIT
"""What the checks of the house share: the map of its wings, the sources, what was built, TAP.

The checks read sources and objects, or watch programs from outside. None of them changes anything.
"""

import json
import os
import re
import sys

# The wings, from the top. Whoever stands lower is never aware of whoever stands higher; those of
# one line do not know of each other. docs/architecture.md names the same ones.
LEVELS = (
    ("preload", "shim", "tools"),
    ("roof",),
    ("receive",),
    ("wait", "trace"),
    ("table",),
    ("fd",),
    ("ground",),
    ("base",),
)
# The files of core/ that stand in no folder.
ROOF = ("lifecycle", "settings.c")
GROUND = ("state", "settings", "wine_protocol")

# What the command may know of the core: the records, the ring, the settings, and their words.
FOR_TOOLS = {
    "base/strbuf.h",
    "settings.def",
    "settings.h",
    "trace/format.h",
    "trace/output_path.h",
    "trace/record.h",
    "trace/ring.h",
    "trace/module.h",
    "trace/stats.h",
}
# The public interface, which is for everybody.
PUBLIC = {"preload/wsrx.h"}


def wing(path):
    """The wing of a source of the library or the command: "core/fd/fd_class.c" -> "fd"."""
    top, _, rest = path.partition("/")
    if top != "core":
        return top
    if "/" in rest:
        return rest.partition("/")[0]
    stem = os.path.splitext(rest)[0]
    if rest in ROOF or stem in ROOF:
        return "roof"
    if stem in GROUND:
        return "ground"
    return f"core/{rest}, which has no wing"


def level(name):
    """How deep a wing lies; None: there is no such wing."""
    for depth, names in enumerate(LEVELS):
        if name in names:
            return depth
    return None


def sources(root, *folders, ends=(".c", ".h")):
    """The sources in these folders, as paths from the root."""
    found = []
    for folder in folders:
        for at, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(at, name), root)
                      for name in names if name.endswith(ends)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def circles(graph):
    """The sets of nodes that reach each other (Tarjan), larger than one."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


# What the objects of the product are called, by the beginnings of their paths in the build
# directory. The tests' and the benchmarks' own builds of the same sources do not count.
PRODUCT = (
    "core/libwsrx-core.a.p/",
    "preload/libwsrx.so",
    "shim/libwsrx-winsock.so",
    "shim/libwsrx-beneath.a.p/",
    "shim/unixlib/x86_64-unix/wsrx.so.p/",
    "tools/libwsrx-run.a.p/",
    "tools/wsrx.p/",
    "tools/wsrx-commands.so.p/",
)


def compilations(build):
    """One for each source of the product: (source from the root, its directory, its command)."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for beginning in PRODUCT:
        for entry in entries:
            if entry["output"].startswith(beginning):
                path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                found.setdefault(path, entry)
    return found


class Tap:
    """One line a case, in the Test Anything Protocol; what is wrong stands below it."""

    def __init__(self):
        self.count = self.failed = 0

    def case(self, name, wrong=(), todo=None):
        """Good if nothing is wrong. `todo`: why it is known to be wrong still."""
        self.count += 1
        self.failed += bool(wrong) != bool(todo)
        print(f"{'not ok' if wrong else 'ok'} {self.count} - {name}"
              + (f" # TODO {todo}" if todo else ""), flush=True)
        for line in wrong:
            for part in str(line).splitlines():
                print(f"# {part}", flush=True)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def end(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


def words(text):
    """The lines of a list that say something: "#" begins a remark."""
    for line in text.splitlines():
        line = re.sub(r"\s*#.*", "", line).strip()
        if line:
            yield line
