# SPDX-License-Identifier: GPL-2.0-or-later
"""btree in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Look up random keys; the paper does so 2e10 times among 2e8 keys, which fill its VMs."""
    lookups = {"smoke": 10_000_000, "emulated": 20_000_000, "paper": 20_000_000_000}[size.scale]
    keys = "--keys 200000000" if size.scale == "paper" else f"--mem {size.footprint}"
    return (
        f"btree {keys} --lookups {lookups} --threads {size.threads} --seed {seed} "
        f"--report-ms {REPORT_MS}"
    )


WORKLOADS = {
    "btree": Workload(
        command,
        about="random lookups in an index",
        least=16 << 20,
        small="--mem 24M --lookups 100000 --inserts 20000",
        corrupted=tuple(f"--mem 24M --lookups 100000 --corrupt {w}" for w in ("index", "row")),
    ),
}
