# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM's side of PEBS in guests, as far as it can be tested without a processor that has it.

It compiles for Intel and AMD, the rules of its bits hold, and its selftests build and say why
they cannot run. See docs/kvm-pebs.md.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from demeter_testing import BUILD, TOP, kunit, text

SELFTESTS = ("vmx_pebs_test", "pmu_counters_test", "pmu_event_filter_test", "vmx_pmu_caps_test")
SKIPPED = 4  # KSFT_SKIP


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


@pytest.mark.needs("tests/kvm/.built")
def test_the_selftests_of_kvm_are_built():
    for name in SELFTESTS:
        assert os.access(BUILD / "tests/kvm/x86_64" / name, os.X_OK)


@pytest.mark.needs("tests/kvm/.built")
def test_the_selftest_of_pebs_runs_or_says_why_not():
    run = subprocess.run(
        [BUILD / "tests/kvm/x86_64/vmx_pebs_test"], timeout=300, capture_output=True, text=True
    )
    assert run.returncode in (0, SKIPPED), run.stdout + run.stderr
    if run.returncode == SKIPPED:
        assert re.search(r"# SKIP .*\w{4}", run.stdout), run.stdout


def test_rules_of_bits(boot):
    """What guests may set, in a kernel that has no KVM."""
    linux = BUILD / "linux/guest"
    modules = [
        linux / "lib/kunit/kunit.ko",
        linux / "arch/x86/kvm/tests/kvm_pebs_kunit.ko",
    ]
    run = boot("insmod /job/kunit.ko enable=1; insmod /job/kvm_pebs_kunit.ko; dmesg", files=modules)
    log = text(run)
    assert kunit(log) == {"kvm_pebs": (8, 8)}, log[-4000:]
