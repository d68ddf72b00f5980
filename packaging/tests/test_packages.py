# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages: installed in a clean Debian, run there, and removed without a trace."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
from demeter_testing import BUILD, TOP
from demeter_testing.debian import Debian

PACKAGES = BUILD / "packages"
PROGRAMS = ["demeterctl", "tiered-balloon", "demeter-host"]
programs = pytest.mark.needs("packages/.programs", "debian/.made")
kernel = pytest.mark.needs(
    "packages/.linux-demeterguest", "CONFIG_GUEST_DEMETERGUEST", "debian/.made"
)
# what dpkg and what it calls write down, also of packages that are gone
RECORDS = re.compile(
    r"/var/(lib/dpkg|log|cache/(man|ldconfig|debconf))/.*|/etc/ld\.so\.cache|/packages"
)


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    debian = Debian(tmp_path / "debian")
    debian.bind(PACKAGES, "/packages")
    return debian


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def debs(*names: str) -> list[str]:
    """Those that were built: demeter-host comes with the programs in Rust."""
    found = [path.name for name in names for path in PACKAGES.glob(f"{name}_*.deb")]
    assert found
    return [f"/packages/{name}" for name in found]


def left(debian: Debian) -> set[str]:
    return {path for path in debian.changes() if not RECORDS.fullmatch(path)}


@programs
def test_programs_come_and_go(debian: Debian):
    files = debs(*PROGRAMS)
    names = [Path(file).name.partition("_")[0] for file in files]
    assert {"demeterctl", "tiered-balloon"} <= set(names)
    good(debian.run(f"dpkg -i {' '.join(files)}"))
    assert good(debian.run(f"dpkg -V {' '.join(names)}")) == ""
    tools = ("demeterctl", "tiered-balloon", "tierctl", "tierd")
    said = good(debian.run(f"for p in {' '.join(tools)}; do $p --version; done"))
    text = (TOP / "cloud-hypervisor/Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"', text, re.M)[1]
    assert said.split("\n")[:-1] == [f"{name} {version}" for name in tools]
    wants = "/etc/systemd/system/multi-user.target.wants"
    good(debian.run(f"test -L {wants}/demeter.service && test -L {wants}/tierd.service"))
    good(debian.run("tierd check --config /usr/share/doc/tiered-balloon/examples/tierd.toml"))
    # the configuration that is installed is one, and without Demeter nothing is done
    done = debian.run("demeterctl apply /etc/demeter.conf")
    assert done.returncode == 1 and "modprobe demeter" in done.stderr

    good(debian.run("echo '# mine' >>/etc/demeter.conf"))
    good(debian.run(f"dpkg -r {' '.join(names)}"))
    assert "/etc/demeter.conf" in left(debian) and "/usr/sbin/demeterctl" not in left(debian)
    good(debian.run(f"dpkg -P {' '.join(names)}"))
    assert left(debian) == set()


@programs
def test_units_are_in_order(debian: Debian):
    good(debian.run(f"dpkg -i {' '.join(debs(*PROGRAMS))}"))
    done = debian.run(
        "systemd-analyze verify --man=no demeter.service tierd.service tiered-balloon@x.service"
    )
    assert done.returncode == 0, done.stderr
    assert "demeter" not in done.stderr and "tier" not in done.stderr, done.stderr


@programs
def test_completion_knows_commands_and_scopes(debian: Debian):
    good(debian.run(f"dpkg -i {' '.join(debs('demeterctl', 'tiered-balloon'))}"))
    script = """bash -ec '. /usr/share/bash-completion/completions/demeterctl
        ask() { COMP_WORDS=(demeterctl "$@") COMP_CWORD=$#; _demeterctl; echo "${COMPREPLY[*]}"; }
        ask ""; ask ex; ask attach c; ask attach pid ""; ask status --'"""
    commands, one, scope, pids, options = good(debian.run(script)).splitlines()
    text = (TOP / "linux/tools/mm/demeterctl/demeterctl.c").read_text()
    names = re.findall(r'\{ "(\w+)", \w+_command \}', text)
    assert sorted(commands.split()) == sorted(names) and len(names) == 11
    assert (one, scope) == ("explain", "cgroup") and "1" in pids.split() and "--json" in options
    for name in ("tierctl", "tierd", "tiered-balloon"):
        good(
            debian.run(
                f"bash -ec '. /usr/share/bash-completion/completions/{name}; complete -p {name}'"
            )
        )


@programs
def test_lintian_has_no_errors(debian: Debian):
    done = debian.run(f"lintian --allow-root --fail-on error {' '.join(debs(*PROGRAMS))}")
    assert done.returncode == 0, done.stdout


@programs
def test_same_files_same_packages(tmp_path: Path):
    """But for the licences of crates, for which cargo is asked, that is quick."""
    for name in ("a", "b"):
        subprocess.run(
            [TOP / "packaging/build", tmp_path / name, BUILD / "tools/demeterctl", ""],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}, check=True, capture_output=True,
        )  # fmt: skip
    first, second = (next((tmp_path / name).glob("*.deb")).read_bytes() for name in ("a", "b"))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


FAKE_MAKE = """#!/bin/bash -e
# bindeb-pkg, as far as it writes beside the build folder
cd "{0}"
mkdir busy
sleep 1
release=$1
touch "linux-image-${{release}}_6.12.90-1_amd64.deb" linux-upstream_6.12.90.changes
sleep 1
test -e linux-upstream_6.12.90.changes
rmdir busy
"""


def test_kernels_are_packaged_one_after_the_other(tmp_path: Path):
    """make -j packages begins with all of them at once."""
    make = tmp_path / "make"
    make.write_text(FAKE_MAKE.format(tmp_path / "linux"))
    make.chmod(0o755)
    running = []
    for release in ("6.12.90-demeterhost", "6.12.90-tpphost"):
        output = tmp_path / "linux" / release
        (output / "include/config").mkdir(parents=True)
        (output / "include/config/kernel.release").write_text(f"{release}\n")
        command = [TOP / "packaging/kernel", tmp_path / "out", output, make, release]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for one in running:
        said = one.communicate()[1]
        assert one.returncode == 0, said
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert not list((tmp_path / "linux").glob("linux-*"))


@pytest.mark.release
@kernel
def test_a_kernel_comes_and_goes(debian: Debian):
    """Its hooks are told, as those of Debian's kernels are: so an entry is made and removed."""
    debian.write("etc/kernel/postinst.d/zz-test", '#!/bin/sh\necho "added $1 $2"\n', 0o755)
    debian.write("etc/kernel/postrm.d/zz-test", '#!/bin/sh\necho "removed $1"\n', 0o755)
    mine = left(debian)
    (file,) = debs("linux-image-*-demeterguest")
    name = Path(file).name.partition("_")[0]
    release = name.removeprefix("linux-image-")
    said = good(debian.run(f"dpkg -i {file}"))
    assert f"added {release} /boot/vmlinuz-{release}" in said
    assert good(debian.run(f"dpkg -V {name}")) == ""
    good(debian.run(f"modinfo -k {release} demeter && test -s /boot/config-{release}"))
    # the kernel's own rules put modules into /lib, which is a link in Debian 13
    lintian = "lintian --allow-root --fail-on error --suppress-tags aliased-location"
    done = debian.run(f"{lintian} {file}")
    assert done.returncode == 0, done.stdout
    assert f"removed {release}" in good(debian.run(f"dpkg -P {name}"))
    assert left(debian) == mine
