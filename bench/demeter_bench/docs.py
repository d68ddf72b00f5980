# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of the manual that follow from what is there: make docs.

In docs/*.md, what lies between the lines "<!-- table: NAME -->" and "<!-- end -->" is
written by write(); a test tells when it is not what it would write.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import discover
from .designs import DESIGNS
from .platforms import PLATFORMS
from .workloads import WORKLOADS

MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def tables() -> dict[str, str]:
    """The tables by name, as Markdown."""
    entries = {
        "designs": {name: d.about for name, d in DESIGNS.items()},
        "workloads": {
            name: f"{w.form_of}: {w.about}" if w.form_of else w.about
            for name, w in WORKLOADS.items()
        },
        "platforms": {name: p.about for name, p in PLATFORMS.items()},
    }
    return {
        table: "| name | what it is |\n|---|---|\n"
        + "".join(f"| `{name}` | {about} |\n" for name, about in rows.items())
        for table, rows in entries.items()
    }


def filled(text: str) -> str:
    """The text of a document with its tables as they should be."""
    known = tables()
    return MARKED.sub(lambda m: m[1] + known[m[2]] + m[3], text)


def write(folder: Path = discover.TOP / "docs") -> None:
    """Write the tables of all documents anew."""
    for path in sorted(folder.glob("*.md")):
        text = path.read_text()
        if filled(text) != text:
            path.write_text(filled(text))
            print(f"  {path.relative_to(folder.parent)}")
