# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads: what a job runs, given the footprint it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

REPORT_MS = 100


@dataclass(frozen=True)
class Workload:
    """One workload at the size of the platform's VMs."""

    # (footprint in bytes, vCPUs, emulated) -> command line in the guest
    command: Callable[[int, int, bool], str]
    # whether its rate over time is worth a panel of the chart
    timeline: bool = False


def gups(footprint: int, vcpus: int, emulated: bool) -> str:
    """Hot set of a fourteenth, last in the table, as in the paper.

    The paper does 9e8 updates on 14 GiB; emulated, what takes the all-fast
    design about ten simulated seconds.
    """
    updates = 150_000_000 if emulated else 900_000_000
    return (
        f"gups --mem {footprint} --updates {updates} --hot {footprint // 14} "
        f"--hot-weight 0.9 --reverse --threads {vcpus} --report-ms {REPORT_MS}"
    )


def memlat(footprint: int, vcpus: int, emulated: bool) -> str:
    loads = 20_000_000 if emulated else 200_000_000
    return f"memlat --mem {footprint} --loads {loads} --report-ms {REPORT_MS}"


WORKLOADS = {
    "gups": Workload(gups, timeline=True),
    "memlat": Workload(memlat),
}
