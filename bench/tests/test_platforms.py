# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines of the platforms, and the choice between them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.errors import UserError
from demeter_bench.matrix import make_runs
from demeter_bench.platforms import PLATFORMS, detect, require_usable, select
from demeter_bench.platforms.emulated import Emulated, plugin_args
from demeter_bench.platforms.kvm import Kvm
from demeter_bench.platforms.machine import forms_two_tiers, physical_ranges
from demeter_bench.platforms.platform import Platform
from demeter_bench.provision.provision import shares
from demeter_bench.provision.static import Static
from demeter_bench.settings import MIB, PRESETS, Settings
from demeter_bench.vm import job_files

GIB = 1 << 30


def test_nodes(settings: Settings):
    assert shares(settings, DESIGNS["tpp"]) == [("fast", 256 * MIB), ("slow", 256 * MIB)]
    assert shares(settings, DESIGNS["all-fast"]) == [("fast", 512 * MIB)]
    assert shares(settings, DESIGNS["all-slow"]) == [("slow", 512 * MIB)]
    full = dataclasses.replace(settings, fast_ratio=1.0)
    assert shares(full, DESIGNS["tpp"]) == [("fast", 512 * MIB)]


def test_physical_ranges_below_the_hole():
    assert physical_ranges(0, 100 * MIB, 512 * MIB) == [(0, 100 * MIB)]
    assert physical_ranges(100 * MIB, 412 * MIB, 512 * MIB) == [(100 * MIB, 412 * MIB)]


def test_physical_ranges_around_the_hole():
    assert physical_ranges(0, 3 * GIB, 16 * GIB) == [(0, 2 * GIB), (4 * GIB, GIB)]
    assert physical_ranges(3 * GIB, 13 * GIB, 16 * GIB) == [(5 * GIB, 13 * GIB)]


def test_plugin_gets_a_share_of_the_bandwidth(settings: Settings):
    one, nine = (plugin_args(settings, Static.layout(settings, DESIGNS["tpp"]), n) for n in (1, 9))
    assert "tier=fast:68.7:68.7:88157:88157:dram" in one
    assert "tier=slow:176.6:176.6:2379:2379:pmem" in nine
    assert "map=0:0x0:0x10000000" in one and "map=1:0x10000000:0x10000000" in one


def test_every_design_has_a_command(settings: Settings):
    for design in DESIGNS.values():
        command = Emulated(Path("/b")).job_command(settings, design, 1, seed=7)
        assert f"/b/linux/{design.guest}/vmlinux" in command
        assert "insn-ps=222,sleep=off" in command


def test_seeds_differ_between_vms_and_repetitions_only(settings: Settings):
    s = dataclasses.replace(settings, vms=(9,), repeat=3, designs=("all-fast", "tpp"))
    runs = make_runs(s)
    assert len({run.seed for run in runs}) == 27
    assert len({job_files(s, run)["run"] for run in runs if run.design == "tpp"}) == 27
    assert [r.seed for r in runs if r.design == "tpp"] == [
        r.seed for r in runs if r.design == "all-fast"
    ]


def test_a_workload_sets_up_its_guest_before_the_design(settings: Settings):
    s = dataclasses.replace(settings, designs=("first-touch", "tpp"), workloads=("gups-hugetlb",))
    assert [job_files(s, run)["setup"] for run in make_runs(s)] == [
        "echo 48 >/proc/sys/vm/nr_hugepages\n",
        "echo 48 >/proc/sys/vm/nr_hugepages\n" + DESIGNS["tpp"].setup,
    ]


def test_missing_build_is_a_clear_error(settings: Settings, tmp_path: Path):
    with pytest.raises(UserError, match="is missing: run 'make' first"):
        Emulated(tmp_path).versions(settings)


def test_choice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(detect, "why_not_kvm", lambda: "no")
    assert select({"PLATFORM_EMULATED": "y"}).name == "emulated"
    assert select({"PLATFORM_EMULATED": "y"}, "kvm").name == "kvm"
    for reason, auto in (("no", "emulated"), (None, "kvm")):
        monkeypatch.setattr("demeter_bench.platforms.kvm.why_not_kvm", lambda reason=reason: reason)
        assert select({"PLATFORM_AUTO": "y"}).name == auto
    with pytest.raises(UserError, match="PLATFORM: unknown: moon; there are: emulated kvm nested"):
        select({}, "moon")


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=str)
def test_every_platform_says_what_it_is(platform: type[Platform], settings: Settings):
    assert platform.name and platform.about and platform.scale in ("emulated", "paper")
    assert platform.label(settings).startswith(platform.name)
    assert platform.options({}) == platform.Options()


@pytest.mark.parametrize(("pmu", "model"), [(True, True), (False, True), (True, False)])
def test_variants_of_the_emulated_machine(settings: Settings, pmu: bool, model: bool):
    machine = Emulated(Path("/b"), pmu=pmu, model=model)
    command = machine.job_command(settings, DESIGNS["tpp"], 1, seed=7)
    assert ("-plugin" in command) == model and "-icount" in command
    assert f"tcg-pmu={'on' if pmu else 'off'}" in command[command.index("-cpu") + 1]


def test_parallel_machines_have_no_simulated_time(settings: Settings):
    command = Emulated(Path("/b"), parallel=True).job_command(settings, DESIGNS["tpp"], 1, seed=7)
    assert "-icount" not in command and "-plugin" not in command
    assert command[command.index("-accel") + 1] == "tcg,thread=multi"
    assert "tcg-pmu=off" in command[command.index("-cpu") + 1]


def test_tiers_of_the_kernel(settings: Settings):
    """The presets form two; what differs by less than a ninth forms one."""
    for preset, (fast, slow) in PRESETS.items():
        assert forms_two_tiers(dataclasses.replace(settings, fast=fast, slow=slow)), preset
    for times, two in ((1.05, False), (1.2, True)):
        slow = dataclasses.replace(settings.fast, read_ps=round(settings.fast.read_ps * times))
        assert forms_two_tiers(dataclasses.replace(settings, slow=slow)) == two
    assert not forms_two_tiers(dataclasses.replace(settings, fast_ratio=1.0))


def test_kvm_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("demeter_bench.platforms.kvm.why_not_kvm", lambda: "no luck")
    with pytest.raises(UserError, match="no luck; choose emulated"):
        require_usable(select({"PLATFORM_KVM": "y"}))


def test_kvm_binds_nodes(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("demeter_bench.platforms.kvm.why_not_kvm", lambda: None)
    real = dataclasses.replace(settings, platform="kvm", options=Kvm.Options("sh", 0, 2))
    command = " ".join(Kvm(Path("/b")).job_command(real, DESIGNS["tpp"], 1, seed=1))
    assert "id=mem0,size=268435456,host-nodes=0,policy=bind" in command
    assert "id=mem1,size=268435456,host-nodes=2,policy=bind" in command
    missing = dataclasses.replace(real, options=Kvm.Options("no-such-qemu"))
    with pytest.raises(UserError, match="no such program: no-such-qemu"):
        Kvm(Path("/b")).job_command(missing, DESIGNS["tpp"], 1, seed=1)


def test_kvm_needs_cpu_flags(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(Path, "read_text", lambda *_: "flags\t: fpu sse2 avx\n")
    assert detect.why_not_kvm() == "the CPU has neither vmx nor svm"
