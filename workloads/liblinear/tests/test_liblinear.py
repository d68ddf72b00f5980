# SPDX-License-Identifier: GPL-2.0-or-later
"""liblinear: the library's own program as reference, the shape of data, files."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections import Counter
from itertools import pairwise
from math import log
from pathlib import Path

import pytest

Rows = list[tuple[int, dict[int, float]]]


def read_rows(path: Path) -> Rows:
    rows = []
    for line in path.read_text().splitlines():
        label, *pairs = line.split()
        rows.append((int(label), {int(i): float(v) for i, v in (p.split(":") for p in pairs)}))
    return rows


def write_rows(path: Path, rows: Rows) -> Path:
    path.write_text(
        "".join(
            " ".join([str(label), *(f"{i}:{v!r}" for i, v in sorted(x.items()))]) + "\n"
            for label, x in rows
        )
    )
    return path


def random_rows(seed: int) -> Rows:
    """Rows of any length, also none, features nobody has, any two labels."""
    rng = random.Random(seed)
    labels = rng.choice([(1, -1), (-1, 1), (0, 1), (3, 7), (-5, -9)])
    features = rng.choice([3, 40, 5000])
    rows = []
    for n in range(rng.choice([2, 10, 300])):
        indices = {int(features * rng.random() ** 2) + 1 for _ in range(rng.randrange(20))}
        label = labels[n] if n < 2 else rng.choices(labels, (3, 1))[0]
        rows.append((label, {i: rng.gauss(0, 1) for i in indices}))
    rows[0][1][1] = 1.0
    return rows


def trained_by_the_library(path: Path, epsilon: str, cost: str) -> float:
    """The objective of the model that liblinear-train makes of the file."""
    model = path.with_suffix(".model")
    command = ["liblinear-train", "-q", "-s", "2", "-e", epsilon, "-c", cost, path, model]
    subprocess.run(command, check=True, timeout=120)
    head, weights = model.read_text().split("\nw\n")
    (positive,) = [int(line.split()[1]) for line in head.splitlines() if line.startswith("label")]
    w = [float(x) for x in weights.split()]
    loss = 0.0
    for label, x in read_rows(path):
        y = 1 if label == positive else -1
        loss += max(0.0, 1 - y * sum(w[i - 1] * v for i, v in x.items())) ** 2
    return sum(x * x for x in w) / 2 + float(cost) * loss


def agrees(program, path: Path, epsilon: str, cost: str = "1") -> None:
    found = program.parameters("--file", path, "--epsilon", epsilon, "--cost", cost)
    expected = trained_by_the_library(path, epsilon, cost)
    assert found["objective"] == pytest.approx(expected, rel=1e-6)
    assert found["reported_objective"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cost", ["1", "0.01", "30"])
@pytest.mark.parametrize("epsilon", ["0.3", "0.1", "0.01", "0.0001"])
def test_objective_is_that_of_liblinear_train(epsilon: str, cost: str, tmp_path: Path, program):
    path = tmp_path / "data"
    program.parameters("--rows", "3000", "--seed", "7", "--save", path)
    agrees(program, path, epsilon, cost)


@pytest.mark.parametrize("seed", range(12))
def test_any_file_is_trained_as_by_liblinear_train(seed: int, tmp_path: Path, program):
    agrees(program, write_rows(tmp_path / "data", random_rows(seed)), "0.001")


def test_generator_has_the_shape_of_kdda(tmp_path: Path, program):
    """Non-zeros a row, features a row, unit length, and frequencies by a power law."""
    path = tmp_path / "data"
    found = program.parameters("--rows", "20000", "--epsilon", "0.3", "--save", path)
    rows = read_rows(path)
    lengths = [len(x) for _, x in rows]
    assert len(rows) == found["rows"] == 20000 and sum(lengths) == found["nonzeros"]
    assert sum(lengths) / len(rows) == pytest.approx(305613510 / 8407752, rel=0.01)
    assert min(lengths) == 21 and max(lengths) == 51
    assert found["features"] / found["rows"] == pytest.approx(20216830 / 8407752, rel=1e-3)
    for _, x in rows:
        assert list(x) == sorted(x) and min(x) >= 1 and max(x) <= found["features"]
        assert sum(v * v for v in x.values()) == pytest.approx(1, rel=1e-12)
    assert 0.83 < sum(label == 1 for label, _ in rows) / len(rows) < 0.87

    frequencies = sorted(Counter(i for _, x in rows for i in x).values(), reverse=True)
    # few are in most rows, most in a few
    assert 0.4 * len(rows) < frequencies[0] <= len(rows)
    assert sum(frequencies[: found["features"] // 100]) > 0.4 * found["nonzeros"]
    assert frequencies[found["features"] // 4] < 20
    ranks = [100, 200, 400, 800, 1600, 3200]
    slopes = [log(frequencies[b] / frequencies[a]) / log(b / a) for a, b in pairwise(ranks)]
    assert all(-1.1 < slope < -0.75 for slope in slopes), slopes
    assert sum(slopes) / len(slopes) == pytest.approx(-0.9, abs=0.05)


def test_rows_and_features_are_what_is_asked_for(program):
    found = program.parameters("--rows", "1000", "--features", "500")
    assert found["rows"] == 1000 and found["features"] == 500
    found = program.parameters("--features", "24046")
    assert found["features"] == 24046 and found["rows"] == pytest.approx(10000, abs=1)


def test_same_seed_same_data(program):
    sums = [program.parameters("--rows", "1000", "--seed", s)["checksum"] for s in ("1", "1", "2")]
    assert sums[0] == sums[1] != sums[2]


def test_saved_and_loaded_data_are_the_same(tmp_path: Path, program):
    first, second = tmp_path / "first", tmp_path / "second"
    made = program.parameters("--rows", "2000", "--save", first)
    loaded = program.parameters("--file", first, "--save", second)
    assert first.read_text() == second.read_text()
    same = ("checksum", "rows", "nonzeros", "iterations", "cg_iterations", "accuracy")
    assert {key: made[key] for key in same} == {key: loaded[key] for key in same}
    assert loaded["objective"] == pytest.approx(made["objective"], rel=1e-9)


@pytest.mark.parametrize("mib", [16, 50, 100, 180])
def test_mem_is_what_the_process_takes(mib: int, program):
    assert 0.92 * mib <= program.peak_mib("--mem", f"{mib}M", "--epsilon", "0.1") <= mib


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("epsilon", ["1", "0.3", "0.01"])
def test_verified_whatever_the_seed(seed: int, epsilon: str, program):
    found = program.parameters("--rows", "1500", "--seed", str(seed), "--epsilon", epsilon)
    assert found["accuracy"] >= found["majority"]
    assert found["gradient"] <= found["gradient_tolerance"]


@pytest.mark.parametrize("what", ["objective", "gradient", "accuracy"])
def test_check_rejects_damage(what: str, program):
    found = program.parameters("--rows", "2000", "--corrupt", what, status=1)
    off = abs(found["objective"] / found["reported_objective"] - 1)
    assert (off > 1e-6) == (what != "gradient")
    assert (found["gradient"] > found["gradient_tolerance"]) == (what != "objective")
    assert (found["accuracy"] < found["majority"]) == (what == "accuracy")


@pytest.mark.parametrize(
    "text",
    [
        "1 1:0.5\n-1 2:1\n",
        "+1 1:0.5 \n-1\t2:1e0\t\r\n",
        "1\n2 1:1\n",
        "1.0 1:-.5\n-1e0 1:0.\n",
        "  1 1:1\n0 3:0\n",
        "1 007:1\n0 1:1e-300\n",
        "# remark: 1:2\n1 1:1 # another: 3:4\n#\n0 3:0\n",
        "\n1 1:1\n \t\r\n0 3:0\n\n",
        "\ufeff1 1:1\r\n0 3:0\r\n",
    ],
)
def test_well_formed_file(text: str, tmp_path: Path, program):
    path = tmp_path / "data"
    path.write_text(text, newline="")
    found = program.parameters("--file", path)
    assert found["rows"] == 2
    assert found["nonzeros"] == sum(line.partition("#")[0].count(":") for line in text.split("\n"))


GOOD = "1 1:0.5 3:1\n-1 2:1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "1 1:2", "line 3: is cut off"),
        (GOOD + "1", "line 3: is cut off"),
        (GOOD + "x 1:1\n", "line 3: the label is not a number"),
        (GOOD + "\n# remark\nx 1:1\n", "line 5: the label is not a number"),
        (GOOD + "1:1\n", "line 3: the label is not a number"),
        (GOOD + "1x 1:1\n", "line 3: the label is not a number"),
        (GOOD + "1,2 1:1\n", "line 3: the label is not a number"),
        (GOOD + "% remark\n", "line 3: the label is not a number"),
        (GOOD + "0.5 1:1\n", "line 3: the label is not an integer"),
        (GOOD + "nan 1:1\n", "line 3: the label is not an integer"),
        (GOOD + "inf 1:1\n", "line 3: the label is not an integer"),
        (GOOD + "1e10 1:1\n", "line 3: the label is not an integer"),
        (GOOD + "2 1:1\n", "line 3: a third label: 2, after 1 and -1"),
        (GOOD + "1 1\n", "line 3: must be LABEL INDEX:VALUE INDEX:VALUE"),
        (GOOD + "1 1:1 2\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 :1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 x:1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 1.5:1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 -1:1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 1 :1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1,1:1\n", "line 3: the label is not a number"),
        (GOOD + "1 qid:3 1:1\n", "line 3: must be LABEL INDEX:VALUE"),
        (GOOD + "1 0:1\n", "line 3: an index is 0: indices count from 1"),
        ("1 0:0.5 2:1\n-1 1:1\n", "line 1: an index is 0: indices count from 1"),
        (GOOD + "1 2147483647:1\n", "line 3: an index is more than 2147483640"),
        (GOOD + "1 4294967297:1\n", "line 3: an index is more than"),
        (GOOD + "1 99999999999999999999:1\n", "line 3: an index is more than"),
        (GOOD + "1 2:1 2:1\n", "line 3: index 2 is there twice"),
        (GOOD + "1 3:1 2:1\n", "line 3: index 2 comes after 3: indices must ascend"),
        (GOOD + "1 1:\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1: 1\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:x\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:1x\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:1:1\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:1,2:1\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:1\r-1 2:1\n", "line 3: the value of index 1 is not a number"),
        (GOOD + "1 1:nan\n", "line 3: the value of index 1 is more than 1e+30"),
        (GOOD + "1 1:-inf\n", "line 3: the value of index 1 is more than"),
        (GOOD + "1 1:1e31\n", "line 3: the value of index 1 is more than"),
        (GOOD + "1 1:1\0 2:1\n", "line 3: has a zero byte: this is no text"),
        ("# remark\n\n", "no rows"),
        ("", "no rows"),
        ("1 1:1\n1 2:1\n", "all rows have the same label"),
        ("1\n-1\n", "no features"),
        (GOOD + "1 2147483640:1\n", "cannot allocate"),
    ],
)
def test_malformed_file(text: str, message: str, tmp_path: Path, program):
    path = tmp_path / "data"
    path.write_text(text, newline="")
    program.refused(message, "--file", path)


def test_truncated_file(tmp_path: Path, program):
    """Cut anywhere, it is refused with the number of its last line, or it is whole."""
    text = GOOD + "-1 1:2.5e-1 20:7\n"
    path = tmp_path / "data"
    for length in range(len(GOOD), len(text)):
        path.write_text(text[:length])
        if length == len(GOOD):
            program.parameters("--file", path)
        else:
            program.refused("line 3: is cut off", "--file", path)


def read_as_documented(data: bytes) -> Rows | None:
    """The rows of a file, or None when it must be refused; written without the program's code."""
    if b"\0" in data or not data.endswith(b"\n"):
        return None
    rows: Rows = []
    for line in data.decode("latin-1").removesuffix("\n").split("\n"):
        text = line.removesuffix("\r").partition("#")[0].replace("\t", " ")
        label, *pairs = text.strip(" ").split(" ") if text.strip(" ") else [""]
        if not label:
            continue
        # float() would take it for a blank
        if "\r" in text:
            return None
        x: dict[int, float] = {}
        try:
            number = int(float(label))
            for index, value in (pair.split(":") for pair in pairs if pair):
                if not re.fullmatch("[0-9]+", index) or not max(x, default=0) < int(index):
                    return None
                x[int(index)] = float(value)
        except (ValueError, OverflowError):
            return None
        if number != float(label) or any(not abs(v) <= 1e30 for v in x.values()):
            return None
        rows.append((number, x))
    if len({label for label, _ in rows}) != 2 or not any(x for _, x in rows):
        return None
    return rows


def test_edited_file(tmp_path: Path, program):
    """Whatever is edited is refused with one line, or read as it is documented."""
    rng = random.Random(1)
    path, saved = tmp_path / "data", tmp_path / "saved"
    read = 0
    for _ in range(300):
        data = b"# two rows\n" + GOOD.encode() + b"\n1 2:0.25 # c\r\n-1 4:3e-1\n"
        for _ in range(rng.choice([1, 1, 2, 5])):
            at, size = rng.randrange(len(data) + 1), rng.choice([0, 1, 1, 3])
            new = bytes(rng.choices(b"0123456789 \t:,#\r\n-+.e", k=rng.randrange(4)))
            data = data[:at] + new + data[at + size :]
        rows = read_as_documented(data)
        if rows and max(max(x, default=0) for _, x in rows) > 10**6:
            continue
        path.write_bytes(data)
        done = program.run("--file", path, "--save", saved)
        if rows is None:
            assert done.returncode == 2 and done.stderr.count("\n") == 1, (data, done)
            continue
        read += 1
        # the solver need not converge on what edits make of the values
        assert done.returncode in (0, 1), (data, done)
        assert read_rows(saved) == rows, data
    assert 50 < read < 250


def test_random_bytes(tmp_path: Path, program):
    rng = random.Random(1)
    path = tmp_path / "data"
    for length in (1, 17, 100, 5000, 200000):
        path.write_bytes(rng.randbytes(length))
        program.refused("data: line ", "--file", path)
        path.write_bytes(rng.randbytes(length) + b"\n")
        program.refused("data: line ", "--file", path)


def test_files_that_are_none(tmp_path: Path, program):
    program.refused("No such file", "--file", tmp_path / "none")
    program.refused("not a regular file", "--file", tmp_path)
    os.mkfifo(tmp_path / "pipe")
    program.refused("not a regular file", "--file", tmp_path / "pipe")
    program.refused("--save: cannot write", "--rows", "128", "--save", tmp_path / "none/data")
    if Path("/dev/full").exists():
        program.refused("--save: cannot write", "--rows", "128", "--save", "/dev/full")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mem", "8M", "--rows", "1000"], "exclude each other"),
        (["--mem", "8M", "--features", "1000"], "exclude each other"),
        (["--mem", "8M", "--file", "x"], "exclude each other"),
        (["--rows", "1000", "--file", "x"], "exclude each other"),
        (["--rows", "-1"], "--rows: not a size"),
        (["--rows", "127"], "--rows: must be from"),
        (["--rows", "2G"], "--rows: must be from"),
        (["--rows", "1G"], "--rows: too many"),
        (["--rows", "1G", "--features", "1000"], "cannot allocate"),
        (["--features", "255"], "--features: must be from"),
        (["--features", "2000M"], "cannot allocate"),
        (["--epsilon", "0"], "--epsilon: must be from"),
        (["--epsilon", "nan"], "--epsilon: must be from"),
        (["--cost", "-1"], "--cost: must be from"),
        (["--cost", "x"], "--cost: not a number"),
        (["--corrupt", "x"], "--corrupt: must be"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)


def test_no_memory_within_a_limit(program):
    limit = ["prlimit", f"--as={60 << 20}", program.path("guest")]
    for args in (["--mem", "180M"], ["--rows", "100000"]):
        done = subprocess.run([*limit, *args], capture_output=True, text=True)
        assert done.returncode == 2 and "cannot allocate" in done.stderr
        assert done.stderr.count("\n") == 1


def test_reports_its_progress(program):
    done = program.run("--rows", "20000", "--epsilon", "0.001", "--report-ms", "10")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 1 and all(line["t_s"] > 0 and line["rate"] >= 0 for line in lines[:-1])
    assert any(line["rate"] > 0 for line in lines[:-1])
