# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast balloons are: make bench-balloon.

Boots a machine whose virtual CPUs run in parallel and without simulated time, with each
kind of balloon in turn, and inflates and deflates it by as much as the VM has memory. Pages
per second are of wall time, as the host sees it; the CPU time is that of the guest's kernel
threads that do the work.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from .errors import UserError
from .platforms.emulated import Emulated
from .provision import PROVISIONS
from .provision.provision import Provision, Taken
from .settings import Settings
from .vm import WAITS, Run, Vm

KINDS = ("virtio-balloon", "tiered-balloon")
DESIGN = "first-touch"
MEMORY = 4 << 30
PAGE = 4096
LOOK_S = 0.001
LIMIT_S = 600.0
TICKS_PER_S = 100  # of /proc/PID/stat, whatever the kernel's own are


def timed(kind: type[Provision], phases: list[tuple[str, float]]) -> type[Provision]:
    """A balloon of that kind that is inflated and deflated while its VM waits for its memory.

    Adds the wall seconds of each of the phases to the list.
    """

    # mypy: a class that is only known at run time
    class Timed(kind):  # type: ignore[valid-type, misc]
        async def resize(self, shares: list[int]) -> None:
            for phase, sizes in (("inflate", shares), ("deflate", [n.most for n in self.nodes])):
                began = time.monotonic()
                await super().resize(sizes)
                await self._until(sizes, began + LIMIT_S)
                phases.append((phase, time.monotonic() - began))

        async def _until(self, sizes: list[int], end: float) -> None:
            while any(t.taken != t.wanted for t in await super().taken(sizes)):
                if time.monotonic() > end:
                    raise UserError(f"{self.name}: not done in {LIMIT_S:.0f} s")
                await asyncio.sleep(LOOK_S)

        async def taken(self, shares: list[int]) -> Sequence[Taken]:
            return []

    return Timed


def worker_s(processes: Path) -> float:
    """CPU seconds of all workers of the kernel in a guest's snapshot of its processes."""
    ticks = 0
    for line in processes.read_text().splitlines():
        name, _, rest = line.partition("(")[2].rpartition(")")
        if name.startswith("kworker/"):
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / TICKS_PER_S


def once(s: Settings, build: Path, kind: str) -> dict[str, float]:
    """Figures of one VM with that kind of balloon."""
    platform = Emulated(build, parallel=True)
    phases: list[tuple[str, float]] = []
    name = f"{kind} (timed)"
    PROVISIONS[name] = timed(PROVISIONS[kind], phases)
    run = Run("gups", DESIGN, vms=1, repeat=0, vm=0, provision=name)
    try:
        with tempfile.TemporaryDirectory() as folder:
            vm = Vm(
                s, platform, build / "image/initramfs.cpio", run,
                {"env": "", WAITS: "", "setup": "", "run": "true\n"},
            )  # fmt: skip
            asyncio.run(vm.execute(Path(folder), lambda: None))
            if run.state != "done":
                raise UserError(f"{kind}: {run.error}")
            spent = worker_s(run.guest / "processes.before") - worker_s(
                run.guest / "processes.boot"
            )
    finally:
        del PROVISIONS[name]
    pages = MEMORY // PAGE
    return {
        **{f"{phase}_pages_per_s": pages / seconds for phase, seconds in phases},
        "pages_per_s": 2 * pages / sum(seconds for _, seconds in phases),
        "guest_cpu_s": spent,
    }


def measure(s: Settings, build: Path, repeat: int) -> dict[str, list[dict[str, float]]]:
    """All figures of each kind, in turns."""
    s = dataclasses.replace(s, vm_memory=MEMORY, fast_ratio=0.5, vcpus=2, timeout_s=1800)
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        PROVISIONS[kind].versions(Emulated(build), s)
    for i in range(repeat):
        for kind in KINDS:
            found[kind].append(once(s, build, kind))
        print(f"  {i + 1} of {repeat} done", flush=True)
    return found


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Medians, their ratio, and everything as JSON."""
    stock, tiered = (found[kind] for kind in KINDS)
    print(f"{'':24}" + "".join(f"{kind:>18}" for kind in KINDS) + f"{'tiered/stock':>16}")
    for figure in stock[0]:
        a, b = (median(run[figure] for run in runs) for runs in (stock, tiered))
        ratio = f"{b / a:16.2f}" if a else f"{'':16}"
        print(f"{figure:24}{a:18.3f}{b:18.3f}{ratio}")
    print(json.dumps(found))
