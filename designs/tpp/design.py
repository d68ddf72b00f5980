# SPDX-License-Identifier: GPL-2.0-or-later
"""Transparent Page Placement, as in upstream Linux, with the head-room of the original."""

from demeter_bench.design import Design

DESIGNS = {
    "tpp": Design(
        "TPP",
        "#377eb8",
        "Transparent Page Placement: hint faults promote, reclaim demotes",
        boot_args="numa_balancing=tiering",
        # as in the artifact of the Demeter paper: 10 % of the fast tier
        setup="echo 1000 >/proc/sys/vm/demote_scale_factor\n",
    )
}
