# SPDX-License-Identifier: GPL-2.0-or-later
"""The platform nested: its server's layout and command lines, what it refuses, and its life.

A server of shell takes the emulator's place, but for the last test, which boots one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demeter_bench import cli
from demeter_bench.configure import check, check_selected, usual_designs
from demeter_bench.designs import DESIGNS
from demeter_bench.errors import UserError
from demeter_bench.matrix import gather
from demeter_bench.platforms.nested import Nested, server_nodes, server_setup
from demeter_bench.results import HOST_COLUMNS, host_columns, make_row
from demeter_bench.server import Server, VmInServer
from demeter_bench.settings import MIB, Settings
from demeter_bench.vm import Run, job_files
from demeter_testing import BUILD, TOP


@pytest.fixture
def nested(settings: Settings) -> Settings:
    return dataclasses.replace(settings, platform="nested", options=Nested.Options(), jobs=1)


@pytest.mark.parametrize(
    ("design", "shares"),
    [("tpp", [768, 768]), ("all-fast", [1536]), ("all-slow", [0, 1536])],
)
def test_the_server_holds_all_vms(nested: Settings, design: str, shares: list[int]):
    """Each node has the VMs' shares, and not much beyond; what is the server's own is fast."""
    nodes = server_nodes(nested, DESIGNS[design], 3)
    assert [node.tier for node in nodes] == ["fast", "slow"][: len(shares)]
    beyond = [node.memory // MIB - share for node, share in zip(nodes, shares, strict=True)]
    assert 192 + 3 * 96 < beyond[0] < 600 and all(0 < b < 100 for b in beyond[1:])


def test_a_guest_is_bound_to_the_nodes(nested: Settings):
    for design, bound in (("tpp", ["0", "1"]), ("all-fast", ["0"]), ("all-slow", ["1"])):
        command = Nested(Path("/b")).job_command(nested, DESIGNS[design], 9, seed=1)
        line = " ".join(command)
        assert [part[0] for part in line.split("host-nodes=")[1:]] == bound
        assert line.count("policy=bind") == len(bound)
        assert "-accel kvm" in line and "/server/linux/guest/vmlinux" in line and "/b/" not in line


def test_the_server_has_svm_the_whole_tiers_and_a_port_per_file(nested: Settings):
    folders = ["../a", "../b"]
    command = Nested(Path("/b")).server_command(nested, DESIGNS["tpp"], folders, seed=1)
    line = " ".join(command)
    assert "+svm" in line and "tcg-pmu" not in line and "insn-ps=222,sleep=off" in line
    assert "tier=slow:176.6:176.6:21415:21415:pmem" in line
    assert "/b/linux/demeterhost/vmlinux" in line and "numa_balancing=disable" in line
    assert "max_ports=5" in line and line.count("virtserialport") == 4
    assert "file,id=vm1.console.log,path=../b/console.log" in line
    nodes = server_nodes(nested, DESIGNS["tpp"], 2)
    sizes = [f"size={node.memory}" for node in nodes]
    assert all(size in line for size in sizes)
    assert f"map=1:{nodes[0].memory:#x}:{nodes[1].memory:#x}" in line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": Nested.Options(cpu="EPYC,+npt")}, "NESTED_CPU=EPYC,.npt: has no SVM"),
        ({"options": Nested.Options(cpu="EPYC,+svm,-npt")}, "has no NPT"),
        ({"vcpus": 2}, "VM_VCPUS=2"),
        ({"provision": ("tiered-balloon",)}, "PROVISION: tiered-balloon is not there"),
        ({"vms": (1, 241)}, "VM=241: a server .* at most 240"),
        ({"vms": (200,), "vm_memory": 1024 * MIB}, "VM=200: .* need a server of .* one can have"),
        (
            {"vms": (90,), "vm_memory": 1024 * MIB, "jobs": 9},
            "JOBS=9: 1 servers of .* for 90",
        ),
        ({"designs": ("memtis",)}, "memtis needs a PMU that samples addresses"),
        ({"designs": ("oracle",)}, "oracle needs a platform that sees every access"),
    ],
)
def test_refused(nested: Settings, changes: dict[str, Any], message: str):
    assert check(nested) is nested
    with pytest.raises(UserError, match=message) as refused:
        check(dataclasses.replace(nested, **changes))
    assert "\n" not in str(refused.value)


def test_refused_without_a_host_kernel(nested: Settings):
    kconfig = {"QEMU_EMULATED": "y", "WORKLOAD_GUPS": "y"}
    with pytest.raises(UserError, match="first-touch needs the host kernel demeterhost"):
        check_selected(nested, kconfig)
    assert check_selected(nested, kconfig | {"HOST_DEMETERHOST": "y"}) is nested


def test_refused_without_kvm_in_the_host_kernel(nested: Settings, tmp_path: Path):
    platform = Nested(tmp_path)
    with pytest.raises(UserError, match=r"server\.cpio is missing: run 'make "):
        platform.check_built(nested)
    for needed in platform.needs(nested, tmp_path):
        needed.parent.mkdir(parents=True, exist_ok=True)
        needed.touch()
    config = tmp_path / "linux/demeterhost/.config"
    config.write_text("# CONFIG_KVM is not set\n")
    with pytest.raises(UserError, match="demeterhost has no KVM"):
        platform.check_built(nested)
    config.write_text("CONFIG_KVM=m\nCONFIG_KVM_AMD=m\n")
    platform.check_built(nested)


def test_usual_designs_are_those_that_run():
    kconfig = {f"DESIGN_{name}": "y" for name in ("DEMETER", "MEMTIS", "NOMAD", "TPP")}
    found = usual_designs(kconfig, Nested)
    assert "memtis" not in found and {"demeter", "tpp", "first-touch"} <= set(found)
    assert "tpp-h" not in found
    assert "tpp-h" in usual_designs(kconfig | {"HOST_TPPHOST": "y"}, Nested)


def test_make_run_is_refused(tmp_path: Path):
    lines = ("PLATFORM_NESTED", "QEMU_EMULATED", "HOST_DEMETERHOST", "PRESET_DRAM_PMEM")
    (tmp_path / ".config").write_text("".join(f"CONFIG_{line}=y\n" for line in lines))
    with pytest.raises(UserError, match="make run: the nested platform has no shell"):
        cli.run(cli.parser().parse_args(["--build", str(tmp_path), "run", "--design", "tpp"]))


def test_the_configuration_chooses_it():
    assert Nested.options({"NESTED_CPU": "EPYC-v4,+svm,+npt"}).cpu == "EPYC-v4,+svm,+npt"
    options = Nested.options({"EMU_CACHE_KB": "4096"})
    assert (options.cache, options.cpu) == (4096 << 10, Nested.Options().cpu)


# What a server does, as a shell script in its folder: VM n's folder is vm<n> beside it.
BOTH_END = """
for n in 0 1; do printf 'L hello\\nE 0\\n' >../vm$n/stream; done
printf 'L up 1.0\\nL vm 0 0 \\nL vm 1 0 \\nF vmstat.after 2\\na\\n\\nE 0\\n' >stream
"""


@pytest.fixture
def live(
    nested: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[Run]]:
    """live(script, cancel=False, **changes): two VMs' runs after their life in a server of shell.

    With cancel, as by Ctrl-C when the server has written its pid.
    """

    def run_both(script: str, cancel: bool = False, **changes: Any) -> list[Run]:
        s = dataclasses.replace(nested, vms=(2,), jobs=2, designs=("tpp",), **changes)
        image = tmp_path / "image"
        image.write_bytes(b"")

        class Shell(Nested):
            def server_command(self, *_: object) -> list[str]:
                return ["sh", "-c", script]

            def server_files(self, *_: object) -> dict[str, Any]:
                return {"/server/modules": ""}

        platform = Shell(tmp_path)
        platform.image = image
        runs = [Run("gups", "tpp", vms=2, repeat=0, vm=n) for n in range(2)]
        for run in ("server", "vm0", "vm1"):
            (tmp_path / run).mkdir()

        async def both() -> None:
            server = Server(s, platform, tmp_path / "server", runs)
            vms = [VmInServer(s, server, image, run, job_files(s, run)) for run in runs]
            lives = asyncio.ensure_future(
                gather([vm.execute(tmp_path / f"vm{n}", lambda: None) for n, vm in enumerate(vms)])
            )
            while cancel and not (tmp_path / "server/pid").exists():
                await asyncio.sleep(0.1)
            if cancel:
                lives.cancel()
            await asyncio.gather(lives, return_exceptions=cancel)

        asyncio.run(both())
        return runs

    return run_both


def test_a_server_runs_all_vms_and_leaves_its_counters(
    live: Callable[..., list[Run]], tmp_path: Path
):
    assert [(run.state, run.error) for run in live(BOTH_END)] == [("done", "")] * 2
    assert (tmp_path / "server/host/vmstat.after").read_text() == "a\n"
    assert (tmp_path / "server/command").exists()
    assert not list(tmp_path.glob("*/initrd")) and not list(tmp_path.glob("*/stream"))


def test_one_vm_may_fail(live: Callable[..., list[Run]]):
    first, second = live("""
printf 'E 0\\n' >../vm0/stream
printf 'L up 1.0\\nL vm 1 3 no such memory\\nL vm 0 0 \\nE 0\\n' >stream
""")
    assert first.state == "done"
    assert (second.state, second.error) == ("failed", "the hypervisor failed (3): no such memory")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("printf 'F error 8\\nno kvm!\\n\\nE 1\\n' >stream", "the server: no kvm!"),
        ("echo 'Kernel panic - not syncing: x' >console.log", "the server died: Kernel panic"),
        ("echo bad option >&2; exit 1", r"the server's emulator failed \(1\): bad option"),
        ("exit 0", "the server ended without a word"),
        ("echo nonsense >stream; sleep 60", "the server's results are broken"),
    ],
)
def test_a_server_that_fails_says_why(live: Callable[..., list[Run]], script: str, message: str):
    for run in live(script):
        assert run.state == "failed" and re.search(message, run.error), run.error


@pytest.mark.parametrize("cancel", [False, True])
def test_a_server_ends_when_its_time_is_over_and_by_ctrl_c(
    live: Callable[..., list[Run]], tmp_path: Path, cancel: bool
):
    runs = live("echo $$ >pid; exec sleep 600", cancel, timeout_s=600 if cancel else 2)
    assert cancel or {run.error for run in runs} == {"timed out after 2 s"}
    pid = int((tmp_path / "server/pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_init_and_the_maker_are_shell():
    for name in ("init", "make-server"):
        script = TOP / "image/server" / name
        shell = "sh" if name == "init" else "bash"
        assert subprocess.run([shell, "-n", script]).returncode == 0


def test_a_host_that_manages_tiers(nested: Settings):
    """DRAM is 1.25 of the shares, guests are bound to nothing, and huge pages take the rest."""
    design = DESIGNS["tpp-h"]
    fast, slow = server_nodes(nested, design, 4)
    bound, _ = server_nodes(nested, DESIGNS["tpp"], 4)
    assert (fast.memory - bound.memory) // MIB == pytest.approx(256, abs=10)
    assert 1024 * MIB < slow.memory < 1100 * MIB
    command = " ".join(Nested(Path("/b")).job_command(nested, design, 4, seed=1))
    assert "host-nodes" not in command and "policy" not in command
    assert command.count("-object") == 1 and f"size={512 * MIB}" in command
    server = Nested(Path("/b")).server_command(nested, design, ["../a"], seed=1)
    assert "/b/linux/tpphost/vmlinux" in server
    assert "numa_balancing=tiering" in server[server.index("-append") + 1]
    kept = (4 * 320 + 4 * 40) << 10
    assert f"[ $free -lt {kept} ]" in server_setup(nested, design, 4)
    assert "hugepages" not in server_setup(nested, DESIGNS["tpp"], 4)


def test_only_a_platform_with_such_a_host_runs_it(nested: Settings, settings: Settings):
    s = dataclasses.replace(nested, designs=("tpp-h",))
    assert check(s) is s
    with pytest.raises(UserError, match="tpp-h needs a host that manages tiers: leave it out on"):
        check(dataclasses.replace(settings, designs=("tpp-h",)))
    with pytest.raises(UserError, match="tpp-h needs two tiers"):
        check(dataclasses.replace(s, fast_ratio=1.0))
    with pytest.raises(UserError, match="tpp-h needs the host kernel tpphost"):
        kconfig = {"QEMU_EMULATED": "y", "WORKLOAD_GUPS": "y", "HOST_DEMETERHOST": "y"}
        check_selected(s, kconfig)


def test_columns_of_the_host(tmp_path: Path):
    for when, promoted, user, guest in (("before", 5, 100, 50), ("after", 12, 400, 250)):
        (tmp_path / f"vmstat.{when}").write_text(f"pgpromote_success {promoted}\n")
        line = f"cpu  {user} 0 30 9 9 1 2 0 {guest} 0\ncpu0 1\n"
        (tmp_path / f"stat.{when}").write_text(line)
    flushes = {"page": 3, "space": 1, "local": 0, "all": 2, "guest": 0, "every": 0}
    none = dict.fromkeys(flushes, 0)
    found = host_columns(tmp_path, {"roi": {"tlb": {"flushes": flushes, "guest_flushes": none}}})
    assert (found["host_promotions"], found["host_demotions"], found["host_cpu_s"]) == (7, None, 1)
    assert tuple(found) == HOST_COLUMNS
    kinds = [found[f"host_{kind}_flushes"] for kind in ("page", "space", "full")]
    assert kinds == [3, 1, 2] and found["guest_full_flushes"] == 0
    assert host_columns(tmp_path, {})["host_full_flushes"] is None


@pytest.mark.boots
@pytest.mark.release
@pytest.mark.needs("image/server.cpio", "linux/demeterhost/.built", "CONFIG_HOST_DEMETERHOST")
def test_gups_in_a_server(nested: Settings, tmp_path: Path):
    """One VM, from its job to its row; the server's counters are there."""
    s = dataclasses.replace(
        nested, vm_memory=256 * MIB, designs=("tpp",), footprint=64 * MIB, timeout_s=1800
    )
    platform = Nested(BUILD)
    platform.check_built(s)
    run = Run("gups", "tpp", vms=1, repeat=0, vm=0)
    for folder in ("server", "vm0"):
        (tmp_path / folder).mkdir()
    job = job_files(s, run) | {"run": "exec /usr/bin/gups --mem 64M --updates 300000 --reverse\n"}

    async def life() -> None:
        server = Server(s, platform, tmp_path / "server", [run])
        vm = VmInServer(s, server, BUILD / "image/initramfs.cpio", run, job)
        await vm.execute(tmp_path / "vm0", lambda: None)

    asyncio.run(life())
    assert (run.state, run.error) == ("done", "")
    row = make_row(s, run)
    assert row["verified"] and row["elapsed_s"] > 0 and 0 < row["fast_hit_ratio"] < 1
    host = tmp_path / "server/host"
    assert {"vmstat.before", "vmstat.after", "stat.after", "dmesg"} <= set(os.listdir(host))
    assert "Linux version" in (run.guest / "dmesg").read_text()
