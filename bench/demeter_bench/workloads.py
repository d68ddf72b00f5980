# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads: what a job runs, given the footprint it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

REPORT_MS = 100


@dataclass(frozen=True)
class Size:
    """What a workload may use."""

    footprint: int  # bytes
    threads: int
    emulated: bool


@dataclass(frozen=True)
class Workload:
    """One workload at the size of the platform's VMs."""

    # command line in the guest, given the size and the seed of its input
    command: Callable[[Size, int], str]
    # whether its rate over time is worth a panel of the chart
    timeline: bool = False


def gups(size: Size, seed: int) -> str:
    """Hot set of a fourteenth, last in the table, as in the paper.

    The paper does 9e8 updates on 14 GiB; emulated, what takes the all-fast
    design about eleven simulated seconds.
    """
    updates = 150_000_000 if size.emulated else 900_000_000
    return (
        f"gups --mem {size.footprint} --updates {updates} --hot {size.footprint // 14} "
        f"--hot-weight 0.9 --reverse --threads {size.threads} --seed {seed} "
        f"--report-ms {REPORT_MS}"
    )


def memlat(size: Size, seed: int) -> str:
    """Its default of four passes; loads for one to four seconds."""
    loads = 20_000_000 if size.emulated else 200_000_000
    return f"memlat --mem {size.footprint} --loads {loads} --seed {seed} --report-ms {REPORT_MS}"


WORKLOADS = {
    "gups": Workload(gups, timeline=True),
    "memlat": Workload(memlat),
}
