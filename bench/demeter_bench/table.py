# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison as a table in the terminal."""

from __future__ import annotations

from statistics import fmean

from rich.console import Console
from rich.table import Table

from .platforms import PLATFORMS
from .provision import PROVISIONS
from .results import geometric_means, mean_times, ratios
from .settings import Settings
from .variant import variants


def mean_of(rows: list[dict], key: str) -> str:
    values = [row[key] for row in rows if row["verified"] and row[key] is not None]
    if not values:
        return "-"
    return f"{fmean(values):.3g}" if isinstance(values[0], float) else f"{fmean(values):.0f}"


def seconds(time: float | None) -> str:
    """A mean time; also what takes milliseconds can be told apart."""
    if time is None:
        return "failed"
    return f"{time:.2f}" if time >= 1 else f"{time:.3g}"


def print_table(s: Settings, rows: list[dict], console: Console) -> None:
    """Means over VMs and repetitions, and geometric means over workloads."""
    times, relative = mean_times(rows), ratios(rows)
    platform = PLATFORMS[s.platform].label(s)
    table = Table(title=f"Means over VMs and repetitions ({platform})")
    shrinks = any(PROVISIONS[name].shrinks for name in s.provision)
    latencies = [key for key in ("p50_us", "p99_us") if any(row[key] is not None for row in rows)]
    columns = [
        "VMs", "workload", "design", "elapsed s", "time/best", "promoted", "demoted",
        "TMM CPU s", "fast hits", *(key.replace("_", " ") for key in latencies),
        *(["resize s", "pages"] if shrinks else []), "verified",
    ]  # fmt: skip
    for column in columns:
        text = column in ("workload", "design")
        table.add_column(column, justify="left" if text else "right", no_wrap=True)
    for vms in s.vms:
        for workload in s.workloads:
            for variant in variants(s):
                key = (vms, workload, *variant)
                mine = [
                    r for r in rows
                    if (r["vms"], r["workload"], r["design"], r["provision"]) == key
                ]  # fmt: skip
                time = times.get((vms, workload), {}).get(variant)
                table.add_row(
                    str(vms),
                    workload,
                    variant.title,
                    seconds(time),
                    f"{relative[vms, workload][variant]:.2f}" if time is not None else "-",
                    mean_of(mine, "promotions"),
                    mean_of(mine, "demotions"),
                    mean_of(mine, "tmm_cpu_s"),
                    mean_of(mine, "fast_hit_ratio"),
                    *(mean_of(mine, key) for key in latencies),
                    *(
                        [mean_of(mine, "provision_wall_s"), mean_of(mine, "provision_pages")]
                        if shrinks
                        else []
                    ),
                    f"{sum(r['verified'] for r in mine)}/{len(mine)}",
                )
            table.add_section()
    # of one workload it would repeat the rows above
    means_by_vms = geometric_means(rows) if len(s.workloads) > 1 else {}
    for vms, means in means_by_vms.items():
        for variant, value in means.items():
            rest = [""] * (len(columns) - 5)
            table.add_row(str(vms), "geometric mean", variant.title, "", f"{value:.2f}", *rest)
    console.print(table)
