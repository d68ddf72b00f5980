# SPDX-License-Identifier: GPL-2.0-or-later
"""@NAME@ in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Say how large the published runs are; emulated, aim at 10 to 30 simulated seconds."""
    passes = {"smoke": 4, "emulated": 20, "paper": 100}[size.scale]
    return f"@NAME@ --mem {size.footprint} --passes {passes} --seed {seed} --report-ms {REPORT_MS}"


WORKLOADS = {
    "@NAME@": Workload(
        command,
        about="say in a line what it does",
        threads=False,
        small="--mem 1M",
        corrupted=("--mem 1M --corrupt sum",),
    ),
}
