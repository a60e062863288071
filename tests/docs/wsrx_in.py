# SPDX-License-Identifier: MIT
"""examples/wsrx-in in directories laid out as Steam, Lutris and Bottles lay them out.

Takes the script. Wine is an empty program there, and the command one that prints what it was given.
"""

import os
import subprocess
import sys
import tempfile

from harness import equal, run_tests, test

ECHO = """#!/bin/sh
echo "$*" "$WINEPREFIX" "$WINELOADER" "$WINESERVER" "${PATH%%:*}"
"""
SHARE = ".local/share"
STEAM = ".var/app/com.valvesoftware.Steam/.local/share/Steam"
LUTRIS = ".var/app/net.lutris.Lutris"
BOTTLES = ".var/app/com.usebottles.bottles/data/bottles"


class Home:
    """A user's directory with what a program has written."""

    def __init__(self, directory):
        self.directory = directory
        self.write("wsrx", ECHO, 0o755)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def wine(self, name):
        self.write(os.path.join(name, "bin/wine"), "", 0o755)

    def prefix(self, name):
        os.makedirs(self.path(name))

    def run(self, *words):
        environment = {"HOME": self.directory, "PATH": os.environ["PATH"], "WSRX": self.path("wsrx")}
        return subprocess.run([sys.argv[1], *words], capture_output=True, text=True, check=False,
                              timeout=60, env=environment)

    def finds(self, words, wine, prefix):
        wine, done = self.path(wine), self.run(*words, "status")
        equal((done.stdout.split(), done.returncode),
              (["wine", "status", self.path(prefix), wine + "/bin/wine", wine + "/bin/wineserver",
                wine + "/bin"], 0), f"{words}, which said {done.stderr!r}")

    def refuses(self, words, line):
        done = self.run(*words)
        equal((done.stdout, done.stderr, done.returncode), ("", f"wsrx-in: {line}\n", 1), str(words))


def steam(home, library):
    """A game in one of Steam's libraries, and its Proton in the same."""
    proton = library + "/steamapps/common/Proton 10.0/files"
    home.wine(proton)
    home.prefix(library + "/steamapps/compatdata/42/pfx")
    home.write(library + "/steamapps/compatdata/42/config_info",
               "\n".join(["10.0-1", *(home.path(proton) + at for at in
                                      ("/share/fonts/", "/lib/", "/lib64/"))]) + "\n")
    # A directory of two words is one word of ours.
    os.symlink(home.path(proton), home.path("proton"))
    done = home.run("steam", "42", "status")
    equal(done.stdout.replace(home.path(proton), home.path("proton")).split(),
          ["wine", "status", home.path(library + "/steamapps/compatdata/42/pfx"),
           *(home.path("proton") + at for at in ("/bin/wine", "/bin/wineserver", "/bin"))],
          done.stderr)


@test
def steams_own_library(home):
    steam(home, SHARE + "/Steam")


@test
def steam_as_a_flatpak(home):
    steam(home, STEAM)


@test
def a_library_on_another_disk(home):
    home.write(SHARE + "/Steam/steamapps/libraryfolders.vdf",
               f'"libraryfolders"\n{{\n\t"1"\n\t{{\n\t\t"path"\t\t"{home.path("disk")}"\n\t}}\n}}\n')
    steam(home, "disk")


def lutris(home, settings, runners):
    home.wine(runners + "/lutris/runners/wine/wine-10")
    home.prefix("game")
    home.write(settings + "/lutris/games/chess-1700000000.yml",
               f"game:\n  exe: chess.exe\n  prefix: {home.path('game')}\nwine:\n  version: wine-10\n")
    home.finds(["lutris", "chess"], runners + "/lutris/runners/wine/wine-10", "game")


@test
def lutris_with_settings_in_config(home):
    lutris(home, ".config", SHARE)


@test
def lutris_with_settings_beside_its_runners(home):
    lutris(home, SHARE, SHARE)


@test
def lutris_as_a_flatpak(home):
    lutris(home, LUTRIS + "/data", LUTRIS + "/data")


@test
def lutris_as_a_flatpak_with_settings_in_config(home):
    lutris(home, LUTRIS + "/config", LUTRIS + "/data")


def bottles(home, data):
    home.wine(data + "/runners/soda-9.0")
    home.prefix(data + "/bottles/Chess")
    home.write(data + "/bottles/Chess/bottle.yml", "Name: Chess\nRunner: 'soda-9.0'\n")
    home.finds(["bottles", "Chess"], data + "/runners/soda-9.0", data + "/bottles/Chess")


@test
def bottles_by_itself(home):
    bottles(home, SHARE + "/bottles")


@test
def bottles_as_a_flatpak(home):
    bottles(home, BOTTLES)


@test
def by_directories(home):
    home.wine("wine")
    home.prefix("prefix")
    home.finds([home.path("wine"), home.path("prefix")], "wine", "prefix")


@test
def says_what_is_missing(home):
    home.refuses(["steam", "42", "install"], "steam: no prefix for 42: run the game with Proton once")
    home.refuses(["lutris", "chess", "install"], "lutris: no game chess")
    home.refuses(["bottles", "Chess", "install"], "bottles: no bottle Chess")
    home.refuses(["/none", "/", "install"], "no Wine in /none (expected bin/wine there)")


def call(function):
    with tempfile.TemporaryDirectory(prefix="wsrx-in-") as directory:
        function(Home(directory))


sys.exit(run_tests(call))
