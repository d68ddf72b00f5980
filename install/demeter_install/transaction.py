# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts files in place and takes them away: all of them, or none.

A journal names each path before it is touched. What is new is written beside its place as
<path>.demeter-new, what was there is kept as <path>.demeter-old until the end. So whoever
finds a journal, after an error or after a power cut, can undo what it names; only a journal
that says that it was done is brought to its end instead.

Paths are those of the machine that is installed on (/efi/loader/...); root is where its file
system is: /, or DESTDIR.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from . import RefusedError

STATE = "/var/lib/demeter/install"
MANIFEST = f"{STATE}/manifest.json"
JOURNAL = f"{STATE}/journal.json"
WORK = f"{STATE}/work"  # what is thrown away in any case
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a dropped ssh
NEW, OLD = ".demeter-new", ".demeter-old"


@dataclass(frozen=True)
class Content:
    """What a path shall be: a copy of a file, some bytes, or a symbolic link."""

    file: Path | None = None
    data: bytes = b""
    link: str = ""

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file else len(self.data)

    @cached_property
    def digest(self) -> str:
        if self.link:
            return f"link:{self.link}"
        return sha256(self.file) if self.file else hashlib.sha256(self.data).hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path) -> str | None:
    """Return the digest of what is there, None if that is nothing, "" if no file or link."""
    if path.is_symlink():
        return f"link:{path.readlink()}"
    if path.is_file():
        return sha256(path)
    return "" if path.exists() else None


def uninterrupted() -> None:
    """Let who wants to interrupt wait, from now on."""
    for number in INTERRUPTS:
        with suppress(ValueError):  # tests run in threads
            signal.signal(number, signal.SIG_IGN)


class Disk:
    """Every change that is made; tests let each of them fail."""

    def mkdir(self, path: Path) -> None:
        path.mkdir()

    def write(self, path: Path, content: Content) -> None:
        """Write a new file, to the disk. Its mode is given as it is made: FAT has none."""
        if content.link:
            path.symlink_to(content.link)
            return
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), "wb") as out:
            if content.file:
                with content.file.open("rb") as source:
                    shutil.copyfileobj(source, out, 1 << 20)
            else:
                out.write(content.data)
            out.flush()
            os.fsync(out.fileno())

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def sync(self, folder: Path) -> None:
        """Have the disk know which files the folder has."""
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def rmtree(self, path: Path) -> None:
        if path.exists():
            shutil.rmtree(path)

    def rmdir(self, path: Path) -> None:
        """Remove a folder that is empty."""
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


class Transaction:
    """What is done to the files below a root. Use: begin, remove and add, then finish or undo."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk = disk or Disk()
        self.paths: list[tuple[str, bool]] = []  # touched, and whether it was there before
        self.folders: list[str] = []  # made, in that order
        self.boot = ""  # where kernels go
        self.done = False  # and so cannot be undone

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def manifest(self) -> dict[str, Any] | None:
        """Read what is installed; None if that is nothing."""
        path = self.at(MANIFEST)
        try:
            return json.loads(path.read_bytes()) if path.exists() else None
        except ValueError:
            raise RefusedError(f"{path} cannot be read: it is no JSON") from None

    def mounted(self, boot: str, now: str, files: Iterable[str]) -> None:
        """Refuse if those of the files that are below boot cannot be seen there.

        now: what the boot loader has at present, "" if it was not asked.
        """
        if now and boot != now:
            raise RefusedError(
                f"kernels are installed in {boot}, but bootctl names {now}: mount {boot}, "
                f"or say ESP={boot} if it was said before"
            )
        places = [self.at(path) for path in files if path.startswith(f"{boot}/")]
        there = (place.with_name(place.name + end) for place in places for end in ("", OLD))
        if places and not any(map(os.path.lexists, there)):
            raise RefusedError(
                f"none of the files that were installed in {self.at(boot)} is there: mount it; "
                "if they were deleted, make install brings them back first"
            )

    def recover(self, boot: Callable[[], str]) -> bool:
        """Undo or finish what another was about when it was stopped. Return whether it was.

        boot: asks the boot loader where its kernels are; "" if there is no boot loader.
        """
        journal = self.at(JOURNAL)
        if not journal.exists():
            self.disk.rmtree(self.unborn()[1])
            return False
        try:
            state = json.loads(journal.read_bytes())
            self.paths = [(path, bool(had)) for path, had in state["paths"]]
            self.folders, self.boot = state["folders"], state["boot"]
            done, manifest = state["done"], state["manifest"]
        except (ValueError, KeyError, TypeError):
            raise RefusedError(
                f"{journal} cannot be read: it is no journal; where it is from, files may have "
                f"been left that end in {NEW} and {OLD}"
            ) from None
        # what is done may have been tidied up
        self.mounted(self.boot, boot(), [path for path, had in self.paths if had and not done])
        if done:
            self.clean(manifest)
        else:
            self.undo()
        return True

    def unborn(self) -> tuple[Path, Path]:
        """Return the topmost folder of the state that is missing, and where it is prepared."""
        state = self.at(STATE)
        chain = [state, *state.parents]
        missing = [path for path in chain if not path.exists()]
        top = missing[-1] if missing else state
        return top, top.with_name(top.name + NEW)

    def begin(self, boot: str) -> None:
        """Write an empty journal; its folder comes into being together with it."""
        self.boot = boot
        state = self.at(STATE)
        if state.exists():
            self.write_journal()
            return
        top, prepared = self.unborn()
        # DESTDIR itself may be what is missing
        made = self.missing(state)
        self.folders = [self.name(path) for path in made]
        below = prepared / state.relative_to(top)
        for path in [*reversed(below.relative_to(prepared).parents), below.relative_to(prepared)]:
            self.disk.mkdir(prepared / path)
        self.write_journal(below / PurePosixPath(JOURNAL).name)
        self.disk.rename(prepared, top)
        for folder in [top.parent, *made]:
            self.disk.sync(folder)

    def name(self, path: Path) -> str:
        return "/" + str(path.relative_to(self.root)) if path != self.root else "/"

    def missing(self, folder: Path) -> list[Path]:
        """Return the folders that must be made for this one to be there, outermost first."""
        chain = [folder, *folder.parents]
        return [path for path in reversed(chain) if not path.exists()]

    def write_journal(self, path: Path | None = None, **more: Any) -> None:
        path = path or self.at(JOURNAL)
        state = {
            "boot": self.boot, "paths": self.paths, "folders": self.folders,
            "done": False, "manifest": None, **more,
        }  # fmt: skip
        self.replace(path, json.dumps(state).encode())

    def replace(self, path: Path, data: bytes) -> None:
        """Write a file, to the disk, at once or not at all."""
        new = path.with_name(path.name + NEW)
        self.disk.remove(new)
        self.disk.write(new, Content(data=data))
        self.disk.rename(new, path)
        self.disk.sync(path.parent)

    def remove(self, paths: Iterable[str]) -> None:
        """Take files away, which are kept until the end."""
        paths = [path for path in paths if os.path.lexists(self.at(path))]
        self.paths += [(path, True) for path in paths]
        self.write_journal()
        for path in paths:
            self.disk.rename(self.at(path), self.at(path + OLD))

    def add(self, files: Mapping[str, Content]) -> None:
        """Write files, and put them in place when all are written."""
        had = {path: os.path.lexists(self.at(path)) for path in files}
        folders: dict[Path, None] = {}
        for path in files:
            folders |= dict.fromkeys(self.missing(self.at(path).parent))
        self.paths += had.items()
        self.folders += map(self.name, folders)
        self.write_journal()
        for folder in folders:
            self.disk.mkdir(folder)
        for path, content in files.items():
            self.disk.write(self.at(path + NEW), content)
        for path in files:
            if had[path]:
                self.disk.rename(self.at(path), self.at(path + OLD))
            self.disk.rename(self.at(path + NEW), self.at(path))

    def finish(self, manifest: Mapping[str, Any] | None, folders: Iterable[str]) -> None:
        """Make it final. folders are those to remove if they are empty, innermost first."""
        text = json.dumps(manifest, indent=1) + "\n" if manifest else None
        folders = list(folders)
        os.sync()
        uninterrupted()
        try:
            self.write_journal(done=True, manifest=text, folders=folders)
        except OSError:
            self.write_journal()  # undone is what follows, also after a power cut
            raise
        self.done = True
        self.folders = folders
        try:
            self.clean(text)
        except OSError as error:
            raise RefusedError(
                f"it is done, but for tidying up, which the next run will do: {error}"
            ) from None

    def clean(self, manifest: str | None) -> None:
        """Do what follows from a journal that is done; can be done again."""
        for path, _ in self.paths:
            self.disk.remove(self.at(path + OLD))
        self.disk.rmtree(self.at(WORK))
        if manifest:
            self.replace(self.at(MANIFEST), manifest.encode())
        else:
            self.disk.remove(self.at(MANIFEST))
        self.rmdirs(self.folders)
        os.sync()
        self.forget(self.folders)

    def undo(self) -> None:
        """Put back what was there; can be done again."""
        for path, had in reversed(self.paths):
            new, old, place = self.at(path + NEW), self.at(path + OLD), self.at(path)
            self.disk.remove(new)
            if os.path.lexists(old):
                self.disk.rename(old, place)
            elif not had:
                self.disk.remove(place)
        self.disk.rmtree(self.at(WORK))
        self.rmdirs(self.folders[::-1])
        os.sync()
        self.forget(self.folders)

    def rmdirs(self, folders: Iterable[str]) -> None:
        """Remove those that are empty, but the folders of the journal, which is still needed."""
        state = {STATE, *map(str, PurePosixPath(STATE).parents)}
        for folder in folders:
            if folder not in state:
                self.disk.rmdir(self.at(folder))

    def forget(self, folders: Iterable[str]) -> None:
        """Remove the journal, in one step with those of its folders that are given and go."""
        made = set(folders)
        state = self.at(STATE)
        journal = self.at(JOURNAL)
        inside = {journal.name, journal.name + NEW}
        top = None
        for folder in [state, *state.parents]:
            if self.name(folder) not in made or not folder.is_dir():
                break
            if {path.name for path in folder.iterdir()} - inside:
                break
            top, inside = folder, {folder.name}
            if folder == self.root:
                break
        if top:
            self.disk.rename(top, top.with_name(top.name + NEW))
        else:
            self.disk.remove(self.at(JOURNAL + NEW))
            self.disk.remove(journal)
        self.disk.rmtree(self.unborn()[1])
