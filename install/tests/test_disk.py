# SPDX-License-Identifier: GPL-2.0-or-later
"""Which disks a kernel finds by itself, by trees of devices as Linux shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from demeter_install import disk, kernels
from demeter_testing.staged import devices, stage

PCI = "pci0000:00"
SCSI = "host0/target0:2:0/0:2:0:0"
SATA = f"{PCI}/0000:00:1f.2 ahci+/ata1/{SCSI} sd/block/sda/sda2"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> kernels.Kernel:
    monkeypatch.setattr(disk, "SYS", str(tmp_path / "sys"))
    stage(tmp_path / "build")
    return kernels.staged(tmp_path / "build/linux/demeterhost/stage", "demeterhost")


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        (SATA, []),
        (SATA.replace("ahci+", "ahci"), []),
        (SATA.replace(" sd/", " sd+sd_mod/"), []),
        (f"{PCI}/0000:00:1d.0 pcieport/0000:02:00.0 nvme+/nvme/nvme0/nvme0n1/nvme0n1p2", []),
        (f"{PCI}/0000:00:03.0 virtio-pci/virtio0 virtio_blk+/block/vda/vda1", []),
        (f"{PCI}/0000:00:03.0 virtio-pci+virtio_pci/virtio0 virtio_scsi+/{SCSI} sd/block/sda/sda1",
         ["virtio_scsi"]),
        (f"{PCI}/0000:00:03.0 virtio-pci/virtio0 virtio_scsi/{SCSI} sd/block/sda/sda1",
         ["virtio_scsi"]),
        (SATA.replace("ahci+", "megaraid_sas+").replace("ata1/", ""), ["megaraid_sas"]),
        (f"{PCI}/0000:00:0e.0 vmd+/pci10000:e0/10000:e1:00.0 nvme+/nvme/nvme0/nvme0n1/nvme0n1p2",
         ["vmd"]),
        (f"{PCI}/0000:00:14.0 xhci_hcd/usb2 usb/2-1 usb/2-1:1.0 usb-storage+usb_storage/{SCSI} sd",
         ["usb_storage", "usbcore", "xhci_pci"]),
        ("virtual/block/md0/md0p1", ["RAID, LVM, encryption or the like"]),
        ("virtual/block/dm-0", ["RAID, LVM, encryption or the like"]),
        ("virtual/nvme-fabrics/ctl/nvme0/nvme0n1", ["RAID, LVM, encryption or the like"]),
    ],
)  # fmt: skip
def test_what_a_disk_needs(kernel: kernels.Kernel, tmp_path: Path, found: str, lacks: list[str]):
    devices(tmp_path / "sys", "8:2", found)
    assert disk.lacks(kernel, "8:2") == lacks


@pytest.mark.parametrize("driver", ["nvme+", "other+"])
def test_an_nvme_disk_with_several_paths(kernel: kernels.Kernel, tmp_path: Path, driver: str):
    devices(tmp_path / "sys", "259:2", "virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2")
    controller = devices(tmp_path / "sys", "x", f"{PCI}/0000:01:00.0 {driver}/nvme/nvme0")
    subsystem = tmp_path / "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    (subsystem / "nvme0").symlink_to(controller)
    assert disk.lacks(kernel, "259:2") == ([] if driver == "nvme+" else ["other"])


def test_a_device_that_is_not_there(kernel: kernels.Kernel):
    assert disk.lacks(kernel, "0:45")
