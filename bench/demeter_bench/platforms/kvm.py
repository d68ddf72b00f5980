# SPDX-License-Identifier: GPL-2.0-or-later
"""A real host: guests under QEMU/KVM, their nodes bound to host nodes.

Not run on hardware yet; see docs/hardware.md.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..design import Design
from ..errors import UserError
from ..settings import Settings
from . import machine
from .detect import why_not_kvm
from .platform import Platform


class Kvm(Platform):
    """Guests under KVM; every design sees the host's own tiers."""

    name = "kvm"
    about = "real tiers, guests under KVM (not run on hardware yet)"
    preference = 10

    @dataclass(frozen=True)
    class Options(Platform.Options):
        binary: str = "qemu-system-x86_64"
        # host nodes of the tiers
        fast_node: int = 0
        slow_node: int = 1

    @classmethod
    def why_not(cls) -> str | None:
        return why_not_kvm()

    @classmethod
    def options(cls, kconfig: dict[str, str]) -> Options:
        return cls.Options(
            kconfig.get("QEMU_KVM_BINARY", cls.Options.binary),
            int(kconfig.get("KVM_FAST_NODE", cls.Options.fast_node)),
            int(kconfig.get("KVM_SLOW_NODE", cls.Options.slow_node)),
        )

    def versions(self) -> dict[str, str]:
        return machine.kernel_versions(self.build)

    def _common(self, s: Settings, design: Design) -> list[str]:
        options: Kvm.Options = s.options
        binary = shutil.which(options.binary)
        if binary is None:
            raise UserError(f"QEMU_KVM_BINARY: no such program: {options.binary}")
        host = {"fast": options.fast_node, "slow": options.slow_node}
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
            *machine.kernel_args(self.build, design),
        ]  # fmt: skip

    def job_command(self, s: Settings, design: Design, vms: int, seed: int) -> list[str]:
        return [*self._common(s, design), *machine.device_args(), "-initrd", "initrd"]

    def shell_command(self, s: Settings, design: Design, initrd: Path) -> list[str]:
        return [*self._common(s, design), *machine.shell_device_args(), "-initrd", str(initrd)]


PLATFORM = Kvm
