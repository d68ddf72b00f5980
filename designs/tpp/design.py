# SPDX-License-Identifier: GPL-2.0-or-later
"""Transparent Page Placement, as in upstream Linux, with the head-room of the original."""

from demeter_bench import hint_faults
from demeter_bench.design import Design
from demeter_bench.hint_faults import STAGE

DESIGNS = {
    "tpp": Design(
        "TPP",
        "#377eb8",
        "Transparent Page Placement: hint faults promote, reclaim demotes",
        boot_args="numa_balancing=tiering",
        setup=hint_faults.SETUP,
        folder="/proc/sys",
        stats={f"tpp_{name}": stat for name, stat in hint_faults.STATS.items()},
        # a fault is where the kernel decides from the time since the scan how hot the page is
        stages={
            "sampling": (f"{STAGE}/scan_ns",),
            "classification": (f"{STAGE}/hint_faults_ns",),
            "migration": (f"{STAGE}/promote_ns", f"{STAGE}/demote_ns"),
        },
        parameters=hint_faults.PARAMETERS,
    )
}
