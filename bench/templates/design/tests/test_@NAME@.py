# SPDX-License-Identifier: GPL-2.0-or-later
"""@NAME@ in a booted guest: its set-up works, and memory is intact under it."""

import json

from demeter_bench.designs import DESIGNS


def test_a_workload_runs(boot):
    run = boot(
        "gups --mem 200M --updates 2M --reverse",
        design="@NAME@", setup=DESIGNS["@NAME@"].setup, fast_ratio=0.2,
    )  # fmt: skip
    assert run.state == "done", run.error
    assert json.loads((run.guest / "stdout").read_text().splitlines()[-1])["verified"]
