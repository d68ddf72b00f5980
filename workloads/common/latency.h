/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram of latencies: 32 buckets for every power of two of nanoseconds, so
 * that a percentile is right to 2 % and the memory does not depend on operations.
 */
#ifndef WORKLOADS_LATENCY_H
#define WORKLOADS_LATENCY_H

#include <stdint.h>

#define LATENCY_BITS	5
#define LATENCY_BUCKETS ((64 - LATENCY_BITS + 1) << LATENCY_BITS)

struct latency {
	uint64_t count;
	uint64_t buckets[LATENCY_BUCKETS];
};

static inline void latency_add(struct latency *l, uint64_t ns)
{
	const unsigned int bits = 63 - __builtin_clzll(ns | 1);
	const unsigned int shift = bits > LATENCY_BITS ? bits - LATENCY_BITS : 0;

	l->count++;
	l->buckets[(shift << LATENCY_BITS) + (ns >> shift)]++;
}

static inline void latency_merge(struct latency *to, const struct latency *from)
{
	to->count += from->count;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

/* The latency, in microseconds, that a share of @q does not exceed; 0 of nothing. */
static inline double latency_us(const struct latency *l, double q)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		const unsigned int shift = i >> LATENCY_BITS ? (i >> LATENCY_BITS) - 1 : 0;
		const uint64_t least = i - ((uint64_t)shift << LATENCY_BITS);

		sum += l->buckets[i];
		if (sum && sum >= q * l->count)
			return ((least << shift) + ((1ull << shift) - 1) / 2.0) / 1000;
	}
	return 0;
}

#endif
