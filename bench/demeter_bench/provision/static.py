# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixed sizes: a VM boots with its share of every tier and keeps it."""

from __future__ import annotations

from typing import ClassVar

from ..design import Design
from ..settings import Settings
from .provision import Node, Provision, Taken, shares


class Static(Provision):
    """Nothing to do."""

    name = "static"
    about = "each node boots with its share"
    title = "static"
    color = "#7f7f7f"
    line = "-"
    shrinks: ClassVar[bool] = False

    @classmethod
    def layout(cls, s: Settings, design: Design) -> list[Node]:
        return [Node(tier, share, share) for tier, share in shares(s, design)]

    async def resize(self, shares: list[int]) -> None:
        raise NotImplementedError("nobody asks")

    async def taken(self, shares: list[int]) -> list[Taken]:
        raise NotImplementedError("nobody asks")


PROVISION = Static
