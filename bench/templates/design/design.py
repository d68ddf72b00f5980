# SPDX-License-Identifier: GPL-2.0-or-later
"""@NAME@: say in a sentence what moves pages, and when."""

from demeter_bench.design import Design

DESIGNS = {
    "@NAME@": Design(
        title="@NAME@",
        color="@COLOR@",
        about="say in a line what it does",
        # More of the guest kernel's command line, and shell lines that run in the guest
        # before the job. What every field means: bench/demeter_bench/design.py.
        boot_args="",
        setup="",
    )
}
