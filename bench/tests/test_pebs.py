# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated PMU: what Linux's own driver counts and samples, against the truth.

The truth is the trace of the tmem plugin: every access that a counter counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from demeter_bench.designs import DESIGNS
from demeter_bench.platforms.emulated import CPU, Emulated
from demeter_bench.vm import write_initrd
from demeter_testing import BUILD, kunit, text
from demeter_testing.bare_metal import assemble, boot

pytestmark = pytest.mark.boots

PMU = "tcg-pmu=on"
# leaves what the performance counters counted in the file "trace"
TRACED = {"outputs": ("trace=trace",)}
MHZ = 3000
THRESHOLD = 64

# struct tmem_trace_record (trace.h), struct record (sampler.c)
TRACE = np.dtype(
    [("vaddr", "u8"), ("at_ps", "u8"), ("latency_ps", "u4"), ("level", "u1"), ("flags", "u1"),
     ("unused", "u2")]
)  # fmt: skip
SAMPLES = np.dtype(
    [(field, "u8") for field in ("ip", "time_ns", "addr", "latency", "data_src", "sp", "reg_ip")]
)
STORE, SAMPLED = 1, 2

# (PERF_MEM_LVLNUM, PERF_MEM_REMOTE) of each level of the model
LEVELS = {0: (1, 0), 1: (3, 0), 2: (0xD, 0), 3: (0xD, 1), 4: (0xE, 0), 5: (0xE, 1)}

# a working set in both tiers, of which the caches hold next to nothing
GUPS = "gups --mem 160M --updates {}"
SMALL = {"fast_ratio": 0.25}


def tool(name: str) -> Path:
    return BUILD / "tests" / name


def trace_of(run) -> np.ndarray:
    return np.fromfile(run.folder / "trace", TRACE)


def samples_of(run) -> np.ndarray:
    return np.fromfile(run.guest / "samples", SAMPLES)


def counts_of(run) -> dict:
    """The sampler's own line."""
    (line,) = (x for x in text(run).splitlines() if "lost" in x)
    return json.loads(line)


def interrupts(run) -> int:
    """Performance interrupts during the job."""
    before, after = (
        int((run.guest / f"interrupts.{when}").read_text().split()[1]) for when in ("0", "1")
    )
    return after - before


def sample(boot, options: str, command: str, beside: str = "", **changes):
    """Sample the command; beside is run before it in the same shell."""
    return boot(
        f"grep PMI /proc/interrupts >$JOB_OUT/interrupts.0; {beside}"
        f"/job/sampler {options} --out $JOB_OUT/samples {command};"
        "status=$?; grep PMI /proc/interrupts >$JOB_OUT/interrupts.1; [ -z $! ] || kill $!;"
        "exit $status",
        files=[tool("sampler")],
        machine=TRACED,
        timeout_s=120,
        **changes,
    )


def agree(samples: np.ndarray, trace: np.ndarray) -> None:
    """Each sample is the traced access, in the same order; none lost, none twice."""
    taken = trace[trace["flags"] & SAMPLED != 0]
    assert len(samples) == len(taken)
    assert (samples["addr"] == taken["vaddr"]).all()
    assert (samples["latency"] == taken["latency_ps"].astype("u8") * MHZ // 10**6).all()
    number = (samples["data_src"] >> np.uint64(33)) & np.uint64(0xF)
    remote = (samples["data_src"] >> np.uint64(37)) & np.uint64(1)
    expected = np.array([LEVELS[level] for level in range(6)])[taken["level"]]
    assert (number == expected[:, 0]).all() and (remote == expected[:, 1]).all()


def test_driver_finds_an_ice_lake_server(boot):
    run = boot("dmesg -r >$JOB_OUT/log; ls /sys/devices/cpu/events")
    assert run.state == "done", run.error
    log = (run.guest / "log").read_text()
    assert "PEBS fmt4+-baseline, Icelake events" in log
    assert "full-width counters, Intel PMU driver" in log
    events = (run.guest / "stdout").read_text().split()
    assert {"mem-loads", "mem-stores", "branch-misses", "ref-cycles"} <= set(events)
    warnings = [line for line in log.splitlines() if re.match("<[0-4]>", line)]
    assert not [line for line in warnings if "pci_bus" not in line]


@pytest.mark.parametrize("period", [64, 509, 4093])
def test_samples_are_every_nth_load(boot, period: int):
    run = sample(boot, f"--period {period}", GUPS.format("1M"), **SMALL)
    counts, samples, trace = counts_of(run), samples_of(run), trace_of(run)
    assert counts["lost"] == 0
    assert counts["events"] == len(trace)
    (taken,) = np.nonzero(trace["flags"] & SAMPLED)
    assert counts["samples"] == len(samples) == len(taken)
    # where one event is left when Linux resumes a counter, it waits for two: seldom
    distances = np.diff(taken, prepend=-1)
    late = np.count_nonzero(distances == period + 1)
    assert np.count_nonzero(distances == period) == len(taken) - late and late <= 2
    assert len(trace) - 1 - taken[-1] <= period
    agree(samples, trace)
    # both tiers are there, and nothing at or below the threshold
    assert {2, 4} <= set(np.unique(trace["level"]))
    assert samples["latency"].min() > THRESHOLD
    assert (trace["latency_ps"].astype("u8") * MHZ // 10**6).min() > THRESHOLD


def test_distribution_is_that_of_all_misses(boot):
    """Chi-square over 64 equal regions, at 1 %; the hot set's share."""
    hot = 16 << 20
    run = sample(boot, "--period 509", GUPS.format("4M") + f" --hot {hot}", **SMALL)
    counts, samples, trace = counts_of(run), samples_of(run), trace_of(run)
    assert counts["lost"] == 0
    # the table is by far the largest thing that the program reads: the longest
    # sequence of pages without a gap of more than 64 KiB
    pages = np.unique(trace["vaddr"] >> np.uint64(12))
    pieces = np.split(pages, np.flatnonzero(np.diff(pages) > 16) + 1)
    table = max(pieces, key=len)
    base, end = int(table[0]) << 12, (int(table[-1]) + 1) << 12
    edges = np.linspace(base, end, 65)
    truth, _ = np.histogram(trace["vaddr"], edges)
    seen, _ = np.histogram(samples["addr"], edges)
    assert end - base == pytest.approx(160 << 20, rel=0.01) and seen.sum() > 0.99 * len(samples)
    expected = truth * (seen.sum() / truth.sum())
    assert expected.min() > 5
    chi_square = ((seen - expected) ** 2 / expected).sum()
    assert chi_square < 92.01  # 63 degrees of freedom, 1 %

    # the regions that hold the hot set are the ones read the most
    regions = np.argsort(truth)[-(hot * 64 // (end - base)) :]
    share = truth[regions].sum() / truth.sum()
    error = np.sqrt(share * (1 - share) / seen.sum())
    assert error < 0.005
    # where samples fall changes with each build of the kernel; one in 16000 may miss this
    assert seen[regions].sum() / seen.sum() == pytest.approx(share, abs=4 * error)


def test_buffer_is_drained_at_context_switches(boot):
    """No interrupt is needed at a long period: others want the processor, too."""
    run = sample(
        boot, "--period 4093", GUPS.format("2M"),
        beside="while :; do :; done & ", **SMALL,
    )  # fmt: skip
    assert counts_of(run)["lost"] == 0
    assert len(samples_of(run)) > 100
    agree(samples_of(run), trace_of(run))
    assert interrupts(run) == 0


def test_full_buffer_interrupts(boot):
    """Nobody else wants the processor: the buffer's threshold has to do it."""
    run = sample(boot, "--period 64", GUPS.format("2M"), **SMALL)
    samples = samples_of(run)
    assert counts_of(run)["lost"] == 0
    agree(samples, trace_of(run))
    # 64 KiB, 64 bytes a record, less what the driver keeps in reserve
    assert len(samples) // 1024 * 0.7 <= interrupts(run) <= len(samples) / 1000 + 1


@pytest.mark.parametrize(
    ("event", "period", "levels", "store"),
    [
        (0x81D0, 997, {0, 1, 2, 4}, 0),  # MEM_INST_RETIRED.ALL_LOADS
        (0x82D0, 997, {0, 1, 2, 4}, 1),  # MEM_INST_RETIRED.ALL_STORES
        (0x20D1, 97, {2, 4}, 0),  # MEM_LOAD_RETIRED.L3_MISS
        (0x80D1, 97, {4}, 0),  # MEM_LOAD_RETIRED.LOCAL_PMM
        (0x01D3, 97, {2}, 0),  # MEM_LOAD_L3_MISS_RETIRED.LOCAL_DRAM
    ],
)
def test_events_count_what_they_name(boot, event: int, period: int, levels: set[int], store: int):
    options = f"--event {event:#x} --period {period}"
    run = sample(boot, options, GUPS.format("100K"), **SMALL)
    counts, samples, trace = counts_of(run), samples_of(run), trace_of(run)
    assert counts["lost"] == counts["throttled"] == 0
    assert counts["events"] == len(trace) > 4000
    assert counts["samples"] == len(trace) // period
    assert set(np.unique(trace["level"])) <= levels
    # GUPS loads what it stores to: its stores hit
    assert store or levels & {2, 4} <= set(np.unique(trace["level"]))
    assert set(np.unique(trace["flags"] & STORE)) == {store}
    assert (samples["addr"] == trace[trace["flags"] & SAMPLED != 0]["vaddr"]).all()


def test_samples_of_stores_say_whether_they_hit(boot):
    """The first level alone: that is all that a record of a store tells."""
    writes = GUPS.format("200K") + " --mode writes"
    run = sample(boot, "--event 0x82d0 --period 997", writes, **SMALL)
    samples, trace = samples_of(run), trace_of(run)
    taken = trace[trace["flags"] & SAMPLED != 0]
    assert counts_of(run)["lost"] == 0 and len(samples) == len(taken) > 1000
    # PERF_MEM_OP_STORE; PERF_MEM_LVL_L1 and _HIT, or _MISS
    expected = np.where(taken["level"] == 0, 0x04 | 0x0A << 5, 0x04 | 0x0C << 5)
    assert (samples["data_src"] & np.uint64((1 << 19) - 1) == expected).all()
    missed = taken["level"] != 0
    assert {2, 4} <= set(np.unique(taken["level"])) and 100 < missed.sum() < len(taken) - 100


def test_sample_names_the_instruction(boot):
    run = sample(boot, "--period 509", GUPS.format("1M"), **SMALL)
    assert run.state == "done", run.error
    ips, counts = np.unique(samples_of(run)["ip"], return_counts=True)
    # the loop reads the table in one place
    assert counts.max() > 0.95 * counts.sum(), ips


def test_registers_are_those_of_the_instruction(boot):
    run = sample(boot, "--registers --period 509", GUPS.format("200K"), **SMALL)
    assert counts_of(run)["samples"] > 100
    samples = samples_of(run)
    agree(samples, trace_of(run))
    # the driver reports the sampled instruction; a stack is at the top of user memory
    assert (samples["reg_ip"] == samples["ip"]).all()
    assert (samples["sp"] >> np.uint64(40) == 0x7F).all()


@pytest.mark.parametrize("event", [0xC0, 0x3C, 0xC4])
def test_clocks_are_sampled(boot, event: int):
    """Instructions, cycles, branches: late, but none is lost."""
    options = f"--event {event:#x} --precise 2 --period 100003 --registers"
    run = sample(boot, options, "gups --mem 64M --updates 1M")
    counts, samples = counts_of(run), samples_of(run)
    assert counts["lost"] == counts["throttled"] == 0
    # what overflows as the event ends is not written any more
    assert 50 < counts["events"] // 100_003 - 1 <= counts["samples"] <= counts["events"] // 100_003
    assert (samples["sp"] >> np.uint64(40) == 0x7F).all()
    assert (np.diff(samples["time_ns"].astype("i8")) > 0).all()


def test_counters_are_exact(boot):
    run = boot("/job/counters", files=[tool("counters")])
    found = json.loads(text(run))
    assert found["counter"] == 1 << 30  # fixed counter 0
    assert found["wrong"] == 0 and found["rounds"] > 0
    for what in ("loads", "stores", "branches"):
        assert found[what] == found["loop"], what
    assert found["cycles"] == pytest.approx(found["elapsed_ns"] * MHZ / 1000, rel=1e-3)
    assert found["ref_cycles"] == pytest.approx(found["elapsed_ns"], rel=1e-3)


def test_random_msr_accesses(boot):
    run = boot(
        "/job/msrfuzz 1 1000000 && /job/sampler --period 509 gups --mem 64M --updates 100K",
        setup="echo on >/sys/module/msr/parameters/allow_writes",
        files=[tool("msrfuzz"), tool("sampler")],
    )
    fuzz, _, counts = map(json.loads, text(run).splitlines())
    assert fuzz["accesses"] == 1_000_000 and fuzz["wrong"] == 0 and fuzz["invalid"] > 100_000
    # and the PMU still works
    assert counts["samples"] > 50 and counts["lost"] == 0


HOSTILE = {
    "page table in RAM": (["PAGE_TABLE=0x2000", "EVENT=0x81d0"], "BE"),
    "page table in a device": (["PAGE_TABLE=0xfed00000", "EVENT=0x81d0"], "BE"),
    "page table in ROM": (["PAGE_TABLE=0xf8000", "EVENT=0xc0"], "BE"),
    "system management": (["SMM"], "BSE"),
    "idle": (["IDLE"], "BE"),
    "INIT": (["INIT"], "BBE"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_guests(tmp_path: Path, what: str):
    """Without an operating system (qemu/tests/hostile.S); some used to end QEMU."""
    defines, expected = HOSTILE[what]
    rom = assemble(tmp_path, "hostile", *defines)
    tier = ("tier=fast:68.7:68.7:88157:88157:dram", "map=0:0:64M")
    assert boot(rom, tmp_path / "run", f"{CPU},{PMU}", *tier)[0] == expected + "\n"


@pytest.mark.parametrize(
    ("cpu", "accel", "error"),
    [
        (f"{CPU},{PMU}", "tcg", "needs simulated time"),
        (f"{CPU},{PMU}", "qtest", "needs accel=tcg"),
        (f"max,{PMU}", "tcg -icount insn-ps=222", "excludes svm"),
        (f"{CPU},{PMU},tcg-pmu-mhz=0", "tcg -icount insn-ps=222", "tcg-pmu-mhz must be"),
    ],
)
def test_machines_that_cannot_have_a_pmu(cpu: str, accel: str, error: str):
    run = subprocess.run(
        [Emulated(BUILD).qemu, "-machine", "q35", "-cpu", cpu, "-accel", *accel.split(),
         "-nodefaults", "-display", "none", "-S"],
        timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 1
    assert error in run.stderr


def test_kernel_users_get_every_record(boot):
    linux = BUILD / "linux/guest"
    modules = [linux / "lib/kunit/kunit.ko", linux / "arch/x86/events/intel/pebs_kunit.ko"]
    run = boot("insmod /job/kunit.ko enable=1; insmod /job/pebs_kunit.ko; dmesg", files=modules)
    log = text(run)
    assert kunit(log) == {"pebs": (3, 3)}, log[-4000:]


@pytest.mark.needs("CONFIG_IMAGE_PERF")
def test_perf_mem_and_perf_stat(boot):
    """The tools that people use, in a guest, unmodified."""
    gups = GUPS.format("1M")
    events = "cycles,instructions,branches,branch-misses,cache-misses,"
    events += "mem_load_retired.l3_miss,mem_load_retired.local_pmm"
    run = boot(
        "set -e; "
        f"perf mem record -t load -o /tmp/data {gups} 2>$JOB_OUT/record;"
        "perf mem report --stdio -i /tmp/data >$JOB_OUT/report;"
        "perf mem report --stdio -s mem,sym -i /tmp/data >$JOB_OUT/levels;"
        f"perf stat -x, -o $JOB_OUT/stat -e {events} {gups}",
        perf=True, timeout_s=120, **SMALL,
    )  # fmt: skip
    assert run.state == "done", run.error
    assert "update_hotset" in (run.guest / "report").read_text()
    levels = (run.guest / "levels").read_text()
    assert re.search(r"PMEM hit +\[\.\] update_hotset", levels), levels
    assert re.search(r"(Local )?RAM( or RAM)? hit +\[\.\] update_hotset", levels), levels
    rows = [line.split(",") for line in (run.guest / "stat").read_text().splitlines()]
    counts = {row[2].removesuffix(":u"): float(row[0]) for row in rows if len(row) > 2}
    assert counts["branch-misses"] == 0  # the modelled core predicts them all
    for event, count in counts.items():
        assert count > 0 or event == "branch-misses", event
    assert counts["mem_load_retired.local_pmm"] < counts["mem_load_retired.l3_miss"]


def test_without_the_property_there_is_no_pmu(boot):
    out = text(boot("cat /proc/cpuinfo; dmesg", machine={"pmu": False}))
    assert "arch_perfmon" not in out and "pebs" not in out
    assert "unsupported p6 CPU model 106 no PMU driver" in out


class Qmp:
    """A QEMU's monitor on a Unix socket."""

    def __init__(self, path: Path) -> None:
        deadline = time.monotonic() + 30
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < deadline, "no monitor"
                time.sleep(0.05)
        self.socket.settimeout(60)
        self.file = self.socket.makefile("r")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments) -> dict:
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self.file.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def wait_for(self, command: str, status: str) -> None:
        deadline = time.monotonic() + 60
        while self(command).get("status") != status:
            assert time.monotonic() < deadline, f"not {status}"
            time.sleep(0.05)


def test_counters_survive_save_and_restore(settings, tmp_path: Path):
    """A guest is saved while it samples, and goes on in another process."""
    settings = dataclasses.replace(settings, **SMALL)
    design = DESIGNS["first-touch"]
    command = "/job/sampler --period 509 " + GUPS.format("3M --report-ms 10")
    job = {"env": "OMP_NUM_THREADS=1\n", "setup": "", "run": command + "\n"}
    write_initrd(BUILD / "image/initramfs.cpio", job | {"sampler": tool("sampler")}, tmp_path)
    base = Emulated(BUILD, **TRACED).job_command(settings, design, 1, 1)

    def start(part: int, *extra: str) -> tuple[subprocess.Popen, Qmp]:
        # each process has its own stream, trace and monitor
        (tmp_path / f"part{part}").mkdir()
        args = [a.replace("path=stream", f"path=part{part}/stream") for a in base]
        args = [a.replace("trace=trace", f"trace=part{part}/trace") for a in args]
        args += ["-qmp", f"unix:part{part}/qmp,server=on,wait=off", *extra]
        process = subprocess.Popen(args, cwd=tmp_path)
        try:
            with contextlib.chdir(tmp_path):  # a socket's path must be short
                return process, Qmp(Path(f"part{part}/qmp"))
        except BaseException:
            process.kill()
            raise

    first, qmp = start(1)
    try:
        deadline = time.monotonic() + 60
        while (tmp_path / "part1/stream").read_bytes().count(b"L {") < 4:
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.05)
        qmp("stop")
        qmp("migrate", uri="file:state")
        qmp.wait_for("query-migrate", "completed")
        qmp("quit")
        assert first.wait(60) == 0
    finally:
        first.kill()
    second, qmp = start(2, "-incoming", "file:state")
    try:
        qmp.wait_for("query-migrate", "completed")
        qmp("cont")
        assert second.wait(120) == 0
    finally:
        second.kill()
    parts = [np.fromfile(tmp_path / f"part{i}/trace", TRACE) for i in (1, 2)]
    assert all(len(part) > 10_000 for part in parts)
    out = (tmp_path / "part2/stream").read_text(errors="replace")
    counts = next(json.loads(x[2:]) for x in out.splitlines() if x.startswith('L {"events"'))
    assert counts["events"] == sum(map(len, parts))
    assert counts["samples"] == counts["events"] // 509 and counts["lost"] == 0
