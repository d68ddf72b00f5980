# SPDX-License-Identifier: GPL-2.0-or-later
"""postgresql: with programs that only look like PostgreSQL's, with its own, and in a guest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from demeter_bench.settings import MIB
from demeter_bench.workload import Size
from demeter_bench.workloads import WORKLOADS
from demeter_testing import results

SERVER = """
[ "$FAULT" != server ] || { echo "FATAL:  no luck"; echo bye; exit 1; }
printf '1\\nready\\n' >"$2/postmaster.pid"
trap 'exit 0' INT
while :; do sleep 0.05; done
"""
# takes 100 us, 200 us, ... for the 20 transactions of a client
CLIENT = """
folder=$2
echo "pgbench: error: client 0 aborted: $FAULT"
echo "pgbench: error: the run was aborted"
case "$*" in
*-i\\ *) [ "$FAULT" != load ] || exit 1 ;;
*log-prefix*)
	for i in $(seq 20); do echo "0 $i ${i}00 0 1 1"; done >"$folder/transactions.$$"
	[ "$FAULT" != run ] || exit 2
	;;
*-t\\ 1*) [ "$FAULT" != check ] || ! grep -q '1 /' "$folder/script.sql" || exit 2 ;;
esac
"""


@pytest.fixture
def fake(open_folder: Path, own_by_server) -> tuple[str | Path, ...]:
    """Arguments that name programs that only look like PostgreSQL's."""
    bin, cluster = open_folder / "bin", open_folder / "cluster"
    bin.mkdir()
    cluster.mkdir()
    for name, text in (("postgres", SERVER), ("pgbench", CLIENT)):
        (bin / name).write_text(f"#!/bin/sh\n{text}")
        (bin / name).chmod(0o755)
    own_by_server(cluster)
    return ("--bin", bin, "--cluster", cluster, "--mem", "128M", "--transactions", "20")


@pytest.mark.parametrize(("mem", "scale"), [("128M", 1), ("300M", 2), ("1G", 9)])
def test_fake(mem: str, scale: int, fake, program):
    """Percentiles are those of pgbench's log; half of the memory are buffers."""
    found = program.parameters(*fake, "--mix", "tpcb", "--mem", mem)
    assert found["timed"] == 20 and found["transactions"] == 20
    assert found["p50_us"] == pytest.approx(1000, rel=0.02)
    assert found["p99_us"] == pytest.approx(2000, rel=0.02)
    assert found["accounts"] == scale * 100_000 and 10 <= found["fill"] <= 100
    size = int(mem[:-1]) * (MIB if mem[-1] == "M" else 1024 * MIB)
    assert size / 2 - 45 * MIB < found["data"] < found["shared_buffers"] < size / 2


@pytest.mark.parametrize("fault", ["run", "check"])
def test_failures_are_noticed(fault: str, fake, program):
    done = program.run(*fake, FAULT=fault)
    assert done.returncode == 1 and f"client 0 aborted: {fault}" in done.stderr
    assert '"verified": false' in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("server", "the server ended with status 1: FATAL:  no luck"),
        ("load", "cannot fill the tables: pgbench failed: pgbench: error: client 0 aborted"),
    ],
)
def test_what_cannot_run(fault: str, message: str, fake, program):
    program.refused(message, *fake, FAULT=fault)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--cluster: name an empty cluster"),
        (["--cluster", "/no/such"], "--cluster: /no/such: No such file"),
        (["--cluster", ".", "--bin", "/no/such"], "cannot run /no/such/postgres: No such file"),
        (["--mix", "x"], "--mix: must be select or tpcb: x"),
        (["--mem", "1M"], "--mem: must be from"),
        (["--mem", "96M", "--clients", "64"], "--mem: too small for 100000 accounts"),
        (["--mem", "900G"], "cannot allocate"),
        (["--transactions", "0"], "--transactions: must be from"),
        (["stray"], "unexpected argument: stray"),
    ],
)
def test_bad_input(args: list[str], message: str, program, tmp_path: Path):
    program.refused(message, *args, JOB_OUT=str(tmp_path))


@pytest.fixture
def real(application, open_folder: Path, own_by_server) -> tuple[str | Path, ...]:
    root = application("postgresql", "postgres", "pgbench")
    shutil.move(root / "opt/cluster", open_folder / "cluster")
    own_by_server(open_folder / "cluster")
    return ("--bin", root / "bin", "--cluster", open_folder / "cluster", "--mem", "128M")


@pytest.mark.parametrize("mix", ["select", "tpcb"])
def test_real_server(mix: str, real, program, open_folder: Path):
    """The tables are as large as was planned."""
    found = program.parameters(*real, "--mix", mix, "--transactions", "4000")
    assert found["timed"] > 500 and 0 < found["p50_us"] <= found["p99_us"]
    files = (open_folder / "cluster/base").rglob("*")
    size = sum(f.stat().st_blocks * 512 for f in files if f.is_file())
    assert found["data"] < size < found["data"] + 20 * MIB


@pytest.mark.parametrize("what", ["account", "balance", "history"])
def test_verification_can_fail(what: str, real, program):
    args = (*real, "--mix", "tpcb", "--transactions", "400", "--corrupt", what)
    done = program.run(*args)
    assert done.returncode == 1 and "division by zero" in done.stderr
    assert '"verified": false' in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["pg-select", "pg-tpcb"])
def test_in_a_guest(name: str, boot):
    """Only where it has been built: make check builds one application."""
    size, workload = Size(220 * MIB, 1, "smoke"), WORKLOADS[name]
    assert workload.setup
    run = boot(
        workload.command(size, 1), setup=workload.setup(size), workload=name, fast_ratio=0.5,
        timeout_s=900,
    )  # fmt: skip
    (found,) = results(run)
    assert found["verified"] and found["parameters"]["p99_us"] > 0
