# SPDX-License-Identifier: MIT
"""A Wine prefix for tests: made in a scratch directory, with nothing of the caller's environment.

Output goes to files, for Wine's services keep their stdout open.
"""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Wine:
    """One prefix, and programs in it."""

    def __init__(self, scratch, bin_directory=None):
        self.scratch = scratch
        self.prefix = scratch / "prefix"
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("WINE", "WSRX_", "LD_PRELOAD", "DISPLAY"))}
        self.environment |= {"WINEPREFIX": str(self.prefix), "WINEDEBUG": "-all",
                             "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe="}
        if bin_directory:
            self.environment |= {"PATH": f"{bin_directory}:{self.environment['PATH']}",
                                 "WINELOADER": str(bin_directory / "wine"),
                                 "WINESERVER": str(bin_directory / "wineserver")}

    def run(self, *words, cwd=None, overrides="", timeout=400, **more):
        """Exit code (124: too long) and output."""
        environment = self.environment | more
        if overrides:
            environment["WINEDLLOVERRIDES"] += f";{overrides}"
        with tempfile.TemporaryFile(dir=self.scratch) as output:
            try:
                code = subprocess.run([str(word) for word in words], cwd=cwd, env=environment,
                                      stdin=subprocess.DEVNULL, stdout=output,
                                      stderr=subprocess.STDOUT, timeout=timeout).returncode
            except subprocess.TimeoutExpired:
                code = 124
            output.seek(0)
            return code, output.read().decode(errors="replace")

    def start(self, *words, output, cwd, **more):
        return subprocess.Popen([str(word) for word in words], cwd=cwd,
                                env=self.environment | more, stdin=subprocess.DEVNULL,
                                stdout=output, stderr=subprocess.STDOUT)

    def keep(self, **more):
        """Starts a server that stays until stop(). Else it ends with its last program, and one that
        comes at that moment is refused: "Connection reset by peer"."""
        self.run("wineserver", "-p", timeout=30, **more)

    def make(self):
        """What is missing of the prefix afterwards: nothing. On a busy machine wineboot gives up
        waiting for what it has started, so the server's end is waited for, which also writes the
        registry; and a second one completes what the first has left."""
        parts = [self.prefix / "system.reg", *(self.prefix / "drive_c/windows/system32" / name
                 for name in ("kernel32.dll", "mswsock.dll", "wsock32.dll", "ws2_32.dll"))]
        missing = parts
        for how in ("-i", "-u", "-u"):
            self.run("wineboot", how, timeout=120)
            self.run("wineserver", "-w", timeout=120)
            missing = [str(part) for part in parts if not part.exists()]
            if not missing:
                break
        return missing

    def stop(self):
        self.run("wineserver", "-k", timeout=30)
        self.run("wineserver", "-w", timeout=30)


def make_new_wow64(target):
    """A Wine that runs 32-bit programs in 64-bit processes, of copies of Debian's: its 64-bit Unix
    parts, and both kinds of Windows files beside them, but no 32-bit Unix parts. Its directory of
    programs, and that of its DLLs; or None and what is missing."""
    triplet = target / "lib/x86_64-linux-gnu/wine"
    programs = {"wine": Path("/usr/lib/wine/wine64"),
                "wineserver": Path("/usr/lib/wine/wineserver64")}
    parts = {"x86_64-unix": Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-unix"),
             "x86_64-windows": Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows"),
             "i386-windows": Path("/usr/lib/i386-linux-gnu/wine/i386-windows")}
    missing = [str(path) for path in [*programs.values(), *parts.values()] if not path.exists()]
    if missing:
        return None, missing[-1]
    (target / "lib/wine").mkdir(parents=True)
    for name, path in programs.items():
        shutil.copy(path, target / "lib/wine" / name)
    for name, path in parts.items():
        shutil.copytree(path, triplet / name, ignore=shutil.ignore_patterns("*.a"))
    (target / "share").mkdir()
    (target / "share/wine").symlink_to("/usr/share/wine")
    return target / "lib/wine", triplet
