/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads of workloads that use OpenMP, with .default_threads = omp_get_max_threads. */
#ifndef WORKLOADS_OPENMP_H
#define WORKLOADS_OPENMP_H

#include <omp.h>

#include "common.h"

/* Have common.threads threads in the parallel regions that come. */
static inline void openmp_start(void)
{
	omp_set_num_threads(common.threads);
}

/* In a parallel region: die when it has fewer threads, which would look faster. */
static inline void openmp_check(void)
{
	if (omp_get_num_threads() != (int)common.threads)
		die("OpenMP gives %d threads instead of %u", omp_get_num_threads(), common.threads);
}

#endif
