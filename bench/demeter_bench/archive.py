# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder of one benchmark: created first, completed last.

status.json says "running" from the beginning, so that a benchmark that was
killed is recognised; it says "complete" only when every run has its row. One that
is not complete can be resumed (matrix.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

from . import parameters
from .errors import UserError
from .settings import Settings

CONFIG = "config.json"
STATUS = "status.json"


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
    """bench/archive/<time>-<name>/, to which bench/out points.

    The process that writes there holds a lock on the folder, so that no other goes on with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise UserError(f"{folder}: another process writes there") from None

    def close(self) -> None:
        """Let others write there; once."""
        os.close(self._lock)

    @classmethod
    def create(cls, bench: Path, settings: Settings, versions: dict[str, str]) -> Archive:
        """A new folder of the benchmark."""
        base = bench / "archive"
        stamp = datetime.now().astimezone().strftime("%Y-%m-%dT%H%M%S")
        try:
            base.mkdir(exist_ok=True)
            for attempt in range(100):
                suffix = f"-{attempt}" if attempt else ""
                folder = base / f"{stamp}-{settings.name}{suffix}"
                try:
                    folder.mkdir()
                    break
                except FileExistsError:
                    continue
            else:
                raise UserError(f"cannot find a free name below {base}")
            archive = cls(folder)
        except OSError as error:
            raise UserError(f"cannot write below {base}: {error.strerror}") from None
        archive.status("running")
        write_json(
            folder / CONFIG,
            {
                "settings": settings.to_json(),
                "parameters": parameters.to_json(settings),
                "versions": versions,
            },
        )
        archive.link(bench)
        return archive

    @classmethod
    def resume(cls, folder: Path, bench: Path, versions: dict[str, str]) -> Archive:
        """The folder of a benchmark that did not end, to go on with it.

        Refuses one that is complete, that goes on, or that another build was measured in: rows
        of two builds side by side would be compared.
        """
        if folder.name == CONFIG:
            folder = folder.parent
        try:
            archive = cls(folder)
        except OSError as error:
            raise UserError(f"RESUME={folder}: {error.strerror}") from None
        try:
            archive.check(versions)
        except UserError:
            archive.close()
            raise
        archive.status("running")
        archive.link(bench)
        return archive

    def check(self, versions: dict[str, str]) -> None:
        """Refuse to go on if all has been measured, or anything in another build."""
        try:
            config = json.loads((self.folder / CONFIG).read_text())
            is_complete = json.loads((self.folder / STATUS).read_text())["state"] == "complete"
            then = dict(config["versions"])
        except OSError as error:
            raise UserError(f"RESUME={self.folder}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"RESUME={self.folder}: not the folder of a benchmark: {error}"
            ) from None
        if is_complete:
            raise UserError(f"RESUME={self.folder}: it is complete; FROM= repeats it")
        # what was not built then was not used
        for name, version in then.items():
            if versions.get(name) != version:
                raise UserError(
                    f"RESUME={self.folder}: another build was measured: {name} was {version}, and"
                    f" is {versions.get(name)}; FROM= begins again"
                )

    def link(self, bench: Path) -> None:
        """Let bench/out point here."""
        link = bench / f".out-{os.getpid()}"
        try:
            link.symlink_to(os.path.relpath(self.folder, bench))
            link.replace(bench / "out")
        except OSError as error:
            link.unlink(missing_ok=True)
            raise UserError(f"cannot link {bench / 'out'}: {error.strerror}") from None

    def status(self, state: str, reason: str = "") -> None:
        write_json(self.folder / STATUS, {"state": state, "reason": reason})

    def path(self, *parts: str) -> Path:
        """Of the folder of a VM, which need not be there."""
        return self.folder / "-".join(parts)

    def vm_folder(self, *parts: str) -> Path:
        folder = self.path(*parts)
        folder.mkdir()
        return folder
