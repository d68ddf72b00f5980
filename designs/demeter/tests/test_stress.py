# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter on a kernel with KASAN, lockdep and DEBUG_VM.

In plain TCG, where four virtual CPUs really run at the same time, without simulated
time and so without a PMU: accessed bits are the source. Each test takes STRESS_SECONDS,
a minute in make check and ten in make stress. Memory is verified all the time (churn),
and the kernel's log must have nothing to complain of.
"""

from __future__ import annotations

import os
import re

import pytest
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.demeter import LOAD, STATS, stats

SECONDS = int(os.environ.get("STRESS_SECONDS", "60"))
# one after the other: each has the processors to itself, as far as that goes
pytestmark = [
    pytest.mark.stress,
    pytest.mark.needs("linux/debug/.built"),
    pytest.mark.xdist_group("stress"),
]

# moves as much as it can, whether that pays or not
DEMETER = LOAD.replace("/lib/modules", "/job") + (
    "echo accessed >source; echo 200 >epoch_ms; echo 1 >margin; echo 0 >exchange_ns\n"
    "echo 2 >backoff_epochs; echo all 8 >attach; echo 1 >enabled\n"
)
SETUP = (
    "echo always >/sys/kernel/mm/transparent_hugepage/enabled\n"
    "echo always >/sys/kernel/mm/transparent_hugepage/defrag\n"
    # its pages are there once and for all
    "dd if=/dev/zero of=/dev/ram0 bs=1M count=128 2>/dev/null\n"
    "mkswap /dev/ram0 >/dev/null; swapon /dev/ram0\n"
    "mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg\n"
    "echo +memory >/tmp/cg/cgroup.subtree_control; mkdir /tmp/cg/small\n"
    "echo 96M >/tmp/cg/small/memory.max\n" + DEMETER
)
SMALL = "echo 0 >/tmp/cg/small/cgroup.procs"

FAULTS = """
for kind in failslab fail_page_alloc; do
    cd /sys/kernel/debug/$kind
    echo 2 >probability; echo 1 >interval; echo -1 >times; echo 0 >verbose
    echo N >ignore-gfp-wait
    [ -e ignore-gfp-highmem ] && echo N >ignore-gfp-highmem
    echo Y >task-filter
done
for thread in $(pidof demeterd); do echo 1 >/proc/$thread/make-it-fail; done
"""

# what must be as it was when all processes are gone
USED = (
    "echo 3 >/proc/sys/vm/drop_caches; sleep 2; echo 1 >/proc/sys/vm/compact_memory\n"
    "echo === $(grep -E '^(MemFree|AnonPages|AnonHugePages)' /proc/meminfo | tr -s ' ') "
    "$(grep -E '^nr_isolated_anon' /proc/vmstat)\n"
)


@pytest.fixture
def stress(boot):
    def run(command: str):
        done = boot(
            command + STATS,
            guest="debug", setup=SETUP, machine={"parallel": True},
            vm_memory=1280 * MIB, fast_ratio=0.3, vcpus=4,
            files=[BUILD / "tests/churn", BUILD / "linux/debug/mm/demeter/demeter.ko"],
            timeout_s=2 * SECONDS + 600,
        )  # fmt: skip
        out = text(done)
        print(out)
        no_complaint(done)
        return out

    return run


def churn(processes: int, more: str = "", seconds: int = SECONDS) -> str:
    return f"/job/churn --processes {processes} --mem 40 --seconds {seconds} {more}"


def used(out: str) -> list[dict[str, int]]:
    lines = [line for line in out.splitlines() if line.startswith("===")]
    return [{k: int(v) for k, v in re.findall(r"(\w+):? (\d+)", line)} for line in lines]


def test_everything_at_once(stress):
    """Eight processes, huge pages, swap, a limit of memory, compaction, the module comes and goes.

    Once before that, so that what is allocated once and for all has been.
    """
    out = stress(
        f"{churn(4, '--thp', 5)} >/dev/null\n{USED}"
        f"({SMALL}; exec {churn(4, '--thp')}) & small=$!\n"
        f"{churn(4)} & rest=$!\n"
        f"for i in $(seq {SECONDS // 5}); do sleep 4; echo 1 >/proc/sys/vm/compact_memory\n"
        f"sleep 1; rmmod demeter\n{DEMETER}done\n"
        f"wait $small; echo small $?; wait $rest; echo rest $?; rmmod demeter\n{USED}"
        f"grep -E 'pswpout|thp_swpout |demeter_exchange' /proc/vmstat\n{DEMETER}"
    )
    assert "small 0" in out and "rest 0" in out, out
    count = {k: int(v) for k, v in re.findall(r"^(pswpout|demeter_exchange) (\d+)", out, re.M)}
    assert count["pswpout"] > 0 and count["demeter_exchange"] > 0, out
    before, after = used(out)
    assert after["AnonHugePages"] == 0 and after["nr_isolated_anon"] == 0, out
    assert after["AnonPages"] <= before["AnonPages"] + 1024, out
    assert after["MemFree"] >= before["MemFree"] - 16384, out


def test_allocations_fail(stress):
    """One in fifty of what Demeter's thread allocates."""
    out = stress(f"{FAULTS}{churn(4, '--thp')}\n")
    assert out.count("\nok ") == 4, out
    assert stats(out)["epochs"] > 0


# until /tmp/on is gone; each says how often it went round
COME_AND_GO = """
demeter=/sys/kernel/mm/demeter; touch /tmp/on
tell() { echo "$1" >$demeter/$2; } 2>/dev/null
cgroups() { n=0; while [ -e /tmp/on ]; do n=$((n + 1)); c=g$((n % 3)); mkdir -p /tmp/cg/$c
    tell "cgroup /$c" attach
    (echo 0 >/tmp/cg/$c/cgroup.procs; exec /job/churn --processes 1 --mem 16 --seconds 1) >/tmp/$c
    rmdir /tmp/cg/$c; [ $((n % 4)) -gt 0 ] || tell "cgroup /$c" detach
    done; echo cgroups $n; }
trees() { n=0; while [ -e /tmp/on ]; do n=$((n + 1))
    (sleep 1; sleep 1 & sleep 0.1) & tell "tree $!" attach; sleep 0.2
    [ $((n % 3)) -gt 0 ] || tell "tree $!" detach
    done; echo trees $n; }
processors() { n=0; while [ -e /tmp/on ]; do n=$((n + 1))
    for to in 0 1; do for cpu in 1 2 3; do
        echo $to >/sys/devices/system/cpu/cpu$cpu/online; sleep 0.1; done; done
    done; echo processors $n; }
modules() { n=0; while [ -e /tmp/on ]; do n=$((n + 1)); sleep 4; rmmod demeter
    LOAD done; echo modules $n; }
readers() { n=0; while [ -e /tmp/on ]; do n=$((n + 1)); sleep 0.1
    cat $demeter/scopes $demeter/source_health $demeter/stats/* $demeter/targets/*/* >/tmp/read
    done 2>/dev/null; echo readers $n; }
"""


def test_users_and_processors_come_and_go(stress):
    """Cgroups and trees that are attached, CPUs, the module itself, and who reads all files."""
    loops = ("cgroups", "trees", "processors", "modules", "readers")
    out = stress(
        COME_AND_GO.replace("LOAD", DEMETER)
        + "".join(f"{loop} & {loop}=$!\n" for loop in loops)
        + f"{churn(2, '--thp')}\nrm /tmp/on; wait "
        + " ".join(f"${loop}" for loop in loops)
        + f"\n{DEMETER}"
    )
    rounds = {k: int(v) for k, v in re.findall(r"^(\w+) (\d+)$", out, re.M)}
    assert all(rounds.get(loop, 0) > 1 for loop in loops), out
    assert "\nok " in out, out
