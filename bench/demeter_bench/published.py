# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured here beside what was published: ratios to the best, and orders.

A table of what was published is CSV with the columns workload, vms, and one per design, whose
values are times relative to the best. Lines with # are comments. Only designs that are in
both are compared: ratios are to the best of these.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

from .recipes import RECIPES
from .results import Group, mean_times
from .settings import Settings
from .variant import Variant

# Published ratios are rounded to so much: designs that are as close are not ordered.
ROUNDED = 0.1


class Row(NamedTuple):
    """A workload with a number of VMs: design -> ratio to the best, here and as published."""

    group: Group
    here: dict[str, float]
    published: dict[str, float]

    @property
    def pairs(self) -> list[bool]:
        """Of each pair of designs that the published figure orders: whether we order it so."""
        return [
            (self.here[a] < self.here[b]) == (self.published[a] < self.published[b])
            for a, b in combinations(self.here, 2)
            if abs(self.published[a] - self.published[b]) > ROUNDED / 2
        ]

    @property
    def best_agrees(self) -> bool:
        """Whether the best design here is among those that were published as the best."""
        best = min(self.here, key=self.here.__getitem__)
        return self.published[best] - min(self.published.values()) < ROUNDED / 2

    def to_json(self) -> dict:
        """For summary.json."""
        return {
            "vms": self.group[0],
            "workload": self.group[1],
            "here": self.here,
            "published": self.published,
            "best_agrees": self.best_agrees,
            "pairs": len(self.pairs),
            "pairs_that_agree": sum(self.pairs),
        }


def read(path: Path) -> dict[Group, dict[str, float]]:
    """(VMs, workload) -> design -> ratio, of a table."""
    with path.open(newline="") as f:
        rows = list(csv.DictReader(line for line in f if not line.startswith("#")))
    return {
        (int(row["vms"]), row["workload"]): {
            design: float(value)
            for design, value in row.items()
            if design not in ("vms", "workload") and value
        }
        for row in rows
    }


def relative(values: Mapping[str, float]) -> dict[str, float]:
    best = min(values.values())
    return {design: value / best for design, value in values.items()}


def compare(s: Settings, rows: list[dict]) -> list[Row]:
    """What both have, for the recipe and the preset of the settings; nothing without."""
    path = RECIPES[s.recipe].published.get(s.preset) if s.recipe else None
    if path is None:
        return []
    published = read(path)
    found = []
    for group, by in mean_times(rows).items():
        mine = {v.design: time for v, time in by.items() if v == Variant(v.design)}
        theirs = published.get(group, {})
        both = [design for design in mine if design in theirs]
        if len(both) > 1:
            here = relative({design: mine[design] for design in both})
            there = relative({design: theirs[design] for design in both})
            found.append(Row(group, here, there))
    return found


def means(rows: list[Row]) -> list[tuple[int, dict[str, float], dict[str, float]]]:
    """(VMs, here, as published): geometric means over workloads, of designs in all of them."""
    found = []
    for vms in sorted({row.group[0] for row in rows}):
        mine = [row for row in rows if row.group[0] == vms]
        everywhere = [d for d in mine[0].here if all(d in row.here for row in mine)]
        here = {d: geometric_mean(row.here[d] for row in mine) for d in everywhere}
        there = {d: geometric_mean(row.published[d] for row in mine) for d in everywhere}
        found.append((vms, here, there))
    return found
