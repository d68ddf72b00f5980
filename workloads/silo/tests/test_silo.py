# SPDX-License-Identifier: GPL-2.0-or-later
"""silo: every mix of YCSB, TPC-C with conflicts, and bad input."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("mix", "BCDEF")
def test_mixes(mix: str, program):
    found = program.parameters(
        "--ycsb", mix, "--records", "5000", "--operations", "20000", "--threads", "4"
    )
    assert found["mix"] == mix and found["committed"] == 20000
    assert found["p50_us"] <= found["p90_us"] <= found["p95_us"] <= found["p99_us"]


@pytest.mark.parametrize("build", ["asan", "tsan"])
def test_tpcc(build: str, program):
    """Four threads on one warehouse get in each other's way."""
    args = ["--tpcc", "1", "--operations", "8000", "--threads", "4"]
    found = program.parameters(*args, build=build)
    kinds = ("new_order", "payment", "order_status", "delivery", "stock_level")
    assert all(found[kind] > 0 for kind in kinds)
    assert sum(found[kind] for kind in kinds) == found["committed"] == 8000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "8M", "--ycsb", "D"], "--mem: too small"),
        (["--mem", "16M", "--records", "1000"], "--mem: does not go with --records"),
        (["--ycsb", "G"], "--ycsb: must be A to F"),
        (["--ycsb", "A", "--tpcc", "1"], "options of YCSB"),
        (["--tpcc", "-1"], "--tpcc: not a size"),
        (["--tpcc", "60000"], "cannot allocate"),
        (["--corrupt", "4"], "--corrupt: must be torn, update or missing"),
        (["--tpcc", "1", "--corrupt", "torn"], "--corrupt: must be 1, 2, 3, 4 or history"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
