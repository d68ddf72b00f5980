# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter: the guest samples its own accesses and exchanges hot pages with cold ones."""

from demeter_bench.design import PARAMETERS, Design, Parameter, Stat

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
        # most can be set before anything is managed only
        + PARAMETERS
        # what all 64 is where it is the default, in VMs of gigabytes
        + "echo all 4 >attach\n"
        "echo 1 >enabled\n",
        service="demeter.service",
        threads=("demeter", "kdamond"),
        promotions=("demeter_promote",),
        demotions=("demeter_demote",),
        folder="/sys/kernel/mm/demeter",
        stats={
            "demeter_epochs": Stat("stats/epochs", "epochs"),
            "demeter_samples": Stat("stats/samples", "samples taken"),
            "demeter_lost": Stat("stats/lost", "samples that nobody read in time"),
            "demeter_strays": Stat("stats/strays", "samples of memory that is not managed"),
            "demeter_exchanged": Stat("stats/exchanged", "pairs of pages that traded places"),
            "demeter_split": Stat("stats/split", "huge pages that were split"),
            "demeter_busy": Stat("stats/busy", "pages that could not be moved at the time"),
            "demeter_refused": Stat("stats/refused", "pages that can never be moved"),
            "demeter_no_room": Stat("stats/no_room", "pages for which there was no room"),
            "demeter_metadata": Stat(
                "stats/metadata", "KiB of what it knows, after the job", grows=False, scale=1 / 1024
            ),
            "demeter_classify_s": Stat("stats/classify_ns", "s: counting them", scale=1e-9),
            "demeter_rank_s": Stat("stats/rank_ns", "s: ranking", scale=1e-9),
        },
        stages={
            "sampling": ("stats/sample_ns",),
            "classification": ("stats/classify_ns", "stats/rank_ns"),
            # reclaim demotes page cache
            "migration": ("stats/relocate_ns", "/sys/kernel/mm/tier_stage/demote_ns"),
        },
        parameters={
            "epoch_ms": Parameter(500, 10, 60000, "ms of an epoch", published=500),
            "sample_period": Parameter(
                1021, 16, 1 << 30, "loads per sample", published=4093
            ),
            "store_period": Parameter(
                16381, 16, 1 << 30, "stores per sample; 0: none", or_zero=True,
                published=0,
            ),
            "sample_rate": Parameter(14500, 100, 1000000, "most samples per second of a CPU"),
            "latency_threshold": Parameter(
                64, 3, 65535, "least cycles of a sampled load", published=64
            ),
            "split_threshold": Parameter(
                30, 1, 1 << 20, "samples per CPU that split a range", published=15
            ),
            "merge_epochs": Parameter(15, 1, 1 << 20, "epochs until ranges are merged"),
            "max_ranges": Parameter(256, 2, 65536, "most ranges of a process", published=256),
            "cool_epochs": Parameter(8, 1, 1 << 20, "epochs after which counts halve"),
            "backoff_epochs": Parameter(
                128, 1, 1 << 20, "most epochs for which pages are left alone that did not move",
                published=128,
            ),
            "relocate_percent": Parameter(20, 1, 100, "most CPU time of relocation, in %"),
            "relocate_mib": Parameter(1024, 1, 1 << 20, "most MiB per second either way"),
            "margin": Parameter(2, 1, 64, "classes of heat by which pages must differ"),
            "exchange_ns": Parameter(
                10000, 0, 1 << 30, "ns that an exchange has to make up for"
            ),
            "tier_ns": Parameter(100, 1, 1 << 30, "ns by which the slow tier is slower"),
            "page_counters": Parameter(
                1, 0, 1, "whether pages are told apart, not only 2 MiB", published=0
            ),
        },
    )
}  # fmt: skip
