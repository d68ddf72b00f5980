// SPDX-License-Identifier: GPL-2.0
/* Ranges of pages, back-off and what a configuration must be; see range.h. */
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/time64.h>

#include "range.h"

/* Makes @range larger by pages that follow it or lie just before it. */
static bool tb_range_extend(struct virtio_tb_range *range, u64 frame, u32 pages)
{
	const u64 first = le64_to_cpu(range->frame);
	const u32 n = le32_to_cpu(range->pages);
	u32 sum;

	if (check_add_overflow(n, pages, &sum))
		return false;
	if (first + n == frame)
		range->pages = cpu_to_le32(sum);
	else if (frame + pages == first)
		*range = (struct virtio_tb_range){ .frame = cpu_to_le64(frame),
						   .pages = cpu_to_le32(sum) };
	else
		return false;
	return true;
}

/**
 * tb_ranges_add() - Add pages that follow each other
 * @ranges:	The ranges.
 * @frame:	The first page, in none of the ranges.
 * @pages:	How many, at least 1.
 *
 * Those next to the range added last become part of it.
 *
 * Return: false if there is no room for one more range.
 */
bool tb_ranges_add(struct tb_ranges *ranges, u64 frame, u32 pages)
{
	if (!ranges->nr || !tb_range_extend(&ranges->range[ranges->nr - 1], frame, pages)) {
		if (ranges->nr == VIRTIO_TB_MAX_RANGES)
			return false;
		ranges->range[ranges->nr++] = (struct virtio_tb_range){
			.frame = cpu_to_le64(frame),
			.pages = cpu_to_le32(pages),
		};
	}
	ranges->pages += pages;
	return true;
}

/**
 * tb_backoff_next() - Tell how long to wait after one more failure
 * @backoff:	What is known of those before.
 *
 * Return: in milliseconds; twice as long each time, up to TB_BACKOFF_LAST_MS.
 */
unsigned int tb_backoff_next(struct tb_backoff *backoff)
{
	backoff->ms = backoff->ms ? min(2 * backoff->ms, (unsigned int)TB_BACKOFF_LAST_MS)
				  : TB_BACKOFF_FIRST_MS;
	return backoff->ms;
}

/**
 * tb_config_is_valid() - Whether a device is one that the driver knows
 * @config:	Its configuration.
 * @why:	Gets what is wrong, a part of a sentence.
 *
 * Return: whether it is.
 */
bool tb_config_is_valid(const struct virtio_tb_config *config, const char **why)
{
	const u32 nodes = le32_to_cpu(config->nodes);

	*why = NULL;
	if (le32_to_cpu(config->magic) != VIRTIO_TB_MAGIC)
		*why = "it is no tiered balloon";
	else if (le32_to_cpu(config->version) < VIRTIO_TB_VERSION)
		*why = "it is older than the driver";
	else if (!nodes || nodes > VIRTIO_TB_MAX_NODES)
		*why = "it has no nodes, or too many";
	for (u32 i = 0; !*why && i < nodes; i++) {
		const struct virtio_tb_config_node *node = &config->node[i];

		if (!node->pages || le64_to_cpu(node->pages) >> (52 - VIRTIO_TB_PAGE_SHIFT))
			*why = "the size of a node cannot be";
		for (u32 k = 0; k < i; k++)
			if (config->node[k].pxm == node->pxm)
				*why = "two nodes have one proximity domain";
	}
	return !*why;
}
