/* SPDX-License-Identifier: GPL-2.0 */
/* Reads how well Demeter can do its work: how it samples, and who else moves pages. */
#ifndef DEMETERCTL_HEALTH_H
#define DEMETERCTL_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"

struct health {
	bool running;
	char source[64];
	struct counters sampling; /* none while stopped */
	bool wants_stores;
	uint64_t numa_balancing; /* mode of the kernel's NUMA balancing; 0: off */
};

struct health health_read(void);
void health_free(struct health *h);

/* Prints in one sentence how the source in use samples; nothing while stopped. */
void health_print(const struct health *h);

struct warnings {
	char list[8][256];
	size_t nr;
};

/* Finds what keeps Demeter from doing its work well, and what to do about it. */
struct warnings health_warnings(const struct health *h);
void warnings_print_json(const struct warnings *w);

#endif
