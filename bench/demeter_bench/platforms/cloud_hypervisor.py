# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM under the user's own Cloud Hypervisor, in the server of the platform nested.

Not run. The command line follows that of docs/provisioning.md, for version 53; docs/nested.md
says what else is assumed.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..packing import ELF_64, ELF_LITTLE, ELF_MAGIC, EM_X86_64
from ..provision.provision import Node
from ..stream import printable

NAME = "cloud-hypervisor"
SYMBOL = "CLOUD_HYPERVISOR_BINARY"
BINARY = f"/usr/bin/{NAME}"  # in the server
ELF_HEADER = 64
PT_INTERP = struct.pack("<I", 3)

# It starts a guest that resets once more, as one that panics does: what its job said would be
# followed by what it says the second time. So each VM's initramfs is there once, until the
# thread of the processor runs; the second start fails, and ends the hypervisor. $$ is what the
# shell becomes.
ONCE = """{
	until grep -qsx vcpu0 /proc/$$/task/*/comm; do
		[ -d /proc/$$ ] && sleep 0.01 || exit
	done
	rm initrd
} &
"""


def is_static(path: Path) -> bool | None:
    """Whether the program needs no loader and libraries; None: it is none for x86-64."""
    with path.open("rb") as f:
        head = f.read(ELF_HEADER)
        if len(head) < ELF_HEADER or not head.startswith(ELF_MAGIC):
            return None
        (machine,) = struct.unpack_from("<H", head, 18)
        if (*head[4:6], machine) != (ELF_64, ELF_LITTLE, EM_X86_64):
            return None
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        f.seek(offset)
        segments = f.read(size * count)
    return not any(segments.startswith(PT_INTERP, n * size) for n in range(count))


def find(name: str) -> Path:
    """The program that the configuration names.

    Raises UserError, one line, when there is none that can run in the server.
    """
    if not name:
        raise UserError(
            f"HYPERVISOR={NAME}: CONFIG_{SYMBOL} names no program: see 'make menuconfig'"
        )
    what = f"{SYMBOL}={printable(name)}"
    found = shutil.which(name)
    if found is None:
        why = "not executable" if Path(name).is_file() else "no such program"
        raise UserError(f"{what}: {why}")
    try:
        static = is_static(Path(found))
    except OSError as error:
        raise UserError(f"{what}: {error.strerror}") from None
    if static is None:
        raise UserError(f"{what}: no program for x86-64")
    if not static:
        raise UserError(
            f"{what}: needs shared libraries, which the server does not have for it: "
            "name a static one, as is published"
        )
    return Path(found)


def command(nodes: list[Node], hosts: Sequence[int | None], kernel: Path, line: str) -> list[str]:
    """Run the job in ./initrd on a VM with one processor.

    hosts: the node of the server to which each node's memory is bound; None: to none
    kernel: boots by PVH, with this command line
    """
    zones, domains = [], []
    for i, (node, host) in enumerate(zip(nodes, hosts, strict=True)):
        bound = "" if host is None else f",host_numa_node={host}"
        zones.append(f"id=mem{i},size={node.memory},shared=on{bound}")
        cpus = ",cpus=[0]" if i == 0 else ""
        others = ",".join(f"{j}@20" for j in range(len(nodes)) if j != i)
        distances = f",distances=[{others}]" if others else ""
        domains.append(f"guest_numa_id={i}{cpus},memory_zones=mem{i}{distances}")
    return [
        BINARY,
        "--kernel", str(kernel),
        "--initramfs", "initrd",
        "--cmdline", line,
        "--cpus", "boot=1",
        "--memory", "size=0",
        "--memory-zone", *zones,
        "--numa", *domains,
        # ttyS0 and hvc0
        "--serial", "file=console.log",
        "--console", "file=stream",
    ]  # fmt: skip
