# SPDX-License-Identifier: GPL-2.0-or-later
"""What is there: folders of the repository that bring a Python file, loaded.

Designs and workloads live in folders of their own outside this package
(designs/<name>/design.py, workloads/<name>/bench.py) and are known by being there.
Help is printed from this before anything is installed, so nothing but the
standard library is needed.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Generic, NamedTuple, TypeVar

from .errors import UserError

TOP = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z][a-z0-9_-]*")
T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """An entry of a table, and the folder that it is from."""

    entry: T
    folder: Path


def where(error: Exception, path: Path) -> str:
    """The last line of path that the error came through, as "line N: "."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno}: "
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def execute(path: Path, shown: str) -> ModuleType:
    """The module that the file is."""
    name = "_".join((*path.parts[-3:-1], path.stem)).replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error).partition("\n")[0]
        raise UserError(f"{shown}: {where(error, path)}{type(error).__name__}: {why}") from error
    return module


def find(base: Path, file: str, table: str, type_: type[T]) -> dict[str, Found[T]]:
    """All entries of the dictionary that base/*/file has by the name of table.

    They are in the order of the folders' names and, of one folder, of its table. Raises
    UserError with one line about a file that cannot be loaded or has no such table, and
    about a name that is none or is there twice.
    """
    found: dict[str, Found[T]] = {}
    symbols: dict[str, str] = {}
    for path in sorted(base.glob(f"[!.]*/{file}")):
        shown = f"{base.name}/{path.parent.name}/{file}"
        entries = getattr(execute(path, shown), table, None)
        if not isinstance(entries, dict) or not entries:
            raise UserError(f"{shown}: {table} must be a dict of {type_.__name__} by name")
        for name, entry in entries.items():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise UserError(
                    f"{shown}: {name!r}: a name must be a-z, 0-9, _ and - after a letter"
                )
            if not isinstance(entry, type_):
                raise UserError(f"{shown}: {name}: must be a {type_.__name__}")
            if name in found:
                other = found[name].folder.name
                raise UserError(f"{shown}: {name} is there twice: also in {base.name}/{other}")
            alike = symbols.setdefault(symbol("", name), name)
            if alike != name:
                raise UserError(f"{shown}: {name} would have the symbol of {alike}: rename it")
            found[name] = Found(entry, path.parent)
    if not found:
        raise UserError(f"{base}: no folder with a {file}")
    return found


def symbol(prefix: str, name: str) -> str:
    """The Kconfig symbol of a design or workload: what selects it."""
    return f"{prefix}_{name.upper().replace('-', '_')}"
