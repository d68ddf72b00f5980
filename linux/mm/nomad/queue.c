// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of pages that hint faults have found.
 *
 * A page that was accessed once need not be hot. So it is a candidate first: its accessed bit is
 * cleared, and it is looked at after an interval that doubles with each look. When it is found
 * accessed, it is pending, and those that were found so after fewer looks are moved first. A
 * candidate that was never found accessed expires, as does a page that could not be moved in time.
 *
 * The candidates that have been looked at equally often wait equally long, so that each of their
 * lists is in the order in which they are due, and no list is searched.
 *
 * There are no locks here, and mms are not looked into. Whoever gets a page from here that leaves
 * the queues drops the reference on its mm.
 */
#include <linux/array_size.h>
#include <linux/minmax.h>
#include <linux/time64.h>

#include "queue.h"

/**
 * nomad_queue_init() - Make queues that are empty
 * @q:		The queues.
 * @pages:	Memory for as many pages as they hold.
 * @n:		How many these are. Without any, nothing can be queued.
 */
void nomad_queue_init(struct nomad_queue *q, struct nomad_page *pages, unsigned int n)
{
	q->pages = pages;
	q->nr_candidates = 0;
	q->nr_pending = 0;
	INIT_LIST_HEAD(&q->free);
	for (unsigned int i = 0; i < ARRAY_SIZE(q->candidates); i++)
		INIT_LIST_HEAD(&q->candidates[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(q->pending); i++)
		INIT_LIST_HEAD(&q->pending[i]);
	for (unsigned int i = 0; i < n; i++)
		list_add_tail(&pages[i].list, &q->free);
}

static struct nomad_page *nomad_queue_first(struct list_head *list)
{
	return list_first_entry_or_null(list, struct nomad_page, list);
}

/* Takes the first page of the last list that has any. */
static struct nomad_page *nomad_queue_last(struct list_head *lists, unsigned int n)
{
	while (n--) {
		struct nomad_page *page = nomad_queue_first(&lists[n]);

		if (page)
			return page;
	}
	return NULL;
}

/*
 * Takes the oldest page of the last rank, or the candidate that has been idle for the longest:
 * whichever queue is longer, so that candidates are looked at even if nothing can be promoted.
 */
static struct nomad_page *nomad_queue_displace(struct nomad_queue *q)
{
	struct nomad_page *page;

	if (q->nr_pending >= q->nr_candidates) {
		page = nomad_queue_last(q->pending, ARRAY_SIZE(q->pending));
		q->nr_pending -= !!page;
	} else {
		page = nomad_queue_last(q->candidates, ARRAY_SIZE(q->candidates));
		q->nr_candidates -= !!page;
	}
	return page;
}

/**
 * nomad_queue_room() - Make room for a candidate
 * @q:		The queues.
 * @is_displaced: Gets whether the room is that of a page that was queued. Its mm is still there.
 *
 * Return: the room, to be filled in and handed to nomad_queue_add(); NULL: there is none.
 */
struct nomad_page *nomad_queue_room(struct nomad_queue *q, bool *is_displaced)
{
	struct nomad_page *page = nomad_queue_first(&q->free);

	*is_displaced = false;
	if (!page) {
		page = nomad_queue_displace(q);
		*is_displaced = page;
	}
	if (page)
		list_del(&page->list);
	return page;
}

/**
 * nomad_queue_add() - Queue a candidate
 * @q:		The queues.
 * @page:	From nomad_queue_room(), with mm, address, frame and target.
 * @now:	The time in ns.
 */
void nomad_queue_add(struct nomad_queue *q, struct nomad_page *page, u64 now)
{
	page->looks = 0;
	page->tries = 0;
	page->due = now;
	list_add_tail(&page->list, &q->candidates[0]);
	q->nr_candidates++;
}

/**
 * nomad_queue_take_due() - Take candidates that are to be looked at
 * @q:		The queues.
 * @now:	The time in ns.
 * @most:	How many to take.
 * @taken:	Gets them. Each is to be handed to nomad_queue_judge() with its outcome.
 *
 * Return: how many were taken.
 */
unsigned int nomad_queue_take_due(struct nomad_queue *q, u64 now, unsigned int most,
				  struct list_head *taken)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(q->candidates); i++) {
		struct nomad_page *page;

		while (n < most && (page = nomad_queue_first(&q->candidates[i])) &&
		       page->due <= now) {
			list_move_tail(&page->list, taken);
			n++;
		}
	}
	q->nr_candidates -= n;
	return n;
}

/**
 * nomad_queue_take_pending() - Take pages that are to be moved, the hottest first
 * @q:		The queues.
 * @most:	How many to take.
 * @taken:	Gets them. Each is to be handed to nomad_queue_tried() with its outcome.
 *
 * Return: how many were taken.
 */
unsigned int nomad_queue_take_pending(struct nomad_queue *q, unsigned int most,
				      struct list_head *taken)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(q->pending); i++) {
		struct nomad_page *page;

		while (n < most && (page = nomad_queue_first(&q->pending[i]))) {
			list_move_tail(&page->list, taken);
			n++;
		}
	}
	q->nr_pending -= n;
	return n;
}

static u64 nomad_queue_ms(unsigned int ms)
{
	return ms * (u64)NSEC_PER_MSEC;
}

/* Its rank is the number of the look that found it accessed. */
static void nomad_queue_make_pending(struct nomad_queue *q, struct nomad_page *page)
{
	const unsigned int rank = min_t(unsigned int, page->looks - 1, NOMAD_MOST_LOOKS - 1);

	list_move_tail(&page->list, &q->pending[rank]);
	q->nr_pending++;
}

/**
 * nomad_queue_judge() - Decide what becomes of a candidate that was looked at
 * @q:		The queues.
 * @page:	The candidate with its outcome.
 * @params:	Parameters.
 * @now:	The time in ns.
 *
 * At the first time it is only prepared to be looked at: somebody has accessed it just now.
 *
 * Return: whether it stays queued. Otherwise it is to be released.
 */
bool nomad_queue_judge(struct nomad_queue *q, struct nomad_page *page,
		       const struct nomad_params *params, u64 now)
{
	if (page->outcome == NOMAD_GONE)
		return false;
	if (page->looks && page->outcome == NOMAD_ACCESSED) {
		page->due = now + nomad_queue_ms(params->pending_ms);
		nomad_queue_make_pending(q, page);
		return true;
	}
	if (page->looks >= min(params->looks, NOMAD_MOST_LOOKS))
		return false;
	page->due = now + (nomad_queue_ms(params->check_ms) << page->looks);
	page->looks++;
	list_move_tail(&page->list, &q->candidates[page->looks]);
	q->nr_candidates++;
	return true;
}

/**
 * nomad_queue_tried() - Decide what becomes of a page that was to be moved
 * @q:		The queues.
 * @page:	The page with its outcome.
 * @params:	Parameters.
 * @now:	The time in ns.
 *
 * Return: whether it stays pending. Otherwise it is to be released.
 */
bool nomad_queue_tried(struct nomad_queue *q, struct nomad_page *page,
		       const struct nomad_params *params, u64 now)
{
	if (page->outcome == NOMAD_MOVED || page->outcome == NOMAD_GONE || page->due <= now)
		return false;
	if (page->outcome != NOMAD_NO_ROOM && page->tries++ >= params->retries)
		return false;
	nomad_queue_make_pending(q, page);
	return true;
}

/**
 * nomad_queue_release() - Give back a page that leaves the queues
 * @q:		The queues.
 * @page:	The page, in no queue.
 */
void nomad_queue_release(struct nomad_queue *q, struct nomad_page *page)
{
	page->mm = NULL;
	list_move(&page->list, &q->free);
}

/**
 * nomad_queue_drain() - Take any page that is queued
 * @q:		The queues.
 *
 * Return: the page, to be released; NULL: none is queued any more.
 */
struct nomad_page *nomad_queue_drain(struct nomad_queue *q)
{
	return nomad_queue_displace(q);
}
