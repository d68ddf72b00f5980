# SPDX-License-Identifier: GPL-2.0-or-later
"""make install on a machine: a clean Debian with its own bootctl and kernel-install.

Firmware, command line and ESP are what the test puts there; no machine is changed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from demeter_testing import TOP
from demeter_testing.debian import Debian
from demeter_testing.staged import RELEASE, devices, stage, tree
from entry import variant_options

pytestmark = pytest.mark.needs("debian/.made")

ENTRY = f"linux-{RELEASE}.conf"
TPP = "6.12.90-tpphost"
OPTIONS = " ".join(variant_options("demeterhost"))
PARTITION = "0c0ffee0-0000-4000-8000-000000000002"
SATA = "pci0000:00/0000:00:1f.2 ahci+/ata1/host0/target0:2:0/0:2:0:0 sd/block/sda/sda2"
PROGRAM = (
    "PYTHONPATH=/demeter/install:/demeter/boot PYTHONDONTWRITEBYTECODE=1 python3 -m demeter_install"
)


class Machine(Debian):
    """A machine with UEFI, systemd-boot, and Debian's own kernel as the default entry."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "machine")
        self.esp = folder / "esp"
        for path, text in {
            "EFI/systemd/systemd-bootx64.efi": "#### LoaderInfo: systemd-boot 257 ####",
            "loader/loader.conf": "timeout 3\n",
            "loader/entries.srel": "type1\n",
            "loader/entries/debian.conf": "title Debian\nsort-key debian\nlinux /debian/linux\n",
            "debian/linux": "kernel",
        }.items():
            (self.esp / path).parent.mkdir(parents=True, exist_ok=True)
            (self.esp / path).write_text(text)
        stage(folder / "build")
        stage(folder / "build", TPP)
        self.bind(self.esp, "/efi")
        self.bind(folder / "build", "/build")
        self.bind(TOP / "install", "/demeter/install")
        self.bind(TOP / "image/boot", "/demeter/boot")
        (self.upper / "sys/firmware/efi").mkdir(parents=True)
        devices(self.upper / "sys", "8:2", SATA)
        self.root(PARTUUID=PARTITION, FSTYPE="ext4", SOURCE="/dev/sda2", **{"MAJ:MIN": "8:2"})

    def root(self, **found: str) -> None:
        """Say what findmnt finds of the root file system."""
        said = " ".join(f'{key}="{value}"' for key, value in found.items())
        self.write("usr/local/bin/findmnt", f"#!/bin/sh\necho '{said}'\n", 0o755)

    def cmdline(self, text: str) -> None:
        file = self.write("cmdline", text + "\n")
        self.binds["/proc/cmdline"] = file

    def do(
        self, command: str, *more: str, variants: str = "demeterhost"
    ) -> subprocess.CompletedProcess[str]:
        args = "" if command == "uninstall" else variants
        return self.run(f"{PROGRAM} {command} --build=/build {' '.join(more)} {args}",
                        SYSTEMD_RELAX_ESP_CHECKS="1", PYTHONHASHSEED="0")  # fmt: skip

    def bootctl(self, *args: str) -> str:
        done = self.run(f"bootctl --no-pager {' '.join(args)}", SYSTEMD_RELAX_ESP_CHECKS="1")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def entries(self) -> dict[str, dict]:
        return {entry["id"]: entry for entry in json.loads(self.bootctl("--json=short", "list"))}

    def options(self) -> str:
        return self.entries()[ENTRY]["options"]

    def state(self) -> tuple[dict[str, str], set[str]]:
        return tree(self.esp), self.changes()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.cmdline("root=UUID=12 ro quiet console=ttyS1 BOOT_IMAGE=/x")
    return machine


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(
    machine: Machine, message: str, *more: str, command: str = "install", **how: str
) -> None:
    before = machine.state()
    done = machine.do(command, *more, **how)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert machine.state() == before


def test_bootctl_sees_what_was_installed_and_the_same_default(machine: Machine):
    before = machine.state()
    said = good(machine.do("install", variants="demeterhost tpphost"))
    assert f"bootctl set-oneshot {ENTRY}" in said
    entries = machine.entries()
    assert set(entries) == {"debian.conf", ENTRY, f"linux-{TPP}.conf"}
    assert [name for name, entry in entries.items() if entry["isDefault"]] == ["debian.conf"]
    mine = entries[ENTRY]
    assert mine["showTitle"] == "Demeter: demeterhost, Linux 6.12.90"
    assert (mine["sortKey"], mine["version"]) == ("demeter", RELEASE)
    assert (machine.esp / mine["linux"].lstrip("/")).read_text() == "kernel first"
    assert (machine.upper / f"usr/lib/modules/{RELEASE}/modules.dep").exists()
    assert (machine.esp / "loader/loader.conf").read_text() == "timeout 3\n"
    good(machine.do("uninstall"))
    assert machine.state() == before


def test_destdir_gets_what_an_esp_gets(machine: Machine, tmp_path: Path):
    machine.cmdline("")
    other = f"--root=PARTUUID={PARTITION}"
    good(machine.do("install", other))
    good(machine.do("install", other, "--destdir=/build/root"))
    staged = tmp_path / "build/root/efi"
    mine = {path: what for path, what in tree(machine.esp).items() if "demeter" in path}
    theirs = {path: what for path, what in tree(staged).items() if "demeter" in path}
    assert len(mine) == 4 and theirs == mine
    for path in ("usr/lib/modules", "lib/modules"):
        modules = tmp_path / "build/root" / path / RELEASE
        if modules.exists():
            assert tree(modules) == tree(machine.upper / "usr/lib/modules" / RELEASE)
    # and bootctl reads it like one
    on_machine = machine.entries()[ENTRY]
    shutil.copytree(machine.esp / "EFI", staged / "EFI")
    machine.bind(staged, "/efi")
    assert list(machine.entries()) == [ENTRY] and machine.entries()[ENTRY] == {
        **on_machine, "isDefault": True,
    }  # fmt: skip


def test_without_initramfs_the_partition_is_named(machine: Machine):
    good(machine.do("install"))
    assert "initrd" not in machine.entries()[ENTRY]
    options = f"root=PARTUUID={PARTITION} {OPTIONS} rootwait=60 ro console=ttyS1"
    assert machine.options() == options


PLUGIN = """#!/bin/sh -e
[ "$1" = add ] || { echo "$1 $2" >>/plugin.log; exit 0; }
test -e "/usr/lib/modules/$2/modules.dep"
echo "initramfs for $2" >"$KERNEL_INSTALL_STAGING_AREA/initrd.img"
"""


def test_the_machines_own_initramfs(machine: Machine):
    """kernel-install has it made, and the root file system is what the running kernel uses."""
    machine.write("etc/kernel/install.d/60-test.install", PLUGIN, 0o755)
    before = machine.state()
    good(machine.do("install"))
    entry = machine.entries()[ENTRY]
    assert entry["initrd"] == [f"/demeter/{RELEASE}/initrd"]
    assert (machine.esp / f"demeter/{RELEASE}/initrd").read_text() == f"initramfs for {RELEASE}\n"
    assert machine.options() == f"root=UUID=12 {OPTIONS} ro console=ttyS1"
    # again, with nothing new
    good(machine.do("install"))
    good(machine.do("uninstall"))
    assert (machine.upper / "plugin.log").read_text() == f"remove {RELEASE}\n"
    (machine.upper / "plugin.log").unlink()
    assert machine.state() == before


def test_an_initramfs_that_cannot_be_made(machine: Machine):
    machine.write("etc/kernel/install.d/60-test.install", "#!/bin/sh\nexit 3\n", 0o755)
    before = machine.state()
    done = machine.do("install")
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("install: ")
    assert machine.state() == before


def test_plugins_forget_only_what_a_failed_installation_added(machine: Machine, tmp_path: Path):
    """A kernel that was installed before stays, and so does what plugins know of it."""
    machine.write("etc/kernel/install.d/60-test.install", PLUGIN, 0o755)
    good(machine.do("install"))
    fails = PLUGIN.replace("test -e", 'case "$2" in *-tpphost) exit 3;; esac; test -e')
    machine.write("etc/kernel/install.d/60-test.install", fails, 0o755)
    stage(tmp_path / "build", text="second")
    before = machine.state()
    log = machine.write("plugin.log", "")
    assert machine.do("install", variants="demeterhost tpphost").returncode == 1
    assert log.read_text() == f"remove {TPP}\n"
    # it was never begun with
    log.write_text("")
    assert machine.do("install", variants="tpphost demeterhost").returncode == 1
    assert log.read_text() == f"remove {TPP}\n"
    log.unlink()
    assert machine.state() == before


def say_default(machine: Machine, name: str, value: str) -> None:
    """As the boot loader and bootctl write variables: attributes, and UTF-16."""
    file = machine.upper / f"sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\7\0\0\0" + f"{value}\0".encode("utf-16-le"))


@pytest.mark.parametrize("sort_key", ["sort-key fedora\n", "sort-key demeter\n", ""])
def test_without_a_default_the_first_entry_stays_the_first(machine: Machine, sort_key: str):
    """Nothing is written, so a kill at no time leaves another default."""
    entry = machine.esp / "loader/entries/debian.conf"
    entry.write_text(entry.read_text().replace("sort-key debian\n", sort_key))
    message = f"{ENTRY} would become the default entry instead of debian.conf: bootctl set-default"
    refused(machine, message)
    refused(machine, message, "--how=dry")
    (machine.esp / "loader/loader.conf").write_text("#default x\n default\tDebian*  \n")
    good(machine.do("install"))


def test_an_entry_of_ours_that_is_there_is_no_new_one(machine: Machine, tmp_path: Path):
    conf = machine.esp / "loader/loader.conf"
    conf.write_text("default debian.conf\n")
    good(machine.do("install"))
    conf.write_text("")
    (machine.esp / "loader/entries/debian.conf").unlink()
    stage(tmp_path / "build", text="second")
    good(machine.do("install"))
    refused(machine, f"linux-{TPP}.conf would become the default", variants="tpphost")


def test_a_default_that_names_what_is_to_come(machine: Machine):
    """Such as that of a kernel that was uninstalled."""
    say_default(machine, "LoaderEntryDefault", ENTRY)
    refused(machine, f"{ENTRY} would become the default entry instead of debian.conf: bootctl")


def test_an_entry_that_is_to_be_booted_once(machine: Machine):
    """bootctl would take it for the default."""
    say_default(machine, "LoaderEntryOneShot", "other.conf")
    refused(machine, "the next boot is to be of other.conf: reboot first")
    refused(machine, "the next boot is to be of other.conf: reboot first", "--how=dry")
    before = machine.state()
    assert "other.conf" in machine.do("check", variants="any").stderr
    assert machine.state() == before


def test_no_default_entry_at_all(machine: Machine):
    (machine.esp / "loader/entries/debian.conf").unlink()
    refused(machine, "bootctl list shows no default entry")


def test_the_default_entry_is_compared_afterwards(machine: Machine):
    """Boot counting says that all other entries are bad: they come last."""
    entries = machine.esp / "loader/entries"
    (entries / "debian.conf").rename(entries / "debian+0-3.conf")
    refused(machine, f"{ENTRY} would become the default entry instead of debian")


def test_kernel_that_runs_is_not_removed(machine: Machine):
    good(machine.do("install"))
    manifest = machine.upper / "var/lib/demeter/install/manifest.json"
    running = good(machine.run("python3 -c 'import os; print(os.uname().release)'")).strip()
    manifest.write_text(manifest.read_text().replace(f'"{RELEASE}"', f'"{running}"'))
    before = machine.state()
    done = machine.do("uninstall")
    assert done.returncode == 1 and f"{running} is running" in done.stderr
    assert machine.state() == before


def test_uninstall_wants_the_esp_that_it_was_installed_in(machine: Machine, tmp_path: Path):
    good(machine.do("install"))
    del machine.binds["/efi"]
    refused(machine, "bootctl: ", command="uninstall")
    # mounted where it was not, and another one where it was
    machine.bind(machine.esp, "/boot")
    refused(machine, "kernels are installed in /efi, but bootctl names /boot: mount /efi",
            command="uninstall")  # fmt: skip
    refused(machine, "kernels are installed in /efi: make uninstall first")
    del machine.binds["/boot"]
    shutil.copytree(machine.esp / "EFI", tmp_path / "other/EFI")
    machine.bind(tmp_path / "other", "/efi")
    refused(machine, "none of the files that were installed in /efi is there", command="uninstall")
    machine.bind(machine.esp, "/efi")
    good(machine.do("uninstall"))
    assert not machine.entries().keys() - {"debian.conf"}


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("done", [False, True])
def test_what_was_stopped_is_mended_in_its_own_esp(machine: Machine, command: str, done: bool):
    path = "var/lib/demeter/install/journal.json"
    state = {"boot": "/boot", "paths": [], "folders": [], "done": done, "manifest": None}
    journal = machine.write(path, json.dumps(state))
    message = "kernels are installed in /boot, but bootctl names /efi: mount /boot"
    refused(machine, message, command=command)
    journal.write_text(json.dumps({**state, "boot": "/efi"}))
    good(machine.do(command))


def test_uninstall_of_nothing_needs_no_esp(machine: Machine):
    del machine.binds["/efi"]
    assert good(machine.do("uninstall")) == "nothing is installed\n"


def test_no_uefi(machine: Machine):
    (machine.upper / "sys/firmware/efi").rmdir()
    refused(machine, "this machine was not booted by UEFI")


def test_no_systemd_boot(machine: Machine):
    (machine.esp / "EFI/systemd/systemd-bootx64.efi").unlink()
    refused(machine, "systemd-boot is not the boot loader in /efi")


def test_no_bootctl(machine: Machine):
    good(machine.run("rm /usr/bin/bootctl"))
    refused(machine, "there is no bootctl")


def test_no_esp(machine: Machine):
    del machine.binds["/efi"]
    refused(machine, "bootctl: ")


def test_another_esp(machine: Machine):
    refused(machine, "ESP=/no is no folder", "--esp=/no")
    refused(machine, "bootctl: ", "--esp=/usr")


@pytest.mark.parametrize(
    ("partition", "kind", "device", "why"),
    [
        ("", "ext4", "8:2", ""),
        (PARTITION, "btrfs", "8:2", ", for btrfs"),
        (PARTITION, "ext4", "8:18", ", for megaraid_sas"),
        (PARTITION, "ext4", "9:1", ", for RAID, LVM, encryption or the like"),
        (PARTITION, "xfs", "8:18", ", for xfs, megaraid_sas"),
    ],
)
def test_a_root_file_system_that_needs_an_initramfs(
    machine: Machine, partition: str, kind: str, device: str, why: str
):
    sys = machine.upper / "sys"
    raid = SATA.replace("1f.2 ahci", "03.0 megaraid_sas").replace("sda", "sdb")
    devices(sys, "8:18", raid)
    devices(sys, "9:1", "virtual/block/md0/md0p1")
    machine.root(PARTUUID=partition, FSTYPE=kind, SOURCE="/dev/x", **{"MAJ:MIN": device})
    refused(machine, f"({kind} on /dev/x) needs an initramfs{why}, and kernel-install makes none")
    good(machine.do("install", "--root=/dev/sda9"))
    assert machine.options().startswith("root=/dev/sda9 ")
    # and one is made
    good(machine.do("uninstall"))
    machine.write("etc/kernel/install.d/60-test.install", PLUGIN, 0o755)
    good(machine.do("install"))
    assert machine.options().startswith("root=UUID=12 ")


def test_no_space_on_a_real_file_system(machine: Machine, tmp_path: Path):
    """A small ESP: what does not fit is refused before anything is written."""
    large = tmp_path / "build/linux/demeterhost/stage/boot" / f"vmlinuz-{RELEASE}"
    with large.open("wb") as file:
        file.truncate(1 << 43)
    refused(machine, "no space in /efi: needs 83886")


def test_the_check_before_building(machine: Machine):
    before = machine.state()
    assert good(machine.do("check", variants="any")) == ""
    (machine.upper / "sys/firmware/efi").rmdir()
    done = machine.do("check", variants="any")
    assert (done.returncode, done.stderr[:8]) == (1, "install:")
    assert tree(machine.esp) == before[0]
