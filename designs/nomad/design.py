# SPDX-License-Identifier: GPL-2.0-or-later
"""Nomad: pages are promoted by transactions, and their old copies are kept."""

from demeter_bench.design import Design

DESIGNS = {
    "nomad": Design(
        "Nomad",
        "#ff7f00",
        "tiers that are not exclusive: promotion by transactions, demotion to shadows",
        needs_two_tiers=True,
        boot_args="numa_balancing=tiering",
        # the same head-room as for TPP: 10 % of the fast tier
        setup="echo 1000 >/proc/sys/vm/demote_scale_factor\n"
        "echo 1 >/sys/kernel/mm/nomad/enabled\n",
        threads=("knomadd",),
    )
}
