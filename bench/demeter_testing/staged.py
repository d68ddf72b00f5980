# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels as `make` stages them, but small, and what a folder holds, to compare it."""

from __future__ import annotations

import hashlib
from pathlib import Path

RELEASE = "6.12.90-demeterhost"


def stage(build: Path, release: str = RELEASE, text: str = "first") -> None:
    """What make stages of a kernel."""
    variant = release.rpartition("-")[2]
    folder = build / "linux" / variant / "stage"
    modules = folder / "lib/modules" / release
    for path, content in {
        folder / "release": f"{release}\n",
        folder / f"boot/vmlinuz-{release}": f"kernel {text}",
        folder / f"boot/System.map-{release}": "map",
        folder / f"boot/config-{release}": "CONFIG_EXT4_FS=y\n",
        modules / "modules.dep": "",
        modules / f"kernel/mm/{text}.ko": text,
        modules / "kernel/mm/both.ko": text,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    if not (modules / "updates").exists():
        (modules / "updates").symlink_to("kernel/mm")


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder, by its path."""
    found = {"": "folder"} if folder.is_dir() else {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            what = f"link {path.readlink()}"
        elif path.is_dir():
            what = "folder"
        else:
            what = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        found[str(path.relative_to(folder))] = what
    return found
