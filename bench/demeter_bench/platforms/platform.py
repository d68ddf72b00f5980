# SPDX-License-Identifier: GPL-2.0-or-later
"""What a platform is: how one tiered VM is started, and what sets it apart from others.

A platform turns settings, a design and a job into the command line of a
hypervisor that runs the job and exits. The guest's console is written to
console.log and its virtio console to stream, both in the VM's folder, which is
also the working directory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..design import Design, Memory
from ..errors import UserError
from ..provision.provision import Node, Provision
from ..provision.static import Static
from ..settings import Settings


class Platform(ABC):
    """Base class of platforms; the class attributes are its traits."""

    name: ClassVar[str]
    about: ClassVar[str]  # one line, for help and docs
    # "auto" takes the usable platform with the highest; None: only when asked for
    preference: ClassVar[int | None] = None
    # size of workloads (workload.py): emulated or paper
    scale: ClassVar[str] = "paper"
    # the VMs of one measurement compete for one machine, so exactly they run at once
    vms_together: ClassVar[bool] = True
    # what JOBS are at a time, if not VMs
    machines: ClassVar[str] = ""
    # profiling() works
    profiles: ClassVar[bool] = False
    # shell_command() works
    has_shell: ClassVar[bool] = True
    # guests have a PMU that samples addresses
    samples: ClassVar[bool] = True
    # what HYPERVISOR can be, if there is a choice; then Options.hypervisor is it
    hypervisors: ClassVar[tuple[str, ...]] = ()
    # the host can place pages of guests that know no tiers
    host_tiers: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Options:
        """Its own settings; they are archived as Settings.options."""

        __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __init__(self, build: Path) -> None:
        self.build = build

    @classmethod
    def why_not(cls) -> str | None:
        """None when this machine can run it, else the reason."""
        return None

    @classmethod
    def lacks(cls, design: Design) -> str:
        """What the design needs that VMs do not have here; "" if they can run it."""
        if design.profiled and not cls.profiles:
            return "a platform that sees every access"
        if design.needs_pmu and not cls.samples:
            return "a PMU that samples addresses"
        if design.memory is Memory.HOST and not cls.host_tiers:
            return "a host that manages tiers"
        return ""

    @classmethod
    def options(cls, kconfig: dict[str, str]) -> Any:
        """Its Options, as configured."""
        return cls.Options()

    @classmethod
    def check(cls, s: Settings) -> None:
        """Raise UserError about what it cannot run of otherwise good settings."""
        return

    @classmethod
    def check_selected(cls, s: Settings, kconfig: dict[str, str]) -> None:
        """Raise UserError when the configuration does not build what it needs."""
        return

    @classmethod
    def needs(cls, s: Settings, build: Path) -> list[Path]:
        """What has to be built for the settings beside what every platform needs."""
        return []

    def check_built(self, s: Settings) -> None:
        """Raise UserError when what was built cannot run the settings."""
        return

    @classmethod
    def preset(cls, s: Settings) -> str:
        """What its tiers are, in the summary."""
        return "hardware"

    @classmethod
    def label(cls, s: Settings) -> str:
        """Where results are from, in titles of tables and charts."""
        return cls.name

    @abstractmethod
    def versions(self, s: Settings) -> dict[str, str]:
        """Versions of what results depend on, for the archive."""

    def tables(self, s: Settings, nodes: list[Node]) -> Mapping[str, bytes]:
        """ACPI tables that a VM's kernel takes from its initramfs, by their places there.

        The hypervisor makes the others.
        """
        return {}

    @classmethod
    def generic_device(cls, s: Settings) -> str:
        """QEMU's name of the vhost-user device to which a backend of any kind is attached.

        Raises UserError when the hypervisor has none.
        """
        raise UserError(f"the {cls.name} platform has no generic vhost-user device")

    @abstractmethod
    def job_command(
        self,
        s: Settings,
        design: Design,
        vms: int,
        seed: int,
        provision: type[Provision] = Static,
    ) -> list[str]:
        """Run the job in ./initrd on one of vms machines.

        The seed is for what the machine gives the guest as random.
        """

    @abstractmethod
    def shell_command(self, s: Settings, design: Design, more: list[str]) -> list[str]:
        """A VM with its console on this terminal; more arguments say what it boots from."""

    def profiling(self, profile: str) -> Platform:
        """The same machine, which leaves what each page's accesses cost in the file."""
        raise UserError(f"the {self.name} platform does not see every access")
