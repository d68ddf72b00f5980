/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of pages as a request holds them, and when to try again what has failed. Pure
 * logic, without locks and without a device.
 */
#ifndef _TIERED_BALLOON_RANGE_H
#define _TIERED_BALLOON_RANGE_H

#include <linux/types.h>
#include <uapi/linux/virtio_tiered_balloon.h>

/**
 * struct tb_ranges - Ranges, each of pages that follow each other
 * @nr:		How many there are.
 * @pages:	Pages of all of them, of 4 KiB.
 * @range:	The ranges as the device reads them.
 */
struct tb_ranges {
	unsigned int nr;
	u64 pages;
	struct virtio_tb_range range[VIRTIO_TB_MAX_RANGES];
};

/**
 * struct tb_backoff - How long to wait until something is tried again
 * @ms:		Time waited last; 0 if nothing has failed since tb_backoff_reset().
 */
struct tb_backoff {
	unsigned int ms;
};

#define TB_BACKOFF_FIRST_MS 100
#define TB_BACKOFF_LAST_MS  (16 * MSEC_PER_SEC)

bool tb_ranges_add(struct tb_ranges *ranges, u64 frame, u32 pages);
unsigned int tb_backoff_next(struct tb_backoff *backoff);
bool tb_config_is_valid(const struct virtio_tb_config *config, const char **why);

static inline void tb_backoff_reset(struct tb_backoff *backoff)
{
	backoff->ms = 0;
}

static inline void tb_ranges_clear(struct tb_ranges *ranges)
{
	ranges->nr = 0;
	ranges->pages = 0;
}

#endif /* _TIERED_BALLOON_RANGE_H */
