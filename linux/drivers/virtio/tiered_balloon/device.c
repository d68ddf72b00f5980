// SPDX-License-Identifier: GPL-2.0
/*
 * The tiered balloon: lets a hypervisor say how much memory of each node a guest has, page
 * by page. What driver and device say to each other is in virtio_tiered_balloon.h; see
 * Documentation/driver-api/tiered-balloon.rst.
 */
#include <linux/acpi.h>
#include <linux/delay.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>

#include "balloon.h"

/* Buffers for events. A device that has more to tell waits for the next. */
#define TB_EVENTS 32
/* How long the device may take to hear that all memory is used again, when it goes. */
#define TB_FAREWELL (5 * HZ)

static void tb_node_work(struct work_struct *work)
{
	struct tb_node *node = container_of(to_delayed_work(work), struct tb_node, work);
	const unsigned int again = tb_resize(node);

	if (again)
		queue_delayed_work(node->tb->wq, &node->work, msecs_to_jiffies(again));
}

static void tb_set_target(struct tb_node *node, u64 target)
{
	target = min(target, node->pages);
	spin_lock(&node->lock);
	if (target != node->target) {
		/* a new wish is a new beginning */
		node->target = target;
		node->waits = false;
		tb_backoff_reset(&node->oom_backoff);
	}
	spin_unlock(&node->lock);
	tb_wake(node);
}

static void tb_deflate_all(struct tiered_balloon *tb)
{
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		tb_set_target(&tb->nodes[i], 0);
}

static void tb_hello_work(struct work_struct *work)
{
	struct tiered_balloon *tb = container_of(work, struct tiered_balloon, hello_work);
	struct tb_call *call = tb->hello_call;
	struct virtio_tb_hello *hello = (void *)call->range;
	u32 status;

	hello->version = cpu_to_le32(VIRTIO_TB_VERSION);
	hello->capabilities = cpu_to_le32(tb->capabilities);
	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		spin_lock(&tb->nodes[i].lock);
		hello->ballooned[i] = cpu_to_le64(tb->nodes[i].held);
		spin_unlock(&tb->nodes[i].lock);
	}
	if (tb_call(tb, call, VIRTIO_TB_HELLO, 0, tb->nr_nodes,
		    struct_size(hello, ballooned, tb->nr_nodes)))
		return;
	status = le32_to_cpu(call->response.status);
	if (status != VIRTIO_TB_OK && status != VIRTIO_TB_RESYNC) {
		dev_err(&tb->vdev->dev, "the device refuses this driver: status %u\n", status);
		return;
	}
	for (unsigned int i = 0; status == VIRTIO_TB_RESYNC && i < tb->nr_nodes; i++) {
		spin_lock(&tb->nodes[i].lock);
		tb->nodes[i].resync = true;
		spin_unlock(&tb->nodes[i].lock);
	}
	WRITE_ONCE(tb->ready, true);
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		tb_wake(&tb->nodes[i]);
	if (tb_report_register(tb))
		dev_warn(&tb->vdev->dev, "cannot report free pages\n");
}

static void tb_statistics_work(struct work_struct *work)
{
	struct tiered_balloon *tb = container_of(work, struct tiered_balloon, statistics_work);
	struct scatterlist sg;

	spin_lock_irq(&tb->queue_lock);
	if (tb->statistics_sent || tb->gone) {
		spin_unlock_irq(&tb->queue_lock);
		return;
	}
	tb->statistics_sent = true;
	spin_unlock_irq(&tb->queue_lock);

	tb_statistics_collect(tb, tb->statistics);
	sg_init_one(&sg, tb->statistics, struct_size(tb->statistics, node, tb->nr_nodes));

	spin_lock_irq(&tb->queue_lock);
	if (tb->gone || virtqueue_add_outbuf(tb->queues[VIRTIO_TB_STATISTICS], &sg, 1,
					     tb->statistics, GFP_ATOMIC))
		tb->statistics_sent = false;
	else
		virtqueue_kick(tb->queues[VIRTIO_TB_STATISTICS]);
	spin_unlock_irq(&tb->queue_lock);
}

static void tb_statistics_taken(struct virtqueue *vq)
{
	struct tiered_balloon *tb = vq->vdev->priv;
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&tb->queue_lock, flags);
	while (virtqueue_get_buf(vq, &len))
		tb->statistics_sent = false;
	spin_unlock_irqrestore(&tb->queue_lock, flags);
}

static void tb_handle_event(struct tiered_balloon *tb, const struct virtio_tb_event *event)
{
	const u16 node = le16_to_cpu(event->node);

	switch (le16_to_cpu(event->type)) {
	case VIRTIO_TB_EVENT_TARGET:
		if (node < tb->nr_nodes)
			tb_set_target(&tb->nodes[node], le64_to_cpu(event->value));
		break;
	case VIRTIO_TB_EVENT_STATISTICS:
		if (tb->capabilities & VIRTIO_TB_CAP_STATISTICS)
			queue_work(tb->wq, &tb->statistics_work);
		break;
	case VIRTIO_TB_EVENT_DEFLATE:
		tb_deflate_all(tb);
		break;
	case VIRTIO_TB_EVENT_HELLO:
		queue_work(tb->wq, &tb->hello_work);
		break;
	}
}

/* Lets the device use the buffer of an event once more. */
static void tb_post_event(struct tiered_balloon *tb, struct virtio_tb_event *event)
{
	struct scatterlist sg;

	lockdep_assert_held(&tb->queue_lock);
	sg_init_one(&sg, event, sizeof(*event));
	virtqueue_add_inbuf(tb->queues[VIRTIO_TB_EVENTS], &sg, 1, event, GFP_ATOMIC);
}

static void tb_event_work(struct work_struct *work)
{
	struct tiered_balloon *tb = container_of(work, struct tiered_balloon, event_work);
	struct virtio_tb_event *buffer;
	unsigned int len;

	for (;;) {
		struct virtio_tb_event event;

		spin_lock_irq(&tb->queue_lock);
		buffer = tb->gone ? NULL : virtqueue_get_buf(tb->queues[VIRTIO_TB_EVENTS], &len);
		if (buffer) {
			event = *buffer;
			tb_post_event(tb, buffer);
			virtqueue_kick(tb->queues[VIRTIO_TB_EVENTS]);
		}
		spin_unlock_irq(&tb->queue_lock);
		if (!buffer)
			return;
		if (len >= sizeof(event))
			tb_handle_event(tb, &event);
		/* a device may have no end of them */
		cond_resched();
	}
}

static void tb_events_arrived(struct virtqueue *vq)
{
	struct tiered_balloon *tb = vq->vdev->priv;

	queue_work(tb->wq, &tb->event_work);
}

/* Finds the queues and says hello. Until the device answers nothing happens. */
static int tb_start(struct tiered_balloon *tb)
{
	struct virtqueue_info infos[VIRTIO_TB_NR_QUEUES] = {
		[VIRTIO_TB_REQUESTS] = { "requests", tb_calls_take_answers },
		[VIRTIO_TB_EVENTS] = { "events", tb_events_arrived },
		[VIRTIO_TB_STATISTICS] = { "statistics", tb_statistics_taken },
	};
	unsigned int buffers;
	int ret;

	ret = virtio_find_vqs(tb->vdev, VIRTIO_TB_NR_QUEUES, tb->queues, infos, NULL);
	if (ret)
		return ret;
	/* a request is two buffers */
	if (virtqueue_get_vring_size(tb->queues[VIRTIO_TB_REQUESTS]) < 2) {
		dev_err(&tb->vdev->dev, "its queue of requests holds less than one\n");
		tb->vdev->config->del_vqs(tb->vdev);
		return -EINVAL;
	}
	virtio_device_ready(tb->vdev);
	spin_lock_irq(&tb->queue_lock);
	tb->gone = false;
	tb->statistics_sent = false;
	buffers = min(virtqueue_get_vring_size(tb->queues[VIRTIO_TB_EVENTS]), TB_EVENTS);
	for (unsigned int i = 0; i < buffers; i++)
		tb_post_event(tb, &tb->events[i]);
	virtqueue_kick(tb->queues[VIRTIO_TB_EVENTS]);
	spin_unlock_irq(&tb->queue_lock);
	queue_work(tb->wq, &tb->hello_work);
	return 0;
}

static bool tb_is_empty(struct tiered_balloon *tb)
{
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		if (READ_ONCE(tb->nodes[i].held))
			return false;
	return true;
}

/* Gives all memory back. Tells the device, unless that does not listen. */
static void tb_stop(struct tiered_balloon *tb)
{
	const unsigned long end = jiffies + TB_FAREWELL;

	/* it could not be started again */
	if (READ_ONCE(tb->gone))
		return;
	tb_deflate_all(tb);
	while (READ_ONCE(tb->ready) && !tb_is_empty(tb) && time_before(jiffies, end)) {
		msleep(20);
		/* the device may have asked for other sizes meanwhile */
		tb_deflate_all(tb);
	}
	spin_lock_irq(&tb->queue_lock);
	WRITE_ONCE(tb->gone, true);
	spin_unlock_irq(&tb->queue_lock);
	/* from here on nothing is written or given back that was asked for */
	virtio_reset_device(tb->vdev);
	tb_calls_abandon(tb);
	tb_report_unregister(tb);
	cancel_work_sync(&tb->event_work);
	cancel_work_sync(&tb->hello_work);
	/* hello may have been about to register it */
	tb_report_unregister(tb);
	cancel_work_sync(&tb->statistics_work);
	WRITE_ONCE(tb->ready, false);
	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		cancel_delayed_work_sync(&tb->nodes[i].work);
		tb_give_all_back(&tb->nodes[i]);
	}
	tb->vdev->config->del_vqs(tb->vdev);
}

static void tb_free(struct tiered_balloon *tb)
{
	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		kfree(tb->nodes[i].call);
		kfree(tb->nodes[i].ranges);
		kfree(tb->nodes[i].late);
		kfree(tb->nodes[i].told);
	}
	if (tb->wq)
		destroy_workqueue(tb->wq);
	kfree(tb->hello_call);
	kfree(tb->report_call);
	kfree(tb->events);
	kfree(tb->statistics);
	kfree(tb);
}

static int tb_init_node(struct tiered_balloon *tb, unsigned int i,
			const struct virtio_tb_config_node *config)
{
	const int nid = pxm_to_node(le32_to_cpu(config->pxm));
	struct tb_node *node = &tb->nodes[i];

	node->tb = tb;
	node->index = i;
	node->nid = nid != NUMA_NO_NODE && node_state(nid, N_MEMORY) ? nid : NUMA_NO_NODE;
	node->pages = le64_to_cpu(config->pages);
	if (node->nid == NUMA_NO_NODE)
		dev_warn(&tb->vdev->dev, "this guest has no memory of proximity domain %u\n",
			 le32_to_cpu(config->pxm));
	INIT_DELAYED_WORK(&node->work, tb_node_work);
	tb_pages_init(node);
	node->call = kzalloc(sizeof(*node->call), GFP_KERNEL);
	node->ranges = kzalloc(sizeof(*node->ranges), GFP_KERNEL);
	node->late = kzalloc(sizeof(*node->late), GFP_KERNEL);
	node->told = kzalloc(sizeof(*node->told), GFP_KERNEL);
	return node->call && node->ranges && node->late && node->told ? 0 : -ENOMEM;
}

static int tb_init(struct tiered_balloon *tb, const struct virtio_tb_config *config)
{
	spin_lock_init(&tb->queue_lock);
	tb->gone = true;
	tb->capabilities = le32_to_cpu(config->capabilities) &
			   (VIRTIO_TB_CAP_STATISTICS | VIRTIO_TB_CAP_DEFLATE_ON_OOM);
	if (!page_poisoning_enabled_static())
		tb->capabilities |= le32_to_cpu(config->capabilities) &
				    VIRTIO_TB_CAP_FREE_REPORTING;
	tb->nr_nodes = le32_to_cpu(config->nodes);
	INIT_WORK(&tb->hello_work, tb_hello_work);
	INIT_WORK(&tb->event_work, tb_event_work);
	INIT_WORK(&tb->statistics_work, tb_statistics_work);
	tb->oom.notifier_call = tb_pages_out_of_memory;
	tb->memory.notifier_call = tb_pages_going_offline;
	tb->hello_call = kzalloc(sizeof(*tb->hello_call), GFP_KERNEL);
	tb->report_call = kzalloc(sizeof(*tb->report_call), GFP_KERNEL);
	tb->events = kcalloc(TB_EVENTS, sizeof(*tb->events), GFP_KERNEL);
	tb->statistics = kzalloc(struct_size(tb->statistics, node, tb->nr_nodes), GFP_KERNEL);
	tb->wq = alloc_workqueue("tiered-balloon", WQ_UNBOUND, 0);
	if (!tb->hello_call || !tb->report_call || !tb->events || !tb->statistics || !tb->wq)
		return -ENOMEM;
	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		const int ret = tb_init_node(tb, i, &config->node[i]);

		if (ret)
			return ret;
	}
	return 0;
}

static int tb_probe(struct virtio_device *vdev)
{
	struct virtio_tb_config config;
	struct tiered_balloon *tb;
	const char *why;
	int ret;

	if (!vdev->config->get)
		return -EINVAL;
	virtio_cread_bytes(vdev, 0, &config, sizeof(config));
	if (!tb_config_is_valid(&config, &why)) {
		dev_err(&vdev->dev, "cannot use the device: %s\n", why);
		return -EINVAL;
	}
	tb = kzalloc(sizeof(*tb), GFP_KERNEL);
	if (!tb)
		return -ENOMEM;
	tb->vdev = vdev;
	vdev->priv = tb;
	ret = tb_init(tb, &config);
	if (ret)
		goto free;
	ret = register_oom_notifier(&tb->oom);
	if (ret)
		goto free;
	ret = register_memory_notifier(&tb->memory);
	if (ret)
		goto unregister_oom;
	ret = tb_start(tb);
	if (!ret)
		return 0;
	unregister_memory_notifier(&tb->memory);
unregister_oom:
	unregister_oom_notifier(&tb->oom);
free:
	tb_free(tb);
	return ret;
}

static void tb_remove(struct virtio_device *vdev)
{
	struct tiered_balloon *tb = vdev->priv;

	tb_stop(tb);
	unregister_memory_notifier(&tb->memory);
	unregister_oom_notifier(&tb->oom);
	/* compaction may be about to leave tb_pages_migrate() */
	synchronize_rcu();
	tb_free(tb);
}

static int __maybe_unused tb_freeze(struct virtio_device *vdev)
{
	tb_stop(vdev->priv);
	return 0;
}

static int __maybe_unused tb_restore(struct virtio_device *vdev)
{
	return tb_start(vdev->priv);
}

static const struct virtio_device_id tb_ids[] = {
	{ VIRTIO_ID_TIERED_BALLOON, VIRTIO_DEV_ANY_ID },
	{},
};

static struct virtio_driver tb_driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = tb_ids,
	.probe = tb_probe,
	.remove = tb_remove,
#ifdef CONFIG_PM_SLEEP
	.freeze = tb_freeze,
	.restore = tb_restore,
#endif
};

module_virtio_driver(tb_driver);
MODULE_DEVICE_TABLE(virtio, tb_ids);
MODULE_DESCRIPTION("Tiered balloon");
MODULE_LICENSE("GPL");
