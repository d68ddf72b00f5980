# SPDX-License-Identifier: GPL-2.0-or-later
"""The build's scripts on bad input: one clear line, and nothing half-written."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import tarfile
import time
from importlib import metadata
from pathlib import Path

import pytest
from demeter_bench.archive import source_version
from demeter_testing import TOP


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


SCRIPTS = sorted(p for p in (TOP / "scripts").iterdir() if p.is_file() and os.access(p, os.X_OK))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_how_it_is_used(tmp_path: Path, path: Path):
    done = script(tmp_path, path)
    assert done.returncode == 2 and done.stderr.startswith(f"usage: {path.name} "), done.stderr


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


def make(top: Path, *args: str) -> subprocess.CompletedProcess:
    """make as a user calls it, whatever make has started the tests."""
    ours = ("BUILD", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    env = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run(
        ["make", *args], cwd=top, env=env, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def checkout(tmp_path: Path):
    """checkout(name) -> a folder of that name with all that is in this one."""

    def link(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for entry in TOP.iterdir():
            if entry.name not in ("build", ".git"):
                (folder / entry.name).symlink_to(entry)
        return folder

    return link


def prepared(build: Path) -> Path:
    """A build folder in which nothing has to be downloaded."""
    build.mkdir()
    (build / ".deps").touch()
    (build / "venv").symlink_to(sys.prefix)
    return build


# what can be a part of a path; all else is refused
FIT = "!+-.@^_~é"
UNFIT = sorted(set(string.punctuation + string.whitespace) - set(FIT + "/\r\v\f"))


def test_odd_paths_work(checkout, tmp_path: Path):
    top, build = checkout(f"a{FIT}b"), prepared(tmp_path / f"c{FIT}d")
    tool = build / "tools/demeterctl"
    done = make(top, f"BUILD={build}", "defconfig", str(tool))
    assert done.returncode == 0, done.stderr
    assert (build / ".config").exists() and os.access(tool, os.X_OK)
    assert make(top, f"BUILD={build}", "clean").returncode == 0 and not tool.exists()


@pytest.mark.parametrize("character", UNFIT)
def test_a_checkout_that_make_cannot_take_is_refused(checkout, character: str):
    top = checkout(f"a{character}b")
    done = make(top)
    assert done.returncode == 2 and "the path of the checkout has a" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (top / "build").exists()


@pytest.mark.parametrize("character", UNFIT)
def test_a_build_folder_that_make_cannot_take_is_refused(tmp_path: Path, character: str):
    done = make(TOP, f"BUILD={tmp_path}/a{character}b")
    assert done.returncode == 2 and "BUILD: make cannot build there" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_relative_build_folder(checkout):
    top = checkout("top")
    prepared(top / "out")
    assert make(top, "BUILD=out", "defconfig").returncode == 0
    assert (top / "out/.config").exists() and not (top / "build").exists()


def test_a_design_that_nobody_can_select_is_refused(checkout):
    top = checkout("top")
    (top / "designs").unlink()
    shutil.copytree(TOP / "designs", top / "designs")
    assert make(top, "-n", "help").returncode == 0
    (top / "designs/oracle/linux.config").touch()
    done = make(top, "help")
    assert done.returncode == 2 and "designs/oracle/Kconfig is missing" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("build", ["/proc/x", "/etc/passwd", "/etc/passwd/x"])
def test_a_build_folder_that_cannot_be_written(build: str):
    done = make(TOP, f"BUILD={build}")
    assert done.returncode == 2 and f"BUILD={build} cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("goals", [["NONSENSE"], ["help", "linux-nonsense"], ["checks", "T=x"]])
def test_unknown_targets_are_refused_before_anything_is_made(tmp_path: Path, goals: list[str]):
    done = make(TOP, f"BUILD={tmp_path}/build", *goals)
    assert done.returncode == 2 and "no such target" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_python(tmp_path: Path):
    """Hides the system's python3 in a mount namespace."""
    hide = 'mount --bind /dev/null /usr/bin/python3 && exec scripts/venv "$0" x y'
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", hide, str(tmp_path / "venv")],
        cwd=TOP, capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "python-environment: no python3 on this system\n"
    assert list(tmp_path.iterdir()) == []


def test_version_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert source_version(tmp_path) == "unknown"
    git = ["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    version = source_version(tmp_path)
    assert len(version) == 12
    # as whoever does not own it
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    plain = subprocess.run([*git, "describe", "--always"], capture_output=True, text=True)
    assert "dubious ownership" in plain.stderr
    assert source_version(tmp_path) == version
    monkeypatch.setenv("PATH", "/nonexistent")
    assert source_version(tmp_path) == "unknown"


def check(build: Path, *args: str) -> subprocess.CompletedProcess:
    env = {**os.environ, "BUILD": str(build)}
    return subprocess.run(
        ["scripts/check", *args], cwd=TOP, env=env, capture_output=True, text=True, timeout=120
    )


def test_a_run_closes_with_what_came_of_it(tmp_path: Path):
    build = prepared(tmp_path / "build")
    done = check(build, "run", "bench/tests/test_stream.py::test_printable")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nothing-has-this-name", "T=nothing-has-this-name"),
        ("qemu/plugins/tmem/tests", "tests/tmem-model is not built"),
    ],
    # names would be matched by the pattern
    ids=["unmatched", "skipped"],
)
def test_a_run_of_nothing_fails(tmp_path: Path, pattern: str, reason: str):
    done = check(prepared(tmp_path / "build"), "run", pattern)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "no test was run" in done.stderr and reason in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed"


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("bench/tests/test_stream.py", ""),
        ("bench/tests/test_pebs.py::test_counters_are_exact", "needs-boots"),
        ("designs/demeter/tests/test_stress.py", "{build}/linux/debug/.built needs-boots"),
    ],
    ids=["nothing", "boots", "stress"],
)
def test_only_what_tests_need_is_built(tmp_path: Path, pattern: str, needs: str):
    build = prepared(tmp_path / "build")
    done = check(build, "needs", pattern)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == needs.format(build=build)


def test_lint_makes_the_sources_whose_checkers_it_runs(tmp_path: Path):
    """A checkout that has built nothing yet has neither Linux nor QEMU."""
    checkers = re.findall(r"\$build/(\w+)/src$", (TOP / "scripts/lint").read_text(), re.MULTILINE)
    assert checkers
    build = prepared(tmp_path / "build")
    done = make(TOP, "-n", "needs-lint", f"BUILD={build}")
    assert done.returncode == 0, done.stderr
    made = re.findall(r"unpack (\S+)", done.stdout)
    assert set(made) >= {str(build / name) for name in checkers}


def test_a_pattern_that_nothing_matches(tmp_path: Path):
    done = check(prepared(tmp_path / "build"), "needs", "nothing-has-this-name")
    assert done.returncode == 5
    assert done.stderr == "check: no test matches T=nothing-has-this-name\n"


def test_no_folder_hides_a_library_of_its_name():
    """pytest makes packages of the folders that tests are in, and qemu/ is not PyPI's qemu."""
    found = {}
    for package in metadata.distributions():
        for file in package.files or []:
            if file.name == "__init__.py" and (TOP / file.parts[0]).is_dir():
                found[".".join(file.parent.parts)] = str(file.locate())
    assert "qemu.qmp" in found
    for name, path in found.items():
        assert importlib.import_module(name).__file__ == path


def test_folders_of_the_sources_are_known():
    """scripts/paths.mk refuses to build into them."""
    listed = (TOP / "scripts/paths.mk").read_text().partition("sources := ")[2].split("\n")[0]
    git = ["git", "-c", f"safe.directory={TOP}", "ls-files", "*/*"]
    files = subprocess.run(git, cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert {name.partition("/")[0] for name in files.splitlines()} - set(listed.split()) == set()


@pytest.mark.parametrize(
    "build", [str(TOP), str(TOP.parent), "/", "", ".", "linux", "linux/out", ".git/x"]
)
@pytest.mark.parametrize("goal", ["distclean", "all"])
def test_the_sources_are_no_build_folder(build: str, goal: str):
    done = make(TOP, "-n", goal, f"BUILD={build}")
    assert done.returncode != 0 and "holds the sources" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("goal", ["all", "clean", "distclean"])
def test_only_a_build_folder_is_used_or_deleted(tmp_path: Path, goal: str):
    (tmp_path / "precious").write_text("")
    done = make(TOP, goal, f"BUILD={tmp_path}")
    assert done.returncode == 2 and f"BUILD={tmp_path}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_whoever_waits_for_another_build_says_so(tmp_path: Path):
    lock = tmp_path / ".lock"
    alone = script(tmp_path, "scripts/locked", lock, "echo", "built")
    assert (alone.stdout, alone.stderr) == ("built\n", "")
    with subprocess.Popen(["flock", lock, "sleep", "4"]):
        while subprocess.run(["flock", "-n", lock, "true"]).returncode == 0:
            time.sleep(0.01)
        second = script(tmp_path, "scripts/locked", lock, "echo", "built")
    assert second.stdout == "built\n"
    assert f"waiting for another make that builds in {tmp_path}" in second.stderr
