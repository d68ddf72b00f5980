# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison as tables, in the terminal and in summary.txt."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from .designs import DESIGNS
from .platforms import PLATFORMS
from .provision import PROVISIONS
from .published import Row, compare, means
from .recipes import RECIPES
from .results import Group, geometric_means, mean_times, ratios
from .settings import Settings
from .variant import Variant, variants

# Rows of a table of designs' own columns that a terminal is shown; summary.txt has all.
SHOWN_STATS = 60
FILE_WIDTH = 200


def of_group(rows: list[dict], group: Group, variant: Variant) -> list[dict]:
    """The rows of a variant with a number of VMs and a workload."""
    key = (*group, variant)
    return [row for row in rows if (row["vms"], row["workload"], Variant.of(row)) == key]


def mean_value(rows: list[dict], key: str) -> float | None:
    """The mean over verified rows that have a value."""
    values = [row[key] for row in rows if row["verified"] and row.get(key) is not None]
    return fmean(values) if values else None


def mean_of(rows: list[dict], key: str) -> str:
    mean = mean_value(rows, key)
    if mean is None:
        return "-"
    whole = all(isinstance(row.get(key), int | None) for row in rows)
    return f"{mean:.0f}" if whole else f"{mean:.3g}"


def seconds(time: float | None) -> str:
    """A mean time; also what takes milliseconds can be told apart."""
    if time is None:
        return "failed"
    return f"{time:.2f}" if time >= 1 else f"{time:.3g}"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def new_table(title: str, columns: list[str], left: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def main_table(s: Settings, rows: list[dict]) -> Table:
    """Means over VMs and repetitions, and geometric means over workloads."""
    times, relative = mean_times(rows), ratios(rows)
    platform = PLATFORMS[s.platform].label(s)
    shrinks = any(PROVISIONS[name].shrinks for name in s.provision)
    latencies = [key for key in ("p50_us", "p99_us") if any(row[key] is not None for row in rows)]
    columns = [
        "VMs", "workload", "design", "elapsed s", "time/best", "promoted", "demoted",
        "TMM CPU s", "fast hits", *(key.replace("_", " ") for key in latencies),
        *(["resize s", "pages"] if shrinks else []), "verified",
    ]  # fmt: skip
    title = f"Means over VMs and repetitions ({platform})"
    table = new_table(title, columns, ("workload", "design"))
    for vms in s.vms:
        for workload in s.workloads:
            for variant in variants(s):
                mine = of_group(rows, (vms, workload), variant)
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
    for vms, by in means_by_vms.items():
        for variant, value in by.items():
            rest = [""] * (len(columns) - 5)
            table.add_row(str(vms), "geometric mean", variant.title, "", f"{value:.2f}", *rest)
    return table


def recipe_table(s: Settings, rows: list[dict]) -> Table | None:
    """The columns of the recipe's chart."""
    chart = RECIPES[s.recipe].chart if s.recipe else None
    if chart is None:
        return None
    columns = ["VMs", "workload", "design", *chart.columns.values()]
    table = new_table(f"{s.recipe}: {chart.label}", columns, ("workload", "design"))
    for vms in s.vms:
        for workload in s.workloads:
            for variant in variants(s):
                mine = of_group(rows, (vms, workload), variant)
                cells = (mean_of(mine, column) for column in chart.columns)
                table.add_row(str(vms), workload, variant.title, *cells)
    return table


def stats_table(s: Settings, rows: list[dict]) -> Table | None:
    """What the designs' own columns say; what none of the guests has is left out."""
    columns = ["VMs", "workload", "design", "column", "mean", "meaning"]
    left = ("workload", "design", "column", "meaning")
    table = new_table("What designs counted while the job ran", columns, left)
    for vms in s.vms:
        for workload in s.workloads:
            for variant in variants(s):
                mine = of_group(rows, (vms, workload), variant)
                for name, stat in DESIGNS[variant.design].stats.items():
                    if (mean := mean_of(mine, name)) != "-":
                        first = (str(vms), workload, variant.title)
                        table.add_row(*first, name, mean, stat.about)
    return table if table.row_count else None


def published_table(s: Settings, found: list[Row]) -> Table | None:
    """Ratios to the best here and as published, and whether they agree."""
    if not found:
        return None
    designs = [d for d in s.designs if any(d in row.here for row in found)]
    columns = ["VMs", "workload"]
    columns += [text for d in designs for text in (DESIGNS[d].title, "published")]
    columns += ["best agrees", "pairs in that order"]
    table = new_table("Time relative to the best, here and as published", columns, ("workload",))

    def cells(here: dict[str, float], published: dict[str, float]) -> list[str]:
        return [ratio(by.get(design)) for design in designs for by in (here, published)]

    for row in found:
        agrees = f"{sum(row.pairs)} of {len(row.pairs)}"
        best = "yes" if row.best_agrees else "no"
        table.add_row(
            str(row.group[0]), row.group[1], *cells(row.here, row.published), best, agrees
        )
    table.add_section()
    for vms, here, published in means(found):
        mine = [row for row in found if row.group[0] == vms]
        pairs = [agrees for row in mine for agrees in row.pairs]
        best = f"{sum(row.best_agrees for row in mine)} of {len(mine)}"
        table.add_row(
            str(vms), "geometric mean", *cells(here, published), best,
            f"{sum(pairs)} of {len(pairs)}",
        )  # fmt: skip
    return table


def print_tables(s: Settings, rows: list[dict], console: Console, shown: int = SHOWN_STATS) -> None:
    """All tables; that of designs' own columns if it has no more than so many rows."""
    tables = [main_table(s, rows), recipe_table(s, rows), published_table(s, compare(s, rows))]
    stats = stats_table(s, rows)
    if stats and stats.row_count <= shown:
        tables.append(stats)
    for table in tables:
        if table:
            console.print(table)


def write_tables(s: Settings, rows: list[dict], path: Path) -> None:
    """Write all tables as text."""
    with path.open("w") as f:
        print_tables(s, rows, Console(file=f, width=FILE_WIDTH), shown=len(rows) * 1000)
