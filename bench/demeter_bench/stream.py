# SPDX-License-Identifier: GPL-2.0-or-later
"""Read what a guest sends over its virtio console (see image/run-job).

The guest may be broken or hostile: names are restricted, sizes and counts
bounded, and anything else than a well-formed record is a StreamError. What the
job prints is parsed here as well, since it is no more trusted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .workload import is_number

MAX_FILE = 64 << 20
MAX_LINE = 64 << 10
MAX_FILES = 64
MAX_TOTAL = 1 << 30

HEADER = re.compile(
    rb"(?:L (?P<line>.*)"
    rb"|P (?P<uptime>\d{1,9}\.\d{1,3})"
    rb"|F (?P<name>[a-z][a-z0-9_.-]{0,63}) (?P<size>\d{1,12})"
    rb"|E (?P<status>\d{1,3}))\n"
)


class StreamError(Exception):
    """The guest sent something that is no record, or too much."""


def printable(text: str, limit: int = 300) -> str:
    """A guest's text as one line that is safe on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text[:limit]).strip()


def parse_line(text: str) -> dict[str, Any]:
    """A line that a job printed: its JSON object, {} when it is none.

    The numbers that the benchmark computes with are finite and not negative,
    or absent.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    for key in ("t_s", "rate", "longest_s", "seconds", "init_s", "sys_s"):
        if key in found and not is_number(found[key]):
            del found[key]
    return found


@dataclass
class JobStream:
    """Incremental parser; feed() it bytes, in order.

    Files are written to folder, which only the guest's files are in; lines
    collect until taken.
    """

    folder: Path
    status: int | None = None  # of the job, once it ended
    # the guest's uptime when it began to wait for its memory, and when it went on
    waited: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _buffer: bytearray = field(default_factory=bytearray)
    _files: int = 0
    _total: int = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what follows the end of the job is dropped."""
        self._total += len(data)
        if self._total > MAX_TOTAL:
            raise StreamError("the guest sent too much")
        if self.status is not None:
            return
        self._buffer += data
        position: int | None = 0
        used = 0
        while position is not None and self.status is None:
            used = position
            position = self._record(position)
        del self._buffer[: used if position is None else position]

    def take_lines(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def _record(self, start: int) -> int | None:
        """Consume the record at start; returns its end, None when incomplete."""
        end = self._buffer.find(b"\n", start, start + MAX_LINE)
        if end < 0:
            if len(self._buffer) - start >= MAX_LINE:
                raise StreamError("a line is too long")
            return None
        header = bytes(self._buffer[start : end + 1])
        match = HEADER.fullmatch(header)
        if match is None:
            raise StreamError(f"no record: {header[:40]!r}")
        if match["line"] is not None:
            self.lines.append(match["line"].decode(errors="replace"))
            return end + 1
        if match["uptime"] is not None:
            if len(self.waited) == 2:
                raise StreamError("the guest waits more than once")
            self.waited.append(float(match["uptime"]))
            return end + 1
        if match["status"] is not None:
            self.status = int(match["status"])
            return end + 1
        size = int(match["size"])
        if size > MAX_FILE or self._files == MAX_FILES:
            raise StreamError("too many or too large files")
        stop = end + 1 + size
        if len(self._buffer) <= stop:
            return None
        if self._buffer[stop : stop + 1] != b"\n":
            raise StreamError("a file is longer than its record says")
        self._files += 1
        (self.folder / match["name"].decode()).write_bytes(self._buffer[end + 1 : stop])
        return stop + 1
