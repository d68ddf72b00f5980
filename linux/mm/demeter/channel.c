// SPDX-License-Identifier: GPL-2.0
/* Rings of samples; see channel.h. */
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "channel.h"

/**
 * demeter_ring_init() - Make an empty ring
 * @ring:	The ring.
 * @size:	How many samples are to fit, a power of two.
 * @nid:	Node of the CPU that will write into it.
 *
 * Return: 0 or -ENOMEM. The caller ends it with demeter_ring_free().
 */
int demeter_ring_init(struct demeter_ring *ring, u32 size, int nid)
{
	*ring = (struct demeter_ring){
		.slots = kvmalloc_node(size * sizeof(*ring->slots),
				       GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, nid),
		.size = size,
	};
	return ring->slots ? 0 : -ENOMEM;
}

/**
 * demeter_ring_free() - Free what demeter_ring_init() has allocated
 * @ring:	The ring, into which nobody writes any more.
 */
void demeter_ring_free(struct demeter_ring *ring)
{
	kvfree(ring->slots);
	ring->slots = NULL;
}

/*
 * Finds the oldest sample that cannot be overwritten while it is being read. The slot
 * behind the last one written does not count: its writer may be busy with it.
 */
static u64 demeter_ring_oldest(const struct demeter_ring *ring, u64 written)
{
	return written >= ring->size ? written - ring->size + 1 : 0;
}

/**
 * demeter_ring_read() - Take samples out, oldest first
 * @ring:	The ring, which nobody else reads.
 * @samples:	Gets them.
 * @max:	How many it gets at most.
 * @lost:	Is increased by how many were overwritten before they were read.
 *
 * Return: how many were read, less than @max when there are no more.
 */
u32 demeter_ring_read(struct demeter_ring *ring, struct demeter_sample *samples, u32 max, u64 *lost)
{
	/* samples that were counted have been written: see demeter_ring_write() */
	u64 written = smp_load_acquire(&ring->written);
	u64 first = max(ring->read, demeter_ring_oldest(ring, written));
	u32 n = (s64)(written - first) > 0 ? min_t(u64, written - first, max) : 0, spoiled;

	for (u32 i = 0; i < n; i++) {
		const struct demeter_sample *slot = &ring->slots[(first + i) & (ring->size - 1)];

		samples[i].owner = READ_ONCE(slot->owner);
		samples[i].addr = READ_ONCE(slot->addr);
	}
	/* a slot that was overwritten meanwhile may hold half of one sample, half of another */
	smp_rmb();
	written = READ_ONCE(ring->written);
	spoiled = clamp_t(s64, demeter_ring_oldest(ring, written) - first, 0, n);
	if (spoiled) {
		n -= spoiled;
		memmove(samples, samples + spoiled, n * sizeof(*samples));
	}
	*lost += first + spoiled - ring->read;
	ring->read = first + spoiled + n;
	return n;
}
