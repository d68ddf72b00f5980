# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/kconfig.py: configurations that are taken, kept or refused."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from demeter_testing import TOP


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


@pytest.mark.parametrize("args", [(), ("nonsense",), ("defconfig",), ("olddefconfig", "x")])
def test_a_call_that_is_not_known_is_refused(tmp_path: Path, args: tuple[str, ...]):
    config = tmp_path / ".config"
    done = kconfig(config, *args)
    assert done.returncode == 1 and done.stderr.startswith("usage: kconfig.py CONFIG ")
    assert not config.exists()


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
        ("CONFIG_DESIGN_TPP=m", "CONFIG_DESIGN_TPP"),
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


def menuconfig(config: Path, columns: int, lines: int, keys: bytes, **env: str) -> tuple[int, str]:
    """Exit status and output of menuconfig in a terminal of that size."""
    leader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "scripts/kconfig.py", config, "menuconfig"],
        cwd=TOP, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        env={**os.environ, "TERM": "xterm", **env},
    )  # fmt: skip
    os.close(terminal)
    out = b""
    while True:
        if not select.select([leader], [], [], 0.5)[0]:
            # it waits for keys
            os.write(leader, keys)
            continue
        try:
            out += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    return process.wait(timeout=20), out.decode(errors="replace")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / ".config"
    kconfig(path, "defconfig", "configs/emulated_defconfig")
    return path


@pytest.mark.parametrize(
    ("columns", "lines", "env"), [(80, 24, {}), (40, 12, {}), (0, 0, {}), (80, 24, {"LC_ALL": "x"})]
)
def test_menuconfig_starts_and_quits(config: Path, columns: int, lines: int, env: dict):
    before = config.read_text()
    status, out = menuconfig(config, columns, lines, b"q", **env)
    assert status == 0 and "No changes to save" in out
    assert config.read_text() == before


@pytest.mark.parametrize(
    ("columns", "lines", "term", "message"),
    [
        (39, 24, "xterm", "too small: 39 columns and 24 lines"),
        (80, 11, "xterm", "too small: 80 columns and 11 lines"),
        (80, 24, "", "TERM is not set"),
        (80, 24, "nonsense", "TERM=nonsense is not known"),
        (80, 24, "dumb", "TERM=dumb cannot move the cursor"),
    ],
)
def test_menuconfig_refuses(config: Path, columns: int, lines: int, term: str, message: str):
    before = config.read_text()
    status, out = menuconfig(config, columns, lines, b"q", TERM=term)
    assert status == 1 and message in out and len(out.splitlines()) == 1
    assert config.read_text() == before


def test_menuconfig_without_a_terminal(config: Path):
    before = config.read_text()
    done = kconfig(config, "menuconfig")
    assert done.returncode == 1 and "are no terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert config.read_text() == before


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, content: bytes | None):
    path = tmp_path / ".config"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    done = kconfig(path, "olddefconfig")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
