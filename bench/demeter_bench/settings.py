# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be run: the Kconfig configuration and the command line, checked.

Settings hold everything that a rerun needs; they are the archive's
config.json. Sizes are in bytes unless the name says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

from .designs import DESIGNS
from .errors import UserError
from .workloads import ALL, WORKLOADS, symbol

MIB = 1 << 20
# What the guest kernel, its page tables and the image take beside a workload.
GUEST_RESERVE = 56 * MIB
BOOT_MEMORY = 64 * MIB
FOOTPRINT_SHARE = 0.85
MAX_MEMORY = 4 << 40
# The memory model addresses 128 GiB, among them the hole below 4 GiB.
MAX_EMULATED = 124 << 30
FORMAT = 1


@dataclass(frozen=True)
class Tier:
    """A memory tier: latencies in picoseconds, bandwidths in MB/s.

    media is what the processor names as the data source of a sample.
    """

    read_ps: int
    write_ps: int
    read_mbps: int
    write_mbps: int
    media: str = "dram"

    def share(self, parts: int) -> Tier:
        """The same tier with one of parts equal shares of its bandwidth."""
        return dataclasses.replace(
            self,
            read_mbps=max(1, self.read_mbps // parts),
            write_mbps=max(1, self.write_mbps // parts),
        )


# Table 2 of the paper (SOSP '25). It gives one latency and one bandwidth per
# tier; they are used for reads and writes.
DRAM = Tier(68_700, 68_700, 88_157, 88_157)
PMEM = Tier(176_600, 176_600, 21_415, 21_415, "pmem")
CXL = Tier(121_900, 121_900, 53_534, 53_534, "remote-dram")
MEDIA = ("dram", "remote-dram", "pmem", "remote-pmem")
PRESETS = {"dram_pmem": (DRAM, PMEM), "dram_cxl": (DRAM, CXL)}


@dataclass(frozen=True)
class Settings:
    """A benchmark, completely."""

    platform: str
    preset: str
    fast: Tier
    slow: Tier
    vm_memory: int
    fast_ratio: float
    vcpus: int
    footprint: int
    vms: tuple[int, ...]  # numbers of VMs at once, compared one after the other
    designs: tuple[str, ...]
    workloads: tuple[str, ...]
    repeat: int
    jobs: int
    timeout_s: int
    name: str
    insn_ps: int = 222
    cache: int = 2 * MIB
    cache_ways: int = 16
    mlp: int = 1
    streams: int = 64
    kvm_binary: str = "qemu-system-x86_64"
    kvm_nodes: tuple[int, int] = (0, 1)
    format: int = field(default=FORMAT)

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @property
    def fast_memory(self) -> int:
        """Bytes of the fast tier, in whole MiB."""
        return round(self.vm_memory * self.fast_ratio / MIB) * MIB


def read_kconfig(path: Path) -> dict[str, str]:
    """Symbols of a .config with their values; unset ones are absent."""
    if not path.exists():
        raise UserError(f"no configuration {path}: run 'make defconfig' first")
    found = {}
    for line in path.read_text().splitlines():
        match = re.fullmatch(r"CONFIG_(\w+)=(.*)", line)
        if match:
            found[match[1]] = match[2].strip('"')
    return found


def integer(name: str, text: str, low: int, high: int) -> int:
    """A whole number in [low, high], or an error that names the option."""
    if not re.fullmatch(r"-?\d+", text):
        raise UserError(f"{name}={text}: not a whole number")
    value = int(text)
    if not low <= value <= high:
        raise UserError(f"{name}={text}: must be from {low} to {high}")
    return value


def size(name: str, text: str) -> int:
    """A size such as 300M or 1G; plain numbers are MiB."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not match:
        raise UserError(f"{name}={text}: not a size such as 300M or 1G")
    value = int(match[1]) << {"K": 10, "M": 20, "G": 30, "": 20}[match[2]]
    if value % MIB or not MIB <= value <= MAX_MEMORY:
        raise UserError(f"{name}={text}: must be whole MiB, up to {MAX_MEMORY // MIB}")
    return value


def ratio(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{name}={text}: not a number") from None
    if not 0 < value <= 1:
        raise UserError(f"{name}={text}: must be above 0 and at most 1")
    return value


def names(name: str, text: str, known: dict, everything: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A list of known names; "all" stands for everything, or for every one."""
    chosen = text.replace(",", " ").split()
    if chosen == ["all"]:
        return everything or tuple(known)
    if not chosen:
        raise UserError(f"{name} is empty; there are: {' '.join(known)}")
    for one in chosen:
        if one not in known:
            raise UserError(f"{name}: unknown: {one}; there are: {' '.join(known)}")
    return tuple(dict.fromkeys(chosen))


def tiers(kconfig: dict[str, str], preset: str | None) -> tuple[str, Tier, Tier]:
    """Name, fast and slow tier of the preset, by default the configured one."""
    if preset is None:
        for known in (*PRESETS, "custom"):
            if f"PRESET_{known.upper()}" in kconfig:
                preset = known
    if preset in PRESETS:
        return (preset, *PRESETS[preset])
    if preset != "custom":
        raise UserError(f"PRESET: unknown: {preset}; there are: {' '.join(PRESETS)} custom")
    if "FAST_READ_PS" not in kconfig:
        raise UserError("PRESET=custom: select the custom preset in 'make menuconfig' first")

    def tier(prefix: str) -> Tier:
        fields = ("READ_PS", "WRITE_PS", "READ_MBPS", "WRITE_MBPS")
        symbols = {f"{prefix}_{m.upper().replace('-', '_')}": m for m in MEDIA}
        media = next((m for symbol, m in symbols.items() if symbol in kconfig), None)
        if media is None:
            raise UserError(f"none of {' '.join(symbols)} is set: run 'make menuconfig'")
        return Tier(*(int(kconfig[f"{prefix}_{f}"]) for f in fields), media)

    return "custom", tier("FAST"), tier("SLOW")


# Bounds of the integer settings: (name for the user, lowest, highest).
LIMITS = {
    "vm_memory": ("VM_MEMORY", MIB, MAX_MEMORY),
    "footprint": ("FOOTPRINT", MIB, MAX_MEMORY),
    "vcpus": ("VM_VCPUS", 1, 64),
    "repeat": ("REPEAT", 1, 1000),
    "jobs": ("JOBS", 1, 1024),
    "timeout_s": ("BENCH_TIMEOUT_S", 1, 864_000),
    "insn_ps": ("EMU_INSN_PS", 1, 1_000_000),
    "cache": ("EMU_CACHE_KB", 0, 4 << 30),
    "cache_ways": ("EMU_CACHE_WAYS", 1, 32),
    "mlp": ("EMU_MLP", 1, 64),
    "streams": ("EMU_STREAMS", 0, 64),
}
LINE = 64


def is_pow2(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0


def check(s: Settings) -> Settings:
    """Refuse what cannot run; returns s."""
    for key, (name, low, high) in LIMITS.items():
        value = getattr(s, key)
        if type(value) is not int or not low <= value <= high:
            raise UserError(f"{name}: must be a whole number from {low} to {high}: {value}")
    if not s.vms or not all(type(n) is int and 1 <= n <= 1024 for n in s.vms):
        raise UserError(f"VM: must be numbers from 1 to 1024: {s.vms}")
    if type(s.fast_ratio) not in (int, float) or not 0 < s.fast_ratio <= 1:
        raise UserError(f"FAST_RATIO={s.fast_ratio}: must be above 0 and at most 1")
    for t in (s.fast, s.slow):
        if t.media not in MEDIA:
            raise UserError(f"a tier's media must be one of {' '.join(MEDIA)}: {t.media}")
    if s.cache and (
        s.cache % (s.cache_ways * LINE) or not is_pow2(s.cache // s.cache_ways // LINE)
    ):
        raise UserError(
            f"EMU_CACHE_KB={s.cache // 1024}: must be EMU_CACHE_WAYS ({s.cache_ways}) "
            f"times {LINE} bytes times a power of two"
        )
    if s.streams and not is_pow2(s.streams):
        raise UserError(f"EMU_STREAMS={s.streams}: must be 0 or a power of two")
    if s.platform == "emulated" and s.vm_memory > MAX_EMULATED:
        raise UserError(
            f"VM_MEMORY: {s.vm_memory // MIB} MiB are more than an emulated VM can have, "
            f"{MAX_EMULATED // MIB} MiB"
        )
    for one in s.designs:
        if s.platform != "emulated" and DESIGNS[one].profiled:
            raise UserError(
                f"DESIGNS: {one} needs the emulated platform, which knows every access: "
                f"leave it out on {s.platform}"
            )
    need = s.footprint + GUEST_RESERVE
    if s.vm_memory < need:
        raise UserError(
            f"VM_MEMORY: {s.vm_memory // MIB} MiB are too small for the footprint of "
            f"{s.footprint // MIB} MiB: at least {-(-need // MIB)} MiB are needed"
        )
    if s.fast_memory < BOOT_MEMORY:
        raise UserError(
            f"FAST_RATIO={s.fast_ratio}: a fast tier of {s.fast_memory // MIB} MiB is too small: "
            f"the guest boots in it and needs {BOOT_MEMORY // MIB} MiB"
        )
    together = min(s.jobs, max(s.vms) * len(s.designs) * len(s.workloads) * s.repeat)
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if together * s.vm_memory > host:
        raise UserError(
            f"JOBS={s.jobs}: {together} VMs of {s.vm_memory // MIB} MiB at a time exceed this "
            f"machine's {host // MIB} MiB"
        )
    if not isinstance(s.name, str) or not re.fullmatch(r"[\w.-]{1,64}", s.name):
        raise UserError(f"NAME={s.name}: letters, digits, '.', '_' and '-' only")
    return s


def check_selected(s: Settings, kconfig: dict[str, str]) -> Settings:
    """Refuse workloads and designs that the configuration does not build."""
    for one in s.workloads:
        if symbol(one) not in kconfig:
            raise UserError(f"WORKLOADS: {one} is not selected: see 'make menuconfig'")
    for one in s.designs:
        guest = DESIGNS[one].guest
        if f"GUEST_{guest.upper()}" not in kconfig:
            raise UserError(
                f"DESIGNS: {one} needs the guest kernel {guest}, which is not selected: "
                "see 'make menuconfig'"
            )
    if s.platform == "emulated" and "QEMU_EMULATED" not in kconfig:
        raise UserError("the emulated platform needs CONFIG_QEMU_EMULATED: see 'make menuconfig'")
    return s


def from_kconfig(kconfig: dict[str, str], args: Namespace, platform: str, cores: int) -> Settings:
    """Settings of a new benchmark: args (see cli.py) over the configuration."""

    def value(symbol: str, default: int) -> int:
        return int(kconfig.get(symbol, default))

    preset, fast, slow = tiers(kconfig, args.preset)
    memory = (
        size("VM_MEMORY", args.vm_memory) if args.vm_memory else value("VM_MEMORY_MB", 512) * MIB
    )
    percent = value("VM_FAST_PERCENT", 20) / 100
    workloads = names("WORKLOADS", args.workloads, WORKLOADS, ALL)
    designs = names("DESIGNS", args.designs, DESIGNS)
    jobs = integer("JOBS", args.jobs, 1, 1024) if args.jobs else value("BENCH_JOBS", 0)
    vms = tuple(
        dict.fromkeys(integer("VM", v, 1, 1024) for v in args.vms.replace(",", " ").split())
    )
    if not vms:
        raise UserError("VM is empty: give a number of VMs, e.g. VM=9")
    made = check(
        Settings(
            platform=platform,
            preset=preset,
            fast=fast,
            slow=slow,
            vm_memory=memory,
            fast_ratio=ratio("FAST_RATIO", args.fast_ratio) if args.fast_ratio else percent,
            vcpus=value("VM_VCPUS", 1),
            footprint=size("FOOTPRINT", args.footprint)
            if args.footprint
            else min(int(memory * FOOTPRINT_SHARE), memory - GUEST_RESERVE) // MIB * MIB,
            vms=vms,
            designs=designs,
            workloads=workloads,
            repeat=integer("REPEAT", args.repeat or "1", 1, 1000),
            # real VMs compete for the machine, so they all run at once
            jobs=max(vms) if platform == "kvm" else jobs or cores,
            timeout_s=value("BENCH_TIMEOUT_S", 1800),
            name=args.name or "-".join(workloads[:3]),
            insn_ps=value("EMU_INSN_PS", 222),
            cache=value("EMU_CACHE_KB", 2048) * 1024,
            cache_ways=value("EMU_CACHE_WAYS", 16),
            mlp=value("EMU_MLP", 1),
            streams=value("EMU_STREAMS", 64),
            kvm_binary=kconfig.get("QEMU_KVM_BINARY", "qemu-system-x86_64"),
            kvm_nodes=(value("KVM_FAST_NODE", 0), value("KVM_SLOW_NODE", 1)),
        )
    )
    return check_selected(made, kconfig)


def from_json(path: Path, kconfig: dict[str, str]) -> Settings:
    """Settings of an earlier benchmark, from its config.json."""
    try:
        raw = json.loads(path.read_text())["settings"]
        if raw["format"] != FORMAT:
            raise UserError(f"{path}: written in another format ({raw['format']})")
        raw["fast"], raw["slow"] = Tier(**raw["fast"]), Tier(**raw["slow"])
        for key in ("vms", "designs", "workloads", "kvm_nodes"):
            raw[key] = tuple(raw[key])
        settings = Settings(**raw)
        names("WORKLOADS", " ".join(settings.workloads), WORKLOADS)
        names("DESIGNS", " ".join(settings.designs), DESIGNS)
    except OSError as error:
        raise UserError(f"FROM={path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"FROM={path}: not the config.json of a benchmark: {error}") from None
    if settings.platform not in ("emulated", "kvm"):
        raise UserError(f"FROM={path}: unknown platform: {settings.platform}")
    return check_selected(check(settings), kconfig)
