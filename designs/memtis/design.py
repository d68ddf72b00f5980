# SPDX-License-Identifier: GPL-2.0-or-later
"""Memtis: accesses are counted per page, and the hottest pages that fit are kept fast."""

from demeter_bench.design import PARAMETERS, Design, Parameter, Stat

DESIGNS = {
    "memtis": Design(
        "Memtis",
        "#a65628",
        "sampled accesses counted per page, thresholds from their distribution",
        needs_two_tiers=True,
        needs_pmu=True,
        # watermarks that are boosted for a while hold back what little is free
        setup="echo 0 >/proc/sys/vm/watermark_boost_factor\n"
        "insmod /lib/modules/memtis.ko\n"
        + PARAMETERS
        + "echo 1 >/sys/kernel/mm/memtis/enabled\n",
        threads=("ksampled", "kmemtisd"),
        promotions=("stats/promoted",),
        demotions=("stats/demoted",),
        folder="/sys/kernel/mm/memtis",
        stats={
            "memtis_samples": Stat("stats/samples", "samples that were counted"),
            "memtis_lost": Stat("stats/lost", "samples that nobody read in time"),
            "memtis_strays": Stat("stats/strays", "samples of memory that is not managed"),
            "memtis_period": Stat(
                "stats/period_loads", "loads per sample, after the job", grows=False
            ),
            "memtis_cpu_permille": Stat(
                "stats/cpu_permille", "1/1000 of a CPU for sampling, after the job", grows=False
            ),
            "memtis_ksampled_s": Stat("stats/ksampled_ns", "s of ksampled", scale=1e-9),
            "memtis_coolings": Stat("stats/coolings", "times that counts were halved"),
            "memtis_hot_threshold": Stat(
                "stats/hot_threshold", "first hot bin, after the job", grows=False
            ),
            "memtis_warm_threshold": Stat(
                "stats/warm_threshold", "first warm bin, after the job", grows=False
            ),
            "memtis_kept": Stat("stats/kept", "pages that had to stay"),
            "memtis_no_room": Stat("stats/no_room", "pages for which there was no room"),
            "memtis_splits": Stat("stats/splits", "huge pages that were split"),
            "memtis_collapses": Stat("stats/collapses", "huge pages that were made again"),
            "memtis_metadata": Stat(
                "stats/metadata", "KiB of what it knows, after the job", grows=False, scale=1 / 1024
            ),
        },
        stages={
            "sampling": ("stats/sample_ns",),
            "classification": ("stats/ksampled_ns", "stats/scan_ns"),
            "migration": ("stats/migrate_ns",),
        },
        parameters={
            "load_period": Parameter(200, 16, 1 << 30, "least loads per sample", published=200),
            "store_period": Parameter(
                100000, 16, 1 << 30, "least stores per sample; 0: none", or_zero=True,
                published=100000,
            ),
            "cpu_permille": Parameter(
                30, 1, 1000, "share of a CPU for sampling, in 1/1000", published=30
            ),
            "poll_ms": Parameter(10, 1, 1000, "ms between looks for samples"),
            "cool_samples": Parameter(
                0, 64, 1 << 30, "samples between coolings; 0: as many as all pages", or_zero=True,
                published=2000000,
            ),
            "adapt_samples": Parameter(
                0, 64, 1 << 30, "samples between adaptations; 0: 1/20 of cool_samples",
                or_zero=True, published=100000,
            ),
            "wake_ms": Parameter(500, 10, 60000, "ms between rounds of migration", published=500),
            "headroom_permille": Parameter(20, 0, 500, "share of the fast tier that is kept free"),
            "split_permille": Parameter(
                50, 1, 1000, "gain of the hit ratio for which huge pages are split"
            ),
            "min_mib": Parameter(4, 0, 1 << 20, "MiB of processes that are managed, at least"),
        },
    )
}  # fmt: skip
