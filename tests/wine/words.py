# SPDX-License-Identifier: MIT
"""32-bit programs: beside 64-bit ones in a classic Wine, and in 64-bit processes (new WoW64)."""
import re
import shutil

from faces import ALONE, check_face, scenarios, tap
from wine import Wine, make_new_wow64

OVERRIDES = "mswsock,wsock32=n,b"


def make_folders(scratch, suffix, victim, winelib, pe):
    """The program on stock Wine, with the ELF DLLs, with the PE DLLs and their wsrx.dll, and with
    these DLLs alone."""
    folders = {name: scratch / (name + suffix) for name in ("stock", "elf", "pe", "alone")}
    for name, folder in folders.items():
        folder.mkdir()
        shutil.copy(victim, folder / "victim.exe")
        for dll in ("mswsock.dll", "wsock32.dll"):
            if name != "stock" and (winelib if name == "elf" else pe).joinpath(dll).exists():
                shutil.copy((winelib if name == "elf" else pe) / dll, folder)
    shutil.copy(pe / "wsrx.dll", folders["pe"])
    return folders


def check_run(face, wine, command, folder, names):
    """A program that the victim starts in turn is not run by us: docs/wine.md says so."""
    code, output = wine.run(command, "wine", "run", "victim.exe",
                            *[name for name in names if not name.startswith("child-")], cwd=folder)
    tap.case(code == 0, f"{face}: wsrx wine run, every scenario",
             "\n".join(line for line in output.splitlines() if not line.startswith("ok")))


def check_install(face, wine, command, folder, names):
    """In the prefix, with no variable; then the prefix is as before."""
    directories = [wine.prefix / "drive_c/windows" / name for name in ("system32", "syswow64")]

    def dlls():
        return {path: path.read_bytes() for directory in directories
                for path in directory.glob("*s*.dll") if re.search("sock|wsrx", path.name)}

    before = dlls()
    code, output = wine.run(command, "wine", "install", cwd=folder)
    tap.case(code == 0 and output.count("ours from now on") == 4, f"{face}: wsrx wine install",
             f"{code}\n{output}")
    code, output = wine.run(command, "wine", "status", cwd=folder)
    tap.case(code == 0 and output.rstrip().endswith(": installed"), f"{face}: wsrx wine status",
             f"{code}\n{output}")
    check_face(f"{face}, installed", wine, folder, names)
    code, output = wine.run(command, "wine", "remove", cwd=folder)
    tap.case(code == 0 and dlls() == before, f"{face}: wsrx wine remove", f"{code}\n{output}")
    results = scenarios(wine, folder, ["fits", "plain-recv-drops"])
    tap.case(results["fits"] is not True and results["plain-recv-drops"] is True,
             f"{face}: Wine's DLLs again", results)


def check_beside(wine, files, folders):
    """A DLL of the other word size is named, and another one is used."""
    shutil.copy(files["winelib"] / "mswsock.dll", folders["stock"])
    code, output = wine.run(files["wsrx"], "wine", "run", "victim.exe", "fits",
                            cwd=folders["stock"])
    tap.case(code == 0 and "mswsock.dll: a 64-bit DLL beside a 32-bit program" in output,
             "32-bit: a 64-bit DLL beside the program", f"{code}\n{output}")
    (folders["stock"] / "mswsock.dll").unlink()


def check_missing(wine, pe, under, word, folder):
    """The launcher, where the part that this Wine needs is not installed, and by itself."""
    launcher = pe / under / "wsrx-run.exe"
    code, output = wine.run("wine", launcher, "-", pe / under, folder / "victim.exe", cwd=folder)
    tap.case(code == 126 and re.fullmatch(rf"wsrx: .*\b{word}-bit program.* is not there .*\n",
                                          output.replace("\r", "")),
             f"{word}-bit: wsrx's part is missing", f"exit code {code}\n{output}")
    code, output = wine.run("wine", launcher, cwd=folder)
    tap.case(code == 125 and "is started by `wsrx wine run`" in output,
             f"{word}-bit: the launcher by itself", f"exit code {code}\n{output}")


def why_not(wine, files):
    """Why this Wine runs no 32-bit programs, or none of ours; None: it does."""
    if not files["victim32"]:
        return "no i686-w64-mingw32-gcc (Debian: gcc-mingw-w64-i686)"
    if not (wine.prefix / "drive_c/windows/syswow64/mswsock.dll").exists():
        return "this Wine runs none (Debian: wine32:i386)"
    return None


def check_32_bit(wine, files, names, silent_peer):
    reason = why_not(wine, files)
    if reason:
        tap.skip("32-bit programs", reason)
        return
    folders = make_folders(wine.scratch, "-32", files["victim32"], files["winelib"] / "i386",
                           files["pe"] / "i386")
    results = scenarios(wine, folders["stock"], ["parts", "plain-recv-drops"])
    tap.case(results["parts"] is not True and results["plain-recv-drops"] is True,
             "32-bit: stock Wine", results)
    check_face("32-bit, PE DLL alone", wine, folders["alone"], ALONE, overrides=OVERRIDES)
    if not (files["pair"] / "i386-unix/wsrx.so").exists():
        tap.skip("32-bit, PE DLL and its pair", "not built (Debian: gcc-multilib)")
    else:
        check_face("32-bit, PE DLL and its pair", wine, folders["pe"], names, overrides=OVERRIDES,
                   WINEDLLPATH=str(files["pair"]))
    if not (folders["elf"] / "mswsock.dll").exists():
        tap.skip("32-bit, DLL beside the program", "not built (Debian: libwine-dev:i386)")
        return
    silent = silent_peer(wine, folders["elf"])
    check_face("32-bit, DLL beside the program", wine, folders["elf"], names)
    code, output = wine.run("wine", "victim.exe", "parts", cwd=folders["elf"], WSRX_STRICT="1",
                            WSRX_MODE="contniue")
    tap.case(code == 125 and "is not started" in output, "32-bit: WSRX_STRICT=1",
             f"exit code {code}\n{output}")
    check_missing(wine, files["pe"], "i386", "32", folders["stock"])
    check_run("32-bit", wine, files["wsrx"], folders["stock"], names)
    check_beside(wine, files, folders)
    check_install("32-bit", wine, files["wsrx"], folders["stock"], names)
    silent.check()


def check_new_wow64(scratch, files, names):
    """With no 32-bit Unix code at all."""
    programs, found = make_new_wow64(scratch / "new-wow64")
    if not programs or not files["victim32"]:
        tap.skip("new WoW64", f"there is no {found} (Debian: wine32:i386)" if not programs
                 else "no i686-w64-mingw32-gcc (Debian: gcc-mingw-w64-i686)")
        return
    (scratch / "new").mkdir()
    wine = Wine(scratch / "new", programs)
    folders = make_folders(wine.scratch, "-32", files["victim32"], files["winelib"] / "i386",
                           files["pe"] / "i386")
    folders64 = make_folders(wine.scratch, "", files["victim"], files["winelib"], files["pe"])
    missing = wine.make()
    tap.case(not missing, "new WoW64: a prefix", "\n".join(missing))
    wine.keep()
    try:
        code, output = wine.run("wine", files["pe"] / "i386/wsrx-run.exe", "--ask")
        tap.case(output.strip().splitlines()[-1:] == [f"PE {found}"],
                 "new WoW64: 32-bit programs run in 64-bit processes", f"{code}\n{output}")
        check_face("new WoW64, 32-bit, PE DLL and its pair", wine, folders["pe"], names,
                   overrides=OVERRIDES, WINEDLLPATH=str(files["pair"]))
        check_run("new WoW64, 32-bit", wine, files["wsrx"], folders["stock"], names)
        check_face("new WoW64, 64-bit, DLL beside the program", wine, folders64["elf"],
                   ["parts", "20000-datagrams", "wsock32"])
        check_install("new WoW64, 32-bit", wine, files["wsrx"], folders["stock"], names)
    finally:
        wine.stop()
