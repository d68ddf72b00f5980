// SPDX-License-Identifier: GPL-2.0
/* Switches Memtis on and off, and has the threads of nodes go through their rounds. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mmzone.h>
#include <linux/sched/cputime.h>
#include <linux/slab.h>

#include "memtis.h"

/* Pages that move in a round: this part of the fast tier, within limits. */
#define MOVE_PART 4
#define MIN_MOVES 4096ul
#define MAX_MOVES 65536ul

static void memtis_wait(struct memtis *t, struct memtis_node *node)
{
	wait_event_idle_timeout(node->wait, READ_ONCE(node->is_woken) || kthread_should_stop(),
				msecs_to_jiffies(READ_ONCE(t->params.wake_ms)));
	WRITE_ONCE(node->is_woken, false);
}

/*
 * Has the threads of a tier go on before their turn, since the other one has moved pages. Where
 * memory is nearly full, little can be moved either way until the other has moved.
 */
static void memtis_wake(struct memtis *t, const nodemask_t *nodes)
{
	int nid;

	for_each_node_mask(nid, *nodes) {
		WRITE_ONCE(t->nodes[nid].is_woken, true);
		wake_up(&t->nodes[nid].wait);
	}
}

/* Sees which pages there are, and of what size they are to be, when it is time to. */
static bool memtis_observe(struct memtis *t)
{
	const u64 since = task_sched_runtime(current), now = ktime_get_ns();

	if (now - t->looked < READ_ONCE(t->params.wake_ms) * NSEC_PER_MSEC * 9 / 10)
		return false;
	t->looked = now;
	memtis_look(t);
	memtis_split_some(t);
	memtis_join_some(t);
	t->stats.scan_ns += task_sched_runtime(current) - since;
	return true;
}

/* Of a fast node */
static int memtis_fast_thread(void *arg)
{
	struct memtis_node *node = arg;
	struct memtis *t = &memtis;

	while (!kthread_should_stop()) {
		bool has_looked, has_moved;
		u64 since;

		memtis_wait(t, node);
		mutex_lock(&t->round);
		has_looked = memtis_observe(t);
		since = task_sched_runtime(current);
		has_moved = memtis_demote(t);
		t->stats.migrate_ns += task_sched_runtime(current) - since;
		mutex_unlock(&t->round);
		if (has_moved || has_looked)
			memtis_wake(t, &t->slow);
	}
	return 0;
}

/* Of a slow node */
static int memtis_slow_thread(void *arg)
{
	struct memtis_node *node = arg;
	struct memtis *t = &memtis;

	while (!kthread_should_stop()) {
		bool has_moved;
		u64 since;

		memtis_wait(t, node);
		mutex_lock(&t->round);
		since = task_sched_runtime(current);
		has_moved = memtis_promote(t);
		t->stats.migrate_ns += task_sched_runtime(current) - since;
		mutex_unlock(&t->round);
		if (has_moved)
			memtis_wake(t, &t->fast);
	}
	return 0;
}

static int memtis_start_node(struct memtis *t, int nid)
{
	struct memtis_node *node = &t->nodes[nid];
	struct task_struct *thread;

	init_waitqueue_head(&node->wait);
	node->is_woken = false;
	thread = kthread_create_on_node(node_isset(nid, t->fast) ? memtis_fast_thread
								 : memtis_slow_thread,
					node, nid, "kmemtisd/%d", nid);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	node->thread = thread;
	return 0;
}

/* Returns 0, or -ENODEV with the reason in the log. */
static int memtis_find_tiers(struct memtis *t)
{
	int nid;

	nodes_clear(t->fast);
	nodes_clear(t->slow);
	t->fast_pages = 0;
	t->pages = 0;
	for_each_node_state(nid, N_MEMORY) {
		const bool is_fast = page_exchange_node_is_fast(nid);

		if (is_fast)
			node_set(nid, t->fast);
		else
			node_set(nid, t->slow);
		t->pages += node_present_pages(nid);
		t->fast_pages += is_fast ? node_present_pages(nid) : 0;
	}
	if (!nodes_empty(t->fast) && !nodes_empty(t->slow))
		return 0;
	pr_err("needs nodes of two memory tiers; fast: %*pbl, slow: %*pbl\n",
	       nodemask_pr_args(&t->fast), nodemask_pr_args(&t->slow));
	return -ENODEV;
}

static void memtis_stop_nodes(struct memtis *t)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		if (t->nodes[nid].thread)
			kthread_stop(t->nodes[nid].thread);
		t->nodes[nid].thread = NULL;
	}
}

/* Forgets everything but the counters. */
static void memtis_clean_up(struct memtis *t)
{
	memtis_forget_all(t);
	kvfree(t->moves);
	t->moves = NULL;
}

static int memtis_start_nodes(struct memtis *t)
{
	int nid, ret = 0;

	for_each_node_state(nid, N_MEMORY)
		ret = ret ?: memtis_start_node(t, nid);
	if (ret)
		memtis_stop_nodes(t);
	return ret;
}

static int memtis_start(struct memtis *t)
{
	int nid, ret = memtis_find_tiers(t);

	if (ret)
		return ret;
	t->max_moves = clamp(t->fast_pages / MOVE_PART, MIN_MOVES, MAX_MOVES);
	t->moves = kvmalloc_array(t->max_moves, sizeof(*t->moves), GFP_KERNEL);
	if (!t->moves)
		return -ENOMEM;
	t->pid = 1;
	t->looked = 0;
	t->capacity = 0;
	t->nr_split = 0;
	t->hits = (struct memtis_hits){};
	/* nothing is hot until there are samples */
	t->hot = (struct memtis_thresholds){ .hot = MEMTIS_BINS - 1, .warm = 1 };
	t->base_hot = t->hot;
	ret = memtis_start_nodes(t);
	if (ret)
		goto clean_up;
	ret = memtis_sample_start(t);
	if (ret) {
		pr_err("there is no PMU that samples the addresses of loads (%d)\n", ret);
		memtis_stop_nodes(t);
		goto clean_up;
	}
	for (nid = 0; nid < MAX_NUMNODES; nid++)
		if (t->nodes[nid].thread)
			wake_up_process(t->nodes[nid].thread);
	return 0;
clean_up:
	memtis_clean_up(t);
	return ret;
}

static void memtis_stop(struct memtis *t)
{
	memtis_stop_nodes(t);
	memtis_sample_stop(t);
	memtis_clean_up(t);
}

/**
 * memtis_set_enabled() - Switch Memtis on or off
 * @t:		Memtis.
 * @on:		Whether it is to be on. When it goes off, pages stay where they are.
 *
 * Return: 0, -ENODEV if there are not two tiers, -ENOMEM, or an error of perf if nothing can be
 * sampled: -EBUSY if others have all counters. The log has the reason.
 */
int memtis_set_enabled(struct memtis *t, bool on)
{
	int ret = 0;

	mutex_lock(&t->control);
	if (on && !t->ksampled)
		ret = memtis_start(t);
	else if (!on && t->ksampled)
		memtis_stop(t);
	mutex_unlock(&t->control);
	return ret;
}
