# SPDX-License-Identifier: GPL-2.0-or-later
"""What the QEMU machines of all platforms share: q35 with tiers as NUMA nodes."""

from __future__ import annotations

import re
from pathlib import Path

from ..design import Design
from ..digest import sha256
from ..provision.provision import CONTROL, Node, Provision, device_id
from ..settings import MIB, Settings

# The guest must end on any fault instead of waiting for somebody. None of its devices needs
# the 64 MiB that the kernel takes for such as do not reach memory beyond 4 GiB, if there is any.
KERNEL_ARGS = "console=ttyS0 panic=-1 quiet swiotlb=noforce"
# mm/memory-tiers.c and include/linux/memory-tiers.h of Linux: a node's abstract distance
# follows from its performance relative to that of DRAM; a chunk of distances is a tier.
TIER_CHUNK = 128
DRAM_DISTANCE = 4 * TIER_CHUNK + TIER_CHUNK // 2


# q35 puts what does not fit below 4 GiB above it (QEMU, hw/i386/pc_q35.c), and memory that
# can be plugged in behind that (hw/i386/pc.c).
LOW_LIMIT = 0xB000_0000
LOW_SPLIT = 0x8000_0000
HIGH_BASE = 1 << 32
DEVICE_ALIGN = 1 << 30


def physical_ranges(begin: int, size: int, total: int) -> list[tuple[int, int]]:
    """Guest physical (base, size) of RAM offsets [begin, begin + size)."""
    low = total if total < LOW_LIMIT else LOW_SPLIT
    ranges = []
    if begin < low:
        ranges.append((begin, min(size, low - begin)))
    if begin + size > low:
        start = max(begin, low)
        ranges.append((HIGH_BASE + start - low, begin + size - start))
    return ranges


def device_bases(nodes: list[Node]) -> list[int]:
    """Guest physical address of what can be plugged into each node."""
    total = sum(node.memory for node in nodes)
    top = max(HIGH_BASE, sum(physical_ranges(0, total, total)[-1]))
    bases = [-(-top // DEVICE_ALIGN) * DEVICE_ALIGN]
    for node in nodes:
        bases.append(bases[-1] + node.pluggable)
    return bases[:-1]


def node_ranges(nodes: list[Node]) -> list[tuple[str, int, int]]:
    """(tier, base, size) of all guest physical memory, also what is not plugged in yet."""
    total = sum(node.memory for node in nodes)
    found = []
    begin = 0
    for node, base in zip(nodes, device_bases(nodes), strict=True):
        found += [(node.tier, *r) for r in physical_ranges(begin, node.memory, total)]
        if node.pluggable:
            found.append((node.tier, base, node.pluggable))
        begin += node.memory
    return found


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


def memory_size(nodes: list[Node]) -> str:
    """What the machine boots with, and what it can have if that is more."""
    size, most = sum(node.memory for node in nodes), sum(node.most for node in nodes)
    return f"{size // MIB}M" + (f",maxmem={most // MIB}M" if most > size else "")


def numa_args(s: Settings, nodes: list[Node], backend: list[str]) -> list[str]:
    """Memory, nodes and their HMAT; backend[i] are node i's backend options.

    The firmware tables tell the guest which node is faster: the kernel forms
    its memory tiers from them.
    """
    args = ["-m", memory_size(nodes), "-smp", str(s.vcpus)]
    for i, node in enumerate(nodes):
        args += ["-object", f"memory-backend-memfd,id=mem{i},size={node.memory}{backend[i]}"]
        cpus = f",cpus=0-{s.vcpus - 1}" if i == 0 else ",initiator=0"
        args += ["-numa", f"node,nodeid={i},memdev=mem{i}{cpus}"]
    if len(nodes) > 1:
        args += ["-numa", "dist,src=0,dst=1,val=20"]
    for i, node in enumerate(nodes):
        latency, bandwidth = hmat(s, node.tier)
        lb = f"hmat-lb,initiator=0,target={i},hierarchy=memory"
        args += ["-numa", f"{lb},data-type=access-latency,latency={latency}"]
        args += ["-numa", f"{lb},data-type=access-bandwidth,bandwidth={bandwidth}G"]
    return args


def plug_args(nodes: list[Node], backend: list[str]) -> list[str]:
    """Devices whose memory can be plugged into the nodes; at the start, all of it is."""
    args = []
    for i, (node, base) in enumerate(zip(nodes, device_bases(nodes), strict=True)):
        if node.pluggable:
            memory = f"memory-backend-memfd,id=plug{i},size={node.pluggable}{backend[i]}"
            device = f"virtio-mem-pci,id={device_id(i)},memdev=plug{i},node={i},memaddr={base:#x}"
            args += ["-object", memory, "-device", f"{device},requested-size={node.pluggable}"]
    return args


def device_args(provision: type[Provision], ports: int = 1) -> list[str]:
    """A virtio console for the job's results, and nothing else.

    From there, a guest that waits for its memory learns that it may go on. It is the first of
    as many ports as are asked for.
    """
    most = f",max_ports={ports}" if ports > 1 else ""
    control = f",input-path={CONTROL}" if provision.shrinks else ""
    return [
        "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
        "-device", f"virtio-serial-pci,id=serial,ioeventfd=off{most}",
        "-chardev", f"file,id=stream,path=stream{control}",
        "-device", "virtconsole,chardev=stream",
        "-serial", "file:console.log",
    ]  # fmt: skip


def shell_device_args() -> list[str]:
    """The console on this terminal; Ctrl-a x ends the VM."""
    return [
        "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
        "-serial", "mon:stdio",
    ]  # fmt: skip


def kernel_line(design: Design, *more: str) -> str:
    """The command line of the design's guest kernel."""
    return " ".join(x for x in (KERNEL_ARGS, *more, design.boot_args) if x)


def guest_kernel(build: Path, design: Design) -> Path:
    """The design's guest kernel, which boots by PVH."""
    return build / "linux" / design.guest / "vmlinux"


def kernel_args(build: Path, design: Design, *more: str) -> list[str]:
    """The design's guest kernel and its command line."""
    return ["-kernel", str(guest_kernel(build, design)), "-append", kernel_line(design, *more)]


def kernel_versions(build: Path) -> dict[str, str]:
    """Release, compiler and hash of every guest kernel that is built."""
    found = {}
    for built in sorted((build / "linux").glob("*/.built")):
        folder = built.parent
        release = (folder / "include/config/kernel.release").read_text().strip()
        compiler = re.search(r'CC_VERSION_TEXT="(.*)"', (folder / ".config").read_text())
        found[f"linux_{folder.name}"] = f"{release}, {compiler[1] if compiler else 'unknown'}"
        found[f"linux_{folder.name}_sha256"] = sha256(folder / "vmlinux")
    return found
