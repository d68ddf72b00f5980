# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads that there are: every folder of workloads/ that has a bench.py.

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

from .errors import UserError
from .workload import Workload

FOLDER = Path(__file__).resolve().parents[2] / "workloads"
NAME = re.compile(r"[a-z][a-z0-9_]*")
FORM = re.compile(r"[a-z][a-z0-9_-]*")


def where(error: Exception, path: Path) -> str:
    """The last line of path that the error came through, as "line N: "."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno}: "
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def execute(path: Path, shown: str) -> ModuleType:
    """The module that the file is."""
    name = f"workloads_{path.parent.name}_bench"
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


def read(path: Path) -> dict[str, Workload]:
    """WORKLOADS of one bench.py, checked."""
    folder, shown = path.parent.name, f"{path.parents[1].name}/{path.parent.name}/{path.name}"
    if not NAME.fullmatch(folder):
        raise UserError(f"{shown}: the folder's name must be a-z, 0-9 and _ after a letter")
    found = getattr(execute(path, shown), "WORKLOADS", None)
    if not isinstance(found, dict) or next(iter(found), None) != folder:
        raise UserError(f'{shown}: WORKLOADS must be a dict that begins with "{folder}"')
    for name, workload in found.items():
        if not isinstance(name, str) or not FORM.fullmatch(name):
            raise UserError(f"{shown}: {name!r}: a name must be a-z, 0-9, _ and - after a letter")
        if not isinstance(workload, Workload):
            raise UserError(f"{shown}: {name}: must be a Workload")
        if workload.form_of != (None if name == folder else folder):
            wanted = "no form_of" if name == folder else f'form_of="{folder}"'
            raise UserError(f"{shown}: {name}: must have {wanted}")
    return found


def load(folder: Path) -> dict[str, Workload]:
    """All workloads of the folder, by name; another form comes after what it is a form of."""
    workloads: dict[str, Workload] = {}
    home: dict[str, str] = {}
    for path in sorted(folder.glob("*/bench.py")):
        for name, workload in read(path).items():
            if name in home:
                raise UserError(
                    f"workload {name} is there twice: in {folder.name}/{home[name]} and "
                    f"{folder.name}/{path.parent.name}"
                )
            home[name] = path.parent.name
            workloads[name] = workload
    if not workloads:
        raise UserError(f"{folder}: no folder with a bench.py")
    return dict(sorted(workloads.items()))


# What can be asked for by name; "all" means those that are not another's form.
WORKLOADS = load(FOLDER)

ALL = tuple(name for name, workload in WORKLOADS.items() if not workload.form_of)


def symbol(name: str) -> str:
    """What selects the workload in the configuration."""
    return f"WORKLOAD_{(WORKLOADS[name].form_of or name).upper()}"
