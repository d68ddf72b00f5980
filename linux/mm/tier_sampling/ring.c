// SPDX-License-Identifier: GPL-2.0
/* Rings of samples; see linux/tier_sampling.h. */
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tier_sampling.h>

/**
 * tier_ring_init() - Make an empty ring
 * @ring:	The ring.
 * @size:	How many samples are to fit, a power of two.
 * @nid:	Node of the CPU that will write into it.
 *
 * Return: 0 or -ENOMEM. The caller ends it with tier_ring_free().
 */
int tier_ring_init(struct tier_ring *ring, u32 size, int nid)
{
	*ring = (struct tier_ring){
		.slots = kvmalloc_node(size * sizeof(*ring->slots),
				       GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, nid),
		.size = size,
	};
	return ring->slots ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(tier_ring_init);

/**
 * tier_ring_free() - Free what tier_ring_init() has allocated
 * @ring:	The ring, into which nobody writes any more.
 */
void tier_ring_free(struct tier_ring *ring)
{
	kvfree(ring->slots);
	ring->slots = NULL;
}
EXPORT_SYMBOL_GPL(tier_ring_free);

/*
 * Finds the oldest sample that cannot be overwritten while it is being read. The slot
 * behind the last one written does not count: its writer may be busy with it.
 */
static u64 tier_ring_oldest(const struct tier_ring *ring, u64 written)
{
	return written >= ring->size ? written - ring->size + 1 : 0;
}

/**
 * tier_ring_read() - Take samples out, oldest first
 * @ring:	The ring, which nobody else reads.
 * @samples:	Gets them.
 * @max:	How many it gets at most.
 * @lost:	Is increased by how many were overwritten before they were read.
 *
 * Return: how many were read, less than @max when there are no more.
 */
u32 tier_ring_read(struct tier_ring *ring, struct tier_sample *samples, u32 max, u64 *lost)
{
	/* samples that were counted have been written: see tier_ring_write() */
	u64 written = smp_load_acquire(&ring->written);
	u64 first = max(ring->read, tier_ring_oldest(ring, written));
	u32 n = (s64)(written - first) > 0 ? min_t(u64, written - first, max) : 0, spoiled;

	for (u32 i = 0; i < n; i++) {
		const struct tier_sample *slot = &ring->slots[(first + i) & (ring->size - 1)];

		samples[i].owner = READ_ONCE(slot->owner);
		samples[i].addr = READ_ONCE(slot->addr);
	}
	/* a slot that was overwritten meanwhile may hold half of one sample, half of another */
	smp_rmb();
	written = READ_ONCE(ring->written);
	spoiled = clamp_t(s64, tier_ring_oldest(ring, written) - first, 0, n);
	if (spoiled) {
		n -= spoiled;
		memmove(samples, samples + spoiled, n * sizeof(*samples));
	}
	*lost += first + spoiled - ring->read;
	ring->read = first + spoiled + n;
	return n;
}
EXPORT_SYMBOL_GPL(tier_ring_read);
