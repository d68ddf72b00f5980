/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings that samples go through on their way to the classifier. Each has one writer, a CPU or
 * a thread, and all have the same reader. Nobody takes a lock and nobody waits: a reader that
 * is too slow loses the oldest samples, and learns how many.
 */
#ifndef _MM_DEMETER_CHANNEL_H
#define _MM_DEMETER_CHANNEL_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/types.h>

/**
 * struct demeter_sample - An access to memory
 * @owner:	The mm that accessed it. It may be gone: it is compared, never dereferenced.
 * @addr:	User address.
 */
struct demeter_sample {
	const void *owner;
	unsigned long addr;
};

/**
 * struct demeter_ring - Samples of one writer
 * @slots:	The samples; @size of them, a power of two.
 * @size:	How many samples fit.
 * @written:	How many samples were ever written.
 * @read:	How many samples were ever read or lost. Only the reader uses it.
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
 * demeter_ring_write() - Add a sample, over the oldest one if there is no room
 * @ring:	The ring, which nobody else writes into.
 * @owner:	The mm that accessed it; NULL: the kernel did.
 * @addr:	User address; of the kernel, physical address.
 *
 * May be called in any context, also in an NMI, but must not be interrupted by
 * itself.
 */
static inline void demeter_ring_write(struct demeter_ring *ring, const void *owner,
				      unsigned long addr)
{
	const u64 n = ring->written;
	struct demeter_sample *slot = &ring->slots[n & (ring->size - 1)];

	/* whoever sees this slot change also sees that the sample before it was counted */
	smp_wmb();
	WRITE_ONCE(slot->owner, owner);
	WRITE_ONCE(slot->addr, addr);
	/* whoever sees the sample counted also sees it written: see demeter_ring_read() */
	smp_store_release(&ring->written, n + 1);
}

#endif /* _MM_DEMETER_CHANNEL_H */
