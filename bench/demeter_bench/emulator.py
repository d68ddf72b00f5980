# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the emulator itself is: make bench-emulator.

Boots small machines and times them from outside, in turns, so that a change of
the machine's speed hits all: as the benchmark has them, without a PMU, while
the PMU samples, and without the tmem plugin (plain TCG with instruction
counting). A run with few updates is subtracted from one with many: what is left
is the emulation of GUPS, without boot and set-up. A shell that starts programs switches
between address spaces all the time, which GUPS does not.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from statistics import median

from .errors import UserError
from .platforms.emulated import Emulated
from .results import job_report
from .settings import Settings
from .vm import Run, Vm

UPDATES = 30_000_000
FEW = 1000
JOB = "gups --mem 256M --updates {} --reverse"
PROGRAMS = 300
SHELL = f"for i in $(seq {PROGRAMS}); do cat /proc/self/stat >/dev/null; done"

SAMPLER = "tests/sampler"  # in the build folder
DESIGN = "first-touch"


def timed(
    s: Settings, platform: Emulated, image: Path, command: str, sampling: bool = False
) -> tuple[float, float]:
    """Wall seconds of a machine's life, simulated seconds of the measured phase."""
    run = Run("gups", DESIGN, vms=1, repeat=0, vm=0)
    with tempfile.TemporaryDirectory() as folder:
        job: dict[str, str | Path] = {
            "env": "OMP_NUM_THREADS=1\n",
            "setup": "",
            "run": ("/job/sampler --period 4093 " if sampling else "") + command + "\n",
            "sampler": platform.build / SAMPLER,
        }
        vm = Vm(s, platform, image, run, job)
        asyncio.run(vm.execute(Path(folder), lambda: None))
        if run.state != "done":
            raise UserError(f"{command}: {run.error}")
        return run.wall_s, job_report(run.guest).get("seconds", 0.0)


def measure(s: Settings, build: Path, repeat: int) -> dict:
    """All figures, each with its values over the repetitions."""
    image = build / "image/initramfs.cpio"
    kinds = {
        "tmem": Emulated(build),
        "no PMU": Emulated(build, pmu=False),
        "sampling": Emulated(build),
        "plain": Emulated(build, model=False),
    }
    boot: list[float] = []
    shell: list[float] = []
    wall: dict[str, list[float]] = {kind: [] for kind in kinds}
    simulated: list[float] = []
    for i in range(repeat):
        boot.append(timed(s, kinds["tmem"], image, "true")[0])
        shell.append(timed(s, kinds["tmem"], image, SHELL)[0] - boot[-1])
        # each is first in turn
        for kind, platform in [*kinds.items()][i % 4 :] + [*kinds.items()][: i % 4]:
            sampling = kind == "sampling"
            few, _ = timed(s, platform, image, JOB.format(FEW), sampling)
            many, seconds = timed(s, platform, image, JOB.format(UPDATES), sampling)
            wall[kind].append(many - few)
            if kind == "tmem":
                simulated.append(seconds)
        print(f"  {i + 1} of {repeat} done", flush=True)

    def ratio(a: str, b: str) -> list[float]:
        return [x / y for x, y in zip(wall[a], wall[b], strict=True)]

    return {
        "boot_run_poweroff_wall_s": boot,
        "programs_started_per_wall_s": [PROGRAMS / w for w in shell],
        "updates_per_wall_s": [UPDATES / w for w in wall["tmem"]],
        "wall_s_per_simulated_s": [w / s for w, s in zip(wall["tmem"], simulated, strict=True)],
        "plugin_overhead": ratio("tmem", "plain"),
        "idle_pmu_overhead": ratio("tmem", "no PMU"),
        "sampling_overhead": ratio("sampling", "tmem"),
    }


def report(figures: dict) -> None:
    """Medians with their range, and everything as JSON."""
    for name, values in figures.items():
        low, high = min(values), max(values)
        print(f"{name:28} median {median(values):12.3f}   ({low:.3f} to {high:.3f})")
    print(json.dumps(figures))
