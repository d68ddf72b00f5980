# SPDX-License-Identifier: GPL-2.0-or-later
"""Transparent Page Placement, as in upstream Linux, with the head-room of the original."""

from demeter_bench.design import Design, Parameter, Stat

STAGE = "/sys/kernel/mm/tier_stage"

DESIGNS = {
    "tpp": Design(
        "TPP",
        "#377eb8",
        "Transparent Page Placement: hint faults promote, reclaim demotes",
        boot_args="numa_balancing=tiering",
        # as in the artifact of the Demeter paper: 10 % of the fast tier
        setup="echo 1000 >/proc/sys/vm/demote_scale_factor\n",
        folder="/proc/sys",
        stats={
            "tpp_scanned": Stat("numa_pte_updates", "pages that scans made fault"),
            "tpp_hint_faults": Stat("numa_hint_faults", "hint faults"),
            "tpp_candidates": Stat("pgpromote_candidate", "pages that were hot enough"),
            "tpp_demoted_kswapd": Stat("pgdemote_kswapd", "pages that kswapd demoted"),
            "tpp_demoted_direct": Stat("pgdemote_direct", "pages that allocations demoted"),
            "tpp_reclaim_scanned": Stat("pgscan_kswapd", "pages that kswapd looked at"),
            "tpp_promote_s": Stat(f"{STAGE}/promote_ns", "s: promotions", scale=1e-9),
            "tpp_demote_s": Stat(f"{STAGE}/demote_ns", "s: demotions", scale=1e-9),
        },
        # a fault is where the kernel decides from the time since the scan how hot the page is
        stages={
            "sampling": (f"{STAGE}/scan_ns",),
            "classification": (f"{STAGE}/hint_faults_ns",),
            "migration": (f"{STAGE}/promote_ns", f"{STAGE}/demote_ns"),
        },
        parameters={
            "promote_rate_limit_MBps": Parameter(
                65536, 0, 1 << 23, "most MB per second that are promoted",
                file="kernel/numa_balancing_promote_rate_limit_MBps",
            ),
            "demote_scale_factor": Parameter(
                1000, 0, 3000, "head-room for promotions, in 1/10000 of the fast tier",
                file="vm/demote_scale_factor", published=1000,
            ),
            "watermark_scale_factor": Parameter(
                10, 1, 3000, "between watermarks of kswapd, in 1/10000 of a node",
                file="vm/watermark_scale_factor",
            ),
        },
    )
}  # fmt: skip
