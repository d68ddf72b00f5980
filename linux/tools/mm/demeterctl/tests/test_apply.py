# SPDX-License-Identifier: GPL-2.0
"""demeterctl apply: a file is checked as a whole, and done as a whole or not at all."""

from __future__ import annotations

import errno
import os
import platform
from pathlib import Path

import pytest
from demeter_testing.demeterctl import PARAMETERS, bad, failing_writes, make_tree, ok, run

pytestmark = pytest.mark.skipif("DEMETERCTL" not in os.environ, reason="DEMETERCTL is not set")
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86-64")

FILE = """
# what the machine is for
tune epoch_ms=250  margin=3   # faster
source pebs
  attach all 256
attach cgroup /a b/c.service
enable
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


def apply(tree: Path, text: str, **options):
    file = tree.parent / "demeter.conf"
    file.write_text(text)
    return run(tree, "apply", str(file), **options)


def read(tree: Path) -> dict[str, str]:
    return {f.name: f.read_text().rstrip("\n") for f in tree.iterdir() if f.is_file()}


def test_a_file_is_done(tree: Path) -> None:
    before = read(tree)
    done = apply(tree, FILE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    changed = {"epoch_ms": "250", "margin": "3", "source": "pebs", "enabled": "1"}
    # plain files hold what was written last
    assert read(tree) == {**before, **changed, "attach": "cgroup /a b/c.service"}


def test_what_is_so_already_stays(tree: Path) -> None:
    (tree / "enabled").write_text("1\n")
    (tree / "scopes").write_text("tree 1\nall 64\ncgroup /a b\n")
    before = read(tree)
    # sample_period cannot be set while Demeter runs, not even to what it is
    text = f"tune sample_period={PARAMETERS['sample_period']}\nattach all\nattach cgroup /a b\n"
    done = apply(tree, text + "source auto\n", filtered=failing_writes([3, 4, 11], errno.EBUSY))
    assert (done.returncode, done.stderr) == (0, "")
    assert read(tree) == before


@pytest.mark.parametrize("listed", ["all 640", "all", "cgroup /a"])
def test_a_scope_that_only_begins_alike_is_attached(tree: Path, listed: str) -> None:
    (tree / "scopes").write_text(f"{listed}\n")
    ok_file = tree.parent / "x.conf"
    ok_file.write_text("attach all 64\n")
    ok(tree, "apply", str(ok_file))
    assert (tree / "attach").read_text() == "all 64"


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "  \t \r\n"])
def test_a_file_that_says_nothing(tree: Path, text: str) -> None:
    before = read(tree)
    assert apply(tree, text).returncode == 0
    assert read(tree) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("frobnicate", '"frobnicate" is none of tune, source, attach, enable and disable'),
        ("epoch_ms=250", '"epoch_ms=250" is none of'),
        ("tune", "give NAME=VALUE"),
        ("tune epoch_ms", '"epoch_ms" has no value'),
        ("tune epoch=1", 'there is no parameter "epoch"'),
        ("tune margin=3 epoch_ms=1", "epoch_ms must be an integer from 10"),
        ("attach", "give a scope"),
        ("attach pid 1 2", "a process must be an integer"),
        ("attach cgroup", "give a scope"),
        ("attach cgroup " + "x" * 121, "too long"),
        ("source", "give a source"),
        ("source pebs ibs", "give a source"),
        ("enable now", 'unexpected argument "now"'),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_done(tree: Path, line: str, message: str) -> None:
    before = read(tree)
    done = apply(tree, FILE + line + "\n")
    bad(done, 2, message)
    assert f"demeter.conf:{FILE.count(chr(10)) + 1}: " in done.stderr
    assert read(tree) == before


def test_a_source_that_the_kernel_has_not(tree: Path) -> None:
    before = read(tree)
    bad(apply(tree, FILE.replace("pebs", "psychic")), 2, "this kernel has: auto pebs ibs")
    assert read(tree) == before


@x86_only
@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        ("250", errno.EACCES, "cannot set epoch_ms to 250"),
        ("pebs", errno.EIO, "cannot choose the source pebs"),
        ("all 256", errno.ENOSPC, "too many scopes"),
        ("cgroup /a b/c.service", errno.ENOENT, "there is no such cgroup"),
    ],
)
def test_a_failure_undoes_the_rest(tree: Path, written: str, error: int, message: str) -> None:
    before = read(tree)
    bad(apply(tree, FILE, filtered=failing_writes([len(written)], error)), 1, message)
    after = read(tree)
    assert after["enabled"] == "0"
    for name in ("epoch_ms", "margin"):
        # opening truncates a plain file even if it cannot be written
        assert after[name] in (before[name], "" if written == "250" else before[name])
    if written.startswith("cgroup"):
        assert after["detach"] == "all 256"
    if written != "pebs":
        assert after["source"] in (before["source"], "auto")


@x86_only
def test_what_cannot_be_enabled_is_undone(tree: Path) -> None:
    text = FILE.replace("margin=3", "")
    bad(apply(tree, text, filtered=failing_writes([1], errno.ENODEV)), 1, "needs two memory tiers")
    after = read(tree)
    assert (after["epoch_ms"], after["source"], after["detach"]) == ("500", "auto", "all 256")
