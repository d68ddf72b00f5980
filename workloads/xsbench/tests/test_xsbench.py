# SPDX-License-Identifier: GPL-2.0-or-later
"""xsbench: the same results whatever the threads, and spoilt grids are found out."""

from __future__ import annotations

import pytest

SMALL = ("--size", "small", "--gridpoints", "300", "--particles", "5000")


@pytest.mark.parametrize("threads", ["1", "2", "4"])
@pytest.mark.parametrize(("mode", "checksum"), [("history", 531416), ("event", 530339)])
def test_checksum_does_not_depend_on_threads(mode: str, checksum: int, threads: str, program):
    found = program.parameters(*SMALL, "--mode", mode, "--threads", threads)
    assert found["checksum"] == checksum
    assert found["grid_bytes"] == 68 * 300 * (56 + 4 * 68)


def test_other_seed_other_checksum(program):
    first, second = program.parameters(*SMALL), program.parameters(*SMALL, "--seed", "2")
    assert first["checksum"] != second["checksum"]


@pytest.mark.parametrize(("size", "nuclides"), [("small", 68), ("large", 355)])
def test_mem_is_the_footprint(size: str, nuclides: int, program):
    found = program.parameters("--mem", "64M", "--size", size, "--particles", "100")
    each = nuclides * (56 + 4 * nuclides)
    assert found["grid_bytes"] == found["gridpoints"] * each
    assert (61 << 20) - each < found["grid_bytes"] <= 61 << 20


@pytest.mark.parametrize("mode", ["history", "event"])
def test_spoilt_grid_is_found_out(mode: str, program):
    found = program.parameters(*SMALL, "--mode", mode, "--corrupt", "100000", status=1)
    assert found["wrong"] > 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "64M", "--gridpoints", "50"], "exclude each other"),
        (["--gridpoints", "-1"], "--gridpoints: not a size"),
        (["--gridpoints", "2"], "--gridpoints: must be from"),
        (["--gridpoints", "1G"], "cannot allocate"),
        (["--size", "x"], "--size: must be small or large"),
        (["--mode", "x"], "--mode: must be history or event"),
        (["--particles", "0"], "--particles: must be from"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
