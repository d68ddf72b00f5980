# SPDX-License-Identifier: GPL-2.0-or-later
"""Platforms: how one tiered VM is started.

A platform turns settings, a design and a job into the command line of a
hypervisor that runs the job and exits. The guest's console is written to
console.log and its virtio console to stream, both in the VM's folder, which is
also the working directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..designs import Design
from ..settings import Settings


class Platform(Protocol):
    """What the runner asks of a platform."""

    name: str

    def versions(self) -> dict[str, str]:
        """Versions of what results depend on, for the archive."""

    def job_command(self, s: Settings, design: Design, vms: int, seed: int) -> list[str]:
        """Run the job in ./initrd on one of vms machines.

        The seed is for what the machine gives the guest as random.
        """

    def shell_command(self, s: Settings, design: Design, initrd: Path) -> list[str]:
        """A VM with its console on this terminal."""


def choose(kconfig: dict[str, str], build: Path) -> Platform:
    """The configured platform; auto takes kvm where it can be used."""
    from .detect import why_not_kvm
    from .emulated import Emulated
    from .kvm import Kvm

    if "PLATFORM_EMULATED" in kconfig:
        return Emulated(build)
    if "PLATFORM_KVM" in kconfig or why_not_kvm() is None:
        return Kvm(build)
    return Emulated(build)
