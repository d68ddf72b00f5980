# SPDX-License-Identifier: GPL-2.0-or-later
"""The server that the VMs of one measurement share, on platforms that have one.

Each VM is driven like any other (vm.py), but where others start a hypervisor, it joins the
server. When all have joined, or have failed before, the server boots with what they need in its
initramfs; it starts their hypervisors itself, and says how each has ended (image/server/init).
It ends with the last VM. Its own folder is beside those of the VMs.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import processes
from .design import Design
from .designs import DESIGNS
from .errors import UserError
from .platforms.nested import Nested, server_nodes
from .settings import Settings
from .stream import JobStream, StreamError, printable
from .vm import CHUNK, MAX_OUTPUT, PANIC, POLL_S, Job, Process, Run, Vm, read_text, write_initrd

GRACE_S = 300.0
ENDED = re.compile(r"vm (\d{1,4}) (\d{1,3}) ?(.*)")


class Guest:
    """What a VM runs in: one of the server's hypervisors."""

    def __init__(self, server: Server, vm: int, command: list[str], folder: Path) -> None:
        self.server, self.vm, self.command, self.folder = server, vm, command, folder
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """Leave the server: nothing ends a hypervisor from outside while others need the server."""
        self.end(1, "")
        await self.server.leave(self.vm)

    def end(self, status: int, said: str) -> None:
        """Note how it has ended; the first to say so is right."""
        if not self._ended.done():
            (self.folder / "hypervisor.log").write_text(f"{said}\n" if said else "")
            self._ended.set_result(status)


class Server:
    """Boots when all VMs have joined; ends when all have left."""

    def __init__(self, s: Settings, platform: Nested, folder: Path, runs: list[Run]) -> None:
        self.s, self.platform, self.folder = s, platform, folder
        self.design: Design = DESIGNS[runs[0].design]
        self.seed = runs[0].seed
        self._guests: dict[int, Guest] = {}
        self._expected = {run.vm for run in runs}
        self._life: asyncio.Task[None] | None = None
        self._ended = 0  # guests of which the server said so
        (folder / "host").mkdir()

    async def join(self, vm: int, command: list[str], folder: Path) -> Guest:
        """Run a VM's command in the server, as soon as the others have come."""
        guest = self._guests[vm] = Guest(self, vm, command, folder)
        self._boot_if_complete()
        return guest

    async def leave(self, vm: int) -> None:
        """Do without a VM, whether it has joined or not; the last one ends the server."""
        self._expected.discard(vm)
        if self._expected:
            self._boot_if_complete()
            return
        try:
            # when all have ended, so does the server, after it has sent its counters
            if self._life and self._ended == len(self._guests):
                await asyncio.wait({self._life}, timeout=GRACE_S)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End the server, also while being cancelled."""
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    def _boot_if_complete(self) -> None:
        waiting = self._expected - self._guests.keys()
        if self._expected and not waiting and self._life is None:
            self._life = asyncio.ensure_future(self._live())

    async def _live(self) -> None:
        """Boot, and follow what the server says until it has ended."""
        guests = [self._guests[vm] for vm in sorted(self._expected)]
        why = "the server ended without a word; see its console.log"
        try:
            why = await self._run(guests) or why
        except (OSError, subprocess.SubprocessError, UserError) as problem:
            why = f"cannot run the server: {problem}"
        except StreamError as problem:
            why = f"the server's results are broken: {problem}"
        finally:
            for leftover in ("initrd", "stream"):
                (self.folder / leftover).unlink(missing_ok=True)
            for guest in guests:
                guest.end(1, printable(why))

    async def _run(self, guests: list[Guest]) -> str:
        """Run the server; why its VMs cannot go on, "" if it does not say."""
        folders = [os.path.relpath(guest.folder, self.folder) for guest in guests]
        vms = {n: (shlex.join(g.command), g.folder / "initrd") for n, g in enumerate(guests)}
        files = self.platform.server_files(self.s, self.design, vms)
        await asyncio.to_thread(write_initrd, self.platform.image, files, self.folder)
        command = self.platform.server_command(self.s, self.design, folders, self.seed)
        (self.folder / "command").write_text(shlex.join(command) + "\n")
        size = sum(n.memory for n in server_nodes(self.s, self.design, len(guests)))
        limit = ["prlimit", f"--fsize={size + MAX_OUTPUT}"]
        log = self.folder / "hypervisor.log"
        process = await processes.start([*limit, *command], self.folder, log)
        try:
            return await self._follow(process, guests)
        finally:
            await processes.stop(process)

    async def _follow(self, process: asyncio.subprocess.Process, guests: list[Guest]) -> str:
        stream = JobStream(self.folder / "host")
        position = 0
        wait = asyncio.ensure_future(process.wait())
        while True:
            await asyncio.wait({wait}, timeout=POLL_S)
            ended = wait.done()
            behind = True
            while behind:
                data = self._read(position)
                position += len(data)
                behind = len(data) == CHUNK
                stream.feed(data)
                for line in stream.take_lines():
                    found = ENDED.fullmatch(line)
                    if found and int(found[1]) < len(guests):
                        guests[int(found[1])].end(int(found[2]), printable(found[3]))
                        self._ended += 1
            if ended:
                return self._verdict(process.returncode or 0, stream)

    def _read(self, position: int) -> bytes:
        """Return the next chunk of what the server said."""
        try:
            with (self.folder / "stream").open("rb") as f:
                f.seek(position)
                return f.read(CHUNK)
        except FileNotFoundError:
            return b""

    def _verdict(self, returncode: int, stream: JobStream) -> str:
        if stream.status:
            return f"the server: {read_text(self.folder / 'host/error').strip()[:300]}"
        fault = PANIC.search(read_text(self.folder / "console.log"))
        if fault:
            return f"the server died: {fault[0].strip()[:200]}"
        if returncode:
            said = read_text(self.folder / "hypervisor.log").strip().split("\n")[-1]
            return f"the server's emulator failed ({returncode}): {said[:300]}"
        return ""


class VmInServer(Vm):
    """Drives one Run in a server."""

    def __init__(self, s: Settings, server: Server, image: Path, run: Run, job: Job) -> None:
        super().__init__(s, server.platform, image, run, job)
        self.server = server
        run.server = server.folder

    async def execute(self, folder: Path, changed: Callable[[], None]) -> None:
        try:
            await super().execute(folder, changed)
        finally:
            await self.server.leave(self.run.vm)

    async def _start(self, command: list[str], folder: Path) -> Process:
        return await self.server.join(self.run.vm, command, folder)

    def _plugin(self, folder: Path) -> Path:
        return self.server.folder
