# SPDX-License-Identifier: GPL-2.0-or-later
"""What make itself refuses, before it does anything."""

import os
import re
import subprocess

import pytest
from demeter_testing import TOP

# what the make that runs the tests was given is not for these
ENVIRONMENT = {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS", k)}


def run_make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words], cwd=TOP, capture_output=True, text=True, timeout=60,
        env=ENVIRONMENT | variables,
    )  # fmt: skip


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
    done = run_make(goal, f"{wrong}=1")
    assert done.returncode == 2 and not done.stdout
    said = done.stderr.splitlines()
    assert said[0] == f"make {goal}: {wrong} is not known here; is {right} meant?"
    assert len(said) == 2  # and that of make


@pytest.mark.parametrize(("goal", "name"), [("bench", "RECIPES"), ("run", "VM_MEMORY")])
def test_names_that_nobody_knows(goal: str, name: str) -> None:
    done = run_make(goal, f"{name}=1")
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.splitlines()[0] == (
        f"make {goal}: {name} is not known here; 'make help' lists what is"
    )


def test_the_environment_says_nothing() -> None:
    """Shells of some systems export NAME."""
    done = run_make("-n", "bench", "JOBS=3", NAME="host", VM="9")
    assert done.returncode == 0, done.stderr
    assert '--jobs="$JOBS"' in done.stdout
    assert "--name" not in done.stdout and "--vm" not in done.stdout
