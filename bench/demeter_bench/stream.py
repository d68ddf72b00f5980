# SPDX-License-Identifier: GPL-2.0-or-later
"""Read what a guest sends over its virtio console (see image/run-job).

The guest may be broken or hostile: names are restricted, sizes bounded, and
anything else than a well-formed record is an error, never an exception of
another kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILE = 64 << 20
MAX_LINE = 64 << 10
MAX_FILES = 64

HEADER = re.compile(
    rb"(?:L (?P<line>.*)"
    rb"|F (?P<name>[a-z][a-z0-9_.-]{0,63}) (?P<size>\d{1,12})"
    rb"|E (?P<status>\d{1,3}))\n"
)


class StreamError(Exception):
    """The guest sent something that is no record."""


@dataclass
class JobStream:
    """Incremental parser; feed() it bytes, in order.

    Files are written to folder; lines collect in lines until taken.
    """

    folder: Path
    lines: list[str] = field(default_factory=list)
    status: int | None = None  # of the job, once it ended
    _buffer: bytes = b""
    _files: int = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self.status is None and self._record():
            pass

    def take_lines(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def _record(self) -> bool:
        """Consume one record; False when it is not complete yet."""
        end = self._buffer.find(b"\n", 0, MAX_LINE)
        if end < 0:
            if len(self._buffer) >= MAX_LINE:
                raise StreamError("a line is too long")
            return False
        match = HEADER.fullmatch(self._buffer[: end + 1])
        if match is None:
            raise StreamError(f"no record: {self._buffer[:40]!r}")
        if match["line"] is not None:
            self.lines.append(match["line"].decode(errors="replace"))
        elif match["status"] is not None:
            self.status = int(match["status"])
        else:
            size = int(match["size"])
            if size > MAX_FILE or self._files == MAX_FILES:
                raise StreamError("too many or too large files")
            stop = end + 1 + size
            if len(self._buffer) <= stop:
                return False
            if self._buffer[stop : stop + 1] != b"\n":
                raise StreamError("a file is longer than its record says")
            self._files += 1
            (self.folder / match["name"].decode()).write_bytes(self._buffer[end + 1 : stop])
            end = stop
        self._buffer = self._buffer[end + 1 :]
        return True
