# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations of kernels, and what is staged of those that are installed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from demeter_testing import BUILD, TOP

HOSTS = ("demeterhost", "tpphost")
DEBIAN = "linux/debian.config"


def configure(out: Path, *args: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [TOP / "linux/configure", BUILD / "linux/src", out, *args],
        cwd=TOP, capture_output=True, text=True,
    )  # fmt: skip


def symbols(config: Path) -> dict[str, str]:
    return dict(re.findall(r"^(CONFIG_\w+)=(.*)$", config.read_text(), re.MULTILINE))


@pytest.mark.needs("linux/.overlaid", DEBIAN)
@pytest.mark.parametrize("variant", HOSTS)
def test_ours_holds_over_debians_configuration(tmp_path: Path, variant: str):
    fragments = [TOP / f"configs/linux/{name}.config" for name in ("disk", "host", variant)]
    done = configure(tmp_path, "--over", BUILD / DEBIAN, *fragments)
    assert done.returncode == 0, done.stderr
    made, theirs = symbols(tmp_path / ".config"), symbols(BUILD / DEBIAN)
    assert made["CONFIG_LOCALVERSION"] == f'"-{variant}"'
    # theirs is there, too
    assert made["CONFIG_BTRFS_FS"] == theirs["CONFIG_BTRFS_FS"] and len(made) > len(theirs) * 0.9


@pytest.mark.needs("linux/.overlaid")
def test_a_line_that_does_not_hold_is_named(tmp_path: Path):
    base, bad = tmp_path / "base", tmp_path / "bad"
    # a line of what is laid under ours may fail to hold
    base.write_text("CONFIG_64BIT=y\nCONFIG_NOT_THERE=y\n")
    bad.write_text("CONFIG_NO_SUCH_THING=y\n")
    done = configure(tmp_path / "out", "--over", base, bad)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "CONFIG_NO_SUCH_THING=y does not hold in the final configuration"
    )
    assert "CONFIG_NOT_THERE" not in done.stderr.partition("does not hold")[2]


def environment() -> dict[str, str]:
    """That of a user, whatever make has started the tests."""
    return {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS|BUILD", k)}


def dry_run(tmp_path: Path, goal: str, *selected: str) -> str:
    """What make would do for the goal in a build folder with nothing in it."""
    build = tmp_path / "build"
    build.mkdir()
    for stamp in (".deps", ".lock"):
        (build / stamp).touch()
    (build / "venv").symlink_to(BUILD / "venv")
    (build / ".config").write_text("".join(f"CONFIG_{name}=y\n" for name in selected))
    done = subprocess.run(
        ["make", "-n", "-o", build / ".config", f"BUILD={build}", goal],
        cwd=TOP, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("goal", ["bench-machines", "machines"])
def test_emulated_machines_need_no_kernels_for_disks(tmp_path: Path, goal: str):
    out = dry_run(tmp_path, goal, "HOST_DEMETERHOST", "GUEST_DEMETERGUEST", "GUEST_VANILLA")
    built = set(re.findall(r"linux-(\w+) -- make", out))
    assert built == {"guest", "vanilla"}


def test_selected_kernels_are_built(tmp_path: Path):
    out = dry_run(tmp_path, "linux", "HOST_DEMETERHOST", "HOST_TPPHOST", "GUEST_DEMETERGUEST")
    built = set(re.findall(r"linux-(\w+) -- make", out))
    assert built == {"guest", "demeterguest", "demeterhost", "tpphost"}


def test_debians_configuration_takes_the_place_of_ours(tmp_path: Path):
    out = dry_run(tmp_path, "linux", "HOST_TPPHOST", "HOST_CONFIG_DEBIAN")
    lines = re.findall(r"linux/configure \S+ \S+/(\w+) (.*)", out.replace("\\\n", ""))
    arguments = {variant: " ".join(rest.split()) for variant, rest in lines}
    assert arguments["tpphost"].endswith(
        f"--over {tmp_path}/build/{DEBIAN} "
        + " ".join(f"configs/linux/{name}.config" for name in ("disk", "host", "tpphost"))
    )
    assert "--over" not in arguments["guest"]


@pytest.mark.release
@pytest.mark.needs(*(f"linux/{name}/.staged" for name in HOSTS))
@pytest.mark.parametrize("variant", HOSTS)
def test_what_is_staged_is_complete(variant: str):
    stage = BUILD / "linux" / variant / "stage"
    release = (stage / "release").read_text().strip()
    assert re.fullmatch(rf"6\.12\.\d+-{variant}", release)
    for name in ("vmlinuz", "config", "System.map"):
        assert (stage / f"boot/{name}-{release}").stat().st_size > 0
    modules = stage / "lib/modules" / release
    dependencies = (modules / "modules.dep").read_text()
    for module in ("kvm-intel", "kvm-amd", "dax/kmem", "cxl_acpi"):
        path = re.search(rf"^(\S*/{module}\.ko):", dependencies, re.MULTILINE)[1]
        sections = subprocess.run(
            ["objdump", "-h", modules / path], capture_output=True, text=True, check=True
        )
        assert ".debug_info" not in sections.stdout
    assert not (modules / "build").exists()
