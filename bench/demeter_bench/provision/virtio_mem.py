# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio-mem: each node has device memory beyond its share, which is plugged and unplugged.

The guest boots with all of it plugged. What belongs to a node's share is plain memory, which
it keeps: a guest can rarely give back what it has booted with.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..design import Design
from ..settings import MIB, Settings
from . import monitor
from .provision import Node, Provision, Taken, device_id, shares

if TYPE_CHECKING:
    from ..platforms.platform import Platform

# Linux on x86 uses of a device's range only what is a whole memory block.
BLOCK = 128 * MIB


class VirtioMem(Provision):
    """Device memory, a device per node."""

    name = "virtio-mem"
    about = "each node has memory beyond its share, unplugged by virtio-mem"
    title = "virtio-mem"
    color = "#9467bd"
    line = "-."
    # or the kernel puts there what cannot be moved away again
    boot_args = "memhp_default_state=online_movable"

    def __init__(self, build: Path, folder: Path, nodes: list[Node]) -> None:
        super().__init__(build, folder, nodes)
        self._monitor = monitor.Monitor(folder)

    @classmethod
    def layout(cls, s: Settings, design: Design) -> list[Node]:
        return [
            Node(tier, share, share, -(-(s.vm_memory - share) // BLOCK) * BLOCK)
            for tier, share in shares(s, design)
        ]

    @classmethod
    def hypervisor_args(cls, platform: Platform, s: Settings) -> list[str]:
        return [*monitor.ARGS]

    async def resize(self, shares: list[int]) -> None:
        for i, (node, share) in enumerate(zip(self.nodes, shares, strict=True)):
            if node.pluggable:
                await self._monitor.ask(
                    "qom-set",
                    path=f"/machine/peripheral/{device_id(i)}",
                    property="requested-size",
                    value=share - node.memory,
                )

    async def taken(self, shares: list[int]) -> list[Taken]:
        found = await self._monitor.ask("query-memory-devices")
        size = {device["data"]["id"]: device["data"]["size"] for device in found}
        return [
            Taken(f"node {i}", node.pluggable - size[device_id(i)], node.most - share)
            for i, (node, share) in enumerate(zip(self.nodes, shares, strict=True))
            if node.pluggable
        ]

    def hint(self) -> str:
        return "does the guest's kernel have CONFIG_VIRTIO_MEM?"

    async def stop(self) -> None:
        await self._monitor.close()


PROVISION = VirtioMem
