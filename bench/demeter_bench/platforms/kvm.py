# SPDX-License-Identifier: GPL-2.0-or-later
"""A real host: guests under QEMU/KVM, their nodes bound to host nodes.

Not run on hardware yet; see docs/hardware.md.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from ..design import Design
from ..errors import UserError
from ..provision.provision import Provision
from ..provision.static import Static
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

    def versions(self, s: Settings) -> dict[str, str]:
        return machine.kernel_versions(self.build)

    @classmethod
    def binary(cls, s: Settings) -> str:
        """The hypervisor's path."""
        options: Kvm.Options = s.options
        binary = shutil.which(options.binary)
        if binary is None:
            raise UserError(f"QEMU_KVM_BINARY: no such program: {options.binary}")
        return binary

    @classmethod
    def generic_device(cls, s: Settings) -> str:
        binary = cls.binary(s)
        done = subprocess.run([binary, "-device", "help"], capture_output=True, text=True)
        for name in ("vhost-user-test-device-pci", "vhost-user-device-pci"):
            if f'"{name}"' in done.stdout:
                return name
        raise UserError(
            f"QEMU_KVM_BINARY: {binary} has no generic vhost-user device: QEMU 10.2 or later "
            "has one, and the one that is built here for the emulated platform"
        )

    def _common(self, s: Settings, design: Design, provision: type[Provision]) -> list[str]:
        options: Kvm.Options = s.options
        host = {"fast": options.fast_node, "slow": options.slow_node}
        nodes = provision.layout(s, design)
        bound = [f",host-nodes={host[node.tier]},policy=bind" for node in nodes]
        # what is to be given back is not taken first
        kept = [",prealloc=on" if node.memory == node.share else "" for node in nodes]
        return [
            self.binary(s),
            "-machine", "q35,hmat=on,usb=off",
            "-accel", "kvm",
            # what cannot migrate is PEBS, docs/kvm-pebs.md
            "-cpu", "host,migratable=off",
            *machine.numa_args(s, nodes, [a + b for a, b in zip(bound, kept, strict=True)]),
            *machine.plug_args(nodes, bound),
            *provision.hypervisor_args(self, s),
            *machine.kernel_args(self.build, design, provision.boot_args),
        ]  # fmt: skip

    def job_command(
        self,
        s: Settings,
        design: Design,
        vms: int,
        seed: int,
        provision: type[Provision] = Static,
    ) -> list[str]:
        common = self._common(s, design, provision)
        return [*common, *machine.device_args(provision), "-initrd", "initrd"]

    def shell_command(self, s: Settings, design: Design, more: list[str]) -> list[str]:
        return [*self._common(s, design, Static), *machine.shell_device_args(), *more]


PLATFORM = Kvm
