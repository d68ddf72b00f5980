# SPDX-License-Identifier: GPL-2.0-or-later
"""xsbench: the same results whatever the threads, and spoilt grids are found out."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif("BUILD" not in os.environ, reason="run by make check")

SMALL = ("--size", "small", "--gridpoints", "300", "--particles", "5000")


def run(*args: str) -> subprocess.CompletedProcess:
    program = Path(os.environ["BUILD"]) / "tests/asan/xsbench"
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=120)


def result(*args: str, status: int = 0) -> dict:
    done = run(*args)
    assert done.returncode == status, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["verified"] == (status == 0)
    return found["parameters"]


@pytest.mark.parametrize("threads", ["1", "2", "4"])
@pytest.mark.parametrize(("mode", "checksum"), [("history", 531416), ("event", 530339)])
def test_checksum_does_not_depend_on_threads(mode: str, checksum: int, threads: str) -> None:
    found = result(*SMALL, "--mode", mode, "--threads", threads)
    assert found["checksum"] == checksum
    assert found["grid_bytes"] == 68 * 300 * (56 + 4 * 68)


def test_other_seed_other_checksum() -> None:
    assert result(*SMALL, "--seed", "2")["checksum"] != result(*SMALL)["checksum"]


@pytest.mark.parametrize(("size", "nuclides"), [("small", 68), ("large", 355)])
def test_mem_is_the_footprint(size: str, nuclides: int) -> None:
    found = result("--mem", "64M", "--size", size, "--particles", "100")
    each = nuclides * (56 + 4 * nuclides)
    assert found["grid_bytes"] == found["gridpoints"] * each
    assert (61 << 20) - each < found["grid_bytes"] <= 61 << 20


@pytest.mark.parametrize("mode", ["history", "event"])
def test_spoilt_grid_is_found_out(mode: str) -> None:
    found = result(*SMALL, "--mode", mode, "--corrupt", "100000", status=1)
    assert found["wrong"] > 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "1K"], "--mem: must be from"),
        (["--mem", "-5"], "--mem: not a size"),
        (["--mem", "60000G"], "cannot allocate"),
        (["--mem", "64M", "--gridpoints", "50"], "exclude each other"),
        (["--gridpoints", "2"], "--gridpoints: must be from"),
        (["--gridpoints", "1G"], "cannot allocate"),
        (["--size", "x"], "--size: must be small or large"),
        (["--mode", "x"], "--mode: must be history or event"),
        (["--particles", "0"], "--particles: must be from"),
        (["--threads", "0"], "--threads: must be from"),
        (["--nonsense"], "unrecognized option"),
        (["stray"], "unexpected argument: stray"),
    ],
)
def test_bad_input(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[0]
