# SPDX-License-Identifier: GPL-2.0-or-later
"""Flushes of the TLB in the guest, under GUPS."""

from demeter_bench.recipe import Chart, Recipe

RECIPES = {
    "tlb-flushes": Recipe(
        "TLB flushes of single pages and of all entries, under GUPS",
        ("demeter", "memtis", "nomad", "tpp"),
        ("gups",),
        chart=Chart({"tlb_single": "single pages", "tlb_full": "full flushes"}, "number"),
    ),
}
