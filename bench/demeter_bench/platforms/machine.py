# SPDX-License-Identifier: GPL-2.0-or-later
"""What the QEMU machines of all platforms share: q35 with tiers as NUMA nodes."""

from __future__ import annotations

import re
from pathlib import Path

from ..design import Design, Memory
from ..settings import MIB, Settings

# The guest must end on any fault instead of waiting for somebody.
KERNEL_ARGS = "console=ttyS0 panic=-1 quiet"
# mm/memory-tiers.c and include/linux/memory-tiers.h of Linux: a node's abstract distance
# follows from its performance relative to that of DRAM; a chunk of distances is a tier.
TIER_CHUNK = 128
DRAM_DISTANCE = 4 * TIER_CHUNK + TIER_CHUNK // 2


def node_memory(s: Settings, design: Design) -> list[tuple[str, int]]:
    """(tier, bytes) of every guest node, node 0 first."""
    if design.memory is Memory.ALL_SLOW:
        return [("slow", s.vm_memory)]
    if design.memory is Memory.ALL_FAST or s.tiers < 2:
        return [("fast", s.vm_memory)]
    return [("fast", s.fast_memory), ("slow", s.vm_memory - s.fast_memory)]


def hmat(s: Settings, tier: str) -> tuple[int, int]:
    """Latency (ns) and bandwidth (GB/s) of a tier, as the guest's firmware table has them.

    The table's entries are 16 bits wide: whole numbers.
    """
    values = getattr(s, tier)
    return max(1, round(values.read_ps / 1000)), max(1, round(values.read_mbps / 1000))


def forms_two_tiers(s: Settings) -> bool:
    """Whether the guest's kernel puts the nodes into tiers of their own.

    It puts nodes of about the same speed into one tier, by integer arithmetic.
    """
    if s.tiers < 2:
        return False
    (fast_ns, fast_gbps), (slow_ns, slow_gbps) = hmat(s, "fast"), hmat(s, "slow")
    distance = DRAM_DISTANCE * slow_ns // fast_ns * fast_gbps // slow_gbps
    return distance // TIER_CHUNK != DRAM_DISTANCE // TIER_CHUNK


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
        latency, bandwidth = hmat(s, tier)
        lb = f"hmat-lb,initiator=0,target={i},hierarchy=memory"
        args += ["-numa", f"{lb},data-type=access-latency,latency={latency}"]
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


def kernel_args(build: Path, design: Design, *more: str) -> list[str]:
    """The design's guest kernel, which boots by PVH, and its command line."""
    line = " ".join(x for x in (KERNEL_ARGS, *more, design.boot_args) if x)
    return ["-kernel", str(build / "linux" / design.guest / "vmlinux"), "-append", line]


def kernel_versions(build: Path) -> dict[str, str]:
    """Release and compiler of every guest kernel that is built."""
    found = {}
    for built in sorted((build / "linux").glob("*/.built")):
        folder = built.parent
        release = (folder / "include/config/kernel.release").read_text().strip()
        compiler = re.search(r'CC_VERSION_TEXT="(.*)"', (folder / ".config").read_text())
        found[f"linux_{folder.name}"] = f"{release}, {compiler[1] if compiler else 'unknown'}"
    return found
