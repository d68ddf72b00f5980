# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring your own program: what is packed, what is refused, how it is run and measured."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from demeter_bench.cli import parser
from demeter_bench.configure import check, from_json, words
from demeter_bench.errors import UserError
from demeter_bench.packing import unchanged
from demeter_bench.program import (
    check_program,
    first_word,
    job,
    program_name,
    run_program,
    with_files,
)
from demeter_bench.settings import MIB, Packed, Program, Settings
from demeter_bench.vm import Run, job_files, write_initrd
from demeter_testing import BUILD, text

ROOM = 100 * MIB


def test_name():
    assert program_name(Program("/job/sqlite3 -x")) == "sqlite3"
    assert program_name(Program("'odd name' -x")) == "odd_name"
    for bad in ("", "  ", "'open", "two\nlines"):
        with pytest.raises(UserError, match="COMMAND"):
            program_name(Program(bad))


def test_first_word():
    for command, first in (
        ("/job/a#b -x", "/job/a#b"),
        ("A='x y' B=2 /job/prog C=3", "/job/prog"),
        ("/job/prog; echo x", "/job/prog"),
    ):
        assert first_word(Program(command)) == first


def test_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for name in ("a/prog", "prog", "run", "large", "sort", "data"):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(0o644 if name == "data" else 0o755)
    os.truncate(tmp_path / "large", ROOM - 2 * MIB)

    def checked(command: str, *files: str, roi: str = "") -> Program:
        program = Program(command, tuple(str(tmp_path / f) for f in files), roi)
        made = with_files(program)
        check_program(made, ROOM)
        return made

    def message(command: str, *files: str, roi: str = "") -> str:
        with pytest.raises(UserError) as error:
            checked(command, *files, roi=roi)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "/job/other is not there" in message("/job/other", "prog")
    assert "./other is not there" in message("./other", "prog")
    assert "no such file" in message("/job/prog", "missing")
    assert "/job/prog is taken" in message("/job/prog", "prog", "a/prog")
    assert "/job/run is taken" in message("/job/run", "run")
    # twice in memory while it is unpacked
    assert "98 MiB with libraries" in message("/job/large", "large")
    assert "give it 96 MiB more" in message("/job/large", "large")
    assert "ROI=(" in message("/job/prog", "prog", roi="(")
    # the guest's own would be run
    assert "write /job/sort" in message("sort data", "sort", "data")
    assert "write /job/sort" in message("LC_ALL=C sort data", "sort", "data")
    assert "chmod +x" in message("/job/data", "data")
    checked("sort /job/data", "data")
    checked("./prog", "prog")
    checked("/job/prog; echo x", "prog", roi="^a|b$")


def test_small_files_take_whole_pages(tmp_path: Path):
    (tmp_path / "d").mkdir()
    for i in range(100):
        (tmp_path / f"d/{i}").write_bytes(b"x")
    program = with_files(Program("true", (str(tmp_path / "d"),)))
    check_program(program, 2 * 100 * 4096)
    with pytest.raises(UserError, match="give it 1 MiB more"):
        check_program(program, 2 * 100 * 4096 - 1)


def test_files_are_what_they_were(settings: Settings, tmp_path: Path, monkeypatch):
    """The settings have place, path and hash of each; no run starts with others."""
    (tmp_path / "data").write_text("x")
    monkeypatch.chdir(tmp_path)
    program = with_files(Program("cat data", ("data",)))
    assert program.files == (str(tmp_path / "data"),)
    assert program.packed == (
        Packed("data", str(tmp_path / "data"), hashlib.sha256(b"x").hexdigest()),
    )
    s = dataclasses.replace(settings, program=program, workloads=("cat",))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": s.to_json()}))
    monkeypatch.chdir("/")
    assert from_json("FROM", path, {"QEMU_EMULATED": "y"}).program == program
    (tmp_path / "data").write_text("y")
    for again in (
        lambda: from_json("FROM", path, {}),
        lambda: job_files(s, Run("cat", "tpp", 1, 0, 0)),
    ):
        with pytest.raises(UserError, match=f"{tmp_path}/data: is not what it was"):
            again()
    (tmp_path / "data").unlink()
    with pytest.raises(UserError, match="data: as it was packed: No such file"):
        from_json("FROM", path, {})


def test_a_config_does_not_write_elsewhere(settings: Settings, tmp_path: Path):
    """Not even one that was edited."""
    (tmp_path / "data").write_text("x")
    program = with_files(Program("true", (str(tmp_path / "data"),)))
    for place in ("../x", "a/../../x", "run", "/bin/sh", "/init", "", "/"):
        evil = dataclasses.replace(program.packed[0], place=place)
        with pytest.raises(UserError, match="the guest"):
            unchanged(dataclasses.replace(program, packed=(evil,)))


def test_the_oracle_does_not_know_it(settings: Settings):
    s = dataclasses.replace(settings, program=Program("true"), workloads=("true",))
    assert check(s) is s
    with pytest.raises(UserError, match="oracle places the pages of the workloads"):
        check(dataclasses.replace(s, designs=("oracle",)))


def test_job(settings: Settings, compiled, tmp_path: Path):
    odd = tmp_path / "odd\nname"
    odd.write_text("x")
    (tmp_path / "empty").mkdir()
    files = (str(compiled("dynamic")), str(odd), str(tmp_path / "empty"))
    program = with_files(Program("/job/dynamic 'a b'", files, "^x"))
    s = dataclasses.replace(settings, program=program, workloads=("dynamic",))
    job = job_files(s, Run("dynamic", "tpp", 1, 0, 0))
    line = shlex.quote("/job/dynamic 'a b'")
    # absolute: /job is searched by the program alone
    assert job["run"].endswith(f"exec /usr/bin/measure --roi '^x' dynamic {line}\n")
    assert "LD_LIBRARY_PATH=/job/lib:/job\n" in job["run"]
    assert "PATH" not in job["env"] and "JOB_DESIGN=tpp\n" in job["env"]
    image = tmp_path / "image"
    image.write_bytes(b"")
    folder, out = tmp_path / "vm", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    write_initrd(image, job, folder)
    listed = subprocess.run(
        ["cpio", "-t", "--quiet"], stdin=(folder / "initrd").open("rb"), capture_output=True,
        text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    # every folder before what is in it
    assert {"job/dynamic", "job/lib/libc.so.6", "lib64/ld-linux-x86-64.so.2"} < set(listed)
    subprocess.run(
        ["cpio", "-i", "--quiet", "--no-absolute-filenames", "-D", out],
        stdin=(folder / "initrd").open("rb"), check=True,
    )  # fmt: skip
    assert (out / "job/odd\nname").exists() and (out / "job/empty").is_dir()
    # by which the guest knows that all was unpacked
    assert listed[-1] == "job/run"
    assert all(str(Path(p).parent) in (".", *listed[: listed.index(p)]) for p in listed)
    # the archive of the benchmark keeps what was written, not what was copied
    kept = sorted(p.name for p in (folder / "job").iterdir())
    assert kept == ["counters", "env", "run", "setup"]


def test_a_program_in_a_guest(boot, compiled):
    """Dynamic, with its library; what it printed, its status and the counters are kept."""
    program = compiled("dynamic", '#include <stdio.h>\n#include <math.h>\n'
                   'int main(int c, char **v) { printf("%f %s\\n", sqrt(c), v[1]); return c - 2; }',
                   "-lm")  # fmt: skip
    for arguments, status in (("x", 0), ("x y", 1)):
        mine = Program(f"/job/dynamic {arguments}", (str(program),))
        wanted = job(with_files(mine), "dynamic")
        run = boot(None, job=wanted)
        out = (run.guest / "stdout").read_text().splitlines()
        assert out[0].endswith(" x") and json.loads(out[-1])["parameters"] == {"status": status}
        assert run.state == ("failed" if status else "done"), run.error
        assert (run.guest / "vmstat.after").exists()


def test_a_phase_in_a_guest(boot):
    """Taken through a terminal; what the program leaves running does not delay the end."""
    line = "sleep 600 & echo begin; sleep 0.1; echo end; cat; echo last >&2"
    mine = Program(line, roi="^(begin|end)$")
    run = boot(None, job=job(with_files(mine), "phase"))
    found = json.loads(text(run).splitlines()[-1])
    assert 0.05 <= found["seconds"] < 10 and found["parameters"] == {"status": 0}
    assert (run.guest / "stderr").read_text() == "last\n"


def test_the_call_says_what_it_refuses(tmp_path: Path):
    (tmp_path / ".config").write_text("CONFIG_QEMU_EMULATED=y\nCONFIG_PRESET_DRAM_PMEM=y\n")
    (tmp_path / "a b").write_text("x")
    with pytest.raises(UserError, match="no option speed; there are: .*vm_memory"):
        run_program("true", build=tmp_path, speed=3)
    # a name is one, whatever is in it
    with pytest.raises(UserError, match="FILES: .*/a c: no such file"):
        run_program("true", build=tmp_path, files=[tmp_path / "a c"])
    with pytest.raises(UserError, match="REPEAT=0"):
        run_program("true", build=tmp_path, files=[tmp_path / "a b"], repeat="0")


def test_arguments():
    args = parser().parse_args(["--build", "b", "bench"])
    assert args.build == Path.cwd() / "b"
    assert words("FILES", "'a b' c") == ("a b", "c") and words("FILES", None) == ()
    with pytest.raises(UserError, match="FILES='a: No closing quotation"):
        words("FILES", "'a")


@pytest.mark.boots
@pytest.mark.needs("image/initramfs.cpio", "linux/guest/.built", "CONFIG_DESIGN_DEMETER")
def test_as_a_library_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from demeter_bench import cli

    monkeypatch.setattr(cli, "BENCH", tmp_path)
    rows = run_program(
        "/job/sh -c 'echo here; exit 0'",
        # also from where the caller is
        build=Path(os.path.relpath(BUILD)),
        files=[shutil.which("sh")],
        designs=["first-touch", "demeter"],
    )
    assert {r["design"]: r["verified"] for r in rows} == {"first-touch": True, "demeter": True}
    assert json.loads((tmp_path / "out/config.json").read_text())["settings"]["program"]["files"]
