# SPDX-License-Identifier: GPL-2.0-or-later
"""The limit for placing pages once: it knows all accesses of the measured phase."""

from demeter_bench.design import Design

DESIGNS = {
    "oracle": Design(
        "oracle",
        "#984ea3",
        "pages placed once, by what a run before learned of their true costs",
        # the kernel would for a while keep a part of the fast tier free against fragmentation
        setup="echo 0 >/proc/sys/vm/watermark_boost_factor\n",
        profiled=True,
    )
}
