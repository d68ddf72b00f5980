# SPDX-License-Identifier: GPL-2.0-or-later
"""Find what a user's program needs, and give each file its place in the guest.

Everything goes through Packer.add(), which refuses a place that is taken, reserved or
outside. Shared libraries are found with ldd, and go to /job/lib.
"""

from __future__ import annotations

import re
import stat
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import environ
from pathlib import Path, PurePosixPath

from .digest import sha256
from .errors import UserError
from .settings import Packed, Program
from .stream import printable

# what else is in /job (vm.py), and where libraries go
RESERVED = ("env", "setup", "run", "provision", "counters", "lib")
LIBRARIES = "lib"
# where the guest looks for libraries; what is named in FILES is beside them
GUEST_LIBRARY_PATH = f"/job/{LIBRARIES}:/job"
# what is the guest's own, or mounted over
GUEST_OWN = re.compile(
    r"/(?:bin|dev|etc|init|job|out|proc|root|sys|tmp|usr/bin|lib/modules)(?:/.*)?"
)
ELF_MAGIC = b"\x7fELF"
ELF_64, ELF_LITTLE, EM_X86_64 = 2, 1, 62
# what the guest's busybox is
GUEST_SHELLS = ("/bin/sh", "/bin/busybox")
LIBRARY_NAME = re.compile(r".+\.so(\.[\w.]+)?")


def refusal(path: Path | str, why: str) -> UserError:
    """Return the error about a file, one line whatever its name."""
    return UserError(f"FILES: {printable(str(path), 1000)}: {printable(why, 1000)}")


@dataclass
class Listing:
    """What ldd said of a file: a library's name -> its path, and what is wrong."""

    found: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def parse_ldd(text: str) -> Listing:
    """Read ldd's standard output about one file."""
    listing = Listing()
    for line in map(str.strip, text.splitlines()):
        named = re.fullmatch(r"(.+?) => (.+) \(0x[0-9a-f]+\)", line)
        bare = re.fullmatch(r"(/?.+) \(0x[0-9a-f]+\)", line)
        missing = re.fullmatch(r"(.+) => not found", line)
        if missing:
            listing.wrong.append(f"needs the library {missing[1]}, which is not found here")
        elif named:
            listing.found[named[1]] = named[2]
        elif bare and bare[1].startswith("/"):
            # the loader, or what is needed by its whole path
            listing.found[bare[1]] = bare[1]
        elif bare and "/" in bare[1]:
            listing.wrong.append(f"needs the library {bare[1]}, found in the current folder only")
        elif not bare and line not in ("", "statically linked"):
            listing.wrong.append(f"ldd: {line}")
    for name in listing.found:
        if "/" in name and not name.startswith("/"):
            listing.wrong.append(f"needs the library {name}, found in the current folder only")
    return listing


def libraries(path: Path, folders: Sequence[Path] = ()) -> dict[str, str]:
    """What a program or library for x86-64 needs, looked for in folders first.

    Raises UserError with one line when something is missing.
    """
    search = [*map(str, folders), environ.get("LD_LIBRARY_PATH", "")]
    done = subprocess.run(
        ["ldd", path.absolute()],
        capture_output=True,
        text=True,
        errors="replace",
        env={"LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(filter(None, search))},
    )
    if done.returncode:
        if "not a dynamic executable" in done.stdout + done.stderr:
            return {}
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise refusal(path, f"ldd: {said}")
    listing = parse_ldd(done.stdout)
    if listing.wrong:
        raise refusal(path, "; ".join(listing.wrong))
    return listing.found


@dataclass
class Packer:
    """Collects the files of a program, each with its place in the guest."""

    packed: dict[str, Packed] = field(default_factory=dict)
    tops: set[str] = field(default_factory=set)  # names in /job of what the user named
    folders: list[Path] = field(default_factory=list)  # of libraries that the user named

    def add(self, place: str, path: Path) -> None:
        """Give the file the place."""
        pure = PurePosixPath(place)
        if str(pure) != place or ".." in pure.parts or place in ("", ".", "/"):
            raise refusal(path, f"{place} is no place in the guest")
        if GUEST_OWN.fullmatch(place) or (pure.parts[0] in RESERVED and pure.parts[0] != LIBRARIES):
            raise refusal(path, f"{place} is the guest's own: rename it")
        new = Packed(place, str(path.absolute()), sha256(path))
        old = self.packed.setdefault(place, new)
        if old.sha256 != new.sha256:
            raise refusal(path, f"its place in the guest, {place}, is taken by {old.path}")

    def add_named(self, text: str) -> None:
        """Take what the user named: a file, or a folder with all that is in it."""
        path = Path(text)
        # a name as it was given, not what a link leads to
        name = path.name if path.name not in ("", "..") else path.resolve().name
        if not name:
            raise refusal(text, "name what is in it instead")
        if name in self.tops or name in RESERVED:
            raise refusal(text, f"/job/{name} is taken: rename it")
        self.tops.add(name)
        if LIBRARY_NAME.fullmatch(name) and path.is_file():
            self.folders.append(path.absolute().parent)
        self.add_tree(name, path, frozenset())

    def add_tree(self, place: str, path: Path, above: frozenset[Path]) -> None:
        """Take a file or folder; links are followed."""
        if path.is_file():
            self.add(place, path)
            return
        if not path.is_dir():
            if path.exists():
                raise refusal(path, "neither a file nor a folder")
            link = f"the link leads to {path.readlink()}: " if path.is_symlink() else ""
            raise refusal(path, f"{link}no such file")
        if path.resolve() in above:
            raise refusal(path, "a link to a folder that it is in")
        inside = sorted(path.iterdir())
        if not inside:
            self.add(place, path)
        for child in inside:
            self.add_tree(f"{place}/{child.name}", child, above | {path.resolve()})

    def add_libraries(self, path: Path, started: bool) -> None:
        """Take what the file needs if it is a program or a library.

        Refuse what cannot run in the guest if it is to be started there by its name.
        """
        executable = path.stat().st_mode & stat.S_IXUSR
        if path.is_dir() or not (executable or LIBRARY_NAME.fullmatch(path.name)):
            return
        with path.open("rb") as f:
            head = f.read(256)
        if head.startswith(b"#!") and started:
            interpreter = head[2:].split(b"\n")[0].decode(errors="replace").split()[:1]
            if not interpreter or interpreter[0] not in GUEST_SHELLS:
                raise refusal(
                    path,
                    f"a script for {' '.join(interpreter) or 'nothing'}, which the guest does "
                    f"not have: it has {GUEST_SHELLS[0]} (or chmod -x what is only read)",
                )
        if not head.startswith(ELF_MAGIC):
            return
        (machine,) = struct.unpack_from("<H", head, 18) if len(head) >= 20 else (0,)
        if (*head[4:6], machine) != (ELF_64, ELF_LITTLE, EM_X86_64):
            if started:
                raise refusal(path, "no program for x86-64, which the guest is")
            return
        for name, found in libraries(path, self.folders).items():
            own = self.packed.get(name)
            if own and Path(own.path).samefile(found):
                continue  # named by the user, and found where it is
            self.add(name if name.startswith("/") else f"{LIBRARIES}/{name}", Path(found))


def pack(files: Sequence[str], started: str = "") -> tuple[Packed, ...]:
    """Find the files and what they need.

    Raises UserError about what cannot run in the guest, if it is named in files or at the
    place that is started.
    """
    packer = Packer()
    try:
        for text in files:
            packer.add_named(text)
        for file in list(packer.packed.values()):
            packer.add_libraries(Path(file.path), file.place in {started, *packer.tops})
    except OSError as error:
        raise refusal(error.filename or "", error.strerror or str(error)) from None
    return tuple(packer.packed.values())


def unchanged(program: Program) -> Program:
    """Refuse a program of whose files one is not what it was; returns program."""
    packer = Packer()
    for file in program.packed:
        path = Path(file.path)
        try:
            packer.add(file.place, path)
        except OSError as error:
            raise refusal(path, f"as it was packed: {error.strerror}") from None
        if packer.packed[file.place] != file:
            raise refusal(path, "is not what it was when the benchmark began")
    return program
