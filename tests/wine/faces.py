# SPDX-License-Identifier: MIT
"""The scenarios of a victim, run with one of our faces."""
import re

from harness import Tap

# What the PE DLL does with nobody beneath it, on Windows too: all that loses nothing.
ALONE = ["fits", "flags-are-ignored", "stream", "plain-recv-drops", "WSAEFAULT", "WSAENOTSOCK",
         "WSAEINVAL", "WSAEWOULDBLOCK", "WSAETIMEDOUT", "WSAECONNRESET-stream",
         "WSAECONNRESET-datagram", "WSAENOTCONN", "WSAESHUTDOWN", "WSAEINTR", "WSANOTINITIALISED",
         "AcceptEx", "TransmitFile", "exports"]


tap = Tap()


def scenarios(wine, folder, names, **how):
    """What becomes of each scenario: True, or the reason."""
    results, rest = {}, list(names)
    while rest:
        code, output = wine.run("wine", "victim.exe", *rest, cwd=folder, **how)
        for line in output.splitlines():
            found = re.match(r"(not ok|ok) (\S+)(?: - (.*))?$", line)
            if found:
                results[found[2]] = found[1] == "ok" or found[3]
            elif line.startswith("# ") and rest:
                print(line)
        before, rest = rest, [name for name in rest if name not in results]
        if len(before) == len(rest):
            results |= {name: f"exit code {code}: {output[-300:]}" for name in rest}
            break
    return results


def check_face(face, wine, folder, names, **how):
    results = scenarios(wine, folder, names, **how)
    for name in names:
        tap.case(results[name] is True, f"{face}: {name}", results[name])
    return results
