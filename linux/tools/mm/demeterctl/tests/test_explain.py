# SPDX-License-Identifier: GPL-2.0
"""demeterctl explain, and the warnings of status, against copies of /sys and /proc."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from demeter_testing.demeterctl import (
    HEALTH,
    MIB,
    REASONS,
    UNMANAGED,
    add_process,
    add_target,
    bad,
    make_tree,
    ok,
    run,
    write_lines,
)

pytestmark = pytest.mark.skipif("DEMETERCTL" not in os.environ, reason="DEMETERCTL is not set")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Of a Demeter that runs and samples well."""
    root = make_tree(tmp_path)
    (root / "enabled").write_text("1\n")
    (root / "source").write_text("auto [pebs] ibs\n")
    (root / "store_period").write_text("16381\n")
    write_lines(root / "source_health", HEALTH)
    return root


def balance(tree: Path, mode: int) -> None:
    (tree.parent / "proc/sys/kernel/numa_balancing").write_text(f"{mode}\n")


# Processes that are managed


def test_explanation(tree: Path) -> None:
    (tree / "scopes").write_text("pid 13\ntree 12\nall 4\nall 5\nall 6\n")
    add_target(tree, 12, unmanaged={"policy": 2 * MIB, "pinned": MIB // 2, "special": 4096})
    assert ok(tree, "explain", "12").splitlines() == [
        'Process 12 (gups) is managed, since it is in the scope "tree 12" and in "all 4" '
        'and in "all 5".',
        "Of its 5.0 MiB of resident memory, 2.0 MiB (40 %) are managed.",
        "1.0 MiB of its own that could be moved are in the fast tier, 1.5 MiB in the slow tier.",
        "512.0 KiB have come since Demeter has looked at all of its memory, which it does in "
        "turns.",
        "What is left alone:",
        "  2.0 MiB has a policy that keeps it in one tier (mbind, set_mempolicy, numactl): let the "
        "policy allow nodes of both tiers to have it managed.",
        "  4.0 KiB is of devices or the kernel, and does not count as resident.",
        "  512.0 KiB is pinned, e.g. as buffers of RDMA, io_uring or a device: it is managed when "
        "it has been released.",
        "90 % of its recent samples are of the hottest 4.0 MiB of its addresses (1 of 3 ranges); "
        "2.0 MiB have none.",
        "So far, 1234 samples of its memory were taken, 44.0 KiB were promoted and 48.0 KiB "
        "demoted.",
        "Sampling: pebs samples loads on 4 of 4 CPUs and stores on 4; in the last 96 epochs it "
        "took 1000 samples, of which 1.0 % were lost and 20.0 % were of memory that is not "
        "managed.",
    ]


def test_explanation_in_json(tree: Path) -> None:
    (tree / "scopes").write_text("cgroup /a b\nall 64\n")
    left = {"policy": 2 * MIB, "busy": MIB}
    add_target(tree, 12, comm=b"d\x1bb", unmanaged=left)
    add_process(tree, 12, cgroup="/a b/c", VmSwap="7 kB")
    balance(tree, 2)
    found = json.loads(ok(tree, "explain", "--json", "12"))
    (warning,) = found.pop("warnings")
    assert "kernel.numa_balancing=2" in warning
    assert found == {
        "pid": 12,
        "comm": "d\x1bb",
        "scopes": ["cgroup /a b"],
        "running": True,
        "resident": 5 * MIB,
        "swapped": 7 << 10,
        "managed": MIB * 3 // 2,
        "managed_percent": 30.0,
        "fast": MIB,
        "slow": MIB * 3 // 2,
        "unseen": MIB // 2,
        "unmanaged": UNMANAGED | left,
        "samples": 1234,
        "promoted": 11 * 4096,
        "demoted": 12 * 4096,
        "hot": {
            "samples": 101, "bytes": 4 * MIB, "cold_bytes": 2 * MIB, "ranges": 1, "all_ranges": 3,
        },
        "source": "pebs",
        "health": HEALTH,
    }  # fmt: skip


def test_samples_of_shared_memory_count_elsewhere(tree: Path) -> None:
    add_target(tree, 12)
    add_process(tree, 12, RssShmem="2048 kB")
    text = ok(tree, "explain", "12")
    assert "\n90 % of its recent samples of memory of its own are of the hottest 4.0 MiB" in text
    assert "\nSo far, 1234 samples of its own memory were taken" in text


@pytest.mark.parametrize("reason", REASONS.split())
def test_every_reason_has_a_sentence(tree: Path, reason: str) -> None:
    add_target(tree, 12, unmanaged={reason: 3 * MIB})
    text = ok(tree, "explain", "12")
    sentences = re.findall(r"^  3\.0 MiB (?:is|has|can|was|stays) .*\.$", text, re.M)
    assert len(sentences) == 1 and "the reason" not in text


def test_a_reason_that_is_not_known_is_shown(tree: Path) -> None:
    folder = add_target(tree, 12)
    write_lines(folder / "unmanaged", {"haunted": MIB})
    assert '\n  1.0 MiB is left alone for the reason "haunted".\n' in ok(tree, "explain", "12")
    assert "left alone: haunted 1.0 MiB\n" in ok(tree, "status")


@pytest.mark.parametrize("reason", ["forked", "unsampled"])
def test_what_is_in_a_tier_and_left_alone_is_not_managed(tree: Path, reason: str) -> None:
    add_target(tree, 12, unmanaged={reason: 9 * MIB})
    assert json.loads(ok(tree, "explain", "--json", "12"))["managed"] == 0
    assert "0 B (0 %) are managed" in ok(tree, "explain", "12")


def test_what_is_protected_is_managed(tree: Path) -> None:
    add_target(tree, 12, unmanaged={"protected": MIB})
    assert json.loads(ok(tree, "explain", "--json", "12"))["managed"] == MIB * 5 // 2


def test_a_target_that_no_scope_contains_any_more(tree: Path) -> None:
    (tree / "scopes").write_text("all 6\n")
    add_target(tree, 12)
    assert "is managed, since it was in a scope when it was found.\n" in ok(tree, "explain", "12")


def test_a_target_without_samples(tree: Path) -> None:
    add_target(tree, 12, ranges="")
    assert "\nIt has no recent samples, so all of it is cold.\n" in ok(tree, "explain", "12")
    (tree / "targets/12/samples").write_text("0\n")
    assert "\nIt has no recent samples yet.\n" in ok(tree, "explain", "12")


def test_a_target_that_is_swapped_out(tree: Path) -> None:
    add_target(tree, 12)
    add_process(tree, 12, VmSwap="2048 kB")
    assert "Besides, 2.0 MiB are swapped out, and in no tier." in ok(tree, "explain", "12")


def test_while_stopped(tree: Path) -> None:
    (tree / "enabled").write_text("0\n")
    (tree / "source_health").write_text("")
    add_target(tree, 12)
    balance(tree, 1)
    text = ok(tree, "explain", "12")
    assert "Sampling" not in text and text.count("Warning: ") == 1
    assert text.endswith("Warning: Demeter is stopped, so nothing is sampled or moved: demeterctl"
                         " enable.\n")  # fmt: skip
    assert "warning" not in ok(tree, "status")


# Processes that are not


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        ("", "process 12 is not managed, since nothing is attached: demeterctl attach pid 12"),
        ("all 64\n", 'it is not in "all 64" (it has only 5.0 MiB): demeterctl attach pid 12'),
        ("cgroup /a\n", 'it is not in "cgroup /a" (it is in /ab): demeterctl attach pid 12'),
        ("pid 1\ntree 7\n", '"pid 1" (it is another process), "tree 7" (it does not descend'),
        ("all 6\nall 7\nall 8\nall 9\nall 10\n", '"all 8" (it has only 5.0 MiB), or 2 others:'),
        ("all 64\nall 5\n", 'process 12 is in the scope "all 5", and will be managed from the'),
        ("tree 9\n", 'process 12 is in the scope "tree 9"'),
        ("tree 8\n", 'process 12 is in the scope "tree 8"'),
        ("cgroup /\n", 'process 12 is in the scope "cgroup /"'),
    ],
)
def test_no_target(tree: Path, scopes: str, message: str) -> None:
    """It descends from 9, and is in the session of 8."""
    (tree / "scopes").write_text(scopes)
    add_process(tree, 1, PPid=0)
    add_process(tree, 9)
    add_process(tree, 10, PPid=9)
    add_process(tree, 12, cgroup="/ab", PPid=10, NSsid=8)
    for args in (["12"], ["--json", "12"]):
        bad(run(tree, "explain", *args), 1, message)


def test_hostile_names_in_messages(tree: Path) -> None:
    """Who may make cgroups chooses their names, and an administrator's terminal shows them."""
    (tree / "scopes").write_text("cgroup /a\ncgroup /b\x1b]0;c\x07\n")
    add_process(tree, 12, cgroup="/\x1b[2J")
    done = run(tree, "explain", "12")
    bad(done, 1, 'it is not in "cgroup /a" (it is in /\\x1b[2J), "cgroup /b\\x1b]0;c\\x07"')
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.stderr)


def test_a_process_that_waits_for_demeter_to_run(tree: Path) -> None:
    (tree / "enabled").write_text("0\n")
    (tree / "scopes").write_text("all 1\n")
    add_process(tree, 12)
    bad(run(tree, "explain", "12"), 1, "will be managed when Demeter runs: demeterctl enable")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Kthread": 1, "VmRSS": ""}, "12 is a thread of the kernel"),
        ({"State": "Z (zombie)", "VmRSS": ""}, "process 12 has exited"),
        ({"Tgid": 11}, "12 is a thread of process 11: demeterctl explain 11"),
    ],
)
def test_what_can_be_no_target(tree: Path, fields: dict[str, object], message: str) -> None:
    (tree / "scopes").write_text("all 0\n")
    add_process(tree, 12, **fields)
    bad(run(tree, "explain", "12"), 1, message)


def test_no_process(tree: Path) -> None:
    bad(run(tree, "explain", "12"), 1, "there is no process 12")


# Warnings, which status shows, too


def warnings(tree: Path) -> list[str]:
    """Return those of explain, after a look whether status has the same."""
    if not (tree / "targets/12").exists():
        add_target(tree, 12)
    (tree / "scopes").write_text("all 1\n")
    found = json.loads(ok(tree, "explain", "--json", "12"))["warnings"]
    assert json.loads(ok(tree, "status", "--json"))["warnings"] == found
    text, status = ok(tree, "explain", "12"), ok(tree, "status")
    assert re.findall(r"^Warning: (.*)\.$", text, re.M) == found
    assert re.findall(r"^warning: +(.*)$", status, re.M) == found
    return found


def test_no_warnings(tree: Path) -> None:
    assert warnings(tree) == []


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ({"cpus": 6}, "2 CPUs are not sampled: dmesg"),
        ({"loads_waiting": 1, "stores_waiting": 2}, "3 counters wait for their turn"),
        ({"stores_sampled": 0}, "stores are not sampled, so that"),
        ({"lost": 101}, "10 % of the samples are lost"),
        ({"strays": 950}, "95 % of the samples are of memory that is not managed"),
        ({"samples": 0, "lost": 0, "strays": 0}, "there were no samples in the last 96 epochs"),
    ],
)
def test_warnings_of_a_pmu(tree: Path, health: dict[str, int], message: str) -> None:
    write_lines(tree / "source_health", HEALTH | health)
    (found,) = warnings(tree)
    assert message in found


def test_stores_that_are_not_wanted_are_not_missed(tree: Path) -> None:
    (tree / "store_period").write_text("0\n")
    write_lines(tree / "source_health", HEALTH | {"stores_sampled": 0})
    assert warnings(tree) == []
    assert "on 4 of 4 CPUs and no stores;" in ok(tree, "status")


def test_few_samples_say_nothing(tree: Path) -> None:
    numbers = {"samples": 0, "lost": 0, "strays": 0, "epochs": 3}
    write_lines(tree / "source_health", HEALTH | numbers)
    assert warnings(tree) == []
    write_lines(tree / "source_health", HEALTH | {"samples": 99, "lost": 98, "strays": 0})
    assert warnings(tree) == []


def test_health_of_other_sources(tree: Path) -> None:
    lately = {"epochs": 9, "samples": 9, "lost": 0, "strays": 0}
    watched = {"processes": 64, "processes_watched": 64, "processes_limit": 64}
    (tree / "source").write_text("auto pebs [accessed]\n")
    write_lines(tree / "source_health", watched | lately)
    assert warnings(tree) == []
    assert "health:      accessed watches 64 of 64 processes; in" in ok(tree, "status")
    write_lines(tree / "source_health", watched | {"processes": 70} | lately)
    (found,) = warnings(tree)
    assert found.startswith("6 processes are not watched, which is for 64 at most")
    (tree / "source").write_text("auto [ibs]\n")
    ibs = {"cpus": 2, "loads_sampled": 2, "loads_waiting": 0}
    write_lines(tree / "source_health", ibs | lately)
    assert warnings(tree) == []
    assert "ibs samples loads and stores on 2 of 2 CPUs;" in ok(tree, "status")
    write_lines(tree / "source_health", lately)
    assert "health:      ibs samples; in the last 9 epochs" in ok(tree, "status")


@pytest.mark.parametrize("mode", [1, 2])
def test_numa_balancing_is_a_warning(tree: Path, mode: int) -> None:
    balance(tree, mode)
    (found,) = warnings(tree)
    assert f"NUMA balancing is on (kernel.numa_balancing={mode}) and moves pages, too" in found
    assert json.loads(ok(tree, "status", "--json"))["numa_balancing"] == mode
