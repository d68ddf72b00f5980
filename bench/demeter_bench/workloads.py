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
    scale: str  # smoke: seconds natively; emulated: 10 to 30 simulated s; paper


@dataclass(frozen=True)
class Workload:
    """One workload at the size of the platform's VMs."""

    # command line in the guest, given the size and the seed of its input
    command: Callable[[Size, int], str]
    # whether its rate over time is worth a panel of the chart
    timeline: bool = False
    # the workload that it is another form of; not meant by "all"
    form_of: str | None = None


def gups(size: Size, seed: int, how: str = "--hot-weight 0.9 --reverse", times: int = 1) -> str:
    """Hot set of a fourteenth, last in the table, as in the paper.

    The paper does 9e8 updates on 14 GiB; emulated, what takes the all-fast
    design about eleven simulated seconds.
    """
    updates = {"smoke": 3_000_000, "emulated": 150_000_000, "paper": 900_000_000}[size.scale]
    return (
        f"gups --mem {size.footprint} --updates {times * updates} --hot {size.footprint // 14} "
        f"{how} --threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"
    )


def gups_phase(size: Size, seed: int) -> str:
    """Half-way, the hot set moves from the end of the table to the beginning."""
    return gups(size, seed, "--hot-weight 0.9 --reverse --phase 0.5", times=2)


def gups_uniform(size: Size, seed: int) -> str:
    """Nothing is hot, so there is nothing to move."""
    return gups(size, seed, "--mode random")


def gups_zipf(size: Size, seed: int) -> str:
    """Heat falls off over the whole table, whose end is the hottest."""
    return gups(size, seed, "--mode zipf --reverse")


def btree(size: Size, seed: int) -> str:
    """The paper looks up 2e10 times among 2e8 keys, which fill its VMs."""
    lookups = {"smoke": 10_000_000, "emulated": 20_000_000, "paper": 20_000_000_000}[size.scale]
    keys = "--keys 200000000" if size.scale == "paper" else f"--mem {size.footprint}"
    return (
        f"btree {keys} --lookups {lookups} --threads {size.threads} --seed {seed} "
        f"--report-ms {REPORT_MS}"
    )


def bwaves(size: Size, seed: int) -> str:
    """Emulated, few steps: floating point takes a hundred real seconds per simulated one."""
    steps = {"smoke": 16, "emulated": 3, "paper": 20}[size.scale]
    return (
        f"bwaves --mem {size.footprint} --steps {steps} --threads {size.threads} "
        f"--seed {seed} --report-ms {REPORT_MS}"
    )


def graph500(size: Size, seed: int) -> str:
    """The paper's scale and edge factor; emulated, about 13 simulated seconds."""
    what = {
        "smoke": f"--mem {size.footprint} --roots 8",
        "emulated": f"--mem {size.footprint} --roots 24 --validate 2",
        "paper": "--scale 24 --edge-factor 24 --roots 64 --validate 4",
    }[size.scale]
    return f"graph500 {what} --threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"


def liblinear(size: Size, seed: int) -> str:
    """The shape of kdda; the library has one thread. Emulated, about 28 s of all-fast."""
    what = {
        "smoke": f"--mem {size.footprint} --epsilon 0.1",
        "emulated": f"--mem {size.footprint}",
        "paper": "--rows 8407752 --features 20216830 --epsilon 0.01",
    }[size.scale]
    return f"liblinear {what} --seed {seed} --report-ms {REPORT_MS}"


def memlat(size: Size, seed: int) -> str:
    """Its default of four passes; loads for one to four seconds."""
    loads = {"smoke": 1_000_000, "emulated": 20_000_000, "paper": 200_000_000}[size.scale]
    return f"memlat --mem {size.footprint} --loads {loads} --seed {seed} --report-ms {REPORT_MS}"


def pagerank(size: Size, seed: int) -> str:
    """The paper's 20 iterations; emulated, 12 take the all-fast design 19 s."""
    iterations = 12 if size.scale == "emulated" else 20
    return (
        f"pagerank --mem {size.footprint} --iterations {iterations} --tolerance 0 "
        f"--threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"
    )


def silo(size: Size, seed: int) -> str:
    """YCSB; the paper's scale of 55,000 is 5.5e7 records, with 1e8 operations a worker."""
    records = "--records 55000000" if size.scale == "paper" else f"--mem {size.footprint}"
    operations = {
        "smoke": 1_000_000,
        "emulated": 20_000_000,
        "paper": 100_000_000 * size.threads,
    }[size.scale]
    return (
        f"silo --ycsb A {records} --operations {operations} --threads {size.threads} "
        f"--seed {seed} --report-ms {REPORT_MS}"
    )


def xsbench(size: Size, seed: int) -> str:
    """The large problem; the paper has 25,000 gridpoints and 1e7 particles."""
    grid = "--gridpoints 25000" if size.scale == "paper" else f"--mem {size.footprint}"
    particles = {"smoke": 40_000, "emulated": 50_000, "paper": 10_000_000}[size.scale]
    return (
        f"xsbench --size large {grid} --particles {particles} --threads {size.threads} "
        f"--seed {seed} --report-ms {REPORT_MS}"
    )


# What can be asked for by name; "all" means those that are not another's form.
WORKLOADS = {
    "btree": Workload(btree),
    "bwaves": Workload(bwaves),
    "graph500": Workload(graph500),
    "gups": Workload(gups, timeline=True),
    "gups-phase": Workload(gups_phase, timeline=True, form_of="gups"),
    "gups-uniform": Workload(gups_uniform, form_of="gups"),
    "gups-zipf": Workload(gups_zipf, timeline=True, form_of="gups"),
    "liblinear": Workload(liblinear),
    "memlat": Workload(memlat),
    "pagerank": Workload(pagerank),
    "silo": Workload(silo),
    "xsbench": Workload(xsbench),
}

ALL = tuple(name for name, workload in WORKLOADS.items() if not workload.form_of)


def symbol(name: str) -> str:
    """What selects the workload in the configuration."""
    return f"WORKLOAD_{(WORKLOADS[name].form_of or name).upper()}"
