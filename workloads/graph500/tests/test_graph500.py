# SPDX-License-Identifier: GPL-2.0-or-later
"""graph500: the rules of the specification, any number of threads, and bad input."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("rule", range(1, 6))
@pytest.mark.parametrize("kernel", [[], ["--sssp"]])
def test_the_broken_rule_is_named(kernel: list[str], rule: int, program):
    done = program.run("--scale", "10", "--roots", "3", "--corrupt", str(rule), *kernel)
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"breaks rule {rule}")


@pytest.mark.parametrize("kernel", [[], ["--sssp"]])
def test_digest_does_not_depend_on_threads(kernel: list[str], program):
    args = ["--scale", "12", "--roots", "6", *kernel, "--threads"]
    assert len({program.parameters(*args, n)["digest"] for n in "124"}) == 1


def test_fewer_threads_than_asked_for_are_refused(program):
    program.refused("instead of 4", "--scale", "10", "--threads", "4", OMP_THREAD_LIMIT="1")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "100M", "--edge-factor", "8"], "give only one"),
        (["--scale", "33"], "--scale: must be from 4 to 32"),
        (["--scale", "32"], "cannot allocate"),
        (["--scale", "4", "--edge-factor", "1"], "--roots: only"),
        (["--corrupt", "6"], "--corrupt: must be 1, 2, 3, 4 or 5"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
