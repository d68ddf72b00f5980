# SPDX-License-Identifier: GPL-2.0-or-later
"""The selftest medley finds pages that hold something else; test_stress.py has it in guests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from demeter_testing import BUILD

MEDLEY = BUILD / "tests/medley-asan"
KINDS = [
    "anonymous", "huge", "forked", "shared", "tmpfs", "memfd", "disk", "copied", "cached", "locked",
    "hugetlb", "merged",
]  # fmt: skip

pytestmark = pytest.mark.needs("tests/medley-asan")


def medley(folder: Path, *args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [MEDLEY, "--mem", "4", "--disk", folder, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def first_child(run: subprocess.Popen) -> int:
    until(lambda: children(run.pid))
    return children(run.pid)[0]


def test_every_kind_is_what_it_was(tmp_path: Path) -> None:
    """Without Demeter. What this machine does not have is skipped, with the reason."""
    run = medley(tmp_path, "--kind", "all", "--seconds", "5")
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (0, "")
    ended = dict(re.findall(r"^(?:ok|skip) (\w+) (.+)$", out, re.M))
    assert sorted(ended) == sorted(KINDS), out
    for kind in ("anonymous", "huge", "forked", "shared", "memfd", "locked"):
        assert re.fullmatch(r"rounds=[1-9]\d* checks=[1-9]\d*", ended[kind]), out


@pytest.mark.parametrize("kind", ["memfd", "tmpfs"])
def test_a_page_that_others_wrote_is_found(tmp_path: Path, kind: str) -> None:
    run = medley(tmp_path, "--kind", kind, "--seconds", "60")
    first = first_child(run)

    def file() -> str | None:
        for fd in Path(f"/proc/{first}/fd").iterdir():
            if "medley" in os.readlink(fd) and fd.name not in "012":
                return str(fd)
        return None

    until(file)
    with open(file() or "", "r+b", buffering=0) as spoilt:
        # most of it is written anew before it is read
        while run.poll() is None and children(run.pid):
            os.pwrite(spoilt.fileno(), b"spoilt!!" * 512, 100 * 4096)
            time.sleep(0.01)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1 and "ok" not in out
    line = rf"wrong {kind} page 100: expected .+, found .+ in word \d+ \(process \d+\)"
    assert re.fullmatch(line, err.strip())


def test_what_is_stuck_is_told_of(tmp_path: Path) -> None:
    run = medley(tmp_path, "--kind", "anonymous", "--seconds", "1", "--grace", "1")
    first = first_child(run)
    os.kill(first, signal.SIGSTOP)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1 and "ok" not in out
    assert "medley: anonymous had to end, and has done nothing for 1 s, rounds=" in err
    assert re.search(rf"^stuck anonymous process {first} medley\S* state T$", err, re.M), err
    assert not Path(f"/proc/{first}").exists()


def processor_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def deed(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def is_slow(pid: int) -> bool:
    """
    Lets a process that has begun to do things run for a moment only until its end and grace are
    over; whether it lives.
    """
    try:
        until(lambda: deed(pid) != MEDLEY.name)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(3.5)
        before = processor_ns(pid)
        os.kill(pid, signal.SIGCONT)
        while processor_ns(pid) < before + 50_000_000:
            time.sleep(0.001)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(3.5)
        os.kill(pid, signal.SIGCONT)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def test_what_is_slow_is_waited_for(tmp_path: Path) -> None:
    """It may end at the moment at which it runs, before end and grace are over (7 s)."""
    for _ in range(8):
        run = medley(
            tmp_path, "--kind", "anonymous", "--seconds", "1", "--grace", "6", "--mem", "512"
        )
        slow = is_slow(first_child(run))
        out, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, "") and out.startswith("ok anonymous ")
        if slow:
            return
    pytest.fail("it has ended each time before it could be slow")


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    run = medley(tmp_path, "--kind", "forked", "--seconds", "600")
    until(lambda: children(run.pid) and children(children(run.pid)[0]))
    first = children(run.pid)[0]
    run.terminate()
    out, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (0, "") and out.startswith("ok forked ")
    assert not Path(f"/proc/{first}").exists()


def test_children_end_with_it(tmp_path: Path) -> None:
    run = medley(tmp_path, "--kind", "shared", "--seconds", "600")
    until(lambda: children(run.pid) and children(children(run.pid)[0]))
    first = children(run.pid)[0]
    second = children(first)[0]
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not Path(f"/proc/{first}").exists() and not Path(f"/proc/{second}").exists())


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((), "usage: medley --kind"),
        (("--kind", "nothing"), "medley: there is no kind nothing"),
        (("--kind", "huge", "more"), "usage: medley --kind"),
        (("--kind", "huge", "--seconds", "0"), "must be a number from 1 to 86400: 0"),
        (("--kind", "huge", "--seconds", "1s"), "must be a number from 1 to 86400: 1s"),
        (("--kind", "huge", "--mem", "-8"), "must be a number from 4 to 1024: -8"),
        (("--kind", "huge", "--seed", ""), "must be a number from 0 to"),
        (("--kind", "disk", "--disk", "/nowhere"), "medley: /nowhere: No such file or directory"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, args: tuple[str, ...], error: str) -> None:
    run = medley(tmp_path, *args)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 2 and error in err and not out


def test_what_the_machine_lacks_is_skipped(tmp_path: Path) -> None:
    run = medley(tmp_path, "--kind", "disk", "--disk", "/dev/shm")
    out, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (4, "")
    assert out == "skip disk /dev/shm is not on a disk\n"
