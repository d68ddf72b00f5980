// SPDX-License-Identifier: GPL-2.0
/*
 * Relocation: pages that rank.c has planned to change tiers do so.
 *
 * Hot pages of the slow tier and cold pages of the fast one are gathered in the
 * order of their addresses, so that pairs share page tables, and trade places
 * (mm/page_exchange). As long as the fast tier has free memory, hot pages move there.
 * Room for a batch is allocated once, in the beginning: relocation allocates
 * nothing but what migration takes from free memory of the fast tier.
 */
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "demeter.h"

/* Base pages that are handed on at once, at least a huge page. */
#define CHUNK GRANULE_PAGES

struct gathered {
	struct demeter_candidate *pages;
	u64 n;
	u64 part; /* pages left to take of the class at the plan's end */
};

static struct demeter_candidate *hot_pages, *cold_pages;
static unsigned int batch; /* candidates for which there is room */
static unsigned long deadline; /* jiffies */
static bool no_room[NR_DEMETER_SIZES]; /* of the fast tier, in the last epoch */
static struct page_exchange *pairs;
static unsigned long *addresses;
static u8 *obstacles;

/**
 * demeter_relocate_init() - Allocate what a batch needs
 *
 * Return: 0 or -ENOMEM. demeter_relocate_exit() frees it.
 */
int demeter_relocate_init(void)
{
	batch = demeter_params.batch_pages;
	hot_pages = kvmalloc_array(batch, sizeof(*hot_pages), GFP_KERNEL);
	cold_pages = kvmalloc_array(batch, sizeof(*cold_pages), GFP_KERNEL);
	pairs = kvmalloc_array(CHUNK, sizeof(*pairs), GFP_KERNEL);
	addresses = kvmalloc_array(CHUNK, sizeof(*addresses), GFP_KERNEL);
	obstacles = kvmalloc_array(CHUNK, sizeof(*obstacles), GFP_KERNEL);
	if (hot_pages && cold_pages && pairs && addresses && obstacles)
		return 0;
	demeter_relocate_exit();
	return -ENOMEM;
}

/**
 * demeter_relocate_exit() - Free what demeter_relocate_init() has allocated
 */
void demeter_relocate_exit(void)
{
	kvfree(hot_pages);
	kvfree(cold_pages);
	kvfree(pairs);
	kvfree(addresses);
	kvfree(obstacles);
	hot_pages = NULL;
	cold_pages = NULL;
	pairs = NULL;
	addresses = NULL;
	obstacles = NULL;
}

/**
 * demeter_free_fast_pages() - Free memory of the fast tier that may be filled
 * @size:	With pages of which size.
 *
 * None after an epoch in which there was less than it had seemed: then pages are exchanged.
 *
 * Return: in base pages.
 */
u64 demeter_free_fast_pages(enum demeter_size size)
{
	u64 all = 0;
	int nid;

	if (no_room[size]) {
		no_room[size] = false;
		return 0;
	}
	for_each_node_mask(nid, demeter_fast_nodes)
		all += page_exchange_room(nid, size == DEMETER_HUGE ? PMD_ORDER : 0);
	return all;
}

static void take(struct gathered *to, struct demeter_target *t, struct demeter_granule *g,
		 unsigned int page)
{
	if (to->n == batch)
		return;
	to->pages[to->n++] = (struct demeter_candidate){
		.target = t,
		.granule = g,
		.addr = g->start + ((unsigned long)page << PAGE_SHIFT),
	};
}

/*
 * The pages of a plan by their heat: hot ones from all_hot on, and some from some_hot
 * on; cold ones below all_cold, and some below some_cold.
 */
struct bounds {
	u32 all_hot, some_hot;
	u32 all_cold, some_cold;
};

static bool chosen(struct gathered *to, bool all, bool some)
{
	if (all)
		return true;
	if (!some || !to->part)
		return false;
	to->part--;
	return true;
}

static bool is_hot(const struct bounds *b, struct gathered *hot, u32 heat)
{
	return chosen(hot, heat >= b->all_hot, heat >= b->some_hot);
}

static bool is_cold(const struct bounds *b, struct gathered *cold, u32 heat)
{
	return chosen(cold, heat < b->all_cold, heat < b->some_cold);
}

static void gather_huge(const struct bounds *b, struct demeter_target *t, struct demeter_granule *g,
			struct gathered *to)
{
	if (!g->nr_present || test_bit(0, g->stuck))
		return;
	if (g->nr_fast ? is_cold(b, to, g->mean) : is_hot(b, to, g->mean))
		take(to, t, g, 0);
}

static void gather_granule(const struct bounds *b, struct demeter_target *t,
			   struct demeter_granule *g, struct gathered *hot, struct gathered *cold)
{
	if (g->huge) {
		gather_huge(b, t, g, g->nr_fast ? cold : hot);
		return;
	}
	/* pages of which nothing is known are all alike, and mostly of no interest */
	if (!g->weight && g->mean < b->some_hot && g->mean >= b->some_cold)
		return;
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		unsigned long movable = g->present[word] & ~g->stuck[word];

		for (; movable; movable &= movable - 1) {
			const unsigned int bit = __ffs(movable);
			const unsigned int page = word * BITS_PER_LONG + bit;
			const u32 heat = demeter_page_heat(g, page);

			if (g->fast[word] >> bit & 1) {
				if (is_cold(b, cold, heat))
					take(cold, t, g, page);
			} else if (is_hot(b, hot, heat)) {
				take(hot, t, g, page);
			}
		}
	}
}

static void leave_alone(const struct demeter_candidate *c)
{
	set_bit((c->addr - c->granule->start) >> PAGE_SHIFT, c->granule->stuck);
}

/* Count what became of a page, and do not try again soon what did not work. */
static void note(const struct demeter_candidate *c, u8 obstacle)
{
	switch (obstacle) {
	case PAGE_EXCHANGE_BUSY:
		demeter_stats.busy++;
		leave_alone(c);
		break;
	case PAGE_EXCHANGE_REFUSED:
		demeter_stats.refused++;
		leave_alone(c);
		break;
	case PAGE_EXCHANGE_GONE:
		demeter_stats.gone++;
		break;
	case PAGE_EXCHANGE_NO_ROOM:
		demeter_stats.no_room++;
		no_room[demeter_granule_size(c->granule)] = true;
		break;
	}
}

/* What the next scan will find. */
static void note_tier(const struct demeter_candidate *c, enum demeter_tier tier)
{
	const unsigned int page = (c->addr - c->granule->start) >> PAGE_SHIFT;
	const unsigned int n = demeter_pages_of(demeter_granule_size(c->granule));

	if (tier == DEMETER_FAST) {
		bitmap_set(c->granule->fast, page, n);
		c->granule->nr_fast += n;
	} else {
		bitmap_clear(c->granule->fast, page, n);
		c->granule->nr_fast -= n;
	}
}

static void note_exchange(const struct demeter_candidate *hot, const struct demeter_candidate *cold,
			  const struct page_exchange *pair)
{
	unsigned int pages;

	note(hot, pair->obstacle_a);
	note(cold, pair->obstacle_b);
	if (pair->obstacle_a || pair->obstacle_b)
		return;
	pages = demeter_pages_of(demeter_granule_size(hot->granule));
	demeter_stats.exchanged += pages;
	demeter_stats.promoted += pages;
	demeter_stats.demoted += pages;
	hot->target->promoted += pages;
	cold->target->demoted += pages;
	note_tier(hot, DEMETER_FAST);
	note_tier(cold, DEMETER_SLOW);
}

/* Pairs of the same two targets. */
static void exchange(const struct demeter_candidate *hot, const struct demeter_candidate *cold,
		     unsigned int n)
{
	struct mm_struct *hot_mm = hot->target->mm, *cold_mm = cold->target->mm;

	if (!mmget_not_zero(hot_mm))
		return;
	if (!mmget_not_zero(cold_mm)) {
		mmput_async(hot_mm);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		pairs[i] = (struct page_exchange){ .a = hot[i].addr,
						   .b = cold[i].addr,
						   .huge = hot[i].granule->huge };
	page_exchange_pairs(hot_mm, cold_mm, pairs, n);
	mmput_async(cold_mm);
	mmput_async(hot_mm);
	for (unsigned int i = 0; i < n; i++)
		note_exchange(&hot[i], &cold[i], &pairs[i]);
}

/* Of candidates like this one. */
static unsigned int chunk_of(const struct demeter_candidate *c)
{
	return CHUNK / demeter_pages_of(demeter_granule_size(c->granule));
}

static void exchange_all(const struct demeter_candidate *hot, const struct demeter_candidate *cold,
			 u64 n)
{
	while (n && time_before(jiffies, deadline)) {
		unsigned int run = 1;

		while (run < min(n, chunk_of(hot)) && hot[run].target == hot->target &&
		       cold[run].target == cold->target)
			run++;
		exchange(hot, cold, run);
		hot += run;
		cold += run;
		n -= run;
	}
}

/* Pages of one target. */
static void promote(const struct demeter_candidate *hot, unsigned int n)
{
	struct demeter_target *t = hot->target;
	unsigned int moved;

	if (!mmget_not_zero(t->mm))
		return;
	for (unsigned int i = 0; i < n; i++)
		addresses[i] = hot[i].addr;
	moved = page_exchange_migrate(t->mm, addresses, obstacles, n, &demeter_fast_nodes);
	mmput_async(t->mm);
	for (unsigned int i = 0; i < n; i++)
		note(&hot[i], obstacles[i]);
	demeter_stats.promoted += moved;
	t->promoted += moved;
}

static void promote_all(const struct demeter_candidate *hot, u64 n)
{
	while (n && time_before(jiffies, deadline)) {
		unsigned int run = 1;

		while (run < min(n, chunk_of(hot)) && hot[run].target == hot->target)
			run++;
		promote(hot, run);
		hot += run;
		n -= run;
	}
}

/**
 * demeter_relocate_begin() - Begin an epoch's relocation
 *
 * Processes can make it slow, e.g. by pages that thousands of others might share. They
 * cannot make it long: what is not done within an epoch's time is left.
 */
void demeter_relocate_begin(void)
{
	deadline = jiffies + msecs_to_jiffies(demeter_params.epoch_ms) + 1;
}

/**
 * demeter_relocate() - Do what was planned
 * @size:	For pages of which size.
 * @plan:	The plan; granules are as they were when it was made.
 */
void demeter_relocate(enum demeter_size size, const struct demeter_plan *plan)
{
	struct gathered hot = { .pages = hot_pages, .part = plan->hot_part };
	struct gathered cold = { .pages = cold_pages, .part = plan->cold_part };
	const struct bounds bounds = {
		.all_hot = demeter_class_heat(plan->hot + 1),
		.some_hot = demeter_class_heat(plan->hot),
		.all_cold = plan->exchange ? demeter_class_heat(plan->cold) : 0,
		.some_cold = plan->exchange ? demeter_class_heat(plan->cold + 1) : 0,
	};
	struct demeter_granule *g;
	struct demeter_target *t;
	unsigned long index;
	u64 promoted;

	if (!plan->promote && !plan->exchange)
		return;
	list_for_each_entry(t, &demeter_targets, list)
		xa_for_each(&t->granules, index, g)
			if (demeter_granule_size(g) == size)
				gather_granule(&bounds, t, g, &hot, &cold);
	promoted = min(plan->promote, hot.n);
	promote_all(hot.pages, promoted);
	exchange_all(hot.pages + promoted, cold.pages, min(hot.n - promoted, cold.n));
}

/* Takes one of @split->part where only some are to be split. */
static bool to_be_split(struct demeter_split *split, const struct demeter_granule *g)
{
	const enum demeter_tier tier = g->nr_fast ? DEMETER_FAST : DEMETER_SLOW;
	const unsigned int class = demeter_rank_class(g->mean);

	if (!g->huge || !g->nr_present || test_bit(0, g->stuck) || tier != split->tier)
		return false;
	if (class == split->class && split->part) {
		split->part--;
		return true;
	}
	return tier == DEMETER_FAST ? class < split->class : class > split->class;
}

static void split_granule(struct demeter_target *t, struct demeter_granule *g)
{
	if (!mmget_not_zero(t->mm))
		return;
	if (page_exchange_split(t->mm, g->start)) {
		demeter_stats.split++;
		g->huge = false;
	} else {
		set_bit(0, g->stuck);
	}
	mmput_async(t->mm);
}

/**
 * demeter_split() - Make base pages of huge pages
 * @split:	Of which. In the next epoch they are base pages like others.
 */
void demeter_split(struct demeter_split split)
{
	struct demeter_granule *g;
	struct demeter_target *t;
	unsigned long index;

	if (!split.n)
		return;
	list_for_each_entry(t, &demeter_targets, list) {
		xa_for_each(&t->granules, index, g) {
			if (!split.n || time_after(jiffies, deadline))
				return;
			if (!to_be_split(&split, g))
				continue;
			split_granule(t, g);
			split.n--;
		}
	}
}
