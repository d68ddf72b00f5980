/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The queues of pages that hint faults have found: candidates, which are looked at until they are
 * found accessed again, and pages pending, which are. Only logic: see queue.c.
 */
#ifndef _MM_NOMAD_QUEUE_H
#define _MM_NOMAD_QUEUE_H

#include <linux/list.h>
#include <linux/types.h>

struct mm_struct;

/* How often a candidate is looked at, at most. */
#define NOMAD_MOST_LOOKS 6u

/**
 * enum nomad_outcome - What became of a page that was looked at or moved
 * @NOMAD_GONE:	It is not there any more, or is of a kind that is not moved.
 * @NOMAD_IDLE:	It has not been accessed since the look before.
 * @NOMAD_ACCESSED: It has.
 * @NOMAD_MOVED: It has been promoted.
 * @NOMAD_BUSY:	Somebody else uses it otherwise at present.
 * @NOMAD_WRITTEN: It was written while it was copied.
 * @NOMAD_NO_ROOM: There is no free memory for it in the fast tier.
 */
enum nomad_outcome {
	NOMAD_GONE,
	NOMAD_IDLE,
	NOMAD_ACCESSED,
	NOMAD_MOVED,
	NOMAD_BUSY,
	NOMAD_WRITTEN,
	NOMAD_NO_ROOM,
};

/**
 * struct nomad_params - Parameters
 * @check_ms:	Time until a candidate is looked at first, in ms. It doubles with each look.
 * @looks:	How often a candidate is looked at, at most NOMAD_MOST_LOOKS.
 * @pending_ms:	How long a page may be pending, in ms.
 * @retries:	How often a page is tried again after its transaction was aborted.
 * @queue_pages: How many pages a slow node's queues hold.
 * @shadow_percent: Share of a slow node that shadows may take, in percent.
 */
struct nomad_params {
	unsigned int check_ms;
	unsigned int looks;
	unsigned int pending_ms;
	unsigned int retries;
	unsigned int queue_pages;
	unsigned int shadow_percent;
};

/**
 * struct nomad_page - A page in a queue
 * @list:	Its queue.
 * @mm:		Whose it is. There is a reference on the struct (mmgrab()), not on its users.
 * @addr:	Where it is mapped.
 * @pfn:	Its frame, which may hold another page by now.
 * @due:	When it is looked at next, or expires if it is pending; in ns.
 * @target:	The node where it is to go.
 * @looks:	How often it has been looked at, once more for when its accessed bit was cleared.
 * @tries:	How often a transaction was aborted.
 * @outcome:	What became of it; enum nomad_outcome.
 */
struct nomad_page {
	struct list_head list;
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long pfn;
	u64 due;
	int target;
	u8 looks;
	u8 tries;
	u8 outcome;
};

/**
 * struct nomad_queue - The queues of a slow node
 * @pages:	Memory for all pages that are queued; belongs to whoever has called
 *		nomad_queue_init().
 * @free:	Pages that are not queued.
 * @candidates:	Candidates, by how often they have been looked at; each in the order of @due.
 * @pending:	Pages pending, by the number of looks that it took until they were found accessed.
 * @nr_candidates: How many candidates there are.
 * @nr_pending:	How many pages are pending.
 */
struct nomad_queue {
	struct nomad_page *pages;
	struct list_head free;
	struct list_head candidates[NOMAD_MOST_LOOKS + 1];
	struct list_head pending[NOMAD_MOST_LOOKS];
	unsigned int nr_candidates;
	unsigned int nr_pending;
};

void nomad_queue_init(struct nomad_queue *q, struct nomad_page *pages, unsigned int n);
struct nomad_page *nomad_queue_room(struct nomad_queue *q, bool *is_displaced);
void nomad_queue_add(struct nomad_queue *q, struct nomad_page *page, u64 now);
unsigned int nomad_queue_take_due(struct nomad_queue *q, u64 now, unsigned int most,
				  struct list_head *taken);
unsigned int nomad_queue_take_pending(struct nomad_queue *q, unsigned int most,
				      struct list_head *taken);
bool nomad_queue_judge(struct nomad_queue *q, struct nomad_page *page,
		       const struct nomad_params *params, u64 now);
bool nomad_queue_tried(struct nomad_queue *q, struct nomad_page *page,
		       const struct nomad_params *params, u64 now);
void nomad_queue_release(struct nomad_queue *q, struct nomad_page *page);
struct nomad_page *nomad_queue_drain(struct nomad_queue *q);

#endif /* _MM_NOMAD_QUEUE_H */
