# SPDX-License-Identifier: GPL-2.0-or-later
"""Nomad in a booted guest: its logic, its interface, memory of which there are two copies."""

from __future__ import annotations

import re

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.results import hit_ratio, plugin_report
from demeter_bench.settings import MIB
from demeter_testing import BUILD, kunit, no_complaint, text

pytestmark = pytest.mark.needs("CONFIG_DESIGN_NOMAD")

SETUP = DESIGNS["nomad"].setup
NOMAD = "/sys/kernel/mm/nomad"
STATS = f"grep -H . {NOMAD}/stats/*"


def stats(out: str) -> list[dict[str, int]]:
    """Return the counters of each time that STATS printed them."""
    found: list[dict[str, int]] = []
    for name, count in re.findall(rf"^{NOMAD}/stats/(\w+):(\d+)$", out, re.M):
        if not found or name in found[-1]:
            found.append({})
        found[-1][name] = int(count)
    return found


def test_kunit_and_refused_inputs(boot):
    """Nothing has changed when a value is refused."""
    linux = BUILD / "linux/guest"
    run = boot(
        "insmod /job/kunit.ko enable=1; insmod /job/nomad_kunit.ko; dmesg\n"
        f"cd {NOMAD}\ngrep -H . *\n"
        "try() { was=$(cat $2); echo $1 2>/dev/null >$2 && echo taken $2 $1"
        " || echo refused $2 $1; [ $(cat $2) = $was ] && echo kept; }\n"
        "try 0 check_ms; try 10001 check_ms; try x check_ms; try 0 looks; try 7 looks\n"
        "try -1 retries; try 101 retries; try 0 pending_ms; try 101 shadow_percent\n"
        "try 63 queue_pages; try 4194305 queue_pages; try 2 enabled\n"
        "echo 0 >enabled; cat enabled; try 128 queue_pages; echo 1 >enabled; cat enabled\n"
        "try 256 queue_pages; echo 5 >check_ms; cat check_ms",
        design="nomad", setup=SETUP,
        files=[linux / "lib/kunit/kunit.ko", linux / "mm/nomad/nomad_kunit.ko"],
    )  # fmt: skip
    out = text(run)
    suites = kunit(out)
    assert set(suites) == {"nomad-queue"} and "not ok" not in out, out[-4000:]
    assert all(passed == total for passed, total in suites.values())
    values = dict(re.findall(r"^(\w+):(\d+)$", out, re.M))
    for name, parameter in DESIGNS["nomad"].parameters.items():
        assert parameter.file.startswith("/") or values[name] == str(parameter.default), name
    asked = out[out.index("refused check_ms 0") :]
    assert asked.count("refused") == 13 and asked.count("\nkept") == 13, asked
    assert "\n0\ntaken queue_pages 128\n1\n" in asked, asked
    assert asked.endswith("\n5\n"), asked
    no_complaint(run)


def test_one_tier_is_refused(boot):
    run = boot(
        f"echo 1 >{NOMAD}/enabled; echo status $?; cat {NOMAD}/enabled; dmesg | grep nomad:",
        design="first-touch", fast_ratio=1.0,
    )  # fmt: skip
    out = text(run)
    assert "status 1\n0\n" in out and "nomad: all memory is of one tier" in out, out


def test_hot_pages_are_promoted(boot):
    """Asked while GUPS runs; it verifies its table, which is written all the time."""
    run = boot(
        "gups --mem 200M --updates 60M --hot 16M --hot-weight 0.9 --reverse & p=$!\n"
        f"sleep 3; {STATS}; wait $p; echo 0 >{NOMAD}/enabled; {STATS}",
        design="nomad", setup=SETUP, fast_ratio=0.2, vm_memory=384 * MIB,
    )  # fmt: skip
    out = text(run)
    during, after = stats(out)
    assert during["promoted"] > 2000 and during["looks"] > 10000, out
    assert during["shadows_made"] > 1000 and during["write_faults"] > 1000, out
    assert during["judge_ns"] > 0 and during["promote_ns"] > 0, out
    assert after["candidates"] == 0 and after["pending"] == 0 and after["shadows"] == 0, out
    assert '"verified": true' in out
    assert hit_ratio(plugin_report(run.folder)) > 0.55
    no_complaint(run)


def test_pages_that_were_only_read_go_down_without_a_copy(boot):
    """And all that happens to pages with shadows leaves them what they were."""
    run = boot(
        f"echo 5 >{NOMAD}/check_ms\n"
        f"/job/shadows --mem 160 --window 24 --rounds 18 --ms 700 --half '{STATS}'; {STATS}\n"
        f"/job/shadows --mem 96 --window 24 --rounds 21 --ms 500 --deeds; {STATS}\n",
        design="nomad", setup=SETUP, files=[BUILD / "tests/shadows"],
        fast_ratio=0.25, vm_memory=320 * MIB,
    )  # fmt: skip
    out = text(run)
    half, read, done = stats(out)
    remapped = read["demoted_remap"] - half["demoted_remap"]
    copied = read["demoted_copy"] - half["demoted_copy"]
    assert remapped > 500 and remapped > copied, (remapped, copied, out)
    assert out.count("ok rounds=") == 2, out
    assert done["write_faults"] > read["write_faults"] + 100, out
    no_complaint(run)


def test_full_memory_takes_the_shadows(boot):
    """Nobody is killed, though a process takes all that is available, which counts shadows.

    The other processor writes what is copied, so that transactions are aborted. Nomad is
    switched off and on while that goes on.
    """
    run = boot(
        f"echo 5 >{NOMAD}/check_ms; echo 100 >{NOMAD}/shadow_percent\n"
        "gups --mem 40M --updates 100M --hot 8M --hot-weight 0.9 --reverse & gups=$!\n"
        "/job/shadows --mem 100 --window 24 --rounds 14 --ms 500 & reader=$!\n"
        f"sleep 4; {STATS}\n"
        "n=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)\n"
        f"/job/shadows --mem $n --window 1 --rounds 7 --ms 100 --deeds; echo taker $?; {STATS}\n"
        f"for i in 1 2 3 4; do echo 0 >{NOMAD}/enabled; echo 1 >{NOMAD}/enabled; sleep 0.3; done\n"
        f"wait $reader; echo reader $?; kill $gups; {STATS}",
        design="nomad", setup=SETUP, files=[BUILD / "tests/shadows"],
        fast_ratio=0.25, vm_memory=320 * MIB, vcpus=2,
    )  # fmt: skip
    out = text(run)
    before, full, after = stats(out)
    assert "taker 0" in out and "reader 0" in out and out.count("ok rounds=") == 2, out
    assert before["shadows"] > 200 and full["shadow_reclaimed"] > 100, out
    assert after["aborts"] > 0 and after["promoted"] > full["promoted"], out
    assert "Out of memory" not in (run.guest / "dmesg").read_text()
    no_complaint(run)
