# SPDX-License-Identifier: GPL-2.0-or-later
"""Recipes: what they fix, what wins over them, their charts, and published figures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from demeter_bench import discover
from demeter_bench.chart import draw
from demeter_bench.cli import parser, prepare
from demeter_bench.configure import from_json
from demeter_bench.designs import DESIGNS
from demeter_bench.designs import symbol as design_symbol
from demeter_bench.errors import UserError
from demeter_bench.matrix import make_runs
from demeter_bench.options import BENCH as OPTIONS
from demeter_bench.parameters import check_values, parse
from demeter_bench.published import compare, means, read
from demeter_bench.recipe import Recipe
from demeter_bench.recipes import RECIPES
from demeter_bench.results import COLUMNS, HOST_COLUMNS, write_summary
from demeter_bench.settings import PRESETS, Settings
from demeter_bench.table import published_table, write_tables
from demeter_bench.workloads import ALL, WORKLOADS, symbol
from demeter_testing import TOP

THERE = {
    "PRESET_DRAM_PMEM": "y", "VM_MEMORY_MB": "512", "VM_FAST_PERCENT": "20",
    "QEMU_EMULATED": "y", "CLOUD_HYPERVISOR_TOOLS": "y", "PLATFORM_EMULATED": "y",
    "HOST_DEMETERHOST": "y", "HOST_TPPHOST": "y",
    **{symbol(name): "y" for name in WORKLOADS},
    **{name: "y" for name in map(design_symbol, DESIGNS) if name},
}  # fmt: skip


def make(folder: Path, *args: str, kconfig: Mapping[str, str] = THERE) -> Settings:
    lines = (f"CONFIG_{name}={value}\n" for name, value in kconfig.items())
    (folder / ".config").write_text("".join(lines))
    return prepare(parser().parse_args(["--build", str(folder), "bench", *args]))


@pytest.mark.parametrize(("name", "recipe"), RECIPES.items(), ids=list(RECIPES))
def test_recipes_name_what_there_is(name: str, recipe: Recipe):
    """Designs may be missing; nothing else may be."""
    assert recipe.about and "\n" not in recipe.about
    assert set(recipe.workloads) <= set(WORKLOADS)
    assert set(recipe.options) <= {option.name for option in OPTIONS}
    for design, given in parse(recipe.parameters).items():
        assert design in recipe.designs
        for parameter, values in given.items() if design in DESIGNS else ():
            check_values(design, DESIGNS[design], parameter, values)
    own = {column for design in DESIGNS.values() for column in design.stats}
    if recipe.chart:
        assert set(recipe.chart.columns) <= {*COLUMNS, *HOST_COLUMNS, *own}
    for preset, path in recipe.published.items():
        assert preset in PRESETS and read(path)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_can_run(tmp_path: Path, name: str):
    s = make(tmp_path, "--recipe", name)
    assert s.recipe == s.name == name
    assert s.workloads == RECIPES[name].workloads
    assert s.designs == tuple(d for d in RECIPES[name].designs if d in DESIGNS)
    (tmp_path / "config.json").write_text(json.dumps({"settings": s.to_json()}))
    assert from_json("FROM", tmp_path, THERE) == s


def test_what_is_given_wins(tmp_path: Path):
    s = make(tmp_path, "--recipe", "sensitivity-epoch", "--designs", "tpp demeter", "--workloads",
             "silo", "--parameters", "demeter.margin=1,2", "--name", "x", "--vm", "2")  # fmt: skip
    assert s.designs == ("tpp", "demeter") and s.workloads == ("silo",) and s.name == "x"
    assert s.parameters == {"demeter": {"margin": (1, 2)}} and s.vms == (2,)
    program = make(tmp_path, "--recipe", "stages", "--command", "true")
    assert program.workloads == ("true",) and program.recipe == "stages"


def test_designs_that_are_not_there_are_left_out(tmp_path: Path, capsys, monkeypatch):
    chosen = dataclasses.replace(RECIPES["stages"], designs=("tpp", "demeter", "moon"))
    monkeypatch.setitem(RECIPES, "stages", chosen)
    without = {k: v for k, v in THERE.items() if k != "DESIGN_TPP"}
    s = make(tmp_path, "--recipe", "stages", kconfig=without)
    assert s.designs == ("demeter",)
    assert capsys.readouterr().out.splitlines() == [
        "stages: tpp is left out: it is not selected, see 'make menuconfig'",
        "stages: moon is left out: there is no such design",
    ]
    # make reads what a dry run prints
    make(tmp_path, "--recipe", "stages", "--dry-run", kconfig=without)
    assert capsys.readouterr().out == ""
    none = {k: v for k, v in without.items() if k != "DESIGN_DEMETER"}
    with pytest.raises(UserError, match="RECIPE=stages: none of its designs can run: tpp demeter"):
        make(tmp_path, "--recipe", "stages", kconfig=none)


def test_parameters_of_a_design_that_does_not_run_are_left_out(tmp_path: Path, capsys):
    s = make(tmp_path, "--recipe", "sensitivity-period", "--designs", "tpp")
    assert s.parameters == {}
    assert capsys.readouterr().out == (
        "sensitivity-period: demeter does not run, nor what is compared of it\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--recipe", "soup"], "RECIPE: unknown: soup; there are: comparison sensitivity-period"),
        (["--recipe", ""], "RECIPE: unknown: ; there are:"),
        (["--recipe", "stages", "--from", "x"], "FROM repeats exactly .*: leave out RECIPE"),
    ],
)
def test_refused(tmp_path: Path, args: list[str], message: str):
    with pytest.raises(UserError, match=message):
        make(tmp_path, *args)


def test_an_archived_recipe_is_checked(tmp_path: Path):
    settings = {**make(tmp_path, "--recipe", "stages").to_json(), "recipe": "soup"}
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    with pytest.raises(UserError, match="RECIPE: unknown: soup"):
        from_json("FROM", tmp_path, THERE)


def row(design: str, elapsed: float, workload: str = "gups", **more: object) -> dict:
    return {**dict.fromkeys(COLUMNS), "vms": 1, "workload": workload, "design": design,
            "provision": "static", "parameters": "", "elapsed_s": elapsed, "verified": True,
            **more}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_charts_of_recipes(tmp_path: Path, name: str):
    """Whatever of the columns is missing."""
    s = make(tmp_path, "--recipe", name)
    chart = RECIPES[name].chart
    rows = []
    for i, run in enumerate(make_runs(s)):
        value = {column: None if i == 1 else i + 1.5 for column in chart.columns} if chart else {}
        rows.append(row(run.design, i + 1, run.workload, parameters=run.parameters, **value))
    draw(s, rows, make_runs(s), tmp_path / "chart.svg")
    write_tables(s, rows, tmp_path / "summary.txt")
    drawn, text = (tmp_path / "chart.svg").read_text(), (tmp_path / "summary.txt").read_text()
    assert "<svg" in drawn
    for title in chart.columns.values() if chart else ():
        assert f"<!-- {title}" in drawn and title in text
    if chart:
        assert f"{name}: {chart.label}" in text


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def compared(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a recipe that has published figures."""
    table = write(
        tmp_path / "table.csv",
        "# a comment\nworkload,vms,demeter,tpp,moon,first-touch\n"
        "gups,1,1.1,2.2,1.0,\nsilo,1,1.0,1.0,1.0,4.0\nsilo,9,1.0,3.0,1.0,4.0\n",
    )
    chosen = dataclasses.replace(RECIPES["stages"], chart=None, published={"dram_pmem": table})
    monkeypatch.setitem(RECIPES, "stages", chosen)
    return dataclasses.replace(
        settings, recipe="stages", designs=("demeter", "tpp", "first-touch"),
        workloads=("gups", "silo"),
    )  # fmt: skip


ROWS = [
    row("demeter", 3.0), row("tpp", 2.0), row("first-touch", 5.0),
    row("demeter", 1.0, "silo"), row("tpp", 3.0, "silo"), row("first-touch", 2.0, "silo"),
]  # fmt: skip


def test_published_figures(compared: Settings, tmp_path: Path):
    gups, silo = found = compare(compared, ROWS)
    # to the best of what is in both
    assert gups.group == (1, "gups") and gups.here == {"demeter": 1.5, "tpp": 1.0}
    assert gups.published == pytest.approx({"demeter": 1.0, "tpp": 2.0})
    assert gups.pairs == [False] and not gups.best_agrees
    # demeter and tpp are equal there; first-touch is worse than both
    assert silo.here == {"demeter": 1.0, "tpp": 3.0, "first-touch": 2.0}
    assert silo.pairs == [True, False] and silo.best_agrees
    ((vms, here, published),) = means(found)
    assert vms == 1 and list(here) == ["demeter", "tpp"]
    assert here["tpp"] == pytest.approx(3**0.5) and published["tpp"] == pytest.approx(2**0.5)
    write_summary(tmp_path, ROWS, [], found)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["published"][1]["pairs"] == 2
    assert summary["published"][1]["pairs_that_agree"] == 1
    write_tables(compared, ROWS, tmp_path / "summary.txt")
    assert "here and as published" in (tmp_path / "summary.txt").read_text()


def test_nothing_published(compared: Settings):
    assert compare(dataclasses.replace(compared, recipe=""), ROWS) == []
    assert compare(dataclasses.replace(compared, preset="custom"), ROWS) == []
    # of one design alone there is nothing to compare
    assert compare(compared, [r for r in ROWS if r["design"] == "tpp"]) == []
    swept = [{**r, "parameters": "a=1"} for r in ROWS]
    assert compare(compared, swept) == []
    assert published_table(compared, []) is None


def test_published_data():
    """Seven workloads, three numbers of VMs, ratios to the best."""
    for path, vms in (("sosp25-fig10.csv", {1, 5, 9}), ("sosp25-fig11.csv", {1, 4, 7})):
        found = read(TOP / "bench/recipes/comparison" / path)
        assert set(found) == {(n, w) for n in vms for w in ALL if w not in ("gups", "memlat")}
        for ratios in found.values():
            assert {"demeter", "memtis", "nomad", "tpp"} <= set(ratios)
            assert min(ratios.values()) == 1.0


def test_a_recipe_is_a_folder(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    text = (
        "from demeter_bench.recipe import Recipe\n"
        "RECIPES = {'mine': Recipe('x', ('tpp',), ('gups',))}\n"
    )
    write(tmp_path / "mine/recipe.py", text)
    found = discover.find(tmp_path, "recipe.py", "RECIPES", Recipe)
    assert found["mine"].entry.workloads == ("gups",)


def test_csv_of_published_data_has_its_source():
    for path in (TOP / "bench/recipes/comparison").glob("*.csv"):
        lines = path.read_text().splitlines()
        assert "SPDX-License-Identifier" in lines[0] and "SOSP '25" in "".join(lines[:4])
        assert lines[3].startswith("workload,vms,")
