# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared with one another: a design, in VMs that are provisioned in one way."""

from __future__ import annotations

from typing import NamedTuple

from .designs import DESIGNS
from .provision import PROVISIONS
from .provision.static import Static
from .settings import Settings


class Variant(NamedTuple):
    """A bar of the chart; as a string, a name for files and messages."""

    design: str
    provision: str = Static.name

    def __str__(self) -> str:
        usual = self.provision == Static.name
        return self.design if usual else f"{self.design}-{self.provision}"

    @property
    def title(self) -> str:
        """What it is called in tables and charts."""
        title = DESIGNS[self.design].title
        if self.provision == Static.name:
            return title
        return f"{title}, {PROVISIONS[self.provision].title}"


def variants(s: Settings) -> list[Variant]:
    """All, in the order in which they are shown."""
    return [Variant(design, provision) for design in s.designs for provision in s.provision]
