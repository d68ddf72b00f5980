# SPDX-License-Identifier: GPL-2.0-or-later
"""The build's scripts on bad input: one clear line, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def script(tmp_path: Path, *args: object, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(a) for a in args], cwd=TOP, capture_output=True, text=True, timeout=60,
        env={**os.environ, "BUILD": str(tmp_path), "V": "", **env},
    )  # fmt: skip


def tarball(tmp_path: Path, files: dict[str, str]) -> Path:
    tree = tmp_path / "tree"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    path = tmp_path / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree, arcname="source")
    return path


@pytest.mark.parametrize(
    ("unpack", "version", "files", "found"),
    [
        ("linux/unpack", "6.12", {"Makefile": "VERSION = 6\nPATCHLEVEL = 1\n"}, "found 6.1 in"),
        ("linux/unpack", "6.12", {"README": "no kernel\n"}, "expected Linux 6.12"),
        ("qemu/unpack", "10.0", {"VERSION": "9.2.0\n"}, "found 9.2.0 in"),
        ("qemu/unpack", "10.0", {"README": "no QEMU\n"}, "found no QEMU in"),
    ],
)
def test_wrong_version(tmp_path: Path, unpack: str, version: str, files: dict, found: str):
    out = tmp_path / "out"
    done = script(tmp_path, unpack, out, version, tarball(tmp_path, files))
    assert done.returncode == 1
    assert found in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(out.iterdir()) == []


def test_a_failed_unpack_keeps_the_tree_that_was_there(tmp_path: Path):
    out = tmp_path / "out"
    (out / "src").mkdir(parents=True)
    (out / "src/kept").write_text("")
    done = script(tmp_path, "linux/unpack", out, "6.12", tmp_path / "missing")
    assert done.returncode == 1 and "no such file or directory" in done.stderr
    assert [p.name for p in out.iterdir()] == ["src"] and (out / "src/kept").exists()


PATCH = """--- a/file
+++ b/file
@@ -1,3 +1,3 @@
 one
-two
+2
 three
"""


def test_a_patch_that_does_not_apply_is_named(tmp_path: Path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("one\nother\nthree\n")
    patch = tmp_path / "0001-two.patch"
    patch.write_text(PATCH)
    done = script(tmp_path, "scripts/apply-patches", tmp_path / "tree", patch)
    assert done.returncode == 1
    assert f"patch does not apply: {patch}" in done.stderr
    assert "Hunk #1 FAILED" in done.stderr


def test_a_patch_applies_with_an_offset(tmp_path: Path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("zero\n" * 9 + "one\ntwo\nthree\n")
    (tmp_path / "0001-two.patch").write_text(PATCH)
    done = script(tmp_path, "scripts/apply-patches", tmp_path / "tree", tmp_path / "0001-two.patch")
    assert done.returncode == 0 and "\n2\n" in (tmp_path / "tree/file").read_text()


def test_no_disk_space(tmp_path: Path):
    marker = tmp_path / "ran"
    done = script(tmp_path, "scripts/stage", "--need-mb", 10**12, "x", "--", "touch", marker)
    assert done.returncode == 1 and "x: no disk space: needs" in done.stderr
    assert not marker.exists()


def test_a_failing_stage_shows_its_log(tmp_path: Path):
    done = script(tmp_path, "scripts/stage", "x", "--", "sh", "-c", "echo why; exit 3")
    assert done.returncode == 3
    assert "why" in done.stderr and f"{tmp_path}/log/x.log" in done.stderr


def test_an_interrupted_stage_leaves_nothing_running(tmp_path: Path):
    pid = tmp_path / "pid"
    stage = subprocess.Popen(
        ["scripts/stage", "x", "--", "sh", "-c", f"sleep 100 & echo $! >{pid}; wait"],
        cwd=TOP, env={**os.environ, "BUILD": str(tmp_path), "V": ""}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    while not (pid.exists() and pid.read_text().strip()):
        time.sleep(0.05)
    stage.send_signal(signal.SIGTERM)
    stage.communicate(timeout=20)
    assert stage.returncode == 130
    for _ in range(40):
        state = Path(f"/proc/{pid.read_text().strip()}/stat")
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the stage's process is still there")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give it up")
def test_missing_packages_without_root(tmp_path: Path):
    """As a user who cannot read the checkout: the script and the list come by pipes."""
    read, write = os.pipe()
    os.write(write, (TOP / "scripts/deps").read_bytes())
    os.close(write)
    command = f"exec bash <(cat <&{read}) <(echo no-such-package-at-all)"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "bash", "-c", command],
        pass_fds=(read,), cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BUILD": str(tmp_path)},
    )  # fmt: skip
    os.close(read)
    assert done.returncode == 1, done.stderr
    assert "root is needed to install: no-such-package-at-all" in done.stderr


@pytest.mark.parametrize("build", [str(TOP), str(TOP.parent), "/"])
def test_the_sources_are_no_build_folder(build: str):
    done = subprocess.run(
        ["make", "-n", "distclean", f"BUILD={build}"], cwd=TOP, capture_output=True, text=True
    )
    assert done.returncode != 0 and "holds the sources" in done.stderr


def test_only_a_build_folder_is_deleted(tmp_path: Path):
    (tmp_path / "precious").write_text("")
    for target in ("clean", "distclean"):
        done = subprocess.run(
            ["make", target, f"BUILD={tmp_path}"], cwd=TOP, capture_output=True, text=True
        )
        assert done.returncode != 0 and "is no build folder" in done.stderr
    assert (tmp_path / "precious").exists()
