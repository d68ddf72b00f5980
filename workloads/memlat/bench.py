# SPDX-License-Identifier: GPL-2.0-or-later
"""memlat in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Take the default of four passes, and loads for one to four seconds."""
    loads = {"smoke": 1_000_000, "emulated": 20_000_000, "paper": 200_000_000}[size.scale]
    return f"memlat --mem {size.footprint} --loads {loads} --seed {seed} --report-ms {REPORT_MS}"


WORKLOADS = {
    "memlat": Workload(
        command,
        about="latency and bandwidth of each node",
        threads=False,
        small="--mem 4M --loads 100000",
        corrupted=tuple(f"--mem 4M --loads 100000 --corrupt {w}" for w in ("chain", "contents")),
    ),
}
