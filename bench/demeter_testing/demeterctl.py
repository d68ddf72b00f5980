# SPDX-License-Identifier: GPL-2.0
"""demeterctl, and a copy of the interface made of plain files that it is run against."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

MIB = 1 << 20
HEAP = 0x555500000000
MMAP = 0x7F0000000000
PARAMETERS = {
    "epoch_ms": 500,
    "sample_period": 509,
    "store_period": 0,
    "sample_rate": 14500,
    "latency_threshold": 64,
    "split_threshold": 30,
    "merge_epochs": 15,
    "max_ranges": 256,
    "cool_epochs": 8,
    "backoff_epochs": 128,
    "relocate_percent": 20,
    "relocate_mib": 1024,
    "margin": 2,
    "exchange_ns": 10000,
    "tier_ns": 100,
    "page_counters": 1,
}
STATS = {
    "epochs": 100,
    "samples": 18446744073709551615,
    "lost": 3,
    "strays": 4,
    "promoted": 5,
    "demoted": 6,
    "exchanged": 7,
    "split": 13,
    "busy": 8,
    "refused": 9,
    "gone": 10,
    "no_room": 14,
    "metadata": 15,
    "sample_ns": 1500000000,
    "classify_ns": 2500000,
    "rank_ns": 3500,
    "relocate_ns": 45,
}


HEALTH = {
    "cpus": 4,
    "loads_sampled": 4,
    "loads_waiting": 0,
    "stores_sampled": 4,
    "stores_waiting": 0,
}
HEALTH |= {"epochs": 96, "samples": 1000, "lost": 10, "strays": 200}
REASONS = "policy cpuset file node hugetlb special "
REASONS += "forked pinned busy refused unsampled protected"
UNMANAGED = dict.fromkeys(REASONS.split(), 0)


def line(start: int, end: int, samples: int) -> str:
    return f"{start:016x} {end:016x} {samples:8} {1:8} {20:8}".ljust(63) + "\n"


RANGES = (
    line(HEAP, HEAP + 2 * MIB, 0)
    + line(HEAP + 2 * MIB, HEAP + 4 * MIB, 1)
    + line(MMAP, MMAP + 4 * MIB, 100)
)


def write_lines(file: Path, numbers: dict[str, int]) -> None:
    file.write_text("".join(f"{name} {value}\n" for name, value in numbers.items()))


def add_process(tree: Path, pid: int, cgroup: str = "/", **fields: object) -> None:
    """Fields are those of /proc/PID/status; sizes are in KiB."""
    folder = tree.parent / "proc" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    status = {"Name": "gups", "State": "S (sleeping)", "Tgid": pid, "PPid": 1, "NSsid": 1}
    status |= {"VmRSS": "5120 kB", "VmSwap": "0 kB", "Kthread": 0} | fields
    (folder / "status").write_text("".join(f"{k}:\t{v}\n" for k, v in status.items() if v != ""))
    (folder / "cgroup").write_text(f"0::{cgroup}\n")


def add_target(
    tree: Path,
    pid: int,
    comm: bytes = b"gups",
    ranges: str = RANGES,
    unmanaged: dict[str, int] | None = None,
) -> Path:
    folder = tree / "targets" / str(pid)
    folder.mkdir()
    (folder / "comm").write_bytes(comm + b"\n")
    numbers = {"samples": 1234, "fast_pages": 256, "slow_pages": 384, "promoted": 11, "demoted": 12}
    numbers |= {"splits": 5, "merges": 4}
    for name, value in numbers.items():
        (folder / name).write_text(f"{value}\n")
    (folder / "ranges").write_text(ranges)
    write_lines(folder / "unmanaged", UNMANAGED | (unmanaged or {}))
    add_process(tree, pid)
    return folder


def add_file(tree: Path, name: str, comm: str, fast: int, slow: int) -> None:
    """Add a file whose pages are managed."""
    folder = tree / "files" / name
    folder.mkdir()
    (folder / "comm").write_text(f"{comm}\n")
    numbers = {"samples": 77, "fast_pages": fast, "slow_pages": slow, "promoted": 8}
    numbers |= {"demoted": 9, "splits": 1, "merges": 2}
    for file, value in numbers.items():
        (folder / file).write_text(f"{value}\n")


def make_tree(folder: Path) -> Path:
    """Make a copy of the interface, stopped and without targets; beside it is that of /proc."""
    root = folder / "demeter"
    (root / "stats").mkdir(parents=True)
    (root / "targets").mkdir()
    (root / "files").mkdir()
    files = {"enabled": "0", "source": "[auto] pebs ibs", "fast_nodes": "0", "slow_nodes": "1-2"}
    files["holds"] = "0"
    (root / "source_health").write_text("")
    for name, value in {**files, **PARAMETERS}.items():
        (root / name).write_text(f"{value}\n")
    for name in ("attach", "detach", "scopes", "device"):
        (root / name).write_text("")
    for name, value in STATS.items():
        (root / "stats" / name).write_text(f"{value}\n")
    numa_balancing = folder / "proc/sys/kernel/numa_balancing"
    numa_balancing.parent.mkdir(parents=True)
    numa_balancing.write_text("0\n")
    return root


def command(*args: str) -> list[str]:
    return [os.environ["DEMETERCTL"], *args]


def environment(tree: Path) -> dict[str, str]:
    ours = {"DEMETER_SYSFS": str(tree), "DEMETER_DEVICE": str(tree / "device")}
    return {**os.environ, **ours, "DEMETER_PROC": str(tree.parent / "proc")}


def run(
    tree: Path, *args: str, filtered: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        env=environment(tree),
        preexec_fn=filtered,
    )


def ok(tree: Path, *args: str) -> str:
    done = run(tree, *args)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def bad(done: subprocess.CompletedProcess[str], status: int, message: str) -> None:
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.startswith("demeterctl: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def failing_writes(lengths: Iterable[int], error: int) -> Callable[[], None]:
    """Return what makes write() of that many bytes fail when it is called in the child."""
    nr_write, allow, deny = 1, 0x7FFF0000, 0x00050000 | error
    load, jump_if_equal, ret = 0x20, 0x15, 0x06
    lengths = list(lengths)
    n = len(lengths)
    code = [(load, 0, 0, 0), (jump_if_equal, 0, n + 1, nr_write), (load, 0, 0, 32)]
    code += [(jump_if_equal, n - i, 0, length) for i, length in enumerate(lengths)]
    code += [(ret, 0, 0, allow), (ret, 0, 0, deny)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    libc = ctypes.CDLL(None)

    def install() -> None:
        set_no_new_privs, set_seccomp, filter_mode = 38, 22, 2
        assert libc.prctl(set_no_new_privs, 1, 0, 0, 0) == 0
        assert libc.prctl(set_seccomp, filter_mode, ctypes.c_char_p(header)) == 0
        assert program

    return install
