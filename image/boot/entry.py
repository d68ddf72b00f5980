# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot entries of our kernels, by the Boot Loader Specification (type 1).

Disk images and `make install` put the same entry on an EFI system partition (ESP):
loader/entries/linux-<release>.conf, for the kernel /demeter/<release>/vmlinuz. What a
variant's kernel needs on its command line is in <variant>.options beside this file.

    entry.py [--config FILE] VARIANT RELEASE ROOT [OPTION...]    prints an entry

--config names the configuration of the build, whose HOST_CMDLINE comes last: for hosts.

Needs nothing but the standard library.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SORT_KEY = "demeter"
TITLE = re.compile(r"Demeter: (?P<variant>\S+), Linux (?P<version>\S+)")
# what goes into names of files and folders
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")


class EntryError(ValueError):
    """What is wrong with an entry, on one line."""


@dataclass(frozen=True)
class Entry:
    """An entry for one kernel; a value that would break its file is refused."""

    variant: str  # demeterhost
    version: str  # of Linux: 6.12.118
    release: str  # what uname -r says: 6.12.118-demeterhost
    root: str  # what follows root=: PARTUUID=..., /dev/...
    options: str = ""  # the rest of the command line
    initrd: str = ""  # its path on the ESP, if there is one

    def __post_init__(self) -> None:
        for what in ("variant", "version", "release"):
            value = getattr(self, what)
            if not NAME.fullmatch(value):
                raise EntryError(f"boot entry: {what} cannot be {value!r}")
        for what in ("root", "initrd"):
            value = getattr(self, what)
            if value.split() != [value] and not (what == "initrd" and not value):
                raise EntryError(f"boot entry: {what} must be one word: {value!r}")
        if not self.options.isprintable():
            raise EntryError(f"boot entry: options must be one line: {self.options!r}")

    @property
    def name(self) -> str:
        """Of its file in loader/entries/."""
        return f"linux-{self.release}.conf"

    @property
    def folder(self) -> str:
        """Where its kernel is, from the root of the ESP."""
        return f"demeter/{self.release}"

    def text(self) -> str:
        """Return what its file holds."""
        lines = [
            f"title Demeter: {self.variant}, Linux {self.version}",
            f"sort-key {SORT_KEY}",
            f"version {self.release}",
            f"linux /{self.folder}/vmlinuz",
            *([f"initrd {self.initrd}"] if self.initrd else []),
            f"options root={self.root} {self.options}".rstrip(),
        ]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Return the entry that text() has written; raise EntryError for any other text."""
        fields = dict(line.partition(" ")[::2] for line in text.splitlines())
        title = TITLE.fullmatch(fields.get("title", ""))
        root, _, options = fields.get("options", "").partition(" ")
        if title and root.startswith("root="):
            release, initrd = fields.get("version", ""), fields.get("initrd", "")
            entry = cls(**title.groupdict(), release=release, root=root[len("root=") :],
                        options=options, initrd=initrd)  # fmt: skip
            if entry.text() == text:
                return entry
        raise EntryError("boot entry: not one of Demeter's")


def variant_options(variant: str, folder: Path = FOLDER) -> list[str]:
    """Return what the variant's kernel needs on its command line; none if there is no file."""
    path = folder / f"{variant}.options"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def cmdline(config: Path) -> str:
    """Return what HOST_CMDLINE says in a .config, as it was typed; "" if it is not there."""
    found = re.search(r'^CONFIG_HOST_CMDLINE="(.*)"$', config.read_text(), re.M)
    return re.sub(r"\\(.)", r"\1", found[1]).strip() if found else ""


def make_entry(variant: str, release: str, root: str, *more: str, initrd: str = "") -> Entry:
    """Return the entry of a staged kernel; more are options beyond those of its variant."""
    version = release.removesuffix(f"-{variant}")
    if version == release:
        raise EntryError(f"boot entry: {release!r} is no release of {variant}")
    options = " ".join([*variant_options(variant), *filter(None, more)])
    return Entry(variant, version, release, root, options, initrd)


def main(argv: list[str]) -> int:
    args, config = argv[1:], None
    if args[:1] == ["--config"] and len(args) > 1:
        config, args = Path(args[1]), args[2:]
    if len(args) < 3 or args[0].startswith("-"):
        usage = "usage: entry.py [--config FILE] VARIANT RELEASE ROOT [OPTION...]"
        print(usage, file=sys.stderr)
        return 2
    try:
        more = cmdline(config) if config else ""
        print(make_entry(*args, more).text(), end="")
    except (EntryError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
