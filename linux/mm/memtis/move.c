// SPDX-License-Identifier: GPL-2.0
/*
 * Moves pages: hot ones of a slow node up while there is room, cold ones of the fast tier down, so
 * that there is room for these and for what is allocated anew. Warm ones go down only if there is
 * hardly any room left.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "memtis.h"

/* Pages that are moved at once. */
#define BATCH 64
/* Pages for which it is worth that the other tier goes on at once. */
#define WORTH_A_WAKE 128
/* Pages that came into a region so lately are not cold, though they have no samples yet; in ns. */
#define NEW_NS NSEC_PER_SEC

/**
 * struct memtis_wanted - Pages that are looked for
 * @is_fast:	Whether they are in the fast tier.
 * @first:	First bin.
 * @last:	Last bin.
 * @old:	Regions that have grown later are passed over, in ns; 0: none is.
 */
struct memtis_wanted {
	bool is_fast;
	unsigned int first;
	unsigned int last;
	u64 old;
};

/**
 * memtis_headroom() - Tell how much of the fast tier is to be free
 * @t:		Memtis.
 *
 * Return: in base pages, beyond what the kernel keeps.
 */
unsigned long memtis_headroom(const struct memtis *t)
{
	return mult_frac(t->fast_pages, READ_ONCE(t->params.headroom_permille), 1000ul);
}

static unsigned long memtis_room_of(const nodemask_t *nodes)
{
	unsigned long room = 0;
	int nid;

	for_each_node_mask(nid, *nodes)
		room += page_exchange_room(nid, 0);
	return room;
}

/**
 * memtis_room() - Tell how much of the fast tier may be filled
 * @t:		Memtis.
 *
 * Return: in base pages, beyond what the kernel keeps.
 */
unsigned long memtis_room(const struct memtis *t)
{
	return memtis_room_of(&t->fast);
}

/* Whether a page of a region is one that is looked for. */
static bool memtis_is_wanted(const struct memtis_wanted *w, const struct memtis_region *r,
			     unsigned int page)
{
	const unsigned int bin = memtis_region_bin(r, page);

	return test_bit(page, r->fast) == w->is_fast && !test_bit(page, r->kept) &&
	       bin >= w->first && bin <= w->last;
}

/* Whether any page of a region may be. Most have no samples at all. */
static bool memtis_may_be_wanted(const struct memtis_wanted *w, const struct memtis_region *r)
{
	return (!w->old || r->grown < w->old) && (r->counts || !w->first) &&
	       !(w->is_fast ? bitmap_empty(r->fast, MEMTIS_REGION_PAGES)
			    : bitmap_subset(r->present, r->fast, MEMTIS_REGION_PAGES));
}

/* Counts what is wanted of a region by bin, and if there is room, notes it. */
static void memtis_collect_region(struct memtis *t, const struct memtis_wanted *w,
				  struct memtis_mm *m, struct memtis_region *r,
				  struct memtis_histogram *count, unsigned int *n,
				  unsigned int most)
{
	unsigned int page;

	memtis_region_cool(r, &t->heat);
	if (!memtis_may_be_wanted(w, r))
		return;
	for_each_set_bit(page, r->present, MEMTIS_REGION_PAGES) {
		if (memtis_is_wanted(w, r, page)) {
			if (count)
				count->pages[memtis_region_bin(r, page)] +=
					r->is_huge ? MEMTIS_REGION_PAGES : 1;
			else if (*n < most)
				t->moves[(*n)++] = (struct memtis_move){
					m, r->addr + ((unsigned long)page << PAGE_SHIFT)
				};
		}
		if (r->is_huge)
			break;
	}
}

/* Goes through all regions: counts what is wanted, or without @count, notes up to @most pages. */
static unsigned int memtis_collect(struct memtis *t, const struct memtis_wanted *w,
				   struct memtis_histogram *count, unsigned int most)
{
	struct memtis_region *r;
	struct memtis_mm *m;
	unsigned long index;
	unsigned int n = 0;

	list_for_each_entry(m, &t->mms, list) {
		xa_for_each(&m->regions, index, r) {
			memtis_collect_region(t, w, m, r, count, &n, most);
			cond_resched();
			if (!count && n == most)
				return n;
		}
	}
	return n;
}

/* Notes where a page is now, or what keeps it. Returns whether there is no room. */
static bool memtis_note_move(struct memtis *t, const struct memtis_move *move, bool is_fast,
			     u8 obstacle)
{
	const unsigned int page = (move->addr % PMD_SIZE) >> PAGE_SHIFT;
	struct memtis_region *r = memtis_find_region(move->m, move->addr);
	unsigned int n;

	if (obstacle == PAGE_EXCHANGE_NO_ROOM)
		t->stats.no_room++;
	else if (obstacle == PAGE_EXCHANGE_BUSY || obstacle == PAGE_EXCHANGE_UNTRIED)
		t->stats.busy++;
	if (!r)
		return obstacle == PAGE_EXCHANGE_NO_ROOM;
	n = r->is_huge ? MEMTIS_REGION_PAGES : 1;
	switch (obstacle) {
	case PAGE_EXCHANGE_NO_OBSTACLE:
		if (is_fast)
			bitmap_set(r->fast, page, n);
		else
			bitmap_clear(r->fast, page, n);
		break;
	case PAGE_EXCHANGE_FORKED:
	case PAGE_EXCHANGE_PINNED:
	case PAGE_EXCHANGE_REFUSED:
		set_bit(page, r->kept);
		t->stats.kept++;
		break;
	}
	return obstacle == PAGE_EXCHANGE_NO_ROOM;
}

/* Whether a page that is noted is a huge page, as far as is known. */
static bool memtis_move_is_huge(const struct memtis_move *move)
{
	const struct memtis_region *r = memtis_find_region(move->m, move->addr);

	return r && r->is_huge;
}

/* Takes those pages off the front of @moves that can be moved at once. */
static unsigned int memtis_next_batch(struct memtis *t, const struct memtis_move *moves,
				      unsigned int n, unsigned long *addrs, bool *is_huge)
{
	unsigned int i;

	mutex_lock(&t->lock);
	*is_huge = memtis_move_is_huge(moves);
	for (i = 0; i < min(n, BATCH) && moves[i].m == moves->m; i++) {
		if (memtis_move_is_huge(&moves[i]) != *is_huge)
			break;
		addrs[i] = moves[i].addr;
	}
	mutex_unlock(&t->lock);
	return i;
}

/*
 * Moves pages that are noted, until there is no room or @most base pages were moved: the last huge
 * page goes down as a whole, but does not go up. So many base pages of those that are free there
 * are borrowed: as many leave again. Returns how many base pages were moved.
 */
static unsigned long memtis_move_all(struct memtis *t, unsigned int n, bool up, nodemask_t *to,
				     unsigned long most, unsigned long borrow)
{
	unsigned long addrs[BATCH], moved = 0;
	u8 obstacles[BATCH];
	bool is_full = false;

	for (unsigned int i = 0, batch; i < n && !is_full && moved < most; i += batch) {
		const struct page_exchange_space space = { .mm = t->moves[i].m->mm };
		unsigned long left = most - moved;
		bool is_huge;

		batch = memtis_next_batch(t, &t->moves[i], n - i, addrs, &is_huge);
		if (is_huge)
			left = (up ? left : left + MEMTIS_REGION_PAGES - 1) / MEMTIS_REGION_PAGES;
		batch = min_t(unsigned long, batch, left);
		if (!batch)
			break;
		if (!mmget_not_zero(space.mm))
			continue;
		moved += page_exchange_migrate_borrowing(&space, addrs, obstacles, batch, is_huge,
							 to, borrow - min(borrow, moved));
		mmput_async(space.mm);
		mutex_lock(&t->lock);
		for (unsigned int k = 0; k < batch; k++)
			is_full |= memtis_note_move(t, &t->moves[i + k], up, obstacles[k]);
		mutex_unlock(&t->lock);
		cond_resched();
	}
	return moved;
}

/* Moves up to @most base pages of some bins down, the coldest first. Returns how many. */
static unsigned long memtis_demote_bins(struct memtis *t, unsigned int first, unsigned int end,
					u64 old, unsigned long most, unsigned long waiting)
{
	unsigned long moved = 0;

	for (unsigned int bin = first; bin < end && moved < most; bin++) {
		const struct memtis_wanted w = {
			.is_fast = true,
			.first = bin,
			.last = bin,
			.old = old,
		};
		const unsigned long pages = most - moved;
		unsigned int n;

		mutex_lock(&t->lock);
		n = memtis_collect(t, &w, NULL, min(pages, t->max_moves));
		mutex_unlock(&t->lock);
		moved += memtis_move_all(t, n, false, &t->slow, pages,
					 waiting - min(waiting, moved));
	}
	return moved;
}

/* How many hot base pages are in the slow tier and could be moved. */
static unsigned long memtis_waiting(struct memtis *t)
{
	struct memtis_histogram count = {};
	const struct memtis_wanted w = { .first = t->hot.hot, .last = MEMTIS_BINS - 1 };
	unsigned long n = 0;

	mutex_lock(&t->lock);
	memtis_collect(t, &w, &count, 0);
	mutex_unlock(&t->lock);
	for (unsigned int bin = 0; bin < MEMTIS_BINS; bin++)
		n += count.pages[bin];
	return n;
}

/**
 * memtis_demote() - Make room in the fast tier
 * @t:		Memtis, whose round it is.
 *
 * Return: whether so many pages were moved that it is worth it to promote others at once.
 */
bool memtis_demote(struct memtis *t)
{
	const unsigned long headroom = memtis_headroom(t), room = memtis_room(t);
	const unsigned long waiting = min_t(unsigned long, memtis_waiting(t), t->max_moves);
	const unsigned long want = waiting + headroom;
	const struct memtis_thresholds hot = t->hot;
	const u64 now = ktime_get_ns();
	unsigned long moved = 0;

	if (room < want)
		moved = memtis_demote_bins(t, 0, hot.warm, now - NEW_NS, want - room, waiting);
	/* allocations go to the slow tier soon, if nothing gives way to them */
	if (room + moved < headroom / 2)
		moved += memtis_demote_bins(t, 0, hot.hot, 0, headroom / 2 - room - moved, 0);
	t->stats.demoted += moved;
	return moved >= WORTH_A_WAKE;
}

/**
 * memtis_promote() - Promote hot pages of the slow tier, the hottest first
 * @t:		Memtis, whose round it is.
 *
 * Takes the head-room as well if the slow tier is full: nothing can be demoted otherwise.
 *
 * Return: whether so many pages were moved that it is worth it to make room again at once.
 */
bool memtis_promote(struct memtis *t)
{
	const unsigned long headroom = memtis_room_of(&t->slow) ? memtis_headroom(t) / 2 : 0;
	const unsigned int hot = t->hot.hot;
	unsigned long moved = 0;

	for (unsigned int bin = MEMTIS_BINS; bin-- > hot;) {
		const struct memtis_wanted w = { .first = bin, .last = bin };
		const unsigned long room = memtis_room(t);
		unsigned long most;
		unsigned int n;

		if (room <= headroom || moved >= t->max_moves)
			break;
		most = min(room - headroom, t->max_moves - moved);
		mutex_lock(&t->lock);
		n = memtis_collect(t, &w, NULL, most);
		mutex_unlock(&t->lock);
		moved += memtis_move_all(t, n, true, &t->fast, most, 0);
	}
	t->stats.promoted += moved;
	return moved >= WORTH_A_WAKE;
}
