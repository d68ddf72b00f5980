# SPDX-License-Identifier: GPL-2.0-or-later
"""gups in the benchmark: sizes, command lines of its six forms, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int, how: str = "--hot-weight 0.9 --reverse", times: int = 1) -> str:
    """Update a hot set of a fourteenth, last in the table, as in the paper.

    The paper does 9e8 updates on 14 GiB; emulated, what takes the all-fast
    design about eleven simulated seconds.
    """
    updates = {"smoke": 3_000_000, "emulated": 150_000_000, "paper": 900_000_000}[size.scale]
    return (
        f"gups --mem {size.footprint} --updates {times * updates} --hot {size.footprint // 14} "
        f"{how} --threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"
    )


def phase(size: Size, seed: int) -> str:
    """Move the hot set half-way from the end of the table to its beginning."""
    return command(size, seed, "--hot-weight 0.9 --reverse --phase 0.5", times=2)


def resize(size: Size, seed: int) -> str:
    """Give each size of the fast tier fifteen seconds or more."""
    return command(size, seed, times=5)


def uniform(size: Size, seed: int) -> str:
    """Make nothing hot, so that there is nothing to move."""
    return command(size, seed, "--mode random")


def zipf(size: Size, seed: int) -> str:
    """Let heat fall off over the whole table, whose end is the hottest."""
    return command(size, seed, "--mode zipf --reverse")


def writes(size: Size, seed: int) -> str:
    """Overwrite words without reading them: no load finds the hot set."""
    return command(size, seed, "--mode writes --hot-weight 0.9 --reverse")


WORKLOADS = {
    "gups": Workload(
        command,
        about="random updates of a table with a hot set",
        timeline=True,
        small="--mem 8M --updates 200000",
        corrupted=(
            "--mem 8M --updates 200000 --corrupt table",
            "--mem 8M --updates 200000 --ballast 1M:cache --corrupt ballast",
            "--mem 8M --updates 200000 --backing shmem --processes 2 --corrupt table",
        ),
    ),
    "gups-phase": Workload(
        phase, about="the hot set moves half-way", timeline=True, form_of="gups"
    ),
    "gups-resize": Workload(
        resize,
        about="the fast tier is doubled, then halved twice, on the way",
        timeline=True,
        form_of="gups",
        resizes=((15, 0.4), (30, 0.2), (45, 0.1)),
    ),
    "gups-writes": Workload(
        writes, about="the hot set is only written", timeline=True, form_of="gups"
    ),
    "gups-uniform": Workload(uniform, about="nothing is hot", form_of="gups"),
    "gups-zipf": Workload(zipf, about="popularity by Zipf's law", timeline=True, form_of="gups"),
}
