# SPDX-License-Identifier: GPL-2.0-or-later
"""btree: the same result for any number of threads, and bad input."""

from __future__ import annotations

import pytest


def test_checksum_does_not_depend_on_threads(program):
    args = ["--mem", "24M", "--lookups", "100000", "--inserts", "20000", "--threads"]
    assert len({program.parameters(*args, n)["checksum"] for n in "124"}) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--keys", "1000T"], "--keys: not a size"),
        (["--keys", "4000M"], "cannot allocate"),
        (["--mem", "16M", "--keys", "1000"], "--keys and --mem exclude each other"),
        (["--mem", "16M", "--inserts", "10M"], "--mem: too small for"),
        (["--node", "100"], "--node: must be"),
        (["--row", "0", "--corrupt", "row"], "--corrupt: there are no rows"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
