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
from .platforms.nested import Nested
from .platforms.platform import Platform
from .progress import Progress
from .server import Server, VmInServer
from .settings import Settings
from .variant import variants
from .vm import Run, Vm, job_files, load_run, save_run

SERVER = "server"  # the folder of what the VMs of a combination share


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


def names(run: Run, of: str = "") -> list[str]:
    """What the folder of a run is called by, or that of its server."""
    of = of or f"vm{run.vm}"
    return [run.workload, run.variant.file_name, f"{run.vms}vms", f"r{run.repeat}", of]


def restore(platform: Platform, archive: Archive, runs: list[Run]) -> int:
    """Take what an earlier process measured in the archive, and return how many runs that is.

    A run that failed stays failed. Of one that did not end nothing is left, nor of those that
    share a machine with it: they are measured together.
    """
    for run in runs:
        load_run(run, archive.path(*names(run)))
    if platform.vms_together or isinstance(platform, Nested):
        for batch in batches(runs):
            server = archive.path(*names(batch[0], SERVER))
            for run in batch:
                run.server = server if server.is_dir() else None
            if not all(run.finished for run in batch):
                for run in batch:
                    run.state, run.folder, run.server = "waiting", None, None
                shutil.rmtree(server, ignore_errors=True)
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

    async def live(vm: Vm) -> None:
        await vm.execute(archive.vm_folder(*names(vm.run)), show.update)
        save_run(vm.run)

    async def one(run: Run) -> None:
        async with slots:
            machine = Oracle if DESIGNS[run.design].profiled else Vm
            await live(machine(s, platform, image, run, job_files(s, run)))

    async def together(nested: Nested, batch: list[Run]) -> None:
        async with slots:
            folder = archive.vm_folder(*names(batch[0], SERVER))
            server = Server(s, nested, folder, batch)
            await gather(
                [live(VmInServer(s, server, image, run, job_files(s, run))) for run in batch]
            )

    waiting = [run for run in runs if not run.finished]
    if isinstance(platform, Nested):
        await gather([together(platform, batch) for batch in batches(waiting)])
    elif platform.vms_together:
        for batch in batches(waiting):
            await gather([one(run) for run in batch])
    else:
        await gather([one(run) for run in waiting])


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
