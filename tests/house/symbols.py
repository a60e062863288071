# SPDX-License-Identifier: MIT
"""The core goes to the kernel by base/sys.h alone, and never to the library's own wrappers.

Takes the root of the sources and that of the build. What the core may have of libc is listed in
libc-names, beside this file. The objects are asked, not the sources: a macro hides nothing.
"""

import os
import re
import subprocess
import sys

import house

# Files of one wing that reach each other. Each stands here with its reason; there may be fewer.
CIRCLES = (
    # The table's lists, and what repairs, separates and backs them, are one concept in four files.
    {"table/backing", "table/links", "table/separate", "table/sweep"},
    # A traced receive is an ordinary one inside; the hold that must know what it did counts it.
    {"receive/hold_peek_offset", "receive/receive", "receive/traced"},
)

FORTIFIED = re.compile(r"^__(.*)_chk$")
# Not names of libc: the linker's, and those that tools put in (the last one: a fortified FD_SET()).
NOBODYS = re.compile(r"^(_GLOBAL_OFFSET_TABLE_|__stack_chk_.*|__gcov_.*|llvm_gcda_.*|"
                     r"__tls_get_addr|__fdelt_chk)$")


class Objects:
    """Object -> what it defines for others, what it refers to."""

    def __init__(self, root, build):
        self.defines, self.refers = {}, {}
        for path, entry in house.compilations(build).items():
            name = os.path.relpath(path, root)
            if name.startswith("core/") and "libwsrx-core.a.p" in entry["output"]:
                self.ask(name[len("core/"):-len(".c")],
                         os.path.join(entry["directory"], entry["output"]))

    def ask(self, name, path):
        done = subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True)
        self.defines[name], self.refers[name] = set(), set()
        for line in done.stdout.splitlines():
            symbol, kind = line.split()[:2]
            if kind in "Uwv":
                self.refers[name].add(symbol)
            elif kind.isupper():
                self.defines[name].add(symbol)

    def graph(self):
        """Object -> those that it refers to."""
        where = {symbol: name for name, symbols in self.defines.items() for symbol in symbols}
        return {name: {where[symbol] for symbol in symbols if symbol in where} - {name}
                for name, symbols in self.refers.items()}

    def beyond(self, name):
        """The names that an object has from outside the core."""
        ours = set().union(*self.defines.values())
        return {FORTIFIED.sub(r"\1", symbol) for symbol in self.refers[name] - ours
                if not NOBODYS.match(symbol)}


def interposed(root):
    names = re.findall(r"^CALL\([^,]*, (\w+),", house.read(root, "preload/calls.def"), re.M)
    assert len(names) > 50, "calls.def is not as this test reads it"
    return set(names)


def shown_by_preload(build):
    """What the objects of preload/ define for the dynamic linker, as INTERPOSED or .globl does.

    The version script is made from calls.def: a name that is not there becomes local when the
    library is linked, and interposes nothing. So the objects are read, and not the library.
    """
    shown = set()
    for entry in house.compilations(build).values():
        if entry["output"].startswith("preload/"):
            done = subprocess.run(["readelf", "-sW",
                                   os.path.join(entry["directory"], entry["output"])],
                                  capture_output=True, text=True, check=True)
            shown.update(re.findall(r"(?:GLOBAL|WEAK)\s+DEFAULT\s+\d+ (\w+)$", done.stdout, re.M))
    return {name for name in shown if not name.startswith("wsrx_")}


def ill_interposed(shown, calls):
    """Wrappers without a row in calls.def, and rows without a wrapper."""
    return ([f"{name}() is defined in preload/, but has no row in calls.def: it interposes nothing"
             for name in sorted(shown - calls)]
            + [f"{name} has a row in calls.def, but no definition in preload/"
               for name in sorted(calls - shown)])


def libc_names(here):
    return [line.split(maxsplit=1) for line in house.words(house.read(here, "libc-names"))]


def ill_listed(names, calls):
    """What is wrong with the list itself."""
    plain = [row[0] for row in names]
    wrong = [f"{row[0]}: no reason" for row in names if len(row) < 2]
    wrong += [f"{name}: not in order" for before, name in zip(plain, plain[1:]) if name <= before]
    return wrong + [f"{name}: interposed, and so nothing for the core"
                    for name in plain if name in calls]


def no_longer_used(root, objects, names):
    """A compiler may bring a name or leave it out: whoever is in the sources is used."""
    text = "".join(house.read(root, path) for path in house.sources(root, "core"))
    used = set().union(*(objects.beyond(name) for name in objects.refers))
    return [f"{row[0]}: no longer used" for row in names
            if row[0] not in used and not re.search(rf"\b{row[0]}\b", text)]


def upward(objects):
    wrong = []
    for name, others in objects.graph().items():
        for other in sorted(others):
            mine, its = house.wing(f"core/{name}.c"), house.wing(f"core/{other}.c")
            if mine != its and house.level(its) <= house.level(mine):
                wrong.append(f"{name}.c ({mine}) refers to {other}.c ({its})")
    return wrong


def in_circles(objects):
    return ["in a circle: " + ", ".join(circle) for circle in house.circles(objects.graph())
            if not any(set(circle) <= known for known in CIRCLES)]


def by_instruction(root):
    """A bare system call needs no name of libc's."""
    return [f"{path}: {found}, which belongs in core/base/"
            for path in house.sources(root, "core", "preload", "shim")
            if not path.startswith("core/base/")
            for found in re.findall(r'\bsys_call\(|"(?:syscall|svc|swi|int)\b', house.read(root, path))]


def calls_of_core(objects, library, calls):
    """The library as it is linked: what jumps from the core's functions to the exported ones.

    The linker binds them to each other (-Bsymbolic-functions), so that no list of undefined names
    would show it.
    """
    core = set().union(*objects.defines.values())
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], capture_output=True,
                          text=True, check=True)
    wrong, function, seen = [], None, 0
    for line in done.stdout.splitlines():
        head = re.match(r"[0-9a-f]+ <([^>]+)>:$", line)
        if head:
            function = head.group(1)
            seen += function in core
            continue
        to = re.search(r"\t(?:call|jmp|j\w+|bl?|b\.\w+)\s.*<([^>+@]+)(?:@plt)?>", line)
        if to and function in core and to.group(1) in calls:
            wrong.append(f"{function}() goes to {to.group(1)}()")
    if seen < 50:
        wrong.append(f"only {seen} functions of the core found in {library}")
    return wrong


def main():
    root, build, library = sys.argv[1:4]
    here = os.path.dirname(os.path.abspath(__file__))
    objects, calls, names = Objects(root, build), interposed(root), libc_names(here)
    allowed = {row[0] for row in names}
    outside = {name: objects.beyond(name) for name in sorted(objects.refers)}
    tap = house.Tap()
    tap.case("the core's objects are there", [] if len(outside) > 20 else ["too few"])
    tap.case("every interposed name stands in calls.def, and the reverse",
             ill_interposed(shown_by_preload(build), calls))
    tap.case("no object of the core refers to an interposed call",
             [f"core/{name}.c: {symbol}" for name, symbols in outside.items()
              for symbol in sorted(symbols & calls)])
    tap.case("what the core has of libc stands in libc-names",
             [f"core/{name}.c: {symbol}: a system call belongs in base/sys.h; what makes none, "
              "in tests/house/libc-names" for name, symbols in outside.items()
              for symbol in sorted(symbols - allowed - calls)])
    tap.case("libc-names is sorted, with reasons", ill_listed(names, calls))
    tap.case("libc-names has nothing that nobody uses", no_longer_used(root, objects, names))
    tap.case("objects refer to lower wings", upward(objects))
    tap.case("no new circle of files", in_circles(objects))
    tap.case("only core/base/ has instructions for system calls", by_instruction(root))
    tap.case("in the linked library, the core does not go to the wrappers",
             calls_of_core(objects, library, calls))
    tap.end()


main()
