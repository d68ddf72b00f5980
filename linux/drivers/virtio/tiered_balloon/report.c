// SPDX-License-Identifier: GPL-2.0
/* Reports free pages to the device, so that the host can use what the guest does not. */
#include <linux/mm.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>

#include "balloon.h"

static struct tb_node *tb_report_node(struct tiered_balloon *tb, int nid)
{
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		if (tb->nodes[i].nid == nid)
			return &tb->nodes[i];
	return NULL;
}

/*
 * Tells the device about free pages, which nobody can allocate until this returns. All are of
 * one zone.
 */
static int tb_report(struct page_reporting_dev_info *reporting, struct scatterlist *sgl,
		     unsigned int n)
{
	struct tiered_balloon *tb = container_of(reporting, struct tiered_balloon, reporting);
	struct tb_node *node = tb_report_node(tb, page_to_nid(sg_page(sgl)));
	struct tb_call *call = tb->report_call;
	struct scatterlist *sg;
	unsigned int i;

	if (!node)
		return 0;
	for_each_sg(sgl, sg, n, i) call->range[i] = (struct virtio_tb_range){
		.frame = cpu_to_le64(tb_frame(sg_page(sg))),
		.pages = cpu_to_le32(sg->length >> VIRTIO_TB_PAGE_SHIFT),
	};
	return tb_call(tb, call, VIRTIO_TB_REPORT_FREE, node->index, n,
		       array_size(n, sizeof(*call->range)));
}

/**
 * tb_report_register() - Begin to report free pages
 * @tb:		The device, which has answered hello.
 *
 * Does nothing if the device does not want it, or if free pages must keep what is in them.
 *
 * Return: 0; -ENOMEM; -EBUSY if somebody else reports them.
 */
int tb_report_register(struct tiered_balloon *tb)
{
	int ret;

	BUILD_BUG_ON(PAGE_REPORTING_CAPACITY > VIRTIO_TB_MAX_RANGES);
	if (!(tb->capabilities & VIRTIO_TB_CAP_FREE_REPORTING) || tb->is_reporting)
		return 0;
	tb->reporting.report = tb_report;
	ret = page_reporting_register(&tb->reporting);
	tb->is_reporting = !ret;
	return ret;
}

/**
 * tb_report_unregister() - Report no more free pages
 * @tb:		The device. If it might not answer, it was reset.
 */
void tb_report_unregister(struct tiered_balloon *tb)
{
	if (tb->is_reporting)
		page_reporting_unregister(&tb->reporting);
	tb->is_reporting = false;
}
