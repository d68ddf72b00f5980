# SPDX-License-Identifier: GPL-2.0-or-later
"""The oracle: pages are placed once, by what the emulator saw in a run before.

A first machine, with slow memory only, runs the job to its end; the emulator
leaves what the accesses to each virtual page cost in the measured phase. The
costliest pages, as many as the fast tier has, go as a list into the real run,
where the workload places them right before its measured phase
(workloads/common/place.c). The guests have no address space randomization, and
both jobs the same environment, so that addresses are the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from .design import Memory
from .designs import DESIGNS
from .settings import MIB
from .stream import printable
from .vm import Job, Run, Vm, save_run

PAGE = 4096
# struct tmem_profile_record: address, stall; most costly first
RECORD = struct.Struct("=QQ")
PROFILE = "profile"
KEEP = 4 * MIB
LIST = "placement"
# the fast tier's node comes first: see provision.shares()
ENVIRONMENT = f"PLACEMENT=/job/{LIST}\nPLACEMENT_NODES='0 1'\n"


# the design of the first machine
SLOW = next(name for name, d in DESIGNS.items() if d.memory is Memory.ALL_SLOW)


class ProfileError(Exception):
    """There is no profile, and so no run."""


def costliest(profile: Path, pages: int) -> bytes:
    """The addresses of at most so many pages, as a workload reads them."""
    with profile.open("rb") as f:
        raw = f.read(RECORD.size * pages)
    return b"".join(page.to_bytes(8, "little") for page, _ in RECORD.iter_unpack(raw))


class Oracle(Vm):
    """A machine that first runs the same job in another, to learn from it."""

    async def execute(self, folder: Path, changed: Callable[[], None]) -> None:
        run = self.run
        run.folder, run.state = folder, "profiling"
        changed()
        job = {**self.job, "env": f"{self.job['env']!s}{ENVIRONMENT}"}
        try:
            wanted = await self._profile(job, folder / "profile", changed)
        except (OSError, ProfileError) as problem:
            run.state, run.error = "failed", printable(f"profiling: {problem}")
            changed()
            return
        self.job = {**job, LIST: wanted}
        await super().execute(folder, changed)

    async def _profile(self, job: Job, folder: Path, changed: Callable[[], None]) -> bytes:
        """Run the job in slow memory, nothing placed; the pages that it should have in fast."""
        run = self.run
        first = Run(run.workload, SLOW, run.vms, run.repeat, run.vm, run.provision)

        def progressed() -> None:
            run.simulated_s = first.simulated_s
            changed()

        folder.mkdir()
        vm = Vm(self.s, self.platform.profiling(PROFILE), self.image, first, {**job, LIST: b""})
        await vm.execute(folder, progressed)
        save_run(first)
        run.simulated_s, run.wall_s = 0.0, first.wall_s
        if first.state != "done":
            raise ProfileError(first.error)
        profile = folder / PROFILE
        wanted = costliest(profile, self.s.fast_memory // PAGE)
        if not wanted:
            raise ProfileError("no access in the measured phase")
        if profile.stat().st_size > KEEP:
            profile.unlink()
        return wanted
