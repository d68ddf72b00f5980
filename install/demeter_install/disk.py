# SPDX-License-Identifier: GPL-2.0-or-later
"""Which drivers the root file system's disk needs, and which of them a kernel has not built in.

/sys/dev/block/<major>:<minor> is a link to where the device is in the tree of devices. Each
device above it that has a driver has a link to that, and a driver in a module, or one built in
that has parameters, has a link to the module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .kernels import Kernel

SYS = "/sys"
# Modules of drivers that are named otherwise, for where the running kernel has them built in
# and does not say. The driver of PCI Express' own ports cannot be a module.
NAMED = {"sd": "sd_mod", "usb": "usbcore", "xhci_hcd": "xhci_pci"}
NO_MODULE = {"pcieport"}


def lacks(kernel: Kernel, device: str) -> list[str]:
    """Name what the kernel would need an initramfs for to read a device, MAJOR:MINOR."""
    needs = list(dict.fromkeys(drivers(device)))
    if not needs:  # a device that is made of others
        return ["RAID, LVM, encryption or the like"]
    built_in = kernel.built_in()
    return [name for name in needs if name not in built_in]


def drivers(device: str) -> Iterator[str]:
    """Name the modules of the drivers of a block device, from the disk upwards."""
    for folder in above(Path(os.path.realpath(f"{SYS}/dev/block/{device}"))):
        driver = (folder / "driver").resolve()
        if driver.exists() and driver.name not in NO_MODULE:
            module = driver / "module"
            name = module.resolve().name if module.exists() else NAMED.get(driver.name, driver.name)
            yield name.replace("-", "_")


def above(device: Path) -> Iterator[Path]:
    """Return the device, and those above it."""
    for folder in (device, *device.parents):
        yield folder
        # an NVMe disk that may have several paths is not below its controllers
        if folder.parent.name == "nvme-subsystem":
            for controller in folder.glob("nvme*"):
                if controller.is_symlink():
                    yield from above(controller.resolve())
