# SPDX-License-Identifier: GPL-2.0-or-later
"""memlat: what it finds out, and nodes that there are not."""

from __future__ import annotations

import pytest


def test_latency_and_bandwidth(program):
    found = program.parameters("--mem", "4M", "--loads", "100000")
    assert found["latency_ns"] > 0 and found["read_mbps"] > 0 and found["write_mbps"] > 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--node", "64"], "--node: must be from"),
        (["--node", "63"], "--node: cannot bind to node 63"),
        (["--loads", "x"], "--loads: not a size"),
        (["--passes", "0"], "--passes: must be from"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
