# SPDX-License-Identifier: GPL-2.0-or-later
"""gups: its modes, its progress, and that it does all updates."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("threads", ["1", "2", "3"])
@pytest.mark.parametrize(
    "mode",
    [
        ["--mode", "hotset"],
        ["--mode", "hotset", "--reverse", "--hot", "1M", "--hot-weight", "1"],
        ["--mode", "hotset", "--phase", "0.5"],
        ["--mode", "zipf", "--theta", "0.9"],
        ["--mode", "zipf", "--theta", "0"],
        ["--mode", "random"],
        ["--mode", "writes", "--reverse", "--phase", "0.3"],
    ],
)
def test_modes(mode: list[str], threads: str, program):
    found = program.result("--mem", "8M", "--updates", "200000", "--threads", threads, *mode)
    assert found["rate"] > 0 and found["rate_unit"] == "updates/s"
    assert found["parameters"]["mode"] == mode[1]
    assert found["parameters"]["threads"] == int(threads)


def test_writes_are_verified(program):
    """Words of the hot set, which must have been overwritten, and of the rest."""
    args = ["--mem", "8M", "--updates", "200000", "--mode", "writes", "--corrupt", "table"]
    for more in ([], ["--hot", "8M", "--hot-weight", "1", "--updates", "20000000"]):
        program.result(*args, *more, status=1)


def test_reports_its_progress(program):
    args = ["--mem", "8M", "--updates", "60000000", "--report-ms", "20", "--threads", "1"]
    lines = [json.loads(line) for line in program.run(*args).stdout.splitlines()]
    assert len(lines) > 1 and all(line["t_s"] > 0 and line["rate"] >= 0 for line in lines[:-1])
    assert all(line["longest_s"] > 0 for line in lines[:-1] if line["rate"])


def test_fewer_threads_than_asked_for_are_refused(program):
    """Fewer threads would do fewer updates and look faster."""
    program.refused("instead of 4", "--mem", "8M", "--threads", "4", OMP_THREAD_LIMIT="1")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--updates", "0"], "--updates: must be from"),
        (["--mode", "x"], "--mode: must be hotset, zipf, random or writes"),
        (["--hot", "1G", "--mem", "1M"], "--hot: must be at most"),
        (["--hot-weight", "1.5"], "--hot-weight: must be from 0 to 1"),
        (["--theta", "1"], "--theta: must be from"),
        (["--mem", "64K", "--threads", "1024"], "too small for 1024 threads"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
