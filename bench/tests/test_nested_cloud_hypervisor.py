# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's Cloud Hypervisor on the platform nested: what is refused, and what would be run.

None is run: a small program takes its place.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demeter_bench.cli import parser
from demeter_bench.configure import check, from_json, from_kconfig
from demeter_bench.design import Design, Memory
from demeter_bench.designs import DESIGNS
from demeter_bench.digest import sha256
from demeter_bench.errors import UserError
from demeter_bench.platforms import PLATFORMS, cloud_hypervisor, hmat
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.platforms.nested import Nested
from demeter_bench.provision.static import Static
from demeter_bench.settings import MIB, Settings

KCONFIG = {
    "PRESET_DRAM_PMEM": "y", "QEMU_EMULATED": "y", "HOST_DEMETERHOST": "y", "WORKLOAD_GUPS": "y",
}  # fmt: skip
SYMBOL = "CLOUD_HYPERVISOR_BINARY"


@pytest.fixture
def static(compiled: Callable[..., Path]) -> Path:
    return compiled("cloud-hypervisor", "int main(void) { return 0; }", "-static")


def make(*args: str, platform: str = "nested", **kconfig: str) -> Settings:
    parsed = parser().parse_args(["--build", "b", "bench", "--designs=first-touch", *args])
    return from_kconfig(KCONFIG | kconfig, parsed, PLATFORMS[platform], cores=2)


def chosen(settings: Settings, path: str | Path) -> Settings:
    options = Nested.Options(hypervisor="cloud-hypervisor", cloud_hypervisor=str(path))
    return dataclasses.replace(settings, platform="nested", options=options, jobs=1)


def refused(message: str, call: Callable[..., Any], *args: Any, **more: Any) -> None:
    with pytest.raises(UserError, match=message) as error:
        call(*args, **more)
    assert "\n" not in str(error.value)


def test_qemu_is_the_default(static: Path):
    """The program that is configured is not looked at before it is asked for."""
    assert make().options.hypervisor == "qemu"
    assert make(**{SYMBOL: "/no/such"}) == make("--hypervisor=qemu", **{SYMBOL: "/no/such"})
    s = make("--hypervisor=cloud-hypervisor", **{SYMBOL: str(static)})
    assert s.options.hypervisor == "cloud-hypervisor"
    assert s.options.cloud_hypervisor == str(static)


def test_a_choice_that_is_not_there():
    refused("HYPERVISOR: unknown: xen; there are: qemu cloud-hypervisor", make, "--hypervisor=xen")
    refused("HYPERVISOR: unknown: ; there are:", make, "--hypervisor=")
    for platform in ("emulated", "kvm"):
        message = f"HYPERVISOR: the {platform} platform has no choice: .* choose PLATFORM=nested"
        refused(message, make, "--hypervisor=qemu", platform=platform)


def test_an_earlier_run_is_repeated_with_the_same(static: Path, tmp_path: Path):
    s = make("--hypervisor=cloud-hypervisor", **{SYMBOL: str(static)})
    archived = tmp_path / "config.json"
    archived.write_text(json.dumps({"settings": s.to_json()}))
    assert from_json("FROM", archived, KCONFIG) == s
    static.unlink()
    refused(f"{SYMBOL}={static}: no such program", from_json, "FROM", archived, KCONFIG)


def test_programs_that_cannot_run_in_the_server(
    settings: Settings, compiled: Callable[..., Path], tmp_path: Path
):
    script, data, short = tmp_path / "script", tmp_path / "data", tmp_path / "short"
    script.write_text(f"#!/bin/sh\n{' ' * 100}\n")
    short.write_bytes(b"\x7fELF")
    data.write_text("")
    for program in (script, short):
        program.chmod(0o755)
    for name, why in (
        ("", f"HYPERVISOR=cloud-hypervisor: CONFIG_{SYMBOL} names no program"),
        ("no-such-hypervisor", f"{SYMBOL}=no-such-hypervisor: no such program"),
        (tmp_path, "no such program"),
        (data, "data: not executable"),
        (script, "script: no program for x86-64"),
        (short, "short: no program for x86-64"),
        (compiled("dynamic"), "dynamic: needs shared libraries"),
    ):
        refused(why, check, chosen(settings, name))


def test_a_name_is_looked_up(static: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(static.parent), prepend=":")
    s = chosen(settings, static.name)
    assert check(s) is s and cloud_hypervisor.find(static.name) == static


def test_the_command_line(settings: Settings):
    s = chosen(settings, "/own/cloud-hypervisor")
    command = Nested(Path("/b")).job_command(s, DESIGNS["tpp"], 9, seed=1)
    cmdline = command.pop(command.index("--cmdline") + 1)
    assert "console=ttyS0" in cmdline and DESIGNS["tpp"].boot_args in cmdline
    size = 256 * MIB
    assert " ".join(command) == (
        "/usr/bin/cloud-hypervisor --kernel /server/linux/guest/vmlinux --initramfs initrd "
        "--cmdline --cpus boot=1 --memory size=0 --memory-zone "
        f"id=mem0,size={size},shared=on,host_numa_node=0 "
        f"id=mem1,size={size},shared=on,host_numa_node=1 --numa "
        "guest_numa_id=0,cpus=[0],memory_zones=mem0,distances=[1@20] "
        "guest_numa_id=1,memory_zones=mem1,distances=[0@20] "
        "--serial file=console.log --console file=stream"
    )


@pytest.mark.parametrize(("name", "bound"), [("all-fast", "0"), ("all-slow", "1"), ("tpp-h", "")])
def test_a_vm_with_one_node(settings: Settings, name: str, bound: str):
    """It is bound to the tier's node of the server, if the host leaves tiers to guests."""
    design: Design = DESIGNS[name]
    assert (design.memory is Memory.HOST) == (not bound)
    command = Nested(Path("/b")).job_command(chosen(settings, "x"), design, 1, seed=1)
    (zone,) = command[command.index("--memory-zone") + 1 : command.index("--numa")]
    (domain,) = command[command.index("--numa") + 1 : command.index("--serial")]
    host = f",host_numa_node={bound}" if bound else ""
    assert zone == f"id=mem0,size={512 * MIB},shared=on{host}"
    assert domain == "guest_numa_id=0,cpus=[0],memory_zones=mem0"


def test_the_kernel_gets_the_table_that_qemu_would_make(settings: Settings):
    nodes = Static.layout(settings, DESIGNS["tpp"])
    platform = Nested(Path("/b"))
    assert platform.tables(chosen(settings, "x"), nodes) == hmat.files(settings, nodes)
    under_qemu = dataclasses.replace(settings, options=Nested.Options())
    assert not platform.tables(under_qemu, nodes) and not Emulated(Path("/b")).tables(
        settings, nodes
    )


def test_the_server_has_the_program_and_the_archive_its_hash(
    settings: Settings, static: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    s, platform = chosen(settings, static), Nested(tmp_path)
    config = tmp_path / "linux/demeterhost/.config"
    config.parent.mkdir(parents=True)
    config.write_text("CONFIG_KVM=y\n")
    files = platform.server_files(s, DESIGNS["tpp"], {0: ("line", tmp_path / "initrd")})
    assert files["/usr/bin/cloud-hypervisor"] == static
    assert files["/server/vm0/command"].endswith("\nexec line\n")
    qemu = dataclasses.replace(s, options=Nested.Options())
    files = platform.server_files(qemu, DESIGNS["tpp"], {0: ("line", tmp_path / "initrd")})
    assert files["/server/vm0/command"] == "exec line\n"
    assert not [place for place in files if "cloud" in place]
    platform.image.parent.mkdir()
    platform.image.write_text("image")
    monkeypatch.setattr(Emulated, "versions", lambda *_: {})
    assert platform.versions(s)["cloud_hypervisor_sha256"] == sha256(static)
    assert platform.versions(qemu) == {"server_image_sha256": sha256(platform.image)}


@pytest.mark.parametrize("name", ["vcpu0", "other"])
def test_a_guest_starts_once(name: str, compiled: Callable[..., Path], tmp_path: Path):
    """Its initramfs goes when the processor's thread, here the program itself, runs."""
    waits = "#include <unistd.h>\nint main(void) { sleep(4); return 3; }"
    line = f"{cloud_hypervisor.ONCE}exec {compiled(name, waits)}\n"
    (tmp_path / "initrd").touch()
    # a file, as in the server: what waits in the background has it, too
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, stdout=log, stderr=log, timeout=60)
    assert done.returncode == 3 and (tmp_path / "log").read_text() == ""
    assert (tmp_path / "initrd").exists() == (name == "other")
