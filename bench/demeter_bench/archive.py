# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder of one benchmark: created first, completed last.

status.json says "running" from the beginning, so that a benchmark that was
killed is recognised; it says "complete" only when every run has its row.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

from . import parameters
from .errors import UserError
from .settings import Settings


def write_json(path: Path, value: object) -> None:
    """Replace path as a whole, so that a reader never sees a part."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(value, indent=2) + "\n")
    new.replace(path)


def source_version(top: Path) -> str:
    """The commit that is benchmarked, "+" with uncommitted changes, or "unknown".

    Whoever benchmarks need not own the checkout, and need not have git.
    """
    command = ["git", "-c", f"safe.directory={top}", "-C", str(top)]
    try:
        done = subprocess.run(
            [*command, "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


class Archive:
    """bench/archive/<time>-<name>/, to which bench/out points."""

    def __init__(self, bench: Path, settings: Settings, versions: dict[str, str]) -> None:
        base = bench / "archive"
        stamp = datetime.now().astimezone().strftime("%Y-%m-%dT%H%M%S")
        try:
            base.mkdir(exist_ok=True)
            for attempt in range(100):
                suffix = f"-{attempt}" if attempt else ""
                self.folder = base / f"{stamp}-{settings.name}{suffix}"
                try:
                    self.folder.mkdir()
                    break
                except FileExistsError:
                    continue
            else:
                raise UserError(f"cannot find a free name below {base}")
        except OSError as error:
            raise UserError(f"cannot write below {base}: {error.strerror}") from None
        self.status("running")
        write_json(
            self.folder / "config.json",
            {
                "settings": settings.to_json(),
                "parameters": parameters.to_json(settings),
                "versions": {"demeter": source_version(bench.parent), **versions},
            },
        )
        link = bench / f".out-{os.getpid()}"
        try:
            link.symlink_to(self.folder.relative_to(bench))
            link.replace(bench / "out")
        except OSError as error:
            link.unlink(missing_ok=True)
            raise UserError(f"cannot link {bench / 'out'}: {error.strerror}") from None

    def status(self, state: str, reason: str = "") -> None:
        write_json(self.folder / "status.json", {"state": state, "reason": reason})

    def vm_folder(self, *parts: str) -> Path:
        folder = self.folder / "-".join(parts)
        folder.mkdir()
        return folder
