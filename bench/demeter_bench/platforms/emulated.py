# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated tiered server: QEMU/TCG, simulated time, the tmem plugin."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..design import Design
from ..designs import DESIGNS
from ..digest import sha256
from ..errors import UserError
from ..provision import PROVISIONS
from ..provision.provision import Node, Provision
from ..provision.static import Static
from ..settings import MIB, Settings, Tier, check_integers
from . import machine
from .platform import Platform

# What the memory model addresses, among it the hole below 4 GiB.
MAX_ADDRESS = 128 << 30
LINE = 64
TIERS = ("fast", "slow")
# What the plugin leaves in the VM's folder, and where it answers meanwhile
OUTPUTS = ("report=tmem.json", "series=tmem.csv", "control=tmem.sock")

# An Ice Lake server, as far as TCG goes. QEMU's model 134 is not a server's.
# Without ERMS the guest copies more with plain stores: with instruction
# counting, TCG leaves translated code on every byte of a rep.
CPU_ABSENT = (
    "pcid", "tsc-deadline", "hle", "rtm", "invpcid", "avx512f", "avx512dq", "avx512cd",
    "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg",
    "avx512-vpopcntdq", "gfni", "vpclmulqdq", "spec-ctrl", "ssbd", "xsavec", "erms",
)  # fmt: skip
CPU = ",".join(["Icelake-Server", "model=106", "stepping=6", *(f"-{x}" for x in CPU_ABSENT)])


def plugin_args(s: Settings, nodes: list[Node], vms: int) -> list[str]:
    """The tmem plugin's options for one machine out of vms."""

    def tier(name: str) -> str:
        t: Tier = getattr(s, name).share(vms)
        latencies = f"{t.read_ps / 1000:g}:{t.write_ps / 1000:g}"
        return f"tier={name}:{latencies}:{t.read_mbps}:{t.write_mbps}:{t.media}"

    args = [tier(name) for name in TIERS]
    for name, base, length in machine.node_ranges(nodes):
        args.append(f"map={TIERS.index(name)}:{base:#x}:{length:#x}")
    o: Emulated.Options = s.options
    return [
        *args,
        f"cache={o.cache}",
        f"ways={o.cache_ways}",
        f"mlp={o.mlp}",
        f"streams={o.streams}",
        *(tlb_args(o) if o.tlb else ()),
    ]


def tlb_args(o: Emulated.Options) -> list[str]:
    """The plugin's options for address translation."""
    return [
        "tlb=on",
        f"tlb1={o.tlb_small}:{o.tlb_large}:{o.tlb_ways}",
        f"tlb2={o.tlb2_entries}:{o.tlb2_ways}:{o.tlb2_ps / 1000:g}",
        f"psc={o.psc_tables}:{o.psc_directories}:{o.psc_pointers}",
        f"ntlb={o.tlb_nested}",
        f"pte={o.tlb_entry_ps / 1000:g}",
    ]


def check_tlb(o: Emulated.Options, vcpus: int) -> None:
    check_integers(o, {key: (f"EMU_{key.upper()}", *limits) for key, limits in TLB.items()})
    if o.tlb and vcpus != 1:
        raise UserError(f"EMU_TLB: needs one vCPU: VM_VCPUS={vcpus}")
    for key, ways in (
        ("tlb_small", o.tlb_ways), ("tlb_large", o.tlb_ways), ("tlb2_entries", o.tlb2_ways),
    ):  # fmt: skip
        entries = getattr(o, key)
        if entries % ways or not is_pow2(entries // ways):
            raise UserError(
                f"EMU_{key.upper()}={entries}: must be the ways ({ways}) times a power of two"
            )
    for key in ("psc_tables", "psc_directories", "psc_pointers", "tlb_nested"):
        entries = getattr(o, key)
        if entries and not is_pow2(entries):
            raise UserError(f"EMU_{key.upper()}={entries}: must be 0 or a power of two")


# The options of the translation: lowest, highest
TLB = {
    "tlb_small": (1, 65536),
    "tlb_large": (1, 65536),
    "tlb_ways": (1, 32),
    "tlb2_entries": (1, 65536),
    "tlb2_ways": (1, 32),
    "tlb2_ps": (0, 1_000_000),
    "tlb_entry_ps": (0, 1_000_000),
    "psc_tables": (0, 1024),
    "psc_directories": (0, 1024),
    "psc_pointers": (0, 1024),
    "tlb_nested": (0, 1024),
}


def is_pow2(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0


class Emulated(Platform):
    """Independent emulated machines, each with its share of every tier.

    Tests and measurements of the emulator itself vary the machine: without its
    performance counters (pmu) or its memory model (model), with virtual CPUs in parallel
    and then without simulated time and both of these (parallel), and with further outputs
    of the memory model, options of its plugin.
    """

    name = "emulated"
    about = "QEMU with simulated time and a memory-tier model; runs on any machine"
    preference: ClassVar[int | None] = 0
    scale = "emulated"
    vms_together = False
    profiles = True

    @dataclass(frozen=True)
    class Options(Platform.Options):
        insn_ps: int = 222
        cache: int = 2 * MIB
        cache_ways: int = 16
        mlp: int = 1
        streams: int = 64
        tlb: bool = False
        tlb_small: int = 64
        tlb_large: int = 32
        tlb_ways: int = 4
        tlb2_entries: int = 2048
        tlb2_ways: int = 16
        tlb2_ps: int = 2300
        tlb_entry_ps: int = 4700
        psc_tables: int = 32
        psc_directories: int = 4
        psc_pointers: int = 4
        tlb_nested: int = 16

    def __init__(
        self,
        build: Path,
        *,
        pmu: bool = True,
        model: bool = True,
        parallel: bool = False,
        outputs: tuple[str, ...] = (),
    ) -> None:
        super().__init__(build)
        self.pmu = pmu and not parallel
        self.model = model and not parallel
        self.parallel = parallel
        self.outputs = outputs
        self.qemu = build / "qemu/build/qemu-system-x86_64"
        self.plugin = build / "plugins/libtmem.so"
        self.firmware = build / "qemu/firmware/qboot.rom"

    @classmethod
    def options(cls, kconfig: dict[str, str]) -> Options:
        defaults = cls.Options()
        return cls.Options(
            int(kconfig.get("EMU_INSN_PS", defaults.insn_ps)),
            int(kconfig.get("EMU_CACHE_KB", defaults.cache // 1024)) * 1024,
            int(kconfig.get("EMU_CACHE_WAYS", defaults.cache_ways)),
            int(kconfig.get("EMU_MLP", defaults.mlp)),
            int(kconfig.get("EMU_STREAMS", defaults.streams)),
            "EMU_TLB" in kconfig,
            *(int(kconfig.get(f"EMU_{key.upper()}", getattr(defaults, key))) for key in TLB),
        )

    @classmethod
    def check(cls, s: Settings) -> None:
        o: Emulated.Options = s.options
        check_integers(
            o,
            {
                "insn_ps": ("EMU_INSN_PS", 1, 1_000_000),
                "cache": ("EMU_CACHE_KB", 0, 4 << 30),
                "cache_ways": ("EMU_CACHE_WAYS", 1, 32),
                "mlp": ("EMU_MLP", 1, 64),
                "streams": ("EMU_STREAMS", 0, 64),
            },
        )
        if o.cache and (
            o.cache % (o.cache_ways * LINE) or not is_pow2(o.cache // o.cache_ways // LINE)
        ):
            raise UserError(
                f"EMU_CACHE_KB={o.cache // 1024}: must be EMU_CACHE_WAYS ({o.cache_ways}) "
                f"times {LINE} bytes times a power of two"
            )
        if o.streams and not is_pow2(o.streams):
            raise UserError(f"EMU_STREAMS={o.streams}: must be 0 or a power of two")
        check_tlb(o, s.vcpus)
        for name in s.provision:
            for design in s.designs:
                nodes = PROVISIONS[name].layout(s, DESIGNS[design])
                if max(base + size for _, base, size in machine.node_ranges(nodes)) > MAX_ADDRESS:
                    raise UserError(
                        f"VM_MEMORY: {s.vm_memory // MIB} MiB are more than an emulated VM can "
                        f"have with PROVISION={name}: it addresses {MAX_ADDRESS // MIB} MiB"
                    )

    @classmethod
    def check_selected(cls, s: Settings, kconfig: dict[str, str]) -> None:
        if "QEMU_EMULATED" not in kconfig:
            raise UserError(
                f"the {cls.name} platform needs CONFIG_QEMU_EMULATED: see 'make menuconfig'"
            )

    @classmethod
    def preset(cls, s: Settings) -> str:
        return s.preset

    @classmethod
    def label(cls, s: Settings) -> str:
        return f"{cls.name}, {s.preset}"

    def versions(self, s: Settings) -> dict[str, str]:
        for needed in (self.qemu, self.plugin, self.firmware):
            if not needed.exists():
                raise UserError(f"{needed} is missing: run 'make' first")
        qemu = subprocess.run([self.qemu, "--version"], capture_output=True, text=True, check=True)
        return {
            "qemu": qemu.stdout.split("\n")[0],
            "qemu_sha256": sha256(self.qemu),
            "tmem_sha256": sha256(self.plugin),
            **machine.kernel_versions(self.build),
        }

    @classmethod
    def generic_device(cls, s: Settings) -> str:
        return "vhost-user-device-pci"

    def _machine(self, s: Settings, nodes: list[Node], cpu: str, idle: str, seed: int) -> list[str]:
        """The machine without devices and kernel."""
        o: Emulated.Options = s.options
        backend = [""] * len(nodes)
        time = ["-icount", f"insn-ps={o.insn_ps},sleep={idle}"]
        return [
            str(self.qemu),
            "-machine", "q35,hmat=on,usb=off",
            "-accel", "tcg,thread=multi" if self.parallel else "tcg",
            *([] if self.parallel else time),
            "-cpu", cpu,
            # nothing that a run depends on comes from outside
            "-seed", str(seed),
            "-rtc", "base=2025-01-01,clock=vm",
            "-L", str(self.firmware.parent),
            "-bios", str(self.firmware),
            *machine.numa_args(s, nodes, backend),
            *machine.plug_args(nodes, backend),
        ]  # fmt: skip

    def _common(
        self, s: Settings, design: Design, provision: type[Provision], idle: str, seed: int
    ) -> list[str]:
        cpu = f"{CPU},tcg-pmu={'on' if self.pmu else 'off'}"
        return [
            *self._machine(s, provision.layout(s, design), cpu, idle, seed),
            *provision.hypervisor_args(self, s),
            # the same addresses in every run
            *machine.kernel_args(
                self.build, design, "norandmaps", provision.boot_args,
                # a machine that waits for a processor of ours misses ticks
                "no_timer_check" if self.parallel else "",
            ),
        ]  # fmt: skip

    def _plugin(self, s: Settings, nodes: list[Node], vms: int, outputs: list[str]) -> list[str]:
        if not self.model:
            return []
        options = [str(self.plugin), *plugin_args(s, nodes, vms), *outputs]
        return ["-plugin", ",".join(options)]

    def job_command(
        self,
        s: Settings,
        design: Design,
        vms: int,
        seed: int,
        provision: type[Provision] = Static,
    ) -> list[str]:
        outputs = [*OUTPUTS, *self.outputs]
        return [
            *self._common(s, design, provision, "off", seed),
            *machine.device_args(provision),
            "-initrd", "initrd",
            *self._plugin(s, provision.layout(s, design), vms, outputs),
        ]  # fmt: skip

    def shell_command(self, s: Settings, design: Design, more: list[str]) -> list[str]:
        return [
            *self._common(s, design, Static, "on", 1),
            *machine.shell_device_args(),
            *more,
            *self._plugin(s, Static.layout(s, design), 1, []),
        ]  # fmt: skip

    def profiling(self, profile: str) -> Emulated:
        return Emulated(self.build, outputs=(*self.outputs, f"profile={profile}"))


PLATFORM = Emulated
