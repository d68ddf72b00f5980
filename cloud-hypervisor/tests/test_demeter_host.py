# SPDX-License-Identifier: GPL-2.0-or-later
"""demeter-host on a real kernel, in a guest: undo leaves the machine as it was before.

What the guest's kernel has not (swap devices, cpufreq, dax) is covered by the tests in Rust,
on a machine in memory.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from demeter_bench.program import job, with_files
from demeter_bench.settings import Program
from demeter_testing import BUILD, TOP, no_complaint, text

PROGRAMS = BUILD / "cloud-hypervisor"
MANUAL = TOP / "docs/host.md"

STEPS = """
# All that can be set, and files on disk
state() {
	find /proc/sys/vm /proc/sys/fs/nr_open /proc/sys/fs/file-max /proc/sys/kernel/numa_balancing \\
		/sys/kernel/mm/numa /sys/kernel/mm/transparent_hugepage /etc /var -type f |
		grep -vE '/(compact_memory|drop_caches|stat_refresh)$|/stats/' | sort |
		xargs grep '' /dev/null >/tmp/$1
}
same() {
	state after
	cmp -s /tmp/before /tmp/after || { diff /tmp/before /tmp/after; false; }
}
host() { /job/demeter-host "$@"; }

mkdir -p /etc/security/limits.d /var/lib
echo never >/sys/kernel/mm/transparent_hugepage/enabled
echo 4096 >/proc/sys/fs/nr_open
host check >/dev/null && exit 10
# the folder stays
host undo >/dev/null || exit 11
state before

# There and back, by either mode, and by both
for modes in demeterhost tpphost 'demeterhost tpphost demeterhost'; do
	for mode in $modes; do
		host setup --mode $mode --json >/tmp/setup || exit 12
		host check --mode $mode --only overcommit,numa-balancing,huge-pages || exit 13
		cat /proc/sys/kernel/numa_balancing
	done
	host undo || exit 14
	same || exit 15
done
grep -q numa_balancing /tmp/setup || exit 16

# Killed between the journal and a change. Three pipes lie over the file. Setup reads it twice
# before: once it has opened a pipe, that is taken away, and only then is there something to
# read, so that the next open gets the next pipe. Nobody reads the third, which holds setup up
# when it writes.
mkfifo /tmp/pipe1 /tmp/pipe2 /tmp/pipe3
midway=0
for file in /proc/sys/vm/overcommit_memory /sys/kernel/mm/transparent_hugepage/enabled \\
	/sys/kernel/mm/transparent_hugepage/shmem_enabled /proc/sys/fs/nr_open; do
	value=$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' $file)
	for pipe in 3 2 1; do mount --bind /tmp/pipe$pipe $file; done
	for pipe in 1 2; do
		{ umount -l $file; echo $value; } >/tmp/pipe$pipe
	done &
	writer=$!
	/job/demeter-host setup >/dev/null 2>&1 &
	setup=$!
	tries=0
	until grep -q $file /var/lib/demeter/host.json 2>/dev/null; do
		if [ $((tries += 1)) -gt 2000 ]; then
			echo "$file: setup did not note it"
			kill -9 $writer $setup
			exit 24
		fi
		usleep 1000
	done
	usleep 10000
	kill -9 $setup
	wait $setup
	[ $? = 137 ] && midway=$((midway + 1))
	umount $file
	if grep -q " $file " /proc/mounts; then echo "$file: setup read it once"; exit 25; fi
	host undo >/tmp/undo 2>&1 || { cat /tmp/undo; exit 17; }
	same || exit 18
done
# and at any time
for i in $(seq 12); do
	/job/demeter-host setup >/dev/null 2>&1 &
	usleep $((i * 100))
	kill -9 $! 2>/dev/null
	wait $!
	host undo >/tmp/undo 2>&1 || { cat /tmp/undo; exit 17; }
	same || exit 18
done

# As after a reboot: only the file on disk is ours
host setup >/dev/null || exit 19
echo other >/tmp/boot_id
mount --bind /tmp/boot_id /proc/sys/kernel/random/boot_id
host undo || exit 20
[ "$(cat /proc/sys/vm/overcommit_memory)" = 1 ] || exit 21
[ -e /etc/security/limits.d/90-demeter.conf ] && exit 22
[ -e /var/lib/demeter/host.json ] && exit 23

host check --json --only tiers,kernel,kvm,vms >/tmp/check
echo "{\\"midway\\": $midway, \\"check\\": $(tr -d '\\n' </tmp/check)}"
exit 0
"""


@pytest.mark.boots
@pytest.mark.needs("cloud-hypervisor/demeter-host")
def test_undo_after_setup_in_a_guest(boot, tmp_path: Path):
    steps = tmp_path / "steps.sh"
    steps.write_text(STEPS)
    files = (str(PROGRAMS / "demeter-host"), str(steps))
    # Nothing here depends on how fast memory is.
    wanted = job(with_files(Program("sh steps.sh", files)), "steps")
    run = boot(None, job=wanted, machine={"model": False, "pmu": False}, timeout_s=900)
    out = text(run)
    last = json.loads(out.splitlines()[-2])
    assert last["midway"] == 4, out
    items = {item["name"]: item for item in last["check"]["items"]}
    assert items["tiers"]["status"] == "ok", items
    assert "node 0" in items["tiers"]["found"] and "node 1" in items["tiers"]["found"]
    assert "ns" in items["tiers"]["found"]
    assert items["kernel"]["status"] == "not" and items["vms"]["status"] == "ok"
    no_complaint(run)


@pytest.mark.needs("cloud-hypervisor/demeter-host")
def test_the_manual_has_all_items():
    """In their order, and check changes nothing without root or a host."""
    done = subprocess.run([PROGRAMS / "demeter-host", "check", "--json"], capture_output=True)
    items = [item["name"] for item in json.loads(done.stdout)["items"]]
    assert re.findall(r"^\| `([\w-]+)` \|", MANUAL.read_text(), re.M) == items


def test_host_kernels_differ_in_what_the_manual_says():
    def options(variant: str) -> set[str]:
        text = (TOP / f"configs/linux/{variant}.config").read_text()
        assert "# include: base disk host\n" in text
        return set(re.findall(r"^CONFIG_(\w+)=", text, re.M))

    tpp = {"NUMA_BALANCING_DEFAULT_ENABLED", "NUMA_PROMOTION_HEADROOM"}
    pebs = {"KVM_INTEL_GUEST_PEBS_DEFAULT"}
    assert options("demeterhost") ^ options("tpphost") == tpp | pebs
    assert "they differ in TPP and in whether guests get PEBS" in MANUAL.read_text()


def test_the_manual_installs_the_programs_that_it_runs():
    """Each program of ours that follows the line of apt is in a package of that line."""
    _, line, after = re.split(r"^ *(sudo apt install .*)$", MANUAL.read_text(), flags=re.M)
    installed = set()
    for package in re.findall(r"build/packages/([\w-]+)_\*\.deb", line):
        files = (TOP / f"packaging/debian/{package}.install").read_text()
        installed |= set(re.findall(r"^([\w-]+) usr/bin$", files, re.M))
    programs = "demeter-host|tiered-balloon|tierd|tierctl"
    steps = after.split("\n## ")[0]
    used = set(re.findall(rf"^ *(?:sudo )?({programs}) ", steps, re.M))
    assert used == installed == set(programs.split("|"))


@pytest.mark.needs("cloud-hypervisor/tierd")
def test_the_policy_of_the_manual_is_valid(tmp_path: Path):
    found = re.search(r"```toml\n(.*?)```", MANUAL.read_text(), re.S)
    assert found
    config = tmp_path / "tierd.toml"
    config.write_text(found[1])
    done = subprocess.run(
        [PROGRAMS / "tierd", "check", "--config", config], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
