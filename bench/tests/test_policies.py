# SPDX-License-Identifier: GPL-2.0-or-later
"""tierd divides the fast tier between real VMs: three of them, each with its daemon.

Guests are emulated, and pass a twentieth of a second in each: memory is divided as seldom, it
takes minutes to settle, and the test is for make stress alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.provision import PROVISIONS, tiered_balloon
from demeter_bench.provision.provision import ProvisionError
from demeter_bench.provision.tiered_balloon import TieredBalloon
from demeter_bench.settings import MIB
from demeter_bench.vm import Run
from demeter_testing import BUILD, no_complaint, text

TIERD = "cloud-hypervisor/tierd"
SECONDS = 40  # of the measured phase, about; simulated
MEMORY = 512 * MIB  # of a VM, and of each of its nodes
FAST = 3 * 128 * MIB  # of the three VMs together
# What they need, and room to exchange memory, as servers have it
SLOW = 3 * MEMORY - FAST + 192 * MIB
HOT = (20 * MIB, 60 * MIB, 150 * MIB)

pytestmark = [
    pytest.mark.stress,
    pytest.mark.skipif("STRESS_SECONDS" not in os.environ, reason="takes long: make stress"),
    pytest.mark.needs(TIERD, "cloud-hypervisor/tiered-balloon", "CONFIG_DESIGN_DEMETER"),
]


class Divided(TieredBalloon):
    """Leaves the sizes of the nodes to tierd."""

    name = "divided"
    shrinks = False


def config(policy: str, folders: list[Path]) -> str:
    lines = [
        f'policy = "{policy}"\ninterval = "20s"\n[tiers]\n'
        f'fast = "{FAST // MIB}M"\nslow = "{SLOW // MIB}M"\n'
    ]
    lines += [
        f'[[vm]]\nname = "{folder.name}"\napi = "{folder / tiered_balloon.API}"\n'
        f'memory = "{MEMORY // MIB}M"\nfast = {{ pxm = 0, floor = "64M" }}\nslow = {{ pxm = 1 }}\n'
        for folder in folders
    ]
    return "".join(lines)


def rates(runs: list[Run]) -> list[float]:
    """Return the rate of each VM in the last third of its measured phase."""
    found = []
    for run in runs:
        *progress, result = map(json.loads, re.findall(r"^{.*}$", text(run), re.M))
        assert result["verified"]
        late = [row["rate"] for row in progress if row["t_s"] > progress[-1]["t_s"] * 2 / 3]
        found.append(sum(late) / len(late))
        no_complaint(run)
    return found


@pytest.fixture
def divide(boot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """divide(policy) -> (rates, fast memory) of three VMs that run at the same time."""
    monkeypatch.setitem(PROVISIONS, Divided.name, Divided)
    booted = 0

    def run(policy: str) -> tuple[list[float], list[int]]:
        nonlocal booted
        folders = [tmp_path / f"vm{booted + i}" for i in range(len(HOT))]
        booted += len(HOT)
        runs: list[Run | None] = [None] * len(HOT)
        sizes = [0] * len(HOT)

        def work(i: int) -> None:
            # they begin when what they have is divided
            runs[i] = boot(
                f"gups --mem {400 * MIB} --hot {HOT[i]} --hot-weight 0.9 --reverse --report-ms 500"
                f" --updates {int(SECONDS * 9e6)}",
                design="demeter", provision=Divided.name, setup=DESIGNS["demeter"].setup,
                vm_memory=MEMORY, timeout_s=SECONDS * 60 + 600,
            )  # fmt: skip

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(HOT))]
        for i, thread in enumerate(threads):
            thread.start()
            # boot() numbers the folders in the order of its calls
            while not folders[i].exists():
                time.sleep(0.01)
        (tmp_path / f"{policy}.toml").write_text(config(policy, folders))
        with (tmp_path / f"{policy}.log").open("w") as log:
            tierd = subprocess.Popen(
                [BUILD / TIERD, "--config", tmp_path / f"{policy}.toml"], stderr=log
            )
            try:
                # what one leaves when it ends is divided among the others
                while all(t.is_alive() for t in threads):
                    for i, folder in enumerate(folders):
                        try:
                            api = folder / tiered_balloon.API
                            nodes = tiered_balloon.request(api, "GET", "/vm")["nodes"]
                            sizes[i] = nodes[0]["target"]
                        except ProvisionError:
                            pass
                    time.sleep(0.5)
                for thread in threads:
                    thread.join()
            finally:
                tierd.terminate()
                tierd.wait()
        return rates([r for r in runs if r]), sizes

    return run


def test_utility_serves_more_than_equal_parts(divide):
    """Hot sets of different sizes: with equal parts one has room, and another lacks it."""
    equal, parts = divide("proportional")
    useful, sizes = divide("utility")
    print(f"\nequal {parts}: {equal}, utility {sizes}: {useful}")
    assert max(parts) - min(parts) < 0.05 * FAST, parts
    # each has its hot set in fast memory, beside what its kernel keeps there
    assert all(size > hot for size, hot in zip(sizes, HOT, strict=True)), sizes
    assert sum(sizes) <= FAST, sizes
    assert sum(useful) >= sum(equal), (useful, equal)
