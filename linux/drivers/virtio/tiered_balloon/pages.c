// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages a node's balloon holds: chunks, and single pages that compaction can move.
 * Gives some up when memory goes offline or when the guest is out of it.
 */
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/vmstat.h>

#include "balloon.h"

/* Single pages that are given up at a time when memory is out, if there is no chunk. */
#define OOM_SINGLES 256

static void tb_pages_set_offline(struct page *page, unsigned int order)
{
	for (unsigned long i = 0; i < 1UL << order; i++)
		__SetPageOffline(page + i);
}

static void tb_pages_clear_offline(struct page *page, unsigned int order)
{
	for (unsigned long i = 0; i < 1UL << order; i++)
		__ClearPageOffline(page + i);
}

/**
 * tb_pages_count() - Count pages as taken out of use
 * @node:	The node.
 * @list:	Pages, by struct page.lru.
 * @order:	Order of each.
 */
void tb_pages_count(struct tb_node *node, const struct list_head *list, unsigned int order)
{
	struct page *page;
	u64 pages = 0;

	list_for_each_entry(page, list, lru) {
		adjust_managed_page_count(page, -(1L << order));
		pages += 1UL << order;
	}
	count_vm_events(BALLOON_INFLATE, pages);
	spin_lock(&node->lock);
	node->held += pages;
	spin_unlock(&node->lock);
}

/**
 * tb_pages_hold() - Let others find pages of the balloon
 * @node:	The node.
 * @list:	Pages that are counted, by struct page.lru; empty thereafter.
 * @order:	Order of each.
 */
void tb_pages_hold(struct tb_node *node, struct list_head *list, unsigned int order)
{
	struct page *page, *next;

	if (order) {
		list_for_each_entry(page, list, lru)
			tb_pages_set_offline(page, order);
		spin_lock(&node->lock);
		list_splice_init(list, &node->chunks);
		spin_unlock(&node->lock);
		return;
	}
	list_for_each_entry_safe(page, next, list, lru) {
		list_del(&page->lru);
		/* whoever lets it take the place of another may still have the lock */
		lock_page(page);
		spin_lock_irq(&node->singles.pages_lock);
		balloon_page_insert(&node->singles, page);
		spin_unlock_irq(&node->singles.pages_lock);
		unlock_page(page);
	}
}

/**
 * tb_pages_free() - Let pages be used again
 * @node:	The node.
 * @list:	Pages that are counted, by struct page.lru; empty thereafter.
 * @order:	Order of each.
 */
void tb_pages_free(struct tb_node *node, struct list_head *list, unsigned int order)
{
	struct page *page, *next;
	u64 pages = 0;

	list_for_each_entry_safe(page, next, list, lru) {
		list_del(&page->lru);
		adjust_managed_page_count(page, 1L << order);
		__free_pages(page, order);
		pages += 1UL << order;
	}
	count_vm_events(BALLOON_DEFLATE, pages);
	spin_lock(&node->lock);
	node->held -= pages;
	spin_unlock(&node->lock);
}

static struct page *tb_pages_take_single(struct tb_node *node)
{
	struct page *page, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&node->singles.pages_lock, flags);
	list_for_each_entry(page, &node->singles.pages, lru) {
		/* compaction may have it */
		if (!trylock_page(page))
			continue;
		list_del(&page->lru);
		balloon_page_finalize(page);
		unlock_page(page);
		found = page;
		break;
	}
	spin_unlock_irqrestore(&node->singles.pages_lock, flags);
	return found;
}

static struct page *tb_pages_take_chunk(struct tb_node *node)
{
	struct page *page;

	lockdep_assert_held(&node->lock);
	page = list_first_entry_or_null(&node->chunks, struct page, lru);
	if (page) {
		list_del(&page->lru);
		tb_pages_clear_offline(page, TB_CHUNK_ORDER);
	}
	return page;
}

/**
 * tb_pages_take() - Take pages of the balloon where nobody else finds them
 * @node:	The node.
 * @list:	Gets the pages, by struct page.lru.
 * @order:	Order of each: TB_CHUNK_ORDER or 0.
 * @pages:	Base pages that are wanted at most.
 *
 * Return: base pages taken. They stay counted.
 */
u64 tb_pages_take(struct tb_node *node, struct list_head *list, unsigned int order, u64 pages)
{
	u64 taken = 0;

	while (taken + (1UL << order) <= pages) {
		struct page *page;

		if (order) {
			spin_lock(&node->lock);
			page = tb_pages_take_chunk(node);
			spin_unlock(&node->lock);
		} else {
			page = tb_pages_take_single(node);
		}
		if (!page)
			break;
		list_add_tail(&page->lru, list);
		taken += 1UL << order;
	}
	return taken;
}

/**
 * tb_pages_take_moved() - Take the single pages that the device does not know yet
 * @node:	The node.
 * @list:	Gets up to VIRTIO_TB_MAX_RANGES of them, by struct page.lru.
 *
 * Return: how many.
 */
u64 tb_pages_take_moved(struct tb_node *node, struct list_head *list)
{
	u64 taken = 0;

	spin_lock(&node->lock);
	while (taken < VIRTIO_TB_MAX_RANGES && !list_empty(&node->moved)) {
		list_move(node->moved.next, list);
		taken++;
	}
	spin_unlock(&node->lock);
	return taken;
}

/**
 * tb_pages_keep_late() - Keep what the device could not be told
 * @node:	The node, whose work this is.
 * @told:	What tb_pages_take_late() has returned.
 *
 * Return: false if there is no room to note it.
 */
bool tb_pages_keep_late(struct tb_node *node, const struct tb_ranges *told)
{
	bool kept = true;

	spin_lock(&node->lock);
	for (unsigned int i = 0; kept && i < told->nr; i++)
		kept = tb_ranges_add(node->late, le64_to_cpu(told->range[i].frame),
				     le32_to_cpu(told->range[i].pages));
	spin_unlock(&node->lock);
	return kept;
}

/**
 * tb_pages_take_late() - Take what the device is to be told that it is in use again
 * @node:	The node, whose work this is.
 *
 * Return: pages, valid until the next call.
 */
const struct tb_ranges *tb_pages_take_late(struct tb_node *node)
{
	tb_ranges_clear(node->told);
	spin_lock(&node->lock);
	swap(node->late, node->told);
	spin_unlock(&node->lock);
	return node->told;
}

/**
 * tb_pages_break_chunk() - Make single pages of a chunk
 * @node:	The node.
 *
 * Return: false if there is none.
 */
bool tb_pages_break_chunk(struct tb_node *node)
{
	LIST_HEAD(singles);
	struct page *page;

	spin_lock(&node->lock);
	page = tb_pages_take_chunk(node);
	spin_unlock(&node->lock);
	if (!page)
		return false;
	split_page(page, TB_CHUNK_ORDER);
	for (unsigned long i = 0; i < TB_CHUNK_PAGES; i++)
		list_add_tail(&page[i].lru, &singles);
	tb_pages_hold(node, &singles, 0);
	return true;
}

/*
 * Lets @newpage take the place of @page, which compaction wants. @newpage stays where nobody
 * finds it until the device knows of it. If @newpage is of another node, since memory goes
 * offline, the balloon becomes smaller instead.
 */
static int tb_pages_migrate(struct balloon_dev_info *singles, struct page *newpage,
			    struct page *page, enum migrate_mode mode)
{
	struct tb_node *node = container_of(singles, struct tb_node, singles);
	const bool leaves = page_to_nid(newpage) != node->nid;
	unsigned long flags;
	bool noted;

	/* once it is noted, only this keeps the node from being freed: see tb_remove() */
	rcu_read_lock();
	spin_lock(&node->lock);
	noted = tb_ranges_add(node->late, tb_frame(page), 1);
	if (noted && leaves) {
		node->held--;
	} else if (noted) {
		get_page(newpage);
		list_add_tail(&newpage->lru, &node->moved);
	}
	spin_unlock(&node->lock);
	if (!noted) {
		rcu_read_unlock();
		return -EAGAIN;
	}
	if (leaves || page_zone(newpage) != page_zone(page))
		adjust_managed_page_count(page, 1);
	if (!leaves && page_zone(newpage) != page_zone(page))
		adjust_managed_page_count(newpage, -1);
	spin_lock_irqsave(&singles->pages_lock, flags);
	singles->isolated_pages--;
	spin_unlock_irqrestore(&singles->pages_lock, flags);
	count_vm_event(BALLOON_MIGRATE);
	balloon_page_finalize(page);
	put_page(page);
	tb_wake(node);
	rcu_read_unlock();
	return MIGRATEPAGE_SUCCESS;
}

/* Takes pages that are freed although the device is told only later. */
static u64 tb_pages_give_up_chunk(struct tb_node *node, struct list_head *list)
{
	struct page *page;
	u64 given = 0;

	spin_lock(&node->lock);
	page = tb_pages_take_chunk(node);
	if (page && tb_ranges_add(node->late, tb_frame(page), TB_CHUNK_PAGES)) {
		list_add(&page->lru, list);
		given = TB_CHUNK_PAGES;
	} else if (page) {
		tb_pages_set_offline(page, TB_CHUNK_ORDER);
		list_add(&page->lru, &node->chunks);
	}
	spin_unlock(&node->lock);
	return given;
}

static u64 tb_pages_give_up_singles(struct tb_node *node, struct list_head *list)
{
	u64 given = 0;

	while (given < OOM_SINGLES) {
		struct page *page = NULL;

		spin_lock(&node->lock);
		if (node->late->nr < VIRTIO_TB_MAX_RANGES)
			page = tb_pages_take_single(node);
		if (page)
			tb_ranges_add(node->late, tb_frame(page), 1);
		spin_unlock(&node->lock);
		if (!page)
			break;
		list_add(&page->lru, list);
		given++;
	}
	return given;
}

static u64 tb_pages_relieve(struct tb_node *node)
{
	LIST_HEAD(singles);
	LIST_HEAD(chunks);
	u64 given;

	given = tb_pages_give_up_chunk(node, &chunks);
	if (!given)
		given = tb_pages_give_up_singles(node, &singles);
	if (!given)
		return 0;
	tb_pages_free(node, &chunks, TB_CHUNK_ORDER);
	tb_pages_free(node, &singles, 0);
	spin_lock(&node->lock);
	node->waits = true;
	node->not_before = jiffies + msecs_to_jiffies(tb_backoff_next(&node->oom_backoff));
	node->changed += given;
	spin_unlock(&node->lock);
	tb_wake(node);
	return given;
}

/**
 * tb_pages_out_of_memory() - Give up pages when the guest is out of memory
 * @nb:		struct tiered_balloon.oom.
 * @unused:	Unused.
 * @freed:	unsigned long: gets pages that were freed added.
 *
 * Waits for nobody. The balloon is not inflated again for a while, longer each time, so that
 * it and a guest that needs the memory do not take it from each other for ever.
 *
 * Return: NOTIFY_OK.
 */
int tb_pages_out_of_memory(struct notifier_block *nb, unsigned long unused, void *freed)
{
	struct tiered_balloon *tb = container_of(nb, struct tiered_balloon, oom);
	u64 given = 0;

	if (!(READ_ONCE(tb->capabilities) & VIRTIO_TB_CAP_DEFLATE_ON_OOM))
		return NOTIFY_OK;
	/* the task that is out of memory may be bound to one of them */
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		given += tb_pages_relieve(&tb->nodes[i]);
	*(unsigned long *)freed += given;
	return NOTIFY_OK;
}

/**
 * tb_pages_going_offline() - Give up chunks of memory that goes offline
 * @nb:		struct tiered_balloon.memory.
 * @action:	MEM_*.
 * @arg:	struct memory_notify.
 *
 * Single pages are moved like others.
 *
 * Return: NOTIFY_OK.
 */
int tb_pages_going_offline(struct notifier_block *nb, unsigned long action, void *arg)
{
	struct tiered_balloon *tb = container_of(nb, struct tiered_balloon, memory);
	const struct memory_notify *going = arg;

	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		struct tb_node *node = &tb->nodes[i];
		struct page *page, *next;
		LIST_HEAD(list);

		spin_lock(&node->lock);
		list_for_each_entry_safe(page, next, &node->chunks, lru) {
			const unsigned long pfn = page_to_pfn(page);

			if (pfn < going->start_pfn || pfn >= going->start_pfn + going->nr_pages)
				continue;
			if (!tb_ranges_add(node->late, tb_frame(page), TB_CHUNK_PAGES))
				break;
			node->changed += TB_CHUNK_PAGES;
			tb_pages_clear_offline(page, TB_CHUNK_ORDER);
			list_move(&page->lru, &list);
		}
		spin_unlock(&node->lock);
		if (list_empty(&list))
			continue;
		tb_pages_free(node, &list, TB_CHUNK_ORDER);
		tb_wake(node);
	}
	return NOTIFY_OK;
}

/**
 * tb_pages_init() - Begin with an empty balloon
 * @node:	The node.
 */
void tb_pages_init(struct tb_node *node)
{
	spin_lock_init(&node->lock);
	INIT_LIST_HEAD(&node->chunks);
	INIT_LIST_HEAD(&node->moved);
	balloon_devinfo_init(&node->singles);
	node->singles.migratepage = tb_pages_migrate;
}
