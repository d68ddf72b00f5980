# SPDX-License-Identifier: GPL-2.0-or-later
"""pagerank in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Take the paper's 20 iterations; emulated, 12 take the all-fast design 19 s."""
    iterations = 12 if size.scale == "emulated" else 20
    return (
        f"pagerank --mem {size.footprint} --iterations {iterations} --tolerance 0 "
        f"--threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"
    )


WORKLOADS = {
    "pagerank": Workload(
        command,
        about="PageRank of a power-law graph",
        least=8 << 20,
        small="--scale 12 --symmetrize",
        corrupted=tuple(
            f"--scale 12 {how} --corrupt {what}"
            for how in ("", "--symmetrize", "--iterations 30")
            for what in ("score", "change")
        ),
    ),
}
