# SPDX-License-Identifier: GPL-2.0-or-later
"""What a way to provision a VM is: how its nodes get the sizes that the job finds.

The class says how large the nodes are when the VM boots, and what the hypervisor needs
for that. An object belongs to one VM and lives as long: it starts and ends helpers, sets
sizes, and says what was reached; session.py decides when. All files are in the VM's
folder, in which hypervisor and helpers run, so that paths of sockets are short.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..design import Design, Memory
from ..settings import MIB, Settings

if TYPE_CHECKING:
    from ..platforms.platform import Platform


# What is written there, in the VM's folder, the guest can read from its console.
CONTROL = "control"


def device_id(node: int) -> str:
    """The name in QEMU of the device whose memory can be plugged into the node."""
    return f"vmem{node}"


class ProvisionError(Exception):
    """The VM did not get the memory that it should have; one line."""


@dataclass(frozen=True)
class Node:
    """A guest node; sizes in bytes."""

    tier: str  # fast or slow
    share: int  # what the job is to have of it
    memory: int  # what it boots with
    pluggable: int = 0  # what can be plugged in beyond that

    @property
    def most(self) -> int:
        return self.memory + self.pluggable


@dataclass(frozen=True)
class Taken:
    """What is taken away from a node, or from several that cannot be told apart; bytes."""

    where: str
    taken: int
    wanted: int

    def __str__(self) -> str:
        return f"{self.where}: {self.taken / MIB:g} of {self.wanted / MIB:g} MiB taken"


def shares(s: Settings, design: Design, fast: int | None = None) -> list[tuple[str, int]]:
    """(tier, bytes) of every node, node 0 first; of the fast tier, all that is configured.

    fast: bytes of the fast tier instead of the configured ones.
    """
    if design.memory is Memory.ALL_SLOW:
        return [("slow", s.vm_memory)]
    if design.memory in (Memory.ALL_FAST, Memory.HOST) or s.tiers < 2:
        return [("fast", s.vm_memory)]
    fast = s.fast_memory if fast is None else fast
    return [("fast", fast), ("slow", s.vm_memory - fast)]


class Provision(ABC):
    """Base class; the class attributes are its traits."""

    name: ClassVar[str]
    about: ClassVar[str]  # one line, for help and docs
    title: ClassVar[str]  # in tables and charts
    color: ClassVar[str]  # in charts
    line: ClassVar[str]  # style of its lines in charts
    # the nodes boot larger than the job is to find them, so that it waits
    shrinks: ClassVar[bool] = True
    # gives a node another size while the job runs
    resizes: ClassVar[bool] = False
    boot_args: ClassVar[str] = ""  # more of the guest kernel's command line

    def __init__(self, build: Path, folder: Path, nodes: list[Node]) -> None:
        self.build, self.folder, self.nodes = build, folder, nodes

    @classmethod
    def layout(cls, s: Settings, design: Design) -> list[Node]:
        """The guest's nodes: each as large as the VM, unless overridden."""
        return [Node(tier, share, s.vm_memory) for tier, share in shares(s, design)]

    @classmethod
    def check_selected(cls, kconfig: dict[str, str]) -> None:
        """Raise UserError when the configuration does not build what it needs."""
        return

    @classmethod
    def versions(cls, platform: Platform, s: Settings) -> dict[str, str]:
        """Versions of what it needs, for the archive; UserError when that is not there."""
        return {}

    @classmethod
    def hypervisor_args(cls, platform: Platform, s: Settings) -> list[str]:
        """More of the hypervisor's command line, behind the nodes."""
        return []

    async def start(self) -> None:
        """Start what has to be there before the hypervisor is."""
        return

    @abstractmethod
    async def resize(self, shares: list[int]) -> None:
        """Tell the guest how many bytes of each node to use; does not wait for it."""

    @abstractmethod
    async def taken(self, shares: list[int]) -> list[Taken]:
        """Say how much is taken away by now, of what must be to leave these shares."""

    def fault(self) -> str:
        """Say what is wrong with the helpers; "" if nothing is."""
        return ""

    def hint(self) -> str:
        """Say why the guest may not do what it is told; "" if nobody knows."""
        return ""

    async def stop(self) -> None:
        """End what start() has started, also while being cancelled."""
        return
