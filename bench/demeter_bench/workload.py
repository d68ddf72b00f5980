# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload is to the benchmark: the words that workloads/*/bench.py use.

Nothing is loaded here (workloads.py does that), and nothing but the standard
library is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

# Period of the progress lines, which become the rate over time.
REPORT_MS = 100
LIMIT = 1 << 64


@dataclass(frozen=True)
class Size:
    """What a workload may use."""

    footprint: int  # bytes
    threads: int
    scale: str  # smoke: seconds natively; emulated: 10 to 30 simulated s; paper


@dataclass(frozen=True)
class Workload:
    """One workload: how it runs in a VM, and what its tests run."""

    # command line in the guest, given the size and the seed of its input
    command: Callable[[Size, int], str]
    _: KW_ONLY
    # one line for help and documentation
    about: str
    # the smallest footprint with which it runs, bytes
    least: int = 1 << 20
    # whether its rate over time is worth a panel of the chart
    timeline: bool = False
    # the workload that it is another form of; not meant by "all"
    form_of: str | None = None
    # (second of the measured phase, share of the fast tier in the VM's memory from then on),
    # in ascending order
    resizes: tuple[tuple[float, float], ...] = ()
    # shell lines for the guest before it and the design's own, given the size: settings of
    # the kernel that are not the usual ones
    setup: Callable[[Size], str] | None = None
    # whether the design oracle can place what it accesses: pages that have one address in the
    # process that begins the measured phase, and are mapped there
    placeable: bool = True
    # of a server program: the part of the guest's initramfs that has it (image/app), which is
    # built and booted with this workload only. Never meant by "all"
    application: str = ""
    # whether it takes --threads
    threads: bool = True
    # arguments that the sanitizers manage in seconds; another form needs none
    small: str = ""
    # arguments with each of which its verification must fail
    corrupted: tuple[str, ...] = ()


def title(workload: Workload) -> str:
    """What the workload is, on a line that names what it is a form of."""
    return f"{workload.form_of}: {workload.about}" if workload.form_of else workload.about


def is_number(value: object) -> bool:
    """Whether value is a finite number that is not negative, and no bool."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # compared before it is converted: an int may be too large for a float
    return 0 <= value < LIMIT and math.isfinite(value)


def check_result(result: object) -> list[str]:
    """What is wrong with a workload's final line, once it is read as JSON.

    workloads/common/RESULT.md says what the line must have.
    """
    if not isinstance(result, dict):
        return ["no JSON object"]
    problems = []

    def member(name: str, good: Callable[[object], bool], what: str) -> None:
        if name not in result:
            problems.append(f"no {name}")
        elif not good(result[name]):
            problems.append(f"{name} is no {what}")

    for name in ("workload", "rate_unit"):
        member(name, lambda v: isinstance(v, str) and v != "", "name")
    member("parameters", lambda v: isinstance(v, dict), "object")
    for name in ("init_s", "rate", "sys_s"):
        member(name, is_number, "number from 0")
    member("seconds", lambda v: is_number(v) and v != 0, "number above 0")
    member("verified", lambda v: isinstance(v, bool), "true or false")
    return problems
