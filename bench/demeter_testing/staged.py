# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels as `make` stages them, but small, and what a folder holds, to compare it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

BUILT_IN = ["ata/ahci", "scsi/sd_mod", "nvme/host/nvme", "block/virtio_blk", "virtio/virtio_pci"]
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
        modules / "modules.builtin": "".join(f"kernel/drivers/{name}.ko\n" for name in BUILT_IN),
        modules / f"kernel/mm/{text}.ko": text,
        modules / "kernel/mm/both.ko": text,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    if not (modules / "updates").exists():
        (modules / "updates").symlink_to("kernel/mm")


def devices(sys: Path, number: str, path: str) -> Path:
    """Make a block device in a folder that is like /sys.

    path is that in /sys/devices, with the driver behind the name of a device that has one, and
    behind that a + and the module, if the driver says which, if it is named otherwise.
    """
    place = sys / "devices"
    for part in path.split("/"):
        name, _, driver = part.partition(" ")
        place /= name
        place.mkdir(parents=True, exist_ok=True)
        if driver:
            driver, says, module = driver.partition("+")
            folder = sys / "drivers" / driver
            folder.mkdir(parents=True, exist_ok=True)
            (place / "driver").symlink_to(os.path.relpath(folder, place))
            if says:
                loaded = sys / "module" / (module or driver)
                loaded.mkdir(parents=True, exist_ok=True)
                (folder / "module").symlink_to(os.path.relpath(loaded, folder))
    link = sys / "dev/block" / number
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(place, link.parent))
    return place


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
