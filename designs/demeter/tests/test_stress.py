# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter on a kernel with KASAN, lockdep and DEBUG_VM.

In plain TCG, where four virtual CPUs really run at the same time, without simulated
time and so without a PMU: accessed bits are the source. Each test takes STRESS_SECONDS,
40 s in make check and ten minutes in make stress. Memory is verified all the time (churn, and
medley for all kinds of it), and the kernel's log must have nothing to complain of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.demeter import LOAD, STATS, stats
from demeter_testing.stress import (
    KINDS,
    LONG,
    MEDLEY,
    NO_FAULTS,
    SECONDS,
    SETUP,
    SMALL,
    USED,
    churn,
    empty_disk,
    every_kind_ended,
    failed_memory,
    faults,
    returned,
)

# one after the other, as are boots of disks: each has the processors to itself, as far as that goes
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
FAULTS = faults("demeterd")


@pytest.fixture
def stress(boot):
    def run(command: str, files: Sequence[Path] = ()):
        done = boot(
            command + STATS,
            guest="debug", setup=SETUP + DEMETER, machine={"parallel": True},
            vm_memory=1280 * MIB, fast_ratio=0.3, vcpus=4,
            files=[BUILD / "tests/churn", BUILD / "linux/debug/mm/demeter/demeter.ko", *files],
            timeout_s=2 * SECONDS + 600,
        )  # fmt: skip
        out = text(done)
        print(out)
        no_complaint(done)
        return out

    return run


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
    returned(out)


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


# What it knows and has moved
MOVES = """
demeter=/sys/kernel/mm/demeter
echo all 4 >$demeter/attach; echo 500 >$demeter/epoch_ms
sum() { cat "$@" 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }
moved() { echo "$1 exchanged $(cat $demeter/stats/exchanged) files" \
    $(sum $demeter/files/[0-9]*/promoted) frames $(sum $demeter/files/unmapped/demoted); }
# waits until Demeter knows most of that, which takes some seconds
known() { for i in $(seq 20); do [ $(sum $demeter/files/unmapped/fast_pages) -gt 4096 ] && break
    sleep 1; done; }
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return empty_disk(tmp_path)


def moved(out: str) -> dict[str, dict[str, int]]:
    """Return what moved() has printed: of each moment what has moved until then."""
    lines = re.findall(r"^(\w+) (exchanged \d+ .+)$", out, re.M)
    return {when: {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", what)} for when, what in lines}


def test_every_kind_in_turn(stress: Callable[..., str], disk: Path) -> None:
    """Each in the slow tier at first, since the fast one has a file that nobody uses."""
    seconds = max(5, SECONDS // len(KINDS))
    out = stress(
        f"{MEDLEY}{MOVES}extra all --seconds 3 --mem 4\n{USED}cd $demeter\n"
        "disturb; fill; known\n"
        f"for kind in {' '.join(KINDS)}; do\n"
        f"medley $kind --seconds {seconds} --mem 8 & now=$!\n"
        f"sleep {seconds - 1}; moved $kind; wait $now; fill; done\n"
        # a slow machine needs longer than that until anything moves
        "for i in $(seq 30); do [ $(cat stats/exchanged) -gt 0 ] && break\n"
        f"extra shared --seconds {seconds} --mem 8; fill; done\n"
        f"moved end; no_more; rm /tmp/filler; rmmod demeter\n{USED}{DEMETER}",
        [disk, BUILD / "tests/medley"],
    )  # fmt: skip
    every_kind_ended(out)
    returned(out)
    assert failed_memory(out) > 0, out
    count = moved(out)
    assert set(count) == {*KINDS, "end"}, out
    assert count["end"]["exchanged"] > 0 and count["end"]["frames"] > 0, out
    if LONG:
        assert any(count[kind]["files"] for kind in ("shared", "tmpfs", "memfd", "disk")), out
        assert len({at["exchanged"] for at in count.values()}) > 3, out


def test_every_kind_at_once(stress: Callable[..., str], disk: Path) -> None:
    """More than the limit of their cgroup; in the second half, Demeter's allocations fail."""
    out = stress(
        f"{MEDLEY}{MOVES}extra all --seconds 3 --mem 4\n{USED}cd $demeter\n"
        f"echo 48M >$cg/memory.max; disturb; fill; known\n"
        f"({SMALL}; medley all --seconds {SECONDS} --mem 4) & all=$!\n"
        f"sleep {SECONDS // 2}; moved half; ({FAULTS})\n"
        f"wait $all; moved end; no_more; rm /tmp/filler\n"
        f"{NO_FAULTS}rmmod demeter\n{USED}"
        f"grep -E 'pswpout|demeter_exchange' /proc/vmstat\n{DEMETER}",
        [disk, BUILD / "tests/medley"],
    )  # fmt: skip
    every_kind_ended(out)
    returned(out)
    assert failed_memory(out) > 0, out
    count = moved(out)
    assert count["end"]["exchanged"] > 0 and count["end"]["frames"] > 0, out
    if LONG:
        assert count["end"]["exchanged"] > count["half"]["exchanged"] > 0, out
        assert count["half"]["files"] > 0, out
    assert int(re.findall(r"^pswpout (\d+)$", out, re.M)[0]) > 0, out


CACHED = """
echo 1 >/sys/kernel/mm/numa/demotion_enabled
node0() { awk '/FilePages/ { print int($4 / 1024) }' /sys/devices/system/node/node0/meminfo; }
cached() { awk '/^Cached/ { print int($2 / 1024) }' /proc/meminfo; }
from_disk() { awk '/^pgpgin/ { print $2 }' /proc/vmstat; }
reading() { n=$(from_disk); cat /tmp/disk/file >/dev/null; echo "$1 $(($(from_disk) - n))"; }
gunzip -c /job/disk.gz >/dev/ram1; mkdir /tmp/disk; mount -t ext4 /dev/ram1 /tmp/disk
dd if=/dev/zero of=/tmp/disk/file bs=1M count=32 2>/dev/null; sync
echo 3 >/proc/sys/vm/drop_caches
reading first; echo "before $(node0) $(cached)"
"""


def test_a_file_that_nobody_reads_goes_down_but_not_out(
    stress: Callable[..., str], disk: Path
) -> None:
    """It makes room in the fast tier, and is read again without its disk."""
    out = stress(
        f"{CACHED}gups --mem 500M --updates 100000\necho after $(node0) $(cached)\n"
        "reading second\n",
        [disk],
    )
    kib = {k: int(v) for k, v in re.findall(r"^(first|second) (\d+)$", out, re.M)}
    # a few pages may have been in use when the others were dropped
    assert kib["first"] > 31 << 10 and kib["second"] < 1024, out
    mib = {
        when: (int(fast), int(all_of_it))
        for when, fast, all_of_it in re.findall(r"^(before|after) (\d+) (\d+)$", out, re.M)
    }
    assert mib["after"][0] < mib["before"][0], out
    assert mib["after"][1] >= mib["before"][1] - 2, out
