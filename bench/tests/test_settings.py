# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments and configuration: what is accepted, what is refused and how."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from demeter_bench.cli import parser
from demeter_bench.configure import from_json, from_kconfig
from demeter_bench.designs import DESIGNS
from demeter_bench.designs import symbol as design_symbol
from demeter_bench.errors import UserError
from demeter_bench.platforms import PLATFORMS
from demeter_bench.platforms.emulated import plugin_args
from demeter_bench.provision.static import Static
from demeter_bench.settings import MIB, PRESETS, Settings
from demeter_bench.workload import Size
from demeter_bench.workloads import ALL, WORKLOADS, symbol

KCONFIG: dict[str, str] = {
    "PRESET_DRAM_PMEM": "y", "VM_MEMORY_MB": "512", "VM_FAST_PERCENT": "20",
    "QEMU_EMULATED": "y", "CLOUD_HYPERVISOR_TOOLS": "y",
    **{symbol(name): "y" for name in WORKLOADS},
    **{name: "y" for name in map(design_symbol, DESIGNS) if name},
}  # fmt: skip


SLOW = dataclasses.asdict(PRESETS["dram_pmem"][1])


def make(*args: str, kconfig: dict | None = None, platform: str = "emulated") -> Settings:
    parsed = parser().parse_args(["--build", "b", "bench", *args])
    return from_kconfig(kconfig or KCONFIG, parsed, PLATFORMS[platform], cores=2)


def test_defaults():
    s = make()
    assert (s.vms, s.repeat, s.jobs) == ((1,), 1, 2)
    assert s.preset == "dram_pmem" and (s.fast, s.slow) == PRESETS["dram_pmem"]
    assert s.vm_memory == 512 * MIB and s.fast_memory == 102 * MIB
    assert s.footprint == 435 * MIB
    assert s.workloads == ("gups",)
    assert s.designs == tuple(name for name in DESIGNS if name not in ("oracle", "tpp-h"))
    without = {k: v for k, v in KCONFIG.items() if k != "DESIGN_TPP"}
    assert "tpp" not in make(kconfig=without).designs
    assert s.options == PLATFORMS["emulated"].Options() and s.program is None


def test_translation_is_off_by_default():
    chosen = {"EMU_TLB2_ENTRIES": "1536", "EMU_TLB2_WAYS": "12", "EMU_TLB2_PS": "3000"}
    off, on = make(), make(kconfig=KCONFIG | {"EMU_TLB": "y"} | chosen)
    nodes = Static.layout(off, DESIGNS["tpp"])
    assert not [x for x in plugin_args(off, nodes, 1) if x.startswith("tlb")]
    assert plugin_args(on, nodes, 1) == [
        *plugin_args(off, nodes, 1),
        "tlb=on", "tlb1=64:32:4", "tlb2=1536:12:3", "psc=32:4:4", "ntlb=16", "pte=4.7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"EMU_TLB_SMALL": "0"}, "EMU_TLB_SMALL: must be a whole number from 1 to 65536: 0"),
        ({"EMU_TLB_SMALL": "60"}, "EMU_TLB_SMALL=60: must be the ways (4) times a power of two"),
        ({"EMU_TLB2_WAYS": "12"}, "EMU_TLB2_ENTRIES=2048: must be the ways (12) times a power"),
        ({"EMU_TLB2_PS": "1000001"}, "EMU_TLB2_PS: must be a whole number"),
        ({"EMU_PSC_TABLES": "33"}, "EMU_PSC_TABLES=33: must be 0 or a power of two"),
        ({"VM_VCPUS": "2"}, "EMU_TLB: needs one vCPU: VM_VCPUS=2"),
    ],
)
def test_bad_translation(options: dict[str, str], message: str):
    with pytest.raises(UserError) as e:
        make(kconfig=KCONFIG | {"EMU_TLB": "y"} | options)
    assert message in str(e.value)


def test_designs_that_cannot_run_are_not_taken_unless_asked_for():
    assert "demeter" in make().designs
    assert "demeter" not in make("--fast-ratio", "1").designs


def test_an_archives_folder_is_as_good_as_its_file(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"settings": make().to_json()}))
    assert from_json("FROM", tmp_path, KCONFIG) == make()


def test_all():
    s = make("--designs", "all", "--workloads", "all")
    assert s.designs == tuple(name for name in DESIGNS if name != "tpp-h")
    assert s.workloads == ALL and "gups" in ALL and "gups-zipf" not in ALL


def test_given():
    s = make("--vm", "1 9", "--designs", "tpp all-fast", "--workloads", "gups", "--preset",
             "dram_cxl", "--repeat", "3", "--jobs", "1", "--fast-ratio", "0.5", "--vm-memory",
             "1G", "--footprint", "300M", "--name", "x")  # fmt: skip
    assert s.vms == (1, 9) and s.designs == ("tpp", "all-fast") and s.workloads == ("gups",)
    assert s.slow.read_ps == 121_900 and s.repeat == 3 and s.jobs == 1
    assert s.fast_memory == 512 * MIB and s.footprint == 300 * MIB and s.name == "x"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--vm", "0"], "VM=0: must be from 1 to 1024"),
        (["--vm", "x"], "VM=x: not a whole number"),
        (["--vm", "-1"], "VM=-1: must be"),
        (["--vm", ""], "VM is empty"),
        (["--vm", "1.5"], "VM=1.5: not a whole number"),
        (["--designs", "best"], "DESIGNS: unknown: best; there are: all-fast"),
        (["--designs", ""], "DESIGNS is empty"),
        (["--workloads", "doom"], "WORKLOADS: unknown: doom"),
        (["--preset", "hbm"], "PRESET: unknown: hbm"),
        (["--preset", "custom"], "PRESET=custom: select"),
        (["--fast-ratio", "0"], "FAST_RATIO=0: must be above 0"),
        (["--fast-ratio", "1.01"], "FAST_RATIO=1.01: must be above 0 and at most 1"),
        (["--fast-ratio", "nan"], "FAST_RATIO=nan: must be"),
        (["--fast-ratio", "x"], "FAST_RATIO=x: not a number"),
        (["--fast-ratio", "0.01"], "is too small"),
        (["--vm-memory", "128", "--footprint", "300M"], "at least 356 MiB are needed"),
        (["--vm-memory", "50"], "VM_MEMORY: 50 MiB are too small"),
        (["--vm-memory", "50", "--command", "x"], "too small for a program"),
        (["--fast-ratio", "0.999"], "leaves the slow tier less than 16 MiB"),
        (["--command", "x", "--workloads", "gups"], "leave out WORKLOADS"),
        (["--command", "x", "--footprint", "64M"], "leave out FOOTPRINT"),
        (["--files", "x"], "belong to a COMMAND"),
        (["--roi", "x"], "belong to a COMMAND"),
        (["--vm-memory", "lots"], "VM_MEMORY=lots: not a size"),
        (["--vm-memory", "600000K"], "VM_MEMORY=600000K: must be whole MiB"),
        (["--vm-memory", "0"], "VM_MEMORY=0: must be whole MiB"),
        (["--vm-memory", "4000G"], "more than an emulated VM can have with PROVISION=static"),
        (["--vm-memory", "120G", "--jobs", "64", "--repeat", "64"], "exceed this machine's"),
        (["--footprint", "0"], "FOOTPRINT=0: must be whole MiB"),
        (["--footprint", "47M", "--workloads", "redis"], "FOOTPRINT: redis needs at least 48 MiB"),
        (["--footprint", "63M", "--workloads", "gups-mix"], "gups-mix needs at least 64 MiB"),
        (["--footprint", "63M", "--workloads", "silo xsbench"], "xsbench needs at least 64 MiB"),
        (["--repeat", "0"], "REPEAT=0: must be"),
        (["--jobs", "0"], "JOBS=0: must be"),
        (["--provision", "moon"], "PROVISION: unknown: moon; there are: static tiered-balloon"),
        (["--provision", ""], "PROVISION is empty"),
        (["--provision", "static virtio-balloon", "--footprint", "456M"], "at least 520 MiB"),
        (
            ["--vm-memory", "70G", "--jobs", "1", "--provision", "virtio-balloon"],
            "more than an emulated VM can have with PROVISION=virtio-balloon",
        ),
        (["--workloads", "gups-resize"], "which static cannot: choose PROVISION=tiered-balloon"),
        (
            ["--workloads", "gups-resize", "--provision", "tiered-balloon virtio-mem"],
            "which virtio-mem cannot",
        ),
        (
            ["--workloads", "gups-resize", "--provision", "tiered-balloon"],
            "share 0.1 of VM_MEMORY: a fast tier of 51 MiB is too small",
        ),
        (
            [
                "--workloads",
                "gups-resize",
                "--provision",
                "tiered-balloon",
                "--vm-memory",
                "1G",
                "--designs",
                "tpp all-fast",
            ],
            "leave out all-fast of DESIGNS",
        ),
        (
            [
                "--workloads",
                "gups-resize",
                "--provision",
                "tiered-balloon",
                "--vm-memory",
                "1G",
                "--designs",
                "oracle",
            ],
            "leave out oracle of DESIGNS",
        ),
        (
            ["--workloads", "gups gups-cache", "--designs", "tpp oracle"],
            "which not all pages of gups-cache have: leave out one of them",
        ),
        (["--name", "../x"], "NAME=../x: at most 64 letters"),
    ],
)
def test_refused(args: list[str], message: str):
    with pytest.raises(UserError) as error:
        make(*args)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_not_selected():
    without = {k: v for k, v in KCONFIG.items() if k != "DESIGN_TPP"}
    with pytest.raises(UserError, match="DESIGNS: tpp is not selected"):
        make("--designs", "tpp", kconfig=without)
    without = {k: v for k, v in KCONFIG.items() if k != "WORKLOAD_GUPS"}
    with pytest.raises(UserError, match="gups is not selected"):
        make(kconfig=without)


def test_a_design_needs_a_guest_kernel_of_its_own(monkeypatch: pytest.MonkeyPatch):
    own = dataclasses.replace(DESIGNS["tpp"], guest="other")
    monkeypatch.setitem(DESIGNS, "tpp", own)
    with pytest.raises(UserError, match="tpp needs the guest kernel other"):
        make("--designs", "tpp")
    assert make("--designs", "tpp", kconfig={**KCONFIG, "GUEST_OTHER": "y"}).designs == ("tpp",)


@pytest.mark.parametrize(
    ("slow_ps", "slow_mbps", "fast_ratio", "message"),
    [
        (68_700, 88_157, "0.2", "so close in speed into one"),
        (72_000, 86_000, "0.2", "so close in speed into one"),
        (200_000, 40_000, "1", "FAST_RATIO=1 leaves one"),
    ],
)
def test_two_tiers_are_needed(slow_ps: int, slow_mbps: int, fast_ratio: str, message: str):
    """By some designs: the others run."""
    fields = ("READ_PS", "WRITE_PS", "READ_MBPS", "WRITE_MBPS")
    tiers = {
        "FAST": (68_700, 68_700, 88_157, 88_157),
        "SLOW": (slow_ps, slow_ps) + 2 * (slow_mbps,),
    }
    kconfig = {
        **KCONFIG,
        "FAST_DRAM": "y",
        "SLOW_DRAM": "y",
        **{
            f"{tier}_{field}": str(value)
            for tier, given in tiers.items()
            for field, value in zip(fields, given, strict=True)
        },
    }
    args = ("--preset", "custom", "--fast-ratio", fast_ratio, "--designs")
    assert make(*args, "all-fast first-touch tpp", kconfig=kconfig).preset == "custom"
    with pytest.raises(UserError, match=message):
        make(*args, "tpp demeter", kconfig=kconfig)


def test_the_oracle_needs_to_see_every_access():
    assert make("--designs", "tpp", platform="kvm").designs == ("tpp",)
    with pytest.raises(UserError, match=r"oracle needs a platform that sees .* on kvm"):
        make("--designs", "tpp oracle", platform="kvm")


def test_custom_preset():
    fields = {"READ_PS": "1", "WRITE_PS": "2", "READ_MBPS": "3", "WRITE_MBPS": "4"}
    custom = {f"{t}_{k}": v for t in ("FAST", "SLOW") for k, v in fields.items()}
    kconfig = {k: v for k, v in KCONFIG.items() if not k.startswith("PRESET")}
    media = {"FAST_DRAM": "y", "SLOW_REMOTE_DRAM": "y"}
    s = make("--designs", "tpp", kconfig={**kconfig, "PRESET_CUSTOM": "y", **custom, **media})
    assert s.preset == "custom" and s.slow.write_ps == 2 and s.fast.read_mbps == 3
    assert s.fast.media == "dram" and s.slow.media == "remote-dram"


def test_share():
    fast, _ = PRESETS["dram_pmem"]
    ninth = fast.share(9)
    assert ninth.read_mbps == fast.read_mbps // 9 and ninth.read_ps == fast.read_ps


def test_ways_to_provision():
    assert make().provision == ("static",)
    s = make("--provision", "tiered-balloon static")
    assert s.provision == ("tiered-balloon", "static")
    # the same for all, so that they compare
    small = ("--vm-memory", "256M", "--fast-ratio", "0.5")
    assert make(*small).footprint == 200 * MIB
    assert make(*small, "--provision", "static virtio-balloon").footprint == 196 * MIB


def test_what_resizes_nodes_runs_under_the_designs_that_have_two():
    args = ("--workloads", "gups-resize", "--provision", "tiered-balloon", "--vm-memory", "1G")
    assert make(*args).designs == ("demeter", "first-touch", "memtis", "nomad", "tpp")


def test_the_tiered_balloon_is_selected():
    without = {k: v for k, v in KCONFIG.items() if k != "CLOUD_HYPERVISOR_TOOLS"}
    with pytest.raises(UserError, match="tiered-balloon needs CONFIG_CLOUD_HYPERVISOR_TOOLS"):
        make("--provision", "tiered-balloon", kconfig=without)
    assert make(kconfig=without).provision == ("static",)


def test_an_archive_from_before_there_were_ways_to_provision(tmp_path: Path):
    settings = make().to_json()
    del settings["provision"]
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    assert from_json("FROM", tmp_path, KCONFIG) == make()


@pytest.mark.parametrize(
    "more", [(), ("--provision", "all"), ("--command", "/job/sh -c true", "--files", "/bin/sh")]
)
def test_json_round_trip(tmp_path: Path, more: tuple[str, ...]):
    s = make("--vm", "1 9", "--designs", "tpp demeter", *more)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": s.to_json()}))
    assert from_json("FROM", path, KCONFIG) == s


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"settings": {"format": 1}}', '{"settings": {"format": 99}}']
)
def test_json_refused(tmp_path: Path, text: str):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        from_json("FROM", path, KCONFIG)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError):
        from_json("FROM", tmp_path / "missing", KCONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs", 0),
        ("repeat", 0),
        ("vms", []),
        ("vms", ["x"]),
        ("designs", []),
        ("designs", ["best"]),
        ("designs", [1]),
        ("fast_ratio", 2),
        ("fast_ratio", "x"),
        ("slow", {"read_ps": "x"}),
        ("slow", {**SLOW, "read_mbps": -5}),
        ("slow", {**SLOW, "surprise": 1}),
        ("preset", ["x"]),
        ("workloads", ["all"]),
        ("workloads", ["gups,silo"]),
        ("designs", ["all"]),
        ("program", {"command": 5, "files": [], "roi": ""}),
        ("program", {"command": "true", "files": [1], "roi": ""}),
        ("program", {"command": "true", "files": [], "roi": 5}),
        ("vm_memory", 1.5),
        ("options", {"cache": 3000 * 1024}),
        ("options", {"streams": 3}),
        ("options", {"surprise": 3}),
        ("options", None),
        ("program", {"command": "", "files": [], "roi": "", "packed": []}),
        ("program", {"command": "true", "files": [], "roi": ""}),
        (
            "program",
            {
                "command": "true",
                "files": [],
                "roi": "",
                "packed": [{"place": "../x", "path": "/bin/true", "sha256": ""}],
            },
        ),
        ("program", {"surprise": 1}),
        ("platform", "moon"),
        ("provision", []),
        ("provision", ["moon"]),
        ("provision", "static"),
        ("name", "../x"),
        ("surprise", 1),
    ],
)
def test_json_values_refused(tmp_path: Path, key: str, value: object):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": {**make().to_json(), key: value}}))
    with pytest.raises(UserError) as error:
        from_json("FROM", path, KCONFIG)
    assert "\n" not in str(error.value)


def test_a_programs_name_is_not_free(tmp_path: Path):
    """It becomes a folder's name, and a word for the guest's shell."""
    s = make("--designs", "tpp", "--command", "true").to_json()
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": {**s, "workloads": ["../../evil"]}}))
    with pytest.raises(UserError, match="must be the program's name"):
        from_json("FROM", path, KCONFIG)


@pytest.mark.parametrize("name", WORKLOADS)
def test_least_footprint(name: str):
    """With it, there is something of all that the command line names a size of."""
    workload = WORKLOADS[name]
    command = workload.command(Size(workload.least, 1, "emulated"), 1)
    sizes = re.findall(r"--(?:mem|hot|ballast) (-?\d+)", command)
    assert all(int(size) > 0 for size in sizes), command
