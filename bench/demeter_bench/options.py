# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said to make bench, once: the parser, help and the manual follow from it.

NAME=value of make is --name value here, with - for _. bench/bench.mk has the names as well,
since make has to know which variables to pass on; a test compares them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """A variable of make bench."""

    name: str
    example: str  # a value
    about: str  # one line
    default: str = ""  # in words; empty: none

    @property
    def flag(self) -> str:
        return "--" + self.name.lower().replace("_", "-")

    @property
    def dest(self) -> str:
        return self.name.lower()


BENCH = (
    Option("VM", "9", "numbers of VMs at once, each with a share of every tier", "1"),
    Option("DESIGNS", '"all-fast tpp"', "all, or some of the designs below",
           "all selected that can run and need no run before their own"),
    Option("WORKLOADS", '"gups silo"', "all (without other forms), or some of those below",
           "gups"),
    Option("COMMAND", "'/job/prog -x'", "a program of your own instead of a workload"),
    Option("FILES", "'prog data'", "what it needs of this machine, quoted like words of a shell"),
    Option("ROI", "'^(Begin|End)'", "measure between two lines of its output",
           "its whole life"),
    Option("PLATFORM", "emulated", "one of the platforms below", "as configured"),
    Option("HYPERVISOR", "cloud-hypervisor",
           "of VMs on the platform nested: qemu, cloud-hypervisor", "qemu"),
    Option("PRESET", "dram_cxl", "tiers: dram_pmem, dram_cxl, custom", "as configured"),
    Option("PROVISION", '"static tiered-balloon"',
           "how VMs get their memory: all, or some of the ways below", "static"),
    Option("PARAMETERS", '"demeter.epoch_ms=100,200"',
           "of designs, see docs; several values of one: a run with each", "the designs' own"),
    Option("RECIPE", "stages", "one of the comparisons below; what else is given wins"),
    Option("REPEAT", "3", "repetitions of everything", "1"),
    Option("JOBS", "2", "machines emulated at the same time", "one per core"),
    Option("FAST_RATIO", "0.2", "share of the fast tier in a VM's memory", "as configured"),
    Option("VM_MEMORY", "512M", "memory of a VM", "as configured"),
    Option("FOOTPRINT", "300M", "memory of a workload", "85 % of the VM's"),
    Option("NAME", "try1", "name of the archive folder", "the workloads"),
    Option("FROM", "bench/archive/.../config.json",
           "repeat what an earlier run did; excludes all others"),
    Option("RESUME", "bench/archive/...",
           "go on with one that was interrupted; excludes all others"),
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; what is not given is None."""
    for option in BENCH:
        default = f" (default: {option.default})" if option.default else ""
        about = (option.about + default).replace("%", "%%")
        parser.add_argument(option.flag, dest=option.dest, help=about)


def given(args: argparse.Namespace) -> list[str]:
    """Names of the options that are given."""
    return [option.name for option in BENCH if getattr(args, option.dest) is not None]
