# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring your own program: run any program of this machine under every design.

A program is a line for the guest's shell and files of this machine, which are in the
guest's folder /job. Programs need no change: image/measure.c runs the line, times it and
reports what a workload would. Shared libraries that the files need are found with ldd and
packed with them.

    from pathlib import Path
    from demeter_bench.program import run_program

    rows = run_program("/job/prog --args", files=["prog", "data"], build=Path("build"),
                       designs=["first-touch", "tpp", "demeter"])
"""

from __future__ import annotations

import re
import shlex
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .settings import MIB, Program

if TYPE_CHECKING:
    from .vm import Job

# what else is in /job (vm.py), and where libraries go
RESERVED = ("env", "setup", "run", "lib")
LIBRARIES = "lib"
ELF_MAGIC = b"\x7fELF"
ELF_64, ELF_LITTLE, EM_X86_64 = 2, 1, 62
# what the guest's busybox is
GUEST_SHELLS = ("/bin/sh", "/bin/busybox")


def program_name(program: Program) -> str:
    """What stands for the program in tables and names of folders: its first word's name."""
    return re.sub(r"[^\w.-]", "_", Path(first_word(program)).name)[:32] or "program"


def first_word(program: Program) -> str:
    """What the command line runs first."""
    words = shlex.shlex(program.command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    try:
        first = words.get_token()
    except ValueError as error:
        raise UserError(f"COMMAND={program.command}: {error}") from None
    if not first or "\n" in program.command:
        raise UserError("COMMAND: give one line for the guest's shell, e.g. '/job/prog --args'")
    return first


def libraries(path: Path) -> dict[str, Path]:
    """What the dynamic program or library needs: place in the guest -> file.

    Raises UserError with one line when something is missing or cannot run in the guest.
    """
    with path.open("rb") as f:
        head = f.read(256)
    if head.startswith(b"#!"):
        interpreter = head[2:].split(b"\n")[0].decode(errors="replace").split()[:1]
        if not interpreter or interpreter[0] not in GUEST_SHELLS:
            raise UserError(
                f"FILES: {path}: a script for {' '.join(interpreter) or 'nothing'}, which the "
                f"guest does not have: it has {GUEST_SHELLS[0]}"
            )
    if not head.startswith(ELF_MAGIC):
        return {}
    (machine,) = struct.unpack_from("<H", head, 18) if len(head) >= 20 else (0,)
    if (head[4], head[5], machine) != (ELF_64, ELF_LITTLE, EM_X86_64):
        raise UserError(f"FILES: {path}: no program for x86-64, which the guest is")
    listed = subprocess.run(
        ["ldd", path.absolute()], capture_output=True, text=True, env={"LC_ALL": "C"}
    )
    if listed.returncode:
        if "not a dynamic executable" in listed.stdout + listed.stderr:
            return {}
        said = (listed.stderr or listed.stdout).strip().partition("\n")[0]
        raise UserError(f"FILES: {path}: ldd: {said}")
    needed = {}
    for line in listed.stdout.splitlines():
        words = line.split()
        if words[1:4] == ["=>", "not", "found"]:
            raise UserError(f"FILES: {path}: needs the library {words[0]}, which is not found here")
        if words[1:2] == ["=>"] and len(words) > 2:
            needed[f"{LIBRARIES}/{words[0]}"] = Path(words[2])
        elif words[0].startswith("/"):
            # the loader, which programs name by its whole path
            needed[words[0]] = Path(words[0])
    return needed


def pack(program: Program) -> dict[str, Path]:
    """All files of the program and what they need: place in the guest -> file.

    A place is below /job, or begins with a slash.
    """
    packed: dict[str, Path] = {}
    needed: dict[str, Path] = {}
    for text in program.files:
        path = Path(text)
        if path.name in RESERVED or path.name in packed:
            raise UserError(f"FILES: {text}: /job/{path.name} is taken: rename it")
        if not path.exists():
            raise UserError(f"FILES: {text}: no such file")
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        if not inside:
            raise UserError(f"FILES: {text}: neither a file nor a folder with files")
        for file in inside:
            place = path.name / file.relative_to(path) if file != path else Path(path.name)
            packed[str(place)] = file
            try:
                needed |= libraries(file)
            except OSError as error:
                raise UserError(f"FILES: {file}: {error.strerror}") from None
    return {**needed, **packed}


def check_program(program: Program, room: int) -> None:
    """Refuse what cannot run in a guest that has room bytes for its files."""
    first = first_word(program)
    packed = pack(program)
    if first.startswith("/job/") and first.removeprefix("/job/") not in packed:
        raise UserError(f"COMMAND: {first} is not there: name the file in FILES")
    size = sum(path.stat().st_size for path in packed.values())
    if size > room:
        raise UserError(
            f"FILES: {-(-size // MIB)} MiB with libraries do not fit into the VM's memory: "
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
    """The job's files that run the program; its environment comes on top of a job's."""
    roi = f"--roi {shlex.quote(program.roi)} " if program.roi else ""
    return {
        "env": f"PATH=/job:/bin:/usr/bin\nLD_LIBRARY_PATH=/job/{LIBRARIES}\nHOME=/job\nTERM=dumb\n",
        "run": f"cd /job\nexec measure {roi}{name} {shlex.quote(program.command)}\n",
        **pack(program),
    }


def run_program(
    command: str,
    *,
    build: Path,
    files: Sequence[str | Path] = (),
    roi: str = "",
    designs: Sequence[str] = ("first-touch", "tpp", "demeter"),
    **options: str,
) -> list[dict[str, Any]]:
    """Run a program under the designs, as `make bench COMMAND=` does; the summary's rows.

    build is the folder with all that was built. Options are those of `bench` on the command
    line (cli.py) by their names, e.g. repeat="3", vm_memory="1G". Progress goes to standard
    output, and everything is archived. Raises UserError about what cannot run; a run that
    failed has its reason in its row's "error".
    """
    from .cli import bench_rows, parser

    given = {"command": command, "files": " ".join(map(str, files)), "roi": roi, **options}
    given["designs"] = " ".join(designs)
    text = [f"--{key.replace('_', '-')}={value}" for key, value in given.items() if value]
    return bench_rows(parser().parse_args(["--build", str(build), "bench", *text]))
