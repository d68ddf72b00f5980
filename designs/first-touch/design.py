# SPDX-License-Identifier: GPL-2.0-or-later
"""No management: pages stay where the kernel first put them."""

from demeter_bench.design import Design

DESIGNS = {
    "first-touch": Design(
        "first touch", "#ff7f00", "no management: pages stay where they were first put"
    )
}
