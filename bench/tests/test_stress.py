# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter on a kernel with KASAN, lockdep and DEBUG_VM: make stress.

STRESS_SECONDS is how long each test runs, in simulated seconds; a wall second is much
longer on such a kernel. Memory is verified all the time (churn), and the kernel's log
must have nothing to complain of.
"""

from __future__ import annotations

import os

import pytest
from demeter_bench.designs import Design
from demeter_bench.settings import MIB
from test_demeter import BUILD, RESTLESS, STATS, no_complaint, stats, text

SECONDS = int(os.environ.get("STRESS_SECONDS", "120"))
pytestmark = pytest.mark.skipif("STRESS_SECONDS" not in os.environ, reason="run by make stress")
KERNEL_MODULE = "/job/demeter.ko"
SETUP = RESTLESS.replace("/lib/modules/demeter.ko", KERNEL_MODULE)

FAULTS = """
for kind in failslab fail_page_alloc; do
    cd /sys/kernel/debug/$kind
    echo 1 >probability; echo 50 >interval; echo -1 >times; echo 0 >verbose
    echo N >ignore-gfp-wait
    [ -e ignore-gfp-highmem ] && echo Y >ignore-gfp-highmem
    echo Y >task-filter
done
for thread in $(pidof demeterd); do echo 1 >/proc/$thread/make-it-fail; done
"""


@pytest.fixture
def stress(boot, monkeypatch):
    from demeter_bench import designs

    monkeypatch.setitem(designs.DESIGNS, "debug", Design("debug", "debug", ""))

    def run(command: str, setup: str = SETUP):
        done = boot(
            command + STATS,
            design="debug", setup=setup, vm_memory=768 * MIB, fast_ratio=0.2,
            files=[BUILD / "tests/churn", BUILD / "linux/debug/mm/demeter/demeter.ko"],
            timeout_s=6 * 3600,
        )  # fmt: skip
        out = text(done)
        print(out)
        no_complaint(done)
        return out

    return run


def churn(processes: int, seconds: int, more: str = "") -> str:
    return f"/job/churn --processes {processes} --mem 32 --seconds {seconds} {more}"


@pytest.mark.parametrize("thp", ["", "--thp"])
def test_churn(stress, thp: str):
    out = stress(churn(8, SECONDS, thp) + "\n")
    assert out.count("\nok ") == 8
    assert stats(out)["exchanged"] > 0


def test_module_comes_and_goes(stress):
    out = stress(
        f"{churn(4, SECONDS)} & p=$!\n"
        f"while kill -0 $p 2>/dev/null; do sleep 1; rmmod demeter; ({SETUP}); done\n"
        "wait $p; echo churn $?\n"
    )
    assert "churn 0" in out


def test_allocations_fail(stress):
    out = stress(FAULTS + churn(4, SECONDS) + "\n")
    assert out.count("\nok ") == 4
    assert stats(out)["epochs"] > 0


def test_nothing_leaks(stress):
    """Free memory after many processes have come and gone is what it was before."""
    one = churn(4, 2) + " >/dev/null\n"
    free = "echo 3 >/proc/sys/vm/drop_caches; sleep 1; grep MemFree /proc/meminfo\n"
    out = stress(one + free + one * max(2, SECONDS // 10) + free)
    before, after = (int(line.split()[1]) for line in out.splitlines() if "MemFree" in line)
    assert after > before - 8192
