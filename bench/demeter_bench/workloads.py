# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads that there are: every folder of workloads/ that has a bench.py."""

from __future__ import annotations

from pathlib import Path

from . import discover
from .errors import UserError
from .workload import Workload

# What image/image.mk puts beside the workloads into the guest's /usr/bin
IMAGE_PROGRAMS = ("demeterctl", "measure", "perf", "run-job")


def load(base: Path) -> dict[str, Workload]:
    """All workloads below base, by name.

    The first of a folder has the folder's name; the others are forms of it. A folder that
    drives applications has forms only, named like these.
    """
    found = discover.find(base, "bench.py", "WORKLOADS", Workload)
    for name, (workload, path) in found.items():
        folder = path.name
        named = folder in found and found[folder].folder == path
        if not named and not workload.application:
            raise UserError(f'{base.name}/{folder}/bench.py: WORKLOADS has no "{folder}"')
        if name in IMAGE_PROGRAMS:
            raise UserError(f"{base.name}/{folder}/bench.py: the image has a program {name}")
        if workload.form_of != (None if name == folder else folder):
            wanted = "no form_of" if name == folder else f'form_of="{folder}"'
            raise UserError(f"{base.name}/{folder}/bench.py: {name}: must have {wanted}")
    return {name: workload for name, (workload, _) in sorted(found.items())}


def application_image(image: Path, name: str) -> Path | None:
    """What is appended to the guest's image for the workload; None for nothing."""
    workload = WORKLOADS.get(name)
    if not workload or not workload.application:
        return None
    return image.with_name(f"app-{workload.application}.cpio")


# What can be asked for by name; "all" means those that are not another's form.
WORKLOADS = load(discover.TOP / "workloads")

ALL = tuple(name for name, workload in WORKLOADS.items() if not workload.form_of)


def symbol(name: str) -> str:
    """What selects the workload in the configuration."""
    return discover.symbol("WORKLOAD", WORKLOADS[name].form_of or name)
