// SPDX-License-Identifier: GPL-2.0
/*
 * Moves pages off a node that is to become smaller, the coldest first: as a ranker says, if
 * there is one, and by the order of the LRU lists.
 *
 * Nothing is reclaimed or swapped: what finds no room on other nodes stays. What goes by the LRU
 * lists leaves also if a policy or a cpuset binds it to the node, as when memory goes offline.
 */
#include <linux/export.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/mm_inline.h>
#include <linux/page_exchange.h>
#include <linux/rmap.h>
#include <linux/rwsem.h>
#include <linux/swap.h>

#include "../internal.h"
#include "internal.h"

/* Folios that are taken off a list at a time. */
#define EVACUATE_BATCH 64

static DECLARE_RWSEM(page_exchange_ranker_lock);
static struct page_exchange_ranker *page_exchange_ranker;

/**
 * struct page_exchange_evacuation - Pages that are to leave a node
 * @nid:	The node.
 * @to:		Nodes where they may go.
 * @wanted:	Base pages that are still to be moved.
 * @moved:	Base pages that were.
 * @all:	Whether pages move that were accessed since somebody looked last.
 */
struct page_exchange_evacuation {
	int nid;
	nodemask_t *to;
	unsigned long wanted;
	unsigned long moved;
	bool all;
};

/**
 * struct page_exchange_lru - A list of folios of about the same age
 * @head:	The list; the oldest are at its end.
 * @pages:	Base pages in it, about.
 */
struct page_exchange_lru {
	struct list_head *head;
	unsigned long pages;
};

#ifdef CONFIG_LRU_GEN
#define EVACUATE_GEN_LISTS (MAX_NR_GENS * ANON_AND_FILE * MAX_NR_ZONES)

static bool page_exchange_gen_list(struct lruvec *lruvec, unsigned int i,
				   struct page_exchange_lru *lru)
{
	struct lru_gen_folio *gens = &lruvec->lrugen;
	const unsigned int zone = i % MAX_NR_ZONES;
	const unsigned int type = i / MAX_NR_ZONES % ANON_AND_FILE;
	const unsigned int age = i / MAX_NR_ZONES / ANON_AND_FILE;
	const unsigned int gen = lru_gen_from_seq(READ_ONCE(gens->min_seq[type]) + age);

	if (i >= EVACUATE_GEN_LISTS)
		return false;
	lru->head = &gens->folios[gen][type][zone];
	lru->pages = max(READ_ONCE(gens->nr_pages[gen][type][zone]), 0L);
	return true;
}
#else
static bool page_exchange_gen_list(struct lruvec *lruvec, unsigned int i,
				   struct page_exchange_lru *lru)
{
	return false;
}
#endif

/* Base pages in a list of @lruvec itself; statistics would count those of its children, too. */
static unsigned long page_exchange_lru_size(struct lruvec *lruvec, enum lru_list lru)
{
	struct pglist_data *pgdat = lruvec_pgdat(lruvec);
	unsigned long n = 0;

	for (int i = 0; i < MAX_NR_ZONES; i++)
		n += mem_cgroup_disabled()
			     ? zone_page_state(&pgdat->node_zones[i], NR_ZONE_LRU_BASE + lru)
			     : mem_cgroup_get_zone_lru_size(lruvec, lru, i);
	return n;
}

/* Finds the list number @i of @lruvec, the oldest first. Returns false behind the last. */
static bool page_exchange_lru_list(struct lruvec *lruvec, unsigned int i,
				   struct page_exchange_lru *lru)
{
	static const enum lru_list order[] = { LRU_INACTIVE_FILE, LRU_INACTIVE_ANON,
					       LRU_ACTIVE_FILE, LRU_ACTIVE_ANON };

	if (lru_gen_enabled())
		return page_exchange_gen_list(lruvec, i, lru);
	if (i >= ARRAY_SIZE(order))
		return false;
	lru->head = &lruvec->lists[order[i]];
	lru->pages = page_exchange_lru_size(lruvec, order[i]);
	return true;
}

/* Takes references on the oldest folios of a list, which become its youngest. */
static unsigned int page_exchange_oldest(struct lruvec *lruvec, struct list_head *head,
					 struct folio **folios)
{
	unsigned int n = 0;

	spin_lock_irq(&lruvec->lru_lock);
	for (unsigned int i = 0; i < EVACUATE_BATCH && !list_empty(head); i++) {
		struct folio *folio = list_last_entry(head, struct folio, lru);

		list_move(&folio->lru, head);
		if (folio_try_get(folio))
			folios[n++] = folio;
	}
	spin_unlock_irq(&lruvec->lru_lock);
	return n;
}

static bool page_exchange_was_accessed(struct folio *folio)
{
	unsigned long flags;

	if (!folio_referenced(folio, 0, folio_memcg(folio), &flags))
		return false;
	folio_mark_accessed(folio);
	return true;
}

/* Moves some of the oldest folios of a list. Returns base pages looked at; 0: it is empty. */
static unsigned long page_exchange_evacuate_batch(struct page_exchange_evacuation *e,
						  struct lruvec *lruvec, struct list_head *head)
{
	struct folio *folios[EVACUATE_BATCH];
	const unsigned int n = page_exchange_oldest(lruvec, head, folios);
	unsigned long seen = 0, taken = 0;
	unsigned int moved = 0;
	LIST_HEAD(list);

	for (unsigned int i = 0; i < n; i++) {
		struct folio *folio = folios[i];
		const long pages = folio_nr_pages(folio);

		seen += pages;
		if (taken < e->wanted && folio_nid(folio) == e->nid &&
		    (e->all || !page_exchange_was_accessed(folio)) &&
		    isolate_folio_to_list(folio, &list))
			taken += pages;
		folio_put(folio);
	}
	if (!list_empty(&list)) {
		moved = page_exchange_move_list(&list, e->to,
						e->all ? MIGRATE_SYNC_LIGHT : MIGRATE_ASYNC);
		putback_movable_pages(&list);
	}
	e->moved += moved;
	e->wanted -= min(e->wanted, moved);
	return seen;
}

/* Moves up to @most base pages of @lruvec. */
static void page_exchange_evacuate_lruvec(struct page_exchange_evacuation *e, struct lruvec *lruvec,
					  unsigned long most)
{
	const unsigned long begin = e->moved;
	struct page_exchange_lru lru;

	for (unsigned int i = 0; page_exchange_lru_list(lruvec, i, &lru); i++) {
		unsigned long seen = 0, n = 1;

		while (n && seen < lru.pages && e->wanted && e->moved - begin < most) {
			n = page_exchange_evacuate_batch(e, lruvec, lru.head);
			seen += n;
			cond_resched();
		}
	}
}

/* Each memory cgroup gives by what it has on the node. */
static void page_exchange_evacuate_memcgs(struct page_exchange_evacuation *e)
{
	struct pglist_data *pgdat = NODE_DATA(e->nid);
	const unsigned long wanted = e->wanted;
	unsigned long all = 1;
	struct mem_cgroup *memcg;

	for (enum lru_list lru = 0; lru < LRU_UNEVICTABLE; lru++)
		all += node_page_state(pgdat, NR_LRU_BASE + lru);
	memcg = mem_cgroup_iter(NULL, NULL, NULL);
	do {
		struct lruvec *lruvec = mem_cgroup_lruvec(memcg, pgdat);
		unsigned long has = 0;

		for (enum lru_list lru = 0; lru < LRU_UNEVICTABLE; lru++)
			has += page_exchange_lru_size(lruvec, lru);
		page_exchange_evacuate_lruvec(e, lruvec, mult_frac(wanted, has, all) + 1);
		if (!e->wanted) {
			mem_cgroup_iter_break(NULL, memcg);
			break;
		}
	} while ((memcg = mem_cgroup_iter(NULL, memcg, NULL)));
}

static unsigned long page_exchange_evacuate_ranked(int nid, unsigned long pages, nodemask_t *to)
{
	unsigned long moved = 0;

	down_read(&page_exchange_ranker_lock);
	if (page_exchange_ranker)
		moved = page_exchange_ranker->evacuate(page_exchange_ranker, nid, pages, to);
	up_read(&page_exchange_ranker_lock);
	return moved;
}

/**
 * page_exchange_evacuate() - Move pages off a node, the coldest first
 * @nid:	The node.
 * @pages:	How many base pages.
 * @to:		Nodes where they may go, without @nid.
 *
 * Fills free memory only, and no more than page_exchange_room() tells. Looks at each page of
 * the node at most twice: first for some that were not accessed lately. May sleep; the
 * caller holds no locks.
 *
 * Return: base pages that were moved; possibly some more than wanted, since large folios move
 * as a whole.
 */
unsigned long page_exchange_evacuate(int nid, unsigned long pages, nodemask_t *to)
{
	struct page_exchange_evacuation e = { .nid = nid, .to = to, .wanted = pages };
	unsigned long ranked;

	ranked = page_exchange_evacuate_ranked(nid, pages, to);
	e.wanted -= min(ranked, pages);
	if (e.wanted) {
		lru_add_drain();
		page_exchange_evacuate_memcgs(&e);
	}
	if (e.wanted) {
		lru_add_drain_all();
		e.all = true;
		page_exchange_evacuate_memcgs(&e);
	}
	return ranked + e.moved;
}
EXPORT_SYMBOL_GPL(page_exchange_evacuate);

/**
 * page_exchange_heat_curve() - Tell how hot how many pages are
 * @curve:	Gets points of the curve: more pages and less heat each.
 * @n:		Room for points.
 *
 * Return: how many points; 0 if nobody knows.
 */
unsigned int page_exchange_heat_curve(struct page_exchange_heat *curve, unsigned int n)
{
	unsigned int points = 0;

	down_read(&page_exchange_ranker_lock);
	if (page_exchange_ranker)
		points = page_exchange_ranker->heat_curve(page_exchange_ranker, curve, n);
	up_read(&page_exchange_ranker_lock);
	return points;
}
EXPORT_SYMBOL_GPL(page_exchange_heat_curve);

/**
 * page_exchange_register_ranker() - Begin to say which pages are hot
 * @ranker:	Whoever knows it.
 *
 * Return: 0, or -EBUSY if somebody does so already.
 */
int page_exchange_register_ranker(struct page_exchange_ranker *ranker)
{
	int ret = -EBUSY;

	down_write(&page_exchange_ranker_lock);
	if (!page_exchange_ranker) {
		page_exchange_ranker = ranker;
		ret = 0;
	}
	up_write(&page_exchange_ranker_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(page_exchange_register_ranker);

/**
 * page_exchange_unregister_ranker() - Say no more which pages are hot
 * @ranker:	Whoever was registered. Its functions are not called any more when this returns.
 */
void page_exchange_unregister_ranker(struct page_exchange_ranker *ranker)
{
	down_write(&page_exchange_ranker_lock);
	if (page_exchange_ranker == ranker)
		page_exchange_ranker = NULL;
	up_write(&page_exchange_ranker_lock);
}
EXPORT_SYMBOL_GPL(page_exchange_unregister_ranker);
