# SPDX-License-Identifier: GPL-2.0-or-later
"""Live progress: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from .vm import Run

LINE_PERIOD_S = 30.0
MAX_ROWS = 20


def human(rate: float) -> str:
    """1234567.0 -> 1.23M"""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= limit:
            return f"{rate / limit:.2f}{suffix}"
    return f"{rate:.1f}"


def label(run: Run) -> str:
    return f"{run.workload} {run.variant} r{run.repeat} vm{run.vm}/{run.vms}"


class Progress:
    """Shows the runs while they go on; use as a context manager."""

    def __init__(self, runs: list[Run], console: Console) -> None:
        self.runs = runs
        self.console = console
        self.started = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        # what has been said of each; nothing is, of runs that were over before
        self._states = {i: run.state for i, run in enumerate(runs) if run.finished}
        self._last_line = 0.0

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def update(self) -> None:
        """Something changed, or may have."""
        if self.console.is_terminal:
            self._live.update(self._table(), refresh=True)
            return
        for i, run in enumerate(self.runs):
            if self._states.get(i, "waiting") != run.state and (
                run.finished or run.state in ("profiling", "provisioning", "running")
            ):
                print(f"{self._clock()}  {label(run)}: {run.state}{self._details(run)}", flush=True)
            self._states[i] = run.state
        if time.monotonic() - self._last_line > LINE_PERIOD_S:
            self._last_line = time.monotonic()
            active = [r for r in self.runs if r.state not in ("waiting", "done", "failed")]
            for run in active:
                print(f"{self._clock()}  {label(run)}: {run.state}{self._details(run)}", flush=True)

    def _clock(self) -> str:
        elapsed = int(time.monotonic() - self.started)
        return f"{elapsed // 60:3d}:{elapsed % 60:02d}"

    def _details(self, run: Run) -> str:
        if run.error:
            return f": {run.error}"
        details = ""
        if run.simulated_s:
            details += f", {run.simulated_s:.1f} simulated s"
        if run.rate:
            details += f", {human(run.rate)} {run.rate_unit}"
        return details

    def _table(self) -> Table:
        done = sum(run.finished for run in self.runs)
        table = Table(title=f"{done} of {len(self.runs)} VMs done, {self._clock().strip()}")
        for column in ("VM", "state", "simulated s", "rate"):
            table.add_column(column, justify="left" if column in ("VM", "state") else "right")
        shown = [r for r in self.runs if not r.finished and r.state != "waiting"]
        shown += [r for r in self.runs if r.state == "failed"]
        shown += [r for r in self.runs if r.state == "done"]
        for run in shown[:MAX_ROWS]:
            rate = escape(f"{human(run.rate)} {run.rate_unit}") if run.rate else ""
            simulated = f"{run.simulated_s:.1f}" if run.simulated_s else ""
            table.add_row(label(run), escape(run.error[:60]) or run.state, simulated, rate)
        return table
