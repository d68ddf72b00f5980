# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs a user's program in the guest, tried natively: image/measure.c and image/run-job."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from demeter_bench.stream import JobStream
from demeter_testing import BUILD, TOP

FILES = ("image/measure.c", "image/session.c", "workloads/common/roi.c")
SOURCES = [f"-I{TOP}/workloads/common", *(TOP / name for name in FILES)]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
SPIN = "dd if=/dev/urandom of=/dev/null bs=1M count={} 2>/dev/null"


@pytest.fixture(scope="session")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("measure") / "measure"
    flags = ["-g", "-O1", *WARNINGS, "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, *SOURCES, "-o", program], check=True)
    return program


def run(measure: Path, command: str, roi: str = "") -> subprocess.CompletedProcess:
    # delivers nothing and has no end, like the guest's console
    ends = os.pipe()
    try:
        return subprocess.run(
            [measure, *(["--roi", roi] if roi else []), "prog", command],
            stdin=ends[0], capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        for end in ends:
            os.close(end)


def measured(measure: Path, command: str, roi: str = "") -> tuple[int, list[str], dict]:
    """Status, the program's own lines, the result."""
    done = run(measure, command, roi)
    *lines, last = done.stdout.splitlines()
    return done.returncode, lines, json.loads(last)


def test_times_the_whole_program(measure: Path):
    status, lines, found = measured(measure, "echo out; sleep 0.2; echo err >&2")
    assert (status, lines) == (0, ["out"]) and found["verified"] is True
    assert 0.2 <= found["seconds"] < 5
    assert found["rate"] == pytest.approx(1 / found["seconds"], rel=1e-3)


def test_takes_the_phase_from_the_output(measure: Path):
    script = "echo no; sleep 1; echo begin; sleep 2; echo end; sleep 1; echo begin"
    started = time.monotonic()
    status, lines, found = measured(measure, script, "^(begin|end)")
    whole = time.monotonic() - started
    assert status == 0 and lines == ["no", "begin", "end", "begin"]
    # a line may be seen late, where much else runs
    assert found["init_s"] >= 1 and found["seconds"] > 0.5
    assert found["init_s"] + found["seconds"] <= whole - 0.5


def test_takes_system_time_of_the_phase(measure: Path):
    """That of the whole program, or of the phase alone, also when the program runs others."""
    spin = SPIN.format(100)
    _, _, whole = measured(measure, spin)
    assert whole["sys_s"] >= 0.02
    _, _, before = measured(
        measure, f"{SPIN.format(400)}; echo b; sleep 0.2; echo e; {spin}", "^[be]$"
    )
    assert before["sys_s"] <= 0.03
    _, _, within = measured(measure, f"echo b; ({spin}); echo e", "^[be]$")
    assert within["sys_s"] >= 0.02
    # still running at the end of the phase
    _, _, running = measured(
        measure, f"echo b; {SPIN.format(4000)} & sleep 1; echo e; kill $!", "^[be]$"
    )
    assert running["sys_s"] >= 0.02


def test_ends_with_the_program(measure: Path):
    status, _, found = measured(measure, "echo begin; sleep 0.2", "begin")
    assert status == 0 and 0.1 <= found["seconds"] < 5


@pytest.mark.parametrize("roi", ["", "^y"])
@pytest.mark.parametrize("left", ["sleep 30", "yes", "yes >&2"])
def test_is_not_kept_by_what_the_program_leaves(measure: Path, left: str, roi: str):
    """Left running with its output open, silent or in full flood."""
    command = f"{left} & echo $! >&2; echo y; sleep 0.3"
    started = time.monotonic()
    done = run(measure, command, roi)
    if left == "sleep 30":
        os.kill(int(done.stderr), signal.SIGKILL)
    assert done.returncode == 0 and time.monotonic() - started < 20
    assert json.loads(done.stdout.splitlines()[-1])["verified"]


def test_a_program_that_closes_its_output_is_waited_for(measure: Path):
    status, lines, found = measured(measure, "echo a; exec >&- 2>&-; sleep 0.5; exit 4")
    assert (status, lines) == (4, ["a"]) and found["seconds"] >= 0.5


def test_a_program_has_nothing_to_read(measure: Path):
    assert measured(measure, "cat; cat | cat; echo done")[1] == ["done"]


def test_a_program_inherits_no_files(measure: Path):
    _, lines, _ = measured(measure, "ls /proc/self/fd | wc -l")
    # the three, and that of ls
    assert lines == ["4"]
    _, lines, _ = measured(measure, "ls /proc/self/fd | wc -l; echo x", "x")
    assert lines == ["4", "x"]


@pytest.mark.parametrize(
    ("command", "roi", "status"),
    [("exit 3", "", 3), ("kill -9 $$", "", 137), ("echo x", "^y", 125), ("no-such-thing", "", 127)],
)
def test_passes_on_failure(measure: Path, command: str, roi: str, status: int):
    found_status, _, found = measured(measure, command, roi)
    assert found_status == status and found["verified"] is False
    assert found["parameters"]["status"] == status


def test_bounds_what_it_passes_on(measure: Path):
    """Long lines are folded, zeros are no end, a flood is cut."""
    _, lines, _ = measured(measure, "head -c 10000 /dev/zero | tr '\\0' x; echo")
    assert [len(line) for line in lines] == [4096, 4096, 1808]
    _, lines, _ = measured(measure, "printf 'a\\0b\\nlast'")
    assert lines == ["a\0b", "last"]
    _, lines, found = measured(measure, "yes 0123456789 | head -n 3000000")
    assert "the rest is dropped" in lines[-1] and sum(map(len, lines)) < 17 << 20
    assert found["verified"]


def test_bounds_errors_too(measure: Path):
    done = run(measure, "echo first >&2; yes 0123456789 | head -n 3000000 >&2")
    assert done.stderr.startswith("first\n") and len(done.stderr) < 17 << 20
    assert "the rest is dropped" in done.stderr[-100:]


@pytest.fixture
def guest(tmp_path: Path):
    """guest(files of /job) -> what run-job sent, in a root of its own below tmp_path."""
    root = tmp_path / "root"
    for folder in ("bin", "dev", "job", "tmp", "usr/bin", "proc", "sys"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUILD / "image/busybox", root / "bin/busybox")
    listed = subprocess.run([BUILD / "image/busybox", "--list"], capture_output=True, text=True)
    for applet in set(listed.stdout.split()) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")
    shutil.copy(TOP / "image/run-job", root / "usr/bin/run-job")
    subprocess.run(["gcc", "-static", *SOURCES, "-o", root / "usr/bin/measure"], check=True)
    for program in ("gups", "silo", "memlat"):
        (root / "usr/bin" / program).write_text(f"#!/bin/sh\necho {program}\n")
        (root / "usr/bin" / program).chmod(0o755)
    (root / "dev/null").touch()
    out = tmp_path / "out"
    out.mkdir()

    def booted(files: dict[str, str | bytes]) -> JobStream:
        for name, content in files.items():
            path = root / "job" / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(0o755)
        subprocess.run(
            ["unshare", "--map-root-user", "--mount", f"--root={root}", "/bin/busybox", "sh",
             "/usr/bin/run-job"],
            env={"PATH": "/bin:/usr/bin"}, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        stream = JobStream(out)
        stream.feed((root / "dev/hvc0").read_bytes())
        return stream

    return booted


needs_busybox = pytest.mark.needs("image/busybox")


@needs_busybox
def test_run_job_sends_results_of_a_program(guest, tmp_path: Path):
    stream = guest(
        {"env": "A='x y'\n", "setup": "", "run": "exec /usr/bin/measure prog 'echo $A; exit 3'\n"}
    )
    assert stream.status == 3 and stream.lines[1] == "x y"
    assert json.loads(stream.lines[2])["parameters"] == {"status": 3}
    assert (tmp_path / "out/stderr").read_text() == ""


@needs_busybox
def test_run_job_refuses_a_job_that_was_not_unpacked_whole(guest, tmp_path: Path):
    for files in ({"large": "x"}, {"env": "", "setup": "", "run": ""}):
        assert guest(files).status == 125
        assert "do not fit into the guest's memory" in (tmp_path / "out/stderr").read_text()


@needs_busybox
def test_run_job_keeps_its_results_to_itself(guest):
    """The stream is not open in what the job runs, which could write records of its own."""
    stream = guest(
        {
            "env": "",
            "setup": "echo x >&3 || true\n",
            "run": "echo 'E 0' >&3\n echo still here; exit 4\n",
        }
    )
    assert stream.status == 4 and stream.lines[1:] == ["still here"]


@needs_busybox
def test_run_job_keeps_the_programs_that_scripts_name(guest, tmp_path: Path):
    job = {
        "env": "",
        "setup": "",
        "run": "cd /job; ./script; sh more.sh\n",
        "script": "#!/bin/sh\ngups\n",
        "more.sh": "silo\n",
        "data": b"memlat\0",
    }
    stream = guest(job)
    assert stream.status == 0 and stream.lines[1:] == ["gups", "silo"]
    left = {path.name for path in (tmp_path / "root/usr/bin").iterdir()}
    assert left == {"run-job", "gups", "silo"}
