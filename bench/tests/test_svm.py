# SPDX-License-Identifier: GPL-2.0-or-later
"""What hypervisors in the emulated server need of it, asked by bare-metal ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from demeter_testing.bare_metal import assemble, boot

pytestmark = pytest.mark.boots


def test_each_interrupt_is_injected_once(tmp_path: Path):
    """Also if the emulator's loop of translated code ends right after that (inject.S)."""
    rom = assemble(tmp_path, "inject", "RUNS=200000")
    tier = ("tier=fast:68.7:68.7:88157:88157:dram", "map=0:0:64M")
    assert boot(rom, tmp_path / "run", "EPYC,+svm,+npt", *tier)[0] == "E"
