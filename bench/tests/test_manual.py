# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/extending.md, word by word: its commands, in a copy of the checkout."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from demeter_testing import BUILD, TOP

# what the commands leave as it is, and what they add to
LINKED = ("apt", "linux", "plugins", "qemu", "tools", "venv")
COPIED = (".config", ".deps", ".lock", "image", "liblinear", "tests", "workloads")

pytestmark = [pytest.mark.boots, pytest.mark.needs("image/initramfs.cpio", "linux/guest/.built")]


def commands(section: str) -> list[str]:
    """The first block of commands of the section, without their comments."""
    text = (TOP / "docs/extending.md").read_text()
    block = re.search(rf"^## {section}$.*?^```$(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block
    return [line.partition("#")[0].strip() for line in block[1].strip().splitlines()]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, with a build folder in which all is built already."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=TOP, capture_output=True, text=True, check=True,
    )  # fmt: skip
    top = tmp_path / "checkout"
    for name in listed.stdout.rstrip("\0").split("\0"):
        if (TOP / name).exists():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, top / name)
    build = top / "build"
    build.mkdir()
    for name in LINKED:
        (build / name).symlink_to(BUILD / name)
    for name in COPIED:
        if (BUILD / name).is_dir():
            shutil.copytree(BUILD / name, build / name)
        elif (BUILD / name).exists():
            shutil.copy2(BUILD / name, build / name)
    return top


@pytest.mark.parametrize(
    ("section", "folder", "column"),
    [
        # nine minutes of a busy machine; the other's commands are the same
        pytest.param("A design", "designs", "design", marks=pytest.mark.release),
        ("A workload", "workloads", "workload"),
    ],
)
def test_the_manual_is_true(checkout: Path, section: str, folder: str, column: str):
    environment = {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS|BUILD|T$", k)}
    before = {p: p.read_bytes() for p in checkout.rglob("*") if p.suffix in (".py", ".mk", ".c")}
    steps = commands(section)
    assert [step.split()[:2] for step in steps] == [
        ["make", f"new-{column}"], ["make", "bench"], ["make", "check"],
    ]  # fmt: skip
    for step in steps:
        done = subprocess.run(
            step, shell=True, cwd=checkout, env=environment, capture_output=True, text=True,
            timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
    assert re.search(r"^[1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE), done.stdout
    with (checkout / "bench/out/summary.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert "mine" in {row[column] for row in rows}
    assert all(row["verified"] == "True" for row in rows), rows
    # listed by help and by the manual, and no source but its own was written
    listed = subprocess.run(
        ["make", "help"], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert "\n  mine " in listed.stdout
    assert "| `mine` |" in (checkout / "docs/user-guide.md").read_text()
    assert all(path.read_bytes() == text for path, text in before.items())
    assert (checkout / folder / "mine").is_dir()
