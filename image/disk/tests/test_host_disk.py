# SPDX-License-Identifier: GPL-2.0-or-later
"""The host disk image, booted by UEFI firmware from an NVMe disk: three boots of one machine."""

from __future__ import annotations

import json
import re

import pytest
from demeter_testing import BUILD
from demeter_testing.disk import boot_uefi

IMAGE = "images/host.raw"
HOSTS = ("demeterhost", "tpphost")
TIMEOUT = 1800

pytestmark = [
    pytest.mark.boots,
    pytest.mark.release,
    # systemd gives up services that take too long: not beside a VM that needs all processors
    pytest.mark.xdist_group("stress"),
    pytest.mark.needs(
        "CONFIG_IMAGE_HOST_DISK", "CONFIG_HOST_DEMETERHOST", "CONFIG_HOST_TPPHOST", IMAGE,
        "images/ovmf/OVMF_CODE_4M.fd",
    ),
]  # fmt: skip

# The first boot asks for the other kernel once, the second reboots, the third ends.
SCRIPT = """
boot=$(($(cat /root/boots 2>/dev/null || echo 0) + 1))
echo $boot >/root/boots
sync
# the firmware has left the cursor somewhere
printf '\\n== boot %s\\n' $boot
echo "release $(uname -r)"
echo "root $(findmnt -n -o SOURCE /) $(passwd --status root | cut -d ' ' -f 2)"
echo "size $(df --output=size -B 1M / | tail -n 1)"
echo "balancing $(cat /proc/sys/kernel/numa_balancing)" \
	"$(cat /sys/kernel/mm/numa/demotion_enabled)" \
	"$(cat /proc/sys/vm/demote_scale_factor 2>/dev/null || echo none)"
echo "entries $(bootctl list --json=short)"
echo "failed $(systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1 | xargs)"
if [ $boot = 1 ]; then
	modprobe kvm_amd && echo "kvm $(stat -c %F /dev/kvm)"
	modprobe tun && modprobe vhost_net && modprobe dax_hmem && modprobe kmem && echo "modules yes"
	for program in qemu-system-x86_64 tiered-balloon tierctl tierd demeter-host demeterctl \
		demeter-bench daxctl cxl; do
		$program --help >/dev/null && echo "runs $program"
	done
	numactl --hardware | head -n 1
	bootctl set-oneshot "linux-$(uname -r | sed s/demeterhost/tpphost/).conf"
fi
echo "== end $boot"
sync
if [ $boot = 3 ]; then systemctl --no-block poweroff; else systemctl --no-block reboot; fi
"""
MEMORY = (
    "-m", "1280M", "-smp", "2",
    "-object", "memory-backend-ram,id=m0,size=1024M", "-numa", "node,nodeid=0,memdev=m0,cpus=0-1",
    "-object", "memory-backend-ram,id=m1,size=256M", "-numa", "node,nodeid=1,memdev=m1,initiator=0",
    "-numa", "dist,src=0,dst=1,val=20",
)  # fmt: skip


def hmat() -> tuple[str, ...]:
    """A slow node of memory, as firmware says it."""
    args = []
    for node, latency, bandwidth in ((0, 69, 88), (1, 177, 21)):
        lb = f"hmat-lb,initiator=0,target={node},hierarchy=memory,data-type=access"
        args += ["-numa", f"{lb}-latency,latency={latency}"]
        args += ["-numa", f"{lb}-bandwidth,bandwidth={bandwidth}G"]
    return tuple(args)


@pytest.fixture(scope="module")
def boots(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the script printed in each boot."""
    folder = tmp_path_factory.mktemp("host")
    out = boot_uefi(BUILD / IMAGE, folder, SCRIPT, *MEMORY, *hmat(), size="6G", timeout=TIMEOUT)
    console = (folder / "console.log").read_text(errors="replace")
    assert len(re.findall(r"host login:", console)) >= 3, console[-3000:]
    for word in ("BUG:", "Oops", "Call Trace"):
        assert word not in console
    found = re.findall(r"^== boot (\d)\n(.*?)^== end \1$", out, re.DOTALL | re.MULTILINE)
    assert [number for number, _ in found] == ["1", "2", "3"], out
    return [text for _, text in found]


def value(text: str, name: str) -> str:
    return re.search(rf"^{name} ?(.*)$", text, re.MULTILINE)[1]


def test_the_default_is_demeterhost_and_a_oneshot_is_once(boots: list[str]):
    variants = [value(boot, "release").rpartition("-")[2] for boot in boots]
    assert variants == ["demeterhost", "tpphost", "demeterhost"]


def test_both_kernels_are_listed(boots: list[str]):
    for boot, variant in zip(boots, ("demeterhost", "tpphost", "demeterhost"), strict=True):
        entries = {e["id"]: e for e in json.loads(value(boot, "entries")) if e["type"] == "type1"}
        assert len(entries) == 2
        for name, entry in entries.items():
            release = name.removeprefix("linux-").removesuffix(".conf")
            version, _, of = release.partition("-")
            assert of in HOSTS and entry["title"] == f"Demeter: {of}, Linux {version}"
            assert entry["isSelected"] == (of == variant)
            assert entry["isDefault"] == (of == "demeterhost")


def test_the_root_is_on_the_disk_and_nothing_failed(boots: list[str]):
    for boot in boots:
        assert value(boot, "root") == "/dev/nvme0n1p2 NP"
        # it has grown with the disk
        assert int(value(boot, "size")) > 5 * 1024
        assert value(boot, "failed") == ""


def test_tpphost_manages_tiers_and_demeterhost_does_not(boots: list[str]):
    demeter, tpp, _ = (value(boot, "balancing") for boot in boots)
    assert demeter == "0 false none"
    assert tpp == "2 true 1000"


def test_what_a_host_needs_is_there(boots: list[str]):
    assert value(boots[0], "kvm") == "character special file"
    assert value(boots[0], "modules") == "yes"
    ran = set(re.findall(r"^runs (\S+)$", boots[0], re.MULTILINE))
    assert ran == {
        "qemu-system-x86_64", "tiered-balloon", "tierctl", "tierd", "demeter-host", "demeterctl",
        "demeter-bench", "daxctl", "cxl",
    }  # fmt: skip
    assert "available: 2 nodes" in boots[0]
