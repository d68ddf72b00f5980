# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of `make install` and `make uninstall`.

check says whether this machine can be installed on, before anything is built; install and
uninstall do all of their work or none of it. What was not done is said by one line.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from entry import EntryError, cmdline

from . import RefusedError
from .default import find_default
from .install import Request, install, uninstall
from .kernels import staged
from .machine import find, find_boot, find_root
from .transaction import INTERRUPTS, Disk, Transaction


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="install", description=__doc__)
    parser.add_argument("command", choices=["check", "install", "uninstall"])
    parser.add_argument("--destdir", default="", help="install below this folder")
    parser.add_argument("--esp", default="", help="the EFI system partition's folder")
    parser.add_argument("--root", default="", help="what follows root= on the command line")
    parser.add_argument("--config", type=Path, help="file with CONFIG_HOST_CMDLINE")
    parser.add_argument("--how", default="", help='"dry" shows what would be done')
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder")
    parser.add_argument("variants", nargs="*", help="kernels to install")
    return parser.parse_intermixed_args(argv)


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Keep others from installing at the same time; leaves no file."""
    folder = os.open(root if root.is_dir() else root.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RefusedError(f"another installs in {root} right now") from None
    finally:
        os.close(folder)


def execute(args: argparse.Namespace, disk: Disk | None = None) -> None:
    if args.how not in ("", "dry"):
        raise RefusedError(f"INSTALL= can be dry or nothing, not {args.how!r}")
    dry = args.how == "dry"
    if args.destdir and os.path.realpath(args.destdir) == "/":
        raise RefusedError(f"DESTDIR={args.destdir} is this machine's root: leave DESTDIR out")
    if args.command == "uninstall":
        if not args.destdir and os.geteuid():
            raise RefusedError("only root can uninstall: sudo make uninstall")
        root = Path(os.path.abspath(args.destdir or "/"))
        if not root.is_dir():
            raise RefusedError(f"DESTDIR={args.destdir} is no folder")
        with only_one(root):
            real = not args.destdir
            boot = partial(find_boot, args.esp) if real else str
            uninstall(Transaction(root, disk), boot, real, dry)
        return
    if not args.variants:
        raise RefusedError("no host kernel is selected: make menuconfig, Host kernels")
    machine = find(args.destdir, args.esp)
    if args.command == "check":
        initramfs = machine.real  # whether it can have one is known when there is a kernel
        find_root(machine, args.root, None, initramfs)
        if machine.real:
            find_default(machine, [])
        return
    kernels = [staged(args.build / "linux" / name / "stage", name) for name in args.variants]
    options = cmdline(args.config) if args.config else ""
    request = Request(machine, kernels, args.root, options)
    with only_one(machine.root):
        install(request, Transaction(machine.root, disk), dry)


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, stop)
    args = arguments(argv)
    try:
        execute(args)
    except (RefusedError, EntryError) as error:
        print(f"{args.command}: {error}".replace("check:", "install:"), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{args.command}: nothing was changed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{args.command}: interrupted, nothing was changed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
