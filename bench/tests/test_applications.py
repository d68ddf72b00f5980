# SPDX-License-Identifier: GPL-2.0-or-later
"""Server applications: what is built for whom, what is booted, and their latencies."""

from __future__ import annotations

import dataclasses
import io
import subprocess
from pathlib import Path

import pytest
from demeter_bench.cli import applications, main
from demeter_bench.errors import UserError
from demeter_bench.results import latency_us, make_row
from demeter_bench.settings import Program, Settings
from demeter_bench.table import print_tables
from demeter_bench.vm import Run, write_initrd
from demeter_bench.workloads import application_image, load
from rich.console import Console

CONFIG = "".join(
    f"CONFIG_{name}=y\n"
    for name in ("QEMU_EMULATED", "PLATFORM_EMULATED", "PRESET_DRAM_PMEM", "WORKLOAD_KEYVALUE")
)
LOADED = (
    "from demeter_bench.workload import Workload\n"
    'WORKLOADS = {"a": Workload(lambda size, seed: "", about="", form_of="x"%s)}\n'
)


def test_what_is_built(settings: Settings, tmp_path: Path):
    """Each once, and none for a program that only has the name."""

    def chosen(*workloads: str, **changes: object) -> list[str]:
        s = dataclasses.replace(settings, workloads=workloads, **changes)
        return [str(p.relative_to(tmp_path)) for p in applications(s, tmp_path)]

    assert chosen("gups", "pg-select", "redis", "pg-tpcb") == [
        "image/app-postgresql.cpio",
        "image/app-redis.cpio",
    ]
    assert chosen("gups") == [] == chosen("redis", program=Program("redis"))
    assert application_image(Path("image/x.cpio"), "no workload") is None


def test_the_dry_run_says_it(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / ".config").write_text(CONFIG)
    base = ["demeter_bench", "--build", str(tmp_path), "bench", "--designs", "all-fast"]
    monkeypatch.setattr("sys.argv", [*base, "--workloads", "memcached", "--dry-run"])
    assert main() == 0
    assert capsys.readouterr().out == f"{tmp_path}/image/app-memcached.cpio\n"
    (tmp_path / "image").mkdir()
    (tmp_path / "image/initramfs.cpio").touch()
    monkeypatch.setattr("sys.argv", [*base, "--workloads", "memcached"])
    assert main() == 2
    said = capsys.readouterr().err
    assert "app-memcached.cpio is missing: run 'make" in said and said.count("\n") == 1
    monkeypatch.setattr("sys.argv", [*base, "--workloads", "pg-tpcb"])
    assert main() == 2
    assert "WORKLOADS: pg-tpcb is not selected" in capsys.readouterr().err


def test_a_folder_of_applications_has_forms_only(tmp_path: Path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/bench.py").write_text(LOADED % "")
    with pytest.raises(UserError, match='WORKLOADS has no "x"'):
        load(tmp_path)
    (tmp_path / "x/bench.py").write_text(LOADED % ', application="a"')
    assert list(load(tmp_path)) == ["a"]


def test_what_is_booted(tmp_path: Path):
    """The archives one behind the other, each where the kernel looks for it."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        packed = subprocess.run(
            ["cpio", "--create", "--format=newc", "--quiet"],
            input=name.encode(), cwd=tmp_path, capture_output=True, check=True,
        ).stdout  # fmt: skip
        # an archive may have any length
        (tmp_path / f"{name}.cpio").write_bytes(packed.rstrip(b"\0") + b"\0")
    folder = tmp_path / "vm"
    folder.mkdir()
    write_initrd(tmp_path / "one.cpio", {"run": "true\n"}, folder, tmp_path / "two.cpio")
    data = (folder / "initrd").read_bytes()
    starts = [data.index(name) for name in (b"one\0", b"two\0", b"job\0")]
    assert starts == sorted(starts)
    headers = [i for i in range(0, len(data), 4) if data[i : i + 6] == b"070701"]
    assert len(headers) == data.count(b"070701")


def test_latencies(settings: Settings):
    """In a row where there are any, and in the table if one has them."""
    assert latency_us({"parameters": {"p50_us": 3}}, "p50_us") == 3.0
    bad: dict
    for bad in ({}, {"parameters": []}, {"parameters": {"p50_us": "3"}}):
        assert latency_us(bad, "p50_us") is None
    row = make_row(settings, Run("gups", "first-touch", 1, 0, 0))
    timed = {**row, "p50_us": 12.5, "p99_us": 99.0, "verified": True, "elapsed_s": 1.0}

    def table(*rows: dict) -> str:
        out = io.StringIO()
        print_tables(settings, list(rows), Console(file=out, width=200))
        return out.getvalue()

    assert "p99" not in table(row)
    assert "p50 us" in table(timed) and "12.5" in table(timed)
