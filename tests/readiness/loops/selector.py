# SPDX-License-Identifier: MIT
"""Python's selectors and asyncio: one receive of 700 bytes an event from stdin, copied to
stdout."""

import asyncio
import selectors
import socket
import sys

PART = 700
how = sys.argv[1]
udp = socket.socket(fileno=0)
udp.setblocking(False)


def copy(part):
    if part == b"end":
        return False
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    return True


async def by_calls():
    loop = asyncio.get_running_loop()
    while copy(await loop.sock_recv(udp, PART)):
        pass


async def by_reader():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def ready():
        # An event with nothing behind it would raise BlockingIOError.
        if not copy(udp.recv(PART)):
            loop.remove_reader(udp)
            ended.set_result(None)

    loop.add_reader(udp, ready)
    await ended


class Protocol(asyncio.DatagramProtocol):
    max_size = 0

    def __init__(self, ended):
        self.ended = ended

    def datagram_received(self, data, addr):
        if not copy(data):
            self.ended.set_result(None)

    def error_received(self, exc):
        raise exc


async def by_protocol():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: Protocol(ended), sock=udp)
    transport.max_size = PART  # what it asks recvfrom for; 256 KiB by default
    await ended


if how in ("select", "poll", "epoll"):
    selector = getattr(selectors, how.capitalize() + "Selector")()
    selector.register(udp, selectors.EVENT_READ)
    more = True
    while more:
        for key, events in selector.select():
            more = copy(key.fileobj.recv(PART))
else:
    asyncio.run({"calls": by_calls, "reader": by_reader, "protocol": by_protocol}[how]())
