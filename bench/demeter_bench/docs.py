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
from .errors import UserError
from .options import BENCH as OPTIONS
from .platforms import PLATFORMS
from .provision import PROVISIONS
from .recipes import RECIPES
from .workload import title
from .workloads import WORKLOADS

MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def rows(entries: dict[str, str], *heads: str) -> str:
    """A table in Markdown; a key may have several cells."""
    lines = [heads, ("---",) * len(heads), *((*k.split("\0"), v) for k, v in entries.items())]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def tables() -> dict[str, str]:
    """The tables by name, as Markdown."""
    options = {f"`{o.name}`\0{o.about}": o.default for o in OPTIONS}
    designs = {f"`{name}`": d.about for name, d in DESIGNS.items()}
    workloads = {f"`{name}`": title(w) for name, w in WORKLOADS.items()}
    provisions = {f"`{name}`": p.about for name, p in PROVISIONS.items()}
    platforms = {f"`{name}`": p.about for name, p in PLATFORMS.items()}
    recipes = {f"`{name}`": r.about for name, r in RECIPES.items()}
    stats = {
        f"`{design}`\0`{name}`": stat.about
        for design, d in DESIGNS.items()
        for name, stat in d.stats.items()
    }
    parameters = {
        f"`{design}.{name}`\0{p.default}\0{'' if p.published is None else p.published}\0"
        f"{'0, ' if p.or_zero else ''}{p.low}..{p.high}": p.about
        for design, d in DESIGNS.items()
        for name, p in d.parameters.items()
    }
    return {
        "options": rows(options, "variable", "meaning", "default"),
        "designs": rows(designs, "name", "what it is"),
        "workloads": rows(workloads, "name", "what it is"),
        "provisions": rows(provisions, "name", "what it is"),
        "platforms": rows(platforms, "name", "what it is"),
        "recipes": rows(recipes, "name", "what is compared"),
        "stats": rows(stats, "design", "column", "meaning"),
        "parameters": rows(parameters, "parameter", "default", "as published", "values", "meaning"),
    }


def filled(text: str) -> str:
    """The text of a document with its tables as they should be."""
    known = tables()

    def table(match: re.Match[str]) -> str:
        if match[2] not in known:
            raise UserError(f"table: {match[2]}: unknown; there are: {' '.join(known)}")
        return match[1] + known[match[2]] + match[3]

    return MARKED.sub(table, text)


def write(folder: Path = discover.TOP / "docs") -> None:
    """Write the tables of all documents anew."""
    for path in sorted(folder.glob("*.md")):
        text = path.read_text()
        try:
            wanted = filled(text)
        except UserError as error:
            raise UserError(f"{path.name}: {error}") from None
        if wanted != text:
            new = path.with_name(path.name + ".new")
            new.write_text(wanted)
            new.replace(path)
            print(f"  {path.relative_to(folder.parent)}")
