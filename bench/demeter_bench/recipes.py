# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes that there are: every folder of bench/recipes/ that has a recipe.py."""

from __future__ import annotations

from . import discover
from .recipe import Recipe

FOUND = discover.find(discover.TOP / "bench/recipes", "recipe.py", "RECIPES", Recipe)

RECIPES = {name: found.entry for name, found in FOUND.items()}
