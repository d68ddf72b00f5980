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


def test_a_cgroup_made_again_is_managed_again(boot):
    """As a service that is restarted; and none of those that are gone is kept."""
    service = (
        "mkdir /tmp/cg/service; (echo 0 >/tmp/cg/service/cgroup.procs; exec sleep 60) & p=$!\n"
    )
    end = "kill $p; wait $p; until_ 'rmdir /tmp/cg/service 2>/dev/null'\n"
    dying = "$(sed -n 's/nr_dying_descendants //p' /tmp/cg/cgroup.stat)"
    run = boot(
        f"{SETUP}{CGROUPS}cd /sys/kernel/mm/demeter; echo 50 >epoch_ms\n"
        f"{service}echo cgroup /service >attach; echo 1 >enabled\n"
        f"until_ '[ -d targets/$p ]'; say first $?\n{end}"
        f"say scopes \"$(cat scopes)\"\n"
        f"{service}until_ '[ -d targets/$p ]'; say again $?\n{end}echo 0 >enabled\n"
        # also while nobody looks at them
        "for i in $(seq 60); do mkdir /tmp/cg/$i; echo cgroup /$i >attach; done\n"
        f"rmdir /tmp/cg/[0-9]*; until_ '[ {dying} = 0 ]'; say dying \"{dying}\"\n"
        "say count \"$(grep -c cgroup scopes)\"\n"
        "for i in $(seq 60); do echo cgroup /$i >detach; done; say left \"$(cat scopes)\"",
        design="demeter", setup="",
    )  # fmt: skip
    out, found = text(run), said(run)
    assert (found["first"], found["scopes"]) == ("0", "cgroup /service"), out
    assert found["again"] == "0", out
    assert found["dying"] == "0" and found["count"] == "61", out
    assert found["left"] == "cgroup /service", out
    no_complaint(run)


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


# The orphan was known before its parent has exited; later it forks, and its child executes. The
# other one is in the session of the tree's first process, and is forked and left at once.
FAMILY = """
cat >/tmp/orphan <<'END'
until [ -e /tmp/fork ]; do sleep 0.05; done
sh -c 'echo $$ >/tmp/grandchild; exec sleep 60' &
exec sleep 60
END
cat >/tmp/family <<'END'
sh -c 'sh /tmp/orphan & echo $! >/tmp/child; until [ -e /tmp/leave ]; do sleep 0.05; done' &
until [ -e /tmp/again ]; do sleep 0.05; done
(sh -c 'echo $$ >/tmp/late; exec sleep 60' &)
until [ -e /tmp/end ]; do sleep 0.05; done
END
"""


def test_a_tree_keeps_its_orphans(boot):
    run = boot(
        f"{SETUP}{FAMILY}cd /sys/kernel/mm/demeter; echo 50 >epoch_ms\n"
        "setsid sh -c 'echo $$ >/tmp/root; exec sh /tmp/family' &\n"
        "sh -c 'echo $$ >/tmp/stranger; exec sleep 60' &\n"
        "until_ '[ -s /tmp/root -a -s /tmp/child -a -s /tmp/stranger ]'\n"
        "echo tree $(cat /tmp/root) >attach; echo 1 >enabled\n"
        "until_ '[ -d targets/$(cat /tmp/child) ]'; say child $?; touch /tmp/leave\n"
        "until_ '[ $(cut -d\" \" -f4 /proc/$(cat /tmp/child)/stat) = 1 ]'; say orphan $?\n"
        "touch /tmp/fork; until_ '[ -s /tmp/grandchild ]'\n"
        "until_ '[ -d targets/$(cat /tmp/grandchild) ]'; say grandchild $?\n"
        "touch /tmp/again; until_ '[ -s /tmp/late ]'\n"
        "until_ '[ -d targets/$(cat /tmp/late) ]'; say late $?\n"
        "touch /tmp/end; until_ '! [ -d /proc/$(cat /tmp/root) ]'\n"
        "sleep 0.5; say scopes $(wc -l <scopes); ls -d targets/$(cat /tmp/stranger) 2>&1\n"
        "kill $(cat /tmp/child); until_ '! [ -d targets/$(cat /tmp/child) ]'\n"
        "say without_child $(wc -l <scopes)\n"
        "kill $(cat /tmp/grandchild /tmp/late); until_ '[ -z \"$(cat scopes)\" ]'\n"
        "say end \"$(cat scopes)\"",
        design="demeter", setup="",
    )  # fmt: skip
    out, found = text(run), said(run)
    assert (found["child"], found["orphan"]) == ("0", "0"), out
    assert (found["grandchild"], found["late"]) == ("0", "0"), out
    assert "No such file" in out and found["scopes"] == found["without_child"] == "1", out
    assert found["end"] == "", out
    no_complaint(run)
