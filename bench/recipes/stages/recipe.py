# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU time of the stages of management, as in the paper's overhead of nine VMs with GUPS."""

from demeter_bench.design import STAGES
from demeter_bench.recipe import Chart, Recipe

RECIPES = {
    "stages": Recipe(
        "CPU time for sampling, classification and migration, under GUPS",
        ("demeter", "memtis", "nomad", "tpp"),
        ("gups",),
        chart=Chart({f"{stage}_s": stage for stage in STAGES}, "CPU time (s)", stacked=True),
    ),
}
