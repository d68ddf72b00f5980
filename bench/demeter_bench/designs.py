# SPDX-License-Identifier: GPL-2.0-or-later
"""The designs that there are: every folder of designs/ that has a design.py."""

from __future__ import annotations

from . import discover
from .design import Design

FOUND = discover.find(discover.TOP / "designs", "design.py", "DESIGNS", Design)

DESIGNS = {name: found.entry for name, found in FOUND.items()}


def symbol(name: str) -> str | None:
    """What selects the design in the configuration; None when nothing has to be built."""
    folder = FOUND[name].folder
    return discover.symbol("DESIGN", folder.name) if (folder / "Kconfig").exists() else None
