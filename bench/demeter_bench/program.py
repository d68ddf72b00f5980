# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring your own program: run any program of this machine under every design.

A program is a line for the guest's shell and files of this machine, which are in the
guest's folder /job. Programs need no change: image/measure.c runs the line, times it and
reports what a workload would. packing.py finds what the files need. Files are packed once:
their hashes are kept with the settings, and no run starts with others.

    from pathlib import Path
    from demeter_bench.program import run_program

    rows = run_program("/job/prog --args", files=["prog", "data"], build=Path("build"),
                       designs=["first-touch", "tpp", "demeter"])
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .packing import GUEST_LIBRARY_PATH, RESERVED, pack, unchanged
from .settings import MIB, Program

if TYPE_CHECKING:
    from .vm import Job

PAGE = 4096


def program_name(program: Program) -> str:
    """What stands for the program in tables and names of folders: its first word's name."""
    return re.sub(r"[^\w.-]", "_", Path(first_word(program)).name)[:32] or "program"


def first_word(program: Program) -> str:
    """What the command line runs first, behind variables that it sets."""
    words = shlex.shlex(program.command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = ""
    try:
        first = words.get_token()
        while first and re.match(r"\w+=", first):
            first = words.get_token()
    except ValueError as error:
        raise UserError(f"COMMAND={program.command}: {error}") from None
    if not first or "\n" in program.command:
        raise UserError("COMMAND: give one line for the guest's shell, e.g. '/job/prog --args'")
    return first


def with_files(program: Program) -> Program:
    """The program with all files that it needs. Raises UserError about what cannot run."""
    first = first_word(program)
    started = first.removeprefix("/job/").removeprefix("./")
    files = tuple(str(Path(text).absolute()) for text in program.files)
    packed = pack(files, started)
    paths = {file.place: Path(file.path) for file in packed}
    if started in paths:
        if first == started:
            # the guest's shell prefers its own commands to files on the path
            raise UserError(f"COMMAND: {first}: write /job/{first} for the file in FILES")
        if not paths[started].stat().st_mode & 0o100:
            raise UserError(f"COMMAND: {first}: {paths[started]} is not executable: chmod +x it")
    elif first != started and started not in RESERVED:
        raise UserError(f"COMMAND: {first} is not there: name the file in FILES")
    return dataclasses.replace(program, files=files, packed=packed)


def check_program(program: Program, room: int) -> None:
    """Refuse what cannot run in a guest that has room bytes for its files."""
    # while the kernel unpacks them, they are in memory twice
    size = 2 * sum(-(-Path(f.path).stat().st_size // PAGE) * PAGE for f in program.packed)
    if size > room:
        raise UserError(
            f"FILES: {-(-size // 2 // MIB)} MiB with libraries do not fit into the VM's memory: "
            f"give it {-(-(size - room) // MIB)} MiB more (VM_MEMORY)"
        )
    if program.roi:
        # the dialect that measure.c uses
        tried = subprocess.run(
            ["grep", "-E", "-e", program.roi], input="", capture_output=True, text=True
        )
        if tried.returncode > 1:
            raise UserError(f"ROI={program.roi}: {tried.stderr.strip().removeprefix('grep: ')}")


def job(program: Program, name: str) -> Job:
    """The job's files that run the program.

    Variables are set for the program alone: what runs before it is not to be found in /job.
    """
    roi = f"--roi {shlex.quote(program.roi)} " if program.roi else ""
    return {
        "run": f"export PATH=/job:/bin:/usr/bin LD_LIBRARY_PATH={GUEST_LIBRARY_PATH}\n"
        "export HOME=/job TERM=dumb\n"
        "cd /job\n"
        f"exec /usr/bin/measure {roi}{name} {shlex.quote(program.command)}\n",
        **{file.place: Path(file.path) for file in unchanged(program).packed},
    }


def run_program(
    command: str,
    *,
    build: Path,
    files: Sequence[str | Path] = (),
    roi: str = "",
    designs: Sequence[str] = (),
    **options: object,
) -> list[dict[str, Any]]:
    """Run a program under the designs, as `make bench COMMAND=` does; the summary's rows.

    build is the folder with all that was built; without designs, all that are selected run.
    Options are those of `bench` on the command line (cli.py) by their names, e.g. repeat=3,
    vm_memory="1G". Progress goes to standard output, and everything is archived. Raises
    UserError about what cannot run; a run that
    failed has its reason in its row's "error".
    """
    from .cli import bench_rows, parser

    base = ["--build", str(build), "bench"]
    known = vars(parser().parse_args(base)).keys() - {"action", "build", "dry_run", "command"}
    for key in options.keys() - known:
        raise UserError(f"run_program: no option {key}; there are: {' '.join(sorted(known))}")
    quoted = shlex.join(str(file) for file in files)
    given = {"command": command, "files": quoted, "roi": roi, "designs": " ".join(designs)}
    text = [
        f"--{key.replace('_', '-')}={value}" for key, value in {**given, **options}.items() if value
    ]
    return bench_rows(parser().parse_args([*base, *text]))
