# SPDX-License-Identifier: GPL-2.0-or-later
"""xsbench in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Look up in the large problem; the paper has 25,000 gridpoints and 1e7 particles."""
    grid = "--gridpoints 25000" if size.scale == "paper" else f"--mem {size.footprint}"
    particles = {"smoke": 40_000, "emulated": 50_000, "paper": 10_000_000}[size.scale]
    return (
        f"xsbench --size large {grid} --particles {particles} --threads {size.threads} "
        f"--seed {seed} --report-ms {REPORT_MS}"
    )


WORKLOADS = {
    "xsbench": Workload(
        command,
        about="look-ups of neutron cross sections",
        least=64 << 20,
        small="--size small --gridpoints 300 --particles 2000",
        corrupted=("--size small --gridpoints 300 --particles 2000 --corrupt 1000",),
    ),
}
