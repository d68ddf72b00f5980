# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM's side of PEBS in guests, as far as it can be tested without a processor that has it.

It compiles for Intel and AMD, and the rules of its bits hold. See docs/kvm-pebs.md.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from demeter_testing import BUILD, TOP, kunit, text


@pytest.mark.needs("linux/.overlaid")
def test_kvm_compiles_without_a_warning():
    """For Intel and AMD, with W=1. A minute, a few seconds when nothing has changed."""
    out = BUILD / "tests/kvm-objects"
    run = subprocess.run(
        ["linux/check-kvm", BUILD / "linux/src", out],
        cwd=TOP, env={**os.environ, "NPROC": str(os.cpu_count())}, timeout=3000,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    assert "warning:" not in run.stderr
    for made in ("pmu.o", "vmx/pmu_intel.o", "vmx/vmx.o", "svm/pmu.o", "tests/kvm_pebs_kunit.o"):
        assert (out / "arch/x86/kvm" / made).is_file()


def test_rules_of_bits(boot):
    """What guests may set, in a kernel that has no KVM."""
    linux = BUILD / "linux/guest"
    modules = [
        linux / "lib/kunit/kunit.ko",
        linux / "arch/x86/kvm/tests/kvm_pebs_kunit.ko",
    ]
    run = boot("insmod /job/kunit.ko enable=1; insmod /job/kvm_pebs_kunit.ko; dmesg", files=modules)
    log = text(run)
    assert kunit(log) == {"kvm_pebs": (7, 7)}, log[-4000:]
