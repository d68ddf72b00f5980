# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of workloads have: the program, as `make workload-tests` has built it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from demeter_bench.workload import check_result
from demeter_testing import BUILD

FOLDERS = {"asan": "tests/asan", "tsan": "tests/tsan", "unit": "tests/unit", "guest": "workloads"}


@dataclass(frozen=True)
class Program:
    """One workload's program. Of its builds, "guest" is what runs in VMs."""

    name: str
    build: Path

    def path(self, build: str = "asan") -> Path:
        path = self.build / FOLDERS[build] / self.name
        if not path.exists():
            pytest.skip(f"{FOLDERS[build]}/{self.name} is not built")
        return path

    def has(self, build: str) -> bool:
        return (self.build / FOLDERS[build] / self.name).exists()

    def run(
        self, *args: str | Path, build: str = "asan", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            [self.path(build), *args],
            capture_output=True, text=True, timeout=300, env={**os.environ, **env},
        )  # fmt: skip

    def result(self, *args: str | Path, build: str = "asan", status: int = 0, **env: str) -> dict:
        """Run it; the result, which is as every result must be and verified if status is 0."""
        done = self.run(*args, build=build, **env)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
        assert check_result(found) == []
        assert found["workload"] == self.name and found["verified"] == (status == 0)
        return found

    def parameters(self, *args: str | Path, build: str = "asan", status: int = 0) -> dict:
        """Run it; the parameters of its result, verified if status is 0."""
        return self.result(*args, build=build, status=status)["parameters"]

    def peak_mib(self, *args: str) -> float:
        """Run it as built for guests; the largest resident memory it had.

        The kernel counts what a process had before exec, so a small one starts it.
        """
        small = "import subprocess, resource, sys; subprocess.run(sys.argv[1:], stdout=-3, check=1)"
        small += "; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        command = [sys.executable, "-I", "-S", "-c", small, self.path("guest"), *args]
        return int(subprocess.run(command, capture_output=True, check=True).stdout) / 1024

    def refused(self, message: str, *args: str | Path, **env: str) -> None:
        """Run it with bad input: one line says so, and nothing was done."""
        done = self.run(*args, **env)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert message in done.stderr and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith(f"{self.name}: ") and not done.stdout


@pytest.fixture
def program_of() -> Callable[[str], Program]:
    """program_of("gups") is the program of that name."""
    return lambda name: Program(name, BUILD)


@pytest.fixture
def program(request: pytest.FixtureRequest, program_of: Callable[[str], Program]) -> Program:
    """The program of the folder that the test lies in, workloads/NAME/tests/."""
    return program_of(request.path.parents[1].name)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that all users can read, also when the tests are root's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def application(open_folder: Path) -> Callable[..., Path]:
    """application("redis", "redis-server") is the folder of an application that is built.

    It is unpacked, and the programs in its folder bin run on this system, which may have an
    older library of C.
    """

    def unpack(name: str, *programs: str) -> Path:
        image = BUILD / f"image/app-{name}.cpio"
        if not image.exists():
            pytest.skip(f"image/app-{name}.cpio is not built")
        root = open_folder / name
        (root / "bin").mkdir(parents=True)
        with image.open("rb") as packed:
            unpacking = ["cpio", "-id", "--quiet", "--no-absolute-filenames", "-D", root]
            subprocess.run(unpacking, stdin=packed, check=True)
        (loader,) = root.glob("lib64/ld-linux-*")
        libraries = ":".join(map(str, root.glob("lib/*-linux-gnu")))
        for program in programs:
            (found,) = root.glob(f"usr/**/{program}")
            script(root / "bin" / program, f'exec {loader} --library-path {libraries} {found} "$@"')
        return root

    return unpack


def script(path: Path, text: str) -> Path:
    """Make a program of lines for the shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def own_by_server() -> Callable[[Path], None]:
    """Give a folder to the user that servers of root are run by."""

    def give(folder: Path) -> None:
        for path in (folder, *folder.rglob("*")) if os.geteuid() == 0 else ():
            shutil.chown(path, 65534, 65534)

    return give
