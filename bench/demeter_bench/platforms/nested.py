# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulated server for all VMs of a measurement: they run under KVM in it, and share it.

The server is the emulated machine with a processor that has SVM, and so no PMU that samples
(docs/nested.md). It boots a host kernel and starts a hypervisor for each VM
(image/server/init); server.py drives it. What a VM writes leaves the server by ports that are
files in its folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..design import Design, Memory
from ..designs import DESIGNS
from ..digest import sha256
from ..discover import TOP, execute, symbol
from ..errors import UserError
from ..provision.provision import Node, Provision, shares
from ..provision.static import Static
from ..settings import MIB, Settings
from ..variant import variants
from . import cloud_hypervisor, hmat, machine
from .emulated import MAX_ADDRESS, OUTPUTS, Emulated

# What TCG emulates of SVM is an EPYC's. As for the guests of the emulated platform, copies are
# faster without ERMS.
CPU = "EPYC,+svm,+npt,-erms"
NEEDED = ("svm", "npt")

# Nothing of what guards against other processors' faults, which the guests' kernels have not either
SERVER_ARGS = f"{machine.KERNEL_ARGS} norandmaps nokaslr mitigations=off"

# What the server has beside the memory of its VMs: for its kernel and root, and per VM for a
# hypervisor with the files that it loads; and the kernel's descriptions of pages, with what it
# keeps free.
OWN = 192 * MIB
OWN_PER_VM = 96 * MIB
HYPERVISOR = 40 * MIB  # of that, what a hypervisor has as a process
NODE = 32 * MIB
DESCRIPTIONS = 32
MAX_VMS = 240  # a virtio-serial device has 511 ports, and a VM two

BINARY = "/usr/bin/qemu-system-x86_64"
FIRMWARE = "/usr/share/qemu"
INSIDE = Path("/server")  # takes the place of the build folder
NODES = {"fast": 0, "slow": 1}
# What a VM writes: a port of the server each, and a file in the VM's folder
PORTS = ("stream", "console.log")
# By which KVM runs guests on AMD's processors, in the order in which they are loaded
MODULES = (
    "virt/lib/irqbypass.ko", "drivers/crypto/ccp/ccp.ko", "arch/x86/kvm/kvm.ko",
    "arch/x86/kvm/kvm-amd.ko",
)  # fmt: skip


def kernel_config(kernel: Path) -> dict[str, str]:
    """What was configured of a kernel that is built: symbol -> y, m, or a value."""
    lines = (kernel / ".config").read_text().splitlines()
    return {key: value for key, eq, value in (line.partition("=") for line in lines) if eq}


def host_dram(s: Settings, vms: int) -> int:
    """What a host that manages tiers has of the fast tier for its VMs: 1.25 of their shares.

    As published: 36 GiB for nine VMs with shares of 3.2 GiB.
    """
    return -(-vms * s.fast_memory * 5 // 4 // MIB) * MIB


def server_setup(s: Settings, design: Design, vms: int) -> str:
    """Shell that the server runs before its VMs start.

    What a host that manages tiers has of its fast node beyond what VMs and hypervisors are to
    have becomes huge pages that nobody takes.
    """
    if design.memory is not Memory.HOST:
        return ""
    kept = (host_dram(s, vms) + vms * HYPERVISOR) >> 10
    return (
        "node=/sys/devices/system/node/node0\n"
        "free=$(awk '/MemFree:/ { print $4 }' $node/meminfo)\n"
        f"[ $free -lt {kept} ] || echo $(((free - {kept}) / 2048)) "
        ">$node/hugepages/hugepages-2048kB/nr_hugepages\n"
        "cat $node/meminfo\n"
    )


def server_nodes(s: Settings, design: Design, vms: int) -> list[Node]:
    """Node 0, which is fast and has all that is the server's own, and the slow node, if needed."""
    wanted = dict.fromkeys(NODES, 0)
    if design.memory is Memory.HOST:
        wanted = {"fast": host_dram(s, vms), "slow": vms * (s.vm_memory - s.fast_memory)}
    else:
        for tier, share in shares(s, design):
            wanted[tier] += vms * share
    found = []
    for tier, share in wanted.items():
        size = share + -(-share // DESCRIPTIONS // MIB) * MIB + NODE
        if tier == "fast":
            size += OWN + vms * OWN_PER_VM
        elif not share:
            continue
        found.append(Node(tier, size, size))
    return found


def replaces_qemu(s: Settings) -> bool:
    """Whether VMs run under the user's Cloud Hypervisor."""
    o: Nested.Options = s.options
    return o.hypervisor == cloud_hypervisor.NAME


class Nested(Emulated):
    """VMs under KVM in one emulated server."""

    name = "nested"
    about = "VMs under KVM in one emulated server, whose tiers they share; no PEBS"
    preference = None
    machines = " servers"
    profiles = False
    has_shell = False
    samples = False
    hypervisors = ("qemu", cloud_hypervisor.NAME)
    host_tiers = True

    @dataclass(frozen=True)
    class Options(Emulated.Options):
        cpu: str = CPU
        hypervisor: str = "qemu"
        cloud_hypervisor: str = ""  # the program, as the configuration names it

    def __init__(self, build: Path) -> None:
        super().__init__(build)
        self.image = build / "image/server.cpio"

    @classmethod
    def options(cls, kconfig: dict[str, str]) -> Any:
        options = vars(super().options(kconfig))
        own = {
            "cpu": kconfig.get("NESTED_CPU", CPU),
            "cloud_hypervisor": kconfig.get(cloud_hypervisor.SYMBOL, ""),
        }
        return cls.Options(**options | own)

    @classmethod
    def own_hypervisor(cls, s: Settings) -> Path | None:
        """The user's program, if that takes QEMU's place; UserError when it cannot."""
        return cloud_hypervisor.find(s.options.cloud_hypervisor) if replaces_qemu(s) else None

    @classmethod
    def check(cls, s: Settings) -> None:
        super().check(s)
        _, *features = s.options.cpu.split(",")
        for feature in NEEDED:
            if f"+{feature}" not in features and f"{feature}=on" not in features:
                raise UserError(
                    f"NESTED_CPU={s.options.cpu}: has no {feature.upper()}, by which KVM runs "
                    f"guests: add +{feature}"
                )
        cls.own_hypervisor(s)
        if s.vcpus != 1:
            raise UserError(
                f"VM_VCPUS={s.vcpus}: VMs of the nested platform share one processor: set 1"
            )
        for name in s.provision:
            if name != Static.name:
                raise UserError(f"PROVISION: {name} is not there on {cls.name}: choose static")
        most = max(s.vms)
        if most > MAX_VMS:
            raise UserError(f"VM={most}: a server of the nested platform has at most {MAX_VMS}")
        host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for design in s.designs:
            nodes = server_nodes(s, DESIGNS[design], most)
            size = sum(node.memory for node in nodes)
            top = max(base + length for _, base, length in machine.node_ranges(nodes))
            if top > MAX_ADDRESS:
                raise UserError(
                    f"VM={most}: VMs of {s.vm_memory // MIB} MiB need a server of {size // MIB} "
                    f"MiB, and one can have {MAX_ADDRESS // MIB} MiB"
                )
            together = min(s.jobs, len(s.vms) * len(variants(s)) * len(s.workloads) * s.repeat)
            if together * size > host:
                raise UserError(
                    f"JOBS={s.jobs}: {together} servers of {size // MIB} MiB for {most} VMs each "
                    f"exceed this machine's {host // MIB} MiB"
                )

    @classmethod
    def check_selected(cls, s: Settings, kconfig: dict[str, str]) -> None:
        super().check_selected(s, kconfig)
        for name in s.designs:
            host = DESIGNS[name].host
            if symbol("HOST", host) not in kconfig:
                raise UserError(
                    f"DESIGNS: {name} needs the host kernel {host} on {cls.name}, which is not "
                    "selected: see 'make menuconfig'"
                )

    @classmethod
    def needs(cls, s: Settings, build: Path) -> list[Path]:
        hosts = dict.fromkeys(DESIGNS[name].host for name in s.designs)
        return [build / "image/server.cpio", *(build / "linux" / h / ".built" for h in hosts)]

    def versions(self, s: Settings) -> dict[str, str]:
        found = {**super().versions(s), "server_image_sha256": sha256(self.image)}
        if binary := self.own_hypervisor(s):
            found["cloud_hypervisor_sha256"] = sha256(binary)
        return found

    def tables(self, s: Settings, nodes: list[Node]) -> Mapping[str, bytes]:
        return hmat.files(s, nodes) if replaces_qemu(s) else {}

    def check_built(self, s: Settings) -> None:
        for needed in self.needs(s, self.build):
            if not needed.exists():
                raise UserError(f"{needed} is missing: run 'make {needed}' first")
        for name in s.designs:
            host = DESIGNS[name].host
            config = kernel_config(self.build / "linux" / host)
            if not {"CONFIG_KVM", "CONFIG_KVM_AMD"} <= config.keys():
                raise UserError(f"the host kernel {host} has no KVM for AMD's processors")

    def job_command(
        self,
        s: Settings,
        design: Design,
        vms: int,
        seed: int,
        provision: type[Provision] = Static,
    ) -> list[str]:
        """Run the job in ./initrd, inside of the server."""
        nodes = provision.layout(s, design)
        if replaces_qemu(s):
            hosts = [None if design.memory is Memory.HOST else NODES[n.tier] for n in nodes]
            line = machine.kernel_line(design, "norandmaps", provision.boot_args)
            kernel = machine.guest_kernel(INSIDE, design)
            return cloud_hypervisor.command(nodes, hosts, kernel, line)
        bound = [f",host-nodes={NODES[node.tier]},policy=bind" for node in nodes]
        if design.memory is Memory.HOST:
            bound = [""] * len(nodes)
        return [
            BINARY,
            "-machine", "q35,hmat=on,usb=off",
            "-accel", "kvm",
            "-cpu", "host,migratable=off",
            "-L", FIRMWARE,
            "-bios", f"{FIRMWARE}/{self.firmware.name}",
            *machine.numa_args(s, nodes, bound),
            *machine.kernel_args(INSIDE, design, "norandmaps", provision.boot_args),
            *machine.device_args(provision),
            "-initrd", "initrd",
        ]  # fmt: skip

    def shell_command(self, s: Settings, design: Design, more: list[str]) -> list[str]:
        raise UserError(f"the {self.name} platform has no shell")

    def profiling(self, profile: str) -> Emulated:
        raise UserError(f"the {self.name} platform has no profile of accesses")

    def server_command(
        self, s: Settings, design: Design, folders: Sequence[str], seed: int
    ) -> list[str]:
        """The server of VMs whose folders these are, relative to its own."""
        options = execute(TOP / "image/boot/entry.py", "image/boot/entry.py").variant_options
        nodes = server_nodes(s, design, len(folders))
        ports = []
        for n, folder in enumerate(folders):
            for port in PORTS:
                chardev = f"vm{n}.{port}"
                ports += ["-chardev", f"file,id={chardev},path={folder}/{port}"]
                ports += ["-device", f"virtserialport,chardev={chardev},name={chardev}"]
        return [
            *self._machine(s, nodes, s.options.cpu, "off", seed),
            *machine.device_args(Static, 1 + len(PORTS) * len(folders)),
            *ports,
            "-kernel", str(self.build / "linux" / design.host / "vmlinux"),
            "-append", " ".join([*options(design.host), SERVER_ARGS]),
            "-initrd", "initrd",
            *self._plugin(s, nodes, 1, [*OUTPUTS, *self.outputs]),
        ]  # fmt: skip

    def server_files(
        self, s: Settings, design: Design, vms: Mapping[int, tuple[str, Path]]
    ) -> dict[str, Any]:
        """What the server's root has beside its image.

        vms: number of a VM -> the line that starts it, and its initrd
        """
        kernel = self.build / "linux" / design.host
        config = kernel_config(kernel)
        modules = [kernel / m for m in MODULES if config.get("CONFIG_KVM") == "m"]
        modules = [module for module in modules if module.exists()]
        guest = f"linux/{design.guest}/vmlinux"
        files: dict[str, Any] = {
            "/server/modules": "".join(f"{module.name}\n" for module in modules),
            "/server/setup": server_setup(s, design, len(vms)),
            f"{INSIDE}/{guest}": self.build / guest,
            **{f"/server/{module.name}": module for module in modules},
        }
        before = ""
        if binary := self.own_hypervisor(s):
            files[cloud_hypervisor.BINARY] = binary
            before = cloud_hypervisor.ONCE
        for n, (line, initrd) in vms.items():
            files[f"/server/vm{n}/command"] = f"{before}exec {line}\n"
            files[f"/server/vm{n}/initrd"] = initrd
        return files


PLATFORM = Nested
