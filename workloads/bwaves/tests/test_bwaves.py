# SPDX-License-Identifier: GPL-2.0-or-later
"""bwaves: flows with known solutions, any number of threads, and bad input."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("flow", ["sod", "wave", "viscous"])
def test_known_flows(flow: str, program):
    assert program.parameters("--test", flow, build="guest")["test"] == flow


def test_checksum_does_not_depend_on_threads(program):
    args = ["--grid", "24x18x21", "--steps", "4", "--threads"]
    assert len({program.parameters(*args, n)["checksum"] for n in "124"}) == 1


def test_lower_order_is_noticed(program):
    program.result("--test", "wave", "--theta", "1", build="guest", status=1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--grid", "5"], "NX a multiple of 4"),
        (["--grid", "8x8"], "must be NX or NXxNYxNZ"),
        (["--cfl", "nan"], "--cfl: must be from"),
        (["--test", "foo"], "--test: must be sod, wave or viscous"),
        (["--mem", "16M", "--grid", "8"], "exclude one another"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
