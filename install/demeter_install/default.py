# SPDX-License-Identifier: GPL-2.0-or-later
"""Which entry the boot loader takes by itself, and that an installation leaves it the one.

systemd-boot takes the first of these that is there: the entry that is to be booted once, one
that `bootctl set-default` has named, one that loader.conf names, and the first by sort-key;
entries without a sort-key come last. See systemd-boot(7), and the Boot Loader Specification.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from entry import SORT_KEY

from . import RefusedError
from .machine import Machine

VARIABLES = "/sys/firmware/efi/efivars/{}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


@dataclass(frozen=True)
class Default:
    entry: str  # name of its file
    loader_conf: bytes


def find_default(machine: Machine, names: Iterable[str]) -> Default:
    """Return the default. Refuses if entries of these names would change it once they are there."""
    once = variable("LoaderEntryOneShot")
    if once:
        raise RefusedError(
            f"the next boot is to be of {once}: reboot first, or take that back by "
            'bootctl set-oneshot ""'
        )
    listed = entries(machine)
    default = next((entry for entry in listed if is_default(entry)), None)
    if not default:
        raise RefusedError("bootctl list shows no default entry: bootctl set-default names one")
    new = sorted(set(names) - {entry["id"] for entry in listed})
    conf = loader_conf(machine)
    if new and takes_over(new, default, patterns(conf)):
        raise RefusedError(
            f"{new[0]} would become the default entry instead of {default['id']}: "
            f"bootctl set-default {default['id']}, then install again"
        )
    return Default(default["id"], conf)


def compare(machine: Machine, before: Default) -> None:
    """Refuse to let the machine boot something else by itself than it did before."""
    now = next((entry["id"] for entry in entries(machine) if is_default(entry)), "")
    if now != before.entry:
        raise RefusedError(
            f"{now} would become the default entry instead of {before.entry}, so all was undone: "
            f"bootctl set-default {before.entry}, then install again"
        )
    if loader_conf(machine) != before.loader_conf:
        raise RefusedError("loader.conf was changed meanwhile, so all was undone")


def takes_over(new: Collection[str], default: Mapping[str, str], patterns: Iterable[str]) -> bool:
    for pattern in patterns:
        ours = any(matches(name, pattern) for name in new)
        theirs = matches(default["id"], pattern)
        if ours != theirs:
            return ours
        if ours:
            break
    return default.get("sort-key", SORT_KEY) >= SORT_KEY


def patterns(conf: bytes) -> list[str]:
    """Return what default entries are chosen by, the one that counts more first."""
    lines = [line.split(None, 1) for line in conf.decode(errors="replace").splitlines()]
    said = [words[1].strip() for words in lines if words[:1] == ["default"] and len(words) > 1]
    found = [variable("LoaderEntryDefault"), *said[-1:]]
    return [variable("LoaderEntryLastBooted") if p == "@saved" else p for p in found]


def matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def variable(name: str) -> str:
    """Return what a variable of the boot loader says, "" if it is not set."""
    path = Path(VARIABLES.format(name))
    attributes = 4  # bytes before the value
    value = path.read_bytes()[attributes:] if path.exists() else b""
    return value.decode("utf-16-le", "replace").rstrip("\0")


def loader_conf(machine: Machine) -> bytes:
    path = Path(machine.bootctl("--print-esp-path")) / "loader/loader.conf"
    return path.read_bytes() if path.exists() else b""


def entries(machine: Machine) -> list[dict[str, str]]:
    """Return what bootctl knows of each entry; its title also says whether it is the default."""
    found = []
    for block in machine.bootctl("list", "--no-pager").split("\n\n"):
        lines = (line.strip().partition(": ") for line in block.splitlines())
        entry = {key: value.strip() for key, _, value in lines}
        if "id" in entry:
            found.append(entry)
    return found


def is_default(entry: Mapping[str, str]) -> bool:
    return "(default)" in entry.get("title", "")
