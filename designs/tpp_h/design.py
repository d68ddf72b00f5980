# SPDX-License-Identifier: GPL-2.0-or-later
"""TPP-H: Transparent Page Placement by the host, over guests that know no tiers."""

from demeter_bench.design import Design, Memory

DESIGNS = {
    "tpp-h": Design(
        "TPP-H",
        "#17becf",
        "Transparent Page Placement by the host, for guests that know no tiers",
        Memory.HOST,
        needs_two_tiers=True,
        host="tpphost",
    )
}
