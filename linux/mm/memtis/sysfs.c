// SPDX-License-Identifier: GPL-2.0
/* The interface in /sys/kernel/mm/memtis; see Documentation/ABI/testing/sysfs-kernel-mm-memtis. */
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "memtis.h"

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", !!READ_ONCE(memtis.ksampled));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	bool on;
	int ret = kstrtobool(buf, &on);

	if (!ret)
		ret = memtis_set_enabled(&memtis, on);
	return ret ?: count;
}

static struct kobj_attribute memtis_enabled_attr = __ATTR_RW(enabled);

/**
 * struct memtis_param - A parameter
 * @attr:	Its file.
 * @value:	Where it is.
 * @min:	Least value.
 * @max:	Greatest value.
 * @or_zero:	Whether 0 is allowed as well.
 * @only_off:	Whether it can be changed only while Memtis is off.
 */
struct memtis_param {
	struct kobj_attribute attr;
	unsigned int *value;
	unsigned int min;
	unsigned int max;
	bool or_zero;
	bool only_off;
};

static ssize_t memtis_param_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct memtis_param *p = container_of(attr, struct memtis_param, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*p->value));
}

static ssize_t memtis_param_store(struct kobject *kobj, struct kobj_attribute *attr,
				  const char *buf, size_t count)
{
	const struct memtis_param *p = container_of(attr, struct memtis_param, attr);
	unsigned int value;
	int ret = kstrtouint(buf, 10, &value);

	if (ret)
		return ret;
	if ((value < p->min || value > p->max) && !(p->or_zero && !value))
		return -EINVAL;
	mutex_lock(&memtis.control);
	if (p->only_off && memtis.ksampled)
		ret = -EBUSY;
	else
		WRITE_ONCE(*p->value, value);
	mutex_unlock(&memtis.control);
	return ret ?: count;
}

#define MEMTIS_PARAM(_name, _min, _max, _or_zero, _only_off)                        \
	static struct memtis_param memtis_param_##_name = {                         \
		.attr = __ATTR(_name, 0644, memtis_param_show, memtis_param_store), \
		.value = &memtis.params._name,                                      \
		.min = _min,                                                        \
		.max = _max,                                                        \
		.or_zero = _or_zero,                                                \
		.only_off = _only_off,                                              \
	}

MEMTIS_PARAM(load_period, 16, 1 << 30, false, true);
MEMTIS_PARAM(store_period, 16, 1 << 30, true, true);
MEMTIS_PARAM(cpu_permille, 1, 1000, false, false);
MEMTIS_PARAM(poll_ms, 1, 1000, false, false);
MEMTIS_PARAM(cool_samples, 64, 1 << 30, true, false);
MEMTIS_PARAM(adapt_samples, 64, 1 << 30, true, false);
MEMTIS_PARAM(wake_ms, 10, 60000, false, false);
MEMTIS_PARAM(headroom_permille, 0, 500, false, false);
MEMTIS_PARAM(split_permille, 1, 1000, false, false);
MEMTIS_PARAM(min_mib, 0, 1 << 20, false, false);

static struct attribute *memtis_attrs[] = {
	&memtis_enabled_attr.attr,
	&memtis_param_load_period.attr.attr,
	&memtis_param_store_period.attr.attr,
	&memtis_param_cpu_permille.attr.attr,
	&memtis_param_poll_ms.attr.attr,
	&memtis_param_cool_samples.attr.attr,
	&memtis_param_adapt_samples.attr.attr,
	&memtis_param_wake_ms.attr.attr,
	&memtis_param_headroom_permille.attr.attr,
	&memtis_param_split_permille.attr.attr,
	&memtis_param_min_mib.attr.attr,
	NULL,
};

static const struct attribute_group memtis_group = { .attrs = memtis_attrs };

/* Counters */

struct memtis_counter {
	struct kobj_attribute attr;
	const u64 *value;
};

static ssize_t memtis_counter_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct memtis_counter *c = container_of(attr, struct memtis_counter, attr);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(*c->value));
}

#define MEMTIS_COUNTER(_name, _value)                                   \
	static struct memtis_counter memtis_counter_##_name = {         \
		.attr = __ATTR(_name, 0444, memtis_counter_show, NULL), \
		.value = &(_value),                                     \
	}

MEMTIS_COUNTER(samples, memtis.stats.samples);
MEMTIS_COUNTER(lost, memtis.stats.lost);
MEMTIS_COUNTER(strays, memtis.stats.strays);
MEMTIS_COUNTER(coolings, memtis.stats.coolings);
MEMTIS_COUNTER(adaptations, memtis.stats.adaptations);
MEMTIS_COUNTER(promoted, memtis.stats.promoted);
MEMTIS_COUNTER(demoted, memtis.stats.demoted);
MEMTIS_COUNTER(busy, memtis.stats.busy);
MEMTIS_COUNTER(kept, memtis.stats.kept);
MEMTIS_COUNTER(no_room, memtis.stats.no_room);
MEMTIS_COUNTER(splits, memtis.stats.splits);
MEMTIS_COUNTER(collapses, memtis.stats.collapses);
MEMTIS_COUNTER(failed_collapses, memtis.stats.failed_collapses);
MEMTIS_COUNTER(ksampled_ns, memtis.stats.ksampled_ns);
MEMTIS_COUNTER(sample_ns, memtis.stats.sample_ns);
MEMTIS_COUNTER(scan_ns, memtis.stats.scan_ns);
MEMTIS_COUNTER(migrate_ns, memtis.stats.migrate_ns);
MEMTIS_COUNTER(gone, memtis.heat.gone);
MEMTIS_COUNTER(metadata, memtis.heat.metadata);

/* What is so at present */

struct memtis_state {
	struct kobj_attribute attr;
	u64 (*get)(struct memtis *t);
};

static ssize_t memtis_state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct memtis_state *s = container_of(attr, struct memtis_state, attr);
	u64 value;

	mutex_lock(&memtis.lock);
	value = s->get(&memtis);
	mutex_unlock(&memtis.lock);
	return sysfs_emit(buf, "%llu\n", value);
}

static u64 memtis_sum(const struct memtis *t, unsigned int first, unsigned int end)
{
	u64 sum = 0;

	for (unsigned int bin = first; bin < end; bin++)
		sum += t->heat.now.pages[bin];
	return sum;
}

static u64 memtis_get_period_loads(struct memtis *t)
{
	return memtis_period(t->params.load_period, t->pace.factor ?: MEMTIS_FACTOR_ONE);
}

static u64 memtis_get_period_stores(struct memtis *t)
{
	return memtis_period(t->params.store_period, t->pace.factor ?: MEMTIS_FACTOR_ONE);
}

static u64 memtis_get_cpu_permille(struct memtis *t)
{
	return t->pace.permille;
}

static u64 memtis_get_hot_threshold(struct memtis *t)
{
	return t->hot.hot;
}

static u64 memtis_get_warm_threshold(struct memtis *t)
{
	return t->hot.warm;
}

static u64 memtis_get_hot_pages(struct memtis *t)
{
	return memtis_sum(t, t->hot.hot, MEMTIS_BINS);
}

static u64 memtis_get_warm_pages(struct memtis *t)
{
	return memtis_sum(t, t->hot.warm, t->hot.hot);
}

static u64 memtis_get_cold_pages(struct memtis *t)
{
	return memtis_sum(t, 0, t->hot.warm);
}

static u64 memtis_get_capacity(struct memtis *t)
{
	return t->capacity;
}

static u64 memtis_get_cool_samples(struct memtis *t)
{
	return t->pages ? memtis_cool_samples(t) : 0;
}

#define MEMTIS_STATE(_name)                                           \
	static struct memtis_state memtis_state_##_name = {           \
		.attr = __ATTR(_name, 0444, memtis_state_show, NULL), \
		.get = memtis_get_##_name,                            \
	}

MEMTIS_STATE(period_loads);
MEMTIS_STATE(period_stores);
MEMTIS_STATE(cpu_permille);
MEMTIS_STATE(hot_threshold);
MEMTIS_STATE(warm_threshold);
MEMTIS_STATE(hot_pages);
MEMTIS_STATE(warm_pages);
MEMTIS_STATE(cold_pages);
MEMTIS_STATE(capacity);
MEMTIS_STATE(cool_samples);

static ssize_t histogram_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	int len = 0;

	mutex_lock(&memtis.lock);
	for (unsigned int bin = 0; bin < MEMTIS_BINS; bin++)
		len += sysfs_emit_at(buf, len, "%lu%c", memtis.heat.now.pages[bin],
				     bin == MEMTIS_BINS - 1 ? '\n' : ' ');
	mutex_unlock(&memtis.lock);
	return len;
}

static struct kobj_attribute memtis_histogram_attr = __ATTR_RO(histogram);

static struct attribute *memtis_stat_attrs[] = {
	&memtis_counter_samples.attr.attr,
	&memtis_counter_lost.attr.attr,
	&memtis_counter_strays.attr.attr,
	&memtis_counter_coolings.attr.attr,
	&memtis_counter_adaptations.attr.attr,
	&memtis_counter_promoted.attr.attr,
	&memtis_counter_demoted.attr.attr,
	&memtis_counter_busy.attr.attr,
	&memtis_counter_kept.attr.attr,
	&memtis_counter_no_room.attr.attr,
	&memtis_counter_splits.attr.attr,
	&memtis_counter_collapses.attr.attr,
	&memtis_counter_failed_collapses.attr.attr,
	&memtis_counter_ksampled_ns.attr.attr,
	&memtis_counter_sample_ns.attr.attr,
	&memtis_counter_scan_ns.attr.attr,
	&memtis_counter_migrate_ns.attr.attr,
	&memtis_counter_gone.attr.attr,
	&memtis_counter_metadata.attr.attr,
	&memtis_state_period_loads.attr.attr,
	&memtis_state_period_stores.attr.attr,
	&memtis_state_cpu_permille.attr.attr,
	&memtis_state_hot_threshold.attr.attr,
	&memtis_state_warm_threshold.attr.attr,
	&memtis_state_hot_pages.attr.attr,
	&memtis_state_warm_pages.attr.attr,
	&memtis_state_cold_pages.attr.attr,
	&memtis_state_capacity.attr.attr,
	&memtis_state_cool_samples.attr.attr,
	&memtis_histogram_attr.attr,
	NULL,
};

static const struct attribute_group memtis_stat_group = {
	.name = "stats",
	.attrs = memtis_stat_attrs,
};

static const struct attribute_group *memtis_groups[] = { &memtis_group, &memtis_stat_group, NULL };

/**
 * memtis_sysfs_init() - Make the folder in sysfs
 * @t:		Memtis.
 *
 * Return: 0 or an error.
 */
int memtis_sysfs_init(struct memtis *t)
{
	int ret;

	t->kobj = kobject_create_and_add("memtis", mm_kobj);
	if (!t->kobj)
		return -ENOMEM;
	ret = sysfs_create_groups(t->kobj, memtis_groups);
	if (ret)
		kobject_put(t->kobj);
	return ret;
}

/**
 * memtis_sysfs_exit() - Remove the folder
 * @t:		Memtis.
 */
void memtis_sysfs_exit(struct memtis *t)
{
	sysfs_remove_groups(t->kobj, memtis_groups);
	kobject_put(t->kobj);
}
