# SPDX-License-Identifier: GPL-2.0-or-later
"""Memtis: accesses are counted per page, and the hottest pages that fit are kept fast."""

from demeter_bench.design import Design

DESIGNS = {
    "memtis": Design(
        "Memtis",
        "#984ea3",
        "sampled accesses counted per page, thresholds from their distribution",
        needs_two_tiers=True,
        setup="insmod /lib/modules/memtis.ko\necho 1 >/sys/kernel/mm/memtis/enabled\n",
        threads=("ksampled", "kmemtisd"),
    )
}
