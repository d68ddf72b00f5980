# SPDX-License-Identifier: GPL-2.0-or-later
"""Can this machine run tiered guests under KVM?

The file /dev/kvm is no proof: some clouds have a software KVM that cannot run
an ordinary guest. Decided from the CPU's flags, a trial VM that runs one
instruction (in a process of its own, in case it hangs), and the host's nodes.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

# From the kernel's include/uapi/linux/kvm.h (x86-64).
KVM_CREATE_VM = 0xAE01
KVM_GET_VCPU_MMAP_SIZE = 0xAE04
KVM_CREATE_VCPU = 0xAE41
KVM_SET_USER_MEMORY_REGION = 0x4020AE46
KVM_RUN = 0xAE80
KVM_GET_REGS = 0x8090AE81
KVM_SET_REGS = 0x4090AE82
KVM_GET_SREGS = 0x8138AE83
KVM_SET_SREGS = 0x4138AE84
KVM_EXIT_HLT = 5

REGS_SIZE, REGS_RIP, REGS_RFLAGS = 144, 128, 136
SREGS_SIZE = 312
EXIT_REASON_OFFSET = 8
TRIAL_SECONDS = 10


def trial() -> None:
    """Run HLT in a new VM; raises OSError or ValueError when that fails."""
    import ctypes

    with open("/dev/kvm", "rb+", buffering=0) as kvm:
        vm = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
        page = mmap.mmap(-1, mmap.PAGESIZE)
        page[0:1] = b"\xf4"  # hlt
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        region = struct.pack("IIQQQ", 0, 0, 0, mmap.PAGESIZE, address)
        fcntl.ioctl(vm, KVM_SET_USER_MEMORY_REGION, region)
        vcpu = fcntl.ioctl(vm, KVM_CREATE_VCPU, 0)
        sregs = bytearray(SREGS_SIZE)
        fcntl.ioctl(vcpu, KVM_GET_SREGS, sregs)
        struct.pack_into("Q", sregs, 0, 0)  # cs.base
        struct.pack_into("H", sregs, 12, 0)  # cs.selector
        fcntl.ioctl(vcpu, KVM_SET_SREGS, bytes(sregs))
        regs = bytearray(REGS_SIZE)
        struct.pack_into("Q", regs, REGS_RIP, 0)
        struct.pack_into("Q", regs, REGS_RFLAGS, 2)
        fcntl.ioctl(vcpu, KVM_SET_REGS, bytes(regs))
        run = mmap.mmap(vcpu, fcntl.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0))
        fcntl.ioctl(vcpu, KVM_RUN, 0)
        (reason,) = struct.unpack_from("I", run, EXIT_REASON_OFFSET)
        if reason != KVM_EXIT_HLT:
            raise ValueError(f"the trial VM stopped for reason {reason}, not for its HLT")


def memory_nodes() -> list[int]:
    """Host nodes that have memory."""
    online = Path("/sys/devices/system/node/has_memory")
    if not online.exists():
        return []
    nodes: list[int] = []
    for part in online.read_text().strip().split(","):
        first, _, last = part.partition("-")
        nodes += range(int(first), int(last or first) + 1)
    return nodes


def why_not_kvm() -> str | None:
    """None when tiered guests can run under KVM here, else the reason."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is missing or not accessible"
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if not flags or not {"vmx", "svm"} & set(flags[1].split()):
        return "the CPU has neither vmx nor svm"
    try:
        done = subprocess.run(
            # this folder would hide modules of the standard library
            [sys.executable, "-P", __file__],
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"a trial VM did not halt in {TRIAL_SECONDS} s"
    if done.returncode:
        return f"a trial VM failed: {done.stderr.strip() or done.returncode}"
    if len(memory_nodes()) < 2:
        return "the host has fewer than two NUMA nodes with memory"
    return None


if __name__ == "__main__":
    try:
        trial()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
