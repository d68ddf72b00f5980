# SPDX-License-Identifier: GPL-2.0-or-later
"""liblinear in the benchmark: sizes, command line, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload


def command(size: Size, seed: int) -> str:
    """Train on data of kdda's shape, in one thread; emulated, about 28 s of all-fast."""
    what = {
        "smoke": f"--mem {size.footprint} --epsilon 0.1",
        "emulated": f"--mem {size.footprint}",
        "paper": "--rows 8407752 --features 20216830 --epsilon 0.01",
    }[size.scale]
    return f"liblinear {what} --seed {seed} --report-ms {REPORT_MS}"


WORKLOADS = {
    "liblinear": Workload(
        command,
        about="training of a linear classifier",
        least=4 << 20,
        threads=False,
        small="--rows 2000 --features 4000",
        corrupted=tuple(
            f"--rows 2000 --features 4000 --corrupt {what}"
            for what in ("objective", "gradient", "accuracy")
        ),
    ),
}
