# SPDX-License-Identifier: GPL-2.0-or-later
"""@NAME@: what the tests of all workloads do not cover."""

# The fixture `run` and what is tested of every workload: workloads/common/tests.


def test_another_size(run, result):
    found = result(run("@NAME@", "--mem", "2M", "--passes", "1"))
    assert found["verified"] and found["parameters"]["passes"] == 1
