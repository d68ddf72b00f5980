# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways to provision VMs that there are: every module here that has a PROVISION."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from .provision import Provision

PROVISIONS: dict[str, type[Provision]] = {}
for _module in pkgutil.iter_modules(__path__):
    _class = getattr(import_module(f"{__name__}.{_module.name}"), "PROVISION", None)
    if _class is not None:
        PROVISIONS[_class.name] = _class
