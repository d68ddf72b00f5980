# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be run, completely: the archive's config.json.

Sizes are in bytes unless the name says otherwise. configure.py makes settings from the
configuration and the command line, and refuses what cannot run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .errors import UserError

MIB = 1 << 20
FORMAT = 2

# design -> parameter -> values, with each of which it runs (parameters.py)
Parameters = dict[str, dict[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Tier:
    """A memory tier: latencies in picoseconds, bandwidths in MB/s.

    media is what the processor names as the data source of a sample.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    read_ps: int
    write_ps: int
    read_mbps: int
    write_mbps: int
    media: str = "dram"

    def share(self, parts: int) -> Tier:
        """The same tier with one of parts equal shares of its bandwidth."""
        return dataclasses.replace(
            self,
            read_mbps=max(1, self.read_mbps // parts),
            write_mbps=max(1, self.write_mbps // parts),
        )


# Table 2 of the paper (SOSP '25). It gives one latency and one bandwidth per
# tier; they are used for reads and writes.
DRAM = Tier(68_700, 68_700, 88_157, 88_157)
PMEM = Tier(176_600, 176_600, 21_415, 21_415, "pmem")
CXL = Tier(121_900, 121_900, 53_534, 53_534, "remote-dram")
MEDIA = ("dram", "remote-dram", "pmem", "remote-pmem")
PRESETS = {"dram_pmem": (DRAM, PMEM), "dram_cxl": (DRAM, CXL)}


@dataclass(frozen=True)
class Packed:
    """A file that goes into the guest, as it was when the benchmark began."""

    place: str  # below /job, or from the root if it begins with a slash
    path: str  # of this machine, absolute
    sha256: str  # of the content; "" for an empty folder


@dataclass(frozen=True)
class Program:
    """A program of the user's own, run instead of a workload (program.py)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    command: str  # a line for the guest's shell
    files: tuple[str, ...] = ()  # as they were named; they are in the guest's /job
    roi: str = ""  # regular expression: lines that begin and end the measured phase
    packed: tuple[Packed, ...] = ()  # all that the files need (packing.py)


@dataclass(frozen=True)
class Settings:
    """A benchmark, completely."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    platform: str
    preset: str
    fast: Tier
    slow: Tier
    vm_memory: int
    fast_ratio: float
    vcpus: int
    footprint: int
    vms: tuple[int, ...]  # numbers of VMs at once, compared one after the other
    designs: tuple[str, ...]
    workloads: tuple[str, ...]  # with a program, its name
    repeat: int
    jobs: int
    timeout_s: int
    name: str
    options: Any  # the platform's own: an instance of its Options
    program: Program | None = None
    provision: tuple[str, ...] = ("static",)  # how the VMs get their memory
    parameters: Parameters = field(default_factory=dict)  # that are not the designs' own
    recipe: str = ""  # what is drawn and shown beside the usual (recipe.py)
    format: int = field(default=FORMAT)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def fast_memory(self) -> int:
        """Bytes of the fast tier, in whole MiB."""
        return self.fast_share(self.fast_ratio)

    def fast_share(self, share: float) -> int:
        """Bytes of a fast tier that has this share of the VM's memory, in whole MiB."""
        return round(self.vm_memory * share / MIB) * MIB

    @property
    def tiers(self) -> int:
        """How many tiers a VM has that is provisioned with both."""
        return 1 if self.fast_memory >= self.vm_memory else 2


def check_integers(owner: object, limits: dict[str, tuple[str, int, int]]) -> None:
    """Refuse attributes that are not whole numbers within their limits.

    limits: attribute -> (its name for the user, lowest, highest)
    """
    for key, (name, low, high) in limits.items():
        value = getattr(owner, key)
        if type(value) is not int or not low <= value <= high:
            raise UserError(f"{name}: must be a whole number from {low} to {high}: {value}")
