# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest disk image, as make run boots it: tiers, Demeter by its service, a server program."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demeter_bench import disk
from demeter_bench.design import Design
from demeter_bench.designs import DESIGNS
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.settings import MIB, Settings
from demeter_testing import BUILD, TOP
from demeter_testing.disk import printing

# The same image with PostgreSQL among its packages, and its number in image/disk/disk.mk
IMAGE, NUMBER = "images/postgresql.raw", 3
TIMEOUT = 1200

needs_image = pytest.mark.needs("CONFIG_GUEST_DEMETERGUEST", "CONFIG_IMAGE_GUEST_DISK", IMAGE)


def boot(s: Settings, folder: Path, design: Design, script: str) -> str:
    """Boot the image with a script that runs as a unit; what it printed."""
    unit = disk.unit_args("test", printing(f"{script}\nsystemctl --no-block poweroff\n"))
    drive = disk.device_args(BUILD / IMAGE, keep=False)
    platform = Emulated(BUILD, pmu=True, model=False)
    command = platform.shell_command(
        s, disk.on_disk(design, NUMBER), [*drive, *unit, "-serial", "file:output"]
    )
    with (folder / "console.log").open("wb") as console:
        # its standard input stays open: the console is there
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=console, stderr=console
        )
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            end = (folder / "console.log").read_text(errors="replace")[-3000:]
            raise AssertionError(f"still running after {TIMEOUT} s:\n{end}") from None
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
    console_text = (folder / "console.log").read_text(errors="replace")
    assert "login:" in console_text, console_text[-3000:]
    return (folder / "output").read_text(errors="replace").replace("\r", "")


# A sort in the memory of a server process, and what Demeter says meanwhile
SORT = (
    "set work_mem = '400MB'; select count(*) from "
    "(select md5(i::text) as m from generate_series(1, 1500000) as i order by m) as s"
)
SCRIPT = f"""
echo "release $(uname -r)"
echo "nodes $(cat /sys/devices/system/node/has_memory)"
echo "tiers $(ls -d /sys/devices/virtual/memory_tiering/memory_tier[0-9]* | wc -l)"
echo "demeter $(systemctl is-active demeter)"
for i in $(seq 60); do
	systemctl --quiet is-active postgresql@17-main && break
	sleep 1
done
echo "postgresql $(systemctl is-active postgresql@17-main)"
cd /
runuser -u postgres -- psql -q -c "{SORT}" >/dev/null &
for i in $(seq 120); do
	demeterctl status --json >/root/status
	if grep -q '"postgres"' /root/status; then break; fi
	sleep 1
done
echo "status $(cat /root/status)"
echo "network $(ip -4 -o address show scope global | wc -l)"
echo "failed $(systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1 | xargs)"
"""


def value(text: str, name: str) -> str:
    return re.search(rf"^{name} ?(.*)$", text, re.MULTILINE)[1]


@pytest.mark.boots
@pytest.mark.xdist_group("stress")
@pytest.mark.release
@needs_image
def test_postgresql_runs_under_demeter(settings: Settings, tmp_path: Path):
    s = dataclasses.replace(settings, vm_memory=1024 * MIB, fast_ratio=0.3)
    out = boot(s, tmp_path, DESIGNS["demeter"], SCRIPT)
    assert value(out, "release").endswith("-demeterguest")
    assert value(out, "nodes") == "0-1" and value(out, "tiers") == "2"
    assert value(out, "demeter") == "active" and value(out, "postgresql") == "active"
    status = json.loads(value(out, "status"))
    assert status["running"]
    assert "postgres" in {target["comm"] for target in status["targets"]}
    assert value(out, "network") == "1"
    assert value(out, "failed") == ""


def test_only_the_design_that_is_asked_for_is_switched_on():
    demeter, tpp = (disk.on_disk(DESIGNS[name]) for name in ("demeter", "tpp"))
    assert demeter.guest == tpp.guest == "demeterguest"
    assert "systemd.mask" not in demeter.boot_args
    assert "systemd.mask=demeter.service" in tpp.boot_args
    assert tpp.boot_args.endswith("numa_balancing=tiering")


def test_the_root_is_that_of_the_guest_image():
    args = disk.on_disk(DESIGNS["demeter"]).boot_args
    assert args == "root=PARTUUID=de3e7e12-0000-4000-8000-000000020003"


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--image=tape"], "IMAGE=tape: unknown; there are: initramfs disk"),
        (["--keep=own.raw"], "KEEP is for IMAGE=disk"),
        (["--image=disk", "--keep=/nonexistent/own.raw"], "no such folder: /nonexistent"),
        (["--image=disk", "--keep=/tmp"], "KEEP=/tmp: a folder; name a file"),
        (["--image=disk", "--guest=first-touch"], "IMAGE=disk needs CONFIG_IMAGE_GUEST_DISK"),
        (["--image=disk", "--guest=nonsense"], "DESIGN=nonsense: unknown"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, args: list[str], reason: str):
    (tmp_path / ".config").write_text(
        "CONFIG_PLATFORM_EMULATED=y\nCONFIG_QEMU_EMULATED=y\nCONFIG_PRESET_DRAM_PMEM=y\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "demeter_bench", "--build", tmp_path, "run", "--dry-run", *args],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(TOP / "bench")},
    )  # fmt: skip
    assert done.returncode == 2 and reason in done.stderr and len(done.stderr.splitlines()) == 1


def test_changes_last_only_in_a_copy(tmp_path: Path):
    image, own = tmp_path / "guest.raw", tmp_path / "own.raw"
    image.write_text("image")
    assert "snapshot=on" in disk.device_args(image, keep=False)[1]
    assert "snapshot=off" in disk.device_args(own, keep=True)[1]
    assert disk.kept(image, own) == own and own.read_text() == "image"
    own.write_text("mine")
    assert disk.kept(image, own) == own and own.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [image, own]


def test_a_copy_that_cannot_be_made_leaves_nothing(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError):
        disk.kept(tmp_path / "no-image", tmp_path / "own.raw")
    assert list(tmp_path.iterdir()) == []
