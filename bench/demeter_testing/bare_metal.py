# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests without an operating system: boot ROMs, made of qemu/tests/*.S, on the emulator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from demeter_bench.platforms.emulated import Emulated

from demeter_testing import BUILD, TOP


def assemble(folder: Path, name: str, *definitions: str) -> Path:
    """Return the boot ROM of qemu/tests/NAME.S, with definitions as for the C preprocessor."""
    assembled, rom = folder / f"{name}.o", folder / f"{name}.rom"
    source = TOP / f"qemu/tests/{name}.S"
    defines = [f"-D{d}" for d in definitions]
    subprocess.run(["gcc", "-m64", *defines, "-c", source, "-o", assembled], check=True)
    link = ["ld", "-m", "elf_x86_64", "-Ttext", "0", "--oformat", "binary"]
    subprocess.run([*link, assembled, "-o", rom], check=True, stderr=subprocess.DEVNULL)
    return rom


def boot(rom: Path, folder: Path, cpu: str, *options: str) -> tuple[str, dict]:
    """
    Run a boot ROM in 64 MiB until it resets the machine; options are those of the memory model,
    whose report is in the folder, which must not be there. Returns what the guest printed on the
    first serial port, and the report.
    """
    folder.mkdir()
    platform = Emulated(BUILD)
    plugin = [str(platform.plugin), *options, f"report={folder}/report"]
    done = subprocess.run(
        [platform.qemu, "-machine", "q35,usb=off", "-accel", "tcg", "-m", "64M",
         "-icount", "insn-ps=222,sleep=off", "-cpu", cpu,
         "-L", platform.firmware.parent, "-bios", rom, "-plugin", ",".join(plugin),
         "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{folder}/out"],
        timeout=240, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (folder / "out").read_text(), json.loads((folder / "report").read_text())
