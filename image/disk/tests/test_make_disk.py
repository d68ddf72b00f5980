# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images of a small root: the same input gives the same image, and what is in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demeter_testing import TOP

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
ESP, ROOT = 1 << 20, 257 << 20  # offsets
RELEASES = ("6.12.1-demeterhost", "6.12.1-tpphost")


def run(*args: object, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(a) for a in args], cwd=TOP, capture_output=True, text=True,
        env={**os.environ, "PATH": PATH, **env},
    )  # fmt: skip


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that others can come to, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def parts(tmp_path: Path) -> list[object]:
    """Arguments of make-disk behind the output: a root of a few files, and two kernels."""
    tree = tmp_path / "tree"
    for name in ("etc/passwd", "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed", "dev/null"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        for entry in sorted(tree.iterdir()):
            tar.add(entry, arcname=f"./{entry.name}", filter=owned_by_nobody)
    (tmp_path / "files/etc").mkdir(parents=True)
    (tmp_path / "files/etc/hostname").write_text("small\n")
    (tmp_path / "files/etc/link").symlink_to("hostname")
    stages = []
    for release in RELEASES:
        stage = tmp_path / release
        (stage / "boot").mkdir(parents=True)
        (stage / "lib/modules" / release).mkdir(parents=True)
        (stage / "lib/modules" / release / "modules.dep").touch()
        (stage / "release").write_text(release + "\n")
        for name in ("vmlinuz", "config", "System.map"):
            (stage / f"boot/{name}-{release}").write_text(f"{name} of {release}")
        stages.append(stage)
    config = tmp_path / "config"
    config.write_text('CONFIG_HOST_CMDLINE="memmap=16G$64G dyndbg=\\"file x +p\\" a#b"\n')
    return [9, 400, tmp_path / "root.tar", tmp_path / "files", config, "console=ttyS0", *stages]


def owned_by_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 65534
    return entry


def make_disk(out: Path, parts: list[object]) -> subprocess.CompletedProcess:
    return run("image/disk/make-disk", out, *parts)


def digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def debugfs(image: Path, command: str) -> str:
    return run("debugfs", "-R", command, f"{image}?offset={ROOT}").stdout


def test_the_same_input_gives_the_same_image(parts, tmp_path: Path):
    first, second = tmp_path / "a/disk.raw", tmp_path / "b/disk.raw"
    assert make_disk(first, parts).returncode == 0
    # other inodes and times, and an order of folders that may differ
    files = tmp_path / "copy"
    shutil.copytree(parts[3], files, symlinks=True)
    parts[3] = files
    done = make_disk(second, parts)
    assert done.returncode == 0, done.stderr
    assert digest(first) == digest(second)
    (files / "etc/hostname").write_text("other\n")
    assert make_disk(second, parts).returncode == 0
    assert digest(first) != digest(second)


def test_what_is_on_the_image(parts, tmp_path: Path):
    image = tmp_path / "disk.raw"
    done = make_disk(image, parts)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert image.stat().st_size == 400 << 20 > image.stat().st_blocks * 512 * 4

    table = run("sfdisk", "--dump", image).stdout
    assert "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in table
    root = "de3e7e12-0000-4000-8000-000000090003"
    entry = run("mtype", "-i", f"{image}@@{ESP}", "::/loader/entries/linux-6.12.1-tpphost.conf")
    assert f"root=PARTUUID={root} numa_balancing=tiering" in entry.stdout
    assert root.upper() in table
    assert entry.stdout.endswith('console=ttyS0 memmap=16G$64G dyndbg="file x +p" a#b\n')
    loader = run("mtype", "-i", f"{image}@@{ESP}", "::/loader/loader.conf").stdout
    assert "default linux-6.12.1-demeterhost.conf" in loader
    for release in RELEASES:
        kernel = run("mtype", "-i", f"{image}@@{ESP}", f"::/demeter/{release}/vmlinuz")
        assert kernel.stdout == f"vmlinuz of {release}"

    assert debugfs(image, "cat /etc/hostname") == "small\n"
    assert 'Fast link dest: "hostname"' in debugfs(image, "stat /etc/link")
    # what the archive says of owners holds, and what is ours is root's
    assert "User: 65534" in debugfs(image, "stat /etc/passwd")
    assert "User:     0" in debugfs(image, "stat /etc/hostname")
    assert "Inode" not in debugfs(image, "stat /dev/null")
    assert f"PARTUUID={root} / ext4" in debugfs(image, "cat /etc/fstab")
    part = tmp_path / "root.ext4"
    run("dd", f"if={image}", f"of={part}", "bs=1M", "skip=257", "count=142", "conv=sparse")
    assert run("e2fsck", "-f", "-n", part).returncode == 0


def test_an_image_that_is_too_small_is_refused(parts, tmp_path: Path):
    parts[1] = 300
    done = make_disk(tmp_path / "out/disk.raw", parts)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "300 MiB are too few" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_keeps_the_image_that_was_there(parts, tmp_path: Path):
    image = tmp_path / "out/disk.raw"
    image.parent.mkdir()
    image.write_text("was there")
    (parts[-1] / "release").write_text("../x\n")
    assert make_disk(image, parts).returncode != 0
    assert image.read_text() == "was there" and list(image.parent.iterdir()) == [image]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give it up")
def test_no_root_is_needed(parts, tmp_path: Path):
    image, folder = tmp_path / "as-root.raw", tmp_path / "user"
    assert make_disk(image, parts).returncode == 0
    folder.mkdir()
    folder.chmod(0o777)
    done = run(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        "image/disk/make-disk", folder / "disk.raw", *parts, HOME="/nonexistent",
    )  # fmt: skip
    if done.returncode == 126:
        pytest.skip("others cannot read the checkout")
    assert done.returncode == 0, done.stderr
    assert digest(folder / "disk.raw") == digest(image)
