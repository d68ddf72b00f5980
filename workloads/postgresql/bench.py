# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL in the benchmark: sizes, command lines."""

from collections.abc import Callable

from demeter_bench.workload import REPORT_MS, Size, Workload

# of the footprint, what programs, libraries and an empty cluster take as files
FILES = 52 << 20
# what postgresql takes as the least --mem
LEAST = 96 << 20
CLIENTS = 4
CLUSTER = "/opt/cluster"
# files may take all memory, not half of it; the server refuses to be root's
SETUP = f"mount -o remount,size=100% /\nmkdir -p /dev/shm\nchown -R 65534:65534 {CLUSTER}\n"


def command(mix: str, emulated: int, paper: int) -> Callable[[Size, int], str]:
    """The command line of a mix; emulated, a few simulated seconds of all-fast."""

    def run(size: Size, seed: int) -> str:
        transactions = {"smoke": 2000, "emulated": emulated, "paper": paper}[size.scale]
        return (
            f"postgresql --mix {mix} --cluster {CLUSTER} --mem {size.footprint - FILES} "
            f"--transactions {transactions} --clients {CLIENTS} --seed {seed} "
            f"--report-ms {REPORT_MS}"
        )

    return run


def workload(about: str, mix: str, emulated: int, paper: int) -> Workload:
    return Workload(
        command(mix, emulated, paper),
        about=about,
        least=FILES + LEAST,
        timeline=True,
        form_of="postgresql",
        application="postgresql",
        setup=lambda size: SETUP,
        placeable=False,
        threads=False,
    )


WORKLOADS = {
    "pg-select": workload("pgbench's point selects", "select", 150_000, 100_000_000),
    "pg-tpcb": workload("pgbench's transactions like TPC-B", "tpcb", 20_000, 10_000_000),
}
