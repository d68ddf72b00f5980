# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiering by the host or by guests, in one server: the paper's motivation, and its headline."""

from demeter_bench.recipe import Chart, Recipe

NESTED = {"PLATFORM": "nested", "VM_MEMORY": "256M", "FAST_RATIO": "0.3"}

RECIPES = {
    "motivation": Recipe(
        "TPP in the host, TPP in guests, Demeter: time and full TLB flushes under GUPS;"
        " flushes need CONFIG_EMU_TLB",
        ("tpp-h", "tpp", "demeter"),
        ("gups",),
        options=NESTED,
        chart=Chart(
            {"host_full_flushes": "by the host", "guest_full_flushes": "by guests"},
            "full flushes",
        ),
    ),
    "headline": Recipe(
        "the paper's workloads under tiering by the host and by guests, in one server",
        ("tpp-h", "tpp", "nomad", "demeter"),
        ("btree", "bwaves", "graph500", "liblinear", "pagerank", "silo", "xsbench"),
        options=NESTED | {"VM": "1 3 9"},
    ),
}
