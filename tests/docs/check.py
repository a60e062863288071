# SPDX-License-Identifier: MIT
"""The documentation names only what there is, and has what it should have.

  check.py ROOT BUILD COMMAND      the source tree, the build directory, the built wsrx

Reads the sources and runs `wsrx --help`, mandoc and scripts/news; changes nothing in the tree.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
from house import Tap, read, sources  # noqa: E402

TOPS = "core|preload|shim|tools|tests|scripts|docs|debian|examples|changes"
# Not one that goes on with a "*", which stands for many, nor one below another folder.
PATH = re.compile(rf"(?<![\w/.$}}-])(?:\.\./)*((?:{TOPS})/[\w./+-]*[\w+])(?!\w*\*)")


def pages(root):
    """Every page in Markdown, from the root."""
    found = glob.glob(os.path.join(root, "*.md"))
    for folder in ("docs", "tests", "changes", ".github"):
        found += glob.glob(os.path.join(root, folder, "**", "*.md"), recursive=True)
    return sorted(os.path.relpath(path, root) for path in found)


def manuals(root):
    found = glob.glob(os.path.join(root, "docs", "**", "*.[137]"), recursive=True)
    return sorted(os.path.relpath(path, root) for path in found)


def now(root, page):
    """A page without what was true once: older releases, names of old."""
    text = read(root, page).partition("## Renamed words")[0]
    return "\n## ".join(text.split("\n## ")[:2]) if page == "NEWS.md" else text


# --- names -------------------------------------------------------------------------------------


def missing_paths(root):
    for page in pages(root):
        for path in PATH.findall(now(root, page)):
            # tests/README.md writes paths from its own folder; "core/lifecycle" is a pair of files.
            stems = [glob.escape(os.path.join(root, at, path))
                     for at in ("", os.path.dirname(page))]
            if not any(glob.glob(stem) or glob.glob(stem + ".*") for stem in stems):
                yield f"{page}: {path}"


def anchors(text):
    """The headings of a page, as GitHub makes anchors from them."""
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        yield re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def broken_links(root):
    for page in pages(root):
        for link in re.findall(r"\]\(([^)\s]+)\)", read(root, page)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(os.path.join(root, target)):
                yield f"{page}: {link}"
            elif anchor and anchor not in anchors(read(root, target)):
                yield f"{page}: {link}: no such heading"


def subcommands(command):
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^  ([a-z]+) ", done.stdout, re.M))


# A command is what stands in code: in backquotes, or at the beginning of a line of a block.
WORDS = r"(?:[A-Z_]+=\S* )*(?:\S*/)?wsrx ([a-z]+)\b([^`\n]*)"
IN_CODE = re.compile(r"(?:`|^(?:    |\$ |ExecStart=|CMD )?)" + WORDS, re.M)
IN_MANUAL = re.compile(r"^(?:\.Dl |\.Dq |ExecStart=)?" + WORDS, re.M)
RUNS_A_PROGRAM = ("run", "stat", "trace", "wine")


def options_of(command, name):
    """The options of a subcommand: name -> whether an argument follows."""
    text = subprocess.run([command, name, "--help"], capture_output=True, text=True,
                          check=True).stdout
    found = {}
    for short, long, argument in re.findall(r"^  (?:(-\w), |    )?(--[a-z-]+)(=\S+)?", text, re.M):
        found[long] = bool(argument)
        if short:
            found[short] = bool(argument)
    return found


def misspelt(name, words, known):
    """The first word that should be an option of the subcommand, and is none; else nothing."""
    words = iter(words)
    for word in words:
        if word == "--" or not word.startswith("-"):
            if name in RUNS_A_PROGRAM:
                return None
            continue
        option, equals, _ = word.partition("=")
        if word == "-":
            continue
        if option not in known:
            return option
        if known[option] and not equals:
            next(words, None)
    return None


def unknown_commands(root, command):
    known = subcommands(command)
    options = {name: options_of(command, name) for name in known - {"help"}}
    for page in pages(root) + manuals(root):
        pattern = IN_CODE if page.endswith(".md") else IN_MANUAL
        for name, rest in pattern.findall(now(root, page)):
            if name not in known:
                yield f"{page}: wsrx {name}"
            elif name in options:
                words = re.split(r"[`|;&#>]", rest)[0].split()
                wrong = misspelt(name, words, options[name])
                if wrong:
                    yield f"{page}: wsrx {name} {wrong}"


def unknown_tests(root, build):
    """What pages tell to run by `meson test`: names and suites of tests, names of benchmarks."""
    known = {"--suite": set(), "--benchmark": set(), "": set()}
    for kind, option in (("tests", ""), ("benchmarks", "--benchmark")):
        for entry in json.loads(read(build, f"meson-info/intro-{kind}.json")):
            known[option].add(entry["name"])
            known["--suite"] |= {name.rpartition(":")[2] for name in entry["suite"]}
    # This build may leave some out: Wine's.
    for path in glob.glob(os.path.join(root, "tests", "**", "meson.build"), recursive=True):
        for kind, name in re.findall(r"\b(test|benchmark)\(\s*'([^']+)'", read("/", path)):
            known["--benchmark" if kind == "benchmark" else ""].add(name)
    for page in pages(root):
        for line in re.findall(r"meson test -C build((?: +[\w=*./-]+)*)", now(root, page)):
            words, option = line.split(), ""
            for word in words:
                if word in known:
                    option = word
                elif word.startswith("-"):
                    break
                elif word not in known[option] and word != "NAME":
                    yield f"{page}: meson test{line}: {word}"
                elif option == "--suite":
                    option = ""


def unknown_settings(root):
    """Settings and constants: what starts with WSRX_ and stands nowhere in the sources."""
    known = {"WSRX_GREET"}  # the example of CONTRIBUTING.md
    for path in ["core/settings.def"] + sources(root, "core", "preload", "shim", "tools", "tests",
                                                ends=(".c", ".h", ".def", ".build", ".py")):
        known |= set(re.findall(r"\bWSRX_\w+", read(root, path)))
    for page in pages(root) + manuals(root):
        text = re.sub(r"^\.Dt .*$", "", now(root, page), flags=re.M)
        for name in sorted(set(re.findall(r"\bWSRX_[A-Z_]*[A-Z]\b", text))):
            if name not in known:
                yield f"{page}: {name}"


def unknown_functions(root):
    """What docs/architecture.md names as a function, or as the new name of something, and what is
    nowhere in the sources."""
    text = now(root, "docs/architecture.md")
    history = read(root, "docs/architecture.md").partition("## Renamed words")[2]
    for new in re.findall(r"^\| .* \| (.*) \|$", history, re.M):
        text += "".join(re.findall(r"`\w+\(\)`", new))
        folder = ""
        for name in re.findall(r"`([\w/]+\.[ch*])`", new):
            folder = os.path.dirname(name) or folder  # `table/table.*`, `lockless.*`
            places = [os.path.join(root, at, folder, os.path.basename(name)) for at in ("core", "")]
            if not any(glob.glob(place) for place in places):
                yield f"docs/architecture.md, renamed: {name}"
    code = "\n".join(read(root, path) for path in
                     sources(root, "core", "preload", "shim", ends=(".c", ".h", ".S", ".def")))
    for name in sorted(set(re.findall(r"`(\w+)\(\)`", text))):
        if not re.search(rf"\b{name}\b", code):
            yield f"docs/architecture.md: {name}()"


# --- docs/architecture.md (tests/house checks its door and wings) -------------------------------


def untrue_strategies(root):
    """The plans that the page lists are those of the enumeration; so are the states of a tail."""
    text = read(root, "docs/architecture.md")
    plans = set(re.findall(r"^\| `(PLAN_\w+)` \|", text, re.M))
    known = set(re.findall(r"\bPLAN_[A-Z_]+\b", read(root, "core/receive/plan.h")))
    if plans != known:
        yield f"plans: the page has {sorted(plans)}, core/receive/plan.h {sorted(known)}"
    table = text.partition("| state | how the tail is reported |")[2].partition("\n\n")[0]
    states = set(re.findall(r"^\| (\w+) \|", table, re.M))
    enum = re.search(r"enum tail_state \{(.*?)\}", "".join(
        read(root, path) for path in sources(root, "core/wait", ends=(".h",))), re.S)
    known = {name.lower() for name in re.findall(r"\b(?:TAIL|REGISTRATION)_(\w+)", enum[1])}
    if states != known:
        yield f"states of a tail: the page has {sorted(states)}, enum tail_state {sorted(known)}"


# --- manual pages ------------------------------------------------------------------------------

# What mandoc may say: notes on style that follow from how we write, each with its reason.
STYLE = (
    "input text line longer than 80 bytes",  # our sources have 100 columns
    "operating system explicitly specified",  # "libwsrx" in the page's foot, on purpose
    "referenced manual not found",  # it looks for installed pages
    "no blank before trailing delimiter",  # $(pkg-config ...), as a user types it
    "outdated mandoc.db",  # about the machine, not the page
)
SECTIONS = {"1": ("ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"),
            "3": ("RETURN VALUES", "ENVIRONMENT", "EXAMPLES", "ERRORS", "SEE ALSO"),
            "7": ("ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO")}


def lint(root):
    for page in manuals(root):
        done = subprocess.run(["mandoc", "-Tlint", page], cwd=root, capture_output=True, text=True,
                              check=False)
        for line in (done.stdout + done.stderr).splitlines():
            if not any(note in line for note in STYLE):
                yield line


def missing_sections(root):
    for page in manuals(root):
        there = re.findall(r"^\.Sh (.*)$", read(root, page), re.M)
        for section in SECTIONS[page[-1]]:
            if section not in there:
                yield f"{page}: {section}"
    for name in ("wsrx.h", "wsrx-winsock.h"):
        header, page = {"wsrx.h": ("preload/wsrx.h", "docs/wsrx_receive.3"),
                        "wsrx-winsock.h": ("shim/wsrx-winsock.h", "docs/WSARecvEx.3")}[name]
        declared = re.findall(r"^(?!#|typedef)[\w *]+?\**(\w+)\([^;{]*\);", 
                              re.sub(r"/\*.*?\*/", "", read(root, header), flags=re.S), re.M)
        for function in declared:
            if f".Fn {function}" not in read(root, page):
                yield f"{page}: {function}() of {name}"


def error_tables_differ(root):
    """WSARecvEx(3) has the codes that docs/wine.md has for POSIX, each with when it comes."""
    table = read(root, "docs/wine.md")
    produced = set(re.findall(r"^\| (WSA\w+) \| [^|]+ \| yes \|", table, re.M))
    page = read(root, "docs/WSARecvEx.3").partition(".Sh ERRORS")[2].partition(".Sh ")[0]
    listed = set(re.findall(r"^\.It Dv (WSA\w+)", page, re.M))
    for code in sorted(produced - listed):
        yield f"docs/WSARecvEx.3 has no {code}"
    for code in sorted(listed - produced - {"WSAEMSGSIZE"}):  # ours, in another table
        yield f"docs/wine.md has no {code} on POSIX"


# --- news --------------------------------------------------------------------------------------

BEFORE = """# News

## 0.2.0 (not yet released)

The second version.

- One thing.

## 0.1.0 (2026-01-01)

- The first.
"""
AFTER = """# News

## 0.2.0 (2026-02-03)

The second version.

- One thing.

### Added

- A line that goes on in a second one.

### Fixed

- A fault.

## 0.1.0 (2026-01-01)

- The first.
"""


def news(root, top, *words):
    return subprocess.run([sys.executable, "-B", os.path.join(root, "scripts", "news"), *words],
                          capture_output=True, text=True, check=False,
                          env=dict(os.environ, TOP=top))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def folding(root):
    """What is wrong with scripts/news, tried on a tree of its own."""
    with tempfile.TemporaryDirectory(prefix="wsrx-news-") as top:
        changes = os.path.join(top, "changes")
        os.mkdir(changes)
        write(os.path.join(top, "NEWS.md"), BEFORE)
        write(os.path.join(changes, "README.md"), "how\n")
        write(os.path.join(changes, "a-line.added.md"), "A line that goes on\nin a second one.\n")
        write(os.path.join(changes, "fault.fixed.md"), "A fault.\n")
        done = news(root, top, "0.2.0", "2026-02-03")
        if done.returncode or read(top, "NEWS.md") != AFTER:
            yield f"folded: {done.stderr}\n{read(top, 'NEWS.md')}"
        if os.listdir(changes) != ["README.md"]:
            yield f"left in changes/: {os.listdir(changes)}"
        write(os.path.join(changes, "more.changed.md"), "More.\n")
        done = news(root, top, "0.3.0", "2026-03-04")
        if "# News\n\n## 0.3.0 (2026-03-04)\n\n### Changed\n\n- More.\n\n## 0.2.0 (" not in \
                read(top, "NEWS.md"):
            yield f"a new section: {done.stderr}\n{read(top, 'NEWS.md')}"
        for name, text in (("x.new.md", "A.\n"), ("X.added.md", "A.\n"), ("x.added.txt", "A.\n"),
                           ("x.added.md", ""), ("x.added.md", "- A.\n"),
                           ("x.added.md", "A.\n\nB.\n"), ("x.added.md", "A" * 101 + "\n")):
            write(os.path.join(changes, name), text)
            before = read(top, "NEWS.md")
            done = news(root, top, "0.4.0", "2026-04-05")
            if not done.returncode or read(top, "NEWS.md") != before:
                yield f"taken: {name} {text!r}"
            os.remove(os.path.join(changes, name))


def main():
    root, build, command = (os.path.abspath(word) for word in sys.argv[1:4])
    tap = Tap()
    tap.case("the files that pages name are there", list(missing_paths(root)))
    tap.case("links lead somewhere", list(broken_links(root)))
    tap.case("the subcommands and options that pages name are there",
             list(unknown_commands(root, command)))
    tap.case("the tests and benchmarks that pages name are there", list(unknown_tests(root, build)))
    tap.case("the settings and constants that pages name are there", list(unknown_settings(root)))
    tap.case("the functions that docs/architecture.md names are there",
             list(unknown_functions(root)))
    tap.case("the plans and states of docs/architecture.md are those of the sources",
             list(untrue_strategies(root)))
    tap.case("manual pages have their sections, and every public function",
             list(missing_sections(root)))
    tap.case("the error codes of WSARecvEx(3) are those of docs/wine.md",
             list(error_tables_differ(root)))
    if shutil.which("mandoc"):
        tap.case("mandoc has nothing to say but what is named here", list(lint(root)))
    else:
        tap.skip("mandoc has nothing to say but what is named here", "mandoc is not installed")
    done = news(root, root, "--check")
    tap.case("the files of changes/ are as changes/README.md says",
             [done.stderr] if done.returncode else [])
    tap.case("scripts/news folds them into NEWS.md", list(folding(root)))
    tap.end()


main()
