# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix of runs, and running it with bounded concurrency."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from .archive import Archive
from .designs import DESIGNS
from .oracle import Oracle
from .platforms.platform import Platform
from .progress import Progress
from .settings import Settings
from .variant import variants
from .vm import Run, Vm, job_files, load_run, save_run


def make_runs(s: Settings) -> list[Run]:
    """Every VM of every combination, in the order in which they are started.

    The VMs of one combination follow one another: on a platform where they
    share the machine exactly they run at once.
    """
    return [
        Run(workload, v.design, vms, repeat, vm, v.provision, parameters=v.parameters)
        for repeat in range(s.repeat)
        for vms in s.vms
        for workload in s.workloads
        for v in variants(s)
        for vm in range(vms)
    ]


def names(run: Run) -> list[str]:
    """What the folder of a run is called by."""
    return [
        run.workload, run.variant.file_name, f"{run.vms}vms", f"r{run.repeat}", f"vm{run.vm}",
    ]  # fmt: skip


def restore(platform: Platform, archive: Archive, runs: list[Run]) -> int:
    """Take what an earlier process measured in the archive, and return how many runs that is.

    A run that failed stays failed. Of one that did not end nothing is left, nor of those that
    share a machine with it: they are measured together.
    """
    for run in runs:
        load_run(run, archive.path(*names(run)))
    if platform.vms_together:
        for batch in batches(runs):
            if not all(run.finished for run in batch):
                for run in batch:
                    run.state, run.folder = "waiting", None
    for run in runs:
        if not run.finished:
            shutil.rmtree(archive.path(*names(run)), ignore_errors=True)
    return sum(run.finished for run in runs)


def batches(runs: list[Run]) -> Iterator[list[Run]]:
    """The VMs of each combination."""
    while runs:
        yield runs[: runs[0].vms]
        runs = runs[runs[0].vms :]


async def execute(
    s: Settings, platform: Platform, image: Path, archive: Archive, runs: list[Run], show: Progress
) -> None:
    """Run everything that is not finished, at most s.jobs machines at a time."""
    slots = asyncio.Semaphore(s.jobs)

    async def one(run: Run) -> None:
        async with slots:
            folder = archive.vm_folder(*names(run))
            machine = Oracle if DESIGNS[run.design].profiled else Vm
            await machine(s, platform, image, run, job_files(s, run)).execute(folder, show.update)
            save_run(run)

    if platform.vms_together:
        for batch in batches(runs):
            await gather([one(run) for run in batch if not run.finished])
    else:
        await gather([one(run) for run in runs if not run.finished])


async def gather(coroutines: list) -> None:
    """Like a task group: the first failure, or a cancellation, ends all."""
    tasks = [asyncio.ensure_future(c) for c in coroutines]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
