# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's own Cloud Hypervisor has what the balloon needs of it."""

from __future__ import annotations

import subprocess

import pytest
from demeter_bench.configure import read_kconfig
from demeter_testing import BUILD


def test_it_attaches_generic_vhost_user_devices():
    config = BUILD / ".config"
    binary = read_kconfig(config).get("CLOUD_HYPERVISOR_BINARY") if config.exists() else None
    if not binary:
        pytest.skip("CONFIG_CLOUD_HYPERVISOR_BINARY names none")
    done = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True)
    assert "--generic-vhost-user" in done.stdout
    assert "--memory-zone" in done.stdout and "--numa" in done.stdout
