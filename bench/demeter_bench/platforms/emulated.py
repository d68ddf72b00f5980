# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated tiered server: QEMU/TCG, simulated time, the tmem plugin."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from ..designs import Design
from ..errors import UserError
from ..settings import Settings, Tier
from . import machine

# q35 puts what does not fit below 4 GiB above it (QEMU, hw/i386/pc_q35.c).
LOW_LIMIT = 0xB000_0000
LOW_SPLIT = 0x8000_0000
HIGH_BASE = 1 << 32
TIERS = ("fast", "slow")

# An Ice Lake server, as far as TCG goes. QEMU's model 134 is not a server's.
# Without ERMS the guest copies more with plain stores: with instruction
# counting, TCG leaves translated code on every byte of a rep.
CPU_ABSENT = (
    "pcid", "tsc-deadline", "hle", "rtm", "invpcid", "avx512f", "avx512dq", "avx512cd",
    "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg",
    "avx512-vpopcntdq", "gfni", "vpclmulqdq", "spec-ctrl", "ssbd", "xsavec", "erms",
)  # fmt: skip
CPU = ",".join(["Icelake-Server", "model=106", "stepping=6", *(f"-{x}" for x in CPU_ABSENT)])
PMU = "tcg-pmu=on"


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


def plugin_args(s: Settings, design: Design, vms: int) -> list[str]:
    """The tmem plugin's options for one machine out of vms."""

    def tier(name: str) -> str:
        t: Tier = getattr(s, name).share(vms)
        latencies = f"{t.read_ps / 1000:g}:{t.write_ps / 1000:g}"
        return f"tier={name}:{latencies}:{t.read_mbps}:{t.write_mbps}:{t.media}"

    args = [tier(name) for name in TIERS]
    begin = 0
    for name, size in machine.node_memory(s, design):
        for base, length in physical_ranges(begin, size, s.vm_memory):
            args.append(f"map={TIERS.index(name)}:{base:#x}:{length:#x}")
        begin += size
    return [
        *args,
        f"cache={s.cache}",
        f"ways={s.cache_ways}",
        f"mlp={s.mlp}",
        f"streams={s.streams}",
    ]


class Emulated:
    """Independent emulated machines, each with its share of every tier."""

    name = "emulated"
    pmu = PMU

    def __init__(self, build: Path) -> None:
        self.build = build
        self.qemu = build / "qemu/build/qemu-system-x86_64"
        self.plugin = build / "plugins/libtmem.so"
        self.firmware = build / "qemu/firmware/qboot.rom"

    def versions(self) -> dict[str, str]:
        for needed in (self.qemu, self.plugin, self.firmware):
            if not needed.exists():
                raise UserError(f"{needed} is missing: run 'make' first")
        qemu = subprocess.run([self.qemu, "--version"], capture_output=True, text=True, check=True)
        return {
            "qemu": qemu.stdout.split("\n")[0],
            "tmem_sha256": hashlib.sha256(self.plugin.read_bytes()).hexdigest(),
            **machine.kernel_versions(self.build),
        }

    def _common(self, s: Settings, design: Design, idle: str, seed: int) -> list[str]:
        nodes = machine.node_memory(s, design)
        return [
            str(self.qemu),
            "-machine", "q35,hmat=on,usb=off",
            "-accel", "tcg",
            "-icount", f"insn-ps={s.insn_ps},sleep={idle}",
            "-cpu", f"{CPU},{self.pmu}",
            # nothing that a run depends on comes from outside
            "-seed", str(seed),
            "-rtc", "base=2025-01-01,clock=vm",
            "-L", str(self.firmware.parent),
            "-bios", str(self.firmware),
            *machine.numa_args(s, design, [""] * len(nodes)),
            "-kernel", str(machine.kernel(self.build, design)),
            # the same addresses in every run
            "-append", f"{machine.KERNEL_ARGS} norandmaps",
        ]  # fmt: skip

    def _plugin(self, s: Settings, design: Design, vms: int, extra: list[str]) -> list[str]:
        options = [str(self.plugin), *plugin_args(s, design, vms), *extra]
        return ["-plugin", ",".join(options)]

    def job_command(self, s: Settings, design: Design, vms: int, seed: int) -> list[str]:
        outputs = ["report=tmem.json", "series=tmem.csv", "control=tmem.sock"]
        return [
            *self._common(s, design, "off", seed),
            *machine.device_args(),
            "-initrd", "initrd",
            *self._plugin(s, design, vms, outputs),
        ]  # fmt: skip

    def shell_command(self, s: Settings, design: Design, initrd: Path) -> list[str]:
        return [
            *self._common(s, design, "on", 1),
            *machine.shell_device_args(),
            "-initrd", str(initrd),
            *self._plugin(s, design, 1, []),
        ]  # fmt: skip
