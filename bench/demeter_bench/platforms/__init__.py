# SPDX-License-Identifier: GPL-2.0-or-later
"""The platforms that there are: every module of this package that has a PLATFORM."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ..discover import symbol
from ..errors import UserError
from .platform import Platform

PLATFORMS: dict[str, type[Platform]] = {}
for _module in pkgutil.iter_modules(__path__):
    _class = getattr(import_module(f"{__name__}.{_module.name}"), "PLATFORM", None)
    if _class is not None:
        PLATFORMS[_class.name] = _class


def select(kconfig: dict[str, str], asked: str | None = None) -> type[Platform]:
    """The platform that is asked for, else the configured one, else the best of usable ones.

    One that is named may be unusable here: see require_usable(). Raises UserError when it
    is unknown.
    """
    if asked is None:
        asked = next((name for name in PLATFORMS if symbol("PLATFORM", name) in kconfig), None)
    if asked is None:
        automatic = [p for p in PLATFORMS.values() if p.preference is not None]
        for platform in sorted(automatic, key=lambda p: -(p.preference or 0)):
            if platform.why_not() is None:
                return platform
        raise UserError("no platform can be used here; 'make help' lists them")
    if asked not in PLATFORMS:
        raise UserError(f"PLATFORM: unknown: {asked}; there are: {' '.join(PLATFORMS)}")
    return PLATFORMS[asked]


def require_usable(platform: type[Platform]) -> None:
    """Raise UserError when this machine cannot run the platform."""
    reason = platform.why_not()
    if reason:
        others = " or ".join(name for name in PLATFORMS if name != platform.name)
        raise UserError(f"the {platform.name} platform cannot be used: {reason}; choose {others}")
