# SPDX-License-Identifier: GPL-2.0-or-later
"""Stress in guests: lines that disturb memory, programs that verify it, and what must be left.

Used by the tests of designs on the kernel with sanitizers; churn and medley are selftests of
Linux (linux/tools/testing/selftests/demeter). Nothing here knows a design.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from pathlib import Path

from demeter_bench.settings import MIB

SECONDS = int(os.environ.get("STRESS_SECONDS", "40"))
# Whether each part of a test is so long that pages move in it, however busy the machine is. In
# make check, that depends on how fast it is.
LONG = SECONDS >= 600

# Huge pages everywhere, swap in a RAM disk, and a cgroup with a limit
SETUP = (
    "echo always >/sys/kernel/mm/transparent_hugepage/enabled\n"
    "echo always >/sys/kernel/mm/transparent_hugepage/defrag\n"
    # its pages are there once and for all
    "dd if=/dev/zero of=/dev/ram0 bs=1M count=128 2>/dev/null\n"
    "mkswap /dev/ram0 >/dev/null; swapon /dev/ram0\n"
    "mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg\n"
    "echo +memory >/tmp/cg/cgroup.subtree_control; mkdir /tmp/cg/small\n"
    "echo 96M >/tmp/cg/small/memory.max\n"
)
SMALL = "echo 0 >/tmp/cg/small/cgroup.procs"

# What must be as it was when all processes are gone. Each CPU keeps free pages in lists of its own,
# of tens of MiB at times.
USED = (
    "echo 3 >/proc/sys/vm/drop_caches; sleep 2; echo 1 >/proc/sys/vm/compact_memory\n"
    "echo === $(grep -E '^(MemFree|AnonPages|AnonHugePages)' /proc/meminfo | tr -s ' ') "
    "$(grep -E '^nr_isolated_anon' /proc/vmstat) "
    "ListedFree: $(awk '/count:/ { n += $2 } END { print n * 4 }' /proc/zoneinfo)\n"
)

KINDS = (
    "anonymous", "huge", "forked", "shared", "tmpfs", "memfd", "disk", "copied", "cached", "locked",
    "hugetlb", "merged",
)  # fmt: skip

# What the kinds of medley need, and loops that go on until /tmp/on is gone. Of a kernel that is
# stuck, what waits where is in its log. Needs /job/medley and /job/disk.gz (empty_disk()).
MEDLEY = """
mm=/proc/sys/vm; ksm=/sys/kernel/mm/ksm; cg=/tmp/cg/small; faults=/sys/kernel/debug
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled; echo 12 >$mm/nr_hugepages
echo 1 >$ksm/run; echo 200 >$ksm/pages_to_scan
echo madvise >/sys/kernel/mm/transparent_hugepage/defrag
gunzip -c /job/disk.gz >/dev/ram1; mkdir /tmp/disk; mount -t ext4 /dev/ram1 /tmp/disk
medley() { kind=$1; shift
    /job/medley --kind $kind --tmpfs /tmp --disk /tmp/disk --poison 4 "$@" 2>&1 || {
    echo "medley $kind: status $?"; echo w >/proc/sysrq-trigger; }; }
# beside what is counted; says only what goes wrong
extra() { medley "$@" | grep -v '^ok '; }
caches() { while [ -e /tmp/on ]; do sleep 4; echo 3 >$mm/drop_caches; sleep 4
    echo 1 >$mm/compact_memory; done; }
merging() { while [ -e /tmp/on ]; do sleep 7; echo 2 >$ksm/run; echo 1 >$ksm/run; done; }
# what is swapped in must not be more than the limit
swap() { while [ -e /tmp/on ]; do sleep 9; echo max >$cg/memory.max; swapoff /dev/ram0
    swapon /dev/ram0; echo 48M >$cg/memory.max; echo 8M >$cg/memory.reclaim; done 2>/dev/null; }
# leaves no memory of the fast tier free, so that what begins to be used is in the slow one
fill() { n=$(awk '/MemFree/ { print int($4 / 1024) - 6 }' \\
    /sys/devices/system/node/node0/meminfo)
    [ $n -le 0 ] || dd if=/dev/zero bs=1M count=$n 2>/dev/null >>/tmp/filler; }
disturb() { touch /tmp/on; caches & caches=$!; merging & merging=$!; swap & swap=$!; }
no_more() { rm /tmp/on; wait $caches $merging $swap; grep HardwareCorrupted /proc/meminfo; }
"""


def faults(threads: str) -> str:
    """Return shell lines that let one in fifty allocations of these kernel threads fail."""
    return f"""
for kind in failslab fail_page_alloc; do
    cd /sys/kernel/debug/$kind
    # at once for nobody but those that are chosen below, and without a word
    echo Y >task-filter; echo 0 >verbose
    echo 1 >interval; echo -1 >times; echo N >ignore-gfp-wait
    [ -e ignore-gfp-highmem ] && echo N >ignore-gfp-highmem
    echo 2 >probability
done
for thread in $(pidof {threads}); do echo 1 >/proc/$thread/make-it-fail; done
"""


NO_FAULTS = "for kind in failslab fail_page_alloc; do echo 0 >$faults/$kind/probability; done\n"


def empty_disk(folder: Path) -> Path:
    """Make an empty file system of 48 MiB, with a journal, for a RAM disk: disk.gz in a folder."""
    image, packed = folder / "disk", folder / "disk.gz"
    with image.open("wb") as file:
        file.truncate(48 * MIB)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-b", "4096", "-J", "size=4", image], check=True)
    packed.write_bytes(gzip.compress(image.read_bytes()))
    image.unlink()
    return packed


def churn(processes: int, more: str = "", seconds: int = SECONDS) -> str:
    """Return the command of processes that verify 40 MiB each."""
    return f"/job/churn --processes {processes} --mem 40 --seconds {seconds} {more}"


def used(out: str) -> list[dict[str, int]]:
    """Return what USED has printed, each time."""
    lines = [line for line in out.splitlines() if line.startswith("===")]
    return [{k: int(v) for k, v in re.findall(r"(\w+):? (\d+)", line)} for line in lines]


def returned(out: str) -> None:
    """Fail unless the memory that was in use at the second USED is that of the first."""
    before, after = used(out)
    assert after["AnonHugePages"] == 0 and after["nr_isolated_anon"] == 0, out
    assert after["AnonPages"] <= before["AnonPages"] + 1024, out
    free = [at["MemFree"] + at["ListedFree"] for at in (before, after)]
    assert free[1] >= free[0] - 16384, out


def failed_memory(out: str) -> int:
    """Return how many KiB of memory have failed, and been taken out of use."""
    return int(re.findall(r"^HardwareCorrupted: +(\d+) kB$", out, re.M)[0])


def every_kind_ended(out: str) -> None:
    """Fail unless every kind of medley has ended well, once."""
    assert not re.findall(r"^medley \w+: status", out, re.M), out
    ended = re.findall(r"^ok (\w+) rounds=[1-9]\d* checks=[1-9]\d*$", out, re.M)
    assert sorted(ended) == sorted(KINDS), out
