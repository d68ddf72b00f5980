# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiered balloon from end to end: our QEMU, the real daemon, the driver in a guest.

In plain TCG, where virtual CPUs really run at the same time. While a job runs in the guest,
a thread of the test is the host: it resizes nodes at random, kills the daemon, and compares
what guest and host say, to the page. Each of the tests with a guest that works takes
STRESS_SECONDS, some seconds in make check and ten minutes in make stress.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from demeter_bench import processes
from demeter_bench.designs import DESIGNS
from demeter_bench.provision import PROVISIONS, tiered_balloon
from demeter_bench.provision.provision import ProvisionError
from demeter_bench.provision.tiered_balloon import TieredBalloon
from demeter_bench.settings import MIB
from demeter_bench.vm import Run
from demeter_testing import BUILD, kunit, no_complaint, text
from demeter_testing.demeter import LOAD

SECONDS = int(os.environ.get("STRESS_SECONDS", "20"))
PAGE = 4096
CHUNK = 2 * MIB
MEMORY = 512 * MIB  # of the VM, and of each of its nodes
DRIVER = "/sys/bus/virtio/drivers/virtio_tiered_balloon"
VMSTAT = "grep -E '^(balloon|pgsteal|pswp|oom_kill|nr_isolated)' /proc/vmstat\n"

pytestmark = [pytest.mark.boots, pytest.mark.needs("cloud-hypervisor/tiered-balloon")]


class Host(threading.Thread):
    """What a hypervisor's operator does to the VM in the folder, until the job ends."""

    def __init__(self, folder: Path, act: Callable[[Host], None]) -> None:
        super().__init__()
        self.folder, self.act = folder, act
        self.random = random.Random(1)
        self.problem: BaseException | None = None
        self.ended = threading.Event()

    def ask(self, method: str, what: str, body: object = None) -> Any:
        return tiered_balloon.request(self.folder / tiered_balloon.API, method, what, body)

    def nodes(self) -> list[dict[str, int]]:
        return self.ask("GET", "/vm")["nodes"]

    def resize(self, *sizes: int) -> None:
        targets = [{"pxm": i, "bytes": size} for i, size in enumerate(sizes)]
        self.ask("PUT", "/targets", {"targets": targets})

    def until(self, what: str, reached: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                raise AssertionError(f"not {what}: {self.nodes()} {self.ask('GET', '/stats')}")
            time.sleep(0.01)

    def is_settled(self) -> bool:
        return all(n["ballooned"] == n["bytes"] - n["target"] for n in self.nodes())

    def agree(self) -> None:
        """Wait for what was asked for, then compare what guest, daemon and memory files say."""
        self.until("settled", self.is_settled)

        def guest_says_so() -> bool:
            guest = self.ask("GET", "/stats")["statistics"] or {"nodes": []}
            found = [(n["ballooned"] * PAGE, n["target"] * PAGE) for n in guest["nodes"]]
            return found == [(n["ballooned"], n["ballooned"]) for n in self.nodes()]

        self.until("in agreement", guest_says_so)
        for node in self.nodes():
            assert node["resident"] <= node["bytes"] - node["ballooned"] + CHUNK, node

    def guest_is_there(self) -> bool:
        try:
            return self.ask("GET", "/vm")["driver"] is not None
        except ProvisionError:
            return False

    def run(self) -> None:
        try:
            while not self.ended.is_set() and not self.guest_is_there():
                time.sleep(0.05)
            if not self.ended.is_set():
                self.act(self)
        except BaseException as problem:
            if not self.ended.is_set():
                self.problem = problem
        finally:
            # the job waits for that
            (self.folder / "host-is-done").touch()

    def working(self) -> Iterator[float]:
        """Yield for as long as a test is to take, with the seconds since the beginning."""
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < SECONDS and not self.ended.is_set():
            yield now

    def pages(self, least: float = 0.3) -> int:
        """Return a random size, of which two together are more than what is in use."""
        return self.random.randrange(int(MEMORY * least) // PAGE, MEMORY // PAGE + 1) * PAGE


class Restartable(TieredBalloon):
    """Provides nothing before the job, and survives the end of its daemon."""

    name = "restartable"
    shrinks = False

    def fault(self) -> str:
        return ""


@pytest.fixture
def guest(boot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """guest(command, host's act, dies=False, ...) -> Run: both at the same time."""
    monkeypatch.setitem(PROVISIONS, Restartable.name, Restartable)

    def run(command: str, act: Callable[[Host], None], dies: bool = False, **more: Any) -> Run:
        folder = tmp_path / "vm0"
        host = Host(folder, act)
        host.start()
        try:
            done = boot(
                command, provision=Restartable.name,
                **{"machine": {"parallel": True}, "vcpus": 2, **more},
                vm_memory=MEMORY, timeout_s=2 * SECONDS + 900,
            )  # fmt: skip
        finally:
            host.ended.set()
            host.join()
        if host.problem:
            raise host.problem
        if not dies:
            text(done)
            no_complaint(done)
        return done

    return run


def counts(out: str) -> dict[str, int]:
    return {k: int(v) for k, v in re.findall(r"^([a-z_]+) (\d+)$", out, re.M)}


def assert_untouched(found: dict[str, int]) -> None:
    """Nothing was reclaimed, swapped or killed, and no page is still counted as on its way."""
    names = ("pgsteal", "pswp", "oom_kill", "nr_isolated")
    assert not {k: n for k, n in found.items() if n and k.startswith(names)}
    assert "nr_isolated_anon" in found and "oom_kill" in found


def test_kunit(boot):
    linux = BUILD / "linux/guest"
    modules = [
        linux / "lib/kunit/kunit.ko",
        linux / "drivers/virtio/tiered_balloon/virtio_tiered_balloon_kunit.ko",
    ]
    out = text(
        boot(
            "insmod /job/kunit.ko enable=1; insmod /job/virtio_tiered_balloon_kunit.ko; dmesg",
            files=modules,
        )
    )
    passed, total = kunit(out)["tiered-balloon"]
    assert passed == total >= 5, out
    assert "not ok" not in out


def work(seconds: float, more: str = "") -> str:
    """Use memory, verify it all the time, and then tell what it did to the guest."""
    return f"/job/churn --processes 2 --mem 40 --seconds {seconds:.0f} {more} || exit 1\n{VMSTAT}"


CHURN = [BUILD / "tests/churn"]


@pytest.mark.needs("tests/churn")
def test_all_agree_on_every_page(guest):
    """Any mix of tiers, while processes use memory: nothing is reclaimed, nothing leaks."""
    resizes = 0

    def act(host: Host) -> None:
        nonlocal resizes
        for _ in host.working():
            host.resize(host.pages(), host.pages())
            host.agree()
            resizes += 1
        host.resize(MEMORY, MEMORY)
        host.agree()

    done = guest(work(SECONDS + 5), act, files=CHURN)
    found = counts(text(done))
    print(f"\n{resizes} resizes")
    assert resizes > SECONDS / 4
    assert found["balloon_inflate"] == found["balloon_deflate"] > 0
    assert_untouched(found)


@pytest.mark.needs("CONFIG_DESIGN_DEMETER")
def test_the_curve_of_heat_begins_with_what_the_kernel_has(guest):
    """The guest can use the first pages of fast memory for nothing else."""

    def act(host: Host) -> None:
        found: dict[str, Any] = {}

        def told() -> bool:
            found.update(host.ask("GET", "/stats")["statistics"] or {})
            return bool(found.get("heat"))

        host.until("told what is hot", told, 300)
        fast, state = host.nodes()[0], found["nodes"][0]
        descriptions = fast["bytes"] // PAGE - state["total"] - state["ballooned"]
        hottest = found["heat"][0]["pages"]
        assert 0 < descriptions < hottest < fast["bytes"] // PAGE // 2

    guest(
        "gups --mem 64M --hot 2M --hot-weight 0.9 --reverse --updates 40000000", act,
        design="demeter", setup=DESIGNS["demeter"].setup, machine={}, vcpus=1,
    )  # fmt: skip


@pytest.mark.needs("tests/churn")
def test_a_daemon_may_die_at_any_moment(guest):
    kills = 0

    def act(host: Host) -> None:
        nonlocal kills
        for _ in host.working():
            host.resize(host.pages(), host.pages())
            time.sleep(host.random.random() * 0.05)
            restart(host)
            kills += 1
            host.until("connected", host.guest_is_there)
            host.resize(host.pages(), host.pages())
            host.agree()

    done = guest(work(SECONDS + 5), act, files=CHURN)
    print(f"\n{kills} kills")
    assert kills > 0 and counts(text(done))["oom_kill"] == 0


def has_ended(pid: int) -> bool:
    """Say whether all threads have ended, so that what they had open is closed."""
    try:
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return threads == 1 and state == "Z"


def restart(host: Host) -> None:
    """Kill the daemon, and start another one with the same arguments."""
    pid = host.ask("GET", "/vm")["pid"]
    args = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    os.kill(pid, 9)
    while not has_ended(pid):
        time.sleep(0.001)
    with (host.folder / tiered_balloon.LOG).open("ab") as log:
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *args],
            cwd=host.folder, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"ready\n"


@pytest.fixture(autouse=True)
def no_daemon_is_left() -> Iterator[None]:
    """Those that a test has started itself end with it."""
    yield
    me = os.getpid()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().partition("(")[2].rsplit(")", 1)
        except OSError:
            continue
        if name == "tiered-balloon" and int(rest.split()[1]) == me and rest.split()[0] != "Z":
            os.kill(int(stat.parent.name), 9)


@pytest.mark.needs("tests/churn")
def test_the_driver_may_leave_in_mid_request(guest):
    """Unbound from its device it gives all memory back, and bound again it takes it."""

    def act(host: Host) -> None:
        for _ in host.working():
            host.resize(host.pages(), host.pages())
            time.sleep(host.random.random() * 0.2)
        host.until("back", host.guest_is_there)

    out = text(
        guest(
            f"{{ {work(SECONDS + 5)}}} &\ncd {DRIVER}; device=$(echo virtio*); n=0\n"
            f"while [ $n -lt {SECONDS} ]; do n=$((n + 1)); sleep 0.$((n % 5 + 1))\n"
            "echo $device >unbind || exit 1\n"
            "echo total $(awk '/^MemTotal/ { print $2 }' /proc/meminfo)\n"
            "echo $device >bind || exit 1; sleep 0.5; done\nwait\necho unbound $n\n",
            act,
            files=CHURN,
        )
    )
    totals = set(re.findall(r"^total (\d+)", out, re.M))
    assert len(totals) == 1, totals
    assert f"unbound {SECONDS}" in out


OUT_OF_MEMORY = (
    "until [ $(awk '/^MemTotal/ { print $2 }' /proc/meminfo) -lt 400000 ]; do sleep 0.1; done\n"
    "mount -o remount,size=200% /tmp\n"
    "dd if=/dev/zero of=/tmp/x bs=1M count=450 2>&1\n"
    "ls -s /tmp/x\n" + VMSTAT + "rm /tmp/x\n"
)


def test_out_of_memory_the_guest_gets_some_back(guest):
    def act(host: Host) -> None:
        host.resize(150 * MIB, 150 * MIB)

    done = guest(OUT_OF_MEMORY, act)
    found = counts(text(done))
    assert found["oom_kill"] == 0 and found["balloon_deflate"] > 0
    assert "450+0 records out" in text(done)


def test_out_of_memory_the_host_may_refuse_it(guest, monkeypatch: pytest.MonkeyPatch):
    start = processes.start

    async def strict(command, *args, **more):
        if str(command[0]).endswith(tiered_balloon.DAEMON):
            command = [*command, "--no-deflate-on-oom"]
        return await start(command, *args, **more)

    monkeypatch.setattr(processes, "start", strict)

    def act(host: Host) -> None:
        host.resize(150 * MIB, 150 * MIB)

    done = guest(OUT_OF_MEMORY, act, dies=True)
    # it depends on whom the kernel kills whether the job ends well
    assert "Out of memory: Killed process" in (done.folder / "console.log").read_text()


def test_what_does_not_fit_stays(guest):
    """A target that cannot be reached costs nothing but the try."""

    def act(host: Host) -> None:
        host.until("used", lambda: host.nodes()[0]["resident"] > 300 * MIB)
        host.resize(150 * MIB, 150 * MIB)
        for _ in host.working():
            time.sleep(0.1)
        assert not host.is_settled()
        host.resize(MEMORY, MEMORY)
        host.agree()

    done = guest(
        f"dd if=/dev/urandom of=/tmp/x bs=1M count=350 2>&1; md5sum </tmp/x >/tmp/sum\n"
        f"sleep {SECONDS + 5}; md5sum </tmp/x | cmp - /tmp/sum || exit 1\n{VMSTAT}",
        act,
        setup="mount -o remount,size=90% /tmp\n",
    )
    found = counts(text(done))
    assert found["balloon_inflate"] > 0
    assert_untouched(found)


@pytest.mark.stress
@pytest.mark.xdist_group("stress")
@pytest.mark.needs("linux/debug/.built", "tests/churn")
@pytest.mark.parametrize("demeter", [True, False], ids=["demeter", "lru"])
def test_stress(guest, demeter: bool):
    """On a kernel with KASAN, lockdep and DEBUG_VM: all at the same time."""

    def act(host: Host) -> None:
        for _ in host.working():
            host.resize(host.pages(0.4), host.pages(0.4))
            time.sleep(host.random.random())
            if host.random.random() < 0.1:
                restart(host)
                host.until("connected", host.guest_is_there)
        host.resize(MEMORY, MEMORY)
        host.agree()

    module = BUILD / "linux/debug/mm/demeter/demeter.ko"
    load = LOAD.replace("/lib/modules", "/job") + (
        "echo accessed >source; echo 200 >epoch_ms; echo 1 >margin; echo 0 >exchange_ns\n"
        "echo 2 >backoff_epochs; echo all 8 >attach; echo 1 >enabled\n"
    )
    done = guest(
        f"{{ {work(SECONDS + 10, '--thp')}}} &\nn=0\n"
        f"while [ $n -lt {SECONDS // 5 or 1} ]; do n=$((n + 1)); sleep 4\n"
        "echo 1 >/proc/sys/vm/compact_memory; done\nwait\n" + VMSTAT,
        act,
        guest="debug",
        setup="echo always >/sys/kernel/mm/transparent_hugepage/enabled\n"
        + (load if demeter else ""),
        files=[*CHURN, *([module] if demeter else [])],
    )
    assert counts(text(done))["oom_kill"] == 0
