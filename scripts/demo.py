# SPDX-License-Identifier: MIT
"""The table of scripts/demo: programs of Debian, without the library and with it.

Owns the list of programs, what is sent to them, and the verdicts. It sends on loopback only,
and ends only the programs that it started. Takes the path of the library,
and how a shell sets the variables for it.
"""

import concurrent.futures
import dataclasses
import hashlib
import os
import random
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
LIMIT = 20.0  # seconds that one program may take, however busy the machine is
QUIET = 0.3  # a program that sleeps and has nothing queued for so long will say no more


@dataclasses.dataclass(frozen=True)
class Row:
    """One program. PORT in its command is the port that it is to use."""

    name: str
    buffer: int
    command: tuple
    count: int  # datagrams
    size: int
    asks: bool = False  # it sends first and is answered; else it listens
    line: bool = False  # it reads one line, and gives it back without the newline
    ends: bool = False  # it ends by itself, after a time-out of its own: wait for that
    control: bool = False  # it loses nothing, and must stay the same


def asking(then):
    """A descriptor of bash's own /dev/udp, and what then reads from it."""
    return ("bash", "-c", f"exec 3<>/dev/udp/{HOST}/PORT; echo hello >&3; {then}")


def socat(size):
    return ("socat", "-b", str(size), "-u", f"UDP-RECV:0,bind={HOST}", "STDOUT")


def python3(size):
    return (
        "/usr/bin/python3", "-c",
        "import os, socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.bind(('{HOST}', 0))\n"
        f"while True: os.write(1, s.recv({size}))\n",
    )


def perl(size):
    return (
        "perl", "-MIO::Socket::INET", "-e",
        f"$s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '{HOST}') or die; "
        f"while (defined $s->recv($b, {size})) {{ syswrite STDOUT, $b }}",
    )


ROWS = (
    Row("bash: read -t 2 line", 1, asking("read -t 2 -r line <&3; printf %s \"$line\""),
        1, 1000, asks=True, line=True, ends=True),
    Row("dash: read line", 1, asking("exec dash -c 'read -r line <&3; printf %s \"$line\"'"),
        1, 1000, asks=True, line=True),
    Row("dd bs=100", 100, asking("exec dd bs=100 status=none <&3"), 3, 1000, asks=True),
    # No -b: the default of socat 1.7.
    Row("socat UDP-RECV:0", 8192,
        ("socat", "-u", f"UDP-RECV:0,bind={HOST}", "STDOUT"), 3, 9000),
    Row("socat -b 512 UDP-RECV:0", 512, socat(512), 3, 1400),
    Row("nc.openbsd -u -l", 16384, ("nc.openbsd", "-u", "-l", HOST, "PORT"), 3, 20000),
    Row("nc.traditional -u -l", 8192,
        ("nc.traditional", "-n", "-u", "-l", "-s", HOST, "-p", "PORT"), 3, 20000),
    Row("python3: s.recv(1000)", 1000, python3(1000), 3, 3500),
    Row("perl: $s->recv($b, 512)", 512, perl(512), 3, 3000),
    Row("python3: s.recv(65536)", 65536, python3(65536), 3, 20000, control=True),
    Row("socat -b 65536", 65536, socat(65536), 3, 20000, control=True),
)


def payload_of(row):
    """What the program should give back: the same seeded bytes for both runs."""
    source = random.Random(row.name)
    if row.line:
        return "".join(source.choices(string.ascii_letters, k=row.size)).encode()
    return source.randbytes(row.count * row.size)


def datagrams_of(row):
    payload = payload_of(row)
    if row.line:
        return [payload + b"\n"]
    return [payload[at:at + row.size] for at in range(0, len(payload), row.size)]


def checksum(data):
    return hashlib.sha256(data).hexdigest()[:8]


def udp_sockets():
    """inode -> (local port, bytes queued), of every UDP socket over IPv4."""
    found = {}
    with open("/proc/net/udp", encoding="ascii") as table:
        next(table)
        for line in table:
            field = line.split()
            found[field[9]] = (int(field[1].split(":")[1], 16), int(field[4].split(":")[1], 16))
    return found


def port_of(pid):
    """The local port of the first UDP socket that the process has, or 0."""
    sockets = udp_sockets()
    try:
        for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if link.startswith("socket:["):
                port = sockets.get(link[len("socket:["):-1], (0, 0))[0]
                if port:
                    return port
    except OSError:  # it has closed something, or ended, meanwhile
        pass
    return 0


def is_idle(pid, port):
    """Whether the process sleeps, and no socket of this port has anything queued."""
    if any(queued for at, queued in udp_sockets().values() if at == port):
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "SZ"
    except OSError:
        return True


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def until(deadline, condition):
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    return None


@dataclasses.dataclass
class Outcome:
    data: bytes = b""
    trouble: str = ""  # why the run shows nothing


def finish(row, process, port, output, deadline):
    """Waits until the program has ended, or will say no more."""
    last_size, quiet_since = -1, time.monotonic()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        size = os.fstat(output.fileno()).st_size
        now = time.monotonic()
        if size != last_size or not is_idle(process.pid, port):
            last_size, quiet_since = size, now
        if not row.ends and now - quiet_since > QUIET:
            return
        time.sleep(0.01)
    raise TimeoutError(f"not done after {LIMIT:.0f} s")


def run(row, library):
    """Runs the program once, with the library if one is given, and sends it its messages."""
    deadline = time.monotonic() + LIMIT
    environment = dict(os.environ, LC_ALL="C")
    if library:
        environment["LD_PRELOAD"] = library
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        sender.bind((HOST, 0))
        sender.settimeout(LIMIT)
        port = sender.getsockname()[1] if row.asks else free_port()
        process = subprocess.Popen([word.replace("PORT", str(port)) for word in row.command],
                                   env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=errors)
        outcome = Outcome()
        try:
            if row.asks:
                target = sender.recvfrom(100)[1]
            else:
                port = until(deadline, lambda: process.poll() is not None or port_of(process.pid))
                if process.poll() is not None or not port:
                    raise RuntimeError("has opened no UDP port")
                target = (HOST, port)
            for datagram in datagrams_of(row):
                sender.sendto(datagram, target)
            finish(row, process, target[1], output, deadline)
        except (OSError, RuntimeError) as error:
            outcome.trouble = str(error)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode < 0 and process.returncode != -signal.SIGKILL:
            outcome.trouble = f"ended by {signal.Signals(-process.returncode).name}"
        output.seek(0)
        errors.seek(0)
        outcome.data = output.read()
        said = errors.read().decode(errors="replace").strip()
        # Said by the dynamic linker or by the library: then this was no run with the library.
        if outcome.trouble or "ld.so" in said or "libwsrx[" in said:
            outcome.trouble = "; ".join(filter(None, (outcome.trouble, said.partition("\n")[0])))
        return outcome


def verdict(row, without, with_library):
    """What the row shows, and whether that is what it should show."""
    sent = payload_of(row)
    if without.trouble:
        return f"FAILED without the library: {without.trouble}", False
    if with_library.trouble:
        return f"FAILED: {with_library.trouble}", False
    if with_library.data != sent:
        return "FAILED: not what was sent", False
    if row.control:
        same = without.data == sent
        return ("the same", True) if same else ("FAILED: control lost data", False)
    if len(without.data) >= len(sent):
        return "FAILED: loses nothing without the library", False
    return "nothing lost", True


def cell(data):
    return f"{len(data):>7,} {checksum(data) if data else '-':<8}"


def main():
    library = sys.argv[1]
    print(f"""
Every program is run twice, without the library and with it, and is sent the same datagrams over
{HOST}. It is ended when it waits and nothing is queued for it. A checksum is the start of the
SHA-256 of all that was sent, or that the program gave back. (read gives back no newline.)
""")
    print(f"{'program':<23} {'buffer':>6}  {'datagrams':<10} {'bytes sent':<16}"
          f"| {'without':<16} | {'with':<16} |")
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        runs = [(row, pool.submit(run, row, None), pool.submit(run, row, library)) for row in ROWS]
        for row, without, with_library in runs:
            without, with_library = without.result(), with_library.result()
            words, good = verdict(row, without, with_library)
            failures += not good
            print(f"{row.name:<23} {row.buffer:>6,}  {f'{row.count} x {row.size:,}':<10}"
                  f"{cell(payload_of(row))} | {cell(without.data)} | {cell(with_library.data)} "
                  f"| {words}", flush=True)
    print()
    if failures:
        sys.stdout.flush()
        print(f"demo: {failures} of {len(ROWS)} rows are not what they should be", file=sys.stderr)
        return 1
    print("For your own program:")
    print()
    print(f"    {sys.argv[2]} ./app")
    return 0


if __name__ == "__main__":
    sys.exit(main())
