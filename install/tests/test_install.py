# SPDX-License-Identifier: GPL-2.0-or-later
"""make install and uninstall below DESTDIR: what is put where, and that all or nothing is done."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from demeter_install import RefusedError, transaction
from demeter_install.__main__ import arguments, execute, main
from demeter_install.transaction import Content, Disk, Transaction
from demeter_testing import TOP
from demeter_testing.staged import RELEASE, stage, tree
from entry import Entry, variant_options

ROOT = "PARTUUID=0c0ffee0-0000-4000-8000-000000000001"
OPTIONS = " ".join([*variant_options("demeterhost"), "rootwait=60"])


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sync", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True)
def signals_as_before():
    """What goes wrong, or is done, lets them be ignored."""
    with suppress(ValueError):  # in a thread
        before = {number: signal.getsignal(number) for number in transaction.INTERRUPTS}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    stage(tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """A root file system of others."""
    dest = tmp_path / "root"
    for path in ("efi/loader/entries/debian.conf", "efi/loader/loader.conf", "usr/lib/x", "var/x"):
        (dest / path).parent.mkdir(parents=True, exist_ok=True)
        (dest / path).write_text(path)
    (dest / "lib").symlink_to("usr/lib")
    return dest


def do(command: str, build: Path, dest: Path, *more: str, disk: Disk | None = None) -> None:
    args = [command, f"--destdir={dest}", f"--build={build}", f"--root={ROOT}", *more]
    execute(arguments([*args, *(["demeterhost"] if command != "uninstall" else [])]), disk)


def test_files_go_where_the_specification_wants_them(build: Path, dest: Path):
    before = tree(dest)
    do("install", build, dest)
    added = {path for path, what in tree(dest).items() if before.get(path) != what}
    files = {path for path in added if (dest / path).is_file()}
    entry = f"efi/loader/entries/linux-{RELEASE}.conf"
    modules = f"usr/lib/modules/{RELEASE}"
    assert files == {
        entry, f"efi/demeter/{RELEASE}/vmlinuz", "var/lib/demeter/install/manifest.json",
        *(f"{modules}/{name}" for name in ("config", "modules.dep", "modules.builtin",
                                           "kernel/mm/first.ko", "kernel/mm/both.ko")),
    }  # fmt: skip
    assert Entry.parse((dest / entry).read_text()) == Entry(
        "demeterhost", "6.12.90", RELEASE, ROOT, OPTIONS
    )
    assert (dest / modules / "updates").readlink() == Path("kernel/mm")
    assert (dest / f"efi/demeter/{RELEASE}/vmlinuz").read_text() == "kernel first"


def test_uninstall_leaves_the_tree_as_it_was(build: Path, dest: Path):
    before = tree(dest)
    do("install", build, dest)
    do("uninstall", build, dest)
    assert tree(dest) == before


def test_a_folder_that_was_not_there_is_gone_again(build: Path, tmp_path: Path):
    do("install", build, tmp_path / "new")
    assert (tmp_path / f"new/lib/modules/{RELEASE}/modules.dep").exists()
    do("uninstall", build, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_second_kernel_and_a_newer_build(build: Path, dest: Path):
    before = tree(dest)
    do("install", build, dest)
    stage(build, "6.12.90-tpphost")
    stage(build, text="second")
    (build / f"linux/demeterhost/stage/lib/modules/{RELEASE}/kernel/mm/first.ko").unlink()
    do("install", build, dest, "tpphost")
    modules = dest / "usr/lib/modules" / RELEASE / "kernel/mm"
    assert {p.name: p.read_text() for p in modules.iterdir()} == {
        "both.ko": "second", "second.ko": "second",
    }  # fmt: skip
    assert len(list((dest / "efi/loader/entries").glob("linux-*.conf"))) == 2
    do("uninstall", build, dest)
    assert tree(dest) == before


def test_a_kernel_that_is_not_selected_any_more_stays(build: Path, dest: Path):
    """It may be the one that runs."""
    before = tree(dest)
    stage(build, "6.12.89-demeterhost")
    do("install", build, dest)
    stage(build)
    do("install", build, dest)
    assert len(list((dest / "efi/demeter").iterdir())) == 2
    do("uninstall", build, dest)
    assert tree(dest) == before


def test_nothing_is_written_twice(build: Path, dest: Path):
    do("install", build, dest)
    written: list[Path] = []

    class Watched(Disk):
        def write(self, path: Path, content: Content):
            written.append(path)
            super().write(path, content)

    do("install", build, dest, disk=Watched())
    assert {path.parent for path in written} == {dest / "var/lib/demeter/install"}


def test_options_are_those_of_the_variant_and_of_kconfig(build: Path, dest: Path):
    (build / ".config").write_text('CONFIG_HOST_CMDLINE="memmap=4G$8G a=\\"b  c\\""\n')
    do("install", build, dest, f"--config={build}/.config", "--esp=/boot")
    text = (dest / f"boot/loader/entries/linux-{RELEASE}.conf").read_text()
    assert text.endswith(f'options root={ROOT} {OPTIONS} memmap=4G$8G a="b  c"\n')


def test_dry_run_says_exactly_what_is_done(build: Path, dest: Path, capsys: Any):
    before = tree(dest)
    do("install", build, dest, "--how=dry")
    assert tree(dest) == before
    said = capsys.readouterr().out
    plan, _, entry = said.partition("\n\n")
    told = {line.split()[1]: line.split()[0] for line in plan.splitlines()}
    do("install", build, dest)
    after = tree(dest)
    done = {str(dest / p): "mkdir" if w == "folder" else "write" for p, w in after.items()
            if p not in before}  # fmt: skip
    assert told == done
    assert (dest / f"efi/loader/entries/linux-{RELEASE}.conf").read_text() in entry

    capsys.readouterr()
    do("uninstall", build, dest, "--how=dry")
    assert tree(dest) == after
    said = capsys.readouterr().out
    removed = {line.split()[1] for line in said.splitlines() if line.startswith("remove")}
    assert removed == {p for p, w in done.items() if w == "write"} - {
        str(dest / "var/lib/demeter/install/manifest.json")
    }


# Failures


class Faulty(Disk):
    """Lets one of its operations fail."""

    def __init__(self, at: int, fail: Callable[[], Any]) -> None:
        self.left = at
        self.fail = fail

    def __getattribute__(self, name: str) -> Any:
        if name in vars(Disk) and not name.startswith("_"):
            self.left -= 1
            if self.left == -1:
                self.fail()
        return super().__getattribute__(name)


def no_disk() -> None:
    raise OSError(28, "No space left on device")


def newer(build: Path, dest: Path) -> None:
    """An installation, and another build that is to be installed over it."""
    do("install", build, dest)
    stage(build, text="second")
    (build / f"linux/demeterhost/stage/lib/modules/{RELEASE}/kernel/mm/first.ko").unlink()


def installed(build: Path, dest: Path) -> None:
    do("install", build, dest)


SITUATIONS = [
    pytest.param(lambda *_: None, "install", id="first install"),
    pytest.param(newer, "install", id="newer build"),
    pytest.param(installed, "uninstall", id="uninstall"),
]


@pytest.mark.parametrize(("prepare", "command"), SITUATIONS)
def test_a_failure_at_any_step_leaves_what_was_there(
    build: Path, tmp_path: Path, dest: Path, prepare: Callable[[Path, Path], None], command: str
):
    prepare(build, dest)
    before = tree(dest)
    start = tmp_path / "start"
    subprocess.run(["cp", "-a", dest, start], check=True)
    steps = tidying = 0
    while True:
        try:
            do(command, build, dest, disk=Faulty(steps, no_disk))
            break
        except OSError:
            assert tree(dest) == before, steps
        except RefusedError as error:
            assert str(error).startswith("it is done, but for tidying up")
            tidying += 1
            subprocess.run(["rm", "-rf", dest], check=True)
            subprocess.run(["cp", "-a", start, dest], check=True)
        steps += 1
    assert steps - tidying > 10 and tidying > 2
    assert tree(dest) != before


@pytest.mark.parametrize("then", ["install", "uninstall"])
@pytest.mark.parametrize(("prepare", "command"), SITUATIONS)
def test_a_kill_at_any_step_is_mended_by_the_next_run(
    build: Path, tmp_path: Path, dest: Path, prepare: Callable[[Path, Path], None],
    command: str, then: str,
):  # fmt: skip
    before = tree(dest)
    prepare(build, dest)
    start = tmp_path / "start"
    subprocess.run(["cp", "-a", dest, start], check=True)
    steps = 0
    while True:
        child = os.fork()
        if not child:
            try:
                do(command, build, dest, disk=Faulty(steps, lambda: os._exit(9)))
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if then == "install":
            do("install", build, dest)
            name = "second" if prepare is newer else "first"
            modules = dest / f"usr/lib/modules/{RELEASE}/kernel/mm"
            assert sorted(p.name for p in modules.iterdir()) == ["both.ko", f"{name}.ko"]
        do("uninstall", build, dest)
        assert tree(dest) == before, steps
        if status == 0:
            break
        assert status == 9
        steps += 1
        subprocess.run(["rm", "-rf", dest], check=True)
        subprocess.run(["cp", "-a", start, dest], check=True)
    assert steps > 20


@pytest.mark.parametrize("again", ["install", "uninstall"])
@pytest.mark.parametrize(("prepare", "command"), SITUATIONS[1:])
def test_a_kill_is_not_mended_while_files_cannot_be_seen(
    build: Path, dest: Path, prepare: Callable[[Path, Path], None], command: str, again: str
):
    """Else its traces there would stay for ever, when the journal is gone."""
    before = tree(dest)
    prepare(build, dest)

    class Killed(Disk):
        def rename(self, old: Path, new: Path):
            if new.name in ("vmlinuz", "modules.dep.demeter-old"):
                os._exit(9)
            super().rename(old, new)

    child = os.fork()
    if not child:
        do(command, build, dest, disk=Killed())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (dest / "var/lib/demeter/install/journal.json").exists()
    (dest / "efi").rename(dest / "elsewhere")
    (dest / "efi").mkdir()
    killed = tree(dest)
    with pytest.raises(RefusedError, match="none of the files that were installed in .*/efi"):
        do(again, build, dest)
    assert tree(dest) == killed
    (dest / "efi").rmdir()
    (dest / "elsewhere").rename(dest / "efi")
    do(again, build, dest)
    do("uninstall", build, dest)
    assert tree(dest) == before


@pytest.mark.parametrize(
    ("number", "prepare", "command"),
    [(signal.SIGHUP, newer, "install"), (signal.SIGINT, installed, "uninstall"),
     (signal.SIGTERM, lambda *_: None, "install")],
)  # fmt: skip
def test_an_interrupt_at_any_step_is_told_the_truth(
    build: Path, tmp_path: Path, dest: Path, number: signal.Signals,
    prepare: Callable[[Path, Path], None], command: str, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    prepare(build, dest)
    before = tree(dest)
    start, output = tmp_path / "start", tmp_path / "output"
    subprocess.run(["cp", "-a", dest, start], check=True)
    args = [command, f"--destdir={dest}", f"--build={build}", f"--root={ROOT}", "demeterhost"]
    ends: list[int] = []
    while 99 not in ends:
        disk = Faulty(len(ends), lambda: os.kill(os.getpid(), number))
        monkeypatch.setattr(transaction, "Disk", lambda disk=disk: disk)
        child = os.fork()
        if not child:
            status = 1
            for each in transaction.INTERRUPTS:
                signal.signal(each, signal.SIG_DFL)
            with (
                suppress(BaseException), output.open("w") as file,
                redirect_stdout(file), redirect_stderr(file),
            ):  # fmt: skip
                status = main(args)
                status = status if disk.left < 0 else 99
            os._exit(status)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        said = output.read_text()
        if ends[-1] == 130:
            assert said == f"{command}: interrupted, nothing was changed\n"
            assert tree(dest) == before
        else:
            assert ends[-1] in (0, 99), said
            assert ("  installed " if command == "install" else "  removed ") in said
            assert tree(dest) != before
            subprocess.run(["rm", "-rf", dest], check=True)
            subprocess.run(["cp", "-a", start, dest], check=True)
    assert ends.count(130) > 10 and ends.count(0) > 2


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("prepare", "command"), SITUATIONS)
def test_the_journal_is_on_the_disk_before_what_it_says_is_done(
    build: Path, dest: Path, prepare: Callable[[Path, Path], None], command: str, fails: bool,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """So that a power cut at any time leaves one that is right."""
    prepare(build, dest)
    done: list[tuple[str, Path | None]] = []

    class Watched(Disk):
        def mkdir(self, path: Path):
            done.append(("mkdir", path))
            super().mkdir(path)

        def rename(self, old: Path, new: Path):
            done.append(("rename", new))
            super().rename(old, new)

        def sync(self, folder: Path):
            done.append(("sync", folder))
            super().sync(folder)

        def remove(self, path: Path):
            if path.exists():
                done.append(("remove", path))
            super().remove(path)

        def rmdir(self, path: Path):
            done.append(("rmdir", path))
            super().rmdir(path)

    monkeypatch.setattr(os, "sync", lambda: done.append(("sync all", None)))
    state = dest / "var/lib/demeter/install"
    journal, lib = state / "journal.json", dest / "var/lib"
    kept = {journal, state / "manifest.json", lib}
    if fails:
        real = Transaction.write_journal
        monkeypatch.setattr(Transaction, "write_journal", lambda *args, done=False, **more:
                            no_disk() if done else real(*args, **more))  # fmt: skip
        with pytest.raises(OSError):
            do(command, build, dest, disk=Watched())
    else:
        do(command, build, dest, disk=Watched())
    renamed = [i for i, (what, path) in enumerate(done) if what == "rename" and path in kept]
    assert len(renamed) >= 2
    for i in renamed:
        assert done[i + 1] == ("sync", done[i][1].parent)
    # and it goes when all else is there
    ends = {("remove", journal), ("rename", lib.with_name("lib.demeter-new"))}
    gone = max(i for i, what in enumerate(done) if what in ends)
    others = [i for i, (_, path) in enumerate(done)
              if path and dest / "var" not in path.parents]  # fmt: skip
    assert others and "sync all" in [what for what, _ in done[max(others) : gone]]


# Others


def test_what_others_have_changed_is_left_and_named(build: Path, dest: Path, capsys: Any):
    do("install", build, dest)
    changed = dest / f"usr/lib/modules/{RELEASE}/modules.dep"
    changed.write_text("dkms")
    own = changed.with_name("dkms.ko")
    own.write_text("theirs")
    capsys.readouterr()
    do("uninstall", build, dest)
    assert f"left    {changed}: it was changed" in capsys.readouterr().out
    assert {p for p in (dest / "usr/lib/modules").rglob("*") if p.is_file()} == {changed, own}
    assert not (dest / "var/lib/demeter").exists() and not (dest / "efi/demeter").exists()


@pytest.mark.parametrize("how", ["", "dry"])
def test_uninstall_while_files_cannot_be_seen(build: Path, dest: Path, how: str):
    """Entries without modules would be left, and no record of them."""
    do("install", build, dest)
    (dest / "efi").rename(dest / "elsewhere")
    (dest / "efi").mkdir()
    installed = tree(dest)
    with pytest.raises(RefusedError, match="none of the files that were installed in .*/efi"):
        do("uninstall", build, dest, f"--how={how}")
    assert tree(dest) == installed
    # what it says to do if they were deleted
    do("install", build, dest)
    do("uninstall", build, dest)
    assert not (dest / "efi/loader").exists() and not (dest / "var/lib").exists()


def refuse(build: Path, dest: Path, message: str, *more: str) -> None:
    before = tree(dest)
    with pytest.raises(RefusedError, match=message) as error:
        do("install", build, dest, *more)
    assert len(str(error.value).splitlines()) == 1
    assert tree(dest) == before


@pytest.mark.parametrize(
    "path",
    [f"efi/demeter/{RELEASE}/vmlinuz", f"efi/loader/entries/linux-{RELEASE}.conf",
     f"usr/lib/modules/{RELEASE}/modules.dep", "efi/demeter"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_files_of_others_are_in_the_way(build: Path, dest: Path, path: str, kind: str):
    place = dest / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        place.write_text("theirs")
    elif kind == "link":
        place.symlink_to("nowhere")
    elif path == "efi/demeter":
        return
    else:
        place.mkdir()
    refuse(build, dest, "is there already|is in the way|symbolic link")


def test_what_was_changed_is_not_written_over(build: Path, dest: Path):
    do("install", build, dest)
    (dest / f"efi/loader/entries/linux-{RELEASE}.conf").write_text("mine")
    refuse(build, dest, "was changed since it was installed")


def test_no_space(build: Path, dest: Path, monkeypatch: pytest.MonkeyPatch):
    small = SimpleNamespace(f_frsize=4096, f_bavail=256)
    monkeypatch.setattr(os, "statvfs", lambda _: small)
    refuse(build, dest, "no space in .*: needs 2 MiB, 1 MiB are free")


def test_another_that_installs(build: Path, dest: Path):
    with subprocess.Popen(["flock", dest, "-c", "echo; sleep 60"], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        refuse(build, dest, "another installs")
        other.kill()


def test_another_esp_than_before(build: Path, dest: Path):
    do("install", build, dest)
    refuse(build, dest, "are installed in /efi: make uninstall first", "--esp=/boot")


def test_links_that_lead_out_of_destdir(build: Path, dest: Path, tmp_path: Path):
    (dest / "boot").symlink_to(tmp_path)
    refuse(build, dest, "symbolic link", "--esp=/boot")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--root="], "ROOT= must name"),
        (["--root=/dev/sda b"], "must be one word"),
        (["--root=sda2"], "must be one word that begins with PARTUUID="),
        (["--root=UUID=12"], "needs an initramfs"),
        (["--esp=efi"], "must be a path that begins with /"),
        (["--how=wet"], "INSTALL= can be dry"),
        (["--destdir={tmp}/no/such"], "is no folder"),
        (["--destdir={tmp}/build/.config"], "is no folder"),
        (["other"], "other is not built"),
        (["half"], "not staged as a whole"),
        (["broken"], "no release of broken"),
    ],
)
def test_bad_input(build: Path, dest: Path, tmp_path: Path, args: list[str], message: str):
    (build / ".config").write_text("")
    stage(build, "6.12.90-half")
    (build / "linux/half/stage/boot/vmlinuz-6.12.90-half").unlink()
    stage(build, "6.12.90-broken")
    (build / "linux/broken/stage/release").write_text("../6-broken")
    refuse(build, dest, message, *(arg.format(tmp=tmp_path) for arg in args))


def test_a_manifest_that_is_broken(build: Path, dest: Path):
    (dest / "var/lib/demeter/install").mkdir(parents=True)
    (dest / "var/lib/demeter/install/manifest.json").write_text("{")
    refuse(build, dest, "it is no JSON")


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '{"paths": 1}'])
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_journal_that_is_broken(build: Path, dest: Path, text: str, command: str):
    do("install", build, dest)
    (dest / "var/lib/demeter/install/journal.json").write_text(text)
    before = tree(dest)
    args = [command, f"--destdir={dest}", f"--build={build}", f"--root={ROOT}"]
    done = program(*args, *(["demeterhost"] if command == "install" else []))
    assert (done.returncode, done.stdout) == (1, "")
    assert "it is no journal" in done.stderr and len(done.stderr.splitlines()) == 1
    assert tree(dest) == before


def test_content_knows_links_and_files(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert Content(tmp_path / "file").digest == transaction.digest(tmp_path / "file")
    assert Content(data=b"x").digest == transaction.digest(tmp_path / "file")
    assert Content(link="file").digest == transaction.digest(tmp_path / "link")
    assert transaction.digest(tmp_path) == "" and transaction.digest(tmp_path / "no") is None


# The program, as make runs it


def program(*args: str | Path) -> subprocess.CompletedProcess[str]:
    path = f"{TOP}/install:{TOP}/image/boot"
    return subprocess.run(
        ["/usr/bin/python3", "-m", "demeter_install", *args],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["install"], "install: no host kernel is selected: make menuconfig, Host kernels"),
        (["check", "--esp=x", "any"], "install: ESP=x must be a path that begins with /"),
        (
            ["check", "--destdir=/usr/..", "any"],
            "install: DESTDIR=/usr/.. is this machine's root: leave DESTDIR out",
        ),
        (["uninstall", "--destdir=/no/such"], "uninstall: DESTDIR=/no/such is no folder"),
    ],
)
def test_the_program_refuses_by_one_line(args: list[str], message: str):
    done = program(*args)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message + "\n")


def test_uninstall_of_nothing(dest: Path):
    done = program("uninstall", f"--destdir={dest}")
    assert (done.returncode, done.stdout) == (0, "nothing is installed\n")


# What make does with it

MAKEFILE = """\
SHELL := /bin/bash
include scripts/paths.mk
goals := $(MAKECMDGOALS)
linux_dir := $(BUILD)/linux
KCONFIG_CONFIG := $(BUILD)/.config
linux_selected = demeterhost
ifneq ($(filter install,$(goals)),)
include $(KCONFIG_CONFIG)
endif
include install/install.mk
.PHONY: install
$(KCONFIG_CONFIG): ; @touch $@
images: ; @touch $(BUILD)/images
others: ; @$(MAKE) -f $(BUILD)/other.mk
"""
OTHER = """\
all: ; @echo "[$(INSTALL)] [$(ROOT)] [$(T)] [$(NPROC)]"; env | grep -E "^(INSTALL|ROOT)="; true
"""


def make(build: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (build / "Makefile").write_text(MAKEFILE)
    (build / "other.mk").write_text(OTHER)
    return subprocess.run(
        ["make", "-f", build / "Makefile", "--no-print-directory", f"BUILD={build}", *args],
        cwd=TOP, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
        | variables,
    )  # fmt: skip


@pytest.mark.parametrize("say", ["ESP=a $b\"c'", "INSTALL=wet"])
def test_make_refuses_before_it_builds_anything(build: Path, dest: Path, say: str):
    done = make(build, "images", "install", f"DESTDIR={dest}", say)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "*** install: " in done.stderr and say.partition("=")[2] in done.stderr
    assert not (build / "images").exists() and not (build / ".config").exists()


def test_make_installs_and_uninstalls_with_odd_names(build: Path, tmp_path: Path):
    (build / "linux/demeterhost/.staged").touch()
    args = ["install", f"DESTDIR={tmp_path}/o d'd", f"ROOT={ROOT}"]
    done = make(build, "images", *args)
    assert done.returncode == 0, done.stderr
    assert (build / "images").exists()
    assert (tmp_path / "o d'd" / f"efi/loader/entries/linux-{RELEASE}.conf").exists()
    assert make(build, "uninstall", args[1]).returncode == 0
    assert not (tmp_path / "o d'd").exists()


def test_make_takes_nothing_from_the_environment(build: Path, tmp_path: Path):
    """Others use these names for things of their own."""
    (build / "linux/demeterhost/.staged").touch()
    theirs = {"DESTDIR": "/no/such/thing", "ESP": "a", "ROOT": "/usr/lib", "INSTALL": "install -c"}
    args = [f"DESTDIR={tmp_path}/new", f"ROOT={ROOT}"]
    done = make(build, "install", *args, **theirs)
    assert done.returncode == 0, done.stderr
    assert ROOT in (tmp_path / f"new/efi/loader/entries/linux-{RELEASE}.conf").read_text()
    done = make(build, "install", args[0], **theirs)
    assert done.returncode == 2 and "ROOT= must name" in done.stderr
    assert make(build, "uninstall", args[0], **theirs).returncode == 0
    assert not (tmp_path / "new").exists()


def test_other_makes_do_not_take_our_variables_for_theirs(build: Path):
    """Linux' build runs what INSTALL names."""
    done = make(build, "others", "INSTALL=dry", "ROOT=a b", "T=x y", "NPROC=1")
    assert done.stdout == "[] [] [x y] [1]\n", done.stderr
