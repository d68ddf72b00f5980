# SPDX-License-Identifier: GPL-2.0-or-later
"""Memtis on a kernel with KASAN, lockdep and DEBUG_VM: all kinds of memory, and all that happens.

In the machine with simulated time, since others have no PMU. A second of it takes this kernel about
half a minute.
"""

from __future__ import annotations

import re

import pytest
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.stress import (
    MEDLEY,
    NO_FAULTS,
    SECONDS,
    SETUP,
    SMALL,
    USED,
    empty_disk,
    every_kind_ended,
    faults,
    returned,
)

# what make check has time for is Demeter's
pytestmark = [
    pytest.mark.stress,
    pytest.mark.release,
    pytest.mark.needs("linux/debug/.built"),
    pytest.mark.xdist_group("stress"),
]

SIMULATED = max(4, SECONDS // 30)
MEMTIS = "/sys/kernel/mm/memtis"
# moves, splits and collapses as much as it can, whether that pays or not
ON = (
    f"insmod /job/memtis.ko; cd {MEMTIS}\n"
    "echo 0 >min_mib; echo 100 >load_period; echo 4000 >store_period; echo 1000 >cpu_permille\n"
    "echo 1 >poll_ms; echo 2000 >cool_samples; echo 64 >adapt_samples; echo 20 >wake_ms\n"
    "echo 1 >split_permille; echo 1 >enabled\n"
)


def test_every_kind_at_once(boot, tmp_path):
    """It moves and splits what is hot; then it goes off and on, and its allocations fail."""
    half = SIMULATED // 2
    on_and_off = f"sleep 1; echo 0 >{MEMTIS}/enabled; echo 1 >{MEMTIS}/enabled\n"
    run = boot(
        f"{MEDLEY}extra all --seconds 1 --mem 4\n{USED}"
        "/job/spots 192 8 3; echo spots $?\n"
        "echo 48M >$cg/memory.max; disturb\n"
        f"({SMALL}; medley all --seconds {SIMULATED} --mem 4) & all=$!\n"
        f"for i in $(seq {half}); do {on_and_off}done\n"
        f"({faults('ksampled kmemtisd/0 kmemtisd/1')})\n"
        f"wait $all; no_more\n{NO_FAULTS}"
        f"grep -H . {MEMTIS}/stats/*; echo 0 >{MEMTIS}/enabled; cd /; rmmod memtis\n{USED}",
        design="first-touch", guest="debug", setup=SETUP + ON,
        vm_memory=1536 * MIB, fast_ratio=0.4, vcpus=2,
        files=[
            BUILD / "tests/medley", BUILD / "tests/spots",
            BUILD / "linux/debug/mm/memtis/memtis.ko", empty_disk(tmp_path),
        ],
        timeout_s=4 * SECONDS + 900,
    )  # fmt: skip
    out = text(run)
    every_kind_ended(out)
    assert "spots 0" in out, out
    count = {k: int(v) for k, v in re.findall(r"/stats/(\w+):(\d+)", out)}
    assert min(count[k] for k in ("promoted", "demoted", "splits", "samples")) > 0, out
    returned(out)
    no_complaint(run)
