# SPDX-License-Identifier: GPL-2.0-or-later
"""The oracle without machines: from a profile to a list, and what can go wrong."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path

import pytest
from demeter_bench.oracle import KEEP, Oracle, costliest
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.settings import Settings
from demeter_bench.vm import Run, Vm

RECORDS = [(0x7000_0000_0000, 900), (0x5000, 30), (0x9000, 2)]
JOB = {"env": "OMP_NUM_THREADS=1\n", "setup": "", "run": "true\n"}


def profile(records: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("=QQ", *record) for record in records)


def test_costliest_pages(tmp_path: Path):
    path = tmp_path / "profile"
    path.write_bytes(profile(RECORDS))
    assert costliest(path, 2) == struct.pack("<2Q", 0x7000_0000_0000, 0x5000)
    assert costliest(path, 100) == struct.pack("<3Q", 0x7000_0000_0000, 0x5000, 0x9000)
    path.write_bytes(b"")
    assert costliest(path, 100) == b""


class Machines:
    """Takes the place of Vm.execute(): remembers what was run, leaves a profile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: bytes | None, error: str = ""):
        self.ran: list[Vm] = []
        self.states: list[str] = []

        async def execute(vm: Vm, folder: Path, changed):
            self.ran.append(vm)
            vm.run.folder = folder
            vm.run.simulated_s = 7.0
            changed()
            if isinstance(vm.platform, Emulated) and vm.platform.outputs and left is not None:
                (folder / "profile").write_bytes(left)
            vm.run.state, vm.run.error = ("failed", error) if error else ("done", "")

        monkeypatch.setattr(Vm, "execute", execute)

    def run(self, settings: Settings, folder: Path) -> Run:
        run = Run("gups", "oracle", vms=1, repeat=3, vm=0)
        vm = Oracle(settings, Emulated(Path("/b")), Path("/image"), run, JOB)
        asyncio.run(vm.execute(folder, lambda: self.states.append(run.state)))
        return run


def test_the_second_run_has_the_list(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    machines = Machines(monkeypatch, profile(RECORDS))
    run = machines.run(settings, tmp_path)
    assert run.state == "done" and run.folder == tmp_path
    first, second = machines.ran
    assert first.run.design == "all-slow" and second.run is run
    assert first.run.seed == run.seed
    assert first.job["placement"] == b"" and len(second.job["placement"]) == 8 * len(RECORDS)
    # all else is equal, or addresses would not be
    assert {**first.job, "placement": b""} == {**second.job, "placement": b""}
    assert "PLACEMENT=/job/placement\n" in second.job["env"]
    assert machines.states[:2] == ["profiling", "profiling"]
    assert json.loads((tmp_path / "profile/run.json").read_text())["design"] == "all-slow"
    assert (tmp_path / "profile/profile").exists()


def test_a_large_profile_is_not_kept(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    machines = Machines(monkeypatch, profile(RECORDS) + bytes(KEEP))
    assert machines.run(settings, tmp_path).state == "done"
    assert [p.name for p in (tmp_path / "profile").iterdir()] == ["run.json"]
    # no more than the fast tier has
    assert len(machines.ran[1].job["placement"]) == settings.fast_memory // 4096 * 8


@pytest.mark.parametrize(
    ("left", "failure", "error"),
    [
        (None, "the guest died", "profiling: the guest died"),
        (b"", "", "profiling: no access in the measured phase"),
        (None, "", "profiling: [Errno 2] No such file"),
    ],
)
def test_without_a_profile_the_run_fails(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: bytes | None,
    failure: str,
    error: str,
):
    machines = Machines(monkeypatch, left, failure)
    run = machines.run(settings, tmp_path)
    assert run.state == "failed" and run.error.startswith(error)
    assert len(machines.ran) == 1 and machines.states[-1] == "failed"


def test_only_the_first_run_is_profiled(settings: Settings):
    from demeter_bench.designs import DESIGNS

    design = DESIGNS["oracle"]
    plain, profiled = (
        p.job_command(settings, design, 1, 7)
        for p in (Emulated(Path("/b")), Emulated(Path("/b")).profiling("profile"))
    )
    assert "norandmaps" in " ".join(plain) and "profile=" not in " ".join(plain)
    assert profiled == [*plain[:-1], plain[-1] + ",profile=profile"]
