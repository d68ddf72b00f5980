# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: settings to vary, and real VMs for the tests that are marked so."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from demeter_bench import designs
from demeter_bench.designs import DESIGNS
from demeter_bench.oracle import Oracle
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.settings import MIB, PRESETS, Settings
from demeter_bench.vm import Job, Run, Vm


@pytest.fixture
def settings() -> Settings:
    fast, slow = PRESETS["dram_pmem"]
    return Settings(
        platform="emulated", preset="dram_pmem", fast=fast, slow=slow, vm_memory=512 * MIB,
        fast_ratio=0.5, vcpus=1, footprint=128 * MIB, vms=(1,), designs=("first-touch",),
        workloads=("gups",), repeat=1, jobs=1, timeout_s=300, name="test",
        options=Emulated.Options(),
    )  # fmt: skip


@pytest.fixture
def boot(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """boot(command, design="first-touch", setup="", ..., **changes) -> Run.

    Runs the shell command as a job in a freshly booted emulated VM with the
    settings changed as asked; the files are in run.folder. With perf, the guest
    has perf; the files are copied to its /job; guest is another kernel than the
    design's; machine are arguments of Emulated; job replaces files of the job.
    """
    build = Path(os.environ["BUILD"])
    count = 0

    def run_job(
        command: str | None,
        design: str = "first-touch",
        setup: str = "",
        perf: bool = False,
        files: Sequence[Path] = (),
        guest: str | None = None,
        machine: Mapping[str, Any] = MappingProxyType({}),
        job: Job | None = None,
        **changes,
    ) -> Run:
        nonlocal count
        s = dataclasses.replace(settings, **changes)
        if guest:
            chosen = dataclasses.replace(DESIGNS[design], guest=guest)
            monkeypatch.setitem(designs.DESIGNS, design, chosen)
        run = Run("gups", design, vms=s.vms[0], repeat=0, vm=0)
        folder = tmp_path / f"vm{count}"
        folder.mkdir()
        count += 1
        own: Job = {"env": "OMP_NUM_THREADS=1\n", "run": f"{command}\n"}
        files_of_job = {**own, "setup": setup, **(job or {}), **{p.name: p for p in files}}
        image = build / "image" / ("initramfs-perf.cpio" if perf else "initramfs.cpio")
        driver = Oracle if DESIGNS[design].profiled else Vm
        vm = driver(s, Emulated(build, **machine), image, run, files_of_job)
        asyncio.run(vm.execute(folder, lambda: None))
        return run

    return run_job
