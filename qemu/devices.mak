# SPDX-License-Identifier: GPL-2.0-or-later
# Devices of the emulated tiered server: one machine type, and the devices of a
# guest or of a host kernel that is booted inside of it. The build installs this
# file as configs/devices/x86_64-softmmu/demeter.mak in QEMU's tree.
CONFIG_Q35=y
CONFIG_PCIE_PORT=y
CONFIG_SERIAL_ISA=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_BALLOON=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_NET=y
CONFIG_NVME_PCI=y
CONFIG_VHOST_USER_BLK=y
CONFIG_VHOST_USER_RNG=y
CONFIG_VIRTIO_MEM=y
