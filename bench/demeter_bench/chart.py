# SPDX-License-Identifier: GPL-2.0-or-later
"""chart.svg: times per workload and number of VMs, and rates over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .designs import DESIGNS
from .platforms import PLATFORMS
from .provision import PROVISIONS
from .results import Group, mean_times, rate_over_time, ratios
from .settings import Settings
from .variant import Variant, variants
from .vm import Run
from .workloads import WORKLOADS


def draw_bars(axes: Axes, s: Settings, rows: list[dict], groups: list[Group]) -> None:
    """Elapsed time, each bar with its ratio to the best of its workload.

    Bars that stand together are designs, or if several ways to provision are compared, these,
    for one design each.
    """
    times, relative = mean_times(rows), ratios(rows)
    several = len(s.provision) > 1
    if several:
        bars = [(PROVISIONS[p].title, PROVISIONS[p].color) for p in s.provision]
        clusters = [(g, [Variant(d, p) for p in s.provision]) for g in groups for d in s.designs]
    else:
        bars = [(DESIGNS[d].title, DESIGNS[d].color) for d in s.designs]
        clusters = [(g, variants(s)) for g in groups]
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
            mine = [
                r["elapsed_s"]
                for r in rows
                if (r["vms"], r["workload"], r["design"], r["provision"]) == (*group, *variant)
                and r["verified"]
            ]
            spread = [[time - min(mine)], [max(mine) - time]] if len(mine) > 1 else None
            axes.bar(x, time, width, color=color, label=label, yerr=spread, capsize=2)
            axes.annotate(
                f"{relative[group][variant]:.2f}", (x, max(mine)), xytext=(0, 2),
                textcoords="offset points", ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
    names = [
        f"{workload}\n{n} VM{'s' * (n > 1)}"
        + (f"\n{DESIGNS[cluster[0].design].title}" if several else "")
        for (n, workload), cluster in clusters
    ]
    axes.set_xticks(range(len(clusters)), names)
    axes.set_ylabel("elapsed time (s)")
    axes.margins(y=0.12)
    axes.legend(fontsize=8, ncols=len(bars), loc="upper center", bbox_to_anchor=(0.5, 1.12))


def draw_timeline(axes: Axes, s: Settings, runs: list[Run], group: Group) -> None:
    """Rate over time: the first VM of the first repetition of each variant.

    Where its nodes were resized, a mark says how large the fast tier became.
    """
    for variant in variants(s):
        for run in runs:
            if (run.vms, run.workload, run.variant) == (*group, variant) and run.folder:
                seconds, rates = rate_over_time(run.guest)
                color, line = DESIGNS[run.design].color, PROVISIONS[run.provision].line
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
    axes.legend(fontsize=8)


def draw(s: Settings, rows: list[dict], runs: list[Run], path: Path) -> None:
    """Write the chart of a whole benchmark."""
    groups = [(n, w) for n in s.vms for w in s.workloads]
    timelines = [g for g in groups if not s.program and WORKLOADS[g[1]].timeline]
    panels = 1 + len(timelines)
    size = (max(6.0, 1.8 * len(groups) * max(1, len(variants(s)) / 3)), 3.6 * panels)
    figure, axes = plt.subplots(panels, 1, figsize=size, squeeze=False, layout="constrained")
    draw_bars(axes[0][0], s, rows, groups)
    for panel, group in zip(axes[1:], timelines, strict=True):
        draw_timeline(panel[0], s, runs, group)
    platform = PLATFORMS[s.platform].label(s)
    figure.suptitle(
        f"Demeter benchmark ({platform}); numbers: time relative to the best", fontsize=9
    )
    new = path.with_name(path.name + ".new")
    figure.savefig(new, format="svg", metadata={"Date": None})
    plt.close(figure)
    new.replace(path)
