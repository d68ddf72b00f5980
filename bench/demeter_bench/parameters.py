# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters of designs that users choose: PARAMETERS="demeter.epoch_ms=100,200".

Several values of one are a sweep: the design runs once with each, and with each combination
if several parameters have several.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from .design import Design
from .designs import DESIGNS
from .errors import UserError
from .settings import Parameters, Settings

WORD = re.compile(r"([a-z][a-z0-9_-]*)\.(\w+)=(-?[0-9]+(?:,-?[0-9]+)*)")
MAX_COMBINATIONS = 256  # of a design
MAX_LENGTH = 150  # of a combination, which becomes part of a folder's name


def parse(text: str) -> Parameters:
    """What was given; check_parameters() says if it can be.

    Raises UserError with one line about what cannot be read.
    """
    found: Parameters = {}
    for word in text.split():
        match = WORD.fullmatch(word)
        if not match:
            raise UserError(
                f"PARAMETERS: {word}: not like demeter.epoch_ms=100, or with several values "
                "that are separated by commas"
            )
        design, name, values = match.groups()
        mine = found.setdefault(design, {})
        if name in mine:
            raise UserError(f"PARAMETERS: {design}.{name} is there twice")
        # each once, in the order in which they are given
        mine[name] = tuple(dict.fromkeys(map(int, values.split(","))))
    return found


def check_parameters(s: Settings) -> None:
    """Refuse parameters that do not exist, values that they cannot have, and too many."""
    for name, given in s.parameters.items():
        if name not in DESIGNS:
            raise UserError(f"PARAMETERS: unknown design: {name}; there are: {' '.join(DESIGNS)}")
        if name not in s.designs:
            raise UserError(f"PARAMETERS: {name} is not among DESIGNS: {' '.join(s.designs)}")
        for parameter, values in given.items():
            check_values(name, DESIGNS[name], parameter, values)
        made = combinations(given)
        if len(made) > MAX_COMBINATIONS:
            raise UserError(
                f"PARAMETERS: {len(made)} combinations of values for {name}: at most "
                f"{MAX_COMBINATIONS}"
            )
        if max(map(len, made)) > MAX_LENGTH:
            raise UserError(f"PARAMETERS: too many parameters of {name} at once")


def check_values(name: str, design: Design, parameter: str, values: tuple[int, ...]) -> None:
    """Refuse a parameter that the design does not have, or a value that it cannot have."""
    if parameter not in design.parameters:
        there = " ".join(design.parameters) or "none"
        raise UserError(f"PARAMETERS: {name} has no parameter {parameter}; there are: {there}")
    known = design.parameters[parameter]
    if not values:
        raise UserError(f"PARAMETERS: {name}.{parameter}: no value")
    for value in values:
        if not known.allows(value):
            zero = ", or 0" if known.or_zero else ""
            raise UserError(
                f"PARAMETERS: {name}.{parameter}={value}: must be from {known.low} to "
                f"{known.high}{zero}"
            )


def combinations(given: dict[str, tuple[int, ...]]) -> list[str]:
    """What a design runs with: "a=1 b=2" for every combination, "" for none."""
    words = ([f"{name}={value}" for value in values] for name, values in given.items())
    return [" ".join(combination) for combination in itertools.product(*words)]


def values_of(combination: str) -> dict[str, int]:
    """The values of a combination."""
    pairs = (word.split("=") for word in combination.split())
    return {name: int(value) for name, value in pairs}


def swept(s: Settings, design: str) -> str | None:
    """The one parameter of the design that has several values; None when there is not one."""
    several = [name for name, values in s.parameters.get(design, {}).items() if len(values) > 1]
    return several[0] if len(several) == 1 else None


def to_json(s: Settings) -> dict[str, Any]:
    """All parameters of the designs with their values, for the archive."""
    return {
        name: {
            parameter: {
                "values": s.parameters.get(name, {}).get(parameter, (known.default,)),
                "default": known.default,
                "published": known.published,
                "file": DESIGNS[name].path(known.file or parameter),
                "about": known.about,
            }
            for parameter, known in DESIGNS[name].parameters.items()
        }
        for name in s.designs
        if DESIGNS[name].parameters
    }
