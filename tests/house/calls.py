# SPDX-License-Identifier: MIT
"""Who loses nothing makes the same system calls with the library as without it.

Takes the root of the sources and of the build, the library, mark.so, and the program. Both runs are
traced by strace and compared, from main() on, process by process and call by call. --only=NAME
tries one program. What the library makes all the same is listed in still-made, beside this file.
"""

import difflib
import os
import re
import shutil
import socket
import sys
import tempfile
import time

import house
import kernel

RECEIVES = ("recvfrom", "recvmsg", "recvmmsg", "read", "readv", "preadv2")

ATTEMPTS = 3  # a program may do this or that by chance; what the library does, it does each time

# Whoever has a filter may be killed for a call that it has not made itself.
EXACT = ("filter", "filter-and-copies", "filter-and-epoll", "filter-and-fork",
         "filter-and-threads")
FILTER = "prctl(PR_SET_SECCOMP"

CASES = (
    "udp4", "udp6", "unix-datagram", "seqpacket", "seqpacket-accepted", "stream", "tcp-accepted",
    "no-sockets", "number-used-again", "memory", "errors", "poll-and-select", "epoll",
    "epoll-edge", "epoll-oneshot", "epoll-stream", "epoll-among-copies", "sigio", "copies",
    "passed", "fork", "fork-with-epoll", "threads", "exec", "inherited", *EXACT,
)

# What is known not to be so yet.
TODO = {}

PYTHON = """
import os, select, selectors, socket, subprocess, threading
def pair():
    s, c = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    s.bind(("127.0.0.1", 0)); c.connect(s.getsockname())
    return s, c
s, c = pair()
chooser = selectors.DefaultSelector()
chooser.register(s, selectors.EVENT_READ)
for _ in range(3):
    c.send(b"x" * 3000)
    assert chooser.select(5)
    assert len(s.recv(65536)) == 3000
s.settimeout(5)
c.send(b"x" * 3000)
assert len(s.recvfrom(65536)[0]) == 3000
def work():
    s, c = pair()
    c.send(b"y")
    assert s.recvmsg(100, 100)[0] == b"y"
    a, b = socket.socketpair()
    b.sendall(b"z" * 100)
    assert a.recv(60) + a.recv(60) == b"z" * 100
thread = threading.Thread(target=work); thread.start(); thread.join()
if os.fork() == 0:
    work(); os._exit(0)
os.wait()
assert subprocess.run(["cat"], input=b"abc", capture_output=True).stdout == b"abc"
"""

# A receiver and a sender in one shell: the second process sends to the first.
BASH = """
exec 3<>/dev/udp/127.0.0.1/9
for word in a b c; do echo $word; done | while read -r line; do printf '%s' "$line"; done
x=$(head -c 10 /dev/zero | tr '\\0' x); echo "$x" | cat
"""


def send_when_bound(port):
    """Sends to a port as soon as somebody has bound it, until the receiver ends."""
    def feed(_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with open("/proc/net/udp", encoding="ascii") as table:
                    if f"0100007F:{port:04X}" in table.read():
                        break
                time.sleep(0.01)
            sender.sendto(b"x" * 3000, ("127.0.0.1", port))
    return feed


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


class Program:
    def __init__(self, name, argv, feed=None, exact=False, own_memory=False):
        self.name, self.argv, self.feed, self.exact = name, argv, feed, exact
        self.own_memory = own_memory


def programs(program):
    found = [Program(case, [program, case], exact=case in EXACT) for case in CASES]
    port = free_port()
    found.append(Program("python", ["/usr/bin/python3", "-I", "-S", "-B", "-c", PYTHON],
                         own_memory=True))
    found.append(Program("bash", ["/bin/bash", "-c", BASH]))
    found.append(Program("socat", ["socat", "-T20", "-u", f"UDP4-RECVFROM:{port},bind=127.0.0.1", "-"],
                         feed=send_when_bound(port)))
    return found


def from_main(trace, exact):
    """Image -> its calls from main() on, each as it is in every run, and as it is here."""
    found = {}
    for name, _, calls in trace.images():
        if exact:  # from there on
            places = [place for place, call in enumerate(calls) if FILTER in str(call)]
            calls = calls[places[0]:] if places else calls
        found[name] = [(plain(trace, call, exact), call) for call in calls
                       if not call.by_chance()]
    return found


def plain(trace, call, exact):
    """One receive of the program is one receive: by which call, the library may choose. Whether a
    child has ended when it is waited for is chance."""
    text = trace.plain(call)
    if not exact and call.name in RECEIVES:
        return re.sub(r"^\w+\((\d+),.*\) = ", r"receive(\1) = ", text)
    if call.name == "wait4":
        return text.replace(", WNOHANG, ", ", 0, ")
    return text


def told(sign, text, call):
    """A line of the report, with the functions of the library that the call came through."""
    through = " < ".join(call.within()[:6])
    return f"{sign} {text}" + (f"   ({through})" if through else "")


def deviations(before, after):
    """The calls that only one of two runs has: (process, sign, text, call)."""
    found = []
    for image in sorted(set(before) | set(after)):
        here, there = before.get(image, []), after.get(image, [])
        matcher = difflib.SequenceMatcher(None, [text for text, _ in here],
                                          [text for text, _ in there], autojunk=False)
        for tag, low, high, low_there, high_there in matcher.get_opcodes():
            if tag != "equal":
                found += [(image, "-", *each) for each in here[low:high]]
                found += [(image, "+", *each) for each in there[low_there:high_there]]
    return found


# Whether a page of the stack has to be asked for goes by where the stack happens to lie.
BY_CHANCE = {("rt_sigprocmask", "sys_probe_read")}


class StillMade:
    """The rows of the list beside this file: a call, and a function that it comes through."""

    def __init__(self, here):
        self.rows = {tuple(line.split()[:2]): False
                     for line in house.words(house.read(here, "still-made"))}

    def allows(self, sign, call):
        through = [row for row in self.rows
                   if row[0] == call.name and row[1] in call.within()]
        for row in through:
            self.rows[row] = True
        return sign == "+" and bool(through)

    def unused(self):
        return [f"{call} by {function}(): not made any more, and so no row of still-made"
                for (call, function), used in self.rows.items()
                if not used and (call, function) not in BY_CHANCE]


# When Python takes an arena, and gives one back, goes by its hash seed and by where things lie.
MEMORY = ("mmap", "munmap", "brk", "madvise")


def is_own_memory(each, call):
    return each.own_memory and call.name in MEMORY and not call.within()


def describe(found):
    """What deviates, by process, each kind of it once."""
    counts = {}
    for image, sign, text, call in found:
        line = told(sign, text, call)
        counts[image, line] = counts.get((image, line), 0) + 1
    lines, last = [], None
    for (image, line), count in counts.items():
        if image != last:
            lines.append(f"process {image} (+ with the library, - without it):")
            last = image
        lines.append(line + (f", {count} times" if count > 1 else ""))
    return lines


def compare(each, library, mark, directory, still_made):
    wrong = []
    for _ in range(ATTEMPTS):
        without, status, out, errors = kernel.run(each.argv, [mark], directory, feed=each.feed)
        if status != 0:
            return [f"fails without the library: {status} {errors.decode()}"]
        before, found = from_main(without, each.exact), None
        if not any(before.values()):
            return ["nothing was traced"]
        # Where each call came from is only asked for when there is one too many: it takes time.
        for options in [], ["-k"]:
            # The mark comes first, so that its initialization is the last.
            with_library, *as_well = kernel.run(each.argv, [mark, library], directory,
                                                feed=each.feed, options=options)
            if as_well != [status, out, errors]:
                return [f"without the library {status} {out} {errors}, with it {as_well}"]
            found = deviations(before, from_main(with_library, each.exact))
            if not found:
                return []
        wrong = describe(one for one in found
                         if not is_own_memory(each, one[3]) and
                         (each.exact or not still_made.allows(one[1], one[3])))
        if not wrong:
            break
    return wrong


def main():
    library, mark, program = (os.path.abspath(path) for path in sys.argv[3:6])
    tap = house.Tap()
    still_made = StillMade(os.path.dirname(os.path.abspath(__file__)))
    only = [word[7:] for word in sys.argv if word.startswith("--only=")]
    with tempfile.TemporaryDirectory(prefix="wsrx-house-") as directory:
        for each in programs(program):
            name = f"{each.name}: the same calls with the library as without it"
            if only and each.name not in only:
                continue
            if not shutil.which("strace"):
                tap.skip(name, "no strace")
            elif not shutil.which(each.argv[0]):
                tap.skip(name, f"no {each.argv[0]}")
            else:
                tap.case(name, compare(each, library, mark, directory, still_made),
                         todo=TODO.get(each.name))
    if shutil.which("strace") and not only:
        tap.case("still-made has nothing that is not made any more", still_made.unused())
    tap.end()


if __name__ == "__main__":
    main()
