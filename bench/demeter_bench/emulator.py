# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the emulator itself is: make bench-emulator.

Boots small machines and times them from outside, in turns, so that a change of
the machine's speed hits all: as the benchmark has them, without a PMU, while
the PMU samples, and without the tmem plugin (plain TCG with instruction
counting). A run with few updates is subtracted from one with many: what is left
is the emulation of GUPS, without boot and set-up. A shell that starts programs switches
between address spaces all the time, which GUPS does not. Of programs that compute more
than GUPS does, the instructions are told that a second of the host's processor executes,
with and without the plugin.
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
from dataclasses import dataclass
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

COMPUTE = {
    "gups": "gups --mem 128M --updates 10M --reverse",
    "silo": "silo --ycsb A --mem 128M --operations 100000 --threads 1 --seed 1",
    "bwaves": "bwaves --mem 64M --steps 1 --threads 1 --seed 1",
    "serve": "/job/serve 30000",
    "shell": SHELL,
}

TOOLS = ("sampler", "serve")  # of the build folder's tests/
DESIGN = "first-touch"


@dataclass
class Life:
    """A machine's life, from its start to its end."""

    wall_s: float
    cpu_s: float  # of the host's processor, in user mode
    seconds: float  # simulated, of the measured phase
    instructions: float  # that the guest executed; 0 without the plugin


def instructions(s: Settings, folder: Path) -> float:
    """What is left of simulated time without stalls, in instructions."""
    path = folder / "tmem.json"
    if not path.exists():
        return 0.0
    report = json.loads(path.read_text())
    stalls = sum(t["stall_s"] for t in report["total"]["tiers"].values())
    return (report["simulated_s"] - stalls) * 1e12 / s.options.insn_ps


def live(
    s: Settings, platform: Emulated, image: Path, command: str, sampling: bool = False
) -> Life:
    """Run the command in a machine."""
    run = Run("gups", DESIGN, vms=1, repeat=0, vm=0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with tempfile.TemporaryDirectory() as folder:
        job: dict[str, str | Path] = {
            "env": "OMP_NUM_THREADS=1\n",
            "setup": "",
            "run": ("/job/sampler --period 4093 " if sampling else "") + command + "\n",
            **{tool: platform.build / "tests" / tool for tool in TOOLS},
        }
        vm = Vm(s, platform, image, run, job)
        asyncio.run(vm.execute(Path(folder), lambda: None))
        if run.state != "done":
            raise UserError(f"{command}: {run.error}")
        return Life(
            run.wall_s,
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before,
            job_report(run.guest).get("seconds", 0.0),
            instructions(s, Path(folder)),
        )


def speeds(s: Settings, image: Path, kinds: dict[str, Emulated]) -> dict[str, float]:
    """Million instructions per second of the host's processor, by program and machine."""
    found = {}
    empty = {kind: live(s, platform, image, "true") for kind, platform in kinds.items()}
    for name, command in COMPUTE.items():
        job = {kind: live(s, platform, image, command) for kind, platform in kinds.items()}
        # the machine without the plugin executes as many
        million = (job["tmem"].instructions - empty["tmem"].instructions) / 1e6
        for kind in kinds:
            cpu_s = job[kind].cpu_s - empty[kind].cpu_s
            found[f"{name}_minsn_per_cpu_s_{kind}"] = million / cpu_s
    return found


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
    speed: dict[str, list[float]] = {}
    for i in range(repeat):
        boot.append(live(s, kinds["tmem"], image, "true").wall_s)
        shell.append(live(s, kinds["tmem"], image, SHELL).wall_s - boot[-1])
        # each is first in turn
        for kind, platform in [*kinds.items()][i % 4 :] + [*kinds.items()][: i % 4]:
            sampling = kind == "sampling"
            few = live(s, platform, image, JOB.format(FEW), sampling)
            many = live(s, platform, image, JOB.format(UPDATES), sampling)
            wall[kind].append(many.wall_s - few.wall_s)
            if kind == "tmem":
                simulated.append(many.seconds)
        for name, value in speeds(s, image, {k: kinds[k] for k in ("tmem", "plain")}).items():
            speed.setdefault(name, []).append(value)
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
        **speed,
    }


def report(figures: dict) -> None:
    """Medians with their range, and everything as JSON."""
    for name, values in figures.items():
        low, high = min(values), max(values)
        print(f"{name:32} median {median(values):12.3f}   ({low:.3f} to {high:.3f})")
    print(json.dumps(figures))
