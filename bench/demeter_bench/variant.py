# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared with one another.

A design with its parameters, in VMs that are provisioned in one way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .designs import DESIGNS
from .parameters import combinations
from .provision import PROVISIONS
from .provision.static import Static
from .settings import Settings


class Variant(NamedTuple):
    """A bar of the chart; as a string, a name for messages."""

    design: str
    provision: str = Static.name
    parameters: str = ""  # those that were chosen, "a=1 b=2"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Variant:
        """That of a row of the summary."""
        return cls(row["design"], row["provision"], row["parameters"] or "")

    def __str__(self) -> str:
        usual = self.provision == Static.name
        name = self.design if usual else f"{self.design}-{self.provision}"
        return f"{name} {self.parameters}".strip()

    @property
    def file_name(self) -> str:
        return str(self).replace(" ", "-")

    @property
    def title(self) -> str:
        """What it is called in tables and charts."""
        title = f"{DESIGNS[self.design].title} {self.parameters}".strip()
        if self.provision == Static.name:
            return title
        return f"{title}, {PROVISIONS[self.provision].title}"


def variants(s: Settings) -> list[Variant]:
    """All, in the order in which they are shown."""
    return [
        Variant(design, provision, chosen)
        for design in s.designs
        for chosen in combinations(s.parameters.get(design, {}))
        for provision in s.provision
    ]
