# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiered balloon: a size for each node, kept by a daemon beside the hypervisor."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import processes
from ..errors import UserError
from ..settings import Settings
from ..sockets import address
from .provision import Node, Provision, ProvisionError, Taken

if TYPE_CHECKING:
    from ..platforms.platform import Platform

DAEMON = "cloud-hypervisor/tiered-balloon"  # in the build folder
SYMBOL = "CLOUD_HYPERVISOR_TOOLS"
SOCKET, API, LOG = "balloon.sock", "balloon-api.sock", "balloon.log"
# linux/include/uapi/linux/virtio_tiered_balloon.h
VIRTIO_ID, QUEUES, CONFIG_BYTES = 13, 3, 256
QUEUE_SIZE = 256
UPSTREAM_DEVICE = "vhost-user-test-device-pci"  # of unmodified QEMU
START_S = 30.0
ANSWER_S = 30.0


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with address(self.path) as short:
            self.sock.connect(short)


def request(path: Path, method: str, what: str, body: object = None) -> Any:
    """Ask the daemon's API and return its answer. Raises ProvisionError with one line."""
    connection = Connection(path)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, what, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise ProvisionError(f"tiered-balloon: {method} {what}: {problem}") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        said = found.get("error") if isinstance(found, dict) else None
        raise ProvisionError(f"tiered-balloon: {method} {what}: {said or answer.reason}")
    return found


class TieredBalloon(Provision):
    """A daemon per VM. It ends with the VM, or with this process."""

    name = "tiered-balloon"
    about = "each node as large as the VM, shrunk by the tiered balloon to its share"
    title = "tiered balloon"
    color = "#2ca02c"
    line = "--"
    resizes = True

    def __init__(self, build: Path, folder: Path, nodes: list[Node]) -> None:
        super().__init__(build, folder, nodes)
        self._daemon: asyncio.subprocess.Process | None = None
        self._driver = True

    @classmethod
    def check_selected(cls, kconfig: dict[str, str]) -> None:
        if SYMBOL not in kconfig:
            raise UserError(f"PROVISION: {cls.name} needs CONFIG_{SYMBOL}: see 'make menuconfig'")

    @classmethod
    def versions(cls, platform: Platform, s: Settings) -> dict[str, str]:
        platform.generic_device(s)
        daemon = platform.build / DAEMON
        if not daemon.exists():
            raise UserError(f"{daemon} is missing: run 'make cloud-hypervisor' first")
        done = subprocess.run([daemon, "--version"], capture_output=True, text=True, check=True)
        return {"tiered_balloon": done.stdout.strip()}

    @classmethod
    def hypervisor_args(cls, platform: Platform, s: Settings) -> list[str]:
        name = platform.generic_device(s)
        device = (
            f"{name},chardev=balloon,virtio-id={VIRTIO_ID},"
            f"num_vqs={QUEUES},vq_size={QUEUE_SIZE},config_size={CONFIG_BYTES}"
        )
        chardev = f"socket,id=balloon,path={SOCKET}"
        # QEMU 10.2's device does not wait for the first connection then (docs/provisioning.md)
        if name != UPSTREAM_DEVICE:
            chardev += ",reconnect-ms=100"
        return ["-chardev", chardev, "-device", device]

    async def start(self) -> None:
        """Start the daemon and wait until it listens."""
        nodes = [f"--node={i}={node.memory}" for i, node in enumerate(self.nodes)]
        # when it is ended, there is no guest any more that could take its memory back
        options = ["--socket", SOCKET, "--api", API, "--grace", "0s", *nodes]
        self._daemon = await processes.start(
            [str(self.build / DAEMON), *options],
            self.folder, self.folder / LOG, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._daemon.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = await self._daemon.stdout.readline()
                if line != b"ready\n":
                    await self._daemon.wait()
        except TimeoutError:
            raise ProvisionError(f"tiered-balloon was not ready in {START_S:.0f} s") from None
        if line != b"ready\n":
            raise ProvisionError(f"tiered-balloon did not start{self._last_words()}")

    async def resize(self, shares: list[int]) -> None:
        targets = [{"pxm": i, "bytes": share} for i, share in enumerate(shares)]
        await self._ask("PUT", "/targets", {"targets": targets})

    async def taken(self, shares: list[int]) -> list[Taken]:
        found = await self._ask("GET", "/vm")
        try:
            self._driver = found["driver"] is not None
            ballooned = {node["pxm"]: node["ballooned"] for node in found["nodes"]}
            return [
                Taken(f"node {i}", ballooned[i], node.memory - share)
                for i, (node, share) in enumerate(zip(self.nodes, shares, strict=True))
            ]
        except (KeyError, TypeError):
            raise ProvisionError(f"tiered-balloon: GET /vm: not understood: {found}") from None

    async def _ask(self, method: str, what: str, body: object = None) -> Any:
        return await asyncio.to_thread(request, self.folder / API, method, what, body)

    def fault(self) -> str:
        if self._daemon is None or self._daemon.returncode is None:
            return ""
        return f"tiered-balloon ended ({self._daemon.returncode}){self._last_words()}"

    def hint(self) -> str:
        if self._driver:
            return ""
        return "no driver has said hello: has the guest's kernel CONFIG_VIRTIO_TIERED_BALLOON?"

    def _last_words(self) -> str:
        said = (self.folder / LOG).read_text(errors="replace").strip().rpartition("\n")[2]
        return f": {said[:300]}" if said else ""

    async def stop(self) -> None:
        if self._daemon is not None:
            await processes.stop(self._daemon)


PROVISION = TieredBalloon
