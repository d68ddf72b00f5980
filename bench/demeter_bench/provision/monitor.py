# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor (QMP), by which it is told about balloons and device memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sockets import address
from .provision import ProvisionError

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

SOCKET = "qmp.sock"
ARGS = ("-qmp", f"unix:{SOCKET},server=on,wait=off")
# a busy machine answers late, one that answers never is broken
TIMEOUT_S = 30.0


class Monitor:
    """A connection to the monitor of the QEMU that runs in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._client: QMPClient | None = None

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Execute a command and return what it answers, which is JSON.

        Raises ProvisionError when QEMU refuses it or does not answer.
        """
        # not for help, which is printed before anything is installed
        from qemu.qmp import QMPClient, QMPError

        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._client is None:
                    client = QMPClient()
                    with address(self.folder / SOCKET) as short:
                        await client.connect(short)
                    self._client = client
                return await self._client.execute(command, arguments)
        except TimeoutError:
            raise ProvisionError(f"QEMU did not answer {command} in {TIMEOUT_S:.0f} s") from None
        except (QMPError, OSError) as problem:
            raise ProvisionError(f"QEMU: {command}: {problem}") from None

    async def close(self) -> None:
        """Disconnect, whatever state the connection is in."""
        from qemu.qmp import QMPError

        client, self._client = self._client, None
        if client is not None:
            try:
                await client.disconnect()
            except (QMPError, EOFError, OSError):
                return
