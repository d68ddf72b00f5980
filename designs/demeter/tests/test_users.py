# SPDX-License-Identifier: GPL-2.0-or-later
"""Several users of Demeter at a time, who come and go, and what is managed for each of them."""

from __future__ import annotations

import json

import pytest
from demeter_testing import no_complaint, text
from demeter_testing.demeter import LOAD

pytestmark = pytest.mark.needs("CONFIG_DESIGN_DEMETER")

# waits until a command succeeds, at most ten seconds
UNTIL = 'until_() { for _ in $(seq 100); do eval "$*" && return; sleep 0.1; done; false; }\n'
# prints a number or a list for a test, in one line
SAY = 'say() { echo "== $1:" $2; }\n'
SETUP = LOAD + UNTIL + SAY


def said(run) -> dict[str, str]:
    lines = [line[3:] for line in text(run).splitlines() if line.startswith("== ")]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_status_shows_every_counter(boot):
    run = boot(
        SETUP + "echo 1 >/sys/kernel/mm/demeter/enabled; sleep 1; "
        "echo 0 >/sys/kernel/mm/demeter/enabled\n"
        "demeterctl status --json >/out/status.json\n"
        "for f in /sys/kernel/mm/demeter/stats/*; do say ${f##*/} $(cat $f); done",
        design="demeter", setup="",
    )  # fmt: skip
    counters = {name: int(value) for name, value in said(run).items()}
    assert json.loads((run.guest / "status.json").read_text())["stats"] == counters
    assert {"split", "no_room"} < set(counters) and counters["epochs"] > 0


CGROUPS = "mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg\n"


def test_more_than_a_page_of_scopes_is_listed(boot):
    name = "a" * 90
    run = boot(
        f"{SETUP}{CGROUPS}cd /sys/kernel/mm/demeter\n"
        f"for i in $(seq 300); do mkdir /tmp/cg/{name}$i; echo cgroup /{name}$i >attach; done\n"
        "cat scopes >/out/scopes; dd if=scopes bs=77 >/out/pieces 2>/dev/null\n"
        "demeterctl status --json >/out/status.json; grep -c . /out/pieces",
        design="demeter", setup="",
    )  # fmt: skip
    expected = [f"cgroup /{name}{i}" for i in range(1, 301)]
    assert (run.guest / "scopes").read_text().splitlines() == expected, text(run)
    assert (run.guest / "pieces").read_text().splitlines() == expected
    assert json.loads((run.guest / "status.json").read_text())["scopes"] == expected
    no_complaint(run)
