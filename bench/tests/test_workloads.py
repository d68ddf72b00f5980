# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads, natively and small, built with sanitizers by `make check`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from demeter_bench.workload import Size
from demeter_bench.workloads import WORKLOADS

BUILD = Path(os.environ.get("BUILD", "."))
pytestmark = pytest.mark.skipif("BUILD" not in os.environ, reason="run by make check")


def run(
    name: str, *args: str, folder: str = "tests/asan", **env: str
) -> subprocess.CompletedProcess:
    program = BUILD / folder / name
    if folder == "workloads" and not program.exists():
        pytest.skip(f"{name} is not selected")
    return subprocess.run(
        [program, *args], capture_output=True, text=True, timeout=120, env={**os.environ, **env}
    )


def result(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


MIB = 1 << 20

# what the sanitizers can do in seconds
SMALL = {
    "btree": "--mem 24M --lookups 100000 --inserts 20000",
    "bwaves": "--grid 24x18x21 --steps 4",
    "graph500": "--scale 12 --roots 6",
    "liblinear": "--rows 2000 --features 4000",
    "pagerank": "--scale 12 --symmetrize",
    "silo": "--ycsb A --records 5000 --operations 40000",
    "xsbench": "--size small --gridpoints 300 --particles 2000",
}
# how each can be made to fail its own verification
CORRUPTED = [
    ("btree", "--mem 24M --lookups 100000 --corrupt index"),
    ("btree", "--mem 24M --lookups 100000 --corrupt row"),
    *(("bwaves", f"--grid 16 --steps 3 --corrupt {w}") for w in ("mass", "pressure", "residual")),
    ("xsbench", "--size small --gridpoints 300 --particles 2000 --corrupt 1000"),
    *(
        ("liblinear", f"--rows 2000 --features 4000 --corrupt {what}")
        for what in ("objective", "gradient", "accuracy")
    ),
    *(
        ("silo", f"--records 5000 --operations 20000 --corrupt {what}")
        for what in ("torn", "update", "missing")
    ),
    *(
        ("silo", f"--tpcc 1 --operations 3000 --corrupt {what}")
        for what in ("1", "2", "3", "4", "history")
    ),
    *(("graph500", f"--scale 10 --roots 3 --corrupt {rule}") for rule in range(1, 6)),
    *(("graph500", f"--scale 10 --roots 3 --sssp --corrupt {rule}") for rule in range(1, 6)),
]


@pytest.mark.parametrize("name", sorted(set(WORKLOADS) - {"memlat"}))
def test_smoke_size(name: str):
    """As it is built for guests."""
    program, *args = WORKLOADS[name].command(Size(160 * MIB, 2, "smoke"), 7).split()
    found = result(run(program, *args, folder="workloads"))
    assert found["workload"] == (WORKLOADS[name].form_of or name) and found["verified"]
    assert found["seconds"] > 0 and found["rate"] > 0


@pytest.mark.parametrize("threads", ["1", "2", "4"])
@pytest.mark.parametrize("name", sorted(set(SMALL) - {"liblinear"}))
def test_small(name: str, threads: str):
    found = result(run(name, *SMALL[name].split(), "--threads", threads))
    assert found["verified"] and found["parameters"]["threads"] == int(threads)


def test_small_by_one_thread():
    assert result(run("liblinear", *SMALL["liblinear"].split()))["verified"]


@pytest.mark.parametrize("name", sorted(set(SMALL) - {"liblinear"}))
def test_no_data_race(name: str):
    if not (BUILD / "tests/tsan" / name).exists():
        pytest.skip("OpenMP, which ThreadSanitizer does not understand")
    result(run(name, *SMALL[name].split(), "--threads", "4", folder="tests/tsan"))


@pytest.mark.parametrize(("name", "args"), CORRUPTED)
def test_verification_can_fail(name: str, args: str):
    done = run(name, *args.split())
    assert done.returncode == 1, done.stderr
    assert not json.loads(done.stdout.splitlines()[-1])["verified"]


@pytest.mark.parametrize("flow", ["sod", "wave", "viscous"])
def test_bwaves_against_known_flows(flow: str):
    assert result(run("bwaves", "--test", flow, folder="workloads"))["verified"]


def test_bwaves_is_the_same_for_any_threads():
    args = SMALL["bwaves"].split()
    sums = {result(run("bwaves", *args, "--threads", n))["parameters"]["checksum"] for n in "124"}
    assert len(sums) == 1


def test_bwaves_notices_a_lower_order():
    done = run("bwaves", "--test", "wave", "--theta", "1", folder="workloads")
    assert done.returncode == 1


@pytest.mark.parametrize("mix", "BCDEF")
def test_silo_mixes(mix: str):
    args = ["--ycsb", mix, "--records", "5000", "--operations", "20000", "--threads", "4"]
    found = result(run("silo", *args))["parameters"]
    assert found["committed"] == 20000
    assert found["p50_us"] <= found["p90_us"] <= found["p95_us"] <= found["p99_us"]


@pytest.mark.parametrize("folder", ["tests/asan", "tests/tsan"])
def test_silo_tpcc(folder: str):
    """Four threads on one warehouse get in each other's way."""
    args = ["--tpcc", "1", "--operations", "8000", "--threads", "4"]
    found = result(run("silo", *args, folder=folder))["parameters"]
    kinds = ("new_order", "payment", "order_status", "delivery", "stock_level")
    assert all(found[kind] > 0 for kind in kinds)
    assert sum(found[kind] for kind in kinds) == found["committed"] == 8000


@pytest.mark.parametrize("rule", range(1, 6))
@pytest.mark.parametrize("kernel", [[], ["--sssp"]])
def test_graph500_names_the_rule(kernel: list[str], rule: int):
    done = run("graph500", "--scale", "10", "--roots", "3", "--corrupt", str(rule), *kernel)
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"breaks rule {rule}")


@pytest.mark.parametrize("kernel", [[], ["--sssp"]])
def test_graph500_is_the_same_for_any_threads(kernel: list[str]):
    args = ["--scale", "12", "--roots", "6", *kernel]
    digests = {
        result(run("graph500", *args, "--threads", n))["parameters"]["digest"] for n in "124"
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", sorted(p.name for p in (BUILD / "tests/unit").glob("*")))
def test_units(name: str):
    done = run(name, folder="tests/unit")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("threads", ["1", "2", "3"])
@pytest.mark.parametrize(
    "mode",
    [
        ["--mode", "hotset"],
        ["--mode", "hotset", "--reverse", "--hot", "1M", "--hot-weight", "1"],
        ["--mode", "hotset", "--phase", "0.5"],
        ["--mode", "zipf", "--theta", "0.9"],
        ["--mode", "zipf", "--theta", "0"],
        ["--mode", "random"],
    ],
)
def test_gups(mode: list[str], threads: str):
    found = result(run("gups", "--mem", "8M", "--updates", "200000", "--threads", threads, *mode))
    assert found["verified"] and found["rate"] > 0 and found["rate_unit"] == "updates/s"
    assert found["parameters"]["threads"] == int(threads)


def test_gups_reports_its_progress():
    args = ["--mem", "8M", "--updates", "60000000", "--report-ms", "20", "--threads", "1"]
    done = run("gups", *args)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 1 and all(line["t_s"] > 0 and line["rate"] >= 0 for line in lines[:-1])


def test_gups_refuses_fewer_threads_than_asked_for():
    """Fewer threads would do fewer updates and look faster."""
    done = run("gups", "--mem", "8M", "--threads", "4", OMP_THREAD_LIMIT="1")
    assert done.returncode == 2 and "instead of 4" in done.stderr


def test_memlat():
    found = result(run("memlat", "--mem", "4M", "--loads", "100000"))
    assert found["verified"] and found["parameters"]["latency_ns"] > 0
    assert found["parameters"]["read_mbps"] > 0 and found["parameters"]["write_mbps"] > 0


def test_placement_by_a_list(tmp_path: Path):
    """Pages that do not exist are no error; without a list there is nothing to do."""
    small = ["gups", "--mem", "1M", "--updates", "1000"]
    paths = {name: tmp_path / name for name in ("list", "empty", "odd", "missing")}
    paths["list"].write_bytes(b"".join(page.to_bytes(8, "little") for page in (4096, 1 << 46)))
    paths["empty"].write_bytes(b"")
    paths["odd"].write_bytes(b"123")
    nodes = {"PLACEMENT_NODES": "0 1"}
    done = run(*small, PLACEMENT=str(paths["empty"]), **nodes)
    assert result(done)["verified"] and done.stderr == ""
    for name, message in (("odd", "no list of addresses"), ("missing", "No such file")):
        done = run(*small, PLACEMENT=str(paths[name]), **nodes)
        assert done.returncode == 2 and message in done.stderr
    done = run(*small, PLACEMENT=str(paths["list"]), PLACEMENT_NODES="0")
    assert done.returncode == 2 and "PLACEMENT_NODES" in done.stderr
    # before Linux 6.7, or without NUMA, nothing can be placed
    done = run(*small, PLACEMENT=str(paths["list"]), **nodes)
    if done.returncode:
        assert done.returncode == 2 and done.stderr.startswith("gups: placement: ")
    else:
        assert done.stderr.startswith("placement: 0 pages") and "room for 2" in done.stderr


def test_layout_is_left_in_job_out(tmp_path: Path):
    result(run("gups", "--mem", "1M", "--updates", "1000", JOB_OUT=str(tmp_path)))
    maps = tmp_path / "numa_maps"
    # a host kernel without NUMA has no such file to copy
    assert maps.exists() == Path("/proc/self/numa_maps").exists()


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("btree", ["--mem", "1K"], "--mem: must be from"),
        ("btree", ["--mem", "-5"], "--mem: not a size"),
        ("btree", ["--keys", "1000T"], "--keys: not a size"),
        ("btree", ["--keys", "4000M"], "cannot allocate"),
        ("btree", ["--node", "100"], "--node: must be"),
        ("btree", ["--nonsense"], "unrecognized option"),
        ("bwaves", ["--mem", "1K"], "--mem: must be from"),
        ("bwaves", ["--mem", "60000G"], "more than there is"),
        ("bwaves", ["--grid", "5"], "NX a multiple of 4"),
        ("bwaves", ["--grid", "8x8"], "must be NX or NXxNYxNZ"),
        ("bwaves", ["--cfl", "nan"], "--cfl: must be from"),
        ("bwaves", ["--test", "foo"], "--test: must be sod, wave or viscous"),
        ("bwaves", ["--mem", "16M", "--grid", "8"], "exclude one another"),
        ("graph500", ["--mem", "1K"], "--mem: must be from"),
        ("graph500", ["--mem", "60000G"], "this machine has"),
        ("graph500", ["--mem", "100M", "--edge-factor", "8"], "give only one"),
        ("graph500", ["--scale", "33"], "--scale: must be from 4 to 32"),
        ("graph500", ["--scale", "4", "--edge-factor", "1"], "--roots: only"),
        ("graph500", ["--corrupt", "6"], "--corrupt: must be from 1 to 5"),
        ("gups", ["--mem", "1K"], "--mem: must be from"),
        ("gups", ["--mem", "-5"], "--mem: not a size"),
        ("gups", ["--mem", "99999999999999999999"], "--mem: not a size"),
        ("gups", ["--mem", "32T"], "--mem: not a size"),
        ("gups", ["--mem", "60000G"], "cannot allocate"),
        ("gups", ["--updates", "0"], "--updates: must be from"),
        ("gups", ["--mode", "x"], "--mode: must be hotset, zipf or random"),
        ("gups", ["--hot", "1G", "--mem", "1M"], "--hot: must be at most"),
        ("gups", ["--hot-weight", "1.5"], "--hot-weight: must be from 0 to 1"),
        ("gups", ["--theta", "1"], "--theta: must be from"),
        ("gups", ["--threads", "0"], "--threads: must be from"),
        ("gups", ["--nonsense"], "unrecognized option"),
        ("gups", ["stray"], "unexpected argument: stray"),
        ("liblinear", ["--mem", "1K"], "--mem: must be"),
        ("liblinear", ["--rows", "-1"], "--rows: not a size"),
        ("liblinear", ["--nonsense"], "unrecognized option"),
        ("pagerank", ["--mem", "1K"], "--mem: must be"),
        ("pagerank", ["--iterations", "-1"], "--iterations: not a size"),
        ("silo", ["--mem", "1K"], "--mem: must be from"),
        ("silo", ["--mem", "60000G"], "cannot allocate"),
        ("silo", ["--mem", "8M", "--ycsb", "D"], "--mem: too small"),
        ("silo", ["--ycsb", "G"], "--ycsb: must be A to F"),
        ("silo", ["--ycsb", "A", "--tpcc", "1"], "options of YCSB"),
        ("silo", ["--tpcc", "-1"], "--tpcc: not a size"),
        ("silo", ["--tpcc", "60000"], "cannot allocate"),
        ("silo", ["--corrupt", "4"], "--corrupt: must be"),
        ("xsbench", ["--mem", "1K"], "--mem: must be"),
        ("xsbench", ["--gridpoints", "-1"], "--gridpoints: not a size"),
        ("xsbench", ["--size", "huge"], "--size: must be"),
        ("memlat", ["--mem", "1K"], "--mem: must be from"),
        ("memlat", ["--node", "64"], "--node: must be from"),
        ("memlat", ["--node", "63"], "--node: cannot bind to node 63"),
        ("memlat", ["--loads", "x"], "--loads: not a size"),
    ],
)
def test_bad_input(name: str, args: list[str], message: str):
    done = run(name, *args)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[0]
