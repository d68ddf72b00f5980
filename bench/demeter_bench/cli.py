# SPDX-License-Identifier: GPL-2.0-or-later
"""Command line. The Makefile calls it; `make help` shows the same in make's terms."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from .designs import DESIGNS, Design
from .errors import UserError
from .settings import Settings, from_json, from_kconfig, read_kconfig
from .workloads import WORKLOADS, symbol

BENCH = Path(__file__).resolve().parent.parent


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="demeter_bench", description="Compare designs of tiered memory for VMs."
    )
    p.add_argument("--build", type=Path, required=True, help="folder with all that was built")
    commands = p.add_subparsers(dest="command", required=True)

    b = commands.add_parser("bench", help="run a comparison")
    b.add_argument("--dry-run", action="store_true", help="only check the arguments")
    b.add_argument("--from", dest="source", type=Path, help="config.json of a run to repeat")
    b.add_argument("--vms", default="1", help='numbers of VMs at once, e.g. "1 9"')
    b.add_argument("--designs", default="all", help=f"all or some of: {' '.join(DESIGNS)}")
    b.add_argument("--workloads", default="all", help=f"all or some of: {' '.join(WORKLOADS)}")
    b.add_argument("--preset", help="latencies and bandwidths: dram_pmem, dram_cxl, custom")
    b.add_argument("--repeat", help="repetitions of everything (default: 1)")
    b.add_argument("--jobs", help="machines emulated at the same time (default: one per core)")
    b.add_argument("--name", help="name of the archive folder")
    b.add_argument("--fast-ratio", help="share of the fast tier, above 0 and at most 1")
    b.add_argument("--vm-memory", help="memory of a VM in MiB, or with a suffix, e.g. 1G")
    b.add_argument("--footprint", help="memory of a workload, likewise (default: 85 %% of the VM)")

    r = commands.add_parser("run", help="boot one VM with a shell on this terminal")
    r.add_argument("--dry-run", action="store_true", help="only check the arguments")
    r.add_argument("--guest", required=True, help="guest kernel, e.g. tpp")

    e = commands.add_parser("emulator", help="measure the speed of the emulator itself")
    e.add_argument("--repeat", default="3", help="repetitions")
    return p


def bench(args: argparse.Namespace) -> int:
    """Run a comparison; 0 when every run verified."""
    from .platforms import choose

    if args.dry_run:
        prepare(args)
        return 0
    from .archive import Archive
    from .chart import draw
    from .matrix import execute, make_runs
    from .progress import Progress
    from .results import make_row, write_summary
    from .table import print_table

    s = prepare(args)
    platform = choose(platform_choice(s), args.build)
    image = args.build / "image/initramfs.cpio"
    if not image.exists():
        raise UserError(f"{image} is missing: run 'make' first")
    archive = Archive(BENCH, s, platform.versions())
    runs = make_runs(s)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    print(f"{len(runs)} VMs, {s.jobs} at a time, on the {s.platform} platform; {archive.folder}")
    try:
        with Progress(runs, console) as show:
            asyncio.run(execute(s, platform, image, archive, runs, show))
        rows = [make_row(s, run) for run in runs]
        write_summary(archive.folder, rows)
        draw(s, rows, runs, archive.folder / "chart.svg")
    except KeyboardInterrupt:
        archive.status("incomplete", "interrupted")
        print(f"interrupted; {archive.folder} is marked incomplete", file=sys.stderr)
        return 130
    except BaseException as error:
        # a full disk may be why: then "running" has to do
        with contextlib.suppress(OSError):
            archive.status("incomplete", str(error) or type(error).__name__)
        raise
    archive.status("complete")
    print_table(s, rows, console)
    for row in rows:
        if not row["verified"]:
            print(f"failed: {row['workload']} {row['design']} vm{row['vm']}: {row['error']}")
    print(f"results: {archive.folder}: summary.csv, summary.json, chart.svg")
    return 0 if all(row["verified"] for row in rows) else 1


def platform_choice(s: Settings) -> dict[str, str]:
    """The platform that settings were made for, as choose() reads it."""
    return {f"PLATFORM_{s.platform.upper()}": "y"}


def prepare(args: argparse.Namespace) -> Settings:
    """All settings, checked; nothing is written."""
    from .platforms import choose

    kconfig = read_kconfig(args.build / ".config")
    if args.source:
        others = ("preset", "jobs", "name", "fast_ratio", "vm_memory", "footprint", "repeat")
        given = [o.upper() for o in others if getattr(args, o)]
        if given:
            raise UserError(f"FROM repeats exactly what was run: leave out {' '.join(given)}")
        return from_json(args.source, kconfig)
    # the arguments first: they are wrong more often than the platform
    from_kconfig(kconfig, args, "emulated", cores())
    return from_kconfig(kconfig, args, choose(kconfig, args.build).name, cores())


def cores() -> int:
    return len(os.sched_getaffinity(0))


def run(args: argparse.Namespace) -> int:
    """An interactive VM, in place of this process."""
    from .platforms import choose

    guests = sorted({d.guest for d in DESIGNS.values()})
    if args.guest not in guests:
        raise UserError(f"GUEST={args.guest}: unknown; there are: {' '.join(guests)}")
    kconfig = read_kconfig(args.build / ".config")
    if f"GUEST_{args.guest.upper()}" not in kconfig:
        raise UserError(f"GUEST={args.guest}: not selected: see 'make menuconfig'")
    platform = choose(kconfig, args.build)
    if args.dry_run:
        return 0
    s = default_settings(kconfig, args.build, platform.name)
    design = Design(args.guest, args.guest, "")
    image = "initramfs-perf.cpio" if "IMAGE_PERF" in kconfig else "initramfs.cpio"
    command = platform.shell_command(s, design, args.build / "image" / image)
    print(f"{args.guest} guest on the {platform.name} platform; Ctrl-a x ends it", flush=True)
    os.execv(command[0], command)


def emulator(args: argparse.Namespace) -> int:
    """Speed of the emulator, with the default machine."""
    from .emulator import measure, report
    from .settings import integer

    kconfig = read_kconfig(args.build / ".config")
    s = default_settings(kconfig, args.build, "emulated")
    report(measure(s, args.build, integer("REPEAT", args.repeat, 1, 100)))
    return 0


def default_settings(kconfig: dict[str, str], build: Path, platform: str) -> Settings:
    """The configured machine, for any one design and workload."""
    defaults = parser().parse_args(["--build", str(build), "bench"])
    selected = [d for d in DESIGNS if f"GUEST_{DESIGNS[d].guest.upper()}" in kconfig]
    defaults.designs = selected[0] if selected else next(iter(DESIGNS))
    workloads = [w for w in WORKLOADS if symbol(w) in kconfig]
    defaults.workloads = workloads[0] if workloads else next(iter(WORKLOADS))
    return from_kconfig(kconfig, defaults, platform, cores())


def main() -> int:
    args = parser().parse_args()
    # a make that is told to end passes it on: treat it like Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return {"bench": bench, "run": run, "emulator": emulator}[args.command](args)
    except (UserError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
