# SPDX-License-Identifier: GPL-2.0-or-later
"""chart.svg: times per workload and number of VMs, sweeps, a recipe's panel, rates over time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from .designs import DESIGNS
from .parameters import swept, values_of
from .platforms import PLATFORMS
from .provision import PROVISIONS
from .recipe import Chart
from .recipes import RECIPES
from .results import Group, mean_times, rate_over_time, ratios
from .settings import Settings
from .table import mean_value, of_group
from .variant import Variant, variants
from .vm import Run
from .workloads import WORKLOADS

Color = tuple[float, float, float]
# How much of a color white takes, of the last of several bars of a design
PALEST = 0.6
# In characters: what fits in a line of a legend, and the mark before each title
LEGEND_WIDTH = 84
LEGEND_MARK = 7


def colors(all_of_them: list[Variant]) -> list[Color]:
    """Colors of variants: of one design shades, from its own to a pale one."""
    found = []
    for variant in all_of_them:
        mine = [v for v in all_of_them if v.design == variant.design]
        white = PALEST * mine.index(variant) / max(1, len(mine) - 1)
        red, green, blue = (c + (1 - c) * white for c in to_rgb(DESIGNS[variant.design].color))
        found.append((red, green, blue))
    return found


def group_name(group: Group) -> str:
    vms, workload = group
    return f"{workload}\n{vms} VM{'s' * (vms > 1)}"


def legend(axes: Axes) -> None:
    """Above the panel, in as many lines as it takes in the narrowest figure."""
    _, titles = axes.get_legend_handles_labels()
    columns = min(len(titles), max(1, LEGEND_WIDTH // (max(map(len, titles)) + LEGEND_MARK)))
    axes.legend(fontsize=8, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def draw_bars(axes: Axes, s: Settings, rows: list[dict], groups: list[Group]) -> None:
    """Elapsed time, each bar with its ratio to the best of its workload.

    Bars that stand together are designs, or if several ways to provision are compared, these,
    for one design each.
    """
    times, relative = mean_times(rows), ratios(rows)
    several = len(s.provision) > 1
    all_of_them = variants(s)
    bars: list[tuple[str, str | Color]]
    if several:
        bars = [(PROVISIONS[p].title, PROVISIONS[p].color) for p in s.provision]
        # the ways to provision one design follow one another
        n = len(s.provision)
        parts = [all_of_them[i : i + n] for i in range(0, len(all_of_them), n)]
        clusters = [(g, part) for g in groups for part in parts]
    else:
        titles = [variant.title for variant in all_of_them]
        bars = list(zip(titles, colors(all_of_them), strict=True))
        clusters = [(g, all_of_them) for g in groups]
    width = 0.8 / len(bars)
    for j, (title, color) in enumerate(bars):
        for i, (group, cluster) in enumerate(clusters):
            variant = cluster[j]
            time = times.get(group, {}).get(variant)
            x = i + (j - (len(bars) - 1) / 2) * width
            label = title if i == 0 else None
            if time is None:
                axes.bar(x, 0, width, color=color, label=label)
                axes.annotate("failed", (x, 0), rotation=90, ha="center", va="bottom", fontsize=7)
                continue
            mine = [r["elapsed_s"] for r in of_group(rows, group, variant) if r["verified"]]
            spread = [[time - min(mine)], [max(mine) - time]] if len(mine) > 1 else None
            axes.bar(x, time, width, color=color, label=label, yerr=spread, capsize=2)
            axes.annotate(
                f"{relative[group][variant]:.2f}", (x, max(mine)), xytext=(0, 2),
                textcoords="offset points", ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
    names = [
        group_name(group)
        + (f"\n{Variant(cluster[0].design, parameters=cluster[0].parameters).title}" * several)
        for group, cluster in clusters
    ]
    axes.set_xticks(range(len(clusters)), names)
    axes.set_ylabel("elapsed time (s)")
    axes.margins(y=0.12)
    legend(axes)


def draw_stacked(
    axes: Axes, s: Settings, rows: list[dict], groups: list[Group], chart: Chart
) -> None:
    """A bar for each variant, with the recipe's columns as its parts."""
    clusters = [(group, variant) for group in groups for variant in variants(s)]
    bottoms = [0.0] * len(clusters)
    for k, (column, title) in enumerate(chart.columns.items()):
        found = [mean_value(of_group(rows, *cluster), column) for cluster in clusters]
        heights = [value or 0.0 for value in found]
        axes.bar(range(len(clusters)), heights, 0.6, bottoms, label=title, color=f"C{k}")
        bottoms = [a + b for a, b in zip(bottoms, heights, strict=True)]
    for i, cluster in enumerate(clusters):
        known = [mean_value(of_group(rows, *cluster), column) for column in chart.columns]
        axes.annotate(
            "none" if all(value is None for value in known) else f"{bottoms[i]:.3g}",
            (i, bottoms[i]), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7,
        )  # fmt: skip
    names = [f"{variant.title}\n{group_name(group)}" for group, variant in clusters]
    axes.set_xticks(range(len(clusters)), names, fontsize=8)
    axes.set_ylabel(chart.label)
    axes.margins(y=0.12)
    legend(axes)


def draw_grouped(
    axes: Axes, s: Settings, rows: list[dict], groups: list[Group], chart: Chart
) -> None:
    """The recipe's columns side by side, a bar of each variant together."""
    clusters = [(group, column) for group in groups for column in chart.columns]
    all_of_them = variants(s)
    width = 0.8 / len(all_of_them)
    for j, (variant, color) in enumerate(zip(all_of_them, colors(all_of_them), strict=True)):
        for i, (group, column) in enumerate(clusters):
            value = mean_value(of_group(rows, group, variant), column)
            x = i + (j - (len(all_of_them) - 1) / 2) * width
            axes.bar(x, value or 0, width, color=color, label=None if i else variant.title)
            axes.annotate(
                "none" if value is None else f"{value:.3g}", (x, value or 0), xytext=(0, 2),
                textcoords="offset points", ha="center", fontsize=7,
            )  # fmt: skip
    names = [f"{chart.columns[column]}\n{group_name(group)}" for group, column in clusters]
    axes.set_xticks(range(len(clusters)), names, fontsize=8)
    axes.set_ylabel(chart.label)
    axes.margins(y=0.12)
    legend(axes)


def draw_sweep(
    axes: Axes, s: Settings, rows: list[dict], groups: list[Group], design: str, parameter: str
) -> None:
    """Elapsed time over a parameter's values, a line for each workload and way to provision."""
    times = mean_times(rows)
    for group in groups:
        for provision in s.provision:
            points = sorted(
                (values_of(variant.parameters)[parameter], time)
                for variant, time in times.get(group, {}).items()
                if (variant.design, variant.provision) == (design, provision)
            )
            axes.plot(
                [value for value, _ in points], [time for _, time in points],
                f"o{PROVISIONS[provision].line}",
                label=group_name(group).replace("\n", ", ")
                + (f", {PROVISIONS[provision].title}" if len(s.provision) > 1 else ""),
            )  # fmt: skip
    values = s.parameters[design][parameter]
    if min(values) > 0 and max(values) >= 8 * min(values):
        axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(values), [str(value) for value in sorted(values)], fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel(f"{DESIGNS[design].title}: {parameter}")
    axes.set_ylabel("elapsed time (s)")
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def draw_timeline(axes: Axes, s: Settings, runs: list[Run], group: Group) -> None:
    """Rate over time: the first VM of the first repetition of each variant.

    Where its nodes were resized, a mark says how large the fast tier became.
    """
    all_of_them = variants(s)
    plain = [Variant(v.design, parameters=v.parameters) for v in all_of_them]
    shade = dict(zip(dict.fromkeys(plain), colors(list(dict.fromkeys(plain))), strict=True))
    for variant in all_of_them:
        for run in runs:
            if (run.vms, run.workload, run.variant) == (*group, variant) and run.folder:
                seconds, rates = rate_over_time(run.guest)
                color = shade[Variant(run.design, parameters=run.parameters)]
                line = PROVISIONS[run.provision].line
                axes.plot(seconds, [r / 1e6 for r in rates], line, color=color, label=variant.title)
                for resize in run.resizes[PROVISIONS[run.provision].shrinks :]:
                    share = resize["shares"][0] / s.vm_memory
                    axes.axvline(resize["at_s"], color=color, linewidth=0.8, linestyle=":")
                    axes.annotate(
                        f"fast {share:.0%}", (resize["at_s"], 0), rotation=90, fontsize=7,
                        xytext=(2, 2), textcoords="offset points",
                    )  # fmt: skip
                break
    which = f"first of {group[0]} VMs" if group[0] > 1 else "1 VM"
    axes.set_title(f"{group[1]}, {which}", fontsize=9)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("million per second")
    axes.set_ylim(bottom=0)
    if axes.lines:
        axes.legend(fontsize=8)


def draw(s: Settings, rows: list[dict], runs: list[Run], path: Path) -> None:
    """Write the chart of a whole benchmark."""
    groups = [(n, w) for n in s.vms for w in s.workloads]
    panels: list[Callable[[Axes], None]] = [
        partial(draw_bars, s=s, rows=rows, groups=groups),
    ]
    chart = RECIPES[s.recipe].chart if s.recipe else None
    if chart:
        drawn = draw_stacked if chart.stacked else draw_grouped
        panels.append(partial(drawn, s=s, rows=rows, groups=groups, chart=chart))
    for design in s.designs:
        if parameter := swept(s, design):
            one = partial(draw_sweep, s=s, rows=rows, groups=groups)
            panels.append(partial(one, design=design, parameter=parameter))
    for group in groups:
        if not s.program and WORKLOADS[group[1]].timeline:
            panels.append(partial(draw_timeline, s=s, runs=runs, group=group))
    width = max(6.0, 1.8 * len(groups) * max(1, len(variants(s)) / 3))
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(width, 3.6 * len(panels)), squeeze=False, layout="constrained"
    )
    for panel, row in zip(panels, axes, strict=True):
        panel(row[0])
    platform = PLATFORMS[s.platform].label(s)
    figure.suptitle(
        f"Demeter benchmark ({platform}); numbers: time relative to the best", fontsize=9
    )
    new = path.with_name(path.name + ".new")
    figure.savefig(new, format="svg", metadata={"Date": None})
    plt.close(figure)
    new.replace(path)
