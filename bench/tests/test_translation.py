# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of TLBs and page walks, measured by bare-metal guests.

They are qemu/tests/translate.S and, for a machine with guests of its own, nested.S.
"""

from __future__ import annotations

import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import pytest
from demeter_bench.platforms.emulated import CPU, Emulated
from demeter_testing import BUILD
from demeter_testing.bare_metal import assemble, boot

pytestmark = pytest.mark.boots

FAST_NS = 68.7
SECOND_NS = 2.3
ENTRY_NS = 4.7
TIERS = (
    f"tier=fast:{FAST_NS}:{FAST_NS}:88157:88157:dram",
    "map=0:0:64M",
    "streams=0",
)
# of the guest
LOADS = 131072
OTHERS = 8  # loads of the stack and of tables
FLUSHED = 1024
SIZES = [16 << i for i in range(13)]
PTS, DATA, LINE = 0x400000, 0x800000, 64


class Measured(NamedTuple):
    """What the guest counted over LOADS loads."""

    ns: int
    second: int
    walks: int


class Result(NamedTuple):
    small: dict[int, Measured]  # by the number of pages of 4 KiB
    large: dict[int, Measured]  # of 2 MiB
    flushes: list[int]  # walks after each
    report: dict


@pytest.fixture(scope="module")
def rom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(tmp_path_factory.mktemp("translate"), "translate")


def run(rom: Path, folder: Path, *options: str) -> Result:
    text, report = boot(rom, folder, f"{CPU},tcg-pmu=on", *TIERS, *options)
    numbers = [int(x, 16) for x in text.split()]
    n = 3 * len(SIZES)
    phases = [Measured(*numbers[i : i + 3]) for i in range(0, 2 * n, 3)]
    return Result(
        dict(zip(SIZES, phases, strict=False)),
        dict(zip(SIZES, phases[len(SIZES) :], strict=False)),
        numbers[2 * n :],
        report,
    )


def ns_per_load(on: Measured, off: Measured) -> float:
    return (on.ns - off.ns) / LOADS


@pytest.fixture(scope="module")
def off(rom: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(rom, tmp_path_factory.mktemp("off") / "run")


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ((), (64, 32), 2048),
        (("tlb1=32:16:2", "tlb2=512:8:2.3"), (32, 16), 512),
    ],
)
def test_knees_are_at_the_reaches(
    rom: Path, off: Result, tmp_path: Path, options, first: tuple[int, int], second: int
):
    """Times and counters change where the pages exceed a level, and nowhere else."""
    on = run(rom, tmp_path / "on", "tlb=on", "psc=1024:1024:1024", *options)
    for size, reach in ((0, first[0]), (1, first[1])):
        for n in SIZES:
            found, cost = on[size][n], ns_per_load(on[size][n], off[size][n])
            if n <= reach:
                expected, ns = (0, 0), 0.0
            elif n < second or (n == second and size == 0):
                expected, ns = (LOADS, 0), SECOND_NS
            elif n > second:
                # the lowest level of the tables is all that a walk has to read
                expected, ns = (0, LOADS), ENTRY_NS
            else:
                continue  # the guest's stack is in a large page, too
            assert found[1:] == pytest.approx(expected, abs=OTHERS), (size, n)
            assert cost == pytest.approx(ns, rel=0.01, abs=0.01), (size, n)


def test_reach_that_is_no_power_of_two(rom: Path, tmp_path: Path):
    """A server before Ice Lake: 1536 entries, 12 ways."""
    on = run(rom, tmp_path / "on", "tlb=on", "tlb2=1536:12:3")
    assert on.small[1024].second == LOADS and on.small[2048].walks == LOADS


def test_walks_read_all_levels_without_caches_of_them(rom: Path, off: Result, tmp_path: Path):
    on = run(rom, tmp_path / "on", "tlb=on", "psc=0:0:0")
    for n in (4096, 65536):
        assert ns_per_load(on.small[n], off.small[n]) == pytest.approx(4 * ENTRY_NS, rel=0.05)
        assert ns_per_load(on.large[n], off.large[n]) == pytest.approx(3 * ENTRY_NS, rel=0.05)


def predicted_ns(pages: int, size: int, ways: int) -> float:
    """What a load costs, by a cache that has page-table entries and the data, least recently
    used first."""
    sets: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(size // LINE // ways)]

    def hit(paddr: int) -> bool:
        line = paddr // LINE
        of = sets[(line + 1) % len(sets)]
        found = line in of
        if found:
            of.move_to_end(line)
        elif len(of) == ways:
            of.popitem(last=False)
        of[line] = None
        return found

    page, total = 0, 0.0
    for i in range(2 * pages + LOADS):
        page = (5 * page + 3) % pages
        cost = ENTRY_NS if hit(PTS + page * 8) else FAST_NS
        cost += 0 if hit(DATA + page % 64 * LINE) else FAST_NS
        total += cost if i >= 2 * pages else 0
    return total / LOADS


@pytest.mark.parametrize("kib", [64, 256])
def test_walks_cost_what_the_caches_predict(rom: Path, off: Result, tmp_path: Path, kib: int):
    """64 Ki pages have 512 KiB of entries in their page tables, more than the cache."""
    on = run(rom, tmp_path / "on", "tlb=on", "psc=1024:1024:1024", f"cache={kib}K")
    cost = ns_per_load(on.small[65536], off.small[65536])
    assert cost == pytest.approx(predicted_ns(65536, kib << 10, 16), rel=0.05)
    assert cost > 20


def test_flushes_are_followed_by_as_many_walks_as_entries_were_live(rom: Path, tmp_path: Path):
    on = run(rom, tmp_path / "on", "tlb=on")
    # none, CR3, INVLPG; of global pages CR3, INVLPG, CR4.PGE; none
    assert on.flushes == [0, FLUSHED, 1, 0, 1, FLUSHED, 0]
    # the beginning sets CR3 before, and CR0.PG and CR4.PGE
    assert on.report["total"]["tlb"]["flushes"] == {
        "page": 2, "space": 4, "local": 0, "all": 4, "guest": 0, "every": 0,
    }  # fmt: skip


def test_the_filter_changes_nothing(rom: Path, tmp_path: Path):
    """Also with TLBs, counts and times are equal to the bit with that of filter=off."""
    on = run(rom, tmp_path / "on", "tlb=on")
    assert run(rom, tmp_path / "off", "tlb=on", "filter=off") == on


def test_caches_are_the_same_with_and_without(rom: Path, off: Result, tmp_path: Path):
    """Accesses and misses do not depend on whether translation is modelled.

    The cache holds the guest's data and tables at once.
    """
    on = run(rom, tmp_path / "on", "tlb=on")
    (fast,), (other,) = ([*r.report["total"]["tiers"].values()] for r in (on, off))
    same = ("reads", "writes", "read_misses", "write_misses", "writebacks", "stall_s")
    assert {k: fast[k] for k in same} == {k: other[k] for k in same}
    assert "tlb" not in off.report["total"] and "walk_reads" not in other


def nested(tmp_path: Path, definitions: tuple[str, ...], *options: str) -> dict:
    """Counters of a hypervisor whose guest loads from GUEST_PAGES pages in each of three runs."""
    rom = assemble(tmp_path, "nested", *definitions)
    text, report = boot(rom, tmp_path / "run", "EPYC,+svm,+npt", *TIERS, "tlb=on", *options)
    assert text == "E"
    return report["total"]["tlb"]


GUEST_PAGES = 1024


@pytest.mark.parametrize(
    ("definitions", "walks", "by_host", "by_guest"),
    [
        ((), GUEST_PAGES, {}, {}),
        (("TLB_CTL=3",), 3 * GUEST_PAGES, {"guest": 2}, {}),
        (("TLB_CTL=3", "GLOBAL"), 3 * GUEST_PAGES, {"guest": 2}, {}),
        (("TLB_CTL=7",), 3 * GUEST_PAGES, {"local": 2}, {}),
        (("TLB_CTL=7", "GLOBAL"), GUEST_PAGES, {"local": 2}, {}),
        (("TLB_CTL=1",), 3 * GUEST_PAGES, {"every": 2}, {}),
        (("INVLPGA=1",), GUEST_PAGES + 2, {"page": 3}, {}),
        (("INVLPGA=2",), GUEST_PAGES, {"page": 3}, {}),
        (("GUEST_CR3",), 3 * GUEST_PAGES, {}, {"space": 3}),
        (("GUEST_CR3", "GLOBAL"), GUEST_PAGES, {}, {"space": 3}),
        (("OTHER",), 2 * GUEST_PAGES, {}, {}),
    ],
)
def test_guests_keep_what_the_host_does_not_flush(
    tmp_path: Path,
    definitions: tuple[str, ...],
    walks: int,
    by_host: dict[str, int],
    by_guest: dict[str, int],
):
    tlb = nested(tmp_path, definitions)
    assert tlb["nested_walks"] == walks
    # the beginning sets CR3 once, and CR4.PGE and CR0.PG
    expected = dict.fromkeys(tlb["flushes"], 0) | {"space": 1, "all": 2} | by_host
    assert tlb["flushes"] == expected
    assert tlb["guest_flushes"] == dict.fromkeys(tlb["guest_flushes"], 0) | by_guest


@pytest.mark.parametrize(
    ("definitions", "references"),
    [((), 4 + 5 * 3), (("NESTED_SMALL",), 4 + 5 * 4)],
)
def test_walks_in_two_dimensions(tmp_path: Path, definitions: tuple[str, ...], references: int):
    """Four of the guest's tables and the page are walked for; nested pages: 2 MiB, 4 KiB."""
    tlb = nested(tmp_path, (*definitions, "TLB_CTL=3"), "psc=0:0:0", "ntlb=0")
    assert tlb["nested_walks"] == 3 * GUEST_PAGES
    # the host's own walk, for its stack, is in one dimension and of a large page
    assert tlb["references"] == 3 * GUEST_PAGES * references + 3


@pytest.mark.parametrize(
    ("options", "vcpus", "message"),
    [
        (("tlb=yes",), 1, 'bad option "tlb=yes"'),
        (("tlb=on", "tlb2=1000:16:2"), 1, "tlb2: entries must be ways"),
        (("tlb=on",), 2, "tlb=on needs a machine with one vCPU"),
    ],
)
def test_refused(options: tuple[str, ...], vcpus: int, message: str):
    platform = Emulated(BUILD)
    done = subprocess.run(
        [platform.qemu, "-machine", "none", "-accel", "tcg", "-icount", "insn-ps=222",
         *(("-machine", "q35", "-smp", str(vcpus)) if vcpus > 1 else ()),
         "-plugin", ",".join([str(platform.plugin), *TIERS, *options]), "-display", "none"],
        timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and message in done.stderr
