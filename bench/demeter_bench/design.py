# SPDX-License-Identifier: GPL-2.0-or-later
"""What a design is: everything that the benchmark has to know about it.

A design is one way to manage tiered memory. designs/<name>/design.py defines one or
more of them (see docs/extending.md); nothing else in the benchmark names any.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# What every kernel counts, and its threads that manage memory placement. What a process
# does itself, hint faults and page-table scans for TPP, is in its system time.
PROMOTIONS = ("pgpromote_success",)
DEMOTIONS = ("pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged")
THREADS = ("kswapd", "kcompactd")


class Memory(Enum):
    """What tiers a VM is provisioned with."""

    TIERED = "tiered"
    ALL_FAST = "all fast"
    ALL_SLOW = "all slow"


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
    # pages are placed once, by the profile of a run before (oracle.py)
    profiled: bool = False
    # kernel threads of its own, by the beginning of their names, and counters in
    # /proc/vmstat of pages that it moved up and down, beyond those that every kernel has
    threads: tuple[str, ...] = ()
    promotions: tuple[str, ...] = ()
    demotions: tuple[str, ...] = ()
