# SPDX-License-Identifier: GPL-2.0-or-later
# what the unit test needs of the program
workload_graph500_unit := workloads/graph500/validate.c workloads/graph500/statistics.c
