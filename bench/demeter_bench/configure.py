# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings from the Kconfig configuration and the command line, checked.

What cannot run is refused here, before anything is built, by a UserError with one line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import designs, discover, workloads
from .design import Memory
from .designs import DESIGNS
from .errors import UserError
from .packing import unchanged
from .parameters import check_parameters, parse
from .platforms import PLATFORMS
from .platforms.machine import forms_two_tiers
from .platforms.platform import Platform
from .program import check_program, program_name, with_files
from .provision import PROVISIONS
from .provision.provision import shares
from .recipes import RECIPES
from .settings import FORMAT, MEDIA, MIB, PRESETS, Program, Settings, Tier, check_integers
from .variant import variants
from .workloads import ALL, WORKLOADS

# What the guest kernel, its page tables and the image take beside a workload.
GUEST_RESERVE = 56 * MIB
# The kernel describes each page of a node by 64 bytes, also those that it does not get.
PAGES_TO_DESCRIPTIONS = 64
BOOT_MEMORY = 64 * MIB
SLOW_MEMORY = 16 * MIB
FOOTPRINT_SHARE = 0.85
MAX_MEMORY = 4 << 40


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
        raise UserError(f"{name}={text}: not a size such as 300M or 1G (in K, M or G)")
    value = int(match[1]) << {"K": 10, "M": 20, "G": 30, "": 20}[match[2]]
    if value % MIB or not MIB <= value <= MAX_MEMORY:
        raise UserError(f"{name}={text}: must be whole MiB, up to {MAX_MEMORY // MIB}")
    return value


def ratio(name: str, text: str) -> float:
    """A number above 0 and at most 1."""
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{name}={text}: not a number") from None
    if not 0 < value <= 1:
        raise UserError(f"{name}={text}: must be above 0 and at most 1")
    return value


def names(
    name: str, text: str, known: Mapping[str, object], everything: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """A list of known names; "all" stands for everything, or for every one."""
    chosen = text.replace(",", " ").split()
    if chosen == ["all"]:
        return everything or tuple(known)
    require_known(name, tuple(chosen), known)
    return tuple(dict.fromkeys(chosen))


def words(name: str, text: str | None) -> tuple[str, ...]:
    """Words as the shell reads them, quotes and all."""
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UserError(f"{name}={text}: {error}") from None


def usual_designs(kconfig: dict[str, str], platform: type[Platform]) -> tuple[str, ...]:
    """The designs that are selected, but for such that need a run before their own.

    Those that the platform's guests cannot run are left out, too.
    """
    return tuple(
        name
        for name, design in DESIGNS.items()
        if not design.profiled
        and not platform.lacks(design)
        and (design.memory is not Memory.HOST or discover.symbol("HOST", design.host) in kconfig)
        and designs.symbol(name) in (None, *kconfig)
    )


def reserve(memory: int, provision: tuple[str, ...]) -> int:
    """What the guest takes beside a workload: nodes that are as large as the VM cost more."""
    shrinks = any(PROVISIONS[name].shrinks for name in provision)
    return GUEST_RESERVE + shrinks * memory // PAGES_TO_DESCRIPTIONS


def usual_footprint(memory: int, provision: tuple[str, ...]) -> int:
    """What a workload may use of a VM's memory, in whole MiB."""
    share = min(int(memory * FOOTPRINT_SHARE), memory - reserve(memory, provision))
    return max(share // MIB * MIB, MIB)


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
        def value(field: str) -> int:
            return int(kconfig[f"{prefix}_{field}"])

        symbols = {f"{prefix}_{m.upper().replace('-', '_')}": m for m in MEDIA}
        media = next((m for symbol, m in symbols.items() if symbol in kconfig), None)
        if media is None:
            raise UserError(f"none of {' '.join(symbols)} is set: run 'make menuconfig'")
        return Tier(
            value("READ_PS"), value("WRITE_PS"), value("READ_MBPS"), value("WRITE_MBPS"), media
        )

    return "custom", tier("FAST"), tier("SLOW")


# Bounds of the integer settings: (name for the user, lowest, highest).
LIMITS = {
    "vm_memory": ("VM_MEMORY", MIB, MAX_MEMORY),
    "footprint": ("FOOTPRINT", MIB, MAX_MEMORY),
    "vcpus": ("VM_VCPUS", 1, 64),
    "repeat": ("REPEAT", 1, 1000),
    "jobs": ("JOBS", 1, 1024),
    "timeout_s": ("BENCH_TIMEOUT_S", 1, 864_000),
}


TIER_MIN = {"read_ps": 0, "write_ps": 0, "read_mbps": 1, "write_mbps": 1}
TIER_MAX = 1_000_000_000


def check(s: Settings) -> Settings:
    """Refuse what cannot run; returns s."""
    check_integers(s, LIMITS)
    if not s.vms or not all(type(n) is int and 1 <= n <= 1024 for n in s.vms):
        raise UserError(f"VM: must be numbers from 1 to 1024: {s.vms}")
    if type(s.fast_ratio) not in (int, float) or not 0 < s.fast_ratio <= 1:
        raise UserError(f"FAST_RATIO={s.fast_ratio}: must be above 0 and at most 1")
    for tier in ("fast", "slow"):
        limits = {key: (f"{tier}.{key}", low, TIER_MAX) for key, low in TIER_MIN.items()}
        check_integers(getattr(s, tier), limits)
    for t in (s.fast, s.slow):
        if t.media not in MEDIA:
            raise UserError(f"a tier's media must be one of {' '.join(MEDIA)}: {t.media}")
    platform = PLATFORMS[s.platform]
    if platform.hypervisors:
        require_known("HYPERVISOR", (s.options.hypervisor,), dict.fromkeys(platform.hypervisors))
    platform.check(s)
    for one in s.designs:
        check_design(s, one, platform)
    check_parameters(s)
    need = (BOOT_MEMORY if s.program else s.footprint) + reserve(s.vm_memory, s.provision)
    if s.vm_memory < need:
        what = "a program" if s.program else f"the footprint of {s.footprint // MIB} MiB"
        raise UserError(
            f"VM_MEMORY: {s.vm_memory // MIB} MiB are too small for {what}: at least "
            f"{-(-need // MIB)} MiB are needed"
        )
    check_fast_share(s, s.fast_ratio, f"FAST_RATIO={s.fast_ratio:g}")
    for one in () if s.program else s.workloads:
        if s.footprint < WORKLOADS[one].least:
            raise UserError(f"FOOTPRINT: {one} needs at least {WORKLOADS[one].least // MIB} MiB")
        check_resizes(s, one)
    together = min(s.jobs, max(s.vms) * len(variants(s)) * len(s.workloads) * s.repeat)
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if together * s.vm_memory > host:
        raise UserError(
            f"JOBS={s.jobs}: {together} VMs of {s.vm_memory // MIB} MiB at a time exceed this "
            f"machine's {host // MIB} MiB"
        )
    if not isinstance(s.name, str) or not re.fullmatch(r"[\w.-]{1,64}", s.name):
        raise UserError(f"NAME={s.name}: at most 64 letters, digits, '.', '_' and '-'")
    if s.program:
        check_program(s.program, s.vm_memory - need)
    return s


def check_fast_share(s: Settings, share: float, what: str) -> None:
    """Refuse a share of the fast tier with which a guest cannot live."""
    fast = s.fast_share(share)
    if fast < BOOT_MEMORY:
        raise UserError(
            f"{what}: a fast tier of {fast // MIB} MiB is too small: "
            f"the guest boots in it and needs {BOOT_MEMORY // MIB} MiB"
        )
    if 0 < s.vm_memory - fast < SLOW_MEMORY:
        raise UserError(
            f"{what}: leaves the slow tier less than "
            f"{SLOW_MEMORY // MIB} MiB: give it more, or none by FAST_RATIO=1"
        )


def check_resizes(s: Settings, workload: str) -> None:
    """Refuse a workload whose nodes are resized where they cannot be."""
    resizes = WORKLOADS[workload].resizes
    if not resizes:
        return
    able = " ".join(name for name, provision in PROVISIONS.items() if provision.resizes)
    for name in s.provision:
        if not PROVISIONS[name].resizes:
            raise UserError(
                f"WORKLOADS: {workload} gives nodes other sizes while it runs, which "
                f"{name} cannot: choose PROVISION={able}"
            )
    for design in s.designs:
        if DESIGNS[design].profiled or len(shares(s, DESIGNS[design])) < 2:
            raise UserError(
                f"WORKLOADS: {workload} gives nodes other sizes while it runs: leave out "
                f"{design} of DESIGNS, for which there are not two"
            )
    for _, share in resizes:
        check_fast_share(s, share, f"WORKLOADS: {workload}: share {share:g} of VM_MEMORY")


def check_design(s: Settings, name: str, platform: type[Platform]) -> None:
    """Refuse a design that cannot run with these settings."""
    design = DESIGNS[name]
    if missing := platform.lacks(design):
        raise UserError(f"DESIGNS: {name} needs {missing}: leave it out on {platform.name}")
    if design.profiled and s.program:
        raise UserError(
            f"DESIGNS: {name} places the pages of the workloads here only: leave it out "
            "with COMMAND"
        )
    for one in s.workloads if design.profiled else ():
        if not WORKLOADS[one].placeable:
            raise UserError(
                f"DESIGNS: {name} places pages by their address in one process, which not all "
                f"pages of {one} have: leave out one of them"
            )
    if design.needs_two_tiers and s.tiers < 2:
        raise UserError(
            f"DESIGNS: {name} needs two tiers, and FAST_RATIO={s.fast_ratio:g} leaves one: "
            "leave it out, or give the fast tier less than all memory"
        )
    if design.needs_two_tiers and not forms_two_tiers(s):
        raise UserError(
            f"DESIGNS: {name} needs two tiers, and the guest's kernel puts nodes that are so "
            f"close in speed into one (PRESET={s.preset}): leave it out, or make the slow tier "
            "slower"
        )


def check_selected(s: Settings, kconfig: dict[str, str]) -> Settings:
    """Refuse workloads and designs that the configuration does not build; returns s."""
    for one in () if s.program else s.workloads:
        if workloads.symbol(one) not in kconfig:
            raise UserError(f"WORKLOADS: {one} is not selected: see 'make menuconfig'")
    for one in s.designs:
        symbol, guest = designs.symbol(one), DESIGNS[one].guest
        if symbol is not None and symbol not in kconfig:
            raise UserError(f"DESIGNS: {one} is not selected: see 'make menuconfig'")
        if guest != "guest" and discover.symbol("GUEST", guest) not in kconfig:
            raise UserError(
                f"DESIGNS: {one} needs the guest kernel {guest}, which is not selected: "
                "see 'make menuconfig'"
            )
    for one in s.provision:
        PROVISIONS[one].check_selected(kconfig)
    PLATFORMS[s.platform].check_selected(s, kconfig)
    return s


def platform_options(
    kconfig: dict[str, str], platform: type[Platform], hypervisor: str | None
) -> Any:
    """The platform's own settings, as configured, with the hypervisor that is asked for."""
    options = platform.options(kconfig)
    if hypervisor is None:
        return options
    if not platform.hypervisors:
        able = " ".join(name for name, other in PLATFORMS.items() if other.hypervisors)
        raise UserError(
            f"HYPERVISOR: the {platform.name} platform has no choice: leave it out, "
            f"or choose PLATFORM={able}"
        )
    return dataclasses.replace(options, hypervisor=hypervisor)


def from_kconfig(
    kconfig: dict[str, str], args: Namespace, platform: type[Platform], cores: int
) -> Settings:
    """Settings of a new benchmark: args (see cli.py) over the configuration."""

    def value(symbol: str, default: int) -> int:
        return int(kconfig.get(symbol, default))

    preset, fast, slow = tiers(kconfig, args.preset)
    memory = (
        size("VM_MEMORY", args.vm_memory) if args.vm_memory else value("VM_MEMORY_MB", 512) * MIB
    )
    percent = value("VM_FAST_PERCENT", 20) / 100
    program = None
    if args.command is not None:
        for other in ("WORKLOADS", "FOOTPRINT"):
            if getattr(args, other.lower()) is not None:
                raise UserError(f"COMMAND takes the place of a workload: leave out {other}")
        program = with_files(Program(args.command, words("FILES", args.files), args.roi or ""))
        chosen: tuple[str, ...] = (program_name(program),)
    elif args.files or args.roi:
        raise UserError("FILES and ROI belong to a COMMAND, and there is none")
    else:
        asked = "gups" if args.workloads is None else args.workloads
        chosen = names("WORKLOADS", asked, WORKLOADS, ALL)
    jobs = integer("JOBS", args.jobs, 1, 1024) if args.jobs else value("BENCH_JOBS", 0)
    counts = ("1" if args.vm is None else args.vm).replace(",", " ").split()
    vms = tuple(dict.fromkeys(integer("VM", count, 1, 1024) for count in counts))
    if not vms:
        raise UserError("VM is empty: give a number of VMs, e.g. VM=9")
    provision = names(
        "PROVISION", "static" if args.provision is None else args.provision, PROVISIONS
    )
    made = Settings(
        platform=platform.name,
        preset=preset,
        fast=fast,
        slow=slow,
        vm_memory=memory,
        fast_ratio=ratio("FAST_RATIO", args.fast_ratio) if args.fast_ratio else percent,
        vcpus=value("VM_VCPUS", 1),
        footprint=size("FOOTPRINT", args.footprint)
        if args.footprint
        else usual_footprint(memory, provision),
        vms=vms,
        designs=usual_designs(kconfig, platform)
        if args.designs is None
        else names(
            "DESIGNS",
            args.designs,
            DESIGNS,
            tuple(name for name, design in DESIGNS.items() if not platform.lacks(design)),
        ),
        workloads=chosen,
        repeat=integer("REPEAT", args.repeat or "1", 1, 1000),
        jobs=max(vms) if platform.vms_together else jobs or cores,
        timeout_s=value("BENCH_TIMEOUT_S", 1800),
        name=args.name or "-".join(chosen[:3])[:64],
        options=platform_options(kconfig, platform, args.hypervisor),
        program=program,
        provision=provision,
        parameters=parse(args.parameters or ""),
        recipe=args.recipe or "",
    )
    if args.designs is None:
        able = (d for d in made.designs if not DESIGNS[d].needs_two_tiers or forms_two_tiers(made))
        if not program and any(WORKLOADS[w].resizes for w in chosen):
            able = (d for d in able if len(shares(made, DESIGNS[d])) == 2)
        made = dataclasses.replace(made, designs=tuple(able))
    return check_selected(check(made), kconfig)


def from_json(name: str, path: Path, kconfig: dict[str, str]) -> Settings:
    """Settings of an earlier benchmark, from its config.json or the folder that has it.

    name: of the option that names the path, for messages

    Nothing in the file is trusted: it has the types of Settings, and no other members.
    """
    from pydantic import TypeAdapter, ValidationError

    if path.is_dir():
        path /= "config.json"
    try:
        raw = json.loads(path.read_text())["settings"]
        if raw["format"] != FORMAT:
            raise UserError(f"{name}={path}: written in another format ({raw['format']})")
        settings = TypeAdapter(Settings).validate_json(json.dumps(raw), strict=True)
        if settings.platform not in PLATFORMS:
            raise UserError(f"{name}={path}: unknown platform: {settings.platform}")
        options = TypeAdapter(PLATFORMS[settings.platform].Options)
        own = options.validate_json(json.dumps(raw["options"]), strict=True)
    except OSError as error:
        raise UserError(f"{name}={path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{name}={path}: {where}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{name}={path}: not the config.json of a benchmark: {error}") from None
    settings = dataclasses.replace(settings, options=own)
    if settings.program:
        if settings.workloads != (program_name(settings.program),):
            raise UserError(f"{name}={path}: workloads: must be the program's name")
        unchanged(settings.program)
    else:
        require_known("WORKLOADS", settings.workloads, WORKLOADS)
    require_known("DESIGNS", settings.designs, DESIGNS)
    require_known("PROVISION", settings.provision, PROVISIONS)
    if settings.recipe:
        require_known("RECIPE", (settings.recipe,), RECIPES)
    return check_selected(check(settings), kconfig)


def require_known(name: str, chosen: tuple[str, ...], known: Mapping[str, object]) -> None:
    """Refuse a list that is empty, or has a name that is not known."""
    if not chosen:
        raise UserError(f"{name} is empty; there are: {' '.join(known)}")
    for one in chosen:
        if one not in known:
            raise UserError(f"{name}: unknown: {one}; there are: {' '.join(known)}")
