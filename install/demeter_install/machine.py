# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is on the machine that is installed on: where its boot loader looks for entries,
and how its root file system is found at boot.

The boot loader's own tool, bootctl, is asked where things are, so that nothing is guessed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import RefusedError
from .disk import lacks
from .kernels import Kernel

# Of the running kernel's command line, what concerns the root file system and the console;
# the second line only says something to an initramfs.
KEPT = re.compile(r"(rootflags|rootfstype|console)=.*|ro|rw")
KEPT_FOR_INITRAMFS = re.compile(r"(root|resume|cryptdevice|zfs|ip)=.*|rd\..*")
# What can follow root=; the kernel itself knows no UUID or LABEL of a file system.
ROOT = re.compile(r"(PARTUUID=|PARTLABEL=|UUID=|LABEL=|/dev/)\S+")
ROOT_FOR_INITRAMFS = ("UUID=", "LABEL=")
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def run(*command: str) -> str:
    """Run a program. It does not fail: raises RefusedError with the first line that it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RefusedError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}"
        raise RefusedError(f"{command[0]}: {said.splitlines()[0]}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Machine:
    root: Path  # its file system: /, or DESTDIR
    boot: str  # where kernels and entries go: the ESP, or XBOOTLDR if it has one
    real: bool  # this one, and it runs
    esp: str = ""  # given by ESP=

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def modules(self) -> str:
        """Where modules are. A /lib that is a link is not followed: it may leave DESTDIR."""
        return "/usr/lib/modules" if self.at("/lib").is_symlink() else "/lib/modules"

    def bootctl(self, *args: str) -> str:
        return run("bootctl", *([f"--esp-path={self.esp}"] if self.esp else []), *args)

    def kernel_install(self, kernel: Kernel) -> bool:
        """Whether its kernel-install puts kernels where this boot loader looks for them."""
        if not self.real or not shutil.which("kernel-install"):
            return False
        # old ones do not look at the arguments, new ones want them
        said = run("kernel-install", "inspect", kernel.release, str(kernel.vmlinuz))
        return bool(re.search(r"^\s*(KERNEL_INSTALL_LAYOUT|Layout): bls$", said, re.M))

    def secure_boot(self) -> bool:
        path = Path(SECURE_BOOT)
        return self.real and path.exists() and path.read_bytes()[4:5] == b"\1"


def find_boot(esp: str) -> str:
    """Return where the boot loader of this machine finds kernels. It must be mounted."""
    machine = Machine(Path("/"), esp, real=True, esp=esp)
    return machine.bootctl("--print-esp-path" if esp else "--print-boot-path")


def find(destdir: str, esp: str) -> Machine:
    """Find out where to install. Refuses a machine that would not boot what is installed."""
    if esp and not esp.startswith("/"):
        raise RefusedError(f"ESP={esp} must be a path that begins with /")
    if destdir:
        root = Path(os.path.abspath(destdir))
        if not root.parent.is_dir() or (root.exists() and not root.is_dir()):
            raise RefusedError(f"DESTDIR={destdir} is no folder, and cannot become one")
        boot = esp or ("/boot/efi" if (root / "boot/efi").is_dir() else "/efi")
        return Machine(root, os.path.normpath(boot), real=False)
    if os.geteuid():
        raise RefusedError("only root can install: sudo make install")
    if not Path("/sys/firmware/efi").is_dir():
        raise RefusedError("this machine was not booted by UEFI; DESTDIR= installs into a folder")
    if not shutil.which("bootctl"):
        raise RefusedError("there is no bootctl: only systemd-boot is supported as boot loader")
    if esp and not Path(esp).is_dir():
        raise RefusedError(f"ESP={esp} is no folder")
    machine = Machine(Path("/"), find_boot(esp), real=True, esp=esp)
    try:
        machine.bootctl("is-installed")
    except RefusedError:
        raise RefusedError(
            f"systemd-boot is not the boot loader in {machine.bootctl('--print-esp-path')}: "
            "see bootctl(1), install"
        ) from None
    return machine


def cmdline(real: bool) -> list[str]:
    return shlex.split(Path("/proc/cmdline").read_text(), posix=False) if real else []


@dataclass(frozen=True)
class Root:
    """How a kernel finds its root file system: what follows root=, and other options."""

    device: str
    options: Sequence[str]


def find_root(machine: Machine, given: str, kernel: Kernel | None, initramfs: bool) -> Root:
    """Return what an entry says of the root file system.

    Without an initramfs the kernel itself must find a partition, and have the drivers of its
    disk and of its file system; with one, what the running kernel was told is right.
    """
    now = cmdline(machine.real)
    kept = [word for word in now if KEPT.fullmatch(word)]
    # the kernel finds disks while it goes on
    late = [] if initramfs else ["rootwait=60"]
    if given:
        if not ROOT.fullmatch(given):
            raise RefusedError(
                "ROOT= must be one word that begins with PARTUUID=, PARTLABEL=, UUID=, LABEL= "
                f"or /dev/: {given!r}"
            )
        if given.startswith(ROOT_FOR_INITRAMFS) and not initramfs:
            raise RefusedError(
                f"ROOT={given} needs an initramfs, which is not made here: say ROOT=PARTUUID=..."
            )
        return Root(given, [*late, *kept])
    if not machine.real:
        raise RefusedError("ROOT= must name the root file system, such as ROOT=PARTUUID=...")
    if initramfs:
        roots = [word.removeprefix("root=") for word in now if word.startswith("root=")]
        more = [word for word in now if KEPT_FOR_INITRAMFS.fullmatch(word)]
        if roots:
            return Root(roots[-1], [*kept, *(w for w in more if not w.startswith("root="))])
    found = run("findmnt", "--pairs", "--output", "PARTUUID,FSTYPE,SOURCE,MAJ:MIN", "/")
    pairs = shlex.split(found.splitlines()[-1])
    partition, kind, source, device = (pair.partition("=")[2] for pair in pairs)
    needs = []
    if kernel:
        needs += [] if kernel.has(f"{kind.upper()}_FS") else [kind]
        needs += lacks(kernel, device)
    if not partition or needs:
        why = f", for {', '.join(needs)}" if needs else ""
        raise RefusedError(
            f"the root file system ({kind} on {source}) needs an initramfs{why}, and "
            "kernel-install makes none here: ROOT= names one that needs none"
        )
    return Root(f"PARTUUID={partition}", [*late, *kept])
