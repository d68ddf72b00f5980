// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out which nodes make up the tiers, and in which tier the pages of each target are,
 * which is kept in granules of 2 MiB.
 *
 * Page tables are looked at where samples show that something has changed, or pages that were
 * to be moved are gone; where a process has got more memory; and everywhere else in turns.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "demeter.h"

/* Steps of page_exchange_scan() in one hold of the mmap lock. */
#define HOLD_STEPS 512
/* Files that are remembered in one hold of it. */
#define HOLD_FILES 64
/*
 * Steps in an epoch for memory whose turn it is, for processes that are new or have grown, all
 * of them and each, for those of which reclaim may have moved pages, and for what was asked for.
 */
#define TURN_STEPS	256
#define NEW_STEPS	32768
#define GROWN_STEPS	(NEW_STEPS / 4)
#define RECLAIMED_STEPS GROWN_STEPS
#define ASKED_STEPS	4096
/* What a process costs whose memory is looked at, however little that is. */
#define TARGET_STEPS 4
/* Part of a process's memory by which it must have grown to be looked at before its turn. */
#define GROWN_PART  16
#define GROWN_PAGES 64
/* Part of a process's memory that reclaim must have moved for that. */
#define RECLAIMED_PART 64
/* Threads whose faults are counted. */
#define FAULT_THREADS 64
/* Where samples come from that is not known, so much around it is looked at. */
#define AROUND_SIZE SZ_128M
/* So many parts of a target can be asked for in an epoch. */
#define TARGET_ASKED 16
/* So often files are sought that were lost, before they are forgotten. */
#define SEEK_EPOCHS (DEMETER_LOST_EPOCHS / 2)
/* Areas of an address space that are further apart are covered by separate ranges. */
#define AREA_GAP SZ_1G

/**
 * struct demeter_scan - A scan of a part of a target
 * @scan:	The scan of its page tables.
 * @target:	The target.
 * @area_start:	First address of an area whose ranges are not made yet.
 * @area_end:	Address behind that area; 0 if there is none.
 * @nr_files:	How many of @files there are.
 * @files:	Files that were found and are not managed yet.
 */
struct demeter_scan {
	struct page_exchange_scan scan;
	struct demeter_target *target;
	unsigned long area_start;
	unsigned long area_end;
	unsigned int nr_files;
	struct demeter_file files[HOLD_FILES];
};

/* Takes the nodes of each tier from the kernel's memory tiers. */
static void demeter_scan_look_up_tiers(nodemask_t *fast, nodemask_t *slow)
{
	int nid;

	nodes_clear(*fast);
	nodes_clear(*slow);
	for_each_node_state(nid, N_MEMORY) {
		if (page_exchange_node_is_fast(nid))
			node_set(nid, *fast);
		else
			node_set(nid, *slow);
	}
}

/**
 * demeter_scan_find_tiers() - Find the nodes of the tiers, unless users have named them
 * @ctx:	The context, of which the nodes are set.
 *
 * Return: 0, -ENODEV with the reason in the log if there are not two tiers.
 */
int demeter_scan_find_tiers(struct demeter_ctx *ctx)
{
	nodemask_t *fast = &ctx->fast_nodes, *slow = &ctx->slow_nodes;

	if (!ctx->nodes_are_named)
		demeter_scan_look_up_tiers(fast, slow);
	if (nodes_empty(*fast) || nodes_empty(*slow) || nodes_intersects(*fast, *slow)) {
		pr_err("needs nodes of two memory tiers; fast: %*pbl, slow: %*pbl\n",
		       nodemask_pr_args(fast), nodemask_pr_args(slow));
		return -ENODEV;
	}
	return 0;
}

/**
 * demeter_scan_again() - Have all memory looked at as if it was new
 * @ctx:	The context, of whose targets others have moved pages.
 */
void demeter_scan_again(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list) {
		t->scan_from = 0;
		t->is_scanned = false;
		demeter_update_wake(t);
	}
}

/**
 * demeter_scan_follow_tiers() - Notice nodes that have come or gone
 * @ctx:	The context. Its nodes stay as they are if there are not two tiers any more.
 */
void demeter_scan_follow_tiers(struct demeter_ctx *ctx)
{
	nodemask_t fast, slow;

	if (ctx->nodes_are_named)
		return;
	demeter_scan_look_up_tiers(&fast, &slow);
	if (nodes_empty(fast) || nodes_empty(slow) ||
	    (nodes_equal(fast, ctx->fast_nodes) && nodes_equal(slow, ctx->slow_nodes)))
		return;
	ctx->fast_nodes = fast;
	ctx->slow_nodes = slow;
	demeter_scan_again(ctx);
	pr_info("memory tiers have changed; fast: %*pbl, slow: %*pbl\n", nodemask_pr_args(&fast),
		nodemask_pr_args(&slow));
}

/* Covers the area by ranges. */
static void demeter_scan_cover(struct demeter_scan *s)
{
	if (!s->area_end)
		return;
	mutex_lock(&s->target->lock);
	demeter_ranges_cover(&s->target->ranges, s->area_start, s->area_end);
	mutex_unlock(&s->target->lock);
	s->area_end = 0;
}

/* Called for each 2 MiB in which something is mapped that could be moved. */
static void demeter_scan_found(struct page_exchange_scan *scan)
{
	struct demeter_scan *s = container_of(scan, struct demeter_scan, scan);
	struct demeter_target *t = s->target;
	struct demeter_granule *g = xa_load(&t->granules, scan->at / GRANULE_SIZE);

	if (!g)
		g = demeter_granule_make(t, scan->at);
	/* without memory it stays unmanaged this time */
	if (!g)
		return;
	if (scan->left)
		demeter_unmanaged_stuck(g);
	g->scan = t->scan;
	if (!s->area_end || scan->at > s->area_end + AREA_GAP) {
		demeter_scan_cover(s);
		s->area_start = scan->at;
	}
	s->area_end = scan->at + GRANULE_SIZE;
	if (g->huge == scan->huge && bitmap_equal(g->present, scan->present, GRANULE_PAGES) &&
	    bitmap_equal(g->fast, scan->fast, GRANULE_PAGES))
		return;
	demeter_update_open(g);
	g->huge = scan->huge;
	demeter_granule_place(g, scan->present, scan->fast);
}

/* Called for each area of a process that maps a file, or memory that is shared. */
static void demeter_scan_file(struct page_exchange_scan *scan, struct file *file,
			      unsigned long window)
{
	struct demeter_scan *s = container_of(scan, struct demeter_scan, scan);
	struct demeter_target *known = demeter_target_of_file(s->target->ctx, file->f_mapping);
	struct demeter_file *f = &s->files[s->nr_files];

	if (known && known->via) {
		if (known->via == s->target)
			known->space.window = window;
		return;
	}
	if (s->nr_files && f[-1].mapping == file->f_mapping)
		return;
	if (!known && !demeter_target_may_add_file(s->target))
		return;
	if (s->nr_files == HOLD_FILES) {
		s->target->has_missed = true;
		return;
	}
	f->mapping = file->f_mapping;
	f->window = window;
	scnprintf(f->name, sizeof(f->name), "%pD", file);
	s->nr_files++;
}

/* Manages the files that were found while the mmap lock was held. */
static void demeter_scan_add_files(struct demeter_scan *s)
{
	for (unsigned int i = 0; i < s->nr_files; i++)
		demeter_target_add_file(s->target->ctx, s->target, &s->files[i]);
	s->nr_files = 0;
}

/* Called for files whose pages are found in physical memory. */
static bool demeter_scan_is_known(struct page_exchange_scan *scan,
				  const struct address_space *mapping)
{
	struct demeter_scan *s = container_of(scan, struct demeter_scan, scan);

	return demeter_target_of_file(s->target->ctx, mapping);
}

/* Frees the granules of a part that the scan of it has not met. */
static void demeter_scan_forget_unmet(struct demeter_target *t, unsigned long start,
				      unsigned long end)
{
	struct demeter_granule *g;
	unsigned long index;

	if (start == end)
		return;
	xa_for_each_range(&t->granules, index, g, start / GRANULE_SIZE, (end - 1) / GRANULE_SIZE)
		if (g->scan != t->scan) {
			demeter_update_forget(g);
			cond_resched();
		}
}

/* Sees what the memory cgroup is that a process is charged to, and what it is promised. */
static void demeter_scan_look_at_cgroup(struct demeter_target *t)
{
	const bool is_protected = page_exchange_owner_is_protected(t->space.mm);

	if (is_protected != t->is_protected)
		demeter_update_all_of(t);
	t->is_protected = is_protected;
	t->cgroup = page_exchange_owner_cgroup(t->space.mm);
}

/*
 * Scans addresses of a target, from *@start on, which becomes where to go on. Takes its steps
 * from *@steps. Returns whether the end was reached, or there is no point in going on.
 */
static bool demeter_scan_part(struct demeter_scan *s, struct demeter_target *t,
			      unsigned long *start, unsigned long end, unsigned int *steps)
{
	const unsigned long from = *start;
	int ret;

	*steps -= min(*steps, TARGET_STEPS);
	if (!demeter_target_get(t))
		return true;
	if (t->kind == DEMETER_PROCESS)
		demeter_scan_look_at_cgroup(t);
	s->target = t;
	t->scan++;
	do {
		const unsigned int most = min(*steps, HOLD_STEPS);

		s->scan.steps = most;
		ret = page_exchange_scan(&t->space, *start, end, &s->scan);
		*steps -= most - s->scan.steps;
		demeter_scan_add_files(s);
		if (ret >= 0)
			*start = ret ? s->scan.next : end;
	} while (ret > 0 && *steps);
	demeter_target_put(t);
	demeter_scan_cover(s);
	if (ret == -ESTALE)
		demeter_target_lose(t);
	/* a policy has come that keeps all pages where they are */
	if (ret == -EPERM) {
		demeter_scan_forget(t);
		demeter_unmanaged_begin(t);
		*start = end;
	} else {
		demeter_scan_forget_unmet(t, from, *start);
	}
	return ret <= 0;
}

/* Faults that the threads of a process have had, about: of the first few threads. */
static u64 demeter_scan_faults(const struct demeter_target *t)
{
	struct task_struct *task, *thread;
	unsigned int n = 0;
	u64 faults = 0;

	if (t->kind != DEMETER_PROCESS)
		return 0;
	rcu_read_lock();
	task = pid_task(t->thread, PIDTYPE_PID);
	if (task) {
		faults = READ_ONCE(task->signal->min_flt);
		for_each_thread(task, thread) {
			faults += READ_ONCE(thread->min_flt);
			if (++n == FAULT_THREADS)
				break;
		}
	}
	rcu_read_unlock();
	return faults;
}

/* Scans a target from where its last turn ended. Returns whether its turn is over. */
static bool demeter_scan_turn(struct demeter_scan *s, struct demeter_target *t, unsigned int *steps)
{
	const unsigned long end = demeter_target_end(t);
	bool is_over;

	if (!t->is_reached)
		return true;
	if (!t->scan_from) {
		t->has_missed = false;
		t->turn_pages = page_exchange_resident(&t->space);
		t->turn_faults = demeter_scan_faults(t);
		t->turn_reclaimed = page_exchange_reclaimed();
		demeter_unmanaged_begin(t);
	}
	s->scan.left = t->unmanaged.turn.areas;
	is_over = demeter_scan_part(s, t, &t->scan_from, end, steps);
	/* otherwise it is changing its memory right now, and goes on later */
	if (is_over && t->scan_from >= end) {
		t->known_pages = t->turn_pages;
		t->known_faults = t->turn_faults;
		t->known_reclaimed = t->turn_reclaimed;
		t->scan_from = 0;
		/* otherwise it is looked at again at once, for the files that were too many */
		t->is_scanned = !t->has_missed;
		demeter_unmanaged_end(t, &s->scan);
	}
	s->scan.left = NULL;
	return is_over;
}

/*
 * Whether a target is new, or has much more or much less memory than when it was its turn, or as
 * much, but other memory: what was freed and allocated again may be in another tier, at the same
 * address.
 */
static bool demeter_scan_has_changed(const struct demeter_target *t)
{
	const unsigned long now = page_exchange_resident(&t->space), known = t->known_pages;
	const unsigned long most = max(now, known), least = min(now, known);

	return !t->is_scanned || most > least + least / GROWN_PART + GROWN_PAGES ||
	       demeter_scan_faults(t) > t->known_faults + least / GROWN_PART + GROWN_PAGES;
}

/* Whether reclaim has moved so much since a target's turn that it matters if all was of it. */
static bool demeter_scan_was_reclaimed(const struct demeter_target *t)
{
	return page_exchange_reclaimed() - t->known_reclaimed >
	       t->known_pages / RECLAIMED_PART + GROWN_PAGES;
}

/* Has processes looked at in which files may be mapped that were lost, now and then. */
static void demeter_scan_seek(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	if (!ctx->targets.has_lost || ctx->stats.epochs % SEEK_EPOCHS)
		return;
	ctx->targets.has_lost = false;
	list_for_each_entry(t, &ctx->targets.awake, awake)
		if (t->kind == DEMETER_PROCESS)
			t->is_scanned = false;
}

/* Scans targets for which there is a reason. Those that were scanned go to the end. */
static void demeter_scan_those(struct demeter_ctx *ctx, struct demeter_scan *s, unsigned int steps,
			       bool (*is_due)(const struct demeter_target *t))
{
	struct demeter_target *t, *next;
	LIST_HEAD(later);

	list_for_each_entry_safe(t, next, &ctx->targets.awake, awake) {
		unsigned int most = min(steps, GROWN_STEPS);

		if (!steps)
			break;
		if (t->kind == DEMETER_FRAMES || !t->is_reached || !is_due(t))
			continue;
		steps -= most;
		demeter_scan_turn(s, t, &most);
		steps += most;
		list_move_tail(&t->awake, &later);
	}
	list_splice_tail(&later, &ctx->targets.awake);
}

/* Scans targets that are new or have changed, and then those that reclaim may have touched. */
static void demeter_scan_new(struct demeter_ctx *ctx, struct demeter_scan *s)
{
	struct demeter_target *frames = ctx->targets.frames;
	unsigned int steps = GROWN_STEPS;

	demeter_scan_those(ctx, s, NEW_STEPS, demeter_scan_has_changed);
	demeter_scan_those(ctx, s, RECLAIMED_STEPS, demeter_scan_was_reclaimed);
	/* what is in files that were found just now is found there, and not here */
	if (demeter_scan_has_changed(frames))
		demeter_scan_turn(s, frames, &steps);
}

/* Scans what was asked for. What there are no steps for is scanned in a later epoch. */
static void demeter_scan_asked_for(struct demeter_ctx *ctx, struct demeter_scan *s)
{
	/* physical memory takes so many that there would be none for others */
	unsigned int of_frames = ASKED_STEPS, of_others = ASKED_STEPS;

	for (unsigned int n = ctx->nr_asked; n && ctx->nr_asked; n--) {
		struct demeter_asked asked = ctx->asked[0];
		unsigned int *steps = asked.target->kind == DEMETER_FRAMES ? &of_frames
									   : &of_others;

		/* a policy may have all be forgotten that was asked for of a target */
		ctx->nr_asked--;
		memmove(ctx->asked, ctx->asked + 1, ctx->nr_asked * sizeof(asked));
		if (!*steps || !demeter_scan_part(s, asked.target, &asked.start, asked.end, steps))
			ctx->asked[ctx->nr_asked++] = asked;
	}
}

/**
 * demeter_scan_targets() - See where pages of targets are that may have changed
 * @ctx:	The context.
 *
 * A target whose process is changing its memory right now keeps the granules that it has.
 */
void demeter_scan_targets(struct demeter_ctx *ctx)
{
	struct demeter_scan *s = kmalloc(sizeof(*s), GFP_KERNEL | __GFP_NOWARN);
	unsigned int steps = TURN_STEPS;

	if (!s)
		return;
	s->area_end = 0;
	s->nr_files = 0;
	s->scan.left = NULL;
	s->scan.found = demeter_scan_found;
	s->scan.file = demeter_scan_file;
	s->scan.is_known = demeter_scan_is_known;
	s->scan.fast_nodes = &ctx->fast_nodes;
	s->scan.slow_nodes = &ctx->slow_nodes;
	demeter_scan_asked_for(ctx, s);
	demeter_scan_seek(ctx);
	demeter_scan_new(ctx, s);
	for (unsigned int i = 0; steps && i < ctx->targets.nr; i++) {
		struct demeter_target *t = demeter_update_turn(ctx, &ctx->scan_turn);

		if (t->kind == DEMETER_FRAMES || demeter_scan_turn(s, t, &steps))
			demeter_update_pass_turn(ctx, &ctx->scan_turn);
	}
	/* the others would wait long for physical memory, whose turns take that */
	steps = TURN_STEPS;
	demeter_scan_turn(s, ctx->targets.frames, &steps);
	kfree(s);
}

static void demeter_scan_ask(struct demeter_target *t, unsigned long start, unsigned long end)
{
	struct demeter_ctx *ctx = t->ctx;

	unsigned int asked = 0;

	for (unsigned int i = 0; i < ctx->nr_asked; i++) {
		if (ctx->asked[i].target != t)
			continue;
		if (ctx->asked[i].start == start || ++asked == TARGET_ASKED)
			return;
	}
	if (ctx->nr_asked == DEMETER_MAX_ASKED)
		return;
	ctx->asked[ctx->nr_asked++] = (struct demeter_asked){
		.target = t,
		.start = start,
		.end = end,
	};
}

/**
 * demeter_scan_ask_around() - Have memory looked at that is not what it seemed
 * @t:		The target.
 * @addr:	A user address in that memory.
 */
void demeter_scan_ask_around(struct demeter_target *t, unsigned long addr)
{
	const unsigned long start = round_down(addr, AROUND_SIZE);

	demeter_scan_ask(t, start, min(start + AROUND_SIZE, demeter_target_end(t)));
}

/**
 * demeter_scan_forget() - Free the granules of a target
 * @t:		The target.
 */
void demeter_scan_forget(struct demeter_target *t)
{
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_granule *g;
	unsigned long index;
	unsigned int kept = 0;

	xa_for_each(&t->granules, index, g) {
		demeter_update_forget(g);
		cond_resched();
	}
	for (unsigned int i = 0; i < ctx->nr_asked; i++)
		if (ctx->asked[i].target != t)
			ctx->asked[kept++] = ctx->asked[i];
	ctx->nr_asked = kept;
}
