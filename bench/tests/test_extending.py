# SPDX-License-Identifier: GPL-2.0-or-later
"""What is there is found, what is broken is named, skeletons, and tables of the manual."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demeter_bench import discover, docs, options, skeleton
from demeter_bench.design import STAGES, Design
from demeter_bench.designs import DESIGNS
from demeter_bench.errors import UserError
from demeter_bench.platforms import PLATFORMS
from demeter_bench.recipes import RECIPES
from demeter_bench.results import COLUMNS
from demeter_bench.workloads import WORKLOADS
from demeter_testing import TOP

GOOD = "from demeter_bench.design import Design\nDESIGNS = {%r: Design('t', '#fff', 'a')}\n"


def find(base: Path) -> dict[str, Design]:
    found = discover.find(base, "design.py", "DESIGNS", Design)
    return {name: entry for name, (entry, _) in found.items()}


def write(base: Path, **files: str) -> None:
    for folder, text in files.items():
        (base / folder).mkdir(parents=True)
        (base / folder / "design.py").write_text(text)


def test_folders_are_found(tmp_path: Path):
    write(tmp_path / "designs", b=GOOD % "two", a=GOOD % "one")
    (tmp_path / "designs/no-design").mkdir()
    write(tmp_path / "designs", **{".hidden": GOOD % "one"})
    assert list(find(tmp_path / "designs")) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DESIGNS = {", "designs/x/design.py: line 1: SyntaxError"),
        ("\n1 / 0", "designs/x/design.py: line 2: ZeroDivisionError"),
        ("import no_such_module", "line 1: ModuleNotFoundError"),
        ("", "DESIGNS must be a dict of Design by name"),
        ("DESIGNS = {}", "DESIGNS must be a dict"),
        ("DESIGNS = {'x': 1}", "x: must be a Design"),
        (GOOD % "Not good", "'Not good': a name must be"),
        (GOOD % "one", "one is there twice: also in designs/a"),
        (GOOD % "one_and", "one_and would have the symbol of one-and"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, text: str, message: str):
    write(tmp_path / "designs", a=GOOD % "one", b=GOOD % "one-and", x=text)
    with pytest.raises(UserError) as error:
        find(tmp_path / "designs")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_nothing_there(tmp_path: Path):
    with pytest.raises(UserError, match=r"no folder with a design\.py"):
        find(tmp_path)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=list(DESIGNS))
def test_designs_say_what_they_are(design: Design):
    assert design.title and design.about and "\n" not in design.about
    assert design.color.startswith("#")
    assert not design.setup or design.setup.endswith("\n")
    assert set(design.stages) <= set(STAGES)
    assert not set(design.stats) & set(COLUMNS)
    for stat in design.stats.values():
        assert stat.about and "\n" not in stat.about
    for name, parameter in design.parameters.items():
        assert parameter.allows(parameter.default), name
        assert parameter.published is None or parameter.allows(parameter.published), name
        assert design.path(parameter.file or name).startswith("/"), name


def test_designs_can_be_told_apart():
    """In charts."""
    assert len({d.color for d in DESIGNS.values()}) == len(DESIGNS)
    assert len({d.title for d in DESIGNS.values()}) == len(DESIGNS)


def test_the_manual_is_up_to_date():
    """make docs writes its tables."""
    tables = set()
    for path in (TOP / "docs").glob("*.md"):
        text = path.read_text()
        assert docs.filled(text) == text, f"{path.name}: run 'make docs'"
        tables |= {match[2] for match in docs.MARKED.finditer(text)}
    assert tables == set(docs.tables())


def test_tables_that_do_not_exist(tmp_path: Path):
    (tmp_path / "a.md").write_text("<!-- table: nonsense -->\n<!-- end -->\n")
    with pytest.raises(UserError, match=r"a\.md: table: nonsense: unknown"):
        docs.write(tmp_path)


def test_make_passes_every_option_on():
    text = (TOP / "bench/bench.mk").read_text().replace("\\\n", " ")
    line = next(x for x in text.splitlines() if x.startswith("bench_options :="))
    assert line.split()[2:] == [option.name for option in options.BENCH]


ODD = ("a b", "$x", "$$", "$(x", "#", '"', "'", "`id`", "a,b", "%", "-x", "{", "\\")


@pytest.mark.parametrize("value", ODD)
def test_make_takes_any_character(value: str, tmp_path: Path):
    """The recipe's shell gets what was given, and make does not expand it."""
    rule = "MAKECMDGOALS := help\ninclude Makefile\nshow:\n\t@printf '%s' "
    done = subprocess.run(
        ["make", "-s", "-f", "-", "show", f"COMMAND={value}"],
        cwd=TOP,
        text=True,
        capture_output=True,
        input=f"{rule}$(call bench_args,COMMAND)\n",
    )
    assert done.stdout == f"--command={value}", done.stderr


def test_help_lists_everything():
    shown = subprocess.run(
        ["make", "help"], cwd=TOP, capture_output=True, text=True, check=True
    ).stdout
    for name in (*DESIGNS, *WORKLOADS, *PLATFORMS, *RECIPES):
        assert f"\n  {name} " in shown


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository's folders that are looked into, to add to."""
    for folder in ("designs", "workloads", "bench/recipes"):
        shutil.copytree(TOP / folder, tmp_path / folder)
    return tmp_path


def test_new_design(copy: Path):
    folder = skeleton.create("design", "my-design", copy)
    assert folder == copy / "designs/my-design"
    assert "my-design" in find(copy / "designs")
    assert "@" not in "".join(p.read_text() + p.name for p in folder.rglob("*") if p.is_file())
    assert (folder / "tests/test_my-design.py").exists()


NO_NAMES = ("", "A", "x/y", "../x", "1x", "a b", "x" * 40)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("design", name) for name in (*NO_NAMES, "tpp", "all-fast")),
        *(("workload", name) for name in (*NO_NAMES, "gups", "gups-zipf", "with-dash")),
        ("workload", "measure"),
        ("workload", "common"),
        ("design", "first_touch"),
    ],
)
def test_names_that_cannot_be(copy: Path, kind: str, name: str):
    before = sorted(copy.rglob("*"))
    with pytest.raises(UserError, match="NAME="):
        skeleton.create(kind, name, copy)
    assert sorted(copy.rglob("*")) == before


def test_another_form_takes_a_name(copy: Path):
    with pytest.raises(UserError, match="designs/bounds has that name"):
        skeleton.create("design", "all-fast", copy)


def test_new_without_a_name():
    done = subprocess.run(["make", "new-design"], cwd=TOP, capture_output=True, text=True)
    assert done.returncode != 0 and "NAME=: give a name" in done.stderr


MOON = """
from .emulated import Emulated

class Moon(Emulated):
    name = "moon"
    about = "one sixth of the gravity"
    scale = "paper"
    preference = None

    @classmethod
    def label(cls, s):
        return "moon"

PLATFORM = Moon
"""


def test_a_platform_is_one_file(copy: Path):
    """It is listed, can be asked for, and its settings are checked by itself."""
    package = copy / "bench/demeter_bench"
    shutil.copytree(TOP / "bench/demeter_bench", package)
    (package / "platforms/moon.py").write_text(MOON)
    build = copy / "build"
    build.mkdir()
    (build / ".config").write_text("CONFIG_PRESET_DRAM_PMEM=y\nCONFIG_QEMU_EMULATED=y\n")

    def ask(*args: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "demeter_bench", "--build", build, *args]
        environment = {**os.environ, "PYTHONPATH": str(copy / "bench")}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    assert re.search(r"^  moon +one sixth", ask("list").stdout, re.MULTILINE)
    chosen = ("bench", "--dry-run", "--designs", "first-touch", "--command", "true")
    assert ask(*chosen, "--platform", "moon").returncode == 0
    refused = ask(*chosen, "--platform", "mars")
    assert refused.returncode == 2 and "there are: emulated kvm moon nested" in refused.stderr
