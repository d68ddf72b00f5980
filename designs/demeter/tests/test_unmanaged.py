# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that Demeter leaves alone: how much, why, and what demeterctl tells about it."""

from __future__ import annotations

import json
import re

import pytest
from demeter_bench.settings import MIB
from demeter_testing import BUILD, no_complaint, text
from demeter_testing.demeter import LOAD, RESTLESS

pytestmark = pytest.mark.needs("CONFIG_DESIGN_DEMETER")

# what the program itself and its C library have, of each kind
SLACK = 2 * MIB
HUGE_MIB = 4
# in a folder whose files are no shared memory
KINDS = (
    "mkdir /tmp/files; mount -t ramfs none /tmp/files; cd /tmp/files\n"
    f"echo {HUGE_MIB // 2} >/proc/sys/vm/nr_hugepages\n"
    "kinds() { /job/kinds $* >/tmp/ready & p=$!\n"
    " until grep -q ready /tmp/ready || ! kill -0 $p; do sleep 0.1; done; }\n"
)
# it does not change while it is compared
FREEZE = "echo 60000 >/sys/kernel/mm/demeter/epoch_ms; sleep 0.5\n"
FOLDER = "cd /sys/kernel/mm/demeter; grep -r . . 2>/dev/null >/out/folder\n"
STATUS = "demeterctl status --json >/out/status.json\n"


def lines(run, name: str) -> dict[str, int]:
    """Return the numbers of a file of the folder that has names and numbers."""
    found = (run.guest / "folder").read_text()
    return {n: int(v) for n, v in re.findall(rf"^\./{name}:(\w+) (\d+)$", found, re.M)}


def numbers(run, folder: str) -> dict[str, int]:
    """Return those of all files of a folder that have nothing but a number."""
    found = (run.guest / "folder").read_text()
    return {n: int(v) for n, v in re.findall(rf"^\./{folder}/(\w+):(\d+)$", found, re.M)}


def shown_files(run) -> dict[str, dict[str, int]]:
    """Return the numbers of all files and shared memory, by the names of their folders."""
    found = (run.guest / "folder").read_text()
    return {
        n: numbers(run, f"files/{n}") for n in re.findall(r"^\./files/(\w+)/comm:", found, re.M)
    }


def mib(target: dict[str, int]) -> float:
    return (target["fast_pages"] + target["slow_pages"]) * 4096 / MIB


def test_what_is_left_alone_is_known_by_kind(boot):
    """All is managed but what has to be in one tier: by process, by file, or by shared object."""
    made = {"anonymous": 40, "locked": 12, "both": 8, "bound": 14, "shared": 10, "file": 16}
    made["copies"] = 6
    run = boot(
        KINDS + f"kinds {' '.join(f'{kind}={mib}' for kind, mib in made.items())}"
        f" huge={HUGE_MIB} forked=24; echo pid $p\n"
        "cd /sys/kernel/mm/demeter; echo pid $p >attach\n"
        f"sleep 3; {FREEZE}{FOLDER}{STATUS}grep -E 'Rss(Anon|File|Shmem)|VmRSS' /proc/$p/status\n"
        "demeterctl explain $p; demeterctl explain --json $p >/out/explain.json; kill $p",
        design="demeter", setup=RESTLESS.replace("echo all 8 >attach; ", ""),
        files=[BUILD / "tests/kinds"], vm_memory=384 * MIB, fast_ratio=0.1, timeout_s=300,
    )  # fmt: skip
    out = text(run)
    pid = int(out.split("pid ")[1].split()[0])
    left, target = lines(run, f"targets/{pid}/unmanaged"), numbers(run, f"targets/{pid}")
    assert left["policy"] == made["bound"] * MIB, out
    # what drivers map, and huge pages of another size, is all that is left alone besides
    assert left["file"] <= MIB and left["hugetlb"] == left["cpuset"] == left["node"] == 0, out
    own = sum(made[kind] for kind in ("anonymous", "locked", "both", "copies")) + HUGE_MIB + 24
    movable = (target["fast_pages"] + target["slow_pages"]) * 4096
    assert own * MIB <= movable <= own * MIB + SLACK, out
    files = [mib(file) for file in shown_files(run).values()]
    for kind in ("shared", "file", "copies"):
        assert any(abs(size - made[kind]) < 0.1 for size in files), (kind, files, out)
    # what came last is hot, and was to be moved; so may be a page of the program's own
    assert left["forked"] <= 24 * MIB + SLACK and left["unsampled"] == left["protected"] == 0, out
    # all that is resident is managed, or has a reason; huge pages of pools do not count there
    rss = {n: int(kib) << 10 for n, kib in re.findall(r"(Rss\w+|VmRSS):\s+(\d+)", out)}
    of_files = rss["RssFile"] + rss["RssShmem"]
    assert abs(movable - HUGE_MIB * MIB + left["policy"] + of_files - rss["VmRSS"]) < MIB, out
    explained = json.loads((run.guest / "explain.json").read_text())
    assert explained["unmanaged"] == left and explained["scopes"] == [f"pid {pid}"]
    stuck = sum(left[r] for r in ("forked", "pinned", "busy", "refused"))
    assert abs(explained["managed"] - (movable - stuck + of_files - left["file"])) < MIB, out
    assert (
        abs(explained["resident"] - rss["VmRSS"] - HUGE_MIB * MIB) < MIB
        and explained["warnings"] == []
    )
    assert f'Process {pid} (kinds) is managed, since it is in the scope "pid {pid}".' in out
    assert "\n  14.0 MiB has a policy that keeps it in one tier" in out, out
    assert "Sampling: pebs samples loads on 1" in out, out
    no_complaint(run)


def test_status_has_every_number_of_the_folder(boot):
    run = boot(
        KINDS + "kinds shared=6 anonymous=32 bound=8; cd /sys/kernel/mm/demeter\n"
        f"sleep 3; {FREEZE}{FOLDER}{STATUS}demeterctl status; kill $p",
        design="demeter", setup=f"{LOAD}echo 50 >epoch_ms; echo all 8 >attach; echo 1 >enabled\n",
        files=[BUILD / "tests/kinds"],
    )  # fmt: skip
    status = json.loads((run.guest / "status.json").read_text())
    assert status["stats"] == numbers(run, "stats")
    health = lines(run, "source_health")
    assert status["source_health"] == health and health["epochs"] > 10, text(run)
    assert health["loads_sampled"] == health["stores_sampled"] == health["cpus"] == 1
    assert status["targets"]
    for target in status["targets"]:
        files = numbers(run, f"targets/{target['pid']}")
        files["ranges"] = files.pop("nr_ranges")
        assert {name: target[name] for name in files} == files
        assert target["unmanaged"] == lines(run, f"targets/{target['pid']}/unmanaged")
    (kinds,) = (t for t in status["targets"] if t["comm"] == "kinds")
    assert kinds["unmanaged"]["policy"] == 8 * MIB and 70 < kinds["managed_percent"] < 90
    assert re.search(r"^ +left alone: .*policy 8\.0 MiB", text(run), re.M)
    shown = shown_files(run)
    assert {file["name"] for file in status["files"]} == set(shown) >= {"unmapped"}
    for file in status["files"]:
        files = shown[file["name"]]
        assert {name: file[name] for name in files if name != "nr_ranges"}.items() <= files.items()
    assert any(abs(mib(file) - 6) < 0.1 for file in status["files"]), text(run)
    no_complaint(run)


def test_a_process_that_must_stay_on_some_nodes_is_left_alone(boot):
    """By its cpuset, which it enters after it was managed; and then it is managed again."""
    enter = "echo $p >/tmp/cg/{}/cgroup.procs\n"
    tell = "grep -H . targets/$p/unmanaged targets/$p/*_pages\n"
    run = boot(
        KINDS + "mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg\n"
        "echo +cpuset >/tmp/cg/cgroup.subtree_control; mkdir /tmp/cg/all /tmp/cg/slow\n"
        "echo 1 >/tmp/cg/slow/cpuset.mems\n"
        f"kinds locked=4 anonymous=32; {enter.format('all')}cd /sys/kernel/mm/demeter\n"
        f"sleep 2; {tell}echo next; {enter.format('slow')}sleep 3; {tell}"
        f"demeterctl explain $p; echo next; {enter.format('all')}sleep 3; {tell}kill $p",
        design="demeter", setup=f"{LOAD}echo 50 >epoch_ms; echo all 8 >attach; echo 1 >enabled\n",
        files=[BUILD / "tests/kinds"],
    )  # fmt: skip
    found = []
    for part in text(run).split("next\n"):
        files = {n: int(v) for n, v in re.findall(r"unmanaged:(\w+) (\d+)$", part, re.M)}
        files["movable"] = 4096 * sum(int(n) for n in re.findall(r"_pages:(\d+)$", part, re.M))
        found.append(files)
    for files in (found[0], found[2]):
        assert files["cpuset"] == 0 and 36 * MIB <= files["movable"] <= 37 * MIB, text(run)
    assert 36 * MIB <= found[1]["cpuset"] <= 37 * MIB, text(run)
    assert found[1]["movable"] == 0 and "stays because the cpuset" in text(run)
    no_complaint(run)


def test_numa_balancing_is_noticed(boot):
    """Once in the log for each start, and by demeterctl as long as it is on."""
    run = boot(
        "cd /sys/kernel/mm/demeter; echo 20 >epoch_ms; echo all 8 >attach\n"
        "balancing=/proc/sys/kernel/numa_balancing\n"
        "told() { echo \"$1 $(dmesg | grep -c 'NUMA balancing is on and moves pages')\"; }\n"
        "echo 1 >enabled; sleep 1; told off\n"
        f"echo 1 >$balancing; sleep 1; told on; demeterctl status | grep NUMA; {STATUS}"
        "echo 0 >$balancing; sleep 1; echo 2 >$balancing; sleep 1; told again\n"
        "echo 0 >enabled; echo 1 >enabled; sleep 1; told restarted\n"
        "echo 0 >$balancing; demeterctl status | grep -c NUMA; true",
        design="demeter", setup=LOAD,
    )  # fmt: skip
    out = text(run)
    assert re.findall(r"^(\w+) (\d)$", out, re.M) == [
        ("off", "0"), ("on", "1"), ("again", "1"), ("restarted", "2"),
    ], out  # fmt: skip
    assert "warning:     NUMA balancing is on (kernel.numa_balancing=1) and moves" in out
    assert out.endswith("\n0\n"), out
    status = json.loads((run.guest / "status.json").read_text())
    assert status["numa_balancing"] == 1 and "NUMA" in status["warnings"][0]
    no_complaint(run)


def test_health_of_accessed_bits(boot):
    run = boot(
        KINDS + "kinds anonymous=32; cd /sys/kernel/mm/demeter\n"
        f"sleep 4; {FREEZE}{FOLDER}demeterctl status | grep health; kill $p\n"
        "echo 0 >enabled; wc -c <source_health",
        design="demeter",
        setup=f"{LOAD}echo 100 >epoch_ms; echo accessed >source; echo all 8 >attach\n"
        "echo 1 >enabled\n",
        files=[BUILD / "tests/kinds"],
    )  # fmt: skip
    health = lines(run, "source_health")
    assert (health["processes"], health["processes_watched"]) == (1, 1), text(run)
    assert health["processes_limit"] == 64 and health["samples"] > 0
    assert "health:      accessed watches 1 of 1 processes; in the last" in text(run)
    assert text(run).endswith("\n0\n"), text(run)
    no_complaint(run)


def test_areas_of_huge_pages_without_any_cost_little(boot):
    """Anybody may have 32 TiB of them; those who have more memory are looked at all the same."""
    run = boot(
        KINDS + f"kinds empty={32 << 20} anonymous=8; one=$p; kinds empty={32 << 20} anonymous=8\n"
        "sleep 3; cd /sys/kernel/mm/demeter; grep -H . stats/classify_ns targets/*/*_pages\n"
        "kill $one $p",
        design="demeter", setup=f"{LOAD}echo 50 >epoch_ms; echo all 8 >attach; echo 1 >enabled\n",
        files=[BUILD / "tests/kinds"],
    )  # fmt: skip
    out = text(run)
    assert int(re.search(r"classify_ns:(\d+)", out)[1]) < 100_000_000, out
    pages: dict[str, int] = {}
    for pid, n in re.findall(r"targets/(\d+)/\w+_pages:(\d+)", out):
        pages[pid] = pages.get(pid, 0) + int(n)
    assert len(pages) == 2 and min(pages.values()) >= 8 * MIB // 4096, out
    no_complaint(run)
