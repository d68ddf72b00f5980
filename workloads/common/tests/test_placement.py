# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done for the oracle around the measured phase: placement and the layout."""

from __future__ import annotations

from pathlib import Path

SMALL = ("--mem", "1M", "--updates", "1000")


def test_placement_by_a_list(tmp_path: Path, program_of):
    """Pages that do not exist are no error; without a list there is nothing to do."""
    gups = program_of("gups")
    paths = {name: str(tmp_path / name) for name in ("list", "empty", "odd", "missing")}
    Path(paths["list"]).write_bytes(b"".join(p.to_bytes(8, "little") for p in (4096, 1 << 46)))
    Path(paths["empty"]).write_bytes(b"")
    Path(paths["odd"]).write_bytes(b"123")
    nodes = {"PLACEMENT_NODES": "0 1"}
    done = gups.run(*SMALL, PLACEMENT=paths["empty"], **nodes)
    assert done.returncode == 0 and done.stderr == ""
    gups.refused("no list of addresses", *SMALL, PLACEMENT=paths["odd"], **nodes)
    gups.refused("No such file", *SMALL, PLACEMENT=paths["missing"], **nodes)
    gups.refused("PLACEMENT_NODES", *SMALL, PLACEMENT=paths["list"], PLACEMENT_NODES="0")
    # before Linux 6.7, or without NUMA, nothing can be placed
    done = gups.run(*SMALL, PLACEMENT=paths["list"], **nodes)
    if done.returncode:
        assert done.returncode == 2 and done.stderr.startswith("gups: placement: ")
    else:
        assert done.stderr.startswith("placement: 0 pages") and "room for 2" in done.stderr


def test_layout_is_left_in_job_out(tmp_path: Path, program_of):
    program_of("gups").result(*SMALL, JOB_OUT=str(tmp_path))
    # a host kernel without NUMA has no such file to copy
    assert (tmp_path / "numa_maps").exists() == Path("/proc/self/numa_maps").exists()
