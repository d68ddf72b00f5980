# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot entries: what they say, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from demeter_bench.discover import execute
from demeter_testing import TOP

SCRIPT = TOP / "image/boot/entry.py"
boot = execute(SCRIPT, "image/boot/entry.py")
Entry, EntryError = boot.Entry, boot.EntryError

RELEASE = "6.12.118-tpphost"
ROOT = "PARTUUID=0c0ffee0-0000-4000-8000-000000000001"


def test_an_entry_says_what_the_specification_asks():
    entry = Entry("tpphost", "6.12.118", RELEASE, ROOT, "rw quiet")
    assert entry.name == "linux-6.12.118-tpphost.conf"
    assert entry.text() == (
        "title Demeter: tpphost, Linux 6.12.118\n"
        "sort-key demeter\n"
        "version 6.12.118-tpphost\n"
        "linux /demeter/6.12.118-tpphost/vmlinuz\n"
        f"options root={ROOT} rw quiet\n"
    )


@pytest.mark.parametrize("options", ["", "rw", "rw memmap=16G!64G numa=off"])
@pytest.mark.parametrize("initrd", ["", "/demeter/6.12.118-tpphost/initrd.img"])
def test_parse_reads_what_was_written(options: str, initrd: str):
    entry = Entry("tpphost", "6.12.118", RELEASE, ROOT, options, initrd)
    assert ("\ninitrd " in entry.text()) == bool(initrd)
    assert Entry.parse(entry.text()) == entry


WRITTEN = Entry("tpphost", "6.12.118", RELEASE, ROOT, "rw").text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no entry",
        WRITTEN.replace("Demeter: ", ""),
        WRITTEN.replace("sort-key demeter", "sort-key debian"),
        WRITTEN.replace("/demeter/", "/other/"),
        WRITTEN + "devicetree /x\n",
        WRITTEN + WRITTEN,
        WRITTEN.replace("root=", "resume="),
    ],
)
def test_entries_of_others_are_not_taken_for_ours(text: str):
    with pytest.raises(EntryError, match="not one of Demeter's"):
        Entry.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"variant": ""},
        {"variant": "a/b"},
        {"release": "../../etc"},
        {"release": "6.12\ninitrd /x"},
        {"root": ""},
        {"root": "/dev/sda1 init=/bin/sh"},
        {"options": "a\noptions b"},
        {"initrd": "/a /b"},
    ],
)
def test_values_that_would_break_the_file_are_refused(change: dict[str, str]):
    good = {"variant": "x", "version": "6.12.1", "release": "6.12.1-x", "root": ROOT}
    with pytest.raises(EntryError) as error:
        Entry(**{**good, **change})
    assert "\n" not in str(error.value)


def test_options_of_a_variant_come_from_its_file(tmp_path: Path):
    (tmp_path / "x.options").write_text("# why\na=1\n\n  b  \n")
    assert boot.variant_options("x", tmp_path) == ["a=1", "b"]
    assert boot.variant_options("other", tmp_path) == []


def test_tpphost_manages_tiers_and_demeterhost_does_not():
    text = {v: boot.make_entry(v, f"6.12.1-{v}", ROOT).text() for v in ("tpphost", "demeterhost")}
    assert " numa_balancing=tiering sysctl.vm.demote_scale_factor=1000" in text["tpphost"]
    assert f" root={ROOT} numa_balancing=disable " in text["demeterhost"]


CMDLINE = 'memmap=4G$8G dyndbg="file x +p" c#d'


def write_config(path: Path) -> Path:
    """As Kconfig writes it."""
    escaped = CMDLINE.replace('"', '\\"')
    path.write_text(f'CONFIG_A="x"\nCONFIG_HOST_CMDLINE="{escaped}"\n# CONFIG_B is not set\n')
    return path


def test_options_of_the_configuration_are_read_as_they_were_typed(tmp_path: Path):
    assert boot.cmdline(write_config(tmp_path / ".config")) == CMDLINE
    (tmp_path / ".config").write_text('CONFIG_HOST_CMDLINE=""\n')
    assert boot.cmdline(tmp_path / ".config") == ""
    (tmp_path / ".config").write_text("# CONFIG_HOST_CMDLINE is not set\n")
    assert boot.cmdline(tmp_path / ".config") == ""


def run(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *args], capture_output=True, text=True)


def test_the_program_prints_an_entry():
    done = run("tpphost", RELEASE, ROOT, "rw", "", "console=ttyS0")
    assert done.returncode == 0 and Entry.parse(done.stdout).options.endswith("rw console=ttyS0")


def test_the_program_adds_options_of_the_configuration(tmp_path: Path):
    config = write_config(tmp_path / ".config")
    done = run("--config", str(config), "tpphost", RELEASE, ROOT, "rw")
    assert done.returncode == 0 and done.stdout.endswith(f" rw {CMDLINE}\n")


@pytest.mark.parametrize(
    ("args", "status"),
    [((), 2), (("tpphost", RELEASE), 2), (("other", RELEASE, ROOT), 1),
     (("tpphost", RELEASE, "a b"), 1), (("--config",), 2), (("--config", "x", "tpphost"), 2),
     (("--confg", "x", "tpphost", RELEASE, ROOT), 2),
     (("--config", "/no/such", "tpphost", RELEASE, ROOT), 1)],
)  # fmt: skip
def test_the_program_refuses_bad_input_by_one_line(args: tuple[str, ...], status: int):
    done = run(*args)
    assert done.returncode == status and done.stdout == "" and len(done.stderr.splitlines()) == 1
