# SPDX-License-Identifier: GPL-2.0-or-later
"""A real host: guests under QEMU/KVM, their nodes bound to host nodes.

Not run on hardware yet; see docs/hardware.md.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..designs import Design
from ..errors import UserError
from ..settings import Settings
from . import machine
from .detect import why_not_kvm


class Kvm:
    """Guests under KVM; every design sees the host's own tiers."""

    name = "kvm"

    def __init__(self, build: Path) -> None:
        reason = why_not_kvm()
        if reason:
            raise UserError(f"the kvm platform cannot be used: {reason}; choose emulated")
        self.build = build

    def versions(self) -> dict[str, str]:
        return machine.kernel_versions(self.build)

    def _common(self, s: Settings, design: Design) -> list[str]:
        binary = shutil.which(s.kvm_binary)
        if binary is None:
            raise UserError(f"QEMU_KVM_BINARY: no such program: {s.kvm_binary}")
        host = dict(zip(("fast", "slow"), s.kvm_nodes, strict=True))
        backend = [
            f",host-nodes={host[tier]},policy=bind,prealloc=on"
            for tier, _ in machine.node_memory(s, design)
        ]
        return [
            binary,
            "-machine", "q35,hmat=on,usb=off",
            "-accel", "kvm",
            "-cpu", "host",
            *machine.numa_args(s, design, backend),
            "-kernel", str(machine.kernel(self.build, design)),
            "-append", machine.KERNEL_ARGS,
        ]  # fmt: skip

    def job_command(self, s: Settings, design: Design, vms: int, seed: int) -> list[str]:
        return [*self._common(s, design), *machine.device_args(), "-initrd", "initrd"]

    def shell_command(self, s: Settings, design: Design, initrd: Path) -> list[str]:
        return [*self._common(s, design), *machine.shell_device_args(), "-initrd", str(initrd)]
