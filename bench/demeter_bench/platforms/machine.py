# SPDX-License-Identifier: GPL-2.0-or-later
"""What the QEMU machines of all platforms share: q35 with tiers as NUMA nodes."""

from __future__ import annotations

import re
from pathlib import Path

from ..designs import DESIGNS, Design, Memory
from ..settings import MIB, Settings

# The guest must end on any fault instead of waiting for somebody.
KERNEL_ARGS = "console=ttyS0 panic=-1 quiet"


def node_memory(s: Settings, design: Design) -> list[tuple[str, int]]:
    """(tier, bytes) of every guest node, node 0 first."""
    if design.memory is Memory.ALL_SLOW:
        return [("slow", s.vm_memory)]
    if design.memory is Memory.ALL_FAST or s.fast_memory >= s.vm_memory:
        return [("fast", s.vm_memory)]
    return [("fast", s.fast_memory), ("slow", s.vm_memory - s.fast_memory)]


def numa_args(s: Settings, design: Design, backend: list[str]) -> list[str]:
    """Memory, nodes and their HMAT; backend[i] are node i's backend options.

    The firmware tables tell the guest which node is faster: the kernel forms
    its memory tiers from them.
    """
    nodes = node_memory(s, design)
    args = ["-m", f"{s.vm_memory // MIB}M", "-smp", str(s.vcpus)]
    for i, (_, size) in enumerate(nodes):
        args += ["-object", f"memory-backend-memfd,id=mem{i},size={size}{backend[i]}"]
        cpus = f",cpus=0-{s.vcpus - 1}" if i == 0 else ",initiator=0"
        args += ["-numa", f"node,nodeid={i},memdev=mem{i}{cpus}"]
    if len(nodes) > 1:
        args += ["-numa", "dist,src=0,dst=1,val=20"]
    for i, (tier, _) in enumerate(nodes):
        values = getattr(s, tier)
        lb = f"hmat-lb,initiator=0,target={i},hierarchy=memory"
        args += [
            "-numa",
            f"{lb},data-type=access-latency,latency={max(1, round(values.read_ps / 1000))}",
        ]
        # the table's entries are 16 bits wide: whole GB/s
        bandwidth = max(1, round(values.read_mbps / 1000))
        args += ["-numa", f"{lb},data-type=access-bandwidth,bandwidth={bandwidth}G"]
    return args


def device_args() -> list[str]:
    """A virtio console for the job's results, and nothing else."""
    return [
        "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
        "-device", "virtio-serial-pci,id=serial,ioeventfd=off",
        "-chardev", "file,id=stream,path=stream", "-device", "virtconsole,chardev=stream",
        "-serial", "file:console.log",
    ]  # fmt: skip


def shell_device_args() -> list[str]:
    """The console on this terminal; Ctrl-a x ends the VM."""
    return [
        "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
        "-serial", "mon:stdio",
    ]  # fmt: skip


def kernel(build: Path, design: Design) -> Path:
    """The design's guest kernel, which boots by PVH."""
    return build / "linux" / design.guest / "vmlinux"


def kernel_versions(build: Path) -> dict[str, str]:
    """Release and compiler of every guest kernel that is built."""
    found = {}
    for variant in sorted({d.guest for d in DESIGNS.values()}):
        folder = build / "linux" / variant
        if (folder / ".built").exists():
            release = (folder / "include/config/kernel.release").read_text().strip()
            compiler = re.search(r'CC_VERSION_TEXT="(.*)"', (folder / ".config").read_text())
            found[f"linux_{variant}"] = f"{release}, {compiler[1] if compiler else 'unknown'}"
    return found
