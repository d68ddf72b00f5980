# SPDX-License-Identifier: GPL-2.0-or-later
"""How much the parameters of Demeter matter, under GUPS.

The paper finds periods of 128 to 32768 and thresholds of 48 to 112 equally good, and epochs
below 500 ms and above 5 s worse.
"""

from demeter_bench.recipe import Recipe

GUPS = ("gups",)

RECIPES = {
    "sensitivity-period": Recipe(
        "Demeter's sample_period, under GUPS",
        ("demeter",),
        GUPS,
        parameters="demeter.sample_period=128,512,1021,4093,8191,32767",
    ),
    "sensitivity-threshold": Recipe(
        "Demeter's latency_threshold, under GUPS",
        ("demeter",),
        GUPS,
        parameters="demeter.latency_threshold=16,48,64,80,112,256",
    ),
    "sensitivity-split": Recipe(
        "Demeter's split_threshold, of the ranking by ranges, under GUPS",
        ("demeter",),
        GUPS,
        # pages are told apart otherwise, and ranges matter little
        parameters="demeter.page_counters=0 demeter.split_threshold=5,10,15,30,60",
    ),
    "sensitivity-epoch": Recipe(
        "Demeter's epoch_ms, under GUPS",
        ("demeter",),
        GUPS,
        parameters="demeter.epoch_ms=50,100,250,500,1000,5000",
    ),
}
