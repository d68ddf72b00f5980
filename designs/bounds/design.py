# SPDX-License-Identifier: GPL-2.0-or-later
"""The bounds of every comparison: all memory in one tier."""

from demeter_bench.design import Design, Memory

DESIGNS = {
    "all-fast": Design(
        "all fast", "#4daf4a", "all memory in the fast tier: the upper bound", Memory.ALL_FAST
    ),
    "all-slow": Design(
        "all slow", "#999999", "all memory in the slow tier: the lower bound", Memory.ALL_SLOW
    ),
}
