# SPDX-License-Identifier: GPL-2.0-or-later
"""What every workload has to pass, natively and small; what a folder must hold."""

from __future__ import annotations

import json
from pathlib import Path

import kconfiglib
import pytest
from demeter_bench.workload import Size, check_result
from demeter_bench.workloads import ALL, WORKLOADS, symbol

TOP = Path(__file__).resolve().parents[3]
MIB = 1 << 20
# what a workload says of memory that this system does not give, and a guest is told to give
SETTINGS = ("nr_hugepages", "transparent_hugepage", "ulimit -l")
UNITS = sorted(p.name.removesuffix("_test.c") for p in TOP.glob("workloads/*/tests/*_test.c"))
APPLICATIONS = [name for name in WORKLOADS if WORKLOADS[name].application]
THREADED = [name for name in ALL if WORKLOADS[name].threads]
CORRUPTED = [(name, args) for name in ALL for args in WORKLOADS[name].corrupted]
# bad input that all programs refuse alike
BAD = [
    (["--mem", "1K"], "--mem: must be from"),
    (["--mem", "-5"], "--mem: not a size"),
    (["--mem", "99999999999999999999"], "--mem: not a size"),
    (["--mem", "32T"], "--mem: not a size"),
    (["--mem", "60000G"], "cannot allocate"),
    (["--seed", "x"], "--seed: not a size"),
    (["--report-ms", "-1"], "--report-ms: not a size"),
    (["--corrupt", "nonsense"], "--corrupt: "),
    (["stray"], "unexpected argument: stray"),
]


@pytest.mark.parametrize("name", sorted({w.form_of or name for name, w in WORKLOADS.items()}))
def test_folder_is_complete(name: str):
    folder = TOP / "workloads" / name
    expected = ("Kconfig", "README.md", f"{name}.c", "bench.py", f"tests/test_{name}.py")
    assert [file for file in expected if not (folder / file).is_file()] == []
    # whatever is not tested for a failure may never fail; applications have tests of their own
    workload = WORKLOADS.get(name)
    assert not workload or (workload.small and workload.corrupted)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_is_asked_for_by_name(name: str):
    """What it is made from is there, and the oracle cannot know its pages."""
    assert name not in ALL and not WORKLOADS[name].placeable
    assert (TOP / "image/app" / WORKLOADS[name].application).is_file()


@pytest.mark.parametrize("name", WORKLOADS)
def test_about_is_one_line(name: str):
    about = WORKLOADS[name].about
    assert about and about == about.strip() and "\n" not in about and len(about) < 60


def test_every_workload_can_be_selected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(TOP)
    known = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False).syms
    assert {s for s in known if s.startswith("WORKLOAD_")} == {symbol(name) for name in WORKLOADS}


@pytest.mark.parametrize("name", sorted(set(WORKLOADS) - set(APPLICATIONS)))
def test_smoke_size(name: str, program_of):
    """As it is built for guests, and with all lines as they must be."""
    program, *args = WORKLOADS[name].command(Size(160 * MIB, 2, "smoke"), 7).split()
    done = program_of(program).run(*args, build="guest")
    if done.returncode == 2 and any(setting in done.stderr for setting in SETTINGS):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    *progress, found = [json.loads(line) for line in done.stdout.splitlines()]
    assert check_result(found) == []
    assert found["verified"] and found["rate"] > 0
    assert found["workload"] == (WORKLOADS[name].form_of or name) == program
    times = [line["t_s"] for line in progress]
    assert times == sorted(times)
    assert all(set(line) - {"longest_s"} == {"t_s", "rate", "rate_unit"} for line in progress)
    assert all(line.get("longest_s", 0) >= 0 for line in progress)


@pytest.mark.parametrize("scale", ["smoke", "emulated", "paper"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_size_has_a_command(name: str, scale: str):
    command = WORKLOADS[name].command(Size(160 * MIB, 3, scale), 5).split()
    assert command[0] == (WORKLOADS[name].form_of or name)
    assert command[command.index("--seed") + 1] == "5" and "--report-ms" in command
    if WORKLOADS[name].threads:
        assert command[command.index("--threads") + 1] == "3"


@pytest.mark.parametrize("name", [name for name in WORKLOADS if WORKLOADS[name].least > MIB])
def test_least_footprint_is_the_programs(name: str, program_of):
    """The program takes what it gets of the smallest footprint, and no less than that."""
    workload = WORKLOADS[name]
    command = workload.command(Size(workload.least, 1, "smoke"), 1).split()
    mem = int(command[command.index("--mem") + 1])
    program = program_of(workload.form_of or name)
    program.refused("--seed: not a size", "--mem", str(mem), "--seed", "x")
    if workload.form_of != "gups":
        program.refused("--mem: must be from", "--mem", str(mem - 1))


@pytest.mark.parametrize("threads", ["1", "2", "4"])
@pytest.mark.parametrize("name", THREADED)
def test_small(name: str, threads: str, program_of):
    args = [*WORKLOADS[name].small.split(), "--threads", threads]
    assert program_of(name).parameters(*args)["threads"] == int(threads)


@pytest.mark.parametrize("name", sorted(set(ALL) - set(THREADED)))
def test_small_by_one_thread(name: str, program_of):
    assert "threads" not in program_of(name).parameters(*WORKLOADS[name].small.split())
    done = program_of(name).run("--threads", "1")
    assert done.returncode == 2 and "unrecognized option" in done.stderr


@pytest.mark.parametrize("name", THREADED)
def test_no_data_race(name: str, program_of):
    program = program_of(name)
    if not program.has("tsan"):
        pytest.skip("OpenMP, which ThreadSanitizer does not understand")
    program.result(*WORKLOADS[name].small.split(), "--threads", "4", build="tsan")


@pytest.mark.parametrize(("name", "args"), CORRUPTED)
def test_verification_can_fail(name: str, args: str, program_of):
    program_of(name).result(*args.split(), status=1)


@pytest.mark.parametrize("name", ALL)
def test_help(name: str, program_of):
    done = program_of(name).run("--help")
    assert done.returncode == 0 and done.stderr == ""
    for option in ("--mem", "--seed", "--report-ms", "--corrupt"):
        assert f"{option}=" in done.stdout
    assert ("--threads=" in done.stdout) == WORKLOADS[name].threads


@pytest.mark.parametrize(("args", "message"), BAD)
@pytest.mark.parametrize("name", ALL)
def test_bad_input(name: str, args: list[str], message: str, program_of):
    program_of(name).refused(message, *args)


@pytest.mark.parametrize("threads", ["0", "1025", "x"])
@pytest.mark.parametrize("name", THREADED)
def test_bad_threads(name: str, threads: str, program_of):
    program_of(name).refused("--threads: ", "--threads", threads)


@pytest.mark.parametrize("name", ALL)
def test_unknown_option(name: str, program_of):
    done = program_of(name).run("--nonsense")
    assert done.returncode == 2 and not done.stdout
    assert "unrecognized option" in done.stderr.splitlines()[0]


@pytest.mark.parametrize("name", UNITS)
def test_units(name: str, program_of):
    done = program_of(name).run(build="unit")
    assert done.returncode == 0, done.stdout + done.stderr


GOOD = {
    "workload": "gups", "parameters": {"threads": 1}, "init_s": 0.5, "seconds": 1.5,
    "rate": 10, "rate_unit": "updates/s", "sys_s": 0, "verified": True,
}  # fmt: skip


def test_good_result():
    assert check_result(GOOD) == []
    assert check_result({**GOOD, "rate": 0, "verified": False, "more": None}) == []


@pytest.mark.parametrize("bad", [None, [], "result", 1])
def test_result_that_is_no_object(bad: object):
    assert check_result(bad) == ["no JSON object"]


@pytest.mark.parametrize("name", GOOD)
def test_result_without_a_member(name: str):
    assert check_result({k: v for k, v in GOOD.items() if k != name}) == [f"no {name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workload", ""), ("workload", 1), ("rate_unit", None), ("parameters", []),
        ("init_s", -1), ("init_s", True), ("init_s", "1"), ("seconds", 0), ("seconds", None),
        ("seconds", float("nan")), ("rate", float("inf")), ("rate", 10**30), ("sys_s", []),
        ("verified", 1), ("verified", "true"),
    ],
)  # fmt: skip
def test_result_with_a_bad_member(name: str, value: object):
    (problem,) = check_result({**GOOD, name: value})
    assert problem.startswith(f"{name} is no ")
