# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiered balloon's daemon without a balloon: its command line and its API, for tests.

It has no guest either: what is ballooned follows the targets, a step each time that somebody
looks. FAKE_BALLOON in its environment makes it fail: see FAILURES.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

FAILURES = {
    "refuse": "ends with status 2 before it is ready",
    "mute": "never is ready",
    "die": "ends when it is given a target",
    "stick": "takes half of what it should",
    "driverless": "no driver ever says hello",
    "garbage": "answers what is no state of a VM",
    "error": "refuses targets",
}
FAILURE = os.environ.get("FAKE_BALLOON", "")
STEPS = 3
UNITS = {"K": 10, "M": 20, "G": 30}


def size(text: str) -> int:
    unit = text[-1]
    return int(text[:-1]) << UNITS[unit] if unit in UNITS else int(text)


class Vm:
    """Nodes by their proximity domains."""

    def __init__(self, nodes: list[str]) -> None:
        sizes = {int(pxm): size(text) for pxm, text in (node.split("=") for node in nodes)}
        self.nodes = {
            pxm: {"pxm": pxm, "bytes": n, "target": n, "ballooned": 0, "resident": 0}
            for pxm, n in sizes.items()
        }

    def look(self) -> dict[str, Any]:
        """Go a step towards the targets."""
        if FAILURE == "garbage":
            return {"nodes": "none"}
        for node in self.nodes.values():
            wanted = node["bytes"] - node["target"]
            if FAILURE == "stick":
                wanted //= 2
            if FAILURE != "driverless":
                step = (wanted - node["ballooned"]) // STEPS // 4096 * 4096
                node["ballooned"] = node["ballooned"] + step if step else wanted
        driver = None if FAILURE == "driverless" else {"version": 1, "capabilities": []}
        return {"connected": True, "driver": driver, "nodes": [*self.nodes.values()]}

    def aim(self, targets: list[dict[str, int]]) -> None:
        if FAILURE == "die":
            print("tiered-balloon: the sky is falling", file=sys.stderr, flush=True)
            os._exit(101)
        for target in targets:
            self.nodes[target["pxm"]]["target"] = target["bytes"]


class Handler(BaseHTTPRequestHandler):
    vm: Vm

    def log_message(self, *_: object) -> None:
        return

    def answer(self, status: int, what: object) -> None:
        text = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        found = self.path == "/vm"
        self.answer(*(200, self.vm.look()) if found else (404, {"error": "no such path"}))

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/targets" or FAILURE == "error":
            self.answer(400, {"error": "not today"})
            return
        self.vm.aim(body["targets"])
        self.answer(200, {})


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("--socket", required=True)
    p.add_argument("--api", required=True)
    p.add_argument("--node", action="append", required=True)
    p.add_argument("--grace", required=True)
    p.add_argument("--version", action="version", version="fake 1")
    args = p.parse_args()
    if FAILURE == "refuse":
        print("tiered-balloon: the socket is in use", file=sys.stderr)
        return 2
    Handler.vm = Vm(args.node)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socket.socket(socket.AF_UNIX) as listening, Server(args.api, Handler) as server:
        listening.bind(args.socket)
        listening.listen()
        if FAILURE == "mute":
            signal.pause()
        print("ready", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
