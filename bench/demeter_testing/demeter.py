# SPDX-License-Identifier: GPL-2.0-or-later
"""The module demeter in a guest: shell lines that set it up, and what it counts."""

from __future__ import annotations

import re

# off by default in so small a machine
THP = "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled\n"
LOAD = "insmod /lib/modules/demeter.ko\ncd /sys/kernel/mm/demeter\n"
# moves as much as it can, whether that pays or not
RESTLESS = LOAD + (
    "echo 20 >epoch_ms; echo 1 >margin; echo 0 >exchange_ns; echo 2 >backoff_epochs\n"
    "echo 64 >sample_period; echo all 8 >attach; echo 1 >enabled\n"
)
STATS = "grep -H . /sys/kernel/mm/demeter/stats/*\n"


def stats(out: str) -> dict[str, int]:
    """Return the counters that STATS printed."""
    return {name: int(count) for name, count in re.findall(r"/stats/(\w+):(\d+)", out)}
