# SPDX-License-Identifier: GPL-2.0-or-later
"""Several users of Demeter at a time, who come and go, and what is managed for each of them."""

from __future__ import annotations

import json

import pytest
from demeter_bench.settings import MIB
from demeter_testing import TOP, no_complaint, text
from demeter_testing.demeter import LOAD

pytestmark = pytest.mark.needs("CONFIG_DESIGN_DEMETER")

# waits until a command succeeds, at most ten seconds
UNTIL = 'until_() { for _ in $(seq 100); do eval "$*" && return; sleep 0.1; done; false; }\n'
# prints a number or a list for a test, in one line
SAY = 'say() { echo "== $1:" $2; }\n'
SETUP = LOAD + UNTIL + SAY
STATE = 'say "$1" "$(cat enabled holds) $(sort scopes | tr "\\n" ",")"'


def said(run) -> dict[str, str]:
    lines = [line[3:] for line in text(run).splitlines() if line.startswith("== ")]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_runs_do_not_disturb_each_other(boot):
    """One ends, one is killed, one goes on; the administrator comes and goes meanwhile."""
    run = boot(
        SETUP + f"state() {{ {STATE}; }}\n"
        "cd /sys/kernel/mm/demeter\n"
        "demeterctl run sh -c 'echo $$ >/tmp/a; sleep 2' & a=$!\n"
        "demeterctl run sh -c 'echo $$ >/tmp/b; exec sleep 60' & b=$!\n"
        "demeterctl run --source auto sh -c 'echo $$ >/tmp/c; sleep 60' & c=$!\n"
        "until_ '[ $(wc -l <scopes) = 3 ]'; until_ '[ -s /tmp/a -a -s /tmp/b -a -s /tmp/c ]'\n"
        "say pids \"$(cat /tmp/a /tmp/b /tmp/c)\"; state three\n"
        "wait $a; say status $?; state two\n"
        "kill -9 $b; wait $b; until_ '[ $(cat holds) = 1 ]'; state one\n"
        "[ -d /proc/$(cat /tmp/b) ] && say command lives; kill $(cat /tmp/b)\n"
        "rmmod demeter 2>/dev/null; say rmmod $?\n"
        "demeterctl enable; demeterctl disable 2>&1 | grep -o 'stays on for 1 programs'\n"
        "state disabled; demeterctl detach tree $(cat /tmp/c) 2>&1 | grep -o 'goes with it'\n"
        "demeterctl status --json >/out/status.json\n"
        "demeterctl attach tree $(cat /tmp/c)\n"
        "kill -9 $c; wait $c; until_ '[ $(cat enabled) = 0 ]'; state shared\n"
        "demeterctl detach tree $(cat /tmp/c); state nothing\n"
        "for f in stats/*; do say ${f#stats/} $(cat $f); done\n"
        "kill $(cat /tmp/c); rmmod demeter; say rmmod_after $?",
        design="demeter", setup="", vcpus=2,
    )  # fmt: skip
    out, found = text(run), said(run)
    a, b, c = (f"tree {pid}" for pid in found["pids"].split())
    all_of = lambda *scopes: "".join(f"{scope}," for scope in sorted(scopes))  # noqa: E731
    assert found["three"] == f"1 3 {all_of(a, b, c)}", out
    assert found["status"] == "0" and found["two"] == f"1 2 {all_of(b, c)}", out
    assert found["command"] == "lives" and found["one"] == f"1 1 {all_of(c)}", out
    assert found["rmmod"] == "1" and "stays on for 1 programs" in out, out
    assert found["disabled"] == found["one"] and "goes with it" in out, out
    assert found["shared"] == f"0 0 {c}," and found["nothing"] == "0 0", out
    assert found["rmmod_after"] == "0", out
    status = json.loads((run.guest / "status.json").read_text())
    assert (status["running"], status["holds"], status["scopes"]) == (True, 1, [c])
    assert set(status["stats"]) == {
        n for n in found if f"\n== {n}: " in out and n in status["stats"]
    }
    no_complaint(run)


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


# commands to the device, in this order, and what the kernel says
ANSWERS = {
    "an unknown command": ("off", "Invalid argument"),
    "nothing": ("", "Invalid argument"),
    "a verb alone": ("attach", "Invalid argument"),
    "no scope": ("attach none", "Invalid argument"),
    "too much": ("attach " + "x" * 249, "Invalid argument"),
    "what is not attached": ("detach all 5", "No such file or directory"),
    "a scope without a hold": ("attach all 5", ""),
    "it twice": ("attach  all 05", "File exists"),
    "what the administrator attached": ("attach all 6", ""),
    "what only the administrator attached": ("detach all 7", "Device or resource busy"),
    "an unknown source": ("on nonsense", "Invalid argument"),
    "a source that this processor lacks": ("on ibs", "No such device"),
    "a source": ("on accessed", ""),
    "it again": ("on accessed", ""),
    "another source": ("on pebs", "Device or resource busy"),
    "any source": ("on auto", ""),
}


def test_the_device_refuses_what_it_cannot_do(boot):
    tries = "".join(f"try '{command}'\n" for command, _ in ANSWERS.values())
    run = boot(
        f"{SETUP}state() {{ {STATE}; }}\n"
        "cd /sys/kernel/mm/demeter; echo all 6 >attach; echo all 7 >attach\n"
        "try() { echo try; echo \"$1\" 2>&1 >&3; }\n"
        f"exec 3>/dev/demeter; {tries}echo try; exec 4>&3 3>&-; state open\n"
        "say source \"$(cat source)\"; (exec 3>/dev/demeter; echo on pebs 2>&1 >&3)\n"
        "exec 4>&-; state closed; say source_after \"$(cat source)\"\n"
        "say mode \"$(stat -c %a /dev/demeter)\"\n"
        # there are never more than so many claims, also if each is another file's
        "i=0; exec 3>/dev/demeter; while echo attach all 1$i >&3; do i=$((i + 1)); done\n"
        "say most $((i + 2)); echo all 8 2>&1 >attach; exec 3>&-; state most_closed\n"
        "i=0; while [ $i -lt 300 ]; do (exec 3>/dev/demeter; echo attach all 9 >&3;"
        " echo on >&3); i=$((i + 1)); done; state many",
        design="demeter", setup="", timeout_s=300,
    )  # fmt: skip
    out, found = text(run), said(run)
    _, *answers, rest = out.split("try\n")
    got = {name: a.strip().rpartition(": ")[2] for name, a in zip(ANSWERS, answers, strict=True)}
    assert got == {name: error for name, (_, error) in ANSWERS.items()}
    assert found["open"] == "1 1 all 5,all 6,all 7,", out
    assert found["source"] == "auto pebs ibs [accessed]" and rest.count("resource busy") == 1, out
    assert found["closed"] == found["most_closed"] == found["many"] == "0 0 all 6,all 7,", out
    assert found["source_after"] == "[auto] pebs ibs accessed", out
    assert (found["mode"], found["most"]) == ("600", "1024"), out
    assert "No space left on device" in rest, out
    no_complaint(run)


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


def test_the_number_of_a_tree_is_used_again(boot):
    """While descendants of the first process with that number are still managed."""
    run = boot(
        f"{SETUP}cd /sys/kernel/mm/demeter; echo 50 >epoch_ms; echo 1 >enabled\n"
        # numbers are used again soon, but never those below 300
        "until [ $(sh -c 'echo $$') -gt 320 ]; do :; done; echo 420 >/proc/sys/kernel/pid_max\n"
        "sh -c 'sleep 60 & echo $! >/tmp/child; until [ -e /tmp/leave ]; do sleep 0.05; done' &\n"
        "root=$!; echo tree $root >attach; until_ '[ -s /tmp/child ]'; child=$(cat /tmp/child)\n"
        "until_ '[ -d targets/$child ]'; touch /tmp/leave; wait $root; say left \"$(cat scopes)\"\n"
        "for _ in $(seq 300); do sleep 60 & [ $! = $root ] && break; kill $!; wait $!; done\n"
        "sleep 0.3; [ -d targets/$root ]; say stranger $?; echo tree $root >attach; say again $?\n"
        "echo tree $root 2>&1 >attach; say scopes $(grep -c \"^tree $root$\" scopes)\n"
        "state() { say $1 $([ -d targets/$root ]; echo $?)$([ -d targets/$child ]; echo $?); }\n"
        "state both; echo tree $root >detach; state first; say one $(wc -l <scopes)\n"
        "echo tree $root >detach; state none; say end \"$(cat scopes)\"\n"
        "echo tree $root 2>&1 >detach; say root $root",
        design="demeter", setup="",
    )  # fmt: skip
    out, found = text(run), said(run)
    assert found["left"] == f"tree {found['root']}" and found["stranger"] == "1", out
    assert found["again"] == "0" and "File exists" in out and found["scopes"] == "2", out
    assert (found["both"], found["first"], found["none"]) == ("00", "10", "11"), out
    assert found["one"] == "1" and found["end"] == "" and "No such file" in out, out
    no_complaint(run)


def test_a_target_keeps_what_is_known_in_another_scope(boot):
    """A program goes in whose scope a process was found: others may have it managed, too."""
    run = boot(
        f"{SETUP}{CGROUPS}cd /sys/kernel/mm/demeter; echo 1 >enabled\n"
        "sleep 60 & p=$!; sleep 60 & q=$!\n"
        # a process has other memory since it executed another program
        "until_ 'grep -q sleep /proc/$p/comm && grep -q sleep /proc/$q/comm'; say sleeps $?\n"
        "of() { stat -c %i targets/$1 2>/dev/null || echo none; }\n"
        'for other in "pid $p" "tree $p" "cgroup /" "all 0"; do\n'
        "exec 3>/dev/demeter; echo attach tree $$ >&3; echo $other >attach\n"
        "before=$(of $p); exec 3>&-; name=${other% *}\n"
        '[ $(of $p) = $before ]; say ${name}_keeps $?; say ${name}_has "$before"\n'
        "[ $(of $q) = none ]; say ${name}_drops $?\n"
        'echo $other >detach; say ${name}_end "$(ls targets)"; done\n'
        # those of no other scope go, those of the administrator's own stay what they were
        "echo pid $p >attach; before=$(of $p); echo tree $$ >attach\n"
        "echo pid $p >detach; [ $(of $p) = $before ]; say detach $?\n",
        design="demeter", setup="",
    )  # fmt: skip
    out, found = text(run), said(run)
    assert found["sleeps"] == "0", out
    for name in ("pid", "tree", "cgroup", "all"):
        assert found[f"{name}_has"] != "none" and found[f"{name}_keeps"] == "0", out
        assert found[f"{name}_drops"] == ("1" if name in ("cgroup", "all") else "0"), out
        assert found[f"{name}_end"] == "", out
    assert found["detach"] == "0", out
    no_complaint(run)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_users_leave_nothing_behind(boot, seed: int):
    """200 steps of four shells at the same time: the selftest."""
    folder = TOP / "linux/tools/testing/selftests/demeter"
    run = boot(
        f"sh /job/holders.sh {seed}; echo status $?; rmmod demeter; echo rmmod $?",
        design="demeter", setup=LOAD, files=[folder / "holders.sh"], vcpus=2,
        vm_memory=384 * MIB, fast_ratio=0.25, timeout_s=300,
    )  # fmt: skip
    out = text(run)
    assert "ok 1 200 steps" in out and "status 0\nrmmod 0\n" in out, out
    no_complaint(run)


def test_random_users_without_two_tiers_are_skipped(boot):
    folder = TOP / "linux/tools/testing/selftests/demeter"
    run = boot(
        "sh /job/holders.sh; echo status $?",
        design="demeter", setup=LOAD, files=[folder / "holders.sh"], fast_ratio=1.0,
    )  # fmt: skip
    assert "# SKIP two memory tiers are needed\nstatus 4\n" in text(run)
