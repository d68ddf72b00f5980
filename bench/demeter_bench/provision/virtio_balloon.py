# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's stock balloon: one size for the whole VM, whatever node pages are taken from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import Settings
from . import monitor
from .provision import Node, Provision, Taken

if TYPE_CHECKING:
    from ..platforms.platform import Platform


class VirtioBalloon(Provision):
    """The guest chooses what it gives, and does not know why."""

    name = "virtio-balloon"
    about = "each node as large as the VM, shrunk by the stock balloon to the VM's sum"
    title = "virtio-balloon"
    color = "#d62728"
    line = ":"

    def __init__(self, build: Path, folder: Path, nodes: list[Node]) -> None:
        super().__init__(build, folder, nodes)
        self._monitor = monitor.Monitor(folder)

    @classmethod
    def hypervisor_args(cls, platform: Platform, s: Settings) -> list[str]:
        return [*monitor.ARGS, "-device", "virtio-balloon-pci"]

    async def resize(self, shares: list[int]) -> None:
        await self._monitor.ask("balloon", value=sum(shares))

    async def taken(self, shares: list[int]) -> list[Taken]:
        whole = sum(node.memory for node in self.nodes)
        found = await self._monitor.ask("query-balloon")
        return [Taken("all nodes", whole - found["actual"], whole - sum(shares))]

    async def stop(self) -> None:
        await self._monitor.close()


PROVISION = VirtioBalloon
