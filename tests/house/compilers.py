# SPDX-License-Identifier: MIT
"""The library, the shim and the command compile without a warning.

Takes the root of the sources and that of the build; the commands are those of the build, with
another compiler in front. Each compiler of COMPILERS that is installed is asked; or those that are
named behind these two, which must be: so scripts/warnings asks what Debian 12 does not have.
"""

import concurrent.futures
import os
import shlex
import shutil
import subprocess
import sys

import house

COMPILERS = ("gcc", "clang", "gcc-14", "clang-19")
# What is compiled by hand for Windows: the DLLs' sources and the launcher (shim/pe/meson.build).
MINGW = "x86_64-w64-mingw32-gcc"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow")


def version(compiler):
    return subprocess.run([compiler, "-dumpfullversion", "-dumpversion"], capture_output=True,
                          text=True, check=False).stdout.strip()


def command(compiler, entry):
    """As in the build. gcc must optimize for some of its warnings; clang has all at once."""
    words = shlex.split(entry["command"])
    words = words[2 if os.path.basename(words[0]) == "ccache" else 1:]
    kept = [word for word in words if not word.startswith("-M") and word != "-c"]
    for option in ("-MF", "-MQ", "-o"):
        if option in words:
            kept.remove(words[words.index(option) + 1])
    kept.remove("-o")
    deed = ["-c", "-o", os.devnull] if "gcc" in compiler else ["-fsyntax-only"]
    return [compiler, *kept, "-fdiagnostics-color=never", *deed]


def run(work):
    argv, directory = work
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    return done.stderr.splitlines() or ([f"{argv[0]}: {done.returncode}"] * (done.returncode != 0))


def without_warning(tap, name, works):
    """What the same line says in several compilations is said once."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [line for lines in pool.map(run, works) for line in lines]
    if not works:
        said = ["nothing to compile"]
    tap.case(name, sorted(set(said), key=said.index))


def windows_works(root, built):
    """The shim's sources that no native compiler is given."""
    paths = [path for path in house.sources(root, "shim", ends=(".c",))
             if os.path.join(root, path) not in built]
    return [([MINGW, "-fsyntax-only", "-municode", *WARNINGS, f"-I{root}/core", f"{root}/{path}"],
             root) for path in paths]


def main():
    root, build = sys.argv[1:3]
    built = house.compilations(build)
    tap = house.Tap()
    for compiler in sys.argv[3:] or COMPILERS:
        name = f"no warning by {compiler}"
        if not shutil.which(compiler):
            if sys.argv[3:]:
                tap.case(name, ["it is not installed"])
            continue
        without_warning(tap, f"{name} {version(compiler)}",
                        [(command(compiler, entry), entry["directory"]) for entry in built.values()])
    if shutil.which(MINGW):
        without_warning(tap, f"no warning by {MINGW}", windows_works(root, built))
    tap.end()


main()
