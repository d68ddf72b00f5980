# SPDX-License-Identifier: GPL-2.0-or-later
"""Nomad on a kernel with KASAN, lockdep and DEBUG_VM: all kinds of memory, and all that happens.

In plain TCG, where four virtual CPUs run at the same time: hint faults need no PMU.
"""

from __future__ import annotations

import re

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.stress import (
    MEDLEY,
    SECONDS,
    SETUP,
    SMALL,
    USED,
    churn,
    empty_disk,
    every_kind_ended,
    returned,
)

# what make check has time for is Demeter's
pytestmark = [
    pytest.mark.stress,
    pytest.mark.release,
    pytest.mark.needs("linux/debug/.built"),
    pytest.mark.xdist_group("stress"),
]

NOMAD = "/sys/kernel/mm/nomad"


def test_every_kind_at_once(boot, tmp_path):
    """Beside processes that verify their memory; Nomad goes off and on all the time."""
    run = boot(
        f"{MEDLEY}extra all --seconds 3 --mem 4\n{USED}"
        "echo 48M >$cg/memory.max; disturb; fill\n"
        f"({SMALL}; medley all --seconds {SECONDS} --mem 4) & all=$!\n"
        f"{churn(2)} & rest=$!\n"
        f"for i in $(seq {SECONDS // 10}); do sleep 10; echo 0 >{NOMAD}/enabled\n"
        f"echo 1 >{NOMAD}/enabled; done\n"
        "wait $all; wait $rest; echo rest $?; no_more; rm /tmp/filler\n"
        f"grep -H . {NOMAD}/stats/*; echo 0 >{NOMAD}/enabled\n{USED}",
        design="nomad", guest="debug", machine={"parallel": True},
        setup=SETUP + DESIGNS["nomad"].setup + f"echo 5 >{NOMAD}/check_ms; echo 6 >{NOMAD}/looks\n",
        vm_memory=1280 * MIB, fast_ratio=0.3, vcpus=4,
        files=[BUILD / "tests/churn", BUILD / "tests/medley", empty_disk(tmp_path)],
        timeout_s=2 * SECONDS + 600,
    )  # fmt: skip
    out = text(run)
    every_kind_ended(out)
    assert "rest 0" in out, out
    count = {k: int(v) for k, v in re.findall(r"/stats/(\w+):(\d+)", out)}
    assert count["promoted"] > 0 and count["shadows_made"] > 0, out
    returned(out)
    no_complaint(run)
