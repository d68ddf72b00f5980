# SPDX-License-Identifier: GPL-2.0-or-later
"""Has the machine's own tools make an initramfs, and sign the kernel if they do that.

kernel-install runs with a private folder as $BOOT and a private configuration, so that its
plugins (dracut, mkinitcpio, sbctl, ...) do their work, and nothing on the real $BOOT changes:
what they made is installed with the other files, or not at all. Debian's initramfs-tools has
no plugin; its mkinitramfs is run before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import RefusedError
from .kernels import Kernel

CONFIGURATIONS = [
    Path(folder, "kernel/install.conf") for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
]
PLUGINS = [Path(path.parent, "install.d") for path in CONFIGURATIONS]
ALIGN = 4  # bytes, of archives that follow each other
TOKEN = "demeter"


@dataclass(frozen=True)
class Made:
    vmlinuz: Path
    initrd: Path | None


def make(kernel: Kernel, options: str, work: Path) -> Made:
    """Make it in the new folder work; the modules must be in place."""
    boot = work / "boot"
    boot.mkdir(parents=True)
    given = []
    if shutil.which("mkinitramfs"):
        given = [work / "initrd.img"]
        call("mkinitramfs", "-o", str(given[0]), kernel.release, env={})
    env = environment(work, options)
    call("kernel-install", "add", kernel.release, str(kernel.vmlinuz), *map(str, given), env=env)
    entry = boot / f"loader/entries/{TOKEN}-{kernel.release}.conf"
    if not entry.exists():
        raise RefusedError(f"kernel-install has written no entry for {kernel.release}")
    made: dict[str, list[Path]] = {"linux": [], "initrd": []}
    for line in entry.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key in made:
            made[key].append(find(boot, value.strip()))
    initrd = join(made["initrd"], work / "initrd") if made["initrd"] else None
    return Made(made["linux"][0] if made["linux"] else kernel.vmlinuz, initrd)


def forget(release: str, work: Path) -> None:
    """Let plugins forget a kernel whose files are gone."""
    (work / "boot").mkdir(parents=True)
    call("kernel-install", "remove", release, env=environment(work, ""))


def plugin_files() -> Iterator[Path]:
    """Name the plugins in the order in which they run; one in /etc hides its namesake.

    depmod is left out: the build has run it, and files of modules stay as they were installed.
    """
    names = {path.name for folder in PLUGINS for path in folder.glob("*.install")}
    for name in sorted(names - {"50-depmod.install"}):
        path = next(folder / name for folder in PLUGINS if (folder / name).exists())
        if os.access(path, os.X_OK):
            yield path


def environment(work: Path, options: str) -> dict[str, str]:
    """Write a configuration: the machine's own but for where things go."""
    folder = work / "kernel"
    folder.mkdir()
    own = next((path.read_text() for path in CONFIGURATIONS if path.is_file()), "")
    lines = [x for x in own.splitlines() if not x.startswith(("layout=", "BOOT_ROOT="))]
    (folder / "install.conf").write_text("\n".join([*lines, "layout=bls"]) + "\n")
    (folder / "entry-token").write_text(f"{TOKEN}\n")
    (folder / "cmdline").write_text(f"{options}\n")
    return {
        "BOOT_ROOT": str(work / "boot"),
        "KERNEL_INSTALL_CONF_ROOT": str(folder),
        "KERNEL_INSTALL_PLUGINS": " ".join(map(str, plugin_files())),
    }


def call(*command: str, env: dict[str, str]) -> None:
    """Run a program, whose output is shown if it fails."""
    done = subprocess.run(
        command, env=os.environ | env, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise RefusedError(f"{' '.join(command[:2])} failed for {command[2:][:1]}")


def find(boot: Path, value: str) -> Path:
    """Find a file that an entry names: by its path from a root that we do not know."""
    parts = Path(value).parts[1:]
    for i in range(len(parts)):
        path = boot.joinpath(*parts[i:])
        if path.is_file():
            return path
    raise RefusedError(f"kernel-install names {value} in its entry, which is not there")


def join(archives: list[Path], out: Path) -> Path:
    """Make one of several, as the boot loader would."""
    if len(archives) == 1:
        return archives[0]
    with out.open("wb") as joined:
        for path in archives:
            joined.write(path.read_bytes())
            joined.write(bytes(-joined.tell() % ALIGN))
    return out
