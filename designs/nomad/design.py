# SPDX-License-Identifier: GPL-2.0-or-later
"""Nomad: pages are promoted by transactions, and their old copies are kept."""

from demeter_bench import hint_faults
from demeter_bench.design import PARAMETERS, Design, Parameter, Stat
from demeter_bench.hint_faults import STAGE

DESIGNS = {
    "nomad": Design(
        "Nomad",
        "#e7298a",
        "tiers that are not exclusive: promotion by transactions, demotion to shadows",
        needs_two_tiers=True,
        boot_args="numa_balancing=tiering",
        # what is idle at the first look is not worth a page of the fast tier (README.md)
        setup=hint_faults.SETUP
        + "echo 1 >/sys/kernel/mm/nomad/looks\n"
        + PARAMETERS
        + "echo 1 >/sys/kernel/mm/nomad/enabled\n",
        threads=("knomadd",),
        demotions=("stats/demoted_remap",),
        folder="/sys/kernel/mm/nomad",
        stats={
            **{f"nomad_{name}": stat for name, stat in hint_faults.STATS.items()},
            "nomad_queued": Stat("stats/queued", "candidates that hint faults have found"),
            "nomad_looks": Stat("stats/looks", "looks at candidates"),
            "nomad_displaced": Stat("stats/displaced", "candidates that full queues gave up"),
            "nomad_expired": Stat("stats/expired", "candidates that were not promoted"),
            "nomad_aborts": Stat("stats/aborts", "transactions that a write has aborted"),
            "nomad_shadows_made": Stat("stats/shadows_made", "copies that were kept"),
            "nomad_shadows": Stat("stats/shadows", "copies there are after the job", grows=False),
            "nomad_write_faults": Stat("stats/write_faults", "first writes to pages with copies"),
            "nomad_reclaimed": Stat("stats/shadow_reclaimed", "copies freed for lack of memory"),
            "nomad_demoted_remap": Stat("stats/demoted_remap", "pages demoted without a copy"),
            "nomad_demoted_copy": Stat("stats/demoted_copy", "pages demoted by copying"),
        },
        stages={
            "sampling": (f"{STAGE}/scan_ns",),
            "classification": (f"{STAGE}/hint_faults_ns", "stats/judge_ns"),
            "migration": ("stats/promote_ns", f"{STAGE}/promote_ns", f"{STAGE}/demote_ns"),
        },
        parameters={
            **hint_faults.PARAMETERS,
            "check_ms": Parameter(20, 1, 10000, "ms until a candidate is looked at first"),
            "looks": Parameter(1, 1, 6, "looks at a candidate, at most"),
            "pending_ms": Parameter(2000, 1, 600000, "ms that a page may wait for its promotion"),
            "retries": Parameter(3, 0, 100, "transactions after one that was aborted"),
            "queue_pages": Parameter(16384, 64, 1 << 22, "pages in the queues of a slow node"),
            "shadow_percent": Parameter(30, 0, 100, "share of a slow node for copies, in %"),
        },
    )
}
