# SPDX-License-Identifier: GPL-2.0-or-later
"""Counting hits of the first level in translated code changes nothing but the speed."""

from __future__ import annotations

from pathlib import Path

import pytest
from demeter_bench.platforms.emulated import CPU
from demeter_testing.bare_metal import assemble, boot

pytestmark = pytest.mark.boots

TIERS = (
    "tier=fast:68.7:68.7:88157:88157:dram",
    "tier=slow:176.6:176.6:21415:21415:pmem",
    "map=0:0:1280K",
    "map=1:1280K:62M",
)
PERIOD = 97


@pytest.fixture(scope="module")
def rom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bare-metal guest, qemu/tests/filter.S."""
    return assemble(tmp_path_factory.mktemp("filter"), "filter")


def run(rom: Path, folder: Path, *options: str) -> tuple[list[int], dict]:
    """What the guest printed, as numbers, and what the model counted."""
    text, report = boot(rom, folder, f"{CPU},tcg-pmu=on", *TIERS, *options)
    return [int(x, 16) for x in text.split()], report


def test_the_model_and_the_counters_say_the_same(rom: Path, tmp_path: Path):
    """All accesses, costs, counters, samples and times are equal to the bit."""
    numbers, report = run(rom, tmp_path / "on")
    assert run(rom, tmp_path / "off", "filter=off") == (numbers, report)
    # with a trace the plugin hears of each access that a counter counts
    trace = f"trace={tmp_path}/accesses"
    assert run(rom, tmp_path / "trace", trace) == (numbers, report)

    sampled, stores, accesses, status, _, size, _, _ = numbers
    records = stores // PERIOD
    # stores that were in none of the counters' way are most of them
    assert stores > 400_000 and sampled >= (1 << 32) - PERIOD and size % records == 0
    assert status & 4 and accesses > stores
    for tier in report["total"]["tiers"].values():
        assert tier["read_misses"] + tier["write_misses"] > 1000
    assert report["total"]["tiers"]["fast"]["writes"] > 300_000


@pytest.mark.parametrize("line", [16, 32, 128])
def test_lines_of_other_sizes(rom: Path, tmp_path: Path, line: int):
    """Lines of 16 bytes cannot be filtered: all go to the plugin."""
    options = (f"line={line}", "cache=64K")
    on = run(rom, tmp_path / "on", *options)
    assert run(rom, tmp_path / "off", "filter=off", *options) == on
