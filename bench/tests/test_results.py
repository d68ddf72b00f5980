# SPDX-License-Identifier: GPL-2.0-or-later
"""From files of a VM to rows, summary, chart and archive."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
from demeter_bench.archive import Archive
from demeter_bench.chart import draw
from demeter_bench.designs import DESIGNS
from demeter_bench.matrix import make_runs
from demeter_bench.results import (
    COLUMNS,
    converged_s,
    geometric_means,
    make_row,
    mean_times,
    ratios,
    share,
    thread_cpu_s,
    write_summary,
)
from demeter_bench.settings import Settings
from demeter_bench.table import seconds
from demeter_bench.variant import Variant
from demeter_bench.vm import Run

FINAL = {"workload": "gups", "parameters": {}, "seconds": 2.5, "rate": 4e6, "init_s": 0.5,
         "rate_unit": "updates/s", "sys_s": 0.25, "verified": True}  # fmt: skip
TPP, ALL_FAST = Variant("tpp"), Variant("all-fast")
TIER = {"read_misses": 0, "write_misses": 0}


def stat(pid: int, name: str, parent: int, utime: int, stime: int) -> str:
    return f"{pid} ({name}) S {parent} 0 0 0 -1 0 0 0 0 0 {utime} {stime} 0 0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    guest = tmp_path / "guest"
    guest.mkdir()
    (guest / "stdout").write_text(
        '{"t_s": 0.1, "rate": 1e6}\nnoise\n{"t_s": 0.2, "rate": 2e6}\n' + json.dumps(FINAL) + "\n"
    )
    (guest / "vmstat.before").write_text("pgpromote_success 10\npgdemote_kswapd 1\n")
    (guest / "vmstat.after").write_text(
        "pgpromote_success 110\npgdemote_kswapd 21\npgdemote_direct 5\nbroken line here\n"
    )
    (guest / "processes.before").write_text(stat(30, "kswapd0", 2, 0, 10))
    (guest / "processes.after").write_text(
        stat(30, "kswapd0", 2, 0, 60) + stat(31, "kswapd1", 2, 5, 5) + stat(99, "kswapd0", 1, 9, 9)
    )
    span = {
        "tiers": {
            "fast": {"read_misses": 30, "write_misses": 10},
            "slow": dict(TIER, read_misses=60),
        }
    }
    (tmp_path / "tmem.json").write_text(
        json.dumps({"simulated_s": 3.5, "roi": span, "total": span})
    )
    return tmp_path


def test_row(settings: Settings, folder: Path):
    run = Run("gups", "tpp", vms=1, repeat=0, vm=0, state="done", folder=folder)
    row = make_row(settings, run)
    assert tuple(row) == (*COLUMNS, *DESIGNS["tpp"].stats)
    assert row["elapsed_s"] == 2.5 and row["rate"] == 4e6 and row["verified"] is True
    assert row["promotions"] == 100 and row["demotions"] == 25
    assert row["tmm_cpu_s"] == pytest.approx(0.6) and row["job_sys_s"] == 0.25
    assert row["tmm_share"] == pytest.approx(0.2)
    assert row["fast_hit_ratio"] == 0.4 and row["simulated_s"] == 3.5
    assert row["converged_s"] is None  # of two lines


def lines(
    *levels: tuple[int, float], period: float = 0.1, noise: float = 0.3
) -> tuple[list[float], list[float]]:
    """Progress lines: (how many, of what rate) one after the other."""
    rates = [rate * (1 + noise * (-1) ** i) for n, rate in levels for i in range(n)]
    return [round((i + 1) * period, 6) for i in range(len(rates))], rates


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lines((100, 5e6)), 0.0),
        (lines((30, 2e6), (170, 5e6)), 3.0),
        (lines((30, 9e6), (170, 5e6)), 3.0),
        # back in between
        (lines((20, 5e6), (20, 2e6), (160, 5e6)), 4.0),
        # a rise by 2 % is none
        (lines((100, 4.9e6), (100, 5e6)), 0.0),
        (lines((5, 2e6), (25, 5e6), period=1.0, noise=0), 5.0),
    ],
)
def test_convergence(given: tuple[list[float], list[float]], expected: float):
    # windows of a second average the noise, but for where they end
    assert converged_s(*given) == pytest.approx(expected, abs=0.2)


def test_no_convergence():
    assert converged_s([], []) is None
    assert converged_s([1.0], [5e6]) is None
    assert converged_s(*lines((30, 5e6))) is None  # no quarter of it is a second
    assert converged_s([0.0] * 50, [5e6] * 50) is None
    rising = [1.02**i for i in range(200)]
    assert converged_s([i / 10 for i in range(200)], rising) is None


def test_convergence_in_a_row(settings: Settings, folder: Path):
    seconds, rates = lines((30, 2e6), (100, 5e6))
    printed = [{"t_s": t, "rate": r} for t, r in zip(seconds, rates, strict=True)]
    text = "".join(json.dumps(line) + "\n" for line in [*printed, FINAL])
    (folder / "guest/stdout").write_text(text)
    row = make_row(settings, Run("gups", "tpp", 1, 0, 0, state="done", folder=folder))
    assert row["converged_s"] == pytest.approx(3.0, abs=0.2)


def test_share():
    assert share(1.5, 1, 2) == 0.5
    assert share(0.0, 1, 2) == 0
    assert share(None, 1, 2) is None
    assert share(1.5, None, 2) is None
    assert share(1.5, 0, 0) is None


def test_a_failed_run_is_not_verified(settings: Settings, folder: Path):
    run = Run("gups", "tpp", vms=1, repeat=0, vm=0, state="failed", error="died", folder=folder)
    row = make_row(settings, run)
    assert row["verified"] is False and row["error"] == "died"


def test_unverified_result(settings: Settings, folder: Path):
    (folder / "guest/stdout").write_text(json.dumps({**FINAL, "verified": False}))
    row = make_row(settings, Run("gups", "tpp", 1, 0, 0, state="done", folder=folder))
    assert row["verified"] is False and "did not verify" in row["error"]


def test_row_of_nothing(settings: Settings, tmp_path: Path):
    row = make_row(settings, Run("gups", "tpp", 1, 0, 0, state="failed", folder=tmp_path))
    assert row["elapsed_s"] is None and row["promotions"] is None and not row["verified"]
    assert thread_cpu_s(tmp_path, ("kswapd",)) is None


def row(design: str, elapsed: float, workload: str = "gups", verified: bool = True) -> dict:
    return {**dict.fromkeys(COLUMNS), "vms": 1, "workload": workload, "design": design,
            "provision": "static", "elapsed_s": elapsed, "verified": verified}  # fmt: skip


@pytest.mark.parametrize(
    "final",
    [
        '{"verified": true}',
        '{"verified": true, "seconds": 0}',
        '{"verified": 1, "seconds": 2}',
        '{"verified": true, "seconds": "x"}',
        '{"verified": true, "seconds": 1e999}',
    ],
)
def test_lies_are_not_verified(settings: Settings, folder: Path, final: str):
    (folder / "guest/stdout").write_text(final + "\n")
    run = Run("gups", "tpp", 1, 0, 0, state="done", folder=folder)
    row = make_row(settings, run)
    assert row["verified"] is False and "no good result" in row["error"]
    write_summary(folder, [row], [run])


def test_a_design_with_a_failed_run_has_no_mean():
    rows = [row("tpp", 2.0), row("tpp", 4.0, verified=False), row("all-fast", 1.0)]
    assert mean_times(rows) == {(1, "gups"): {ALL_FAST: 1.0}}


def test_times_in_the_table():
    assert [seconds(t) for t in (None, 12.946, 0.0134, 1)] == ["failed", "12.95", "0.0134", "1.00"]


def test_ratios():
    rows = [
        row("tpp", 2.0),
        row("tpp", 4.0),
        row("all-fast", 1.5),
        row("all-slow", 9, verified=False),
    ]
    assert mean_times(rows) == {(1, "gups"): {TPP: 3.0, ALL_FAST: 1.5}}
    assert ratios(rows) == {(1, "gups"): {TPP: 2.0, ALL_FAST: 1.0}}


def test_geometric_means():
    rows = [row("tpp", 2.0), row("all-fast", 1.0), row("tpp", 8.0, "memlat"),
            row("all-fast", 1.0, "memlat"), row("all-slow", 3.0)]  # fmt: skip
    assert geometric_means(rows) == {1: {TPP: pytest.approx(4.0), ALL_FAST: 1.0}}


def test_summary_and_chart(settings: Settings, folder: Path, tmp_path: Path):
    s = dataclasses.replace(settings, vms=(1, 2), designs=("all-fast", "tpp"))
    runs = make_runs(s)
    assert len(runs) == 6
    for run in runs:
        run.state, run.folder = "done", folder
    rows = [make_row(s, run) for run in runs]
    rows[0].update(verified=False)
    write_summary(tmp_path, rows, runs)
    with (tmp_path / "summary.csv").open() as f:
        read = list(csv.DictReader(f))
    assert len(read) == 6 and read[1]["design"] == "tpp" and read[1]["rate"] == "4000000.0"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert len(summary["rows"]) == 6 and len(summary["ratios"]) == 2
    draw(s, rows, runs, tmp_path / "chart.svg")
    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_archive(settings: Settings, tmp_path: Path):
    first = Archive.create(tmp_path, settings, {"qemu": "1"})
    second = Archive.create(tmp_path, settings, {})
    assert first.folder != second.folder
    assert (tmp_path / "out").resolve() == second.folder
    assert json.loads((first.folder / "status.json").read_text())["state"] == "running"
    config = json.loads((first.folder / "config.json").read_text())
    assert config["settings"]["vm_memory"] == settings.vm_memory
    assert config["versions"]["qemu"] == "1"
