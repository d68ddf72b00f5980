# SPDX-License-Identifier: GPL-2.0-or-later
"""Memtis in a guest: what it does, what it costs, and what it refuses."""

from __future__ import annotations

import re

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.settings import MIB
from demeter_testing import BUILD, kunit, no_complaint, text

THP = "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled\n"
CD = "cd /sys/kernel/mm/memtis\n"
LOAD = "insmod /lib/modules/memtis.ko\n" + CD
ON = LOAD + "echo 1 >enabled\n"
TELL = 'tell() { grep -H . /sys/kernel/mm/memtis/stats/* | sed "s,^.*/stats/,$1 ,"; }\n'


def told(out: str) -> dict[str, dict[str, int]]:
    """Return the counters that tell() has printed, by the word that it was given."""
    found: dict[str, dict[str, int]] = {}
    for when, name, count in re.findall(r"^(\w+) (\w+):(\d+)", out, re.M):
        found.setdefault(when, {})[name] = int(count)
    return found


def test_kunit(boot):
    linux = BUILD / "linux/guest"
    run = boot(
        "insmod /job/kunit.ko enable=1; insmod /job/memtis_kunit.ko; dmesg",
        files=[linux / "lib/kunit/kunit.ko", linux / "mm/memtis/memtis_kunit.ko"],
    )
    log = text(run)
    suites = kunit(log)
    assert set(suites) == {
        "memtis-threshold", "memtis-period", "memtis-split", "memtis-region",
    }, log[-4000:]  # fmt: skip
    assert all(passed == total for passed, total in suites.values())


def test_what_is_hot_follows_the_hot_set(boot):
    """A hot set of 12 MiB, then one of 28 MiB, where the fast tier has about 36; and its cost."""
    gups = "gups --mem 240M --hot-weight 0.9 --reverse --threads 1"
    run = boot(
        f"{CD}grep -H . *\n"
        f"{TELL}{gups} --updates 50M --hot 12M & p=$!\nsleep 3; tell before; sleep 1; tell small\n"
        f"wait $p; {gups} --updates 50M --hot 28M & p=$!\nsleep 4; tell large; wait $p\n"
        "echo 0 >/sys/kernel/mm/memtis/enabled; rmmod memtis; ls /sys/kernel/mm",
        design="memtis", setup=ON, vm_memory=400 * MIB, fast_ratio=0.2,
    )  # fmt: skip
    out = text(run)
    at = told(out)
    values = dict(re.findall(r"^(\w+):(\d+)$", out, re.M))
    for name, parameter in DESIGNS["memtis"].parameters.items():
        assert values[name] == str(parameter.default), name
    assert out.count('"verified": true') == 2, out
    assert "memtis" not in out.splitlines()[-1]
    for when, mib in ("small", 12), ("large", 28):
        # what fits is hot, also of what is sampled by chance
        assert 0.8 * mib * 256 < at[when]["hot_pages"] <= at[when]["capacity"], at
    assert at["small"]["hot_threshold"] <= at["large"]["hot_threshold"], at
    assert at["small"]["promoted"] > 0.8 * 12 * 256, at
    assert at["large"]["promoted"] - at["small"]["promoted"] > 0.8 * 28 * 256, at
    assert at["large"]["demoted"] > 28 * 256, at
    # of a CPU, in a second, with what the handlers of samples take
    spent = sum(at["small"][n] - at["before"][n] for n in ("ksampled_ns", "sample_ns"))
    assert 0 < spent <= 0.03e9, at
    assert at["small"]["samples"] > at["before"]["samples"] + 1000, at
    assert at["large"]["lost"] < at["large"]["samples"] / 100, at
    no_complaint(run)


# four minutes of a busy machine
@pytest.mark.release
def test_huge_pages_with_skew_are_split(boot):
    """And those that are accessed alike, and fit, are not."""
    run = boot(
        f"{TELL}/job/spots 192 8 3; echo first $?; tell skewed\n"
        "/job/spots 64 1 1; echo second $?; tell even; grep thp_split_page /proc/vmstat",
        design="memtis", setup=THP + ON, files=[BUILD / "tests/spots"],
        vm_memory=400 * MIB, fast_ratio=0.2,
    )  # fmt: skip
    out = text(run)
    at = told(out)
    assert "first 0" in out and "second 0" in out, out
    assert at["skewed"]["splits"] > 5, at
    # that fits as it is
    assert at["even"]["splits"] - at["skewed"]["splits"] <= at["skewed"]["splits"] / 4, at
    no_complaint(run)


def test_goes_while_memory_moves(boot):
    """Memory is verified meanwhile, and stays where its owner wants it."""
    run = boot(
        f"{CD}/job/churn --processes 2 --mem 48 --seconds 6 --thp & p=$!\n"
        "/job/churn --processes 1 --mem 32 --seconds 6 --node 1 & q=$!\n"
        f"for i in 1 2 3; do sleep 1; cat stats/* >/tmp/all; rmmod memtis; {LOAD}"
        "echo 20 >wake_ms; echo 64 >cool_samples; echo 16 >load_period; echo 1 >enabled; done\n"
        "wait $p; echo churn $?; wait $q; echo bound $?; cat stats/promoted",
        design="memtis", setup=THP + ON, files=[BUILD / "tests/churn"],
        vm_memory=400 * MIB, fast_ratio=0.2, vcpus=2,
    )  # fmt: skip
    out = text(run)
    assert "churn 0" in out and "bound 0" in out and out.count("0 pages astray") == 3, out
    assert int(out.split()[-1]) > 0, out
    no_complaint(run)


REFUSED = (
    "load_period 15", "load_period 2000000000", "store_period 1", "cpu_permille 0",
    "cpu_permille 1001", "poll_ms 0", "cool_samples 63", "wake_ms 9", "headroom_permille 501",
    "split_permille 0", "min_mib -1", "enabled 2", "enabled x", "wake_ms",
)  # fmt: skip


def test_refuses_what_it_cannot_do(boot):
    lines = "".join(
        f"echo '{(line + ' ').split(' ')[1]}' >{line.split()[0]} 2>/dev/null && echo took {line}\n"
        for line in REFUSED
    )
    run = boot(
        f"{CD}head -n 1 *_* >/tmp/1 2>/dev/null; {lines}head -n 1 *_* >/tmp/2 2>/dev/null\n"
        "cmp /tmp/1 /tmp/2 && echo same; echo 1 >enabled; echo on $(cat enabled)\n"
        "echo 100 >load_period 2>/dev/null || echo busy; echo 1 >enabled; echo again $?\n"
        "echo 0 >enabled; echo off $(cat enabled)",
        design="memtis", setup=LOAD, vm_memory=256 * MIB,
    )  # fmt: skip
    assert text(run).split("\n")[:-1] == ["same", "on 1", "busy", "again 0", "off 0"], text(run)
    no_complaint(run)


@pytest.mark.parametrize("why", ["one tier", "no PMU"])
def test_what_it_needs(boot, why: str):
    machine = {} if why == "one tier" else {"parallel": True}
    run = boot(
        f"{CD}echo 1 >enabled 2>/dev/null || echo refused $(cat enabled); dmesg | grep memtis:",
        design="memtis", setup=LOAD, vm_memory=256 * MIB, machine=machine,
        fast_ratio=1.0 if why == "one tier" else 0.25,
    )  # fmt: skip
    out = text(run)
    assert out.startswith("refused 0\n"), out
    log = "needs nodes of two memory tiers" if why == "one tier" else "there is no PMU that samples"
    assert log in out, out
