# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives one VM its memory: before its job begins, and while that runs.

The guest says when it waits (image/run-job). Then its nodes get the sizes that the job is
to find, and only when they have them, a line on its console lets it go on. A workload may
have its nodes resized at moments of its measured phase.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .provision import CONTROL, Provision, ProvisionError

LOOK_S = 0.02
# A guest that cannot give more tries again every few seconds of its own time, of which little
# may pass on a busy host: without progress, it has so much of both times.
STALL_S = 60.0
STALL_SIMULATED_S = 10.0
PAGE = 4096


@dataclass
class Resize:
    """One change of the nodes' sizes, and what came of it."""

    at_s: float  # in the measured phase, as of the last progress line; 0 before the job
    shares: list[int]  # bytes of each node
    pages: int = 0  # how many were taken or given back
    wall_s: float | None = None  # until the nodes had their sizes; None if they have not
    reached_s: float | None = None  # like at_s


class Session:
    """What happens to the memory of one VM; run() is the whole life."""

    def __init__(
        self, provision: Provision, folder: Path, plan: list[tuple[float, list[int]]]
    ) -> None:
        """plan: (second of the measured phase, bytes of each node) in ascending order."""
        self.provision, self.folder, self.plan = provision, folder, plan
        self.resizes: list[Resize] = []
        self._control: int | None = None
        self._waits = False
        self._t_s = 0.0
        self._simulated_s: float | None = None
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Prepare all that must be there before the hypervisor is."""
        if self.provision.shrinks:
            os.mkfifo(self.folder / CONTROL)
            # the hypervisor, which reads, waits for somebody who can write
            self._control = os.open(self.folder / CONTROL, os.O_RDWR | os.O_NONBLOCK)
        await self.provision.start()

    def tell(self, waits: bool, t_s: float, simulated_s: float | None) -> None:
        """Tell whether the guest waits, how far its job is, and its time if that is simulated."""
        self._waits, self._t_s, self._simulated_s = waits, t_s, simulated_s
        self._news.set()

    async def run(self) -> None:
        """Do all that is to be done. Raises ProvisionError with one line."""
        if self.provision.shrinks:
            while not self._waits:
                await self._hear()
            await self._resize([node.share for node in self.provision.nodes])
            assert self._control is not None
            os.write(self._control, b"go\n")
        for moment, shares in self.plan:
            while self._t_s < moment:
                await self._hear()
            await self._resize(shares)

    def unfinished(self) -> str:
        """Say what is left to be done when the job has ended; "" if nothing is."""
        done = sum(resize.wall_s is not None for resize in self.resizes)
        left = self.plan[max(0, done - self.provision.shrinks) :]
        return f"the job ended before it was resized at {left[0][0]:g} s" if left else ""

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(resize) for resize in self.resizes]

    async def stop(self) -> None:
        """End what start() has started."""
        try:
            await self.provision.stop()
        finally:
            if self._control is not None:
                os.close(self._control)
                self._control = None
                (self.folder / CONTROL).unlink(missing_ok=True)

    async def _hear(self) -> None:
        """Wait until tell() is called."""
        self._news.clear()
        await self._news.wait()

    async def _resize(self, shares: list[int]) -> None:
        """Give the nodes these sizes, and wait until they have them."""
        resize = Resize(self._t_s, shares)
        self.resizes.append(resize)
        began = progressed = time.monotonic()
        simulated_s = self._simulated_s
        before = last = await self.provision.taken(shares)
        resize.pages = sum(abs(t.wanted - t.taken) for t in before) // PAGE
        await self.provision.resize(shares)
        while any(t.taken != t.wanted for t in last):
            await asyncio.sleep(LOOK_S)
            now, found = time.monotonic(), await self.provision.taken(shares)
            if found != last:
                last, progressed, simulated_s = found, now, self._simulated_s
            elif now - progressed > STALL_S and (
                simulated_s is None
                or self._simulated_s is None
                or self._simulated_s - simulated_s > STALL_SIMULATED_S
            ):
                short = [str(t) for t in found if t.taken != t.wanted]
                hint = self.provision.hint()
                raise ProvisionError(
                    f"{self.provision.name}: no progress in {STALL_S:.0f} s; {', '.join(short)}"
                    + (f"; {hint}" if hint else "")
                )
        resize.wall_s, resize.reached_s = time.monotonic() - began, self._t_s
