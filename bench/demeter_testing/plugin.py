# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin of pytest that all tests are run with: fixtures, markers, and the end.

Skips tests whose needs are not built, marks those that boot, closes with
"N passed, N failed", and fails when no test was run.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from demeter_bench import designs
from demeter_bench.designs import DESIGNS
from demeter_bench.oracle import Oracle
from demeter_bench.platforms.emulated import Emulated
from demeter_bench.provision import PROVISIONS
from demeter_bench.settings import MIB, PRESETS, Settings
from demeter_bench.vm import WAITS, Job, Run, Vm
from demeter_bench.workloads import application_image

import qemu.qmp  # noqa: F401 -- before pytest takes its name for our folder qemu/, see test_build.py

from . import BUILD, missing

EMULATOR = ("qemu/.built", "qemu/firmware/qboot.rom", "plugins/libtmem.so")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "print what make has to build for the tests, and run none"
    parser.addoption("--needs", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    config.option.collectonly |= config.option.needs
    # A shell makes what it runs in the background ignore them, and so would all that tests start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def needs(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("needs"):
        yield from mark.args


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.needs:
        return
    targets = set()
    for item in session.items:
        if item.get_closest_marker("boots"):
            targets.add("needs-boots")
        wanted = set(needs(item))
        symbols = {what for what in wanted if what.startswith("CONFIG_")}
        if not any(map(missing, symbols)):
            targets |= {str(BUILD / what) for what in wanted - symbols}
    print(*sorted(targets))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "boot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.boots)


def pytest_runtest_setup(item: pytest.Item) -> None:
    emulator = EMULATOR if item.get_closest_marker("boots") else ()
    for what in (*needs(item), *emulator):
        if reason := missing(what):
            pytest.skip(reason)


def executed(config: pytest.Config) -> tuple[int, int]:
    """Tests that passed, and that failed or could not be set up."""
    stats = config.pluginmanager.getplugin("terminalreporter").stats
    return len(stats.get("passed", ())), len(stats.get("failed", ())) + len(stats.get("error", ()))


def is_controller(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput") and not config.option.collectonly


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if is_controller(session.config) and executed(session.config) == (0, 0):
        session.exitstatus = session.exitstatus or pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_controller(config) or not config.pluginmanager.hasplugin("terminalreporter"):
        return
    passed, failed = executed(config)
    if not passed + failed:
        pattern = config.option.keyword
        print(f"no test was run{f': T={pattern}' if pattern else ''}", file=sys.stderr)
    print(f"\n{passed} passed, {failed} failed")


@pytest.fixture
def settings() -> Settings:
    fast, slow = PRESETS["dram_pmem"]
    return Settings(
        platform="emulated", preset="dram_pmem", fast=fast, slow=slow, vm_memory=512 * MIB,
        fast_ratio=0.5, vcpus=1, footprint=128 * MIB, vms=(1,), designs=("first-touch",),
        workloads=("gups",), repeat=1, jobs=1, timeout_s=300, name="test",
        options=Emulated.Options(),
    )  # fmt: skip


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., Path]:
    """compiled(name, C source, *flags) -> the program."""

    def compile_it(
        name: str, source: str = "int main(void) { return 0; }", *flags: str | Path
    ) -> Path:
        path = tmp_path / name
        subprocess.run(
            ["gcc", "-x", "c", "-", "-x", "none", "-o", path, *flags],
            input=source, text=True, check=True,
        )  # fmt: skip
        return path

    return compile_it


@pytest.fixture
def boot(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """boot(command, design="first-touch", provision="static", setup="", ..., **changes) -> Run.

    Runs the shell command as a job in a freshly booted emulated VM with the
    settings changed as asked; the files are in run.folder. With perf, the guest
    has perf; the files are copied to its /job; guest is another kernel than the
    design's; machine are arguments of platform; job replaces files of the job; workload
    is one whose application is to be there.
    Skips the test when the guest is not built.
    """
    count = 0

    def run_job(
        command: str | None,
        design: str = "first-touch",
        provision: str = "static",
        setup: str = "",
        perf: bool = False,
        files: Sequence[Path] = (),
        guest: str | None = None,
        machine: Mapping[str, Any] = MappingProxyType({}),
        platform: type[Emulated] = Emulated,
        job: Job | None = None,
        workload: str = "gups",
        **changes: Any,
    ) -> Run:
        nonlocal count
        image = "image/initramfs-perf.cpio" if perf else "image/initramfs.cpio"
        kernel = f"linux/{guest or DESIGNS[design].guest}/vmlinux"
        application = application_image(Path(image), workload) or image
        for what in (image, application, kernel):
            if reason := missing(str(what)):
                pytest.skip(reason)
        s = dataclasses.replace(settings, **changes)
        if guest:
            chosen = dataclasses.replace(DESIGNS[design], guest=guest)
            monkeypatch.setitem(designs.DESIGNS, design, chosen)
        run = Run(workload, design, vms=s.vms[0], repeat=0, vm=0, provision=provision)
        folder = tmp_path / f"vm{count}"
        folder.mkdir()
        count += 1
        waits = {WAITS: ""} if PROVISIONS[provision].shrinks else {}
        own: Job = {"env": "OMP_NUM_THREADS=1\n", **waits, "run": f"{command}\n"}
        files_of_job = {**own, "setup": setup, **(job or {}), **{p.name: p for p in files}}
        driver = Oracle if DESIGNS[design].profiled else Vm
        vm = driver(s, platform(BUILD, **machine), BUILD / image, run, files_of_job)
        asyncio.run(vm.execute(folder, lambda: None))
        return run

    return run_job
