# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests of the host side, which are in Rust: each is a test here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from demeter_testing import BUILD


class Program(NamedTuple):
    """A program of tests, and the folder of its crate, where cargo runs it."""

    path: Path
    folder: Path
    name: str


def programs() -> list[Program]:
    """Return those that the build says it has built: none when it has not."""
    messages = BUILD / "tests/rust.json"
    if not messages.exists():
        return []
    found = []
    for line in messages.read_text().splitlines():
        message = json.loads(line)
        if message.get("executable") and message["profile"]["test"]:
            folder = Path(message["manifest_path"]).parent
            name = f"{folder.name}-{message['target']['name']}"
            found.append(Program(Path(message["executable"]), folder, name))
    return found


def names(program: Program) -> list[str]:
    """Return the names of a program's tests: none when it is gone."""
    if not program.path.exists():
        return []
    done = subprocess.run(
        [program.path, "--list", "--format", "terse"], capture_output=True, text=True, check=True
    )
    lines = (line.removesuffix(": test") for line in done.stdout.splitlines())
    return [line for line in lines if line]


CASES = [
    pytest.param(program, name, id=f"{program.name}-{name}")
    for program in programs()
    for name in names(program)
]


@pytest.mark.needs("tests/rust.json")
@pytest.mark.parametrize(("program", "name"), CASES or [(None, "none")])
def test_in_rust(program: Program | None, name: str):
    assert program, "the build has built no tests"
    done = subprocess.run(
        [program.path, "--exact", name],
        cwd=program.folder, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout, done.stdout
