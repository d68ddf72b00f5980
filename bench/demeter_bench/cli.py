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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import discover
from .configure import from_json, from_kconfig, integer, read_kconfig, require_known
from .design import Design
from .designs import DESIGNS
from .errors import UserError
from .options import BENCH as OPTIONS
from .options import Option, add_options, given
from .platforms import PLATFORMS, require_usable, select
from .platforms.platform import Platform
from .provision import PROVISIONS
from .recipe import apply
from .recipes import RECIPES
from .settings import Settings
from .workload import title
from .workloads import WORKLOADS, application_image

if TYPE_CHECKING:
    from .vm import Run

BENCH = Path(__file__).resolve().parent.parent
IMAGE = "image/initramfs.cpio"
IMAGES = ("initramfs", "disk")  # of make run
SHOWN_LINES = 10  # of what a user's program printed


def absolute(text: str) -> Path:
    """The path, whatever the current folder will be."""
    return Path(text).resolve()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="demeter_bench", description="Compare designs of tiered memory for VMs."
    )
    # absolute, since hypervisors run in folders of their own
    p.add_argument("--build", type=absolute, required=True, help="folder with all that was built")
    commands = p.add_subparsers(dest="action", required=True)

    b = commands.add_parser("bench", help="run a comparison")
    only = "only check the arguments, and print what else has to be built"
    b.add_argument("--dry-run", action="store_true", help=only)
    add_options(b)

    r = commands.add_parser("run", help="boot one VM with a shell on this terminal")
    r.add_argument("--dry-run", action="store_true", help="only check the arguments")
    r.add_argument("--design", "--guest", default="demeter", help=f"one of: {' '.join(DESIGNS)}")
    r.add_argument("--image", default="initramfs", help=f"one of: {' '.join(IMAGES)}")
    r.add_argument("--keep", type=absolute, help="a copy of the disk, in which changes last")

    e = commands.add_parser("emulator", help="measure the speed of the emulator itself")
    e.add_argument("--repeat", default="3", help="repetitions")

    b = commands.add_parser("balloon", help="measure the speed of balloons")
    b.add_argument("--repeat", default="3", help="repetitions")

    commands.add_parser("list", help="print designs, workloads and platforms")
    commands.add_parser("docs", help="write tables of the manual that follow from what is there")
    n = commands.add_parser("new", help="write a skeleton of a design or workload")
    n.add_argument("kind", choices=("design", "workload"))
    n.add_argument("--name", required=True, help="of its folder")
    return p


def about(option: Option) -> str:
    """What the option is, on a line."""
    return option.about + (f" (default: {option.default})" if option.default else "")


def listing(_: argparse.Namespace) -> int:
    """Print what there is to choose from, a line each."""
    sections = {
        "Variables of make bench": {f"{o.name}={o.example}": about(o) for o in OPTIONS},
        "Designs (DESIGNS=)": {name: d.about for name, d in DESIGNS.items()},
        "Workloads (WORKLOADS=)": {name: title(w) for name, w in WORKLOADS.items()},
        "Platforms (PLATFORM=)": {name: p.about for name, p in PLATFORMS.items()},
        "Ways to provision (PROVISION=)": {name: p.about for name, p in PROVISIONS.items()},
        "Recipes (RECIPE=)": {name: r.about for name, r in RECIPES.items()},
    }
    for heading, entries in sections.items():
        width = min(26, max(map(len, entries)))
        print(heading)
        for name, text in entries.items():
            print(f"  {name:<{width}}  {text}")
        print()
    return 0


def new(args: argparse.Namespace) -> int:
    """Write a skeleton."""
    from .skeleton import create

    folder = create(args.kind, args.name).relative_to(discover.TOP)
    # in a process of its own, which sees the new one
    own = [sys.executable, "-m", "demeter_bench", "--build", str(args.build), "docs"]
    subprocess.run(own, check=True)
    option = {"design": "DESIGNS", "workload": "WORKLOADS"}[args.kind]
    print(f"{folder} is there: edit it, 'make check T={args.name}' tests it,")
    print(f"'make bench {option}={args.name}' runs it; docs/extending.md says more")
    return 0


def docs(_: argparse.Namespace) -> int:
    """Write the tables of the manual."""
    from .docs import write

    write()
    return 0


def bench(args: argparse.Namespace) -> int:
    """Run a comparison; 0 when every run verified."""
    if args.dry_run:
        s = prepare(args)
        print(*applications(s, args.build), *PLATFORMS[s.platform].needs(s, args.build))
        return 0
    return 0 if all(row["verified"] for row in bench_rows(args)) else 1


def applications(s: Settings, build: Path) -> list[Path]:
    """The parts of the guest's image that the workloads need beside the usual one."""
    chosen = () if s.program else s.workloads
    parts = (application_image(build / IMAGE, name) for name in chosen)
    return list(dict.fromkeys(part for part in parts if part))


def bench_rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run a comparison, show and archive its results; the summary's rows."""
    from rich.console import Console

    from .archive import Archive, source_version
    from .chart import draw
    from .digest import sha256
    from .matrix import execute, make_runs, restore
    from .progress import Progress
    from .published import compare
    from .results import make_row, write_summary
    from .table import print_tables, write_tables
    from .variant import Variant

    s = prepare(args)
    platform = PLATFORMS[s.platform](args.build)
    image = args.build / IMAGE
    for part in (image, *applications(s, args.build)):
        if not part.exists():
            raise UserError(f"{part} is missing: run 'make {part}' first")
    platform.check_built(s)
    versions = {"demeter": source_version(BENCH.parent), **platform.versions(s)}
    for part in (image, *applications(s, args.build)):
        versions[f"{part.name}_sha256"] = sha256(part)
    for name in s.provision:
        versions |= PROVISIONS[name].versions(platform, s)
    runs = make_runs(s)
    if args.resume is None:
        archive, there = Archive.create(BENCH, s, versions), ""
    else:
        archive = Archive.resume(absolute(args.resume), BENCH, versions)
        there = f" ({restore(platform, archive, runs)} are there)"
    console = Console() if sys.stdout.isatty() else Console(width=140)
    count = f"{len(runs)} VMs{there}, {s.jobs}{platform.machines} at a time"
    print(f"{count}, on the {s.platform} platform; {archive.folder}")
    try:
        with Progress(runs, console) as show:
            asyncio.run(execute(s, platform, image, archive, runs, show))
        rows = [make_row(s, run) for run in runs]
        write_summary(archive.folder, rows, runs, compare(s, rows))
        write_tables(s, rows, archive.folder / "summary.txt")
        draw(s, rows, runs, archive.folder / "chart.svg")
    except KeyboardInterrupt:
        archive.status("incomplete", "interrupted")
        print(
            f"interrupted; {archive.folder} is marked incomplete:"
            f" 'make bench RESUME={archive.folder}' goes on",
            file=sys.stderr,
        )
        raise
    except BaseException as error:
        # a full disk may be why: then "running" has to do
        with contextlib.suppress(OSError):
            archive.status("incomplete", str(error) or type(error).__name__)
        raise
    archive.status("complete")
    if s.program:
        show_output(runs)
    print_tables(s, rows, console)
    for row in rows:
        if not row["verified"]:
            variant = Variant.of(row)
            print(f"failed: {row['workload']} {variant} vm{row['vm']}: {row['error']}")
    print(f"results: {archive.folder}: summary.csv, .json, .txt, chart.svg")
    return rows


def show_output(runs: list[Run]) -> None:
    """What the user's program printed at its end, under each design."""
    from .stream import parse_line, printable
    from .vm import read_text

    for run in runs:
        if run.folder is None or run.repeat or run.vm:
            continue
        print(f"--- {run.workload} under {run.variant}: end of its output; all: {run.guest}")
        for name in ("stdout", "stderr"):
            lines = read_text(run.guest / name).splitlines()
            own = [line for line in lines if "verified" not in parse_line(line)]
            for line in own[-SHOWN_LINES:]:
                print(f"    {printable(line)}")


def prepare(args: argparse.Namespace) -> Settings:
    """All settings, checked; nothing is written."""
    kconfig = read_kconfig(args.build / ".config")
    said = given(args)
    earlier = next((name for name in ("RESUME", "FROM") if name in said), None)
    if earlier:
        if len(said) > 1:
            others = " ".join(name for name in said if name != earlier)
            raise UserError(f"{earlier} repeats exactly what was run: leave out {others}")
        s = from_json(earlier, Path(getattr(args, earlier.lower())), kconfig)
    else:
        if args.recipe is not None:
            require_known("RECIPE", (args.recipe,), RECIPES)
            notes = apply(args.recipe, RECIPES[args.recipe], args, kconfig)
            # a dry run's output is read by make
            if not args.dry_run:
                print("".join(f"{note}\n" for note in notes), end="")
        s = from_kconfig(kconfig, args, select(kconfig, args.platform), cores())
    # last, as arguments are wrong more often than the platform
    require_usable(PLATFORMS[s.platform])
    return s


def cores() -> int:
    return len(os.sched_getaffinity(0))


def run(args: argparse.Namespace) -> int:
    """An interactive VM, in place of this process."""
    if args.design not in DESIGNS:
        raise UserError(f"DESIGN={args.design}: unknown; there are: {' '.join(DESIGNS)}")
    if args.image not in IMAGES:
        raise UserError(f"IMAGE={args.image}: unknown; there are: {' '.join(IMAGES)}")
    if args.keep and args.image != "disk":
        raise UserError("KEEP is for IMAGE=disk")
    if args.keep and (reason := unusable(args.keep)):
        raise UserError(f"KEEP={args.keep}: {reason}")
    kconfig = read_kconfig(args.build / ".config")
    platform = select(kconfig)
    if not platform.has_shell:
        raise UserError(f"make run: the {platform.name} platform has no shell: choose another")
    s = default_settings(kconfig, args.build, args.design, platform)
    require_usable(platform)
    if args.image == "disk" and "IMAGE_GUEST_DISK" not in kconfig:
        raise UserError("IMAGE=disk needs CONFIG_IMAGE_GUEST_DISK: see 'make menuconfig'")
    if not sys.stdin.isatty():
        raise UserError("make run needs a terminal; make bench COMMAND= runs a command by itself")
    if args.dry_run:
        return 0
    design = DESIGNS[args.design]
    if args.image == "disk":
        design, boot = from_disk(design, args.build, args.keep)
    else:
        boot = ["-initrd", str(initramfs(design, args.build, kconfig))]
    command = platform(args.build).shell_command(s, design, boot)
    print(f"{args.design} on the {platform.name} platform; Ctrl-a x ends it", flush=True)
    os.execv(command[0], command)


def unusable(keep: Path) -> str:
    """Why a disk cannot be kept there; nothing if it can."""
    if not keep.parent.is_dir():
        return f"no such folder: {keep.parent}"
    if keep.is_dir():
        return "a folder; name a file"
    return ""


def from_disk(design: Design, build: Path, keep: Path | None) -> tuple[Design, list[str]]:
    """The design for the guest disk image, and what the hypervisor needs for that."""
    from . import disk

    image = build / "images/guest.raw"
    own = disk.kept(image, keep) if keep else image
    boot = disk.device_args(own, keep is not None)
    chosen = disk.on_disk(design)
    if design.setup and not design.service:
        boot += disk.unit_args("demeter-setup", design.setup)
    return chosen, boot


def initramfs(design: Design, build: Path, kconfig: dict[str, str]) -> Path:
    """The initramfs of a shell in the design."""
    name = "initramfs-perf.cpio" if "IMAGE_PERF" in kconfig else "initramfs.cpio"
    image = build / "image" / name
    return with_setup(image, design) if design.setup else image


def with_setup(image: Path, design: Design) -> Path:
    """The image, and the design's set-up behind it, which init runs before the shell.

    It is a file in memory that lives as long as this process, and what it becomes.
    """
    from .vm import write_initrd

    with tempfile.TemporaryDirectory() as folder:
        write_initrd(image, {"/etc/setup": design.setup}, Path(folder))
        fd = os.memfd_create("initrd", 0)
        os.write(fd, (Path(folder) / "initrd").read_bytes())
    return Path(f"/proc/self/fd/{fd}")


def emulator(args: argparse.Namespace) -> int:
    """Speed of the emulator, with the default machine."""
    from .emulator import DESIGN, measure, report
    from .platforms.emulated import Emulated

    kconfig = read_kconfig(args.build / ".config")
    s = default_settings(kconfig, args.build, DESIGN, Emulated)
    report(measure(s, args.build, integer("REPEAT", args.repeat, 1, 100)))
    return 0


def balloon(args: argparse.Namespace) -> int:
    """Speed of balloons, with the default kernel."""
    from .balloon import DESIGN, measure, report
    from .platforms.emulated import Emulated

    kconfig = read_kconfig(args.build / ".config")
    s = default_settings(kconfig, args.build, DESIGN, Emulated)
    report(measure(s, args.build, integer("REPEAT", args.repeat, 1, 100)))
    return 0


def default_settings(
    kconfig: dict[str, str], build: Path, design: str, platform: type[Platform]
) -> Settings:
    """The configured machine for the design."""
    # of no workload that would have to be selected
    asked = ["bench", f"--designs={design}", "--command=true"]
    defaults = parser().parse_args(["--build", str(build), *asked])
    return from_kconfig(kconfig, defaults, platform, cores())


def main() -> int:
    args = parser().parse_args()
    # a make that is told to end passes it on: treat it like Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    actions = {
        "bench": bench, "run": run, "emulator": emulator, "balloon": balloon, "list": listing,
        "new": new, "docs": docs,
    }  # fmt: skip
    try:
        return actions[args.action](args)
    except (UserError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
