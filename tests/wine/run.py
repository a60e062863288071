# SPDX-License-Identifier: MIT
"""Runs Windows programs under real Wine, with and without our parts; speaks TAP.

A prefix of its own is made in a scratch directory, and its wineserver is stopped at the end. The
same program runs with each of our faces, and on stock Wine beside them; what differs is printed as
the table of docs/wine.md. All of it is for 64-bit programs; what differs for 32-bit ones is in
words.py.
"""
import argparse
import ctypes
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import words
from faces import ALONE, check_face, scenarios, tap
from wine import Wine

FILES = ("victim", "winelib", "pe", "pair", "library", "wsrx", "import_library", "example")
# What must fail on stock Wine, or the scenarios could not fail at all; and what must not.
STOCK_FAILS = ["parts", "loop", "recv-blocking", "select", "overlapped-iocp", "child-inherits",
               "20000-datagrams", "wsock32", "WSAEINVAL"]
STOCK_PASSES = ["plain-recv-drops", "AcceptEx", "TransmitFile", "exports"]


SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it


def check_stock(wine, folder, names, ours):
    results = scenarios(wine, folder, names)
    for name in STOCK_FAILS:
        tap.case(results[name] is not True, f"stock: {name} does not work",
                 "it passes without us, so the scenario shows nothing")
    for name in STOCK_PASSES:
        tap.case(results[name] is True, f"stock: {name}", results[name])
    print("# | scenario | stock Wine | with our mswsock.dll |\n# | --- | --- | --- |")
    for name in names:
        print(f"# | {name} | {'works' if results[name] is True else 'does not'} | "
              f"{'works' if ours[name] is True else 'does not'} |")


def check_modes(wine, folders, library):
    preload = {"LD_PRELOAD": str(library)}
    pe = {"overrides": "mswsock,wsock32=n,b"}
    for name, mode, folder, how in [
        ("WSRX_MODE=discard", "discard", "elf", {"WSRX_MODE": "discard"}),
        ("WSRX_MODE=discard, preload", "discard", "elf", {"WSRX_MODE": "discard"} | preload),
        ("WSRX_MODE=off", "alone", "elf", {"WSRX_MODE": "off"}),
        ("WSRX_CALLS=all", "all", "elf", {"WSRX_CALLS": "all"}),
        ("WSRX_CALLS=all, preload, no DLL", "all", "stock", {"WSRX_CALLS": "all"} | preload),
        ("the PE DLL without a library beneath", "alone", "pe", pe),
    ]:
        code, output = wine.run("wine", "victim.exe", "--mode", mode, cwd=folders[folder], **how)
        tap.case(code == 0, name, output)


def check_aborted(wine, folder):
    """WSAECONNABORTED: somebody destroys the connection (ss -K)."""
    name = "WSAECONNABORTED"
    if os.geteuid() != 0 or not shutil.which("ss"):
        tap.skip(name, "ss -K needs root, and iproute2")
        return
    written = wine.scratch / "aborted"
    with written.open("wb") as output:
        process = wine.start("wine", "victim.exe", "--wait", "now", output=output, cwd=folder)
        limit = time.monotonic() + 30
        while not written.read_bytes().endswith(b"\n") and time.monotonic() < limit:
            time.sleep(0.02)
        local, peer = written.read_text().split()
        time.sleep(0.3)  # for the receive to wait; without it the case would only be a weaker one
        killed = subprocess.run(["ss", "-K", "src", f"127.0.0.1:{local}",
                                 "dst", f"127.0.0.1:{peer}"], capture_output=True, text=True)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
    result = written.read_text().split("\n")[1]
    if not result and "ESTAB" not in killed.stdout:
        tap.skip(name, "this kernel destroys no sockets (CONFIG_INET_DIAG_DESTROY)")
    else:
        tap.case(result == "-1 10053", name, f"{result!r}, not '-1 10053'; {killed.stdout}")


class SilentPeer:
    """WSAENETRESET: a connection to a peer that answers nothing, with keep-alives each second. It
    takes as long as Linux needs to give up, 10 s, so it begins early and ends late."""

    def __init__(self, wine, folder):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"{folder.name}: WSAENETRESET"
        self.written = wine.scratch / f"keep-alive-{folder.name}"
        with self.written.open("wb") as output:
            self.process = wine.start("wine", "victim.exe", "--keep-alive",
                                      self.listener.getsockname()[1], output=output, cwd=folder)
        self.listener.settimeout(60)
        self.peer = self.listener.accept()[0]
        # A filter that lets nothing in (socket(7)): it hears nothing, and so it says nothing.
        code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        self.peer.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                             struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))

    def check(self):
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.peer.close()
        self.listener.close()
        output = self.written.read_text()
        tap.case(self.process.returncode == 0 and output.split() == ["-1", "10060", "-1", "10052"],
                 self.name, f"exit code {self.process.returncode}: {output}")


def check_winelib(wine, files):
    folder = wine.scratch / "example"
    folder.mkdir()
    shutil.copy(files["example"], folder / "parts.c")
    built = subprocess.run(["winegcc", "parts.c", "-o", "parts.exe",
                            f"-L{files['import_library'].parent}", "-lwsrx-mswsock", "-lws2_32"],
                           cwd=folder, capture_output=True, text=True)
    tap.case(built.returncode == 0, "winelib: the example builds in one command", built.stderr)
    code, output = wine.run("wine", "parts.exe.so", cwd=folder)
    tap.case(code == 1 and output.strip() == "error 0", "winelib: stock Wine returns -1", output)
    shutil.copy(files["winelib"] / "mswsock.dll", folder)
    expected = ('16 bytes: "one message that", and more follows\n'
                '16 bytes: " is longer than ", and more follows\n10 bytes: "the buffer"\n')
    for words in (["wine", "parts.exe.so"], ["./parts.exe"]):
        code, output = wine.run(*words, cwd=folder)
        tap.case(output.replace("\r", "") == expected, f"winelib: {' '.join(words)}", output)
    os.remove(folder / "mswsock.dll")
    code, output = wine.run(files["wsrx"], "wine", "run", "parts.exe.so", cwd=folder)
    tap.case(output.replace("\r", "") == expected, "winelib: wsrx wine run parts.exe.so", output)


def check_command(wine, files, folders, names):
    command, stock = files["wsrx"], folders["stock"]
    before = sorted(stock.iterdir())
    code, output = wine.run(command, "wine", "run", "victim.exe", "--arguments", "a", "b c", 'd"e',
                            "", cwd=stock)
    tap.case(code == 7 and output.replace("\r", "") == '<a>\n<b c>\n<d"e>\n<>\n',
             "wsrx wine run: arguments and exit code pass", f"{code}\n{output}")
    # A program that it starts in turn is not run by us: docs/wine.md says so.
    alone = [name for name in names if not name.startswith("child-")]
    code, output = wine.run(command, "wine", "run", "victim.exe", *alone, cwd=stock)
    tap.case(code == 0, "wsrx wine run: every scenario",
             "\n".join(line for line in output.splitlines() if not line.startswith("ok")))
    code, output = wine.run(command, "wine", stock / "victim.exe", "parts", cwd="/")
    tap.case(code == 0, "wsrx wine PROGRAM, from another folder", output)
    tap.case(sorted(stock.iterdir()) == before, "wsrx wine run: the program's folder is as before")

    def says(name, words, code, text, **more):
        found, output = wine.run(command, "wine", *words, cwd=stock, **more)
        one_line = output.count("\n") == 1 or code in (0, 1)
        tap.case(found == code and text in output and one_line, name,
                 f"exit code {found}\n{output}")

    says("wsrx wine run: no such program", ["run", "none.exe"], 127, "none.exe: No such file")
    says("wsrx wine run: not a program", ["run", files["example"]], 126, "not a Windows program")
    says("wsrx wine run: a native program", ["run", "/bin/sh"], 126, "not a Windows program")
    os.mkfifo(wine.scratch / "pipe.exe")
    says("wsrx wine run: a pipe", ["run", wine.scratch / "pipe.exe"], 126, "not a Windows program")
    (wine.scratch / "half.exe").write_bytes((stock / "victim.exe").read_bytes()[:5000])
    # Wine itself has a line to say of that.
    code, output = wine.run(command, "wine", "run", wine.scratch / "half.exe", cwd=stock)
    tap.case(code == 126 and output.rstrip().endswith("truncated or damaged (error 193)"),
             "wsrx wine run: half a program", f"exit code {code}\n{output}")
    words.check_missing(wine, files["pe"], "", "64", stock)
    says("wsrx wine run: help", ["run", "--help"], 0, "PREFIX is $WINEPREFIX")
    says("wsrx wine: a slip", ["isntall"], 125, "did you mean install? ")
    says("wsrx wine run: no wine", ["run", "victim.exe"], 127, "no wine on the PATH",
         PATH="/nowhere")
    says("wsrx wine: unknown action", ["fly"], 125, "no such action")
    tiny = bytearray((stock / "victim.exe").read_bytes()[:512])
    at = int.from_bytes(tiny[0x3c:0x40], "little")
    tiny[at + 4:at + 6] = b"\xc4\x01"
    (wine.scratch / "small.exe").write_bytes(tiny)
    says("wsrx wine run: a program for another processor", ["run", wine.scratch / "small.exe"], 126,
         "another processor (machine 0x1c4)")
    for action in ("install", "status", "remove"):
        says(f"wsrx wine {action}: no such prefix", [action, "/nowhere"], 125, "not a Wine prefix")

    system32 = wine.prefix / "drive_c/windows/system32"
    files_before = {path.name: path.read_bytes() for path in system32.glob("*sock*.dll")}
    says("wsrx wine status: not installed", ["status"], 1, "not installed")
    check_new_prefix(wine, says)
    says("wsrx wine install, again", ["install"], 0, "ours, put there again")
    says("wsrx wine status: installed", ["status", wine.prefix], 0, ": installed")
    code, output = wine.run("wine", "victim.exe", *names, cwd=stock)
    tap.case(code == 0, "wsrx wine install: every scenario",
             "\n".join(line for line in output.splitlines() if not line.startswith("ok")))
    says("wsrx wine remove", ["remove"], 0, "Wine's again")
    says("wsrx wine remove, again", ["remove"], 0, "nothing to do")
    tap.case({path.name: path.read_bytes() for path in system32.glob("*sock*.dll")} == files_before,
             "wsrx wine remove: the prefix is as before")


def check_new_prefix(wine, says):
    """Wine writes the registry of a new prefix a while after wineboot: install waits for it."""
    registry, hidden = wine.prefix / "system.reg", wine.prefix / "system.reg.later"
    registry.rename(hidden)
    comes = threading.Timer(1.5, hidden.rename, [registry])
    comes.start()
    says("wsrx wine install, right after wineboot", ["install", wine.prefix], 0,
         "waiting for Wine to write it")
    comes.join()


def check_records(wine, folders, library):
    """What a program under Wine receives leaves its records, by each of the two ways beneath it."""
    for name, more in (("DLL", {}), ("preload", {"LD_PRELOAD": str(library)})):
        trace, stats = (wine.scratch / f"{name}.{what}" for what in ("jsonl", "stats"))
        settings = {"WSRX_TRACE": "jsonl", "WSRX_TRACE_FILE": str(trace), "WSRX_STATS": str(stats)}
        code, output = wine.run("wine", "victim.exe", "parts", "plain-recv-drops",
                                cwd=folders["elf"], **settings, **more)
        try:
            records = [line for line in map(json.loads, trace.read_text().splitlines())
                       if "type" not in line]
            counted = stats.read_text()
        except (OSError, ValueError) as error:
            records, counted = [], str(error)
        fields = ("length", "buffer", "bytes", "offset", "left", "lost", "partial", "last")
        found = [tuple(record[field] for field in fields) for record in records]
        tap.case(code == 0 and found == [
            (3000, 1000, 1000, 0, 2000, 0, True, False),
            (3000, 1000, 1000, 1000, 1000, 0, True, False),
            (3000, 1000, 1000, 2000, 0, 0, False, True),
            (5, 1000, 5, 0, 0, 0, False, True),
            (3000, 1000, 1000, 0, 0, 2000, False, True),
            (10, 1000, 10, 0, 0, 0, False, True)], f"{name}: records", f"{output}\n{found}")
        tap.case(records and all(record["peer"].startswith("127.0.0.1:") and record["errno"] == 0
                                 for record in records), f"{name}: records have the peer", records)
        tap.case(" by victim.exe," in counted and
                 re.search(r"^ +2000 +1 +0 +2000 +6 +2 +0 +4015 .*total$", counted, re.M),
                 f"{name}: statistics", counted)


def check_strict(wine, folders):
    """A setting that cannot be had ends the program, if that is wanted."""
    for setting, value in (("WSRX_TABLE", "/nowhere/table"), ("WSRX_MODE", "contniue")):
        code, output = wine.run("wine", "victim.exe", "parts", "plain-recv-drops",
                                cwd=folders["elf"], WSRX_STRICT="1", **{setting: value})
        tap.case(code == 125 and re.search(
            rf'{setting}="{value}": .*; the program is not started \(WSRX_STRICT=1\)', output),
            f"WSRX_STRICT=1 and a bad {setting}", f"exit code {code}\n{output}")


def check_names(library):
    """A program is not taken for Wine's by its name: its tails are held in the process."""
    program = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
               "s.bind(('127.0.0.1', 0)); s.sendto(bytes(100), s.getsockname()); s.recv(10);"
               "mine = ':%04X ' % s.getsockname()[1];"
               "print([line.split()[4] for line in open('/proc/net/udp') if mine in line])")
    for name, settings, held in (("winemaker", {}, "process"), ("wine64", {}, "process"),
                                 ("wineserverside", {}, "process"),
                                 ("wineserver64", {}, "lost"),
                                 ("python3", {"WSRX_HOLD": "kernel"}, "kernel")):
        done = subprocess.run([name, "-c",
                               program + "; s.setblocking(False); print(len(s.recv(200)))"],
                              executable=sys.executable, capture_output=True, text=True, timeout=60,
                              env=os.environ | settings | {"LD_PRELOAD": str(library),
                                                                "PYTHONHOME": sys.prefix})
        empty = "00000000:00000000" in done.stdout
        found = "lost" if done.returncode else "process" if empty else "kernel"
        tap.case(found == held, f"a native program named {name}, {settings}: {held}",
                 done.stdout + done.stderr)


def check_services(wine):
    """Wine's own processes run on with the preload in them, and hold nothing."""
    names = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if f"WINEPREFIX={wine.prefix}".encode() not in (process / "environ").read_bytes():
                continue
            words = (process / "cmdline").read_bytes().split(b"\0")
            names[Path(words[0].decode().replace("\\", "/")).name] = (process / "maps").read_text()
        except OSError:
            continue
    servers = [maps for name, maps in names.items() if name.startswith("wineserver")]
    tap.case(len(servers) == 1 and "libwsrx" in servers[0],
             "wineserver runs with the preload in it", sorted(names))
    tap.case(any(name.startswith("services") for name in names), "Wine's services run too",
             sorted(names))


def check_64_bit(wine, files, folders):
    code, output = wine.run("wine", "victim.exe", "--list", cwd=folders["stock"])
    names = output.split()
    tap.case(code == 0 and len(names) > 30, "the scenarios", output)
    silent = SilentPeer(wine, folders["elf"])
    ours = check_face("DLL beside the program", wine, folders["elf"], names)
    check_stock(wine, folders["stock"], names, ours)
    check_modes(wine, folders, files["library"])
    check_face("PE DLL alone", wine, folders["alone"], ALONE, overrides="mswsock,wsock32=n,b")
    check_face("PE DLL and its pair", wine, folders["pe"], names,
               overrides="mswsock,wsock32=n,b", WINEDLLPATH=str(files["pair"]))
    check_records(wine, folders, files["library"])
    check_strict(wine, folders)
    check_aborted(wine, folders["elf"])
    silent.check()
    check_winelib(wine, files)
    check_command(wine, files, folders, names)
    return names


def check_preload(wine, files, folders, names):
    wine.stop()  # so that the preload is in all of Wine from its start
    preload = {"LD_PRELOAD": str(files["library"])}
    wine.keep(**preload)
    check_face("DLL and preload", wine, folders["elf"], names, **preload)
    check_services(wine)
    check_names(files["library"])
    wine.stop()


def main():
    parser = argparse.ArgumentParser()
    for name in FILES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    parser.add_argument("--victim32", type=Path)
    files = {name: path and path.resolve() for name, path in vars(parser.parse_args()).items()}
    if not shutil.which("wine"):
        print("1..0 # SKIP no wine (Debian: wine, wine64)")
        return

    with tempfile.TemporaryDirectory(prefix="wsrx-wine-") as scratch:
        wine = Wine(Path(scratch))
        folders = words.make_folders(wine.scratch, "", files["victim"], files["winelib"],
                                     files["pe"])
        missing = wine.make()
        tap.case(not missing, "a prefix", "\n".join(missing))
        wine.keep()
        try:
            names = check_64_bit(wine, files, folders)
            words.check_32_bit(wine, files, names, SilentPeer)
            check_preload(wine, files, folders, names)
        finally:
            wine.stop()
        words.check_new_wow64(Path(scratch), files, names)
    tap.end()


main()
