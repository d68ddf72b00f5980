# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/kconfig.py: configurations that are taken, kept or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def kconfig(config: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "scripts/kconfig.py", config, *args],
        cwd=TOP, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", [p.name for p in (TOP / "configs").glob("*_defconfig")])
def test_defconfigs_hold(tmp_path: Path, name: str):
    config = tmp_path / ".config"
    done = kconfig(config, "defconfig", f"configs/{name}")
    assert done.returncode == 0, done.stderr
    before = config.read_text()
    assert kconfig(config, "olddefconfig").returncode == 0
    assert config.read_text() == before


def test_savedefconfig(tmp_path: Path):
    config = tmp_path / ".config"
    kconfig(config, "defconfig", "configs/cxl_defconfig")
    done = kconfig(config, "savedefconfig")
    assert "CONFIG_PRESET_DRAM_CXL=y" in done.stdout
    assert "CONFIG_VM_FAST_PERCENT" not in done.stdout


@pytest.mark.parametrize(
    ("setting", "symbol"),
    [
        ("CONFIG_NO_SUCH_THING=y", "CONFIG_NO_SUCH_THING"),
        ("CONFIG_VM_FAST_PERCENT=0", "CONFIG_VM_FAST_PERCENT"),
        ("CONFIG_VM_FAST_PERCENT=101", "CONFIG_VM_FAST_PERCENT"),
        ("CONFIG_VM_MEMORY_MB=x", "CONFIG_VM_MEMORY_MB"),
        ("CONFIG_FAST_READ_PS=5", "CONFIG_FAST_READ_PS"),
        ("CONFIG_PLATFORM_EMULATED=y\nCONFIG_PLATFORM_KVM=y", "CONFIG_PLATFORM_EMULATED"),
        ("CONFIG_GUEST_TPP=m", "CONFIG_GUEST_TPP"),
        ("nonsense", "nonsense"),
    ],
)
def test_refused(tmp_path: Path, setting: str, symbol: str):
    config, bad = tmp_path / ".config", tmp_path / "bad_defconfig"
    kconfig(config, "defconfig", "configs/emulated_defconfig")
    before = config.read_text()
    bad.write_text(setting + "\n")
    done = kconfig(config, "defconfig", str(bad))
    assert done.returncode != 0
    assert symbol in done.stderr and len(done.stderr.splitlines()) == 1
    assert config.read_text() == before
