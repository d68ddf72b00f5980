# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that belong to one VM: hypervisors and their helpers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

GRACE_S = 10.0


async def start(
    command: Sequence[str], folder: Path, log: Path, stdout: int | None = None
) -> asyncio.subprocess.Process:
    """Start the command in the folder; it does not outlive this process.

    Standard error goes to the log, and so does standard output if nothing else is said.
    """
    with log.open("wb") as out:
        return await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", *command,
            cwd=folder, stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout,
            stderr=out, start_new_session=True,
        )  # fmt: skip


async def stop(process: asyncio.subprocess.Process) -> None:
    """End the process, also while being cancelled ourselves."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), GRACE_S)
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
