# SPDX-License-Identifier: GPL-2.0-or-later
"""What install and uninstall do, in order: look, refuse, change, compare, and keep a record.

The record (manifest) names every file with its digest, and the folders that were made. So
uninstall removes exactly these, and leaves what others have changed since.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from entry import Entry, make_entry

from . import RefusedError, initramfs
from .default import compare, find_default
from .kernels import Kernel
from .machine import Machine, find_root
from .transaction import MANIFEST, WORK, Content, Transaction, digest, uninterrupted

INITRAMFS_MIB = 64  # a guess for one that has not been made yet
SLACK_MIB = 1  # folders, and the manifest


@dataclass(frozen=True)
class Request:
    machine: Machine
    kernels: list[Kernel]
    root: str = ""  # ROOT=
    options: str = ""  # for all kernels


def install(request: Request, transaction: Transaction, dry: bool) -> None:
    machine, kernels = request.machine, request.kernels
    if not dry and transaction.recover(lambda: machine.boot if machine.real else ""):
        print("an installation that was stopped half-way has been undone or finished first")
    old = transaction.manifest() or {"boot": machine.boot, "files": {}, "folders": []}
    if old["boot"] != machine.boot:
        raise RefusedError(f"kernels are installed in {old['boot']}: make uninstall first")
    with_initramfs = machine.kernel_install(kernels[0])
    modules: dict[str, Content] = {}
    boot: dict[str, Content] = {}
    for kernel in kernels:
        modules |= kernel.modules(machine.modules)
        boot |= boot_files(request, kernel, None, with_initramfs)
    look(transaction, old, modules | boot, machine.real)
    first, last = changes(transaction, modules), changes(transaction, boot)
    extra = INITRAMFS_MIB * len(kernels) if with_initramfs else 0
    check_space(transaction, first | last, extra, machine.boot)
    gone = obsolete(old, kernels, machine, modules | boot, with_initramfs)
    entries = [PurePosixPath(path).name for path in boot if path.endswith(".conf")]
    default = find_default(machine, entries) if machine.real else None
    if dry:
        show(request, transaction, first | last, gone, boot, with_initramfs)
        return
    added: list[str] = []  # of which plugins of kernel-install know only by this installation
    with undone(transaction, added):
        transaction.begin(machine.boot)
        transaction.remove(gone)
        transaction.add(first)
        if with_initramfs:
            boot = {}
            for kernel in kernels:
                if kernel.release not in old.get("kernels", []):
                    added.append(kernel.release)
                options = boot_options(request, kernel, True)
                work = transaction.at(WORK) / kernel.release
                made = initramfs.make(kernel, options, work)
                boot |= boot_files(request, kernel, made, made.initrd is not None)
            look(transaction, old, boot, machine.real)
            last = changes(transaction, boot)
            check_space(transaction, last, 0)
        transaction.add(last)
        if default:
            compare(machine, default)
        files = {path: content.digest for path, content in (modules | boot).items()}
        files = {k: v for k, v in old["files"].items() if k not in gone} | files
        record(transaction, machine, kernels, old, files, with_initramfs)
    report(machine, kernels)


def boot_options(request: Request, kernel: Kernel, with_initramfs: bool) -> str:
    entry = entry_of(request, kernel, with_initramfs, "")
    return f"root={entry.root} {entry.options}".rstrip()


def entry_of(request: Request, kernel: Kernel, with_initramfs: bool, initrd: str) -> Entry:
    root = find_root(request.machine, request.root, kernel, with_initramfs)
    more = [*root.options, request.options]
    return make_entry(kernel.variant, kernel.release, root.device, *more, initrd=initrd)


def boot_files(
    request: Request, kernel: Kernel, made: initramfs.Made | None, with_initramfs: bool
) -> dict[str, Content]:
    """Return what the boot loader reads; the entry comes last, when all that it names is there."""
    boot = request.machine.boot
    initrd = f"/demeter/{kernel.release}/initrd" if made and made.initrd else ""
    entry = entry_of(request, kernel, with_initramfs, initrd)
    files = {f"{boot}/{entry.folder}/vmlinuz": Content(made.vmlinuz if made else kernel.vmlinuz)}
    if made and made.initrd:
        files[f"{boot}{initrd}"] = Content(made.initrd)
    files[f"{boot}/loader/entries/{entry.name}"] = Content(data=entry.text().encode())
    return files


def look(
    transaction: Transaction, old: Mapping[str, Any], wanted: Mapping[str, Content], real: bool
) -> None:
    """Refuse to take the place of what another has put there, or has changed."""
    folders = {folder for path in [*wanted, MANIFEST] for folder in transaction.at(path).parents}
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            raise RefusedError(f"{folder} is in the way: it is no folder")
        if folder.is_symlink() and not real and transaction.root in folder.parents:
            raise RefusedError(f"{folder} is a symbolic link: it may lead out of DESTDIR")
    for path in wanted:
        place = transaction.at(path)
        there = digest(place)
        if there is not None and path not in old["files"]:
            raise RefusedError(f"{place} is there already, and is not Demeter's: move it away")
        if there is not None and there != old["files"][path]:
            raise RefusedError(f"{place} was changed since it was installed: move it away")


def changes(transaction: Transaction, wanted: Mapping[str, Content]) -> dict[str, Content]:
    """Return what is to be written, of what is wanted; the rest is there already."""
    there = {path: digest(transaction.at(path)) for path in wanted}
    return {p: c for p, c in wanted.items() if there[p] is None or there[p] != c.digest}


def obsolete(
    old: Mapping[str, Any], kernels: Iterable[Kernel], machine: Machine,
    wanted: Mapping[str, Content], with_initramfs: bool,
) -> list[str]:  # fmt: skip
    """Return what an earlier build of these kernels has, and this one has not."""
    folders = [(f"{machine.modules}/{k.release}/", f"{machine.boot}/demeter/{k.release}/initrd")
               for k in kernels]  # fmt: skip
    gone = []
    for path in old["files"]:
        for modules, initrd in folders:
            if path not in wanted and (
                path.startswith(modules) or (path == initrd and not with_initramfs)
            ):
                gone.append(path)
    return gone


def check_space(
    transaction: Transaction, files: Mapping[str, Content], extra_mib: int, where: str = ""
) -> None:
    """Refuse what would not fit; what is replaced is kept until all is done."""
    needs: dict[int, int] = {}
    places: dict[int, Path] = {}
    sizes = {path: content.size for path, content in files.items()}
    sizes |= {f"{where}/x": extra_mib << 20} if extra_mib else {}
    for path, size in sizes.items():
        folder = next(f for f in transaction.at(path).parents if f.exists())
        device = folder.stat().st_dev
        places[device] = folder
        block = os.statvfs(folder).f_frsize
        needs[device] = needs.get(device, SLACK_MIB << 20) + -(-size // block) * block
    for device, need in needs.items():
        disk = os.statvfs(places[device])
        if need > disk.f_bavail * disk.f_frsize:
            raise RefusedError(
                f"no space in {places[device]}: needs {-(-need >> 20)} MiB, "
                f"{disk.f_bavail * disk.f_frsize >> 20} MiB are free"
            )


@contextmanager
def undone(transaction: Transaction, added: Iterable[str] = ()) -> Iterator[None]:
    """Undo everything if it fails; who wants to interrupt that has to wait.

    added: releases that plugins of kernel-install are to forget then.
    """
    try:
        yield
    except BaseException as error:
        if transaction.done:
            raise
        uninterrupted()
        try:
            transaction.undo()
        except OSError as again:
            raise RefusedError(
                f"{error}; and that could not be undone: {again}: run it again when that is mended"
            ) from None
        forget(added)
        raise


def record(
    transaction: Transaction, machine: Machine, kernels: Iterable[Kernel],
    old: Mapping[str, Any], files: Mapping[str, str], with_initramfs: bool,
) -> None:  # fmt: skip
    """Write down what is installed, and make it final."""
    made = [*old["folders"], *transaction.folders]
    in_use = {str(folder) for path in [*files, MANIFEST] for folder in PurePosixPath(path).parents}
    manifest = {
        "boot": machine.boot,
        "kernel_install": with_initramfs,
        "kernels": sorted({*old.get("kernels", []), *(k.release for k in kernels)}),
        "files": dict(sorted(files.items())),
        "folders": [folder for folder in dict.fromkeys(made) if folder in in_use],
    }
    transaction.finish(manifest, [folder for folder in made if folder not in in_use][::-1])


def report(machine: Machine, kernels: Iterable[Kernel]) -> None:
    entries = [f"linux-{kernel.release}.conf" for kernel in kernels]
    for name in entries:
        print(f"  installed {machine.boot}/loader/entries/{name}")
    if machine.real:
        print("The default entry is as it was. To boot one of these once:")
        for name in entries:
            print(f"  bootctl set-oneshot {name} && reboot")
    if machine.secure_boot():
        print("Secure Boot is on: kernels that nobody has signed are not booted", file=sys.stderr)


def show(
    request: Request, transaction: Transaction, write: Mapping[str, Content], gone: list[str],
    boot: Mapping[str, Content], with_initramfs: bool,
) -> None:  # fmt: skip
    """Print what would be done, a line for each file and folder."""
    folders: dict[Path, None] = {}
    for path in [*write, MANIFEST]:
        folders |= dict.fromkeys(transaction.missing(transaction.at(path).parent))
    for path in gone:
        print(f"remove  {transaction.at(path)}")
    for folder in folders:
        print(f"mkdir   {folder}")
    for path, content in write.items():
        place = transaction.at(path)
        print(
            f"{'replace' if os.path.lexists(place) else 'write  '} {place} ({content.size} bytes)"
        )
    for kernel in request.kernels if with_initramfs else []:
        print(f"run     kernel-install add {kernel.release}, in a folder of its own")
        folder = transaction.at(f"{request.machine.boot}/demeter/{kernel.release}")
        print(f"write   {folder}/initrd, if it makes one")
    print(f"write   {transaction.at(MANIFEST)}")
    for path, content in boot.items():
        if path.endswith(".conf"):
            print(f"\n{transaction.at(path)}:\n{content.data.decode()}", end="")


def uninstall(transaction: Transaction, boot: Callable[[], str], real: bool, dry: bool) -> None:
    """Remove what the manifest names, but what is no longer as it was installed.

    boot: asks the boot loader of a real machine where its kernels are.
    """
    if not dry and transaction.recover(boot):
        print("an installation that was stopped half-way has been undone or finished first")
    manifest = transaction.manifest()
    if not manifest:
        print("nothing is installed")
        return
    files, folders = manifest["files"], manifest["folders"]
    transaction.mounted(manifest["boot"], boot(), files)
    release = os.uname().release
    if real and release in manifest["kernels"]:
        raise RefusedError(f"{release} is running: boot another kernel first")
    remove, kept = [], []
    # what the boot loader would offer goes first
    for path in sorted(files, key=lambda path: not path.endswith(".conf")):
        there = digest(transaction.at(path))
        if there == files[path]:
            remove.append(path)
        elif there is not None:
            kept.append(path)
    if dry:
        for path in remove:
            print(f"remove  {transaction.at(path)}")
        for folder in folders[::-1]:
            print(f"rmdir   {transaction.at(folder)}, if it is empty")
    else:
        with undone(transaction):
            transaction.begin(manifest["boot"])
            transaction.remove(remove)
            transaction.finish(None, folders[::-1])
        print(f"  removed {', '.join(manifest['kernels'])}")
    for path in kept:
        print(f"left    {transaction.at(path)}: it was changed since it was installed")
    if real and manifest["kernel_install"] and not dry:
        forget(manifest["kernels"])


def forget(releases: Iterable[str]) -> None:
    """Let plugins of kernel-install forget kernels; that they cannot keeps nothing else back."""
    for release in releases:
        with tempfile.TemporaryDirectory() as work:
            try:
                initramfs.forget(release, Path(work))
            except RefusedError as error:
                print(f"install: {error}", file=sys.stderr)
