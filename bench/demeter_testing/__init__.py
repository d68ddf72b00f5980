# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests share: where things are, what a run left, and what must not be left.

plugin.py has the fixtures and the rules of `make check`; docs/testing.md says how tests
are written. Nothing here is used by the benchmark itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from demeter_bench.configure import read_kconfig
from demeter_bench.vm import Run

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD") or TOP / "build")


def missing(what: str) -> str | None:
    """Say why a test that needs `what` cannot run: None when it can.

    `what` is a file below BUILD, or CONFIG_NAME for what must be selected.
    """
    if what.startswith("CONFIG_"):
        config = BUILD / ".config"
        chosen = config.exists() and what.removeprefix("CONFIG_") in read_kconfig(config)
        return None if chosen else f"{what} is not selected"
    return None if (BUILD / what).exists() else f"{what} is not built"


def text(run: Run) -> str:
    """Return what the job of a run that went well has printed."""
    assert run.state == "done", run.error
    return (run.guest / "stdout").read_text()


def results(run: Run) -> list[dict]:
    """Return the final lines of the workloads that a job ran."""
    lines = (json.loads(line) for line in text(run).splitlines())
    return [line for line in lines if "verified" in line]


def no_complaint(run: Run) -> None:
    """Fail when the guest's kernel has found a fault of its own."""
    log = (run.guest / "dmesg").read_text()
    for word in ("BUG", "WARNING", "Oops", "Call Trace", "leak", "refcount"):
        assert word not in log, log[-4000:]


def kunit(out: str) -> dict[str, tuple[int, int]]:
    """Return how many tests of each KUnit suite in a kernel's log passed, and how many there are.

    A suite with failed or skipped tests is missing.
    """
    found = re.findall(r"# (?!Totals)([\w-]+): pass:(\d+) fail:0 skip:0 total:(\d+)", out)
    return {name: (int(passed), int(total)) for name, passed, total in found}


def leftovers(folder: Path) -> list[str]:
    """Return the processes that still have folder as their working directory."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (proc / "cwd").resolve().parents or (proc / "cwd").resolve() == folder:
                found.append((proc / "cmdline").read_text())
        except OSError:
            continue
    return found


def glib_tests(program: Path) -> list[str]:
    """Return the names of a GLib test program's tests: none when it is not built."""
    if not program.exists():
        return []
    done = subprocess.run([program, "-l"], capture_output=True, text=True, check=True)
    # beside comments in TAP
    return [line for line in done.stdout.splitlines() if line.startswith("/")]
