/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Samples on their way from the CPUs to the classifier: a ring for each CPU, into
 * which only that CPU writes, and one reader of all. Nobody takes a lock and
 * nobody waits: a reader that is too slow loses the oldest samples, and learns how
 * many.
 */
#ifndef _MM_DEMETER_CHANNEL_H
#define _MM_DEMETER_CHANNEL_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/types.h>

/**
 * struct demeter_sample - An access to memory
 * @owner:	The mm that accessed it: names it, and must not be dereferenced.
 * @addr:	User address.
 */
struct demeter_sample {
	const void *owner;
	unsigned long addr;
};

/**
 * struct demeter_ring - Samples of a CPU
 * @slots:	The samples; @size of them, a power of two.
 * @size:	How many fit.
 * @written:	How many were ever written.
 * @read:	How many were ever read or lost; the reader's.
 */
struct demeter_ring {
	struct demeter_sample *slots;
	u32 size;
	u64 written ____cacheline_aligned;
	u64 read ____cacheline_aligned;
};

int demeter_ring_init(struct demeter_ring *ring, u32 size, int nid);
void demeter_ring_free(struct demeter_ring *ring);
u32 demeter_ring_read(struct demeter_ring *ring, struct demeter_sample *samples, u32 max,
		      u64 *lost);

/**
 * demeter_ring_write() - Add a sample, over the oldest one if need be
 * @ring:	The ring, which no other CPU writes into.
 * @owner:	The mm that accessed it.
 * @addr:	User address.
 *
 * May be called in any context, also in an NMI, but must not be interrupted by
 * itself.
 */
static inline void demeter_ring_write(struct demeter_ring *ring, const void *owner,
				      unsigned long addr)
{
	const u64 n = ring->written;
	struct demeter_sample *slot = &ring->slots[n & (ring->size - 1)];

	/* the sample before this one is published before its slot can be seen to change */
	smp_wmb();
	WRITE_ONCE(slot->owner, owner);
	WRITE_ONCE(slot->addr, addr);
	/* for those who see it counted, it is there: see demeter_ring_read() */
	smp_store_release(&ring->written, n + 1);
}

#endif /* _MM_DEMETER_CHANNEL_H */
