# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring your own program: what is packed, what is refused, how it is run and measured."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from demeter_bench.configure import check
from demeter_bench.errors import UserError
from demeter_bench.program import check_program, job, libraries, pack, program_name
from demeter_bench.settings import MIB, Program, Settings
from demeter_bench.vm import Run, job_files, write_initrd
from demeter_testing import BUILD

ROOM = 100 * MIB
C = "int main(void) { return 0; }"


@pytest.fixture
def make(tmp_path: Path):
    """make(name, C source, *flags) -> the program."""

    def compiled(name: str, source: str = C, *flags: str | Path) -> Path:
        path = tmp_path / name
        text = tmp_path / f"{name}.c"
        text.write_text(source)
        subprocess.run(["gcc", text, "-o", path, *flags], check=True)
        return path

    return compiled


def test_name():
    assert program_name(Program("/job/sqlite3 -x")) == "sqlite3"
    assert program_name(Program("'odd name' -x")) == "odd_name"
    for bad in ("", "  ", "'open", "two\nlines"):
        with pytest.raises(UserError, match="COMMAND"):
            program_name(Program(bad))


def test_libraries_of_a_dynamic_program(make):
    needed = libraries(make("dynamic"))
    assert needed["lib/libc.so.6"].exists()
    assert [place for place in needed if place.startswith("/")] == ["/lib64/ld-linux-x86-64.so.2"]
    assert libraries(make("static", C, "-static")) == {}


def test_a_missing_library_is_named(make, tmp_path: Path):
    library = make("libgone.so", "int f(void) { return 0; }", "-shared", "-fPIC")
    program = make("user", "int f(void); int main(void) { return f(); }", library)
    library.unlink()
    with pytest.raises(UserError, match=r"user: needs the library .*libgone.so.*not found"):
        libraries(program)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"#!/usr/bin/python3\n", "a script for /usr/bin/python3"),
        (b"#!\n", "a script for nothing"),
        (b"\x7fELF\x01\x01" + bytes(14), "no program for x86-64"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\x00", "no program for x86-64"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00" + bytes(30), "ldd: |^$"),
    ],
)
def test_what_the_guest_cannot_run(tmp_path: Path, head: bytes, message: str):
    path = tmp_path / "prog"
    path.write_bytes(head)
    path.chmod(0o755)
    try:
        assert libraries(path) == {}
        assert message.endswith("^$")
    except UserError as error:
        assert message.split("|")[0] in str(error) and "\n" not in str(error)


def test_shell_scripts_and_data_are_packed_as_they_are(tmp_path: Path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").write_text("x")
    packed = pack(Program("/job/script", (str(tmp_path / "script"), str(folder))))
    assert set(packed) == {"script", "data/deep/file"}


def test_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for name in ("a/prog", "prog", "run", "large"):
        (tmp_path / name).write_bytes(b"x")
    os.truncate(tmp_path / "large", 2 * ROOM)

    def message(command: str, *files: str, roi: str = "") -> str:
        with pytest.raises(UserError) as error:
            check_program(Program(command, tuple(str(tmp_path / f) for f in files), roi), ROOM)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "/job/other is not there" in message("/job/other", "prog")
    assert "no such file" in message("/job/prog", "missing")
    assert "/job/prog is taken" in message("/job/prog", "prog", "a/prog")
    assert "/job/run is taken" in message("/job/run", "run")
    assert "give it 100 MiB more" in message("/job/large", "large")
    assert "ROI=(" in message("/job/prog", "prog", roi="(")
    check_program(Program("/job/prog; echo x", (str(tmp_path / "prog"),), "^a|b$"), ROOM)


def test_the_oracle_does_not_know_it(settings: Settings):
    s = dataclasses.replace(settings, program=Program("true"), workloads=("true",))
    assert check(s) is s
    with pytest.raises(UserError, match="oracle places the pages of the workloads"):
        check(dataclasses.replace(s, designs=("oracle",)))


def test_job(settings: Settings, make, tmp_path: Path):
    program = Program("/job/dynamic 'a b'", (str(make("dynamic")),), "^x")
    s = dataclasses.replace(settings, program=program, workloads=("dynamic",))
    files = job_files(s, Run("dynamic", "tpp", 1, 0, 0))
    line = shlex.quote("/job/dynamic 'a b'")
    assert files["run"] == f"cd /job\nexec measure --roi '^x' dynamic {line}\n"
    assert "LD_LIBRARY_PATH=/job/lib\n" in files["env"] and "JOB_DESIGN=tpp\n" in files["env"]
    image = tmp_path / "image"
    image.write_bytes(b"")
    folder = tmp_path / "vm"
    folder.mkdir()
    write_initrd(image, files, folder)
    listed = subprocess.run(
        ["cpio", "-t", "--quiet"], stdin=(folder / "initrd").open("rb"), capture_output=True,
        text=True, check=True,
    ).stdout.split()  # fmt: skip
    # every folder before what is in it
    assert {"job/dynamic", "job/lib/libc.so.6", "lib64/ld-linux-x86-64.so.2"} < set(listed)
    assert all(str(Path(p).parent) in (".", *listed[: listed.index(p)]) for p in listed)
    # the archive of the benchmark keeps what was written, not what was copied
    assert sorted(p.name for p in (folder / "job").iterdir()) == ["env", "run", "setup"]


def test_a_program_in_a_guest(boot, make):
    """Dynamic, with its library; what it printed, its status and the counters are kept."""
    program = make("dynamic", '#include <stdio.h>\n#include <math.h>\n'
                   'int main(int c, char **v) { printf("%f %s\\n", sqrt(c), v[1]); return c - 2; }',
                   "-lm")  # fmt: skip
    for arguments, status in (("x", 0), ("x y", 1)):
        wanted = job(Program(f"/job/dynamic {arguments}", (str(program),)), "dynamic")
        run = boot(None, job=wanted)
        out = (run.guest / "stdout").read_text().splitlines()
        assert out[0].endswith(" x") and json.loads(out[-1])["parameters"] == {"status": status}
        assert run.state == ("failed" if status else "done"), run.error
        assert (run.guest / "vmstat.after").exists()


@pytest.mark.boots
@pytest.mark.needs("image/initramfs.cpio", "linux/guest/.built", "CONFIG_DESIGN_DEMETER")
def test_as_a_library_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from demeter_bench import cli
    from demeter_bench.program import run_program

    monkeypatch.setattr(cli, "BENCH", tmp_path)
    rows = run_program(
        "/job/sh -c 'echo here; exit 0'",
        build=BUILD,
        files=[shutil.which("sh")],
        designs=["first-touch", "demeter"],
    )
    assert {r["design"]: r["verified"] for r in rows} == {"first-touch": True, "demeter": True}
    assert json.loads((tmp_path / "out/config.json").read_text())["settings"]["program"]["files"]
