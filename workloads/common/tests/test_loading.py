# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py files that cannot be loaded, each with one line that says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demeter_bench.errors import UserError
from demeter_bench.workloads import load

TOP = Path(__file__).resolve().parents[3]
IMPORT = "from demeter_bench.workload import Workload\n"
GOOD = IMPORT + 'WORKLOADS = {"x": Workload(lambda size, seed: "x", about="x")}\n'


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "bench.py").write_text(text)
    return folder


def test_folders_are_found(tmp_path: Path):
    """In the order of their names, forms too; a folder without bench.py is none."""
    form = '"{0}-{1}": Workload(lambda size, seed: "", about="", form_of="{0}")'
    both = 'WORKLOADS = {{"{0}": Workload(lambda size, seed: "", about=""), ' + form + "}}"
    write(tmp_path, "b_2", IMPORT + both.format("b_2", "z"))
    write(tmp_path, "a", IMPORT + both.format("a", "small"))
    (tmp_path / "common").mkdir()
    assert list(load(tmp_path)) == ["a", "a-small", "b_2", "b_2-z"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "workloads/x/bench.py: WORKLOADS must be a dict of Workload by name"),
        ("WORKLOADS = {}\n", "WORKLOADS must be a dict of Workload by name"),
        ("WORKLOADS = []\n", "WORKLOADS must be a dict of Workload by name"),
        (GOOD.replace('"x":', '"y":'), 'workloads/x/bench.py: WORKLOADS has no "x"'),
        (GOOD + "WORKLOADS['x y'] = WORKLOADS['x']\n", "'x y': a name must be a-z"),
        (GOOD + "WORKLOADS[3] = WORKLOADS['x']\n", "3: a name must be a-z"),
        (GOOD + "WORKLOADS['x-y'] = 'x'\n", "x-y: must be a Workload"),
        (GOOD + "WORKLOADS['x-y'] = WORKLOADS['x']\n", 'x-y: must have form_of="x"'),
        (GOOD.replace('t="x"', 't="x", form_of="x"'), "x: must have no form_of"),
        ("a b\n", "workloads/x/bench.py: line 1: SyntaxError: invalid syntax"),
        ("\n\nimport nothing_like_it\n", "line 3: ModuleNotFoundError: No module named"),
        (IMPORT + 'WORKLOADS = {"x": Workload(1)}\n', "line 2: TypeError: "),
        ("\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError('a\\nb')\nf()\n", "line 2: ValueError: a"),
        ("x = '\0'\n", "workloads/x/bench.py: "),
    ],
)
def test_broken_file(text: str, message: str, tmp_path: Path):
    with pytest.raises(UserError) as error:
        load(write(tmp_path / "workloads", "x", text))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_one_name_twice(tmp_path: Path):
    both = 'WORKLOADS = {{"{0}": Workload(lambda size, seed: "", about=""), '
    both = IMPORT + both + '"z": Workload(lambda size, seed: "", about="", form_of="{0}")}}'
    write(tmp_path / "workloads", "x", both.format("x"))
    write(tmp_path / "workloads", "y", both.format("y"))
    with pytest.raises(UserError, match=r"y/bench.py: z is there twice: also in workloads/x"):
        load(tmp_path / "workloads")


def test_no_folder(tmp_path: Path):
    with pytest.raises(UserError, match="no folder with a bench.py"):
        load(tmp_path)


def test_the_benchmark_says_it_in_one_line(tmp_path: Path):
    for folder in ("bench/demeter_bench", "designs"):
        shutil.copytree(TOP / folder, tmp_path / folder)
    write(tmp_path / "workloads", "x", "1 / 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "demeter_bench", "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "bench")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        "error: workloads/x/bench.py: line 1: ZeroDivisionError: division by zero\n"
    )


def test_nothing_but_the_standard_library_is_needed():
    """-S leaves out what is installed in the environment."""
    program = "import sys; sys.path.insert(0, 'bench'); import demeter_bench.workloads"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], cwd=TOP, check=True)
