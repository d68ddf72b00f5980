# SPDX-License-Identifier: GPL-2.0-or-later
"""What make itself refuses, before it does anything."""

import subprocess

import pytest
from demeter_testing import TOP


@pytest.mark.parametrize(
    ("goal", "wrong", "right"),
    [
        ("bench", "DESIGN", "DESIGNS"),
        ("bench", "WORKLOAD", "WORKLOADS"),
        ("bench", "VMS", "VM"),
        ("run", "DESIGNS", "DESIGN"),
    ],
)
def test_names_of_options_that_would_be_ignored(goal: str, wrong: str, right: str) -> None:
    done = subprocess.run(
        ["make", goal, f"{wrong}=1"], cwd=TOP, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2 and not done.stdout
    said = done.stderr.splitlines()
    assert said[0] == f"make {goal}: {wrong} is not known here; is {right} meant?"
    assert len(said) == 2  # and that of make
