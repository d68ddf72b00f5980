# SPDX-License-Identifier: GPL-2.0-or-later
"""End to end: real kernels and workloads in emulated machines."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from demeter_bench.design import DEMOTIONS, PROMOTIONS
from demeter_bench.designs import DESIGNS
from demeter_bench.results import hit_ratio, vmstat_delta
from demeter_bench.settings import PRESETS, Tier
from demeter_testing import BUILD, TOP, leftovers, results, text

pytestmark = pytest.mark.boots


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_memlat_sees_the_configured_tiers(boot, preset: str):
    """Latency within 3 %, bandwidth within 5 %, on each node."""
    fast, slow = PRESETS[preset]
    job = "memlat --node {0} --mem 160M --loads 1000000"
    run = boot(f"{job.format(0)} && {job.format(1)}", fast=fast, slow=slow, preset=preset)
    for tier, found in zip((fast, slow), results(run), strict=True):
        assert found["verified"]
        seen = found["parameters"]
        assert seen["latency_ns"] == pytest.approx(tier.read_ps / 1000, rel=0.03)
        assert seen["read_mbps"] == pytest.approx(tier.read_mbps, rel=0.05)
        # a stored line is fetched, then written back: both use the tier
        both = 1 / (1 / tier.read_mbps + 1 / tier.write_mbps)
        assert seen["write_mbps"] == pytest.approx(both, rel=0.05)


def test_image_takes_no_more_memory_than_the_job_needs(boot):
    run = boot("gups --mem 1M --updates 1000 >/dev/null; ls /usr/bin")
    assert text(run).split() == ["gups", "run-job"]


def test_bandwidth_is_shared_between_vms(boot):
    slow = Tier(176_600, 176_600, 9_000, 9_000)
    run = boot("memlat --node 1 --mem 160M --loads 100000", slow=slow, vms=(9,))
    (found,) = results(run)
    assert found["parameters"]["read_mbps"] == pytest.approx(1000, rel=0.05)


GUPS = "gups --mem 128M --updates 2M --reverse"


def test_times_follow_the_latencies(boot):
    """All-slow takes longer by the misses times the difference in latency."""
    seconds, misses = {}, {}
    for design in ("all-fast", "all-slow"):
        run = boot(GUPS, design=design)
        (found,) = results(run)
        seconds[design] = found["seconds"]
        tiers = json.loads((run.folder / "tmem.json").read_text())["roi"]["tiers"]
        misses[design] = sum(t["read_misses"] + t["write_misses"] for t in tiers.values())
    assert misses["all-slow"] == pytest.approx(misses["all-fast"], rel=0.01)
    fast, slow = PRESETS["dram_pmem"]
    expected = misses["all-fast"] * (slow.read_ps - fast.read_ps) / 1e12
    assert seconds["all-slow"] - seconds["all-fast"] == pytest.approx(expected, rel=0.02)


def test_the_same_run_twice(boot):
    first, second = (results(boot(GUPS))[0]["seconds"] for _ in range(2))
    assert first == pytest.approx(second, rel=0.005)


def test_guest_sees_two_tiers_of_the_right_size(boot):
    run = boot(
        "ls -d /sys/devices/virtual/memory_tiering/memory_tier* | wc -l;"
        "cat /sys/devices/system/node/node*/meminfo | grep MemTotal",
        fast_ratio=0.25,
    )
    tiers, *nodes = text(run).splitlines()
    assert tiers.strip() == "2"
    fast, slow = (int(line.split()[3]) // 1024 for line in nodes)
    assert 128 - 40 < fast <= 128 and 384 - 20 < slow <= 384


def test_tpp_promotes_and_demotes(boot):
    run = boot(
        "gups --mem 380M --hot 27M --updates 20M --reverse",
        design="tpp",
        setup="echo 1000 >/proc/sys/vm/demote_scale_factor\n",
        fast_ratio=0.2,
    )
    (found,) = results(run)
    assert found["verified"]
    assert vmstat_delta(run.guest, PROMOTIONS) > 0
    assert vmstat_delta(run.guest, DEMOTIONS) > 0
    assert hit_ratio(json.loads((run.folder / "tmem.json").read_text())) > 0.05


def test_without_management_nothing_moves(boot):
    run = boot("gups --mem 380M --updates 2M --reverse", fast_ratio=0.2)
    assert results(run)[0]["verified"]
    assert vmstat_delta(run.guest, PROMOTIONS) == 0
    assert vmstat_delta(run.guest, DEMOTIONS) == 0


def test_the_oracle_puts_what_is_hot_in_the_fast_tier(boot):
    """GUPS touches its hot set last, when the fast tier has long been full."""
    ratios = {}
    for design in ("first-touch", "oracle"):
        run = boot(
            "gups --mem 256M --updates 4M --reverse",
            design=design,
            setup=DESIGNS[design].setup,
            fast_ratio=0.2,
        )
        assert results(run)[0]["verified"]
        ratios[design] = hit_ratio(json.loads((run.folder / "tmem.json").read_text()))
    assert ratios["first-touch"] < 0.1
    assert ratios["oracle"] > 0.9
    assert " 0 failed" in (run.guest / "stderr").read_text()


def test_a_failing_profile_fails_the_run(boot):
    run = boot("echo it broke >&2; exit 1", design="oracle")
    assert run.state == "failed"
    assert run.error == "profiling: the job exited with status 1: it broke"
    assert leftovers(run.folder) == []


@pytest.mark.release
@pytest.mark.needs("linux/vanilla/.built")
@pytest.mark.parametrize(
    "command",
    [
        "gups --mem 380M --hot 27M --updates 20M --reverse",
        "memlat --node 0 --mem 60M --loads 2000000 && memlat --node 1 --mem 300M --loads 2000000",
    ],
)
def test_the_common_kernel_costs_nothing(boot, command: str):
    """Nothing of what designs need slows down a kernel on which none is on.

    The reference has our patches, too, with all their options off.
    """
    times = {
        guest: [found["seconds"] for found in results(boot(command, guest=guest, fast_ratio=0.2))]
        for guest in ("vanilla", "guest")
    }
    assert times["guest"] == pytest.approx(times["vanilla"], rel=0.005)


def test_guest_clock_and_plugin_agree(boot):
    run = boot("cat /proc/uptime; sleep 3; cat /proc/uptime")
    before, after = (float(x.split()[0]) for x in text(run).splitlines())
    assert after - before == pytest.approx(3, abs=0.05)
    rows = (run.folder / "tmem.csv").read_text().splitlines()
    assert rows[0].startswith("simulated_s,fast_misses")
    assert float(rows[-1].split(",")[0]) > after


# the guest's perf is static and runs here as well
PERF = "linux/perf/perf"


@pytest.mark.needs("CONFIG_IMAGE_PERF", PERF)
def test_perf_counts_and_samples_in_a_guest(boot):
    run = boot(
        "set -e; perf version;"
        "perf stat -x, -o $JOB_OUT/stat -e task-clock,page-faults,kmem:mm_page_alloc true;"
        "perf record -q -e cpu-clock -o /tmp/data gups --mem 128M --updates 1M;"
        "perf report --stdio -i /tmp/data >$JOB_OUT/report",
        perf=True,
    )
    assert text(run).startswith("perf version 6.12.")
    rows = [line.split(",") for line in (run.guest / "stat").read_text().splitlines()]
    counts = {row[2]: float(row[0]) for row in rows if len(row) > 2}
    assert set(counts) == {"task-clock", "page-faults", "kmem:mm_page_alloc"}
    assert all(count > 0 for count in counts.values())
    report = (run.guest / "report").read_text()
    assert re.search(r" gups +\[\.\] update_hotset", report)
    assert re.search(r" \[kernel\.kallsyms\] +\[k\] [a-z_]{4}", report)


@pytest.mark.needs("CONFIG_IMAGE_PERF", PERF)
def test_perf_knows_the_events_of_icelake_servers(tmp_path: Path):
    """Events have names only where there is a PMU: this sysfs has one."""
    pmu = tmp_path / "bus/event_source/devices/cpu"
    files = {"type": "4", "format/event": "config:0-7", "format/umask": "config:8-15"}
    for name, content in files.items():
        (pmu / name).parent.mkdir(parents=True, exist_ok=True)
        (pmu / name).write_text(content + "\n")
    listed = subprocess.run(
        [BUILD / PERF, "list", "--no-desc", "pmu"], capture_output=True, text=True, timeout=60,
        env={"PERF_CPUID": "GenuineIntel-6-6A-6", "SYSFS_PATH": str(tmp_path)},
    )  # fmt: skip
    for event in ("mem_load_retired.l3_miss", "mem_trans_retired.load_latency_gt_4"):
        assert event in listed.stdout.split(), listed.stderr


@pytest.mark.parametrize(
    ("command", "changes", "error"),
    [
        ("exit 7", {}, "status 7"),
        ("echo it broke >&2; exit 1", {}, "it broke"),
        ("echo c >/proc/sysrq-trigger", {}, "the guest died: Kernel panic"),
        ("poweroff -f", {}, "the guest ended without results"),
        ("echo 1 >/proc/sys/vm/overcommit_memory; dd bs=2G </dev/zero", {}, "Out of memory"),
        ("echo nonsense >/dev/hvc0; sleep 1", {}, "results are broken"),
        ("yes >/dev/hvc0", {}, "results are broken"),
        ("echo 'F ../../evil 3' >/dev/hvc0; sleep 1", {}, "results are broken"),
        ("while :; do :; done", {"timeout_s": 12}, "timed out after 12 s"),
    ],
)
def test_faults_end_as_failed_runs(boot, command: str, changes: dict, error: str):
    run = boot(command, **changes)
    assert run.state == "failed" and error in run.error, run.error
    assert "\n" not in run.error
    assert leftovers(run.folder) == []


def test_failing_setup(boot):
    run = boot("true", setup="echo 1 >/proc/sys/vm/no_such_knob\n")
    assert run.state == "failed" and "no_such_knob" in run.error


@pytest.mark.parametrize("option", ["ways=0", "bogus=1", "mlp=-1", "map=5:0:4K"])
def test_plugin_refuses_options(option: str, tmp_path: Path):
    done = subprocess.run(
        [
            BUILD / "qemu/build/qemu-system-x86_64", "-machine", "none", "-nodefaults",
            "-icount", "insn-ps=222", "-display", "none",
            "-plugin", f"{BUILD}/plugins/libtmem.so,tier=a:1:1:1:1,map=0:0:4K,{option}",
        ],
        capture_output=True, text=True, timeout=30, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.startswith("tmem: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["0", "1000001", "shift=1,insn-ps=100"])
def test_qemu_refuses_instruction_times(value: str):
    option = value if "=" in value else f"insn-ps={value}"
    done = subprocess.run(
        [BUILD / "qemu/build/qemu-system-x86_64", "-machine", "none", "-icount", option],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0 and "icount: insn-ps" in done.stderr


def bench(bench_folder: Path, *args: str) -> list[str]:
    program = f"import sys; sys.path.insert(0, {str(TOP / 'bench')!r}); "
    program += "from demeter_bench import cli; from pathlib import Path; "
    program += f"cli.BENCH = Path({str(bench_folder)!r}); sys.exit(cli.main())"
    return [sys.executable, "-c", program, "--build", str(BUILD), "bench", *args]


@pytest.mark.parametrize(
    ("number", "designs", "state"),
    [
        (signal.SIGINT, "all-fast all-slow", "running"),
        (signal.SIGTERM, "all-fast all-slow", "running"),
        (signal.SIGINT, "oracle", "profiling"),
    ],
)
def test_interrupt_leaves_nothing_running(tmp_path: Path, number: int, designs: str, state: str):
    process = subprocess.Popen(
        bench(tmp_path, "--designs", designs, "--workloads", "gups"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if f": {state}" in line:
            break
    os.killpg(process.pid, number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    status = json.loads((tmp_path / "out/status.json").read_text())
    assert status["state"] == "incomplete" and f"RESUME={(tmp_path / 'out').resolve()}" in out
    # which would say that it came to an end
    assert not list((tmp_path / "out/").glob("*/run.json"))
    assert leftovers(tmp_path) == []


def test_interrupt_while_files_are_packed_is_no_failure(tmp_path: Path):
    """A terminal's Ctrl-C goes to all programs of its foreground, also to those that pack."""
    cpio = tmp_path / "bin/cpio"
    cpio.parent.mkdir()
    cpio.write_text(
        '#!/bin/sh\nkill -INT "-$(ps -o pgid= "$PPID" | tr -d " ")"\nexec /usr/bin/cpio "$@"\n'
    )
    cpio.chmod(0o755)
    done = subprocess.run(
        bench(tmp_path, "--designs", "all-fast", "--workloads", "gups"),
        env={**os.environ, "PATH": f"{cpio.parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, start_new_session=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 130, done.stdout + done.stderr
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "incomplete"
    assert not list((tmp_path / "out/").glob("*/run.json"))
    assert leftovers(tmp_path) == []


def test_killed_bench_takes_its_machines_along(tmp_path: Path):
    process = subprocess.Popen(
        bench(tmp_path, "--designs", "all-fast", "--workloads", "gups"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if ": running" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    for _ in range(120):
        if not leftovers(tmp_path):
            break
        time.sleep(0.25)
    assert leftovers(tmp_path) == []
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "running"


def test_two_at_once_and_a_rerun(tmp_path: Path):
    """Two benchmarks at once, one of them again from its config.json, then what is left of both."""
    args = ["--designs", "all-fast", "--workloads", "memlat", "--footprint", "96M"]
    both = [
        subprocess.Popen(bench(tmp_path, *args), stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    outputs = [p.communicate(timeout=300)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], outputs
    archives = sorted((tmp_path / "archive").iterdir())
    assert len(archives) == 2
    rows = [json.loads((a / "summary.json").read_text())["rows"][0] for a in archives]
    again = subprocess.run(
        bench(tmp_path, "--from", str(archives[0] / "config.json")),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    rows.append(json.loads((tmp_path / "out/summary.json").read_text())["rows"][0])
    assert all(row["verified"] for row in rows)
    for row in rows[1:]:
        assert row["elapsed_s"] == pytest.approx(rows[0]["elapsed_s"], rel=0.005)
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "complete"
    assert (tmp_path / "out/chart.svg").exists()
    resume_each(tmp_path, archives, rows[0]["elapsed_s"])


def resume_each(tmp_path: Path, archives: list[Path], elapsed_s: float):
    """As if one had been killed during its run, the other after it."""
    for archive, boots in zip(archives, (True, False), strict=True):
        (archive / "status.json").write_text('{"state": "running", "reason": ""}')
        (archive / "summary.json").unlink()
        (run,) = archive.glob("*/run.json")
        if boots:
            run.unlink()
        again = subprocess.run(
            bench(tmp_path, "--resume", str(archive)), capture_output=True, text=True, timeout=300
        )
        assert again.returncode == 0, again.stdout + again.stderr
        assert f"1 VMs ({1 - boots} are there)" in again.stdout
        assert (": running" in again.stdout) == boots
        (row,) = json.loads((archive / "summary.json").read_text())["rows"]
        assert row["verified"] and row["elapsed_s"] == pytest.approx(elapsed_s, rel=0.005)
        assert json.loads((archive / "status.json").read_text())["state"] == "complete"
