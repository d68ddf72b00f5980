# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory whose owner says on which nodes it may be: never elsewhere, and moved where it may be."""

from __future__ import annotations

import re

import pytest
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.demeter import RESTLESS, STATS, stats

pytestmark = pytest.mark.needs("CONFIG_DESIGN_DEMETER")

AREA_MIB = 4
HOT_PAGES = AREA_MIB * 256 // 3
# what is read of all others may be in the fast tier
ONLY_SLOW = "bind-slow"
POLICIES = f"/job/policies --mem {AREA_MIB} --seconds"
# Another process has hot pages, too, so that there is always something to move. It comes when
# those have their memory that must have it in the fast tier, or has more than that holds.
CHURN = "/job/churn --processes 1 --mem {} --seconds 3600 >/dev/null & churn=$!\n"
CPUSET = (
    "mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg\n"
    "echo +cpuset >/tmp/cg/cgroup.subtree_control; mkdir /tmp/cg/p\n"
    "echo 0,1 >/tmp/cg/p/cpuset.mems\n"
)


def policies(boot, command: str) -> str:
    run = boot(
        f"{command}kill $churn\n{STATS}",
        design="demeter", setup=RESTLESS.replace("all 8", "all 1"), vm_memory=384 * MIB,
        fast_ratio=0.25, timeout_s=900, files=[BUILD / "tests/policies", BUILD / "tests/churn"],
    )  # fmt: skip
    no_complaint(run)
    out = text(run)
    assert stats(out)["promoted"] > 0 and "failed" not in out, out
    return out


def places(out: str) -> list[tuple[str, str, int, int, int, int]]:
    """Return area, policy, and pages that are fast, slow, hot and fast, and forbidden."""
    found = re.findall(r"^(anonymous|shared) (\S+) (\d+) (\d+) (\d+) (\d+)$", out, re.M)
    return [(area, policy, *map(int, numbers)) for area, policy, *numbers in found]


def test_policies_of_areas_and_processes(boot):
    """What must be on one node stays there; all else that is hot is in the fast tier."""
    processes = (ONLY_SLOW, "bind-both", "interleave", "prefer-slow")
    out = policies(
        boot,
        f"{POLICIES} 2 --process bind-fast || echo failed\n"
        f"{POLICIES} 5 & p=$!; sleep 1; {CHURN.format(48)}sleep 3\n"
        "cat /sys/kernel/mm/demeter/targets/$p/unmanaged; demeterctl status\n"
        "wait $p || echo failed\n"
        + "".join(f"{POLICIES} 2 --process {name} || echo failed\n" for name in processes),
    )
    assert len(places(out)) == 2 * (1 + 7 + len(processes)), out
    for area, policy, fast, slow, hot, forbidden in places(out):
        assert forbidden == 0 and fast + slow == AREA_MIB * 256, (area, policy, out)
        assert policy == ONLY_SLOW or hot >= 0.8 * HOT_PAGES, (area, policy, out)
    # shared memory is no process's own
    assert f"policy {2 * AREA_MIB * MIB}\n" in out, out
    assert re.search(rf"left alone: .*policy {2 * AREA_MIB}\.0 MiB", out), out


def test_parts_of_folios_that_are_bound(boot):
    """Half of each folio of 64 KiB must be in the slow tier, so all of it stays there."""
    folios = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB"
    out = policies(
        boot,
        f"echo always >{folios}/enabled; echo always >{folios}/shmem_enabled\n"
        f"{CHURN.format(160)}{POLICIES} 4 --halves || echo failed\n",
    )
    assert [(area, policy) for area, policy, *_ in places(out)] == [
        ("anonymous", "halves"), ("shared", "halves"),
    ], out  # fmt: skip
    for area, _, fast, slow, _, forbidden in places(out):
        assert forbidden == 0 and fast + slow == AREA_MIB * 256, (area, out)


def test_cpuset_that_changes_while_pages_are_moved(boot):
    """All of it has room in either tier, so that nothing but Demeter could keep it out of one."""
    out = policies(
        boot,
        f"{CPUSET}{CHURN.format(16)}"
        f"(echo 0 >/tmp/cg/p/cgroup.procs; exec {POLICIES} 8 --cpuset /tmp/cg/p/cpuset.mems"
        " --changes 50) || echo failed\n",
    )
    assert len(places(out)) == 2, out
    for area, _, fast, slow, hot, forbidden in places(out):
        assert forbidden == 0 and fast + slow == AREA_MIB * 256, (area, out)
        assert hot >= 0.8 * HOT_PAGES, (area, out)
