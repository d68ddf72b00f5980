// SPDX-License-Identifier: GPL-2.0
/* The module; see memtis.h. */
#include <linux/module.h>

#include "memtis.h"

struct memtis memtis = {
	.params = {
		.load_period = 200,
		.store_period = 100000,
		.cpu_permille = 30,
		.poll_ms = 10,
		.wake_ms = 500,
		.headroom_permille = 20,
		.split_permille = 50,
		.min_mib = 4,
	},
};

static int __init memtis_init(void)
{
	struct memtis *t = &memtis;

	mutex_init(&t->control);
	mutex_init(&t->round);
	mutex_init(&t->lock);
	INIT_LIST_HEAD(&t->mms);
	xa_init(&t->by_mm);
	return memtis_sysfs_init(t);
}

static void __exit memtis_exit(void)
{
	/* nobody switches it on again without the folder */
	memtis_sysfs_exit(&memtis);
	memtis_set_enabled(&memtis, false);
	xa_destroy(&memtis.by_mm);
}

module_init(memtis_init);
module_exit(memtis_exit);
MODULE_DESCRIPTION("Memtis: tiered memory by the distribution of accesses");
MODULE_LICENSE("GPL");
