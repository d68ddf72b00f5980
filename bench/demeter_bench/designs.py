# SPDX-License-Identifier: GPL-2.0-or-later
"""The designs that are compared: guest kernel, set-up, and memory they see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Memory(Enum):
    """What tiers the VM has."""

    TIERED = "tiered"
    ALL_FAST = "all fast"
    ALL_SLOW = "all slow"


@dataclass(frozen=True)
class Design:
    """One way to manage tiered memory."""

    guest: str  # variant of the guest kernel
    title: str  # in tables and charts
    color: str
    memory: Memory = Memory.TIERED
    setup: str = ""  # shell, in the guest before the job
    profiled: bool = False  # placed by the profile of a run before (oracle.py)


DESIGNS = {
    "all-fast": Design("vanilla", "all fast", "#4daf4a", Memory.ALL_FAST),
    "all-slow": Design("vanilla", "all slow", "#999999", Memory.ALL_SLOW),
    "first-touch": Design("vanilla", "first touch", "#ff7f00"),
    # Knows all accesses: the limit for placing pages once. The kernel would for a
    # while keep a part of the fast tier free against fragmentation.
    "oracle": Design(
        "vanilla",
        "oracle",
        "#984ea3",
        setup="echo 0 >/proc/sys/vm/watermark_boost_factor\n",
        profiled=True,
    ),
    # The head-room of the paper's artifact: 10 % of the fast tier.
    "tpp": Design(
        "tpp",
        "TPP",
        "#377eb8",
        setup="echo 1000 >/proc/sys/vm/demote_scale_factor\n",
    ),
    "demeter": Design(
        "demeter",
        "Demeter",
        "#e41a1c",
        setup="insmod /lib/modules/demeter.ko\n"
        "cd /sys/kernel/mm/demeter\n"
        "echo all 16 >attach\n"
        "echo 1 >enabled\n",
    ),
}
