// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the balloon of a node as large as it is to be: the work of the node.
 *
 * It takes memory of that node only, and only what nobody has to reclaim any for. If there is
 * none, pages that are in use move to other nodes, the coldest first. What cannot be had is
 * tried for again later.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>

#include "balloon.h"

/* Never reclaims, wakes nobody who does, and takes no reserves. */
#define TB_GFP                                                                              \
	(__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_THISNODE | __GFP_NOWARN | __GFP_NOMEMALLOC | \
	 __GFP_NORETRY)

/* Base pages that are moved away at a time, 16 MiB. */
#define TB_MAKE_ROOM 4096UL
/* Room that others have taken first is made no more often than this in vain. */
#define TB_ATTEMPTS 4
/*
 * Base pages that are taken at a time at most, 64 MiB: until the device has answered, neither
 * the guest nor the balloon has them. The watermarks are set anew after as many.
 */
#define TB_AT_ONCE 16384UL

/* Takes up to @want base pages from the allocator, in pieces of @order. */
static void tb_alloc(struct tb_node *node, unsigned int order, u64 want, struct list_head *list)
{
	struct tb_ranges *ranges = node->ranges;

	while (ranges->pages + (1UL << order) <= want &&
	       page_exchange_free(node->nid, order) >= 1UL << order) {
		struct page *page = alloc_pages_node(node->nid, TB_GFP, order);

		if (!page)
			return;
		if (!tb_ranges_add(ranges, tb_frame(page), 1UL << order)) {
			__free_pages(page, order);
			return;
		}
		list_add_tail(&page->lru, list);
		cond_resched();
	}
}

/* Tells the device which pages have come into use again without a word. */
static int tb_tell_late(struct tb_node *node)
{
	const struct tb_ranges *late = tb_pages_take_late(node);
	int ret;

	if (!late->nr)
		return 0;
	ret = tb_call_ranges(node, VIRTIO_TB_DEFLATE, late);
	if (ret && !tb_pages_keep_late(node, late))
		dev_warn_ratelimited(&node->tb->vdev->dev,
				     "node %d: the device counts pages that are in use\n",
				     node->nid);
	return ret;
}

static void tb_ranges_of(struct tb_ranges *ranges, const struct list_head *list, unsigned int order)
{
	struct page *page;

	tb_ranges_clear(ranges);
	list_for_each_entry(page, list, lru)
		tb_ranges_add(ranges, tb_frame(page), 1U << order);
}

/* Tells the device about pages that have taken the place of others. */
static int tb_tell_moved(struct tb_node *node)
{
	LIST_HEAD(list);
	int ret = 0;

	while (!ret && tb_pages_take_moved(node, &list)) {
		tb_ranges_of(node->ranges, &list, 0);
		ret = tb_call_ranges(node, VIRTIO_TB_INFLATE, node->ranges);
		/* if it failed they are held all the same; only the host has less of it */
		tb_pages_hold(node, &list, 0);
	}
	return ret;
}

/* Gives pages up that the device did not take. It may have taken some. */
static void tb_inflate_undo(struct tb_node *node, struct list_head *list, unsigned int order)
{
	struct page *page, *next;

	tb_call_ranges(node, VIRTIO_TB_DEFLATE, node->ranges);
	list_for_each_entry_safe(page, next, list, lru) {
		list_del(&page->lru);
		__free_pages(page, order);
	}
}

/* Takes up to @want base pages out of use. Returns how many, or an error of the device. */
static long tb_inflate(struct tb_node *node, u64 want)
{
	unsigned int order = TB_CHUNK_ORDER;
	LIST_HEAD(list);
	int ret;

	tb_ranges_clear(node->ranges);
	tb_alloc(node, order, want, &list);
	if (list_empty(&list)) {
		order = 0;
		tb_alloc(node, order, want, &list);
	}
	if (list_empty(&list))
		return 0;
	/* some of them may be pages that it would be told of as used later */
	ret = tb_tell_late(node);
	if (!ret)
		ret = tb_call_ranges(node, VIRTIO_TB_INFLATE, node->ranges);
	if (ret) {
		tb_inflate_undo(node, &list, order);
		return ret;
	}
	tb_pages_count(node, &list, order);
	tb_pages_hold(node, &list, order);
	return node->ranges->pages;
}

/* Gives up to @excess base pages back. Returns how many, or an error of the device. */
static long tb_deflate(struct tb_node *node, u64 excess)
{
	unsigned int order = 0;
	LIST_HEAD(list);
	int ret;

	if (!tb_pages_take(node, &list, 0, min(excess, VIRTIO_TB_MAX_RANGES))) {
		order = TB_CHUNK_ORDER;
		tb_pages_take(node, &list, order, min(excess, (u64)VIRTIO_TB_MAX_RANGES << order));
	}
	if (list_empty(&list))
		return excess < TB_CHUNK_PAGES && tb_pages_break_chunk(node) ? TB_CHUNK_PAGES : 0;
	tb_ranges_of(node->ranges, &list, order);
	ret = tb_call_ranges(node, VIRTIO_TB_DEFLATE, node->ranges);
	if (ret) {
		tb_pages_hold(node, &list, order);
		return ret;
	}
	tb_pages_free(node, &list, order);
	return node->ranges->pages;
}

/* Names pages in @all to the device once more, and lets others find them again. */
static int tb_resync_pages(struct tb_node *node, struct list_head *all, unsigned int order)
{
	int ret = 0;

	while (!list_empty(all)) {
		unsigned int n = 0;
		LIST_HEAD(list);

		while (n++ < VIRTIO_TB_MAX_RANGES && !list_empty(all))
			list_move(all->next, &list);
		tb_ranges_of(node->ranges, &list, order);
		/* one that is refused does not keep the others from being told */
		if (ret != -ENODEV)
			ret = tb_call_ranges(node, VIRTIO_TB_INFLATE, node->ranges) ?: ret;
		tb_pages_hold(node, &list, order);
		cond_resched();
	}
	return ret;
}

/* Tells a device that has forgotten everything about all pages. */
static int tb_resync(struct tb_node *node)
{
	LIST_HEAD(chunks);
	LIST_HEAD(singles);
	bool wanted;
	int ret;

	spin_lock(&node->lock);
	wanted = node->resync;
	node->resync = false;
	spin_unlock(&node->lock);
	if (!wanted)
		return 0;
	tb_pages_take(node, &chunks, TB_CHUNK_ORDER, U64_MAX / 2);
	tb_pages_take(node, &singles, 0, U64_MAX / 2);
	ret = tb_resync_pages(node, &chunks, TB_CHUNK_ORDER);
	ret = tb_resync_pages(node, &singles, 0) ?: ret;
	if (ret) {
		spin_lock(&node->lock);
		node->resync = true;
		spin_unlock(&node->lock);
	}
	return ret;
}

/* Moves pages away until @want base pages could be taken. Returns whether some were moved. */
static bool tb_make_room(struct tb_node *node, u64 want)
{
	nodemask_t others = node_states[N_MEMORY];
	unsigned long moved;

	node_clear(node->nid, others);
	moved = page_exchange_evacuate(node->nid, min(want, TB_MAKE_ROOM), &others);
	spin_lock(&node->lock);
	node->evacuated += moved;
	spin_unlock(&node->lock);
	return moved;
}

static void tb_refresh_limits(struct tb_node *node, u64 least)
{
	bool much;

	spin_lock(&node->lock);
	much = node->changed >= least;
	if (much)
		node->changed = 0;
	spin_unlock(&node->lock);
	if (much)
		refresh_zone_limits();
}

/* Returns in how many ms the balloon may be inflated again after it could not be; 0: now. */
static unsigned int tb_wait_to_inflate(struct tb_node *node)
{
	unsigned int ms = 0;

	spin_lock(&node->lock);
	if (node->waits && time_before(jiffies, node->not_before))
		ms = jiffies_to_msecs(node->not_before - jiffies) + 1;
	else
		node->waits = false;
	spin_unlock(&node->lock);
	return ms;
}

/* Keeps the balloon from being inflated for a while, whoever wakes its work. Returns the ms. */
static unsigned int tb_inflate_later(struct tb_node *node)
{
	const unsigned int ms = tb_backoff_next(&node->backoff);

	spin_lock(&node->lock);
	node->waits = true;
	node->not_before = jiffies + msecs_to_jiffies(ms);
	spin_unlock(&node->lock);
	return ms;
}

/* Comes nearer to the target by some pages. Returns how many, 0 if that cannot be now. */
static long tb_step(struct tb_node *node, u64 held, u64 target)
{
	if (held > target)
		return tb_deflate(node, held - target);
	for (int attempt = 0; attempt < TB_ATTEMPTS; attempt++) {
		const long done = tb_inflate(node, min(target - held, TB_AT_ONCE));

		if (done || !tb_make_room(node, target - held))
			return done;
	}
	return 0;
}

/**
 * tb_resize() - Make the balloon as large as it is to be
 * @node:	The node, whose work this is.
 *
 * Return: in how many ms to try again; 0 if there is nothing left to be done.
 */
unsigned int tb_resize(struct tb_node *node)
{
	unsigned int again = 0;

	while (!READ_ONCE(node->tb->gone)) {
		u64 held, target;
		long done;

		if (tb_resync(node) || tb_tell_late(node) || tb_tell_moved(node)) {
			again = tb_backoff_next(&node->backoff);
			break;
		}
		spin_lock(&node->lock);
		held = node->held;
		target = node->target;
		spin_unlock(&node->lock);
		if (held == target) {
			tb_backoff_reset(&node->backoff);
			break;
		}
		again = held < target ? tb_wait_to_inflate(node) : 0;
		if (again)
			break;
		page_exchange_reserve(node->nid, target > held ? target - held : 0);
		done = tb_step(node, held, target);
		if (done <= 0) {
			again = tb_inflate_later(node);
			break;
		}
		tb_backoff_reset(&node->backoff);
		spin_lock(&node->lock);
		node->changed += done;
		spin_unlock(&node->lock);
		tb_refresh_limits(node, TB_AT_ONCE);
		cond_resched();
	}
	page_exchange_reserve(node->nid, 0);
	tb_refresh_limits(node, 1);
	return READ_ONCE(node->tb->gone) ? 0 : again;
}

/**
 * tb_give_all_back() - Use all pages again
 * @node:	The node of a device that was reset: nobody is told.
 */
void tb_give_all_back(struct tb_node *node)
{
	LIST_HEAD(list);
	u64 held;

	/* compaction may hold some for a moment */
	do {
		tb_pages_take(node, &list, TB_CHUNK_ORDER, U64_MAX / 2);
		tb_pages_free(node, &list, TB_CHUNK_ORDER);
		while (tb_pages_take_moved(node, &list))
			tb_pages_free(node, &list, 0);
		tb_pages_take(node, &list, 0, U64_MAX / 2);
		tb_pages_free(node, &list, 0);
		spin_lock(&node->lock);
		held = node->held;
		tb_ranges_clear(node->late);
		spin_unlock(&node->lock);
		cond_resched();
	} while (held);
	refresh_zone_limits();
}
