# SPDX-License-Identifier: GPL-2.0-or-later
"""A clean Debian to run programs in, which only a layer of the test's own is written to.

packaging/debian-root makes it, below BUILD. Programs run in a chroot in namespaces of their
own; root is not needed where users may make namespaces.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import BUILD

ROOT = "debian/root"
MOUNTS = """\
cd "$LAYER"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=upper,workdir=work" root
mount -t proc proc root/proc
mount --rbind /dev root/dev
for bind in $BINDS; do mount --bind "${bind%:*}" "root${bind#*:}"; done
exec chroot root /bin/sh -ec "$SCRIPT"
"""


class Debian:
    """A root file system: root as programs see it, of which upper is what they have changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.upper = folder / "upper"
        self.binds: dict[str, Path] = {}
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file that is to be there."""
        file = self.upper / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def bind(self, folder: Path, path: str) -> None:
        """Let them see a folder of the test's under that path."""
        (self.upper / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self.binds[path] = folder

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run lines of shell until one fails."""
        user = ["--map-root-user"] if os.geteuid() else []
        binds = " ".join(f"{folder}:{path}" for path, folder in self.binds.items())
        settings = {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
            "LAYER": str(self.folder),
            "LOWER": str(BUILD / ROOT), "BINDS": binds, "SCRIPT": script, **env,
        }  # fmt: skip
        return subprocess.run(
            ["unshare", *user, "--mount", "--pid", "--fork", "--kill-child",
             "bash", "-ec", MOUNTS],
            capture_output=True, text=True, env=settings, timeout=300,
        )  # fmt: skip

    def changes(self) -> set[str]:
        """Name the files that were written or removed, and folders that were made."""
        lower = BUILD / ROOT
        found = (path.relative_to(self.upper) for path in self.upper.rglob("*"))
        return {
            f"/{path}" for path in found
            if not (self.upper / path).is_dir() or not (lower / path).is_dir()
        }  # fmt: skip
