# SPDX-License-Identifier: MIT
"""Runs what the pages of the documentation tell a reader to type, and compares what they show.

  pages.py ROOT [BUILD] [PAGE[=REASON] ...]     without BUILD ("-"): what is installed is tried

A page with a reason is not tried, and that is why.

In a page, a fenced block of the kind "console" is a session: "$ " begins a command, and what stands
below it is its output, in which "..." stands for anything. A block with two words, such as
"c app.c", is a file. Three comments are for us: "<!-- needs: PROGRAM ... -->" names what must be
installed, "<!-- run: COMMAND -->" is a command that the reader does not need, and
"<!-- meanwhile: COMMAND -->" runs beside the next command, as soon as that has bound port 9000.
What differs from run to run is made alike on both sides (ALIKE).

A page's commands run one after the other in one bash, in an empty directory, and in a network of
their own, where port 9000 is free. What runs in the background is waited for until it sleeps and
has nothing queued, which is what a reader's fingers take care of. Only what was started here is
ended.
"""

import fcntl
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
from house import Tap, read  # noqa: E402

PAGES = ("README.md", "docs/tutorials/keep.md", "docs/tutorials/know.md",
         "docs/tutorials/windows.md", "docs/tutorials/ported.md", "docs/deploy/node-exporter.md")
LIMIT = 120  # seconds that one command may take, however busy the machine is
PORT = 9000  # that the pages use

# What is another at each run.
ALIKE = (
    (r"\[\d+\]", "[PID]"),
    (r"\b\d\d:\d\d:\d\d\.\d+ \d+/\d+ #\d+", "TIME PID/TID"),
    (r"(wsrx\.[\w.]+?)\.\d+\.(ring|jsonl|txt)", r"\1.PID.\2"),
    (r"\b\d+\.\d+ s from", "N s from"),
    (r'pid="\d+"', 'pid="PID"'),
    (r'socket="\d+"', 'socket="N"'),
    (r"(127\.0\.0\.1:)(?!9000)\d{4,5}\b", r"\1OTHER"),
    (r"\+0x[0-9a-f]+", "+0xN"),
    # Debian 13's socat has that name, and says what has ended it.
    (r"\bsocat1\b", "socat"),
    (r"(?m)^[\d/]+ [\d:]+ socat\[PID\] W exiting on signal 15\n?", ""),
    (r"\S*/libwsrx\.so\.0[.\d]*", "libwsrx.so.0"),
)


def commands_of(text):
    """A page's steps, in order: ("file", name, text), ("run", command, wanted or None),
    ("meanwhile", command, None)."""
    steps = []
    block = re.compile(r"^```(\S*)(?: (\S+))?\n(.*?)^```$|<!-- (run|meanwhile): (.*?) -->",
                       re.M | re.S)
    for kind, name, body, hidden, command in block.findall(text):
        if hidden:
            steps.append((hidden, command, None))
        elif name:
            steps.append(("file", name, body))
        elif kind == "console":
            # A command goes on in lines that begin with "> ".
            for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
                lines = part.split("\n")
                command = [lines.pop(0)]
                while lines and lines[0].startswith("> "):
                    command.append(lines.pop(0)[2:])
                steps.append(("run", "\n".join(command), "\n".join(lines).strip("\n")))
    return steps


def alike(text):
    for pattern, word in ALIKE:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def matches(wanted, got):
    """Whether it is the wanted output; "..." is anything, on a line of its own any lines."""
    pattern = ""
    for line in wanted.split("\n"):
        pattern += "(?:.*\n)*" if line == "..." else \
            ".*".join(re.escape(part) for part in line.split("...")) + "\n"
    return re.fullmatch(pattern, got + "\n") is not None


def queued():
    """The bytes that wait at the port; None: nobody has bound it."""
    found = None
    with open("/proc/net/udp", encoding="ascii") as table:
        next(table)
        for line in table:
            field = line.split()
            if int(field[1].split(":")[1], 16) == PORT:
                found = (found or 0) + int(field[4].split(":")[1], 16)
    return found


def below(pid):
    """The states of the processes that descend from this one."""
    parents, states = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    field = file.read().rpartition(")")[2].split()
                parents[int(name)], states[int(name)] = int(field[1]), field[0]
            except OSError:
                pass
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return {child: states[child] for child in found}


class Shell:
    """One bash, which is given one command after the other."""

    def __init__(self, directory, environment):
        self.output = os.path.join(directory, ".output")
        with open(self.output, "wb") as output:
            # pylint: disable=consider-using-with
            self.bash = subprocess.Popen(["bash", "--norc", "-s"], cwd=directory, env=environment,
                                         stdin=subprocess.PIPE, stdout=output, stderr=output,
                                         start_new_session=True)
        self.done = os.path.join(directory, ".done")
        self.seen = 0

    def run(self, command):
        """What the command, or one before it in the background, has printed meanwhile."""
        if os.path.exists(self.done):
            os.remove(self.done)
        text = shlex.quote(command)
        self.bash.stdin.write(f"eval {text} </dev/null\n: >'{self.done}'\n".encode())
        self.bash.stdin.flush()
        self.until(lambda: os.path.exists(self.done), command)
        if command.rstrip().endswith("&") and str(PORT) in command:
            self.until(lambda: queued() is not None, f"{command} has bound its port")
        if below(self.bash.pid):
            self.until(self.is_idle, f"quiet after {command}")
        with open(self.output, encoding="utf-8", errors="replace") as file:
            text = file.read()
        text, self.seen = text[self.seen:], len(text)
        return text

    def is_idle(self):
        if queued() or set(below(self.bash.pid).values()) - set("SZ"):
            return False
        time.sleep(0.3)  # what sleeps now, and then, does nothing more
        return not queued() and not set(below(self.bash.pid).values()) - set("SZ")

    def until(self, condition, what):
        deadline = time.monotonic() + LIMIT
        while not condition():
            if self.bash.poll() is not None and not condition():
                raise RuntimeError(f"the shell has ended: {what}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {LIMIT} s: {what}")
            time.sleep(0.02)

    def end(self):
        for pid in list(below(self.bash.pid)) + [self.bash.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.bash.wait()
        self.bash.stdin.close()


def environment_of(root, build, directory):
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("WSRX_") and key not in ("LD_PRELOAD", "PYTHONPATH")}
    environment.update(LC_ALL="C.UTF-8", NO_COLOR="1", HOME=directory, TERM="dumb",
                       WINEDEBUG="-all", WINEPREFIX=os.path.join(directory, ".wine"),
                       SOURCES=root, XDG_RUNTIME_DIR=os.path.join(directory, ".run"))
    # As a login makes it: without one, Debian 13's Wine complains.
    os.mkdir(environment["XDG_RUNTIME_DIR"], 0o700)
    if build:
        shared = [os.path.join(build, "preload"), os.path.join(build, "shim")]
        environment.update(PATH=os.path.join(build, "tools") + ":" + os.environ["PATH"],
                           LD_LIBRARY_PATH=":".join(shared),
                           PKG_CONFIG_PATH=os.path.join(build, "meson-uninstalled"))
    return environment


def meanwhile(command, directory, environment):
    deadline = time.monotonic() + LIMIT
    while queued() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    subprocess.run(["bash", "-c", command], cwd=directory, env=environment, check=False)


def try_page(root, build, page):
    """What is wrong with it, in lines."""
    directory = tempfile.mkdtemp(prefix="wsrx-page-")
    environment = environment_of(root, build, directory)
    shell = Shell(directory, environment)
    wrong = []
    try:
        for kind, name, text in commands_of(read(root, page)):
            if kind == "file":
                with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                    file.write(text)
                continue
            if kind == "meanwhile":
                threading.Thread(target=meanwhile, args=(name, directory, environment)).start()
                continue
            got = alike(shell.run(name))
            if text is not None and not matches(alike(text), got):
                wrong += [f"$ {name}", "the page:", alike(text), "now:", got]
    except RuntimeError as error:
        wrong.append(str(error))
    finally:
        shell.end()
        if os.path.exists(os.path.join(directory, ".wine")):
            subprocess.run(["wineserver", "-k"], env=environment, check=False,
                           capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)
    return wrong


def missing(root, page):
    """The programs that the page needs, and that are not here."""
    words = " ".join(re.findall(r"<!-- needs: (.*?) -->", read(root, page))).split()
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [word for word in words if not shutil.which(word, path=path)]


def enter_network():
    """Starts this program again in a network of its own. False: that is not allowed here."""
    if "PAGES_INSIDE" in os.environ:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            # SIOCSIFFLAGS, IFF_UP: netdevice(7)
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))
        return True
    unshare = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-rn"]
    if subprocess.run(unshare + ["true"], check=False, capture_output=True).returncode:
        return False
    os.environ["PAGES_INSIDE"] = "1"
    os.execvp("unshare", unshare + [sys.executable, "-B", *sys.argv])


def main():
    inside = enter_network()
    root = os.path.abspath(sys.argv[1])
    build = os.path.abspath(sys.argv[2]) if sys.argv[2:] and sys.argv[2] != "-" else None
    tap = Tap()
    for word in sys.argv[3:] or PAGES:
        page, _, reason = word.partition("=")
        absent = missing(root, page)
        if reason:
            tap.skip(page, reason)
        elif not inside:
            tap.skip(page, "no network namespace can be made here")
        elif absent:
            tap.skip(page, "not installed: " + " ".join(absent))
        else:
            tap.case(page, try_page(root, build, page))
    tap.end()


main()
