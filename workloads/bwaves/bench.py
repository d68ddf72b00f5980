# SPDX-License-Identifier: GPL-2.0-or-later
"""bwaves in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Take few steps: emulated floating point takes a hundred real seconds per simulated one."""
    steps = {"smoke": 16, "emulated": 3, "paper": 20}[size.scale]
    return (
        f"bwaves --mem {size.footprint} --steps {steps} --threads {size.threads} "
        f"--seed {seed} --report-ms {REPORT_MS}"
    )


WORKLOADS = {
    "bwaves": Workload(
        command,
        about="blast waves by an implicit method",
        least=16 << 20,
        small="--grid 24x18x21 --steps 4",
        corrupted=tuple(
            f"--grid 16 --steps 3 --corrupt {what}" for what in ("mass", "pressure", "residual")
        ),
    ),
}
