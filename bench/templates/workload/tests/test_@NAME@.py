# SPDX-License-Identifier: GPL-2.0-or-later
"""@NAME@: what its result says, and bad input; workloads/common/tests has what all must pass."""

from __future__ import annotations

import pytest


def test_parameters(program):
    found = program.parameters("--mem", "2M", "--passes", "3")
    assert found == {"mem": 2 << 20, "passes": 3}


@pytest.mark.parametrize(("args", "message"), [(["--passes", "0"], "--passes: must be from")])
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
