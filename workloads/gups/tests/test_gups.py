# SPDX-License-Identifier: GPL-2.0-or-later
"""gups: its modes, kinds of memory and processes, and that it does all updates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.results import hit_ratio
from demeter_bench.settings import MIB
from demeter_bench.workload import Size
from demeter_bench.workloads import WORKLOADS
from demeter_testing import no_complaint, results

SMALL = ("--mem", "8M", "--updates", "200000")
# what any process may have; others need settings of the kernel, or rights
FREE = ("anon", "shmem", "memfd", "file")
KINDS = (*FREE, "cache", "hugetlb", "thp", "holes", "mthp", "mlock")


def children(pid: int) -> list[int]:
    """Return the processes that any thread of it has forked and that are still there."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


def wait_for(what, seconds: float = 60):
    """Return what() as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.fixture
def running(program, tmp_path: Path):
    """running(*args) is gups with more updates than it can do; files are in tmp_path."""
    started = []

    def start(*args: str) -> subprocess.Popen:
        command = [program.path(), "--mem", "8M", "--updates", "1G", "--folder", tmp_path, *args]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


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
        ["--mode", "writes", "--reverse", "--phase", "0.3"],
        ["--mode", "reads", "--reverse", "--phase", "0.3"],
    ],
)
def test_modes(mode: list[str], threads: str, program):
    found = program.result("--mem", "8M", "--updates", "200000", "--threads", threads, *mode)
    assert found["rate"] > 0 and found["rate_unit"] == "updates/s"
    assert found["parameters"]["mode"] == mode[1]
    assert found["parameters"]["threads"] == int(threads)


def test_writes_are_verified(program):
    """Words of the hot set, which must have been overwritten, and of the rest."""
    args = ["--mem", "8M", "--updates", "200000", "--mode", "writes", "--corrupt", "table"]
    for more in ([], ["--hot", "8M", "--hot-weight", "1", "--updates", "20000000"]):
        program.result(*args, *more, status=1)


@pytest.mark.parametrize("backing", ["anon", "shmem", "cache"])
def test_reads_are_verified(backing: str, program):
    """What was read, and what is there in the end."""
    args = [*SMALL, "--mode", "reads", "--backing", backing, "--processes", "2"]
    assert program.parameters(*args)["mode"] == "reads"
    program.result(*args, "--corrupt", "table", status=1)


@pytest.mark.parametrize(
    ("kind", "mode", "processes"),
    [
        *((kind, mode, n) for kind in FREE for mode in ("hotset", "reads") for n in ("1", "3")),
        *(("shmem", mode, "2") for mode in ("zipf", "random", "writes")),
        *(("anon,shmem", mode, "5") for mode in ("zipf", "random", "writes")),
        ("cache", "reads", "1"),
        ("file,anon,cache", "reads", "5"),
    ],
)
def test_kinds_of_memory(kind: str, mode: str, processes: str, program, tmp_path: Path):
    args = [*SMALL, "--backing", kind, "--processes", processes, "--folder", tmp_path]
    args += ["--threads", "2"]
    found = program.parameters(*args, "--mode", mode, "--ballast", f"1M:{kind.split(',')[0]}")
    assert found["backing"] == kind and found["processes"] == int(processes)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_system_does_not_give_is_refused(kind: str, program):
    """By a line that says what to do, for the table and for ballast; else it is verified."""
    for where in (["--backing", kind], ["--backing", kind, "--processes", "2"]):
        for args in (where, ["--ballast", f"2M:{kind}"]):
            done = program.run(*SMALL, *args, "--mode", "reads")
            assert done.returncode in (0, 2) and (kind not in FREE or not done.returncode)
            if done.returncode:
                assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"gups: {kind}: ")
                hints = ("/proc/sys/vm/nr_hugepages", "/sys/kernel/mm/transparent", "ulimit -l")
                assert any(hint in done.stderr for hint in hints), done.stderr


def test_ballast_is_kept(program, tmp_path: Path):
    args = [*SMALL, "--folder", tmp_path]
    for size, kind in (("3M", "cache"), ("1M", "anon"), ("4K", "memfd")):
        args += ["--ballast", f"{size}:{kind}"]
    found = program.parameters(*args)
    assert found["ballast"] == [f"{3 * MIB}:cache", f"{MIB}:anon", "4096:memfd"]
    assert found["ballast_cached"] == 3 * MIB
    program.result(*args, "--corrupt", "ballast", status=1)
    assert "ballast_cached" not in program.parameters(*SMALL)


def test_processes_do_as_much_as_one(program):
    """Each its part, and all of it counted, in the result and on the way."""
    args = ["--mem", "8M", "--updates", "60000001", "--report-ms", "20", "--threads", "1"]
    lines = [
        json.loads(line)
        for line in program.run(*args, "--processes", "3", "--backing", "shmem").stdout.splitlines()
    ]
    assert lines[-1]["verified"] and lines[-1]["parameters"]["updates"] == 60000001
    times = [0, *(line["t_s"] for line in lines[:-1])]
    rates = [line["rate"] for line in lines[:-1]]
    done = sum(r * (b - a) for r, a, b in zip(rates, times, times[1:], strict=False))
    assert 0.5 * 60000001 < done <= 1.01 * 60000001


def test_forks_share_memory_for_a_while(running):
    """One after the other, and never two."""
    process = running("--fork-every", "0.2", "--fork-life", "0.1", "--threads", "1")
    seen: set[int] = set()
    while len(seen) < 3:
        now = wait_for(lambda: children(process.pid))
        assert len(now) == 1
        seen |= set(now)
    # there are times without
    wait_for(lambda: not children(process.pid))


@pytest.mark.parametrize("backing", ["anon", "shmem"])
def test_forks_do_not_spoil_the_table(backing: str, program):
    args = ["--mem", "8M", "--updates", "20000000", "--fork-every", "0.05", "--backing", backing]
    assert program.parameters(*args)["forks"] > 1
    assert program.parameters(*args, "--processes", "2")["forks"] > 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_it_is_ended(number: int, running, tmp_path: Path):
    """No process, no child of one, no file."""
    process = running(
        "--processes", "3", "--backing", "file", "--ballast", "1M:cache", "--fork-every", "1000"
    )
    workers = wait_for(lambda: len(now := children(process.pid)) == 3 and now)
    sleepers = [wait_for(lambda pid=pid: children(pid))[0] for pid in workers]
    os.kill(process.pid, number)
    assert process.wait() == -number
    wait_for(lambda: not any(map(alive, [*workers, *sleepers])))
    assert not [*tmp_path.iterdir()]


def test_a_process_that_dies_ends_all(running):
    process = running("--processes", "3")
    workers = wait_for(lambda: len(now := children(process.pid)) == 3 and now)
    os.kill(workers[1], signal.SIGKILL)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == "gups: process 1 was ended by signal 9\n"
    wait_for(lambda: not any(map(alive, workers)))


def test_no_room_for_a_file(program, tmp_path: Path):
    program.refused("--folder: cannot have a file", *SMALL, "--ballast", "1M:cache",
                    "--folder", tmp_path / "missing")  # fmt: skip
    program.refused(
        "--folder: cannot have a file", *SMALL, "--backing", "file", "--folder", "/proc"
    )


def test_kinds_of_memory_in_a_guest(boot):
    """Those too that other systems do not give, with what the forms set up, while pages move."""
    size = Size(48 * MIB, 1, "smoke")
    setups = [WORKLOADS[f"gups-{kind}"].setup for kind in ("hugetlb", "holes", "mthp", "file")]
    run = boot(
        "".join(
            f"gups --mem 32M --updates 2M --reverse --mode {mode} --backing {kind} "
            f"--processes {processes} --ballast 8M:{kind} || exit\n"
            for kind in KINDS
            for mode in (("reads",) if kind == "cache" else ("hotset", "writes"))
            for processes in (1, 4)
        )
        + "gups --mem 48M --updates 20M --reverse --backing shmem,file,anon,mlock,mthp,holes "
        "--processes 6 --fork-every 0.5 --ballast 32M:cache --ballast 4M:holes\n",
        design="tpp",
        setup="".join(setup(size) for setup in setups if setup)
        + "echo 24 >/proc/sys/vm/nr_hugepages\n"
        + DESIGNS["tpp"].setup,
        vm_memory=384 * MIB, fast_ratio=0.25, timeout_s=600,
    )  # fmt: skip
    found = results(run)
    assert len(found) == 4 * len(KINDS) - 2 + 1 and all(one["verified"] for one in found)
    assert found[-1]["parameters"]["forks"] > 6
    assert found[-1]["parameters"]["ballast_cached"] == 32 * MIB
    no_complaint(run)


def test_the_oracle_places_what_processes_share(boot):
    run = boot(
        "gups --mem 200M --updates 4M --reverse --backing shmem --processes 4",
        design="oracle", setup=DESIGNS["oracle"].setup, fast_ratio=0.2,
    )  # fmt: skip
    assert results(run)[0]["verified"]
    assert " 0 failed" in (run.guest / "stderr").read_text()
    # with what comes before the oracle places pages
    assert hit_ratio(json.loads((run.folder / "tmem.json").read_text())) > 0.85


def test_reports_its_progress(program):
    args = ["--mem", "8M", "--updates", "60000000", "--report-ms", "20", "--threads", "1"]
    lines = [json.loads(line) for line in program.run(*args).stdout.splitlines()]
    assert len(lines) > 1 and all(line["t_s"] > 0 and line["rate"] >= 0 for line in lines[:-1])
    assert all(line["longest_s"] > 0 for line in lines[:-1] if line["rate"])


def test_fewer_threads_than_asked_for_are_refused(program):
    """Fewer threads would do fewer updates and look faster."""
    program.refused("instead of 4", "--mem", "8M", "--threads", "4", OMP_THREAD_LIMIT="1")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--updates", "0"], "--updates: must be from"),
        (["--mode", "x"], "--mode: must be hotset, zipf, random, writes or reads"),
        (["--hot", "1G", "--mem", "1M"], "--hot: must be at most"),
        (["--hot-weight", "1.5"], "--hot-weight: must be from 0 to 1"),
        (["--theta", "1"], "--theta: must be from"),
        (["--mem", "64K", "--threads", "1024"], "too small for 1024 threads"),
        (["--mem", "64K", "--threads", "4", "--processes", "256"], "too small for 1024 threads"),
        (["--backing", "disk"], "--backing: must be anon, shmem, memfd, file, cache, hugetlb, "),
        (["--backing", ""], "--backing: must be anon"),
        (["--backing", "anon,", "--processes", "2"], "--backing: must be anon"),
        (["--backing", "anon,shmem"], "--backing: 2 kinds are for as many --processes"),
        (["--backing", "x" * 99], "--backing: "),
        (["--backing", "cache"], "--backing: cache is only read: give --mode reads"),
        (["--ballast", "1M"], "--ballast: must be SIZE:KIND: 1M"),
        (["--ballast", "1M:gold"], "--ballast: must be anon, shmem"),
        (["--ballast", ":anon"], "--ballast: not a size"),
        (["--ballast", "x:anon"], "--ballast: not a size: x"),
        (["--ballast", "4095:anon"], "--ballast: must be from 4096"),
        (["--ballast", "4097:anon"], "--ballast: must be a multiple of 4096 bytes: 4097:anon"),
        (["--ballast", "60000G:cache"], "cannot allocate"),
        (["--ballast", "4K:anon"] * 17, "--ballast: at most 16 times"),
        (["--corrupt", "ballast"], "--corrupt: there is no ballast"),
        (["--processes", "0"], "--processes: must be from 1 to 256"),
        (["--processes", "257"], "--processes: must be from 1 to 256"),
        (["--fork-every", "-1"], "--fork-every: must be from 0"),
        (["--fork-every", "x"], "--fork-every: not a number: x"),
        (["--fork-life", "1"], "--fork-life: there is no --fork-every"),
        (["--fork-every", "1", "--fork-life", "2"], "--fork-life: must be at most"),
    ],
)
def test_bad_input(args: list[str], message: str, program):
    program.refused(message, *args)
