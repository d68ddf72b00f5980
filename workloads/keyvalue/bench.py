# SPDX-License-Identifier: GPL-2.0-or-later
"""Redis and memcached in the benchmark: sizes, command lines."""

from collections.abc import Callable

from demeter_bench.workload import REPORT_MS, Size, Workload

# of the footprint, what the program and its libraries take as files
FILES = 24 << 20
# what keyvalue takes as the least --mem
LEAST = 24 << 20
CLIENTS = 4


def command(server: str, program: str) -> Callable[[Size, int], str]:
    """The command line of a server; emulated, a few simulated seconds of all-fast."""

    def run(size: Size, seed: int) -> str:
        operations = {"smoke": 20_000, "emulated": 400_000, "paper": 200_000_000}[size.scale]
        return (
            f"keyvalue --server {server} --program /usr/bin/{program} "
            f"--mem {size.footprint - FILES} --operations {operations} --clients {CLIENTS} "
            f"--seed {seed} --report-ms {REPORT_MS}"
        )

    return run


WORKLOADS = {
    name: Workload(
        command(name, program),
        about=f"gets and sets of {program}",
        least=FILES + LEAST,
        timeline=True,
        form_of="keyvalue",
        application=name,
        placeable=False,
        threads=False,
    )
    for name, program in (("redis", "redis-server"), ("memcached", "memcached"))
}
