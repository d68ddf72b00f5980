# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recipe is: a comparison that is known by a name, and what it is to show.

bench/recipes/*/recipe.py defines one or more (see docs/extending.md); only these name
designs and workloads. A recipe fixes options of make bench. What the user gives wins.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from . import designs
from .designs import DESIGNS
from .errors import UserError
from .options import BENCH as OPTIONS
from .parameters import parse


@dataclass(frozen=True)
class Chart:
    """Columns of the summary that are drawn and shown beside the usual ones."""

    columns: Mapping[str, str]  # column -> what it is called there
    label: str  # of the axis, with the unit
    stacked: bool = False  # parts of one bar; otherwise bars side by side


@dataclass(frozen=True)
class Recipe:
    """A comparison."""

    about: str  # one line, for help and docs
    designs: tuple[str, ...]  # those of them that are there run
    workloads: tuple[str, ...]
    _: KW_ONLY
    parameters: str = ""  # as PARAMETERS; those of designs that do not run are left out
    # more options of make bench, by their names
    options: Mapping[str, str] = field(default_factory=dict)
    chart: Chart | None = None
    # preset -> a table of what was published for it (published.py)
    published: Mapping[str, Path] = field(default_factory=dict)


def runnable(name: str, recipe: Recipe, kconfig: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The recipe's designs that can run, and a line about each other one."""
    chosen, notes = [], []
    for one in recipe.designs:
        if one not in DESIGNS:
            notes.append(f"{name}: {one} is left out: there is no such design")
        elif (symbol := designs.symbol(one)) is not None and symbol not in kconfig:
            notes.append(f"{name}: {one} is left out: it is not selected, see 'make menuconfig'")
        else:
            chosen.append(one)
    if not chosen:
        raise UserError(f"RECIPE={name}: none of its designs can run: {' '.join(recipe.designs)}")
    return chosen, notes


def apply(name: str, recipe: Recipe, args: Namespace, kconfig: Mapping[str, str]) -> list[str]:
    """Give args (see cli.py) what the recipe says, where the user has said nothing.

    Returns lines about what is left out.
    """
    notes: list[str] = []
    if args.designs is None:
        chosen, notes = runnable(name, recipe, kconfig)
    else:
        chosen = args.designs.replace(",", " ").split()
    usual = {"NAME": name, **recipe.options, "DESIGNS": " ".join(chosen)}
    if args.command is None:
        usual["WORKLOADS"] = " ".join(recipe.workloads)
    words = recipe.parameters.split()
    mine = [word for word in words if word.partition(".")[0] in chosen or chosen == ["all"]]
    usual["PARAMETERS"] = " ".join(mine)
    if args.parameters is None:
        missing = sorted({design for word in words if word not in mine for design in parse(word)})
        notes += [
            f"{name}: {design} does not run, nor what is compared of it" for design in missing
        ]
    for option in OPTIONS:
        if option.name in usual and getattr(args, option.dest) is None:
            setattr(args, option.dest, usual[option.name])
    return notes
