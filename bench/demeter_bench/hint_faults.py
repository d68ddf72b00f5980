# SPDX-License-Identifier: GPL-2.0-or-later
"""NUMA balancing in its memory tiering mode, for the designs that build on its hint faults."""

from __future__ import annotations

from .design import Parameter, Stat

STAGE = "/sys/kernel/mm/tier_stage"
NUMA_BALANCING = "/sys/module/numa_balancing/parameters"

# Head-room for promotions, as in the artifact of the Demeter paper: 10 % of the fast tier. Scans
# are as the kernel has them; see designs/tpp/README.md for what else was tried.
SETUP = "echo 1000 >/proc/sys/vm/demote_scale_factor\n"

STATS = {
    "scanned": Stat("numa_pte_updates", "pages that scans made fault"),
    "hint_faults": Stat("numa_hint_faults", "hint faults"),
    "candidates": Stat("pgpromote_candidate", "pages that were hot enough"),
    "demoted_kswapd": Stat("pgdemote_kswapd", "pages that kswapd demoted"),
    "demoted_direct": Stat("pgdemote_direct", "pages that allocations demoted"),
    "reclaim_scanned": Stat("pgscan_kswapd", "pages that kswapd looked at"),
    "promote_s": Stat(f"{STAGE}/promote_ns", "s: promotions", scale=1e-9),
    "demote_s": Stat(f"{STAGE}/demote_ns", "s: demotions", scale=1e-9),
}

PARAMETERS = {
    "scan_size_mb": Parameter(
        256, 1, 1000000, "MB that a scan makes fault",
        file=f"{NUMA_BALANCING}/scan_size_mb",
    ),
    "scan_period_min_ms": Parameter(
        1000, 1, 1000000, "least ms between scans",
        file=f"{NUMA_BALANCING}/scan_period_min_ms",
    ),
    "hot_threshold_ms": Parameter(
        1000, 1, 1000000, "most ms from scan to fault of a hot page, to begin with",
        file=f"{NUMA_BALANCING}/hot_threshold_ms",
    ),
    "promote_rate_limit_MBps": Parameter(
        65536, 0, 1 << 23, "most MB per second that are promoted",
        file="/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps",
    ),
    "demote_scale_factor": Parameter(
        1000, 0, 3000, "head-room for promotions, in 1/10000 of the fast tier",
        file="/proc/sys/vm/demote_scale_factor", published=1000,
    ),
    "watermark_scale_factor": Parameter(
        10, 1, 3000, "between watermarks of kswapd, in 1/10000 of a node",
        file="/proc/sys/vm/watermark_scale_factor",
    ),
}  # fmt: skip
