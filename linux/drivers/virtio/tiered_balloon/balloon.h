/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver of the tiered balloon. Calls go from each file to those above it:
 *
 *	range.c		ranges of pages, back-off, what a configuration must be
 *	call.c		requests to the device and their answers
 *	pages.c		which pages a node's balloon holds; compaction, offlining, OOM
 *	inflate.c	takes pages out of use and gives them back
 *	statistics.c	the state of the guest
 *	report.c	reports free pages
 *	device.c	the device: events, hello, the work of its nodes; the module
 *
 * A rule that all of them keep: a page is named in an inflate request only while the work
 * of its node alone can reach it, until the device has answered. The device may give its
 * memory back at any time between. So pages are on no list then, and whoever else looks
 * for some (compaction, OOM, offlining) does not find them.
 *
 * A deflate request may come late, when the page is in use again: the device only forgets
 * that it was in the balloon. So who must not wait for the device notes the page in
 * struct tb_node.late, and the work of the node tells the device before it inflates again.
 */
#ifndef _TIERED_BALLOON_BALLOON_H
#define _TIERED_BALLOON_BALLOON_H

#include <linux/balloon_compaction.h>
#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/page_reporting.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>

#include "range.h"

/* A chunk is as large as a block of pages of one mobility: it stands in nobody's way. */
#define TB_CHUNK_ORDER pageblock_order
#define TB_CHUNK_PAGES BIT(TB_CHUNK_ORDER)

/**
 * struct tb_call - A request and its answer
 * @request:	Head; the payload lies behind it, as the device reads it.
 * @range:	Payload; in a hello it is a struct virtio_tb_hello.
 * @response:	Head of the answer,
 * @status:	with the status of each range.
 * @done:	Completed when the device has answered, or has gone.
 * @answered:	Whether it has answered.
 */
struct tb_call {
	struct virtio_tb_request request;
	struct virtio_tb_range range[VIRTIO_TB_MAX_RANGES];
	struct {
		struct virtio_tb_response response;
		u8 status[VIRTIO_TB_MAX_RANGES];
	};
	struct completion done;
	bool answered;
};

/**
 * struct tb_node - The balloon of a node
 * @tb:		The device.
 * @index:	Number of the node in the configuration.
 * @nid:	Number of the node in the guest; NUMA_NO_NODE if the guest has no such node.
 * @pages:	Pages of the node, with those in the balloon.
 * @work:	Makes the balloon as large as it is to be. What follows up to @lock is the work's.
 * @call:	Its requests.
 * @ranges:	Pages of the request that is being made.
 * @backoff:	How long to wait when there was nothing to take.
 * @lock:	Protects what follows, but @singles, which have a lock of their own that is
 *		taken inside of this one.
 * @target:	Pages that the balloon is to hold.
 * @held:	Pages that it holds, wherever they are.
 * @evacuated:	Pages moved away to make room for it.
 * @changed:	Pages taken or given back since the zones' watermarks were set.
 * @resync:	Whether the device is to be told of all pages that are held.
 * @chunks:	Chunks that are held, by struct page.lru of their first page.
 * @singles:	Single pages that are held, and can be moved by compaction.
 * @moved:	Single pages that have taken the place of others, which the device does not
 *		know yet, by struct page.lru.
 * @late:	Pages of which the device is to be told that they are in use again.
 * @told:	Those of which it is being told. This one is the work's.
 * @oom_backoff: How long to wait after the guest was out of memory.
 * @waits:	Whether it is not to be inflated before @not_before.
 * @not_before:	Time, in jiffies.
 */
struct tb_node {
	struct tiered_balloon *tb;
	unsigned int index;
	int nid;
	u64 pages;
	struct delayed_work work;
	struct tb_call *call;
	struct tb_ranges *ranges;
	struct tb_backoff backoff;
	spinlock_t lock; /* see above */
	u64 target;
	u64 held;
	u64 evacuated;
	u64 changed;
	bool resync;
	struct list_head chunks;
	struct balloon_dev_info singles;
	struct list_head moved;
	struct tb_ranges *late;
	struct tb_ranges *told;
	struct tb_backoff oom_backoff;
	bool waits;
	unsigned long not_before;
};

/**
 * struct tiered_balloon - A device
 * @vdev:	The virtio device.
 * @queues:	Its queues; NULL while it is reset.
 * @queue_lock:	Protects the queues.
 * @gone:	Set before the device is reset: then nothing is asked of it any more.
 * @ready:	Whether it has answered the first hello.
 * @capabilities: Capabilities that the driver takes.
 * @wq:		Where all work is done. It cannot be frozen: work that waits for a dead
 *		device would keep a guest from being suspended. Freezing the device ends it.
 * @hello_work:	Says hello.
 * @hello_call:	Its request.
 * @event_work:	Takes events from their queue.
 * @events:	Buffers for events, all in the queue.
 * @statistics_work: Sends statistics.
 * @statistics:	Buffer for statistics.
 * @statistics_sent: Whether it is in the queue.
 * @report_call: Request of free-page reporting.
 * @reporting:	What free-page reporting knows of the device.
 * @is_reporting: Whether it does.
 * @oom:	Is told when the guest is out of memory.
 * @memory:	Is told of memory that goes offline.
 * @nr_nodes:	Nodes of the configuration.
 * @nodes:	Their balloons.
 */
struct tiered_balloon {
	struct virtio_device *vdev;
	struct virtqueue *queues[VIRTIO_TB_NR_QUEUES];
	spinlock_t queue_lock; /* see above */
	bool gone;
	bool ready;
	u32 capabilities;
	struct workqueue_struct *wq;
	struct work_struct hello_work;
	struct tb_call *hello_call;
	struct work_struct event_work;
	struct virtio_tb_event *events;
	struct work_struct statistics_work;
	struct virtio_tb_statistics *statistics;
	bool statistics_sent;
	struct tb_call *report_call;
	struct page_reporting_dev_info reporting;
	bool is_reporting;
	struct notifier_block oom;
	struct notifier_block memory;
	unsigned int nr_nodes;
	struct tb_node nodes[VIRTIO_TB_MAX_NODES];
};

/* call.c */
int tb_call(struct tiered_balloon *tb, struct tb_call *call, unsigned int type, unsigned int node,
	    unsigned int count, size_t payload);
int tb_call_ranges(struct tb_node *node, unsigned int type, const struct tb_ranges *ranges);
void tb_calls_take_answers(struct virtqueue *vq);
void tb_calls_abandon(struct tiered_balloon *tb);

/* pages.c */
void tb_pages_init(struct tb_node *node);
void tb_pages_hold(struct tb_node *node, struct list_head *list, unsigned int order);
void tb_pages_count(struct tb_node *node, const struct list_head *list, unsigned int order);
void tb_pages_free(struct tb_node *node, struct list_head *list, unsigned int order);
u64 tb_pages_take(struct tb_node *node, struct list_head *list, unsigned int order, u64 pages);
u64 tb_pages_take_moved(struct tb_node *node, struct list_head *list);
const struct tb_ranges *tb_pages_take_late(struct tb_node *node);
bool tb_pages_keep_late(struct tb_node *node, const struct tb_ranges *told);
bool tb_pages_break_chunk(struct tb_node *node);
int tb_pages_out_of_memory(struct notifier_block *nb, unsigned long unused, void *freed);
int tb_pages_going_offline(struct notifier_block *nb, unsigned long action, void *arg);

/* inflate.c */
unsigned int tb_resize(struct tb_node *node);
void tb_give_all_back(struct tb_node *node);

/* statistics.c */
void tb_statistics_collect(struct tiered_balloon *tb, struct virtio_tb_statistics *s);

/* report.c */
int tb_report_register(struct tiered_balloon *tb);
void tb_report_unregister(struct tiered_balloon *tb);

static inline u64 tb_frame(const struct page *page)
{
	return page_to_phys(page) >> VIRTIO_TB_PAGE_SHIFT;
}

/* Lets the work of a node look at what is to be done. */
static inline void tb_wake(struct tb_node *node)
{
	if (READ_ONCE(node->tb->ready) && node->nid != NUMA_NO_NODE)
		mod_delayed_work(node->tb->wq, &node->work, 0);
}

#endif /* _TIERED_BALLOON_BALLOON_H */
