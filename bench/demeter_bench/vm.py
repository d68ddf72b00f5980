# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of one VM that runs one job.

The job goes in as a second archive appended to the initramfs; its results come
back over the virtio console (stream.py) into the VM's folder. Whatever goes
wrong in the guest (panic, out of memory, silence) ends as a failed run with a
reason, and no hypervisor outlives this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from . import processes
from .archive import write_json
from .design import Design
from .designs import DESIGNS
from .parameters import values_of
from .platforms import PLATFORMS
from .platforms.platform import Platform
from .program import job as program_job
from .provision import PROVISIONS
from .provision.provision import ProvisionError, shares
from .provision.session import Session
from .settings import Settings
from .sockets import address
from .stream import JobStream, StreamError, parse_line, printable
from .variant import Variant
from .workload import Size
from .workloads import WORKLOADS, application_image

POLL_S = 0.5
CHUNK = 1 << 20
MAX_OUTPUT = 1 << 30
COUNTERS = "counters"  # of its job: files in the guest that are read before and after
WAITS = "provision"  # with this file in its job, the guest waits for its memory
NOT_FOUND = 127  # the shell's status for a command that is not there
# Files of a job by their places in the guest, below /job or from its root if they begin
# with a slash: the content, or the path of what is copied, mode and all; of a folder,
# only the folder.
Job = Mapping[str, str | bytes | Path]
PANIC = re.compile(r"Kernel panic[^\n]*|Out of memory: Killed process[^\n]*|BUG: [^\n]*|Oops[^\n]*")


FINISHED = ("done", "failed")


@dataclass
class Run:
    """One VM's part of the matrix, and what came of it."""

    workload: str
    design: str
    vms: int  # at once, of which this is number vm
    repeat: int
    vm: int
    provision: str = "static"
    parameters: str = ""  # of the design, "a=1 b=2"
    # waiting, profiling, booting, provisioning, running, ending, done, failed
    state: str = "waiting"
    error: str = ""
    simulated_s: float = 0.0
    measured_s: float = 0.0  # of the measured phase so far
    rate: float = 0.0
    rate_unit: str = ""
    wall_s: float = 0.0
    # what happened to its memory (session.py), and what of its own time the guest waited for
    # that before the job
    resizes: list[dict[str, Any]] = field(default_factory=list)
    provision_s: float | None = None
    folder: Path | None = None
    server: Path | None = None  # the folder of the server that it shares with others

    @property
    def seed(self) -> int:
        """Differs between VMs and repetitions, not between designs."""
        return 1 + 1024 * self.repeat + self.vm

    @property
    def variant(self) -> Variant:
        return Variant(self.design, self.provision, self.parameters)

    @property
    def guest(self) -> Path:
        """Files that came out of the guest; nothing of the host's is there."""
        assert self.folder is not None
        return self.folder / "guest"

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


def job_files(s: Settings, run: Run) -> Job:
    """The job of a run: a workload, or the user's program."""
    environment = {"OMP_NUM_THREADS": s.vcpus, "JOB_VM": run.vm, "JOB_DESIGN": run.design}
    env = "".join(f"{key}={shlex.quote(str(v))}\n" for key, v in environment.items())
    design = DESIGNS[run.design]
    job: dict[str, str | bytes | Path] = {
        "env": env,
        "setup": design.setup_with(values_of(run.parameters)),
        COUNTERS: "".join(f"{file}\n" for file in design.files),
    }
    if PROVISIONS[run.provision].shrinks:
        job[WAITS] = ""
    if s.program:
        return {**job, **program_job(s.program, run.workload)}
    size = Size(s.footprint, s.vcpus, PLATFORMS[s.platform].scale)
    workload = WORKLOADS[run.workload]
    command = workload.command(size, run.seed)
    if workload.setup:
        job["setup"] = f"{workload.setup(size)}{job['setup']!s}"
    return {**job, "run": f"exec /usr/bin/{command}\n"}


def resize_plan(s: Settings, design: Design, workload: str) -> list[tuple[float, list[int]]]:
    """(second of the measured phase, bytes of each node) as the workload wants them."""
    if s.program:
        return []
    return [
        (moment, [size for _, size in shares(s, design, s.fast_share(share))])
        for moment, share in WORKLOADS[workload].resizes
    ]


def pack(files: Job, folder: Path) -> bytes:
    """An archive of the files, those that are written here also in the folder.

    The script that runs the job comes last: without it, the guest knows that the kernel
    had no memory for all of the archive.
    """
    with tempfile.TemporaryDirectory(dir=folder) as root:
        places: dict[Path, None] = {}  # in the order of the archive: folders come first
        for name, content in sorted(files.items(), key=lambda item: item[0] == "run"):
            place = Path(name.lstrip("/")) if name.startswith("/") else Path("job") / name
            places |= dict.fromkeys([*reversed(place.parents[:-1]), place])
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                target.mkdir() if content.is_dir() else shutil.copy(content, target)
                continue
            # what is written here is archived, what is copied is not
            kept = folder / place
            kept.parent.mkdir(parents=True, exist_ok=True)
            for path in (target, kept):
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return subprocess.run(
            ["cpio", "--create", "--null", "--format=newc", "--owner=0:0", "--quiet"],
            cwd=root,
            input=b"".join(os.fsencode(place) + b"\0" for place in places),
            capture_output=True,
            check=True,
            # Ctrl-C is for this process: a program that it ends would be a run that fails
            start_new_session=True,
        ).stdout


def write_initrd(
    image: Path,
    files: Job,
    folder: Path,
    application: Path | None = None,
    tables: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """folder/initrd: the guest image, that of an application, and an archive of the job.

    Before these comes an archive of what the kernel looks for there before it has unpacked any.
    """
    with (folder / "initrd").open("wb") as out:
        if tables:
            out.write(pack(tables, folder))
        for part in (image, application):
            if part:
                with part.open("rb") as base:
                    shutil.copyfileobj(base, out)
                # archives in an initramfs begin at a multiple of four
                out.write(b"\0" * (-out.tell() % 4))
        out.write(pack(files, folder))


def ask_plugin(folder: Path) -> dict | None:
    """The emulator's report as of now, None when it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as s, address(folder / "tmem.sock") as short:
            s.settimeout(0.5)
            s.connect(short)
            text = b""
            while data := s.recv(1 << 16):
                text += data
        return json.loads(text)
    except (OSError, ValueError):
        return None


class Process(Protocol):
    """What a VM runs in, while it does."""

    @property
    def returncode(self) -> int | None:
        """Its status; None while it has not ended."""

    async def wait(self) -> int:
        """Wait until it has ended; its status."""
        ...

    async def stop(self) -> None:
        """End it, also while being cancelled."""


class Hypervisor:
    """A process of this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self) -> None:
        await processes.stop(self._process)


class Vm:
    """Drives one Run on a platform; execute() is the whole life."""

    def __init__(self, s: Settings, platform: Platform, image: Path, run: Run, job: Job) -> None:
        self.s, self.platform, self.image, self.run, self.job = s, platform, image, run, job

    async def execute(self, folder: Path, changed: Callable[[], None]) -> None:
        """Run the job; the run's state says what came of it."""
        run, design = self.run, DESIGNS[self.run.design]
        run.folder = folder
        started = time.monotonic()
        kind = PROVISIONS[run.provision]
        provision = kind(self.platform.build, folder, kind.layout(self.s, design))
        session = Session(provision, folder, resize_plan(self.s, design, run.workload))
        try:
            run.guest.mkdir()
            own = None if self.s.program else application_image(self.image, run.workload)
            tables = self.platform.tables(self.s, kind.layout(self.s, design))
            write_initrd(self.image, self.job, folder, own, tables)
            command = self.platform.job_command(self.s, design, run.vms, run.seed, kind)
            (folder / "command").write_text(shlex.join(command) + "\n")
            run.state = "booting"
            changed()
            error = await self._supervise(command, session, folder, started, changed)
        except (OSError, subprocess.SubprocessError) as problem:
            error = f"cannot run: {problem}"
        finally:
            run.resizes = session.to_json()
            for leftover in ("initrd", "stream"):
                (folder / leftover).unlink(missing_ok=True)
        run.wall_s = time.monotonic() - started
        run.state, run.error = ("failed", printable(error)) if error else ("done", "")
        changed()

    async def _supervise(
        self,
        command: list[str],
        session: Session,
        folder: Path,
        started: float,
        changed: Callable[[], None],
    ) -> str:
        """Run the hypervisor until it exits; returns what failed, "" if nothing."""
        stream = JobStream(self.run.guest)
        try:
            await session.start()
            process = await self._start(command, folder)
            provisioning = asyncio.ensure_future(session.run())
            try:
                return await self._follow(
                    process, session, provisioning, stream, folder, started, changed
                )
            finally:
                provisioning.cancel()
                await asyncio.gather(provisioning, return_exceptions=True)
                await process.stop()
        except StreamError as problem:
            return f"the guest's results are broken: {problem}"
        except ProvisionError as problem:
            return str(problem)
        finally:
            await session.stop()

    async def _start(self, command: list[str], folder: Path) -> Process:
        """Start the hypervisor."""
        # whatever the guest prints, no file of the VM grows without end
        limit = ["prlimit", f"--fsize={self.s.vm_memory + MAX_OUTPUT}"]
        log = folder / "hypervisor.log"
        return Hypervisor(await processes.start([*limit, *command], folder, log))

    def _plugin(self, folder: Path) -> Path:
        """The folder of the machine that the emulator emulates."""
        return folder

    async def _follow(
        self,
        process: Process,
        session: Session,
        provisioning: asyncio.Future[None],
        stream: JobStream,
        folder: Path,
        started: float,
        changed: Callable[[], None],
    ) -> str:
        position = 0
        wait = asyncio.ensure_future(process.wait())
        while True:
            await asyncio.wait({wait}, timeout=POLL_S)
            ended = wait.done()
            behind = True
            while behind:
                position, behind = self._read(stream, folder, position)
                # the other machines, the time-out and Ctrl-C come in between
                await asyncio.sleep(0)
                if time.monotonic() - started > self.s.timeout_s:
                    return f"timed out after {self.s.timeout_s} s"
            self._progress(stream)
            report = await asyncio.to_thread(ask_plugin, self._plugin(folder))
            if report:
                self.run.simulated_s = report["simulated_s"]
            session.tell(len(stream.waited) > 0, self.run.measured_s, self.run.simulated_s or None)
            changed()
            if ended:
                error = self._verdict(process.returncode or 0, stream, folder)
                return error or session.unfinished()
            if session.provision.fault():
                return session.provision.fault()
            # what fails at the guest's end is its job, not its memory
            if provisioning.done() and stream.status is None:
                provisioning.result()

    def _progress(self, stream: JobStream) -> None:
        """Note how far the guest is."""
        run = self.run
        if len(stream.waited) == 1:
            run.state = "provisioning"
        elif stream.waited:
            run.provision_s = round(stream.waited[1] - stream.waited[0], 3)
            if run.state == "provisioning":
                run.state = "running"
        if stream.status is not None and run.state == "running":
            run.state = "ending"

    def _read(self, stream: JobStream, folder: Path, position: int) -> tuple[int, bool]:
        """Feed a chunk of what the guest sent; the new position, and if it was a full one."""
        data = b""
        with contextlib.suppress(FileNotFoundError), (folder / "stream").open("rb") as f:
            f.seek(position)
            data = f.read(CHUNK)
        stream.feed(data)
        for line in stream.take_lines():
            if self.run.state == "booting":
                self.run.state = "running"
            parsed = parse_line(line)
            if "t_s" in parsed:
                self.run.measured_s = parsed["t_s"]
            if "rate" in parsed:
                self.run.rate = parsed["rate"]
                self.run.rate_unit = printable(str(parsed.get("rate_unit", "")), 20)
        return position + len(data), len(data) == CHUNK

    def _verdict(self, returncode: int, stream: JobStream, folder: Path) -> str:
        console = read_text(folder / "console.log")
        if stream.status is None:
            fault = PANIC.search(console)
            if fault:
                return f"the guest died: {fault[0].strip()[:200]}"
            if returncode:
                said = read_text(folder / "hypervisor.log").strip().split("\n")[0]
                return f"the hypervisor failed ({returncode}): {said[:300]}"
            return "the guest ended without results; see console.log"
        if stream.status:
            fault = PANIC.search(read_text(self.run.guest / "dmesg"))
            said = read_text(self.run.guest / "stderr").strip().split("\n")[-1]
            reason = fault[0].strip() if fault else said
            if self.s.program and stream.status == NOT_FOUND:
                reason += "; name in FILES what the guest does not have"
            return f"the job exited with status {stream.status}: {reason[:300]}"
        if returncode:
            return f"the hypervisor failed ({returncode}) after the job had ended"
        return ""


def read_text(path: Path) -> str:
    """Text of a file that may be missing, large or not text: its last MiB."""
    try:
        with path.open("rb") as f:
            f.seek(max(0, path.stat().st_size - CHUNK))
            return f.read().decode(errors="replace")
    except OSError:
        return ""


# What says which run it is, and what is left of it beside its files.
RUN = "run.json"
IDENTITY = ("workload", "design", "provision", "parameters", "vms", "repeat", "vm")
OUTCOME = ("state", "error", "wall_s", "provision_s", "resizes")


def save_run(run: Run) -> None:
    """Leave the outcome beside the run's files."""
    assert run.folder is not None
    found = {key: getattr(run, key) for key in (*IDENTITY, *OUTCOME)}
    write_json(run.folder / RUN, {**found, "wall_s": round(run.wall_s, 3)})


def load_run(run: Run, folder: Path) -> None:
    """Take the outcome of the same run from its folder, if it came to its end there."""
    try:
        found = json.loads(read_text(folder / RUN))
        known = all(found[key] == getattr(run, key) for key in IDENTITY)
        outcome = {key: found[key] for key in OUTCOME}
    except (ValueError, KeyError, TypeError):
        return
    if known and outcome["state"] in FINISHED:
        vars(run).update(outcome, folder=folder)
