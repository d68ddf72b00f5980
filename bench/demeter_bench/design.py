# SPDX-License-Identifier: GPL-2.0-or-later
"""What a design is: everything that the benchmark has to know about it.

A design is one way to manage tiered memory. designs/<name>/design.py defines one or
more of them (see docs/extending.md); nothing else in the benchmark names any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from pathlib import PurePosixPath

# What every kernel counts, and its threads that manage memory placement. What a process
# does itself, hint faults and page-table scans for TPP, is in its system time.
PROMOTIONS = ("pgpromote_success",)
DEMOTIONS = ("pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged")
THREADS = ("kswapd", "kcompactd")

# What a guest kernel with CONFIG_TIER_STAGE counts under every design, in files
TIER_STAGE = PurePosixPath("/sys/kernel/mm/tier_stage")
TLB = {name: str(TIER_STAGE / name) for name in ("tlb_single", "tlb_full", "tlb_remote")}

# Where CPU time goes, in the order of the pipeline
STAGES = ("sampling", "classification", "migration")

# A line of a design's set-up: what users choose of its parameters is written there. Without
# it, after the set-up.
PARAMETERS = "# parameters\n"


class Memory(Enum):
    """What tiers a VM is provisioned with."""

    TIERED = "tiered"
    ALL_FAST = "all fast"
    ALL_SLOW = "all slow"
    HOST = "host"  # one node, whose pages the host places in its tiers


@dataclass(frozen=True)
class Stat:
    """A number that tells why a design behaves as it does: a column of the summary.

    In the guest, it is the first word of a file, or a counter of /proc/vmstat. Where it is
    missing, the cell is empty.
    """

    source: str  # a file of the design's folder or absolute, with a slash; or a counter's name
    about: str  # one line, with the unit
    _: KW_ONLY
    # what it has grown by while the job ran; otherwise, what it is after the job
    grows: bool = True
    scale: float = 1.0  # times this


@dataclass(frozen=True)
class Parameter:
    """A whole number that users can choose, and the file that it is written to."""

    default: int  # what it is when nothing is chosen
    low: int
    high: int
    about: str  # one line, with the unit
    _: KW_ONLY
    file: str = ""  # of the design's folder or absolute; by default, as the parameter
    or_zero: bool = False  # 0 is allowed, too
    published: int | None = None  # what it is where the design was published, if it is there

    def allows(self, value: int) -> bool:
        return self.low <= value <= self.high or (self.or_zero and value == 0)


@dataclass(frozen=True)
class Design:
    """One way to manage tiered memory."""

    title: str  # in tables and charts
    color: str  # in charts
    about: str  # one line, for help and docs
    memory: Memory = Memory.TIERED
    # the design cannot start in a VM with one tier
    needs_two_tiers: bool = False
    # which guest kernel it boots: "guest" has what all designs need
    guest: str = "guest"
    boot_args: str = ""  # more of the guest kernel's command line
    setup: str = ""  # shell, in the guest before the job
    # the unit that does the same in a guest disk image, if that has one
    service: str = ""
    # which host kernel a server boots that the VMs share (platforms/nested.py)
    host: str = "demeterhost"
    # the design cannot start in a guest without a PMU that samples addresses
    needs_pmu: bool = False
    # pages are placed once, by the profile of a run before (oracle.py)
    profiled: bool = False
    # kernel threads of its own, by the beginning of their names, and counters of pages that it
    # moved up and down, beyond those that every kernel has: sources as of a Stat
    threads: tuple[str, ...] = ()
    promotions: tuple[str, ...] = ()
    demotions: tuple[str, ...] = ()
    # the folder in the guest that the files below are in, e.g. /sys/kernel/mm/<name>
    folder: str = ""
    # columns of the summary; designs may share one that means the same
    stats: Mapping[str, Stat] = field(default_factory=dict)
    # stage of STAGES -> counters of its CPU time in ns, sources as of a Stat; those that are
    # there are added up
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def path(self, file: str) -> str:
        """Where a file is in the guest."""
        return str(PurePosixPath(self.folder) / file)

    def sources(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The sources as the guest knows them: absolute paths, and counters of /proc/vmstat."""
        return tuple(self.path(name) if "/" in name else name for name in names)

    @property
    def files(self) -> tuple[str, ...]:
        """Files that are read in the guest before and after the job, absolute."""
        own = (
            *self.promotions,
            *self.demotions,
            *(stat.source for stat in self.stats.values()),
            *(source for sources in self.stages.values() for source in sources),
        )
        asked = (*TLB.values(), *(s for s in self.sources(own) if "/" in s))
        return tuple(dict.fromkeys(asked))

    def setup_with(self, values: Mapping[str, int]) -> str:
        """The set-up, with parameters chosen."""
        before, _, after = self.setup.partition(PARAMETERS)
        return before + "".join(self._write(name, values[name]) for name in values) + after

    def _write(self, name: str, value: int) -> str:
        file = self.path(self.parameters[name].file or name)
        return (
            f"echo {value} >{file} || {{ "
            f"echo 'PARAMETERS: {name}={value}: the guest does not take it'; exit 1; }}\n"
        )
