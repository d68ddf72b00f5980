# SPDX-License-Identifier: GPL-2.0
"""demeterctl against a copy of the interface made of plain files.

What the kernel says no to is played by a seccomp filter: writes of chosen lengths fail.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import pty
import re
import shutil
import signal
import subprocess
import termios
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from demeter_testing.demeterctl import (
    HEALTH,
    HEAP,
    MIB,
    MMAP,
    PARAMETERS,
    RANGES,
    STATS,
    UNMANAGED,
    add_file,
    add_target,
    bad,
    command,
    environment,
    failing_writes,
    line,
    make_tree,
    ok,
    run,
    write_lines,
)

pytestmark = pytest.mark.skipif("DEMETERCTL" not in os.environ, reason="DEMETERCTL is not set")
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86-64")


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


def contents(tree: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in tree.rglob("*") if f.is_file()}


@contextmanager
def start(
    tree: Path, *args: str, before: Iterable[str] = (), terminal: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run it during the block, on a terminal or with pipes, and end it in any case.

    Signals do what they do by default, also if whoever runs the tests ignores them.
    """
    output = subprocess.PIPE if terminal is None else terminal
    with subprocess.Popen(
        ["env", "--default-signal", *before, *command(*args)],
        stdin=terminal,
        stdout=output,
        stderr=output,
        text=True,
        env=environment(tree),
        process_group=0,
    ) as running:
        try:
            yield running
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise


# Help and bad input


@pytest.mark.parametrize(
    "name",
    [
        "run",
        "attach",
        "detach",
        "enable",
        "disable",
        "status",
        "explain",
        "top",
        "heatmap",
        "tune",
        "apply",
    ],
)
def test_help_needs_no_kernel(tmp_path: Path, name: str) -> None:
    assert f"Usage: demeterctl {name} " in ok(tmp_path / "none", name, "--help")
    assert f"\n  {name} " in ok(tmp_path / "none", "--help")


@pytest.mark.parametrize(
    "args",
    [
        ["run", "true"],
        ["attach", "pid", "1"],
        ["detach", "all"],
        ["enable"],
        ["disable"],
        ["status"],
        ["explain", "1"],
        ["top"],
        ["heatmap", "1"],
        ["tune"],
        ["tune", "epoch_ms=100"],
        ["apply", "/dev/null"],
    ],
)
def test_kernel_without_demeter(tmp_path: Path, args: list[str]) -> None:
    bad(run(tmp_path / "none", *args), 1, "the module demeter is not loaded: modprobe demeter")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "a command is missing"),
        (["frobnicate"], 'there is no command "frobnicate"'),
        (["run"], "a command to run is missing"),
        (["run", "--source", "psychic", "true"], "this kernel has: auto pebs ibs"),
        (["attach"], "give a scope: pid N, tree N, cgroup PATH or all [MIB]"),
        (["attach", "pid"], "give a scope"),
        (["attach", "pid", "1", "2"], "give a scope"),
        (["attach", "cgroup", ""], "give a scope"),
        (["attach", "node", "1"], "give a scope"),
        (["attach", "pid", "0"], "from 1 to 2147483647"),
        (["attach", "tree", "2147483648"], "from 1 to 2147483647"),
        (["attach", "tree", "12x"], "must be an integer"),
        (["attach", "all", "17592186044415"], "from 0 to 17592186044414"),
        (["attach", "cgroup", "x" * 121], "too long, it may have 120 characters"),
        (["detach", "pid", ""], "must be an integer"),
        (["enable", "now"], 'unexpected argument "now"'),
        (["status", "--json", "1"], 'unexpected argument "1"'),
        (["top", "--interval", "0"], "--interval must be from 0.1 to 3600 seconds"),
        (["top", "--interval", "nan"], "--interval must be from"),
        (["top", "--count", "-1"], "--count must be an integer"),
        (["explain"], "the PID of a process is missing"),
        (["explain", "0"], "PID must be an integer from 1 to 2147483647"),
        (["explain", "12", "--json", "13"], 'unexpected argument "13"'),
        (["heatmap"], "the PID of a target is missing"),
        (["heatmap", "x"], "PID must be an integer"),
        (["heatmap", "12", "13"], 'unexpected argument "13"'),
        (["heatmap", "--columns", "0", "12"], "--columns must be an integer"),
        (["heatmap", "--seconds", "1e9", "12"], "--seconds must be from"),
        (["apply"], "a file is missing"),
        (["apply", "/no/such"], "cannot read /no/such: No such file or directory"),
        (["apply", "/dev/null", "x"], 'unexpected argument "x"'),
        (["tune", "epoch"], 'there is no parameter "epoch"'),
        (["tune", "epoch_ms=9"], "epoch_ms must be an integer from 10 to 60000"),
        (["tune", "epoch_ms=60001"], "epoch_ms must be an integer"),
        (["tune", "epoch_ms="], "epoch_ms must be an integer"),
        (["tune", "epoch_ms=0x10"], "epoch_ms must be an integer"),
        (["tune", "margin= 3"], "margin must be an integer"),
        (["tune", "margin=3", "page_counters=2"], "page_counters must be an integer"),
        (["tune", "margin=3", "=4"], 'there is no parameter ""'),
    ],
)
def test_bad_input_changes_nothing(tree: Path, args: list[str], message: str) -> None:
    add_target(tree, 12)
    before = contents(tree)
    bad(run(tree, *args), 2, message)
    assert contents(tree) == before


@pytest.mark.parametrize("args", [["--bogus"], ["status", "--bogus"], ["attach", "pid", "-5"]])
def test_unknown_option(tree: Path, args: list[str]) -> None:
    done = run(tree, *args)
    assert done.returncode == 2
    assert re.match(r"demeterctl( \w+)?: (unrecognized|invalid) option", done.stderr)


# Enable, attach


def test_enable_and_disable(tree: Path) -> None:
    ok(tree, "enable")
    assert (tree / "enabled").read_text() == "1"
    ok(tree, "disable")
    assert (tree / "enabled").read_text() == "0"


@pytest.mark.parametrize("verb", ["attach", "detach"])
@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["pid", "12"], "pid 12"),
        (["tree", "0012"], "tree 12"),
        (["cgroup", "/a b/c"], "cgroup /a b/c"),
        (["cgroup", "x" * 120], "cgroup " + "x" * 120),
        (["all"], "all"),
        (["all", "256"], "all 256"),
    ],
)
def test_scopes(tree: Path, verb: str, words: list[str], written: str) -> None:
    before = contents(tree)
    ok(tree, verb, *words)
    assert contents(tree) == {**before, str(tree / verb): written.encode()}


@x86_only
@pytest.mark.parametrize(
    ("args", "written", "error", "message"),
    [
        (["enable"], "1", errno.ENODEV, "needs two memory tiers"),
        (["enable"], "1", errno.EPERM, "cannot enable Demeter: you must be root"),
        (["enable"], "1", errno.ENOMEM, "Cannot allocate memory (dmesg"),
        (["disable"], "0", errno.EACCES, "cannot disable Demeter: you must be root"),
        (["attach", "pid", "12"], "pid 12", errno.ESRCH, "there is no such process"),
        (["attach", "tree", "2"], "tree 2", errno.EINVAL, "kernel threads have no memory"),
        (["attach", "pid", "12"], "pid 12", errno.EEXIST, "demeterctl detach pid 12 first"),
        (["attach", "cgroup", "/a"], "cgroup /a", errno.ENOENT, "there is no such cgroup"),
        (["attach", "pid", "12"], "pid 12", errno.EACCES, "you must be root"),
        (["attach", "pid", "12"], "pid 12", errno.ENOSPC, "too many scopes are attached"),
        (["detach", "pid", "12"], "pid 12", errno.EBUSY, "by a program that holds Demeter"),
        (["detach", "all"], "all", errno.ENOENT, "all is not attached: demeterctl status"),
        (["detach", "all"], "all", errno.EACCES, "you must be root"),
        (["tune", "margin=33"], "33", errno.EBUSY, "while Demeter is stopped: demeterctl disable"),
        (["tune", "margin=33"], "33", errno.EACCES, "you must be root"),
    ],
)
def test_refusals(tree: Path, args: list[str], written: str, error: int, message: str) -> None:
    bad(run(tree, *args, filtered=failing_writes([len(written)], error)), 1, message)


# Status


def test_status_json(tree: Path) -> None:
    (tree / "enabled").write_text("1\n")
    (tree / "source").write_text("auto [pebs] ibs\n")
    (tree / "scopes").write_text("tree 12\ncgroup /a b\n")
    add_target(tree, 120)
    add_target(tree, 12, comm=b"db", ranges="")
    target = {"pid": 12, "comm": "db", "samples": 1234, "fast_mib": 1.0, "slow_mib": 1.5}
    target |= {"fast_pages": 256, "slow_pages": 384, "resident_mib": 5.0, "managed_percent": 50.0}
    target |= {"promoted": 11, "demoted": 12, "ranges": 0, "splits": 5, "merges": 4}
    target["unmanaged"] = UNMANAGED
    write_lines(tree / "source_health", HEALTH)
    (tree / "holds").write_text("2\n")
    assert json.loads(ok(tree, "status", "--json")) == {
        "running": True,
        "holds": 2,
        "source": "pebs",
        "source_health": HEALTH,
        "numa_balancing": 0,
        "warnings": [],
        "fast_nodes": "0",
        "slow_nodes": "1-2",
        "scopes": ["tree 12", "cgroup /a b"],
        "stats": STATS,
        "targets": [target, {**target, "pid": 120, "comm": "gups", "ranges": 3}],
        "files": [],
    }


def test_status_shows_files_and_shared_memory(tree: Path) -> None:
    """Those with the most memory first, and in the text only those that have some."""
    add_file(tree, "3", "libc.so.6", 128, 256)
    add_file(tree, "unmapped", "other files", 0, 5120)
    add_file(tree, "14", "memfd:pool", 0, 0)
    (tree / "files/15").mkdir()
    (tree / "files/15/comm").symlink_to("gone")
    found = json.loads(ok(tree, "status", "--json"))["files"]
    assert [f["name"] for f in found] == ["unmapped", "3", "14"]
    assert found[1] == {
        "name": "3",
        "comm": "libc.so.6",
        "samples": 77,
        "fast_pages": 128,
        "fast_mib": 0.5,
        "slow_pages": 256,
        "slow_mib": 1.0,
        "promoted": 8,
        "demoted": 9,
        "splits": 1,
        "merges": 2,
    }
    text = ok(tree, "status")
    assert re.search(r"^ +77 +0\.5 +1\.0 +8 +9  libc\.so\.6$", text, re.M), text
    assert re.search(r"^ +77 +0\.0 +20\.0 +8 +9  other files$", text, re.M), text
    assert "memfd" not in text


def test_status_of_nothing(tree: Path) -> None:
    (tree / "fast_nodes").write_text("\n")
    found = json.loads(ok(tree, "status", "--json"))
    assert not found["running"]
    assert (found["source"], found["fast_nodes"]) == ("auto", "")
    assert found["scopes"] == found["targets"] == []
    text = ok(tree, "status")
    assert re.search(r"^demeter: +stopped$", text, re.MULTILINE)
    assert re.search(r"^fast nodes: +none yet", text, re.MULTILINE)
    assert re.search(r"^scopes: +none$", text, re.MULTILINE)


def test_status_shows_counters_that_it_does_not_know(tree: Path) -> None:
    more = {"zebras": 1, "aardvarks": 18446744073709551615}
    for name, value in more.items():
        (tree / "stats" / name).write_text(f"{value}\n")
    assert json.loads(ok(tree, "status", "--json"))["stats"] == {**STATS, **more}
    text = ok(tree, "status")
    assert re.search(r"^  aardvarks +18446744073709551615\n  zebras +1\n  CPU time", text, re.M)


def test_status_lists_more_scopes_than_a_page(tree: Path) -> None:
    scopes = [f"cgroup /{i:0100}" for i in range(1000)]
    (tree / "scopes").write_text("".join(f"{scope}\n" for scope in scopes))
    assert json.loads(ok(tree, "status", "--json"))["scopes"] == scopes
    assert ok(tree, "status").count("cgroup /") == 1000


def test_status_text(tree: Path) -> None:
    (tree / "enabled").write_text("1\n")
    (tree / "scopes").write_text("tree 12\nall 64\n")
    write_lines(tree / "source_health", HEALTH)
    add_target(tree, 12, unmanaged={"policy": 2 << 20, "pinned": 1 << 19})
    text = ok(tree, "status")
    for pattern in (
        r"demeter: +running",
        r"holds: +0",
        r"source: +auto",
        r"fast nodes: +0",
        r"slow nodes: +1-2",
        r"scopes: +tree 12\n +all 64",
        r"  samples taken +18446744073709551615",
        r"  CPU time to sample +1500000000 ns  1\.5 s",
        r"  CPU time to classify +2500000 ns  2\.5 ms",
        r"  CPU time to rank +3500 ns  3\.5 us",
        r"  CPU time to relocate +45 ns  45 ns",
        r" +12 +1234 +1\.0 +1\.5 +5\.0 +40\.0 % +11 +12 +3 +5 +4  gups",
        r" +left alone: policy 2\.0 MiB, pinned 512\.0 KiB",
        r"health: +auto samples loads on 4 of 4 CPUs and stores on 4; .* 1\.0 % were lost .*",
    ):
        assert re.search(f"^{pattern}$", text, re.MULTILINE), pattern


@pytest.mark.parametrize(
    ("comm", "in_json", "in_text"),
    [
        (b'a"b\\c', 'a"b\\c', 'a"b\\c'),
        (b"a\nb\n", "a\nb\n", r"a\x0ab\x0a"),
        (b"\x1b[2J\x7f\t", "\x1b[2J\x7f\t", r"\x1b[2J\x7f\x09"),
        ("é€😀".encode(), "é€😀", "é€😀"),
        ("\u009b1m".encode(), "\u009b1m", r"\xc2\x9b1m"),
        (b"cut\xf0\x9f\x98", "cut\ufffd\ufffd\ufffd", r"cut\xf0\x9f\x98"),
        (b"\xc0\xaf\xed\xa0\x80", "\ufffd" * 5, r"\xc0\xaf\xed\xa0\x80"),
        (b"\xf4\x90\x80\x80\xff", "\ufffd" * 5, r"\xf4\x90\x80\x80\xff"),
        (b"", "", ""),
    ],
)
def test_hostile_names(tree: Path, comm: bytes, in_json: str, in_text: str) -> None:
    add_target(tree, 12, comm=comm)
    found = json.loads(ok(tree, "status", "--json"))
    assert [t["comm"] for t in found["targets"]] == [in_json]
    assert ok(tree, "status").endswith(f"  {in_text}\n")


def test_targets_that_end_are_left_out(tree: Path) -> None:
    add_target(tree, 12)
    (add_target(tree, 13) / "demoted").unlink()
    (tree / "targets/14").mkdir()
    (tree / "targets/15").symlink_to("gone")
    (tree / "targets/other").mkdir()
    assert [t["pid"] for t in json.loads(ok(tree, "status", "--json"))["targets"]] == [12]


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("enabled", "yes\n"),
        ("enabled", "-1\n"),
        ("holds", "\n"),
        ("source", "pebs\n"),
        ("source", ""),
        ("stats/lost", "18446744073709551616\n"),
        ("stats/rank_ns", ""),
        ("targets/12/samples", "12 13\n"),
        ("targets/12/comm", "x" * 100),
        ("targets/12/unmanaged", "policy\n"),
        ("targets/12/unmanaged", "policy -1\n"),
        ("targets/12/unmanaged", "policy 1 2\n"),
        ("source_health", "cpus many\n"),
    ],
)
def test_unexpected_contents(tree: Path, file: str, value: str) -> None:
    add_target(tree, 12)
    (tree / file).write_text(value)
    bad(run(tree, "status"), 1, f"cannot read {file}: it is not as expected")


@pytest.mark.parametrize("file", ["enabled", "holds", "scopes", "stats/lost", "source_health"])
def test_missing_files(tree: Path, file: str) -> None:
    (tree / file).unlink()
    bad(run(tree, "status"), 1, f"cannot read {file}: this Demeter has no such file")


@pytest.mark.parametrize(
    "ranges",
    [
        RANGES[:-1],
        RANGES[:100],
        RANGES + "\n",
        RANGES.replace("\n", " "),
        RANGES.replace("      100", "     -100"),
        RANGES.replace("      100", "      1g0"),
        RANGES.replace("      100", "      1\0000"),
        RANGES.replace("      100", " " * 9),
        RANGES.replace("       20", "     20 1"),
        line(MMAP, MMAP, 1),
        line(MMAP, HEAP, 1),
        line(HEAP, HEAP + 4 * MIB, 1) + line(HEAP + 2 * MIB, MMAP, 1),
        line(MMAP, MMAP + MIB, 1) + line(HEAP, HEAP + MIB, 1),
        "garbage" * 64,
    ],
)
@pytest.mark.parametrize("args", [["status"], ["heatmap", "12"]])
def test_garbage_in_ranges(tree: Path, ranges: str, args: list[str]) -> None:
    assert ranges != RANGES
    add_target(tree, 12, ranges=ranges)
    bad(run(tree, *args), 1, "cannot read targets/12/ranges: it is not as expected")


def test_many_ranges(tree: Path) -> None:
    lines = "".join(line(HEAP + i * MIB, HEAP + (i + 1) * MIB, i) for i in range(65536))
    add_target(tree, 12, ranges=lines)
    assert json.loads(ok(tree, "status", "--json"))["targets"][0]["ranges"] == 65536


# Tune


def test_tune_lists_all(tree: Path) -> None:
    lines = ok(tree, "tune").splitlines()
    rows = [r.split(maxsplit=2) for r in lines[1:-1]]
    assert {name: int(value.rstrip("*")) for name, value, _ in rows} == PARAMETERS
    assert {name for name, value, _ in rows if value.endswith("*")} == {
        "sample_period",
        "store_period",
        "latency_threshold",
        "max_ranges",
    }
    assert lines[-1] == "* can only be set while Demeter is stopped"
    assert re.match(r"epoch_ms +500  ms +10-60000 +length of an epoch$", lines[1])


def test_tune_shows_and_sets(tree: Path) -> None:
    before = contents(tree)
    assert ok(tree, "tune", "epoch_ms", "tier_ns") == "500\n100\n"
    assert contents(tree) == before
    assert ok(tree, "tune", "epoch_ms=60000", "tier_ns", "exchange_ns=0", "epoch_ms") == (
        "100\n60000\n"
    )
    changed = {str(tree / "epoch_ms"): b"60000", str(tree / "exchange_ns"): b"0"}
    assert contents(tree) == {**before, **changed}


@x86_only
def test_tune_sets_all_or_nothing(tree: Path) -> None:
    args = ["tune", "epoch_ms=250", "margin=3", "epoch_ms=300", "sample_period=100000", "tier_ns=7"]
    done = run(tree, *args, filtered=failing_writes([len("100000")], errno.EBUSY))
    bad(done, 1, "sample_period can only be set while Demeter is stopped")
    for name, value in PARAMETERS.items():
        # opening truncates a plain file even if it cannot be written
        if name != "sample_period":
            assert (tree / name).read_text().rstrip("\n") == str(value)
    assert (tree / "margin").read_text() == "2"
    assert (tree / "tier_ns").read_text() == "100\n"


@x86_only
def test_tune_says_what_is_not_set_back(tree: Path) -> None:
    refuse = failing_writes([len("500"), len("100000")], errno.EIO)
    done = run(tree, "tune", "epoch_ms=1000", "sample_period=100000", filtered=refuse)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "demeterctl: cannot set sample_period to 100000: Input/output error",
        "demeterctl: epoch_ms could not be set back: it is 1000, and was 500",
    ]


@pytest.mark.parametrize("kind", ["missing", "dangling", "folder"])
def test_tune_of_a_parameter_without_file(tree: Path, kind: str) -> None:
    file = tree / "sample_period"
    file.unlink()
    if kind == "dangling":
        file.symlink_to("nowhere")
    elif kind == "folder":
        file.mkdir()
    before = contents(tree)
    bad(run(tree, "tune", "epoch_ms=250", "sample_period=99"), 1, "cannot read sample_period")
    assert contents(tree) == before


# Heat map


def test_heatmap(tree: Path) -> None:
    add_target(tree, 12)
    args = ["--seconds", "0.3", "--interval", "0.1", "--columns", "8", "12"]
    lines = ok(tree, "heatmap", *args).splitlines()
    assert lines[:4] == [
        "process 12: 8.0 MiB in 2 areas, 1.0 MiB a column",
        "  from column   0.0: 0000555500000000-0000555500400000 4.0 MiB",
        "  from column   4.0: 00007f0000000000-00007f0000400000 4.0 MiB",
        " seconds",
    ]
    rows = lines[4:-1]
    assert 1 <= len(rows) <= 3
    assert all(re.fullmatch(r" +0\.\d\d \|  \.\.@@@@\|", row) for row in rows)
    assert lines[-1] == "from '.', 0.5 samples per MiB, to '@', 25"


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("14", "        ..++@@"),  # half a MiB each
        ("7", "    .+@"),
        ("2", " @"),
        ("1", "@"),
    ],
)
def test_heatmap_shades(tree: Path, columns: str, row: str) -> None:
    ranges = [line(HEAP, HEAP + 4 * MIB, 0), line(MMAP, MMAP + MIB, 1)]
    ranges += [line(MMAP + i * 2 * MIB, MMAP + i * 2 * MIB + MIB, 64**i) for i in (1, 2)]
    add_target(tree, 12, ranges="".join(ranges))
    lines = ok(tree, "heatmap", "--seconds", "0.1", "--columns", columns, "12").splitlines()
    assert lines[-2].split("|")[1:] == [row, ""]


def test_heatmap_without_samples(tree: Path) -> None:
    add_target(tree, 12, ranges=line(HEAP, MMAP, 0))
    text = ok(tree, "heatmap", "--seconds", "0.1", "--columns", "4", "12")
    assert "|    |" in text
    assert text.endswith("\nno samples\n")


def test_heatmap_of_changing_ranges(tree: Path) -> None:
    folder = add_target(tree, 12)
    with start(tree, "heatmap", "--seconds=2", "--interval=0.05", "--columns=9", "12") as running:
        while running.poll() is None:
            for i in range(9):
                new = folder / "new"
                new.write_text(line(HEAP + 2 * MIB * i, HEAP + 2 * MIB * (i + 1), 8))
                new.rename(folder / "ranges")
                time.sleep(0.02)
        text, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    rows = {r.split("|")[1] for r in text.splitlines() if "|" in r}
    assert len(rows) > 1
    assert all(r.strip() for r in rows)


def test_heatmap_ends_on_ctrl_c(tree: Path, tmp_path: Path) -> None:
    add_target(tree, 12)
    svg = tmp_path / "heat.svg"
    with start(
        tree, "heatmap", "--interval=0.05", f"--svg={svg}", "--seconds=600", "12"
    ) as running:
        while not svg.exists():
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        text, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    assert text.count("|\n") >= 1
    ET.parse(svg)


def test_heatmap_ends_with_the_process(tree: Path, tmp_path: Path) -> None:
    folder = add_target(tree, 12)
    svg = tmp_path / "heat.svg"
    with start(
        tree, "heatmap", "--interval=0.05", f"--svg={svg}", "--seconds=600", "12"
    ) as running:
        while not svg.exists():
            time.sleep(0.01)
        shutil.rmtree(folder)
        text, errors = running.communicate()
    assert running.returncode == 0
    assert re.fullmatch(r"demeterctl: process 12 is a target no more, after [\d.]+ s\n", errors)
    assert text.count("|\n") >= 1
    ET.parse(svg)


def test_heatmap_svg(tree: Path, tmp_path: Path) -> None:
    add_target(tree, 12)
    svg = tmp_path / "heat.svg"
    ok(tree, "heatmap", "--seconds", "0.1", "--interval", "0.5", "--svg", str(svg), "12")
    root = ET.parse(svg).getroot()
    namespace = "{http://www.w3.org/2000/svg}"
    assert root.tag == namespace + "svg"
    texts = [t.text for t in root.iter(namespace + "text")]
    assert {"Heat of process 12", "seconds", "address", "samples per MiB"} <= set(texts)
    assert {"555500000000", "7f0000000000", "7f0000400000", "0", "0.5", "25"} <= set(texts)
    plot = [float(r.get("width", "")) for r in root.iter(namespace + "rect") if r.get("y") == "40"]
    boxes = [dict(r.attrib) for r in root.iter(namespace + "rect") if r.get("x") == "150.00"]
    # half of the height each: the mmap area above; then the half of the heap with samples
    height = 240
    assert [(float(b["y"]), float(b["height"])) for b in boxes] == [
        (40 + height, height / 2),
        (40, height),
    ]
    assert all(float(b["width"]) == max(plot) for b in boxes)
    assert boxes[0]["fill"] != boxes[1]["fill"]
    dashed = [p for p in root.iter(namespace + "path") if p.get("stroke-dasharray")]
    assert len(dashed) == 1


def test_heatmap_of_no_target(tree: Path, tmp_path: Path) -> None:
    svg = tmp_path / "heat.svg"
    svg.write_text("precious")
    bad(run(tree, "heatmap", "--svg", str(svg), "12"), 1, "demeterctl attach pid 12")
    assert svg.read_text() == "precious"


def test_heatmap_without_ranges(tree: Path) -> None:
    add_target(tree, 12, ranges="")
    bad(run(tree, "heatmap", "--seconds", "0.1", "12"), 1, "process 12 has no ranges yet")


def test_heatmap_that_cannot_be_written(tree: Path, tmp_path: Path) -> None:
    add_target(tree, 12)
    file = tmp_path / "none/heat.svg"
    bad(run(tree, "heatmap", "--svg", str(file), "12"), 1, f"cannot write {file}: No such file")
    done = run(tree, "heatmap", "--seconds=0.1", "--svg=/dev/full", "12")
    assert done.returncode == 1
    assert "cannot write /dev/full: No space left" in done.stderr


# Top


def test_top_shows_rates(tree: Path) -> None:
    """Make pipes of two files, read first and nearly last, which tell what it has read."""
    add_target(tree, 12)
    folder = add_target(tree, 13)
    pipes = tree / "stats/sample_ns", folder / "demoted"
    for pipe in pipes:
        pipe.unlink()
        os.mkfifo(pipe)
    with start(tree, "top", "--interval", "1", "--count", "1") as running:
        pipes[0].write_text("1000000000\n")
        pipes[1].write_text("12\n")
        (folder / "samples").write_text(f"{1234 + 10000}\n")
        (folder / "promoted").write_text("5\n")  # a counter that has begun anew
        pipes[0].write_text("1250000000\n")
        pipes[1].write_text("212\n")
        text, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    header, cpu, _, _, first, second = text.rstrip("\n").split("\n")
    seconds = re.fullmatch(r"demeter stopped, source auto, 2 targets, (\d+\.\d) s", header)
    assert seconds
    s = float(seconds[1])
    share = re.fullmatch(
        r"CPU (\d+\.\d\d) %: sample \1 %, classify 0\.00 %, rank 0\.00 %, relocate 0\.00 %", cpu
    )
    assert share
    assert float(share[1]) == pytest.approx(25 / s, rel=0.1)
    pid, samples, fast, slow, promoted, demoted, ranges, comm = first.split()
    assert (pid, fast, slow, ranges, comm) == ("13", "1.0", "1.5", "3", "gups")
    assert float(samples) == pytest.approx(10000 / s, rel=0.1)
    assert float(promoted) == pytest.approx(5 / s, abs=1)
    assert float(demoted) == pytest.approx(200 / s, rel=0.1)
    assert second.split()[:2] == ["12", "0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_top_ends_well(tree: Path, number: signal.Signals) -> None:
    add_target(tree, 12, comm=b"\x1b[2J")
    with start(tree, "top", "--interval", "0.1") as running:
        assert running.stdout
        assert running.stdout.readline().startswith("demeter stopped")
        running.send_signal(number)
        text, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
    assert "\x1b" not in text


def test_top_clears_a_terminal(tree: Path) -> None:
    for pid in range(1, 40):
        add_target(tree, pid)
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (10, 80))
    text = b""
    with start(tree, "top", "--interval=0.1", "--count=1", terminal=slave) as running:
        os.close(slave)
        # reading fails at the end of a terminal
        with suppress(OSError):
            while True:
                text += os.read(master, 65536)
        assert running.wait() == 0
    os.close(master)
    assert text.startswith(b"\x1b[H\x1b[2J")
    assert b" 39 targets" in text
    assert text.count(b"gups") == 5


# Run


def test_run_attaches_before_the_command_begins(tree: Path) -> None:
    """By the device, which it holds; and nothing else is written to."""
    before = contents(tree)
    lines = ok(tree, "run", "sh", "-c", 'echo $$; cat "$DEMETER_DEVICE"').splitlines()
    assert lines[1:] == ["on", f"attach tree {lines[0]}"]
    written = f"on\nattach tree {lines[0]}\n".encode()
    assert contents(tree) == {**before, str(tree / "device"): written}


def test_run_holds_the_device_and_its_command_does_not(tree: Path) -> None:
    script = "ls -l /proc/$PPID/fd /proc/self/fd"
    own, _, of_command = ok(tree, "run", "sh", "-c", script).partition("/proc/self/fd")
    assert str(tree / "device") in own
    assert str(tree / "device") not in of_command


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["--", "sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["/no/such/command"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_run_has_the_status_of_the_command(tree: Path, args: list[str], status: int) -> None:
    done = run(tree, "run", *args)
    assert done.returncode == status
    assert (f"cannot run {args[0]}: " in done.stderr) == (status in (126, 127))


def test_run_passes_options_and_signals_of_the_command(tree: Path) -> None:
    assert ok(tree, "run", "echo", "--source", "--", "x") == "--source -- x\n"
    blocked = ok(tree, "run", "grep", "SigBlk", "/proc/self/status")
    assert int(blocked.split()[1], 16) == 0


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT"])
def test_run_forwards_signals(tree: Path, name: str) -> None:
    script = f"trap 'echo caught; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    with start(tree, "run", "sh", "-c", script) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.Signals[f"SIG{name}"])
        text, errors = running.communicate()
    assert (running.returncode, text, errors) == (9, "caught\n", "")


def test_run_does_not_double_what_the_terminal_sends(tree: Path) -> None:
    """Ctrl-C reaches a command by the terminal; but not this one, which leaves it."""
    script = "trap 'echo passed on' INT; echo ready; "
    script += "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done; echo done"
    master, slave = pty.openpty()
    with start(
        tree,
        *("run", "setsid", "sh", "-c", script),
        before=("setsid", "--ctty", "--wait"),
        terminal=slave,
    ) as running:
        os.close(slave)
        text = b""
        while b"ready" not in text:
            text += os.read(master, 1024)
        os.write(master, b"\x03")
        while b"done" not in text:
            text += os.read(master, 1024)
        assert running.wait() == 0
    os.close(master)
    assert b"^C" in text
    assert b"passed on" not in text


def test_run_asks_for_a_source(tree: Path) -> None:
    before = contents(tree)
    lines = ok(tree, "run", "--source", "ibs", "cat", str(tree / "device")).splitlines()
    assert lines[0] == "on ibs"
    assert (tree / "source").read_bytes() == before[str(tree / "source")]


@x86_only
@pytest.mark.parametrize(
    ("enabled", "error", "message"),
    [
        ("1", errno.EBUSY, "Demeter runs already and samples with auto: demeterctl disable first"),
        ("0", errno.EBUSY, "cannot enable Demeter: others use the counters of all processors"),
        ("0", errno.ENODEV, "cannot enable Demeter: it needs two memory tiers"),
        ("0", errno.ENOMEM, "cannot enable Demeter: Cannot allocate memory (dmesg"),
    ],
)
def test_run_when_it_cannot_be_enabled(tree: Path, enabled: str, error: int, message: str) -> None:
    (tree / "enabled").write_text(f"{enabled}\n")
    before = contents(tree)
    refuse = failing_writes([len("on pebs\n")], error)
    bad(run(tree, "run", "--source", "pebs", "echo", "x" * 20, filtered=refuse), 1, message)
    assert contents(tree) == before


def test_run_without_the_device(tree: Path) -> None:
    (tree / "device").unlink()
    (tree / "device").symlink_to("no such folder/device")
    bad(run(tree, "run", "echo", "x"), 1, "there is no /dev/demeter, use the demeterctl of this")


@x86_only
def test_run_when_it_cannot_be_attached(tree: Path) -> None:
    refuse = failing_writes(
        range(len("attach tree 1\n"), len("attach tree 12345678\n")), errno.EEXIST
    )
    bad(run(tree, "run", "echo", "x" * 30, filtered=refuse), 1, "is attached already")


def test_output_that_cannot_be_written(tree: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("status"), stdout=full, stderr=subprocess.PIPE, env=environment(tree), text=True
        )
    assert done.returncode == 1
    assert "cannot write the output: No space left" in done.stderr
