# SPDX-License-Identifier: MIT
"""What `wsrx report` says: its page, in a browser, and the same as JSON and as tables."""

import html
import json
import os
import re
import signal
import socket
import struct
import sys

from harness import LIMIT, PRELUDE, PYTHON, Skip, bound_port, equal, main, need, send, test, until
from traces import trace_of

MANY = """
import socket
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(60)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
    s.setblocking(False)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(50000):
    s = sockets[i * i % 60]
    c.sendto(bytes(i * 37 % 4000), s.getsockname())
    s.recv(2048)
    try: s.recv(2048)
    except BlockingIOError: pass
"""


def page_of(bench, *argv):
    """The page that `wsrx report` makes, and the path of its file."""
    path = bench.path("page.html")
    done = bench.wsrx("report", f"--html={path}", *argv)
    equal((done.returncode, done.stderr), (0, b""))
    with open(path, encoding="utf-8") as file:
        return file.read(), path


def socat_name():
    """Of its file: on Debian 13 socat is a link."""
    return os.path.basename(os.path.realpath(need("socat")))


def socat_trace(bench, mode):
    """A trace of socat, which reads with 8,192 bytes, and what it lost or had saved."""
    need("socat")
    process = bench.start(["socat", "-u", "UDP-RECV:0,bind=127.0.0.1", "STDOUT"], TRACE="ring",
                          TRACE_FILE=mode, MODE=mode)
    try:
        port = until(lambda: bound_port(process.pid))
        for size in (100, 9000, 8192, 12000):
            send(port, bytes(size))
            process.stdout.read(min(size, 8192) if mode == "observe" else size)
    finally:
        process.kill()
        process.wait(LIMIT)
    return mode


@test
def the_page_concludes(bench):
    page, _ = page_of(bench, socat_trace(bench, "observe"))
    wanted = f"{socat_name()} lost 4,616 of 29,292 bytes (16 %): its buffer is 8,192, 12,000 would do"
    equal(re.search("<title>(.*?)</title>", page)[1], wanted)
    equal(re.search("<h1>(.*?)</h1>", page)[1], wanted)
    equal(bench.wsrx("report", "observe").stdout.decode().split("\n")[0], wanted)
    page, _ = page_of(bench, socat_trace(bench, "continue"))
    equal(re.search("<title>(.*?)</title>", page)[1],
          f"{socat_name()} lost nothing; libwsrx saved 4,616 of 29,292 bytes (16 %): its buffer is "
          "8,192, 12,000 would do")


@test
def each_conclusion(bench):
    for code, wanted in (
            ("c.sendto(b'abc', to); s.recv(10)", "lost nothing: 1 message fit"),
            ("c.sendto(b'abc', to); s.recv(10)\n" * 2, "lost nothing: 2 messages fit"),
            ("s.setblocking(False)\ntry: s.recv(1)\nexcept BlockingIOError: pass",
             "received no message"),
            ("c.sendto(bytes(30000), to); s.recv(29999); s.close()",
             "lost 1 of 30,000 bytes (< 0.01 %): its buffer is 29,999, 30,000 would do"),
            ("t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.bind(('127.0.0.1', 0))\n"
             "c.sendto(bytes(30), to); s.recv(10)\n"
             "c.sendto(bytes(30), t.getsockname()); t.recv(5)",
             r"lost 45 of 60 bytes \(75 %\): the buffer on 127.0.0.1:\d+ is 5, 30 would do")):
        trace_of(bench, "t", code=PRELUDE + code, MODE="observe")
        said = bench.wsrx("report", "t").stdout.decode().split("\n")[0]
        assert re.fullmatch(r"python[\d.]* (" + (wanted if "\\" in wanted else re.escape(wanted)) +
                            ")", said), said
        os.unlink(bench.path("t"))
    # What is gone from the ring may have been a loss.
    bench.python("for i in range(500): c.sendto(bytes(9), to); s.recv(9)", TRACE="ring",
                 TRACE_FILE="t", TRACE_SIZE="4K")
    said = bench.wsrx("report", "t").stdout.decode().split("\n")[0]
    assert said.endswith(" lost nothing: 500 messages fit"), said


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    colour = colour.lstrip("#")
    if len(colour) == 3:
        colour = "".join(2 * digit for digit in colour)
    parts = [int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@test
def nothing_is_said_by_colour_alone(bench):
    trace_of(bench, "t")
    page, _ = page_of(bench, "t")
    schemes = re.findall(r":root\{(.*?)\}", page, re.S)
    equal(len(schemes), 2, "light and dark")
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+):(#\w+)", scheme))
        for name in ("ink", "dim", "fit", "saved", "lost", "buffer"):
            for ground in ("page", "card"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        assert contrast(colours["saved"], colours["lost"]) >= 3, colours
    assert ".lost{fill:url(#lost)" in page and '<pattern id="lost"' in page


@test
def the_page_can_be_read_without_eyes(bench):
    trace_of(bench, "a", MODE="observe")
    trace_of(bench, "b")
    for argv in (("a",), ("a", "b"), ("--diff", "a", "b")):
        page, _ = page_of(bench, *argv)
        equal(page.count("<table>"), page.count("<caption>"))
        equal(len(re.findall("<th[ >]", page)), page.count('<th scope="col"') +
              page.count('<th scope="row"'))
        labels = re.findall(r'role="img" aria-label="(.*?)"', page)
        equal(len(set(labels)), len(labels), "each picture has its own")
        equal(len(labels), 0 if "--diff" in argv else 1 + 3 * len(argv))
        if labels:
            assert re.match(r"Bytes over time, in [\d.]+ m?s: [\d,]+ received", labels[0]), labels
        assert '<html lang="en">' in page and "{{" not in page, page


@test
def who_what_and_when(bench):
    trace_of(bench, "t")
    page, _ = page_of(bench, "t")
    facts = dict(re.findall("<dt>(.*?)</dt>\n?<dd>(.*?)</dd>", page, re.S))
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, [\d.]+ m?s from ", facts["recorded"]), facts
    version = bench.wsrx("--version").stdout.decode().strip()
    told = [fact for name, fact in facts.items() if name.startswith("python")][0]
    command, told = told.strip().split("</code>, ")
    assert html.unescape(command).startswith(f"<code>{PYTHON} -c "), command
    equal(told, f"on {socket.gethostname()}, mode continue, libwsrx {version.split()[1]}, from t")
    assert facts["report"].startswith(f"by {version} on {socket.gethostname()}, "), facts


def is_picture(path, least_width):
    """A PNG that is not of one colour: a blank page compresses to nearly nothing."""
    with open(path, "rb") as file:
        data = file.read()
    width, _ = struct.unpack(">II", data[16:24])
    return data[:4] == b"\x89PNG" and width >= least_width and len(data) > 20000


def browse(bench, page, name, width, *options):
    """Puts the page into a frame of a width, takes a screenshot, and asks how wide it has become."""
    frame = bench.path("frame.html")
    with open(frame, "w", encoding="utf-8") as file:
        file.write('<body style="margin:0"><iframe style="border:0;height:1500px" '
                   f'width="{width}" srcdoc="{html.escape(page)}"></iframe>'
                   "<p id=answer></p><script>onload = () => { let d = "
                   "document.querySelector('iframe').contentDocument;"
                   "let texts = [...d.querySelectorAll('svg text')].filter(t => t.textContent);"
                   "answer.textContent = ['width', d.documentElement.scrollWidth, 'least',"
                   "Math.min(999, ...texts.map(t => t.getBoundingClientRect().height))].join(' ')"
                   "}</script>")
    shot = bench.path(name + ".png")
    done = bench.run([need("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
                      f"--user-data-dir={bench.path('profile')}", "--window-size=1200,1500",
                      "--hide-scrollbars", *options, "--dump-dom", f"--screenshot={shot}", "file://" + frame],
                     library=False)
    found = re.search(r"width (\d+) least ([\d.]+)", done.stdout.decode())
    if not found or not os.path.exists(shot):
        raise Skip(f"chromium draws nothing here: {done.stderr[-200:]}")
    assert is_picture(shot, 500), name
    return int(found[1]), float(found[2])


@test
def a_browser_draws_it_light_and_dark_wide_and_narrow(bench):
    trace_of(bench, "a", MODE="observe")
    trace_of(bench, "b<&>")
    trace_of(bench, "many", code=MANY)
    for name, argv in (("small", ("a", "b<&>")), ("many", ("many",)),
                       ("diff", ("--diff", "a", "b<&>"))):
        page, _ = page_of(bench, *argv)
        for bad in ("http:", "https:", "<script", "<link", "src=", "b<&>", "nan", "inf"):
            assert bad not in page, bad
        if name != "many":
            assert "b&lt;&amp;&gt;" in page
        for width in (1200, 390):
            for scheme, options in (("light", ()),
                                    ("dark", ("--blink-settings=preferredColorScheme=0",))):
                if name != "small" and scheme == "dark":
                    continue
                got, least = browse(bench, page, f"{name}-{width}-{scheme}", width, *options)
                equal(got, width, "nothing sticks out")
                assert least >= 12, least
    assert len(page) < 200000


@test
def json_says_the_same_as_the_tables(bench):
    trace_of(bench, "t", MODE="observe")
    records, _ = bench.records("t")
    done = bench.wsrx("report", "--json", "t")
    equal((done.returncode, done.stderr), (0, b""))
    data = json.loads(done.stdout)
    equal((data["format"], len(data["sockets"])), (1, 3))
    equal(data["conclusion"], bench.wsrx("report", "t").stdout.decode().split("\n")[0])
    equal(data["total"]["bytes_lost"], sum(r["lost"] for r in records))
    equal([s["bytes_lost"] for s in data["sockets"]],
          sorted((s["bytes_lost"] for s in data["sockets"]), reverse=True))
    for one in data["sockets"]:
        mine = [r for r in records if r["socket"] == one["socket"]]
        equal((one["bytes"], one["receives"], one["errors"], one["fd"], one["address"]),
              (sum(r["bytes"] for r in mine), len(mine), sum(r["errno"] != 0 for r in mine),
               mine[0]["fd"], mine[0]["local"]))
    diff = json.loads(bench.wsrx("report", "--json", "--diff", "t", "t").stdout)
    equal({c["before"] - c["after"] for c in diff["total"]}, {0})
    equal(bench.wsrx("report", "--json", "--html=x", "t").returncode, 125)


@test
def tables_are_eighty_columns_wide(bench):
    trace_of(bench, "t", MODE="observe")
    trace_of(bench, "many", code=MANY)
    for name in ("t", "many"):
        lines = bench.wsrx("report", name).stdout.decode().split("\n")[1:]
        equal([line for line in lines if len(line) > 80], [])
        heads = [line for line in lines if line.strip().startswith("lost bytes")]
        equal([len(line) for line in heads], [80, 80])
        assert any(re.match(r"python[\d.]*\[\d+\] fd \d+ ", line) for line in lines), lines


@test
def a_filter_picks_records(bench):
    trace_of(bench, "t", MODE="observe")
    records, _ = bench.records("t")
    lossy = [r for r in records if r["lost"]]
    for option in ("-e", "--filter"):
        data = json.loads(bench.wsrx("report", "--json", option, "lost", "t").stdout)
        equal((data["total"]["receives"], data["total"]["bytes_lost"]),
              (len(lossy), sum(r["lost"] for r in lossy)))
    done = bench.wsrx("convert", "--to=jsonl", "-e", "lost", "t")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    equal([line for line in lines if "call" in line], lossy)
    for command in ("report", "convert"):
        done = bench.wsrx(command, "-e", "lots", *(["--to=text"] * (command == "convert")), "t")
        equal((done.returncode, done.stderr.count(b"\n")), (125, 1))
        assert b"did you mean lost?" in done.stderr, done.stderr


THREE = PRELUDE + """
for i in range(3): c.sendto(bytes(3000), to); s.recv(1000)
if os.fork() == 0: c.sendto(bytes(2000), to); s.recvmsg(900); os._exit(0)
os.wait()
"""


@test
def stat_prints_the_same_table_or_json(bench):
    done = bench.wsrx("stat", PYTHON, "-c", THREE)
    lines = done.stderr.decode().split("\n")
    equal([line for line in lines if len(line) > 80 and not line.startswith("wsrx: ")], [])
    rows = {(re.fullmatch(r"(\w+)[\d.]*\[(\d+)\] fd 3 127.0.0.1:\d+, (\w+)", lines[i])[3]):
            lines[i + 1].split() for i in (2, 4)}
    equal(rows, {"recv": ["6,000", "3", "0", "3", "0", "3,000", "1,000", "3,000"],
                 "recvmsg": ["1,100", "1", "0", "1", "0", "900", "900", "2,000"]})
    equal(lines[6:8], ["total", "       7,100         4           0         4       0       3,900"
                       "       -       -"])
    done = bench.wsrx("stat", "--json", "-o", "-", PYTHON, "-c", THREE)
    data = json.loads(done.stdout)
    equal((data["total"]["bytes_lost"], data["at_least"],
           sorted(one["bytes_lost"] for one in data["sockets"])), (7100, False, [1100, 6000]))
    assert " lost 7,100 of 11,000 bytes (65 %): " in data["conclusion"], data["conclusion"]
    done = bench.wsrx("stat", "--json", "true")
    equal((done.returncode, json.loads(done.stderr)["total"]["receives"]), (0, 0))


def samples(text):
    """The values of a file of metrics, by the parsers of Prometheus if they are there."""
    try:
        sys.path.append("/usr/lib/python3/dist-packages")
        from prometheus_client import openmetrics, parser
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError as missing:
        raise Skip("python3-prometheus-client is not installed") from missing
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    # The collector reads the older format.
    equal({sample.name: sample.value for family in parser.text_string_to_metric_families(text)
           for sample in family.samples}, {name: all[-1][1] for name, all in found.items()})
    return found


@test
def metrics_are_what_prometheus_reads(bench):
    done = bench.wsrx("stat", "--metrics", "app.prom", PYTHON, "-c", THREE)
    equal(done.returncode, 0)
    equal(bench.names(".prom") + bench.names(".new"), ["app.prom"])
    with open(bench.path("app.prom"), encoding="utf-8") as file:
        found = samples(file.read())
    for name, wanted in (("wsrx_lost_bytes_total", [6000, 1100]), ("wsrx_receives_total", [3, 1]),
                         ("wsrx_needed_buffer_bytes", [3000, 2000])):
        equal([value for _, value in found[name]], wanted, name)
    labels = found["wsrx_lost_bytes_total"][0][0]
    equal(set(labels), {"program", "pid", "fd", "socket", "address"})
    assert labels["program"].startswith("python") and labels["fd"] == "3", labels
    equal(bench.wsrx("stat", "--metrics", "no/where", "true").returncode, 125)
    for argv in (["--every=5"], ["--metrics=x", "--every=0"]):
        equal(bench.wsrx("stat", *argv, "true").returncode, 125, argv)


@test
def metrics_of_a_daemon_are_written_while_it_runs(bench):
    """By the command that started it, and by one that comes later."""
    process = bench.start([bench.command, "stat", "--metrics", "one.prom", "--every=1", PYTHON,
                           "-c", "import os\nif os.fork() > 0: os._exit(0)" + PRELUDE +
                           "while s.recv(10): pass"], library=False)
    later = None

    def lost(name):
        try:
            with open(bench.path(name), encoding="utf-8") as file:
                values = samples(file.read()).get("wsrx_lost_bytes_total", [])
        except FileNotFoundError:
            return None
        return sum(value for _, value in values)

    try:
        line = process.stderr.readline().decode()
        pid = int(re.search(r"process (\d+), which it has started", line)[1])
        send(until(lambda: bound_port(pid)), bytes(30))
        until(lambda: lost("one.prom") == 20)
        later = bench.start([bench.command, "stat", "--metrics", "two.prom", "--every=1", "-p",
                             str(pid)], library=False)
        send(bound_port(pid), bytes(50))
        until(lambda: lost("one.prom") == 60 and lost("two.prom") == 60)
        send(bound_port(pid), b"")
        process.communicate(timeout=LIMIT)
        equal(later.wait(LIMIT), 0)
    finally:
        for one in (process, later):
            if one and one.poll() is None:
                one.kill()
                one.communicate()


@test
def trace_writes_json_lines_while_the_program_runs(bench):
    process = bench.start(["sh", "-c", f'"$0" trace --to jsonl {PYTHON} -c "$1" | jq -c --unbuffered .',
                           need("jq") and bench.command,
                           PRELUDE + "while s.recv(10): pass"], library=False)
    pid = None
    try:
        pid = until(lambda: child_with_socket(process.pid))
        send(bound_port(pid), bytes(30))
        lines = []
        while not lines or "call" not in lines[-1]:
            lines.append(json.loads(process.stdout.readline()))
        assert process.poll() is None, "it runs"
        equal([line.get("type") for line in lines], ["start", "module", None])
        equal((lines[0]["mode"], lines[2]["lost"], lines[2]["pid"]), ("observe", 20, pid))
        send(bound_port(pid), b"")
        rest, _ = process.communicate(timeout=LIMIT)
        equal([json.loads(line)["length"] for line in rest.splitlines()], [0])
    finally:
        if process.poll() is None:
            os.kill(pid or process.pid, signal.SIGKILL)
            process.communicate()
    done = bench.wsrx("trace", "--to=jsno", "true")
    equal(done.returncode, 125)
    done = bench.wsrx("trace", "--to=jsonl", "-o", "t.jsonl", PYTHON, "-c", THREE)
    equal((done.returncode, done.stderr), (0, b""))
    data = json.loads(bench.wsrx("report", "--json", "t.jsonl").stdout)
    equal(data["total"]["bytes_lost"], 7100)


def child_with_socket(pid):
    """A process under this one that has a UDP socket."""
    for line in os.popen(f"pgrep -P {pid}").read().split():
        if bound_port(int(line)):
            return int(line)
        found = child_with_socket(int(line))
        if found:
            return found
    return None


CALLER = """
#include <netinet/in.h>
#include <sys/socket.h>
__attribute__((noinline)) int receive_one(int fd)
{
    char byte;
    return (int)recv(fd, &byte, 1, 0) + 1;
}
int main(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    socklen_t size = sizeof to;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bind(fd, (struct sockaddr *)&to, size);
    getsockname(fd, (struct sockaddr *)&to, &size);
    sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, size);
    return receive_one(fd) - 2;
}
"""


@test
def a_caller_is_a_function_or_a_place_in_its_file(bench):
    compiler = need("cc")
    with open(bench.path("app.c"), "w", encoding="ascii") as file:
        file.write(CALLER)

    def place(name):
        data = json.loads(bench.wsrx("report", "--json", name).stdout)
        return [one["place"] for one in data["callers"] if one["call"] == "recv"]

    def build(*options):
        equal(bench.run([compiler, "-O1", *options, "-o", "app", "app.c"],
                        library=False).returncode, 0)

    build()
    equal(bench.run(["./app"], TRACE="ring", TRACE_FILE="t", MODE="observe").returncode, 0)
    shown = place("t")[0]
    assert re.fullmatch(r"app\(receive_one\+0x[0-9a-f]+\)", shown), shown
    assert f"recv at {shown}" in bench.wsrx("report", "t").stdout.decode()
    assert f"recv at {shown} " in page_of(bench, "t")[0]
    for kind in ("pcapng", "perfetto", "text"):
        assert re.search(rb"app\+0x[0-9a-f]+", bench.wsrx("convert", "--to", kind, "t").stdout)
    with open(bench.path("t.jsonl"), "wb") as file:
        file.write(bench.wsrx("convert", "--to=jsonl", "t").stdout)
    equal(place("t.jsonl"), [shown], "of lines")
    # What has come in the place of the program knows nothing of it.
    build("-O0")
    offset = place("t")[0]
    assert re.fullmatch(r"app\+0x[0-9a-f]+", offset), offset
    build("-s")
    equal(bench.run(["./app"], TRACE="ring", TRACE_FILE="stripped", MODE="observe").returncode, 0)
    assert re.fullmatch(r"app\+0x[0-9a-f]+", place("stripped")[0]), "it has no symbols"


sys.exit(main())
