# SPDX-License-Identifier: GPL-2.0-or-later
"""Demeter's benchmark: run workloads in tiered VMs under several designs.

Data flows one way: settings (Kconfig and command line) -> matrix of runs ->
VMs on a platform -> results -> archive, table and chart.
"""
