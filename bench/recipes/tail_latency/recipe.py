# SPDX-License-Identifier: GPL-2.0-or-later
"""Latencies of Silo's transactions."""

from demeter_bench.recipe import Chart, Recipe

RECIPES = {
    "tail-latency": Recipe(
        "percentiles of the latency of silo's transactions",
        ("demeter", "memtis", "nomad", "tpp", "all-fast"),
        ("silo",),
        chart=Chart({f"p{p}_us": f"p{p}" for p in (50, 90, 95, 99)}, "latency (µs)"),
    ),
}
