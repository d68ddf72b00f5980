# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM that boots the guest disk image: make run IMAGE=disk.

The kernel is loaded by the hypervisor, with the design's own options; the root is on the
disk, a Debian system. A design that the image has a service for is switched on by that,
for others the service is masked and their set-up runs as a unit of its own.
"""

from __future__ import annotations

import base64
import dataclasses
import subprocess
from pathlib import Path

from .design import Design
from .designs import DESIGNS

GUEST = "demeterguest"
ROOT = "PARTUUID=de3e7e12-0000-4000-8000-%08x0003"  # image/disk/make-disk, of the image's number
NUMBER = 2  # image/disk/disk.mk


def on_disk(design: Design, number: int = NUMBER) -> Design:
    """The design as a kernel for disks has it."""
    others = {d.service for d in DESIGNS.values()} - {design.service, ""}
    masks = [f"systemd.mask={service}" for service in sorted(others)]
    root = f"root={ROOT % number}"
    args = " ".join(x for x in (root, *masks, design.boot_args) if x)
    return dataclasses.replace(design, guest=GUEST, boot_args=args)


def unit_args(name: str, script: str) -> list[str]:
    """QEMU's arguments by which a shell script runs as a unit after each boot.

    The unit comes to systemd as a credential, in a table of the firmware.
    """
    units = {
        f"extra-unit.{name}.service": (
            f"[Unit]\nDescription={name}\nAfter=multi-user.target getty.target\n"
            "[Service]\nType=oneshot\nExecStart=sh -e\n"
            f"StandardInput=data\nStandardInputData={encoded(script)}\n"
        ),
        "unit-dropin.multi-user.target": f"[Unit]\nWants={name}.service\n",
    }
    args = []
    for what, text in units.items():
        value = f"io.systemd.credential.binary:systemd.{what}={encoded(text)}"
        args += ["-smbios", f"type=11,value={value}"]
    return args


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def device_args(disk: Path, keep: bool) -> list[str]:
    """The disk, whose changes last or vanish with the VM, and a network of its user's own."""
    snapshot = "off" if keep else "on"
    return [
        "-drive", f"file={disk},format=raw,if=none,id=disk,snapshot={snapshot}",
        "-device", "virtio-blk-pci,drive=disk,ioeventfd=off",
        "-netdev", "user,id=net",
        "-device", "virtio-net-pci,netdev=net,romfile=,ioeventfd=off",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def kept(image: Path, disk: Path) -> Path:
    """The disk, a copy of the image if it is not there yet."""
    if not disk.exists():
        new = disk.with_name(disk.name + ".new")
        try:
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, new], check=True)
            new.rename(disk)
        finally:
            new.unlink(missing_ok=True)
    return disk
