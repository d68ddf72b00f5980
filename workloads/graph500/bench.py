# SPDX-License-Identifier: GPL-2.0-or-later
"""graph500 in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Search by breadth, at the paper's scale and edge factor; emulated, about 13 simulated s."""
    what = {
        "smoke": f"--mem {size.footprint} --roots 8",
        "emulated": f"--mem {size.footprint} --roots 24 --validate 2",
        "paper": "--scale 24 --edge-factor 24 --roots 64 --validate 4",
    }[size.scale]
    return f"graph500 {what} --threads {size.threads} --seed {seed} --report-ms {REPORT_MS}"


WORKLOADS = {
    "graph500": Workload(
        command,
        about="searches of a Kronecker graph",
        least=16 << 20,
        small="--scale 12 --roots 6",
        corrupted=tuple(
            f"--scale 10 --roots 3 {kernel} --corrupt {rule}"
            for kernel in ("", "--sssp")
            for rule in range(1, 6)
        ),
    ),
}
