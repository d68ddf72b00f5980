# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: settings to vary, and real VMs for the tests that are marked so."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from demeter_bench.designs import DESIGNS, Design
from demeter_bench.oracle import Oracle
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.settings import MIB, PRESETS, Settings
from demeter_bench.vm import Run, Vm


@pytest.fixture
def settings() -> Settings:
    fast, slow = PRESETS["dram_pmem"]
    return Settings(
        platform="emulated", preset="dram_pmem", fast=fast, slow=slow, vm_memory=512 * MIB,
        fast_ratio=0.5, vcpus=1, footprint=128 * MIB, vms=(1,), designs=("first-touch",),
        workloads=("gups",), repeat=1, jobs=1, timeout_s=300, name="test",
    )  # fmt: skip


class Traced(Emulated):
    """Leaves what the performance counters counted in the file "trace"."""

    def _plugin(self, s: Settings, design: Design, vms: int, extra: list[str]) -> list[str]:
        return super()._plugin(s, design, vms, [*extra, "trace=trace"])


@pytest.fixture
def boot(settings: Settings, tmp_path: Path):
    """boot(command, design="first-touch", setup="", ..., **changes) -> Run.

    Runs the shell command as a job in a freshly booted emulated VM with the
    settings changed as asked; the files are in run.folder. With perf, the guest
    has perf; the files are copied to its /job; platform is the class of one.
    """
    build = Path(os.environ["BUILD"])
    count = 0

    def run_job(
        command: str,
        design: str = "first-touch",
        setup: str = "",
        perf: bool = False,
        files: Sequence[Path] = (),
        platform: type[Emulated] = Emulated,
        **changes,
    ) -> Run:
        nonlocal count
        s = dataclasses.replace(settings, **changes)
        run = Run("gups", design, vms=s.vms[0], repeat=0, vm=0)
        folder = tmp_path / f"vm{count}"
        folder.mkdir()
        count += 1
        job = {"env": "OMP_NUM_THREADS=1\n", "setup": setup, "run": command + "\n"}
        job |= {path.name: path for path in files}
        image = build / "image" / ("initramfs-perf.cpio" if perf else "initramfs.cpio")
        machine = Oracle if DESIGNS[design].profiled else Vm
        vm = machine(s, platform(build), image, run, job)
        asyncio.run(vm.execute(folder, lambda: None))
        return run

    return run_job
