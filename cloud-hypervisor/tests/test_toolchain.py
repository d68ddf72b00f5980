# SPDX-License-Identifier: GPL-2.0-or-later
"""Rust is the user's own if that is new enough, and else Debian's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from demeter_testing import TOP


def program(path: Path, says: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)


def cargo(path: Path, version: str) -> None:
    """Make a cargo that says its version, and else its arguments and where it is."""
    program(
        path,
        f'[ "$1" = --version ] && exec echo "cargo {version} (0123 2026-01-01)"\necho "$0 $*"',
    )


def run(command: list[str], *folders: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    env = {**os.environ, "PATH": path, "BUILD": str(folders[0] / "build")}
    return subprocess.run(command, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("version", "installs"),
    [("1.88.0", False), ("1.100.1", False), ("2.0.0", False), ("1.87.9", True), ("", True)],
)
def test_packages_are_installed_unless_there_is_a_program(
    version: str, installs: bool, tmp_path: Path
):
    tools = tmp_path / "tools"
    program(tools / "apt-get", 'echo "$*" >&2; [ "$1" != install ]')
    if version:
        cargo(tools / "a-cargo", version)
    wanted = tmp_path / "list"
    wanted.write_text("# a comment\nno-such-package unless a-cargo 1.88\n")
    done = run(["scripts/deps", str(wanted)], tools)
    log = tools / "build/log/packages.log"
    asked = log.read_text() if log.exists() else ""
    assert ("no-such-package" in asked + done.stderr) == installs
    assert (done.returncode == 0) == (not installs)


def test_the_first_cargo_that_is_new_enough_is_run(tmp_path: Path):
    cargo(tmp_path / "old/cargo", "1.60.0")
    program(tmp_path / "broken/cargo", "exit 1")
    cargo(tmp_path / "new/cargo", "1.99.0")
    folders = [tmp_path / name for name in ("old", "broken", "new")]
    done = run([str(TOP / "cloud-hypervisor/cargo"), "build", "x"], *folders)
    assert done.stdout == f"{tmp_path}/new/cargo build x\n", done.stderr
    if not Path("/usr/bin/cargo").exists():
        done = run([str(TOP / "cloud-hypervisor/cargo"), "build"], *folders[:2])
        assert done.returncode == 1
        assert done.stderr.startswith("cargo: Rust 1.88 or newer is needed")
