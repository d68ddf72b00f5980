# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters of designs, sweeps, and columns that designs have of their own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from demeter_bench import parameters
from demeter_bench.archive import Archive
from demeter_bench.chart import colors, draw
from demeter_bench.cli import parser
from demeter_bench.configure import from_json, from_kconfig
from demeter_bench.design import PARAMETERS, TLB, Design, Parameter, Stat
from demeter_bench.designs import DESIGNS
from demeter_bench.designs import symbol as design_symbol
from demeter_bench.errors import UserError
from demeter_bench.matrix import make_runs
from demeter_bench.platforms import PLATFORMS
from demeter_bench.results import counters, make_row, mean_times, write_summary
from demeter_bench.settings import Settings
from demeter_bench.table import stats_table, write_tables
from demeter_bench.variant import Variant, variants
from demeter_bench.vm import Run, job_files
from demeter_bench.workloads import WORKLOADS, symbol
from demeter_testing import TOP

KCONFIG: dict[str, str] = {
    "PRESET_DRAM_PMEM": "y", "VM_MEMORY_MB": "512", "VM_FAST_PERCENT": "20",
    "QEMU_EMULATED": "y", "CLOUD_HYPERVISOR_TOOLS": "y",
    **{symbol(name): "y" for name in WORKLOADS},
    **{name: "y" for name in map(design_symbol, DESIGNS) if name},
}  # fmt: skip

MINE = Design(
    "Mine", "#010203", "a design for tests",
    folder="/sys/kernel/mm/mine",
    setup="insmod mine\n" + PARAMETERS + "echo 1 >/sys/kernel/mm/mine/enabled\n",
    promotions=("stats/up", "own_up"),
    stats={
        "mine_samples": Stat("stats/samples", "samples"),
        "mine_s": Stat("stats/ns", "s", scale=1e-9),
        "mine_now": Stat("stats/now", "pages", grows=False),
        "mine_missing": Stat("stats/missing", "nothing"),
        "mine_faults": Stat("numa_hint_faults", "faults"),
    },
    stages={
        "sampling": ("stats/ns", "stats/missing"),
        "migration": ("/sys/kernel/mm/other/ns",),
        "classification": ("stats/missing",),
    },
    parameters={
        "period": Parameter(5, 2, 1000, "of something", or_zero=True, published=7),
        "knob": Parameter(1, 0, 1, "of another", file="/proc/sys/vm/knob"),
    },
)  # fmt: skip


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DESIGNS, "mine", MINE)
    from demeter_bench import designs

    monkeypatch.setitem(designs.FOUND, "mine", designs.FOUND["first-touch"])


def make(*args: str) -> Settings:
    parsed = parser().parse_args(["--build", "b", "bench", *args])
    return from_kconfig(KCONFIG, parsed, PLATFORMS["emulated"], cores=2)


def test_parameters_are_read():
    s = make("--designs", "mine tpp", "--parameters", "mine.period=0,2,1000,2 mine.knob=1")
    assert s.parameters == {"mine": {"period": (0, 2, 1000), "knob": (1,)}}
    assert make("--designs", "mine").parameters == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("period=5", "PARAMETERS: period=5: not like demeter.epoch_ms=100"),
        ("mine.period", "mine.period: not like"),
        ("mine.period=", "mine.period=: not like"),
        ("mine.period=x", "mine.period=x: not like"),
        ("mine.period=1.5", "mine.period=1.5: not like"),
        ("mine.period=5,", "mine.period=5,: not like"),
        ("mine.period=5 mine.period=6", "mine.period is there twice"),
        ("moon.period=5", "unknown design: moon; there are: all-fast"),
        ("tpp.demote_scale_factor=5", "tpp is not among DESIGNS: mine first-touch"),
        ("mine.speed=5", "mine has no parameter speed; there are: period knob"),
        ("first-touch.speed=5", "first-touch has no parameter speed; there are: none"),
        ("mine.period=1", "mine.period=1: must be from 2 to 1000, or 0"),
        ("mine.knob=2", "mine.knob=2: must be from 0 to 1"),
        ("mine.knob=-1", "mine.knob=-1: must be from 0 to 1"),
        ("mine.period=5,1001", "mine.period=1001: must be"),
        (f"mine.period={','.join(map(str, range(2, 260)))}", "258 combinations of values for mine"),
    ],
)
def test_parameters_refused(text: str, message: str):
    with pytest.raises(UserError) as error:
        make("--designs", "mine first-touch", "--parameters", text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_too_many_parameters_for_a_name(monkeypatch: pytest.MonkeyPatch):
    many = {f"parameter_{i}": Parameter(0, 0, 9, "x") for i in range(20)}
    monkeypatch.setitem(DESIGNS, "mine", dataclasses.replace(MINE, parameters=many))
    with pytest.raises(UserError, match="too many parameters of mine at once"):
        make("--designs", "mine", "--parameters", " ".join(f"mine.{name}=1" for name in many))


def test_parameters_are_archived_and_repeated(tmp_path: Path):
    s = make("--designs", "mine first-touch", "--parameters", "mine.period=3,4")
    archive = Archive.create(tmp_path, s, {})
    config = json.loads((archive.folder / "config.json").read_text())
    assert config["parameters"] == {
        "mine": {
            "period": {"values": [3, 4], "default": 5, "published": 7, "about": "of something",
                       "file": "/sys/kernel/mm/mine/period"},
            "knob": {"values": [1], "default": 1, "published": None, "about": "of another",
                     "file": "/proc/sys/vm/knob"},
        }
    }  # fmt: skip
    assert from_json("FROM", archive.folder, KCONFIG) == s


@pytest.mark.parametrize(
    "value",
    [
        {"mine": {"period": []}},
        {"mine": {"period": [True]}},
        {"mine": {"period": ["5"]}},
        {"mine": {"period": [1]}},
        {"mine": {"period; reboot": [5]}},
        {"tpp": {"demote_scale_factor": [5]}},
        {"mine": 5},
        [],
    ],
)
def test_archived_parameters_refused(tmp_path: Path, value: object):
    """Nothing of it becomes a line of a shell unchecked."""
    settings = {**make("--designs", "mine").to_json(), "parameters": value}
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    with pytest.raises(UserError) as error:
        from_json("FROM", tmp_path, KCONFIG)
    assert "\n" not in str(error.value)


def test_parameters_are_written_where_the_design_says():
    s = make("--designs", "mine", "--parameters", "mine.period=9 mine.knob=0")
    (run,) = make_runs(s)
    setup = str(job_files(s, run)["setup"])
    lines = setup.splitlines()
    assert lines[0] == "insmod mine" and lines[-1] == "echo 1 >/sys/kernel/mm/mine/enabled"
    assert lines[1].startswith("echo 9 >/sys/kernel/mm/mine/period || ")
    assert lines[2].startswith("echo 0 >/proc/sys/vm/knob || ")
    assert (
        DESIGNS["tpp"].setup_with({"demote_scale_factor": 5}).splitlines()[-1].startswith("echo 5")
    )
    assert MINE.setup_with({}) == MINE.setup.replace(PARAMETERS, "")


def test_a_parameter_that_the_guest_does_not_take(tmp_path: Path):
    """The set-up fails, and its last line says why."""
    setup = dataclasses.replace(MINE, folder=str(tmp_path / "none"), setup="").setup_with(
        {"period": 3}
    )
    done = subprocess.run(["sh", "-e", "-c", setup], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == "PARAMETERS: period=3: the guest does not take it\n"


def test_sweep_makes_variants():
    s = make("--designs", "mine first-touch", "--parameters", "mine.period=3,4 mine.knob=0,1")
    names = ["mine period=3 knob=0", "mine period=3 knob=1", "mine period=4 knob=0",
             "mine period=4 knob=1", "first-touch"]  # fmt: skip
    assert list(map(str, variants(s))) == names
    assert [str(run.variant) for run in make_runs(s)] == names
    assert variants(s)[0].title == "Mine period=3 knob=0"
    assert variants(s)[0].file_name == "mine-period=3-knob=0"
    assert len(set(colors(variants(s)))) == 5
    assert parameters.swept(s, "mine") is None  # two of them
    assert parameters.swept(make("--designs", "mine", "--parameters", "mine.period=3,4"), "mine")
    both = Variant("mine", "virtio-mem", "period=3")
    assert str(both) == "mine-virtio-mem period=3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    guest = tmp_path / "guest"
    guest.mkdir()
    own = "/sys/kernel/mm/mine/stats"
    final = {"workload": "gups", "parameters": {"p50_us": 1, "p90_us": 2.5, "p99_us": 4},
             "seconds": 2.5, "rate": 4e6, "init_s": 0.5, "rate_unit": "updates/s", "sys_s": 0.25,
             "verified": True}  # fmt: skip
    (guest / "stdout").write_text(json.dumps(final) + "\n")
    (guest / "vmstat.before").write_text("pgpromote_success 1\nnuma_hint_faults 5\n")
    (guest / "vmstat.after").write_text("pgpromote_success 3\nnuma_hint_faults 9\n")
    (guest / "counters.before").write_text(
        f"{own}/samples 100\n{own}/ns 1000000000\n{own}/now 7\n{own}/up 10\n"
        "/sys/kernel/mm/other/ns 5000000\n" + "".join(f"{path} 4\n" for path in TLB.values())
    )
    (guest / "counters.after").write_text(
        f"{own}/samples 350\n{own}/ns 3500000000\n{own}/now 3.5\n{own}/up 30\n"
        f"/sys/kernel/mm/other/ns 255000000\n{own}/broken x\n{own}/missing 1e999\n9\n \n"
        + "".join(f"{path} {i + 6}\n" for i, path in enumerate(TLB.values()))
    )
    return tmp_path


def test_columns_of_a_design(settings: Settings, folder: Path):
    row = make_row(settings, Run("gups", "mine", 1, 0, 0, state="done", folder=folder))
    found = {name: row[name] for name in MINE.stats}
    assert found == {"mine_samples": 250, "mine_s": 2.5, "mine_now": 3.5, "mine_missing": None,
                     "mine_faults": 4}  # fmt: skip
    assert row["sampling_s"] == 2.5 and row["migration_s"] == 0.25
    assert row["classification_s"] is None
    assert [row[name] for name in TLB] == [2, 3, 4]
    assert row["promotions"] == 2 + 20 and row["demotions"] is None
    assert row["p90_us"] == 2.5 and row["p95_us"] is None


def test_counters_of_a_guest_that_has_none(settings: Settings, folder: Path):
    for name in ("counters.before", "counters.after"):
        (folder / "guest" / name).unlink()
    row = make_row(settings, Run("gups", "mine", 1, 0, 0, state="done", folder=folder))
    assert [row[name] for name in (*TLB, "sampling_s", "mine_samples")] == [None] * 5
    assert row["verified"]
    assert counters(folder / "guest", "after") == {"pgpromote_success": 3, "numa_hint_faults": 9}


def test_summary_of_a_sweep(settings: Settings, folder: Path, tmp_path: Path):
    given = {"mine": {"period": (2, 1000)}}
    s = dataclasses.replace(settings, designs=("first-touch", "mine"), parameters=given)
    runs = make_runs(s)
    for run in runs:
        run.state, run.folder = "done", folder
    rows = [make_row(s, run) for run in runs]
    assert set(map(str, mean_times(rows)[1, "gups"])) == {
        "first-touch", "mine period=2", "mine period=1000",
    }  # fmt: skip
    write_summary(tmp_path, rows, runs)
    head, first, second, _ = (tmp_path / "summary.csv").read_text().splitlines()
    assert head.endswith("error,mine_samples,mine_s,mine_now,mine_missing,mine_faults")
    assert first.endswith(",,,,,") and second.endswith(",250,2.5,3.5,,4")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["columns"]["mine_samples"] == "samples"
    assert summary["rows"][0]["mine_samples"] is None
    assert "mine period=1000" in summary["ratios"][0]["time_to_best"]
    write_tables(s, rows, tmp_path / "summary.txt")
    text = (tmp_path / "summary.txt").read_text()
    assert "Mine period=1000" in text and "mine_faults" in text and "mine_missing" not in text
    assert stats_table(s, [row for row in rows if row["design"] != "mine"]) is None
    draw(s, rows, runs, tmp_path / "chart.svg")
    assert "Mine: period" in (tmp_path / "chart.svg").read_text()


SNAPSHOT = """
sed -n '/^snapshot()/,/^}}/p' {script} | sed 's,/job/counters,{job},' >{work}/snapshot
out={work}
. {work}/snapshot
snapshot before 2>/dev/null
"""


@pytest.mark.parametrize("shell", ["sh", "busybox sh"])
def test_files_are_read_in_the_guest(tmp_path: Path, shell: str):
    """image/run-job: their first words; what is missing is left out."""
    command = shell.split()
    if subprocess.run(["which", command[0]], capture_output=True).returncode:
        pytest.skip(f"no {command[0]} here")
    (tmp_path / "a").write_text("12 and more\n")
    (tmp_path / "b").write_text("7\nlines\n")
    job = tmp_path / "counters"
    job.write_text(f"{tmp_path}/a\n{tmp_path}/missing\n{tmp_path}/b\n")
    script = SNAPSHOT.format(script=TOP / "image/run-job", job=job, work=tmp_path)
    subprocess.run([*command, "-c", script], check=True, capture_output=True)
    found = (tmp_path / "counters.before").read_text()
    assert found == f"{tmp_path}/a 12\n{tmp_path}/b 7\n"
