# SPDX-License-Identifier: GPL-2.0-or-later
"""Skeletons of a new design or workload: make new-design, make new-workload.

A skeleton is a copy of bench/templates/<kind>/ with the name filled in. It builds, runs
and passes its tests as it is. The tables of docs/user-guide.md are written anew from what
is there then (docs.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import discover
from .designs import DESIGNS
from .errors import UserError
from .workloads import IMAGE_PROGRAMS

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def unused_color() -> str:
    """A color that no design has, as far as there are: #rrggbb."""
    steps = (0x00, 0x55, 0xAA)
    colors = [f"#{r:02x}{g:02x}{b:02x}" for r in (0xAA, 0x55, 0x00) for g in steps for b in steps]
    taken = {design.color.lower() for design in DESIGNS.values()}
    return next((color for color in colors if color not in taken), colors[0])


def create(kind: str, name: str, top: Path = discover.TOP) -> Path:
    """Make <top>/<kind>s/<name> from the template of the kind; returns the folder.

    Raises UserError, with nothing made, when the name is none or is taken.
    """
    if not discover.NAME.fullmatch(name) or len(name) > 32:
        raise UserError(
            f"NAME={name}: give a name of at most 32 of a-z, 0-9, _ and - after a letter"
        )
    if kind == "workload" and "-" in name:
        raise UserError(f"NAME={name}: a workload is a program and a C file: use _ instead of -")
    folder = top / f"{kind}s" / name
    if folder.exists():
        raise UserError(f"NAME={name}: {kind}s/{name} is there already")
    file, table = {"design": ("design.py", "DESIGNS"), "workload": ("bench.py", "WORKLOADS")}[kind]
    taken = discover.find(top / f"{kind}s", file, table, object)
    for other, found in taken.items():
        if discover.symbol("", other) == discover.symbol("", name):
            raise UserError(f"NAME={name}: {kind}s/{found.folder.name} has that name: {other}")
    if kind == "workload" and name in IMAGE_PROGRAMS:
        raise UserError(f"NAME={name}: the guest's image has a program of that name")
    words = {
        "@NAME@": name,
        "@SYMBOL@": name.upper().replace("-", "_"),
        "@COLOR@": unused_color(),
    }

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    new = folder.with_name(f".{name}.new")
    try:
        for path in sorted(p for p in (TEMPLATES / kind).rglob("*") if p.is_file()):
            target = new / filled(str(path.relative_to(TEMPLATES / kind)))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(filled(path.read_text()))
        new.rename(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder
