# SPDX-License-Identifier: GPL-2.0-or-later
"""How VMs get their memory: sizes, command lines, and what happens before and in a run."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from demeter_bench.chart import draw
from demeter_bench.design import Design
from demeter_bench.designs import DESIGNS
from demeter_bench.errors import UserError
from demeter_bench.matrix import make_runs
from demeter_bench.platforms.emulated import Emulated, plugin_args
from demeter_bench.platforms.kvm import Kvm
from demeter_bench.platforms.platform import Platform
from demeter_bench.provision import PROVISIONS, session, tiered_balloon
from demeter_bench.provision.provision import Provision
from demeter_bench.provision.static import Static
from demeter_bench.provision.tiered_balloon import TieredBalloon
from demeter_bench.results import make_row, phases, write_summary
from demeter_bench.settings import MIB, Settings
from demeter_bench.vm import Run, Vm, job_files, resize_plan
from demeter_bench.workload import Workload
from demeter_bench.workloads import WORKLOADS
from demeter_testing import TOP, fake_balloon, fake_guest, leftovers, no_complaint, results, text

GIB = 1 << 30
TPP, ALL_FAST = DESIGNS["tpp"], DESIGNS["all-fast"]
BALLOONS = ("virtio-balloon", "tiered-balloon")


def test_all_say_what_they_are():
    assert set(PROVISIONS) == {"static", "tiered-balloon", "virtio-balloon", "virtio-mem"}
    for trait in ("about", "title", "color", "line"):
        assert len({getattr(p, trait) for p in PROVISIONS.values()}) == len(PROVISIONS)


@pytest.mark.parametrize("name", BALLOONS)
def test_with_a_balloon_each_node_is_as_large_as_the_vm(settings: Settings, name: str):
    s = dataclasses.replace(settings, fast_ratio=0.2)
    nodes = PROVISIONS[name].layout(s, TPP)
    assert [(n.tier, n.share, n.memory, n.pluggable) for n in nodes] == [
        ("fast", 102 * MIB, 512 * MIB, 0),
        ("slow", 410 * MIB, 512 * MIB, 0),
    ]


def test_device_memory_is_whole_blocks(settings: Settings):
    s = dataclasses.replace(settings, fast_ratio=0.2)
    nodes = PROVISIONS["virtio-mem"].layout(s, TPP)
    assert [(n.memory, n.pluggable) for n in nodes] == [
        (102 * MIB, 512 * MIB),
        (410 * MIB, 128 * MIB),
    ]
    assert all(n.most >= s.vm_memory and n.memory == n.share for n in nodes)


@pytest.mark.parametrize("name", PROVISIONS)
def test_of_one_tier_nothing_is_taken(settings: Settings, name: str):
    (node,) = PROVISIONS[name].layout(settings, ALL_FAST)
    assert node.share == node.memory == node.most == settings.vm_memory


def maps(args: list[str]) -> list[tuple[int, int, int]]:
    """(tier, base, bytes) of the memory model's options."""
    found = (re.fullmatch(r"map=(\d):(0x\w+):(0x\w+)", arg) for arg in args)
    return [(int(m[1]), int(m[2], 16), int(m[3], 16)) for m in found if m]


@pytest.mark.parametrize("name", PROVISIONS)
@pytest.mark.parametrize("memory", [512 * MIB, 1536 * MIB, 3 * GIB, 16 * GIB])
def test_the_memory_model_knows_all_memory(settings: Settings, name: str, memory: int):
    s = dataclasses.replace(settings, vm_memory=memory)
    nodes = PROVISIONS[name].layout(s, TPP)
    found = maps(plugin_args(s, nodes, 1))
    for tier, node in enumerate(nodes):
        assert sum(size for t, _, size in found if t == tier) == node.most
    ranges = sorted((base, base + size) for _, base, size in found)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ranges))
    # but for the hole
    assert ranges[0][0] == 0 and not any(
        begin < 4 * GIB and end > 0xB000_0000 for begin, end in ranges
    )


def command(s: Settings, name: str, design: Design = TPP) -> list[str]:
    return Emulated(Path("/b")).job_command(s, design, 1, 7, PROVISIONS[name])


def after(args: list[str], option: str) -> list[str]:
    return [b for a, b in pairwise(args) if a == option]


def test_a_static_machine_has_nothing_more(settings: Settings):
    args = command(settings, "static")
    assert args == Emulated(Path("/b")).job_command(settings, TPP, 1, 7)
    assert after(args, "-m") == ["512M"] and "-qmp" not in args
    assert "file,id=stream,path=stream" in args


@pytest.mark.parametrize("name", sorted(set(PROVISIONS) - {"static"}))
def test_a_guest_that_waits_can_be_told_to_go_on(settings: Settings, name: str):
    assert "file,id=stream,path=stream,input-path=control" in command(settings, name)
    s = dataclasses.replace(settings, provision=(name,))
    job = job_files(s, make_runs(s)[0])
    assert job["provision"] == "" and [*job][-1] == "run"
    assert "provision" not in job_files(settings, make_runs(settings)[0])


def test_a_machine_with_the_tiered_balloon(settings: Settings):
    args = command(settings, "tiered-balloon")
    assert after(args, "-m") == ["1024M"]
    assert [a for a in after(args, "-object") if f"size={512 * MIB}" in a] == [
        f"memory-backend-memfd,id=mem{i},size={512 * MIB}" for i in (0, 1)
    ]
    assert "socket,id=balloon,path=balloon.sock,reconnect-ms=100" in after(args, "-chardev")
    assert after(args, "-device")[0] == (
        "vhost-user-device-pci,chardev=balloon,virtio-id=13,num_vqs=3,vq_size=256,config_size=256"
    )


def test_upstreams_device_is_not_told_to_reconnect(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
):
    device = "vhost-user-test-device-pci"
    monkeypatch.setattr(Emulated, "generic_device", classmethod(lambda cls, s: device))
    args = command(settings, "tiered-balloon")
    assert after(args, "-device")[0].startswith(f"{device},chardev=balloon")
    assert "socket,id=balloon,path=balloon.sock" in after(args, "-chardev")


def test_the_device_is_that_of_the_kernels_header():
    header = (TOP / "linux/include/uapi/linux/virtio_tiered_balloon.h").read_text()

    def value(name: str) -> int:
        return int(re.search(rf"#define {name}\s+(\d+)", header)[1])

    assert value("VIRTIO_ID_TIERED_BALLOON") == tiered_balloon.VIRTIO_ID
    # four numbers of 32 bits, then nodes of 16 bytes
    assert 16 + 16 * value("VIRTIO_TB_MAX_NODES") == tiered_balloon.CONFIG_BYTES
    queues = header.partition("enum virtio_tb_queue {")[2].partition("VIRTIO_TB_NR_QUEUES")[0]
    assert len(re.findall(r"VIRTIO_TB_\w+,", queues)) == tiered_balloon.QUEUES


def test_a_machine_with_the_stock_balloon(settings: Settings):
    args = command(settings, "virtio-balloon")
    assert after(args, "-m") == ["1024M"] and "virtio-balloon-pci" in after(args, "-device")
    assert after(args, "-qmp") == ["unix:qmp.sock,server=on,wait=off"]


def test_a_machine_with_virtio_mem(settings: Settings):
    args = command(settings, "virtio-mem")
    assert after(args, "-m") == ["512M,maxmem=1024M"]
    assert "memhp_default_state=online_movable" in after(args, "-append")[0]
    devices = [a for a in after(args, "-device") if "virtio-mem" in a]
    assert devices == [
        f"virtio-mem-pci,id=vmem{i},memdev=plug{i},node={i},memaddr={4 * GIB + i * 256 * MIB:#x},"
        f"requested-size={256 * MIB}"
        for i in (0, 1)
    ]
    assert not [a for a in command(settings, "virtio-mem", ALL_FAST) if "virtio-mem-pci" in a]


def qemu(folder: Path, devices: str) -> str:
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\necho '{devices}'\n")
    path.chmod(0o755)
    return str(path)


def test_kvm_takes_the_device_by_the_name_that_its_qemu_has(settings: Settings, tmp_path: Path):
    for line, name in (
        ('name "vhost-user-test-device-pci", bus PCI', "vhost-user-test-device-pci"),
        ('name "vhost-user-device-pci", bus PCI', "vhost-user-device-pci"),
    ):
        s = dataclasses.replace(settings, options=Kvm.Options(binary=qemu(tmp_path, line)))
        assert Kvm.generic_device(s) == name
    s = dataclasses.replace(
        settings, options=Kvm.Options(binary=qemu(tmp_path, 'name "vhost-user-blk-pci"'))
    )
    with pytest.raises(UserError, match="has no generic vhost-user device: QEMU 10.2 or later"):
        TieredBalloon.versions(Kvm(tmp_path), s)


def test_kvm_takes_no_memory_that_is_given_back(settings: Settings, tmp_path: Path):
    s = dataclasses.replace(settings, options=Kvm.Options(binary=qemu(tmp_path, "")))
    for name, prealloc in (("static", True), ("virtio-balloon", False)):
        args = Kvm(tmp_path).job_command(s, TPP, 1, 1, PROVISIONS[name])
        objects = after(args, "-object")
        assert all("policy=bind" in a and ("prealloc=on" in a) == prealloc for a in objects)


def test_versions(settings: Settings, tmp_path: Path):
    platform = Emulated(tmp_path)
    with pytest.raises(UserError, match="tiered-balloon is missing: run 'make cloud-hypervisor'"):
        TieredBalloon.versions(platform, settings)
    daemon(tmp_path)
    assert TieredBalloon.versions(platform, settings) == {"tiered_balloon": "fake 1"}
    assert PROVISIONS["static"].versions(platform, settings) == {}


def test_runs_of_every_way_to_provision(settings: Settings):
    s = dataclasses.replace(settings, designs=("tpp", "all-fast"), provision=("static", *BALLOONS))
    variants = [run.variant for run in make_runs(s)]
    assert variants == [(d, p, "") for d in s.designs for p in s.provision]
    assert [str(v) for v in variants[:2]] == ["tpp", "tpp-virtio-balloon"]
    assert [v.title for v in variants[:2]] == ["TPP", "TPP, virtio-balloon"]


# Runs with neither a guest nor a hypervisor


def daemon(build: Path) -> None:
    """Put the fake daemon where the real one is built."""
    path = build / tiered_balloon.DAEMON
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {fake_balloon.__file__} "$@"\n')
    path.chmod(0o755)


class Fake(Platform):
    """A machine that runs the fake guest for so many seconds."""

    name = "fake"
    seconds = 0.5

    def versions(self, s: Settings) -> dict[str, str]:
        return {}

    def job_command(
        self,
        s: Settings,
        design: Design,
        vms: int,
        seed: int,
        provision: type[Provision] = Static,
    ) -> list[str]:
        return [sys.executable, fake_guest.__file__, str(self.seconds)]

    def shell_command(self, s: Settings, design: Design, more: list[str]) -> list[str]:
        return []


@pytest.fixture
def machine(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Vm, Path]]:
    """machine(provision, failure="", workload="gups", seconds=0.5) -> the VM, its folder."""

    def make(
        provision: str, failure: str = "", workload: str = "gups", seconds: float = 0.5
    ) -> tuple[Vm, Path]:
        monkeypatch.setenv("FAKE_BALLOON", failure)
        monkeypatch.setattr(Fake, "seconds", seconds)
        daemon(tmp_path)
        (tmp_path / "image").write_text("")
        folder = tmp_path / "vm"
        folder.mkdir()
        run = Run(workload, "tpp", 1, 0, 0, provision)
        s = dataclasses.replace(settings, workloads=(workload,), provision=(provision,))
        return Vm(s, Fake(tmp_path), tmp_path / "image", run, {"run": "true\n"}), folder

    return make


def executed(made: tuple[Vm, Path]) -> Run:
    vm, folder = made
    asyncio.run(vm.execute(folder, lambda: None))
    assert leftovers(folder) == [] and not (folder / "control").exists()
    return vm.run


def test_a_static_vm_waits_for_nothing(machine):
    run = executed(machine("static"))
    assert run.state == "done", run.error
    assert run.resizes == [] and run.provision_s is None
    assert not (run.folder / "balloon.log").exists()


def test_the_job_begins_when_the_nodes_have_their_sizes(machine, settings: Settings):
    run = executed(machine("tiered-balloon"))
    assert run.state == "done", run.error
    (resize,) = run.resizes
    assert resize["shares"] == [256 * MIB, 256 * MIB]
    assert resize["pages"] == 512 * MIB // 4096 and resize["wall_s"] > 0
    assert run.provision_s == 0.5
    row = make_row(settings, run)
    assert row["provision"] == "tiered-balloon" and row["verified"]
    assert row["provision_pages"] == resize["pages"] and row["provision_s"] == 0.5
    assert row["provision_wall_s"] == resize["wall_s"] and row["longest_s"] == 0.005


@pytest.mark.parametrize("failure", fake_balloon.FAILURES)
def test_a_failing_daemon_fails_the_run(machine, monkeypatch: pytest.MonkeyPatch, failure: str):
    if failure in ("stick", "driverless"):
        monkeypatch.setattr(session, "STALL_S", 0.3)
    if failure == "mute":
        monkeypatch.setattr(tiered_balloon, "START_S", 0.3)
    stuck = "no progress in 0 s; node 0: {0} of 256 MiB taken, node 1: {0} of 256 MiB taken"
    expected = {
        "refuse": "did not start: tiered-balloon: the socket is in use",
        "mute": "was not ready in 0 s",
        "die": "tiered-balloon ended (101): tiered-balloon: the sky is falling",
        "stick": stuck.format(128),
        "driverless": stuck.format(0) + "; no driver has said hello",
        "garbage": "GET /vm: not understood",
        "error": "PUT /targets: not today",
    }
    run = executed(machine("tiered-balloon", failure))
    assert run.state == "failed" and expected[failure] in run.error, run.error
    assert "\n" not in run.error


def test_a_daemon_that_dies_in_the_run_fails_it(machine):
    vm, folder = machine("tiered-balloon", seconds=30)

    async def kill() -> None:
        while vm.run.measured_s == 0:
            await asyncio.sleep(0.05)
        pids = [p for p in Path("/proc").glob("[0-9]*") if is_daemon(p, folder)]
        assert len(pids) == 1
        os.kill(int(pids[0].name), signal.SIGKILL)

    async def both() -> None:
        await asyncio.gather(vm.execute(folder, lambda: None), kill())

    began = time.monotonic()
    asyncio.run(both())
    assert time.monotonic() - began < 20
    assert vm.run.state == "failed" and vm.run.error == "tiered-balloon ended (-9)"
    assert leftovers(folder) == []


def is_daemon(proc: Path, folder: Path) -> bool:
    try:
        there = (proc / "cwd").resolve() == folder
        return there and b"--socket" in (proc / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("failure", ["", "stick"])
def test_an_interrupted_run_leaves_nothing_running(machine, failure: str):
    vm, folder = machine("tiered-balloon", failure, seconds=30)

    async def interrupted() -> None:
        task = asyncio.ensure_future(vm.execute(folder, lambda: None))
        while vm.run.state not in ("provisioning", "running"):
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(interrupted())
    assert leftovers(folder) == []


# Sizes that change in the run


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch) -> str:
    """A workload whose fast tier becomes smaller and larger."""
    resizes = ((0.4, 0.25), (2.0, 0.75))
    workload = Workload(lambda size, seed: "true", about="grows", resizes=resizes, timeline=True)
    monkeypatch.setitem(WORKLOADS, "growing", workload)
    return "growing"


def test_nodes_are_resized_while_the_job_runs(machine, growing: str, settings: Settings):
    run = executed(machine("tiered-balloon", workload=growing, seconds=6))
    assert run.state == "done", run.error
    assert [r["shares"][0] // MIB for r in run.resizes] == [256, 128, 384]
    assert [r["pages"] for r in run.resizes] == [131072, 65536, 131072]
    first, second, third = (r["at_s"] for r in run.resizes)
    assert first == 0 and 0.4 <= second < 2 <= third < 6
    found = phases(run)
    assert [p["end_s"] for p in found] == [second, third, 6.0]
    assert sum(len(p["rates"]) for p in found) == 60
    assert found[2]["longest_s"] == 0.06 and found[2]["settled_rate"] is None
    assert found[0]["rate"] < found[1]["rate"] < found[2]["rate"]
    assert json.loads(json.dumps(run.resizes)) == run.resizes


def test_a_job_that_ends_before_its_last_resize_fails(
    machine, growing: str, monkeypatch: pytest.MonkeyPatch
):
    late = dataclasses.replace(WORKLOADS[growing], resizes=((0.4, 0.25), (100, 0.75)))
    monkeypatch.setitem(WORKLOADS, growing, late)
    run = executed(machine("tiered-balloon", workload=growing, seconds=4))
    assert run.state == "failed"
    assert run.error == "the job ended before it was resized at 100 s"


def test_the_plan_leaves_the_vms_sum(settings: Settings):
    s = dataclasses.replace(settings, vm_memory=GIB)
    plan = resize_plan(s, TPP, "gups-resize")
    assert [moment for moment, _ in plan] == [15, 30, 45]
    assert [shares[0] // MIB for _, shares in plan] == [410, 205, 102]
    assert all(sum(shares) == GIB for _, shares in plan)
    assert resize_plan(s, TPP, "gups") == []


def test_settled_rates_and_pressure(tmp_path: Path):
    guest = tmp_path / "guest"
    guest.mkdir()
    lines = [{"t_s": i / 10, "rate": 1.0 if i < 50 else 3.0} for i in range(1, 101)]
    (guest / "stdout").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for when, count in (("before", 5), ("after", 7)):
        (guest / f"vmstat.{when}").write_text(f"pswpout {count}\npgsteal_direct 5\noom_kill 0\n")
    resizes = [{"at_s": 0.0, "shares": [1, 1]}, {"at_s": 4.0, "shares": [2, 0]}]
    run = Run("gups-resize", "tpp", 1, 0, 0, "tiered-balloon", folder=tmp_path, resizes=resizes)
    write_summary(tmp_path, [], [run])
    (found,) = json.loads((tmp_path / "summary.json").read_text())["resized"]
    assert [p["settled_rate"] for p in found["phases"]] == [None, 3.0]
    assert (found["swapped"], found["stolen"], found["oom_kills"]) == (2, 0, 0)
    assert found["allocations_stalled"] is None  # the kernel does not count them


def test_summary_and_chart_of_several(machine, growing: str, settings: Settings, tmp_path: Path):
    run = executed(machine("tiered-balloon", workload=growing, seconds=6))
    s = dataclasses.replace(
        settings, designs=("tpp",), provision=("static", "tiered-balloon"), workloads=(growing,)
    )
    static = dataclasses.replace(run, provision="static", resizes=[])
    rows = [make_row(s, r) for r in (static, run)]
    write_summary(tmp_path, rows, [static, run])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["ratios"][0]["time_to_best"] == {"tpp": 1.0, "tpp-tiered-balloon": 1.0}
    assert [len(r["phases"]) for r in summary["resized"]] == [3]
    draw(s, rows, [static, run], tmp_path / "chart.svg")
    chart = (tmp_path / "chart.svg").read_text()
    for words in ("TPP, tiered balloon", "fast 25%", "fast 75%", "static"):
        assert f"<!-- {words} -->" in chart


# Guests


def usable(run: Run) -> list[int]:
    """MiB of each node that the guest's kernel has."""
    meminfo = (run.guest / "meminfo.before").read_text()
    return [int(kib) >> 10 for kib in re.findall(r"Node \d MemTotal: +(\d+)", meminfo)]


def test_the_stock_balloon_takes_the_vms_sum_from_whichever_node(boot):
    run = boot(
        "gups --mem 64M --updates 100000; cp /proc/uptime $JOB_OUT/uptime", design="tpp",
        provision="virtio-balloon", fast_ratio=0.2,
    )  # fmt: skip
    no_complaint(run)
    assert results(run)[0]["verified"]
    # what the kernel takes itself is not in it
    fast, slow = usable(run)
    assert 440 < fast + slow < 512 and fast < 80
    assert run.resizes[0]["pages"] == 512 * MIB // 4096 and run.resizes[0]["wall_s"] > 0
    # an idle guest would have skipped through the time
    assert run.provision_s < 10
    assert float((run.guest / "uptime").read_text().split()[0]) < 30


@pytest.mark.needs("cloud-hypervisor/.built", "CONFIG_CLOUD_HYPERVISOR_TOOLS")
def test_the_tiered_balloon_leaves_each_node_its_share(boot):
    run = boot(
        "gups --mem 300M --updates 100000 --reverse", design="tpp",
        provision="tiered-balloon", fast_ratio=0.2,
    )  # fmt: skip
    no_complaint(run)
    assert results(run)[0]["verified"]
    # what the kernel takes itself is not in it
    fast, slow = usable(run)
    assert 70 < fast < 102 and 390 < slow < 410
    assert run.resizes[0]["pages"] == 512 * MIB // 4096 and run.provision_s < 10


@pytest.mark.needs("cloud-hypervisor/.built", "CONFIG_CLOUD_HYPERVISOR_TOOLS")
def test_the_tiered_balloon_resizes_nodes_in_mid_run(boot, monkeypatch: pytest.MonkeyPatch):
    resizes = ((0.5, 0.4), (1.5, 0.2))
    gups = dataclasses.replace(WORKLOADS["gups"], resizes=resizes)
    monkeypatch.setitem(WORKLOADS, "gups", gups)
    run = boot(
        "gups --mem 300M --updates 24M --reverse --report-ms 100; "
        "cat /sys/devices/system/node/node*/meminfo >$JOB_OUT/then",
        design="tpp", provision="tiered-balloon", fast_ratio=0.3, timeout_s=900,
    )  # fmt: skip
    no_complaint(run)
    assert text(run) and [r["shares"][0] // MIB for r in run.resizes] == [154, 205, 102]
    found = phases(run)
    assert len(found) == 3 and all(p["longest_s"] > 0 for p in found)
    then = re.findall(r"Node \d MemTotal: +(\d+)", (run.guest / "then").read_text())
    assert 70 < int(then[0]) >> 10 < 102 < 390 < int(then[1]) >> 10 < 410


def test_virtio_mem_unplugs_what_is_beyond_the_share(boot):
    run = boot(
        "gups --mem 64M --updates 100000", design="tpp", provision="virtio-mem", fast_ratio=0.2
    )
    no_complaint(run)
    fast, slow = usable(run)
    assert 70 < fast < 102 and 390 < slow < 410
    assert run.resizes[0]["pages"] == 640 * MIB // 4096 and run.provision_s < 10
