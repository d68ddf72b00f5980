# SPDX-License-Identifier: GPL-2.0-or-later
"""In guests: CPU time by stage, TLB flushes, and designs' own columns and parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from demeter_bench.design import DEMOTIONS, PROMOTIONS
from demeter_bench.designs import DESIGNS
from demeter_bench.results import counters, make_row, vmstat_delta
from demeter_bench.settings import Settings
from demeter_bench.vm import COUNTERS, Run
from demeter_testing import no_complaint, text

# The hot set lies last, so it begins in the slow tier, and both designs have work to do.
GUPS = "gups --mem 380M --hot 27M --updates 20M --reverse"
STAGE = "/sys/kernel/mm/tier_stage"


def measured(
    boot: Callable[..., Run], settings: Settings, name: str, **chosen: int
) -> tuple[Run, dict, dict[str, int]]:
    """Run GUPS under a design; its row, and what its parameters were then."""
    design = DESIGNS[name]
    show = "".join(
        f"echo {parameter}=$(cat {design.path(known.file or parameter)})\n"
        for parameter, known in design.parameters.items()
    )
    files = dict.fromkeys((*design.files, *(f"{STAGE}/{f}" for f in ("hint_faults_ns", "scan_ns"))))
    run = boot(
        f"{show}{GUPS}", design=name, setup=design.setup_with(chosen), fast_ratio=0.2,
        job={COUNTERS: "".join(f"{file}\n" for file in files)},
    )  # fmt: skip
    lines = text(run).splitlines()[: len(design.parameters)]
    no_complaint(run)
    values = {key: int(value) for key, value in (line.split("=") for line in lines)}
    return run, make_row(settings, run), values


def check(name: str, row: dict, values: dict[str, int], chosen: dict[str, int]) -> None:
    """Hold what every design must pass."""
    assert row["verified"], row["error"]
    # the table of the manual and config.json say so
    known = DESIGNS[name].parameters
    assert values == {parameter: p.default for parameter, p in known.items()} | chosen
    assert [column for column in DESIGNS[name].stats if row[column] is None] == []
    whole = row["init_s"] + row["elapsed_s"]
    for stage in ("sampling_s", "classification_s", "migration_s"):
        assert 0 < row[stage] < 0.7 * whole, (stage, row)
    assert row["tlb_single"] > 0 and row["tlb_full"] >= 0
    # there is one virtual CPU
    assert row["tlb_remote"] == 0


def test_tpp(boot, settings: Settings):
    run, row, values = measured(boot, settings, "tpp", demote_scale_factor=900)
    check("tpp", row, values, {"demote_scale_factor": 900})
    assert row["tpp_hint_faults"] > 0 and row["tpp_scanned"] > 0
    promoted, demoted = (vmstat_delta(run.guest, keys) for keys in (PROMOTIONS, DEMOTIONS))
    # a page of 4 KiB is unmapped, copied and mapped; flushes of single pages are among it
    assert 1e-6 < row["tpp_promote_s"] / promoted < 50e-6, row
    assert 0.5e-6 < row["tpp_demote_s"] / demoted < 50e-6, row
    assert 0.1e-6 < row["classification_s"] / row["tpp_hint_faults"] < 20e-6, row
    # what was timed is a part of the processes' system time and of kswapd's
    assert row["tpp_demote_s"] < row["tmm_cpu_s"] + 0.1 * row["elapsed_s"]


def test_demeter(boot, settings: Settings):
    chosen = {"epoch_ms": 250, "sample_period": 509}
    run, row, values = measured(boot, settings, "demeter", **chosen)
    check("demeter", row, values, chosen)
    assert row["demeter_samples"] > 0 and row["demeter_exchanged"] > 0
    epochs = (row["init_s"] + row["elapsed_s"]) / 0.25
    assert row["demeter_epochs"] == pytest.approx(epochs, rel=0.3)
    # NUMA balancing is off
    after = counters(run.guest, "after")
    assert after[f"{STAGE}/hint_faults_ns"] == after[f"{STAGE}/scan_ns"] == 0
