# SPDX-License-Identifier: GPL-2.0-or-later
"""keyvalue: what servers do right and wrong, native and in a guest."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from demeter_bench.settings import MIB
from demeter_bench.workload import Size
from demeter_bench.workloads import WORKLOADS
from demeter_testing import results

SERVERS = {"redis": "redis-server", "memcached": "memcached"}
FAKE = Path(__file__).with_name("fake_server.py")
# for a server in Python: 8 MiB of values
SMALL = ("--mem", "24M", "--value", "800", "--operations", "4000", "--sets", "0.3")


@pytest.fixture
def fake(open_folder: Path):
    """fake(fault) is the program of a server with that fault."""

    def make(fault: str) -> Path:
        copy = open_folder / FAKE.name
        copy.write_bytes(FAKE.read_bytes())
        program = open_folder / "server"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/python3 {copy} "{fault}" "$@"\n')
        program.chmod(0o755)
        return program

    return make


@pytest.mark.parametrize("build", ["asan", "tsan"])
@pytest.mark.parametrize("server", SERVERS)
def test_fake(server: str, build: str, fake, program):
    args = ("--server", server, "--program", fake("nothing"), *SMALL, "--clients", "3")
    found = program.parameters(*args, build=build)
    assert found["server"] == server and found["clients"] == 3 and found["wrong"] == 0
    assert found["gets"] + found["sets"] == 4000
    assert 0.2 * 4000 < found["sets"] < 0.4 * 4000
    assert 0 < found["p50_us"] <= found["p99_us"]


@pytest.mark.parametrize("fault", ["forgets", "spoils", "is lazy", "refuses"])
@pytest.mark.parametrize("server", SERVERS)
def test_wrong_answers_are_noticed(server: str, fault: str, fake, program):
    args = ("--server", server, "--program", fake(fault), *SMALL)
    assert program.parameters(*args, status=1)["wrong"] > 0


@pytest.mark.parametrize("what", ["value", "update"])
def test_verification_can_fail(what: str, fake, program):
    program.result("--program", fake("nothing"), *SMALL, "--corrupt", what, status=1)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("fails", "the server ended with status 1: FATAL: no luck"),
        ("dies", "the server ended with status 3: out of luck"),
        ("runs on", "a value that does not end where it should"),
    ],
)
def test_a_server_that_fails(fault: str, message: str, fake, program):
    program.refused(message, "--program", fake(fault), *SMALL, "--operations", "90000")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--program", "/no/such"], "cannot run /no/such: No such file"),
        (["--server", "x"], "--server: must be redis or memcached: x"),
        (["--value", "9"], "--value: must be from"),
        (["--value", "1001"], "--value: must be a multiple of 8"),
        (["--clients", "0"], "--clients: must be from"),
        (["--sets", "2"], "--sets: must be from"),
        (["--mem", "1M"], "--mem: must be from"),
        (["--mem", "900G"], "cannot allocate"),
        (["stray"], "unexpected argument: stray"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)


def test_nothing_is_left(fake, open_folder: Path, program):
    """Neither the server nor its folder, when it fails; not the server, when it is killed."""
    before = set(Path("/tmp").glob("keyvalue-*"))
    program.run("--program", fake("runs on"), *SMALL)
    assert set(Path("/tmp").glob("keyvalue-*")) == before
    command = [program.path(), "--program", fake("nothing"), "--operations", "10000000"]
    running = subprocess.Popen(command, env={"TMPDIR": str(open_folder)})
    pattern = f"{open_folder}/keyvalue-"
    deadline = time.monotonic() + 30
    while subprocess.run(["pgrep", "-f", pattern], capture_output=True).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    while not subprocess.run(["pgrep", "-f", pattern], capture_output=True).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("server", SERVERS)
def test_real_server(server: str, application, program):
    """With as much memory as it was told."""
    own = application(server, SERVERS[server]) / "bin" / SERVERS[server]
    args = ("--server", server, "--program", own, "--mem", "64M", "--operations", "20000")
    found = program.parameters(*args)
    assert found["wrong"] == 0 and found["gets"] > 18000


def boot_workload(boot, name: str) -> dict:
    """Run it in a guest, in its smallest size; its result."""
    workload = WORKLOADS[name]
    command = workload.command(Size(128 * MIB, 1, "smoke"), 1)
    (found,) = results(boot(command, workload=name, fast_ratio=0.5, timeout_s=900))
    assert found["verified"] and found["rate"] > 0 and found["sys_s"] > 0
    return found["parameters"]


@pytest.mark.needs("image/app-redis.cpio")
def test_redis_in_a_guest(boot):
    assert boot_workload(boot, "redis")["server"] == "redis"


def test_memcached_in_a_guest(boot):
    """Only where it has been built: make check builds one application."""
    assert boot_workload(boot, "memcached")["server"] == "memcached"
