// SPDX-License-Identifier: GPL-2.0
/*
 * The interface in /sys/kernel/mm/nomad, described in
 * Documentation/ABI/testing/sysfs-kernel-mm-nomad.
 */
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "internal.h"

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", nomad_is_enabled());
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	bool on;
	int ret = kstrtobool(buf, &on);

	if (!ret)
		ret = nomad_set_enabled(on);
	return ret ?: count;
}

static struct kobj_attribute nomad_enabled_attr = __ATTR_RW(enabled);

/* Parameters: numbers that are checked when they are written. */

struct nomad_param {
	struct kobj_attribute attr;
	unsigned int *value;
	unsigned int min, max;
	bool only_off;
};

static ssize_t nomad_param_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct nomad_param *p = container_of(attr, struct nomad_param, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*p->value));
}

static ssize_t nomad_param_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	const struct nomad_param *p = container_of(attr, struct nomad_param, attr);
	unsigned int value;
	int ret = kstrtouint(buf, 10, &value);

	if (!ret && (value < p->min || value > p->max))
		ret = -EINVAL;
	if (!ret)
		ret = nomad_set_param(p->value, value, p->only_off);
	return ret ?: count;
}

#define NOMAD_PARAM(_name, _min, _max, _only_off)                                 \
	static struct nomad_param nomad_param_##_name = {                         \
		.attr = __ATTR(_name, 0644, nomad_param_show, nomad_param_store), \
		.value = &nomad_params._name,                                     \
		.min = _min,                                                      \
		.max = _max,                                                      \
		.only_off = _only_off,                                            \
	}

NOMAD_PARAM(check_ms, 1, 10000, false);
NOMAD_PARAM(looks, 1, NOMAD_MOST_LOOKS, false);
NOMAD_PARAM(pending_ms, 1, 600000, false);
NOMAD_PARAM(retries, 0, 100, false);
NOMAD_PARAM(queue_pages, 64, 1 << 22, true);
NOMAD_PARAM(shadow_percent, 0, 100, false);

static struct attribute *nomad_attrs[] = {
	&nomad_enabled_attr.attr,
	&nomad_param_check_ms.attr.attr,
	&nomad_param_looks.attr.attr,
	&nomad_param_pending_ms.attr.attr,
	&nomad_param_retries.attr.attr,
	&nomad_param_queue_pages.attr.attr,
	&nomad_param_shadow_percent.attr.attr,
	NULL,
};

static const struct attribute_group nomad_group = { .attrs = nomad_attrs };

/* What is there now */

static ssize_t candidates_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned long candidates, pending;

	nomad_queued(&candidates, &pending);
	return sysfs_emit(buf, "%lu\n", candidates);
}

static ssize_t pending_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned long candidates, pending;

	nomad_queued(&candidates, &pending);
	return sysfs_emit(buf, "%lu\n", pending);
}

static ssize_t shadows_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned long n = 0;
	int nid;

	for_each_node(nid) n += nomad_shadow_count(nid);
	return sysfs_emit(buf, "%lu\n", n);
}

static struct kobj_attribute nomad_candidates_attr = __ATTR_RO(candidates);
static struct kobj_attribute nomad_pending_attr = __ATTR_RO(pending);
static struct kobj_attribute nomad_shadows_attr = __ATTR_RO(shadows);

/* What is counted */

struct nomad_counter {
	struct kobj_attribute attr;
	enum nomad_stat stat;
};

static ssize_t nomad_counter_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct nomad_counter *c = container_of(attr, struct nomad_counter, attr);

	return sysfs_emit(buf, "%lu\n", nomad_stat_read(c->stat));
}

#define NOMAD_COUNTER(_name, _stat)                                    \
	static struct nomad_counter nomad_counter_##_name = {          \
		.attr = __ATTR(_name, 0444, nomad_counter_show, NULL), \
		.stat = _stat,                                         \
	}

NOMAD_COUNTER(queued, NOMAD_STAT_QUEUED);
NOMAD_COUNTER(looks, NOMAD_STAT_LOOKS);
NOMAD_COUNTER(displaced, NOMAD_STAT_DISPLACED);
NOMAD_COUNTER(expired, NOMAD_STAT_EXPIRED);
NOMAD_COUNTER(promoted, NOMAD_STAT_PROMOTED);
NOMAD_COUNTER(aborts, NOMAD_STAT_ABORTS);
NOMAD_COUNTER(busy, NOMAD_STAT_BUSY);
NOMAD_COUNTER(retries, NOMAD_STAT_RETRIES);
NOMAD_COUNTER(no_room, NOMAD_STAT_NO_ROOM);
NOMAD_COUNTER(shadows_made, NOMAD_STAT_SHADOWS_MADE);
NOMAD_COUNTER(shadows_dropped, NOMAD_STAT_SHADOWS_DROPPED);
NOMAD_COUNTER(shadow_reclaimed, NOMAD_STAT_SHADOW_RECLAIMED);
NOMAD_COUNTER(write_faults, NOMAD_STAT_WRITE_FAULTS);
NOMAD_COUNTER(demoted_remap, NOMAD_STAT_DEMOTED_REMAP);
NOMAD_COUNTER(demoted_copy, NOMAD_STAT_DEMOTED_COPY);
NOMAD_COUNTER(judge_ns, NOMAD_STAT_JUDGE_NS);
NOMAD_COUNTER(promote_ns, NOMAD_STAT_PROMOTE_NS);

static struct attribute *nomad_stat_attrs[] = {
	&nomad_candidates_attr.attr,
	&nomad_pending_attr.attr,
	&nomad_shadows_attr.attr,
	&nomad_counter_queued.attr.attr,
	&nomad_counter_looks.attr.attr,
	&nomad_counter_displaced.attr.attr,
	&nomad_counter_expired.attr.attr,
	&nomad_counter_promoted.attr.attr,
	&nomad_counter_aborts.attr.attr,
	&nomad_counter_busy.attr.attr,
	&nomad_counter_retries.attr.attr,
	&nomad_counter_no_room.attr.attr,
	&nomad_counter_shadows_made.attr.attr,
	&nomad_counter_shadows_dropped.attr.attr,
	&nomad_counter_shadow_reclaimed.attr.attr,
	&nomad_counter_write_faults.attr.attr,
	&nomad_counter_demoted_remap.attr.attr,
	&nomad_counter_demoted_copy.attr.attr,
	&nomad_counter_judge_ns.attr.attr,
	&nomad_counter_promote_ns.attr.attr,
	NULL,
};

static const struct attribute_group nomad_stat_group = {
	.name = "stats",
	.attrs = nomad_stat_attrs,
};

static const struct attribute_group *nomad_groups[] = { &nomad_group, &nomad_stat_group, NULL };

/**
 * nomad_sysfs_init() - Make the folder in sysfs
 *
 * Return: 0 or an error.
 */
int __init nomad_sysfs_init(void)
{
	struct kobject *kobj = kobject_create_and_add("nomad", mm_kobj);
	int ret;

	if (!kobj)
		return -ENOMEM;
	ret = sysfs_create_groups(kobj, nomad_groups);
	if (ret)
		kobject_put(kobj);
	return ret;
}
