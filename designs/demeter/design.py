# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter: the guest samples its own accesses and exchanges hot pages with cold ones."""

from demeter_bench.design import Design

DESIGNS = {
    "demeter": Design(
        "Demeter",
        "#e41a1c",
        "sampled accesses, hot pages of the slow tier exchanged with cold ones",
        needs_two_tiers=True,
        # page cache that makes room in the fast tier goes down, not out
        setup="echo 1 >/sys/kernel/mm/numa/demotion_enabled\n"
        "insmod /lib/modules/demeter.ko\n"
        "cd /sys/kernel/mm/demeter\n"
        # what all 64 is where it is the default, in VMs of gigabytes
        "echo all 4 >attach\n"
        "echo 1 >enabled\n",
        service="demeter.service",
        threads=("demeter", "kdamond"),
        promotions=("demeter_promote",),
        demotions=("demeter_demote",),
    )
}
