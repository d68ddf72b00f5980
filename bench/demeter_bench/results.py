# SPDX-License-Identifier: GPL-2.0-or-later
"""From a VM's folder to a row, from rows to summary.csv and summary.json."""

from __future__ import annotations

import contextlib
import csv
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

from . import design as kernel
from .archive import write_json
from .designs import DESIGNS
from .platforms import PLATFORMS
from .provision import PROVISIONS
from .settings import Settings
from .stream import parse_line, printable
from .variant import Variant
from .vm import Run, read_text
from .workload import check_result, is_number

if TYPE_CHECKING:
    from .published import Row

PERCENTILES = ("p50_us", "p90_us", "p95_us", "p99_us")  # of the latencies of operations
# Of every row; those of its design's stats follow.
COLUMNS = (
    "workload", "design", "provision", "parameters", "vms", "vm", "repeat", "platform", "preset",
    "elapsed_s", "rate", "rate_unit", "promotions", "demotions", "tmm_cpu_s", "tmm_share",
    "job_sys_s", *(f"{stage}_s" for stage in kernel.STAGES), *kernel.TLB, "fast_hit_ratio",
    "walks", "walk_share", "converged_s", "longest_s", *PERCENTILES, "provision_s",
    "provision_wall_s", "provision_pages", "verified", "init_s", "wall_s", "simulated_s", "error",
)  # fmt: skip

TICKS_PER_S = 100
# Flushes of the emulator's report: of a page, of an address space (also at each switch to
# another), and of more than that
FLUSHES = {"page": ("page",), "space": ("space",), "full": ("local", "all", "guest", "every")}
# Of runs whose VMs share a server: what its kernel did, and flushes if TLBs are modelled.
HOST_COLUMNS = (
    "host_promotions", "host_demotions", "host_hint_faults", "host_cpu_s",
    *(f"{of}_{kind}_flushes" for of in ("host", "guest") for kind in FLUSHES),
)  # fmt: skip
# A rate has converged when means over a window stay this close to the final one.
WINDOW_S = 1.0
TOLERANCE = 0.05
FINAL_SHARE = 4  # the last quarter of the progress lines is final
SETTLING_S = 5.0  # after a resize, until the rate is what it will be
# What a guest does that has too little memory, in pages; beside "stolen", which counts
# demotions as well, is what of it they were.
PRESSURE = {
    "swapped": ("pswpin", "pswpout"),
    "stolen": ("pgsteal_kswapd", "pgsteal_direct", "pgsteal_khugepaged"),
    "demoted": kernel.DEMOTIONS,
    "allocations_stalled": ("allocstall_dma32", "allocstall_normal", "allocstall_movable"),
    "oom_kills": ("oom_kill",),
}


def counters(folder: Path, when: str) -> dict[str, int | float]:
    """Counters of /proc/vmstat, and by their paths files that were read before or after the job."""
    found: dict[str, int | float] = {}
    for name in (f"vmstat.{when}", f"counters.{when}"):
        for line in read_text(folder / name).splitlines():
            key, _, text = line.rpartition(" ")
            with contextlib.suppress(ValueError):
                value = float(text)
                if key and math.isfinite(value):
                    found[key] = int(text) if text.lstrip("-").isdecimal() else value
    return found


def vmstat_delta(folder: Path, keys: tuple[str, ...]) -> int | None:
    """Sum of what counters (see counters()) grew by during the job; None when unknown."""
    before, after = counters(folder, "before"), counters(folder, "after")
    if not any(key in after for key in keys):
        return None
    return round(sum(after.get(key, 0) - before.get(key, 0) for key in keys))


def stat_value(folder: Path, source: str, stat: kernel.Stat) -> int | float | None:
    """The value of a design's column; None when the guest does not have it."""
    before, after = counters(folder, "before"), counters(folder, "after")
    if source not in after:
        return None
    value = after[source] - (before.get(source, 0) if stat.grows else 0)
    return value if stat.scale == 1 else round(value * stat.scale, 6)


def own_columns(design: kernel.Design, folder: Path) -> dict[str, int | float | None]:
    """What the design's columns say, its CPU time by stage, and flushes of the TLB."""
    found: dict[str, int | float | None] = {
        f"{stage}_s": None if ns is None else round(ns / 1e9, 6)
        for stage, names in design.stages.items()
        for ns in [vmstat_delta(folder, design.sources(names))]
    }
    found |= {name: vmstat_delta(folder, (path,)) for name, path in kernel.TLB.items()}
    for name, stat in design.stats.items():
        (source,) = design.sources((stat.source,))
        found[name] = stat_value(folder, source, stat)
    return found


def thread_cpu_s(folder: Path, names: tuple[str, ...]) -> float | None:
    """CPU seconds that kernel threads with these name prefixes took."""

    def read(when: str) -> int:
        ticks = 0
        for line in read_text(folder / f"processes.{when}").splitlines():
            # "pid (name) state ppid ... utime stime": fields 14 and 15
            head, _, tail = line.rpartition(") ")
            name, fields = head.partition("(")[2], tail.split()
            if name.startswith(names) and len(fields) > 12 and fields[1] == "2":
                ticks += int(fields[11]) + int(fields[12])
        return ticks

    if not (folder / "processes.after").exists():
        return None
    return (read("after") - read("before")) / TICKS_PER_S


def job_report(folder: Path) -> dict:
    """The workload's final line."""
    for line in reversed(read_text(folder / "stdout").splitlines()):
        found = parse_line(line)
        if "verified" in found:
            return found
    return {}


def plugin_report(folder: Path) -> dict:
    try:
        return json.loads(read_text(folder / "tmem.json"))
    except ValueError:
        return {}


def hit_ratio(report: dict) -> float | None:
    """Share of the measured phase's misses that the fast tier served."""
    span = report.get("roi") or report.get("total")
    if not span:
        return None
    misses = {n: t["read_misses"] + t["write_misses"] for n, t in span["tiers"].items()}
    total = sum(misses.values())
    return misses["fast"] / total if total else None


def walked(report: dict) -> dict[str, float | None]:
    """Page walks of the measured phase, and the share of its time that they took."""
    span = report.get("roi") or report.get("total") or {}
    tlb = span.get("tlb")
    if not tlb:
        return {"walks": None, "walk_share": None}
    return {
        "walks": tlb["load_walks"] + tlb["store_walks"],
        "walk_share": share(tlb["walk_s"], span["end_s"] - span["begin_s"]),
    }


def progress(folder: Path) -> list[dict]:
    """The progress lines that a workload printed (workloads/common/RESULT.md)."""
    lines = map(parse_line, read_text(folder / "stdout").splitlines())
    return [line for line in lines if "t_s" in line and "rate" in line]


def longest_s(lines: list[dict]) -> float | None:
    """The longest time that a piece of work took, of workloads that tell."""
    return max((line["longest_s"] for line in lines if "longest_s" in line), default=None)


def latency_us(job: dict, name: str) -> float | None:
    """A percentile of the latencies, of workloads that tell."""
    parameters = job.get("parameters")
    value: Any = parameters.get(name) if isinstance(parameters, dict) else None
    return float(value) if is_number(value) else None


def rate_over_time(folder: Path) -> tuple[list[float], list[float]]:
    """The progress lines that a workload printed: seconds, rates."""
    lines = progress(folder)
    return [line["t_s"] for line in lines], [line["rate"] for line in lines]


def converged_s(seconds: list[float], rates: list[float]) -> float | None:
    """When, in the measured phase, the rate came close to its final mean for good.

    None when the lines are too few for the last quarter to hold a whole window,
    or when the rate is still changing at the end. A line's rate is that of the
    time since the line before.
    """
    span = seconds[-1] - seconds[0] if seconds else 0
    if span <= 0:
        return None
    width = max(1, round(WINDOW_S * (len(seconds) - 1) / span))
    if len(rates) < FINAL_SHARE * width:
        return None
    final = fmean(rates[-(len(rates) // FINAL_SHARE) :])
    sums = [0.0, *accumulate(rates)]
    means = [(b - a) / width for a, b in zip(sums, sums[width:], strict=False)]
    away = [i for i, mean in enumerate(means) if abs(mean - final) > TOLERANCE * final]
    first = away[-1] + 1 if away else 0
    if first == len(means):
        return None
    return round(seconds[first - 1], 3) if first else 0.0


def host_columns(host: Path, report: dict) -> dict[str, float | int | None]:
    """What a server's kernel did while its VMs ran, and flushes of the TLB.

    The flushes are those of the measured phase, by the server and by its guests.
    """

    def cpu_s(when: str) -> float | None:
        # "cpu user nice system idle iowait irq softirq steal guest guest_nice", in ticks
        words = read_text(host / f"stat.{when}").split("\n")[0].split()
        if len(words) < 11 or not all(word.isdecimal() for word in words[1:]):
            return None
        user, nice, system, _, _, irq, softirq, _, guest, guest_nice = map(int, words[1:11])
        return (user + nice + system + irq + softirq - guest - guest_nice) / TICKS_PER_S

    before, after = cpu_s("before"), cpu_s("after")
    found: dict[str, float | int | None] = {
        "host_promotions": vmstat_delta(host, kernel.PROMOTIONS),
        "host_demotions": vmstat_delta(host, kernel.DEMOTIONS),
        "host_hint_faults": vmstat_delta(host, ("numa_hint_faults",)),
        "host_cpu_s": None if before is None or after is None else round(after - before, 2),
    }
    tlb = (report.get("roi") or report.get("total") or {}).get("tlb")
    for column, key in (("host", "flushes"), ("guest", "guest_flushes")):
        for name, kinds in FLUSHES.items():
            count = sum(tlb[key][kind] for kind in kinds) if tlb else None
            found[f"{column}_{name}_flushes"] = count
    return found


def share(part: float | None, *whole: float | None) -> float | None:
    """Of what the whole adds up to; None when anything is unknown."""
    known = [x for x in whole if x is not None]
    if part is None or len(known) < len(whole) or not sum(known):
        return None
    return round(part / sum(known), 4)


def make_row(s: Settings, run: Run) -> dict:
    """One row of the summary; what is unknown is None."""
    design = DESIGNS[run.design]
    row = dict.fromkeys((*COLUMNS, *design.stats))
    row.update(
        workload=run.workload, design=run.design, provision=run.provision,
        parameters=run.parameters, vms=run.vms,
        vm=run.vm, repeat=run.repeat, platform=s.platform, preset=PLATFORMS[s.platform].preset(s),
        wall_s=round(run.wall_s, 2), error=run.error, verified=False,
    )  # fmt: skip
    if run.folder is None:
        return row
    job, plugin = job_report(run.guest), plugin_report(run.server or run.folder)
    ratio = hit_ratio(plugin)
    problems = check_result(job)
    tmm_cpu_s = thread_cpu_s(run.guest, kernel.THREADS + design.threads)
    row.update(
        elapsed_s=job.get("seconds"),
        rate=job.get("rate"),
        rate_unit=printable(str(job.get("rate_unit", "")), 20),
        init_s=job.get("init_s"),
        promotions=vmstat_delta(run.guest, kernel.PROMOTIONS + design.sources(design.promotions)),
        demotions=vmstat_delta(run.guest, kernel.DEMOTIONS + design.sources(design.demotions)),
        tmm_cpu_s=tmm_cpu_s,
        tmm_share=share(tmm_cpu_s, job.get("init_s"), job.get("seconds")),
        job_sys_s=job.get("sys_s"),
        fast_hit_ratio=None if ratio is None else round(ratio, 4),
        **walked(plugin),
        converged_s=converged_s(*rate_over_time(run.guest)),
        longest_s=longest_s(progress(run.guest)),
        **{name: latency_us(job, name) for name in PERCENTILES},
        provision_s=run.provision_s,
        verified=run.state == "done" and not problems and job["verified"],
        simulated_s=plugin.get("simulated_s"),
        **own_columns(design, run.guest),
    )
    if run.server:
        row.update(host_columns(run.server / "host", plugin))
    if PROVISIONS[run.provision].shrinks and run.resizes:
        first = run.resizes[0]
        row.update(provision_wall_s=first["wall_s"], provision_pages=first["pages"])
    if run.state == "done" and problems:
        row["error"] = f"the workload left no good result: {problems[0]}"
    elif run.state == "done" and not row["verified"]:
        row["error"] = "the workload did not verify its result"
    return row


def phases(run: Run) -> list[dict]:
    """What the job did between resizes of its nodes, a member per resize; see docs.

    Empty for a run whose nodes have kept their sizes.
    """
    lines = progress(run.guest) if run.folder else []
    shrinks = PROVISIONS[run.provision].shrinks
    if len(run.resizes) <= shrinks or not lines:
        return []
    begins = [resize["at_s"] for resize in run.resizes]
    ends = [*begins[1:], lines[-1]["t_s"]]
    found = []
    for resize, begin, end in zip(run.resizes, begins, ends, strict=True):
        mine = [line for line in lines if begin < line["t_s"] <= end]
        settled = [line["rate"] for line in mine if line["t_s"] > begin + SETTLING_S]
        found.append(
            {
                **resize,
                "end_s": end,
                "rate": fmean(line["rate"] for line in mine) if mine else None,
                "settled_rate": fmean(settled) if settled else None,
                "longest_s": longest_s(mine),
                "t_s": [line["t_s"] for line in mine],
                "rates": [line["rate"] for line in mine],
            }
        )
    return found


def resized(runs: list[Run]) -> list[dict]:
    """What came of every run whose nodes were resized while its job ran."""
    return [
        {
            "workload": run.workload, "design": run.design, "provision": run.provision,
            "parameters": run.parameters, "vms": run.vms, "vm": run.vm, "repeat": run.repeat,
            "phases": found,
            **{name: vmstat_delta(run.guest, keys) for name, keys in PRESSURE.items()},
        }
        for run in runs
        if (found := phases(run))
    ]  # fmt: skip


def write_summary(
    folder: Path, rows: list[dict], runs: list[Run], published: Sequence[Row] = ()
) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    with (folder / "summary.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    relative = [
        {"vms": vms, "workload": workload, "time_to_best": named(by)}
        for (vms, workload), by in ratios(rows).items()
    ]
    write_json(
        folder / "summary.json",
        {
            "rows": [{**dict.fromkeys(names), **row} for row in rows],
            "columns": {
                name: stat.about
                for design in dict.fromkeys(row["design"] for row in rows)
                for name, stat in DESIGNS[design].stats.items()
            },
            "ratios": relative,
            "geometric_means": {vms: named(by) for vms, by in geometric_means(rows).items()},
            "published": [row.to_json() for row in published],
            "resized": resized(runs),
        },
    )


Group = tuple[int, str]  # number of VMs, workload


def named(by: dict[Variant, float]) -> dict[str, float]:
    return {str(variant): value for variant, value in by.items()}


def mean_times(rows: list[dict]) -> dict[Group, dict[Variant, float]]:
    """(VMs, workload) -> variant -> mean elapsed seconds.

    A variant of which a run failed there is left out: a mean over the others
    would compare it on less than was asked of it.
    """
    times: dict[Group, dict[Variant, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        elapsed = row["elapsed_s"] if row["verified"] else None
        variant = Variant.of(row)
        times[row["vms"], row["workload"]][variant].append(elapsed)
    return {
        group: means
        for group, by in times.items()
        if (means := {d: fmean(t for t in v if t) for d, v in by.items() if None not in v})
    }


def ratios(rows: list[dict]) -> dict[Group, dict[Variant, float]]:
    """(VMs, workload) -> variant -> time relative to the best there."""
    found = {}
    for group, by in mean_times(rows).items():
        best = min(by.values())
        found[group] = {d: t / best for d, t in by.items()}
    return found


def geometric_means(rows: list[dict]) -> dict[int, dict[Variant, float]]:
    """VMs -> variant -> geometric mean of its ratios over all workloads.

    Covers the variants that completed every workload at that number of VMs.
    """
    relative = ratios(rows)
    means = {}
    for vms in sorted({vms for vms, _ in relative}):
        mine = [by for (n, _), by in relative.items() if n == vms]
        everywhere = set.intersection(*(set(by) for by in mine))
        means[vms] = {d: geometric_mean(by[d] for by in mine) for d in mine[0] if d in everywhere}
    return means
