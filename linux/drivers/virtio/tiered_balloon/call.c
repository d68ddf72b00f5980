// SPDX-License-Identifier: GPL-2.0
/* Requests to the device and their answers. */
#include <linux/scatterlist.h>
#include <linux/sched.h>

#include "balloon.h"

/* How long to wait when all of the queue is in use */
#define TB_QUEUE_FULL (HZ / 50)

/* Puts a request in the queue. Returns -ENODEV if the device is going away. */
static int tb_call_send(struct tiered_balloon *tb, struct tb_call *call, size_t payload,
			unsigned int statuses)
{
	struct scatterlist out, in, *both[] = { &out, &in };
	int ret = -ENODEV;

	sg_init_one(&out, &call->request, sizeof(call->request) + payload);
	sg_init_one(&in, &call->response, sizeof(call->response) + statuses);
	spin_lock_irq(&tb->queue_lock);
	if (!tb->gone) {
		struct virtqueue *vq = tb->queues[VIRTIO_TB_REQUESTS];

		ret = virtqueue_add_sgs(vq, both, 1, 1, call, GFP_ATOMIC);
		if (!ret)
			virtqueue_kick(vq);
	}
	spin_unlock_irq(&tb->queue_lock);
	return ret;
}

/**
 * tb_call() - Ask the device for something
 * @tb:		The device.
 * @call:	The request with its payload. Nobody else uses it meanwhile.
 * @type:	enum virtio_tb_request_type.
 * @node:	Number of the node that it is about.
 * @count:	Ranges, or nodes of a hello.
 * @payload:	Bytes of the payload.
 *
 * Waits for the answer as long as the device is there: what was asked for cannot be taken
 * back. Holds no lock and must be called without one.
 *
 * Return: 0 if @call has an answer, whatever that is; -ENODEV if the device was reset; or what
 * the queue returns when it is broken.
 */
int tb_call(struct tiered_balloon *tb, struct tb_call *call, unsigned int type, unsigned int node,
	    unsigned int count, size_t payload)
{
	int ret;

	might_sleep();
	call->request = (struct virtio_tb_request){
		.type = cpu_to_le16(type),
		.node = cpu_to_le16(node),
		.count = cpu_to_le32(count),
	};
	call->answered = false;
	init_completion(&call->done);
	/* others may have filled a small queue; tb_start() has seen that it holds one request */
	while ((ret = tb_call_send(tb, call, payload, type == VIRTIO_TB_HELLO ? 0 : count)) ==
	       -ENOSPC)
		schedule_timeout_idle(TB_QUEUE_FULL);
	if (ret)
		return ret;
	wait_for_completion_state(&call->done, TASK_IDLE);
	return call->answered ? 0 : -ENODEV;
}

/**
 * tb_call_ranges() - Ask the device to do something with pages of a node
 * @node:	The node, whose work this is.
 * @type:	enum virtio_tb_request_type, one that has ranges.
 * @ranges:	The pages.
 *
 * Return: 0 if the device has done it with all of them; -EIO if it said otherwise of some; or
 * an error of tb_call().
 */
int tb_call_ranges(struct tb_node *node, unsigned int type, const struct tb_ranges *ranges)
{
	const size_t payload = array_size(ranges->nr, sizeof(*ranges->range));
	struct tb_call *call = node->call;
	int ret;

	memcpy(call->range, ranges->range, payload);
	ret = tb_call(node->tb, call, type, node->index, ranges->nr, payload);
	if (ret)
		return ret;
	if (le32_to_cpu(call->response.status) == VIRTIO_TB_OK)
		return 0;
	dev_warn_ratelimited(&node->tb->vdev->dev, "node %d: request %u of %u ranges: status %u\n",
			     node->nid, type, ranges->nr, le32_to_cpu(call->response.status));
	return -EIO;
}

/**
 * tb_calls_take_answers() - Wake those whose requests the device has answered
 * @vq:		The queue of requests.
 */
void tb_calls_take_answers(struct virtqueue *vq)
{
	struct tiered_balloon *tb = vq->vdev->priv;
	struct tb_call *call;
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&tb->queue_lock, flags);
	do {
		virtqueue_disable_cb(vq);
		while ((call = virtqueue_get_buf(vq, &len))) {
			/* an answer that says nothing is none that could be trusted */
			if (len < sizeof(call->response))
				call->response.status = cpu_to_le32(VIRTIO_TB_FAILED);
			call->answered = true;
			complete(&call->done);
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&tb->queue_lock, flags);
}

/**
 * tb_calls_abandon() - Wake those whose requests will not be answered any more
 * @tb:		The device, which was reset.
 */
void tb_calls_abandon(struct tiered_balloon *tb)
{
	struct tb_call *call;

	spin_lock_irq(&tb->queue_lock);
	while ((call = virtqueue_detach_unused_buf(tb->queues[VIRTIO_TB_REQUESTS])))
		complete(&call->done);
	spin_unlock_irq(&tb->queue_lock);
}
