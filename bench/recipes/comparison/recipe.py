# SPDX-License-Identifier: GPL-2.0-or-later
"""Seven workloads under the designs that run in guests, beside what was published."""

from pathlib import Path

from demeter_bench.recipe import Recipe

HERE = Path(__file__).resolve().parent

RECIPES = {
    "comparison": Recipe(
        "the paper's workloads and designs, beside its figures (PRESET says which)",
        ("demeter", "memtis", "nomad", "tpp"),
        ("btree", "bwaves", "graph500", "liblinear", "pagerank", "silo", "xsbench"),
        published={
            "dram_pmem": HERE / "sosp25-fig10.csv",
            "dram_cxl": HERE / "sosp25-fig11.csv",
        },
    ),
}
