# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit tests of the plugin tmem, which are in C: each is a test here."""

from __future__ import annotations

import subprocess

import pytest
from demeter_testing import BUILD, glib_tests

PROGRAMS = ("tmem-model", "tmem-options", "tmem-profile", "tmem-tlb")


@pytest.mark.parametrize(
    ("program", "name"),
    [(p, name) for p in PROGRAMS for name in glib_tests(BUILD / "tests" / p) or ["none"]],
)
def test_in_c(program: str, name: str):
    path = BUILD / "tests" / program
    if not path.exists():
        pytest.skip(f"tests/{program} is not built")
    done = subprocess.run([path, "--tap", "-p", name], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\nok 1 {name}" in done.stdout and "not ok" not in done.stdout, done.stdout
