# SPDX-License-Identifier: GPL-2.0-or-later
"""Going on with a benchmark that was interrupted: what is kept, run again, and refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from demeter_bench.archive import Archive
from demeter_bench.errors import UserError
from demeter_bench.matrix import SERVER, make_runs, names, restore
from demeter_bench.platforms.nested import Nested
from demeter_bench.platforms.platform import Platform
from demeter_bench.settings import Settings
from demeter_bench.vm import Run, save_run

VERSIONS = {"demeter": "1234", "linux_guest": "6.12"}


def platform(vms_together: bool) -> Platform:
    return cast(Platform, SimpleNamespace(vms_together=vms_together))


@pytest.fixture
def s(settings: Settings) -> Settings:
    return dataclasses.replace(settings, vms=(2,), designs=("all-fast", "tpp"), repeat=2)


@pytest.fixture
def archive(s: Settings, tmp_path: Path) -> Archive:
    """Nobody holds it: the process that wrote it was killed."""
    archive = Archive.create(tmp_path, s, VERSIONS)
    archive.close()
    return archive


def ended(archive: Archive, run: Run, **outcome: Any) -> None:
    run.folder = archive.vm_folder(*names(run))
    vars(run).update({"state": "done", **outcome})
    save_run(run)


def begun(archive: Archive, run: Run) -> Path:
    folder = archive.vm_folder(*names(run))
    (folder / "console.log").write_text("booting\n")
    return folder


def test_what_ended_is_kept(s: Settings, archive: Archive):
    first = make_runs(s)
    assert len(first) == 8
    ended(archive, first[0], wall_s=12.3456, provision_s=0.5, resizes=[{"wall_s": 1}])
    ended(archive, first[3], state="failed", error="panic")
    left = begun(archive, first[4])
    runs = make_runs(s)
    assert restore(platform(vms_together=False), archive, runs) == 2
    assert [run.state for run in runs] == ["done", *["waiting"] * 2, "failed", *["waiting"] * 4]
    kept = runs[0]
    assert kept.folder == first[0].folder and kept.wall_s == 12.346
    assert kept.provision_s == 0.5 and kept.resizes == [{"wall_s": 1}]
    assert runs[3].error == "panic"
    assert not left.exists()
    # so that it can be made again
    archive.vm_folder(*names(runs[4]))


def test_vms_that_share_a_machine_are_measured_together(s: Settings, archive: Archive):
    first = make_runs(s)
    for run in first[:3]:
        ended(archive, run)
    begun(archive, first[3])
    runs = make_runs(s)
    assert restore(platform(vms_together=True), archive, runs) == 2
    assert [run.finished for run in runs] == [True] * 2 + [False] * 6
    assert runs[2].folder is None
    assert [archive.path(*names(run)).exists() for run in runs] == [True] * 2 + [False] * 6


def test_a_server_belongs_to_its_vms(s: Settings, archive: Archive, tmp_path: Path):
    first = make_runs(s)
    servers = [archive.vm_folder(*names(first[n], SERVER)) for n in (0, 2)]
    for run in first[:3]:
        ended(archive, run)
    runs = make_runs(s)
    assert restore(Nested(tmp_path), archive, runs) == 2
    assert [run.server for run in runs] == [servers[0]] * 2 + [None] * 6
    assert [server.exists() for server in servers] == [True, False]


@pytest.mark.parametrize(
    "found",
    [
        "",
        "[]",
        "{",
        '{"state": "done"}',
        {"design": "nomad"},
        {"state": "running"},
    ],
)
def test_a_file_of_another_run_is_none(s: Settings, archive: Archive, found: str | dict):
    run = make_runs(s)[0]
    ended(archive, run)
    path = archive.path(*names(run)) / "run.json"
    if isinstance(found, dict):
        found = json.dumps({**json.loads(path.read_text()), **found})
    path.write_text(found)
    assert restore(platform(vms_together=False), archive, make_runs(s)) == 0


def test_an_archive_is_resumed(archive: Archive, tmp_path: Path):
    archive.status("incomplete", "interrupted")
    (tmp_path / "out").unlink()
    # what was built since was not used
    again = Archive.resume(archive.folder / "config.json", tmp_path, {**VERSIONS, "more": "1"})
    assert again.folder == archive.folder
    assert json.loads((again.folder / "status.json").read_text())["state"] == "running"
    assert (tmp_path / "out").resolve() == again.folder


def refused(folder: Path, tmp_path: Path, versions: dict[str, str] = VERSIONS) -> str:
    with pytest.raises(UserError) as error:
        Archive.resume(folder, tmp_path, versions)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_archives_that_are_refused(s: Settings, archive: Archive, tmp_path: Path):
    status = archive.folder / "status.json"
    before = status.read_bytes()
    assert "linux_guest was 6.12, and is 6.13" in refused(
        archive.folder, tmp_path, {**VERSIONS, "linux_guest": "6.13"}
    )
    assert "linux_guest was 6.12, and is None" in refused(
        archive.folder, tmp_path, {"demeter": "1234"}
    )
    assert "No such file" in refused(tmp_path / "none", tmp_path)
    assert status.read_bytes() == before
    going_on = Archive.resume(archive.folder, tmp_path, VERSIONS)
    assert "another process" in refused(archive.folder, tmp_path)
    going_on.status("complete")
    going_on.close()
    assert "is complete; FROM= repeats it" in refused(archive.folder, tmp_path)
    status.write_text("[]")
    assert "not the folder of a benchmark" in refused(archive.folder, tmp_path)
