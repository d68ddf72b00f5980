# SPDX-License-Identifier: GPL-2.0-or-later
"""A key-value server that fails on purpose: fake_server.py FAULT ARGUMENT-OF-A-SERVER..."""

from __future__ import annotations

import os
import socketserver
import sys
import threading
from typing import BinaryIO

fault, *args = sys.argv[1:]
redis = "--unixsocket" in args
path = args[args.index("--unixsocket" if redis else "-s") + 1]
store: dict[bytes, bytes] = {}
lock = threading.Lock()
served = 0


def words(stream: BinaryIO) -> list[bytes]:
    """The next request; a value that is set is its last word."""
    line = stream.readline().split()
    if not redis:
        if line and line[0] == b"set":
            line.append(stream.read(int(line[4]) + 2)[:-2])
        return line
    found = []
    for _ in range(int(line[0][1:]) if line else 0):
        length = int(stream.readline()[1:])
        found.append(stream.read(length + 2)[:-2])
    return found


def get(key: bytes) -> bytes:
    value = store.get(key)
    if value is None or (fault == "forgets" and served % 50 == 0):
        return b"$-1\r\n" if redis else b"END\r\n"
    if fault == "spoils" and served % 50 == 0:
        value = value[:-1] + bytes([value[-1] ^ 1])
    size = len(value)
    head, tail = b"$%d\r\n" % size, b"\r\n"
    if not redis:
        head, tail = b"VALUE %s 0 %d\r\n" % (key, size), b"\r\nEND\r\n"
    return head + value + (b"??" + tail[2:] if fault == "runs on" else tail)


def answer(request: list[bytes]) -> bytes:
    global served
    served += 1
    if fault == "dies" and served > 60000:
        print("out of luck", flush=True)
        os._exit(3)
    key = request[1]
    if request[0].lower() == b"get":
        return get(key)
    if fault == "refuses" and key in store:
        return b"-OOM\r\n" if redis else b"SERVER_ERROR out of memory\r\n"
    if fault != "is lazy" or key not in store:
        store[key] = request[-1]
    return b"+OK\r\n" if redis else b"STORED\r\n"


class Handler(socketserver.StreamRequestHandler):
    """One client."""

    def handle(self) -> None:
        while request := words(self.rfile):
            with lock:
                reply = answer(request)
            self.wfile.write(reply)


if fault == "fails":
    print("FATAL: no luck\nbye")
    sys.exit(1)
socketserver.ThreadingUnixStreamServer.daemon_threads = True
socketserver.ThreadingUnixStreamServer(path, Handler).serve_forever()
