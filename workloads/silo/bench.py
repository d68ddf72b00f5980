# SPDX-License-Identifier: GPL-2.0-or-later
"""silo in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Run YCSB A; the paper's scale of 55,000 is 5.5e7 records, with 1e8 operations a worker."""
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


WORKLOADS = {
    "silo": Workload(
        command,
        about="transactions in memory",
        least=8 << 20,
        small="--ycsb A --records 5000 --operations 40000",
        corrupted=(
            *(
                f"--records 5000 --operations 20000 --corrupt {what}"
                for what in ("torn", "update", "missing")
            ),
            *(
                f"--tpcc 1 --operations 3000 --corrupt {what}"
                for what in ("1", "2", "3", "4", "history")
            ),
        ),
    ),
}
