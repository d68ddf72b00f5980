// SPDX-License-Identifier: GPL-2.0
/*
 * The interface in /sys/kernel/mm/demeter; Documentation/admin-guide/mm/demeter.rst
 * describes it.
 */
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "demeter.h"

static struct kobject *root, *targets_folder, *stats_folder;
/* Starting and stopping: one at a time. Taken before demeter_lock. */
static DEFINE_MUTEX(control_lock);
/* Targets whose folders exist. The module must not go before the last of them. */
static atomic_t nr_folders = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(no_folders);

/* Parameters: numbers that are checked, and taken over in the next epoch or start. */

struct param {
	struct kobj_attribute attr;
	unsigned int *value;
	unsigned int min, max;
	bool only_stopped; /* is used in the making of rings, ranges or lists */
};

static ssize_t param_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct param *p = container_of(attr, struct param, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*p->value));
}

static ssize_t param_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			   size_t count)
{
	const struct param *p = container_of(attr, struct param, attr);
	unsigned int value;
	int ret = kstrtouint(buf, 10, &value);

	if (ret)
		return ret;
	if (value < p->min || value > p->max)
		return -ERANGE;
	mutex_lock(&demeter_lock);
	if (p->only_stopped && demeter_is_running())
		ret = -EBUSY;
	else
		WRITE_ONCE(*p->value, value);
	mutex_unlock(&demeter_lock);
	return ret ?: count;
}

#define PARAM(_name, _min, _max, _only_stopped)                       \
	static struct param param_##_name = {                         \
		.attr = __ATTR(_name, 0644, param_show, param_store), \
		.value = &demeter_params._name,                       \
		.min = _min,                                          \
		.max = _max,                                          \
		.only_stopped = _only_stopped,                        \
	}

PARAM(epoch_ms, 10, 60000, false);
PARAM(sample_period, 16, 1 << 30, true);
PARAM(latency_threshold, 3, 65535, true);
PARAM(split_threshold, 1, 1 << 20, false);
PARAM(merge_epochs, 1, 1 << 20, false);
PARAM(max_ranges, 2, DEMETER_MAX_RANGES, true);
PARAM(cool_epochs, 1, 1 << 20, false);
PARAM(backoff_epochs, 1, 1 << 20, false);
PARAM(batch_pages, 1024, 1 << 20, true);
PARAM(margin, 1, 64, false);
PARAM(exchange_ns, 0, 1 << 30, false);
PARAM(tier_ns, 1, 1 << 30, false);
PARAM(page_counters, 0, 1, false);

/* What is managed, by whom, from where to where. */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", demeter_is_running());
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	bool on;
	int ret = kstrtobool(buf, &on);

	if (ret)
		return ret;
	mutex_lock(&control_lock);
	mutex_lock(&demeter_lock);
	if (on)
		ret = demeter_start();
	else
		demeter_stop();
	mutex_unlock(&demeter_lock);
	mutex_unlock(&control_lock);
	return ret ?: count;
}
static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

static ssize_t source_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct demeter_source *chosen;
	int len;

	mutex_lock(&demeter_lock);
	chosen = demeter_source_chosen();
	len = sysfs_emit(buf, chosen ? "auto" : "[auto]");
	for (unsigned int i = 0; i < demeter_nr_sources; i++)
		len += sysfs_emit_at(buf, len, chosen == &demeter_sources[i] ? " [%s]" : " %s",
				     demeter_sources[i].name);
	len += sysfs_emit_at(buf, len, "\n");
	mutex_unlock(&demeter_lock);
	return len;
}

static ssize_t source_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	int ret;

	mutex_lock(&demeter_lock);
	ret = demeter_choose_source(buf);
	mutex_unlock(&demeter_lock);
	return ret ?: count;
}
static struct kobj_attribute source_attr = __ATTR_RW(source);

static ssize_t nodes_show(char *buf, const nodemask_t *nodes)
{
	return sysfs_emit(buf, "%*pbl\n", nodemask_pr_args(nodes));
}

static ssize_t nodes_store(const char *buf, size_t count, nodemask_t *nodes)
{
	nodemask_t given;
	int ret = nodelist_parse(buf, given);

	if (ret)
		return ret;
	if (!nodes_subset(given, node_states[N_MEMORY]))
		return -ENODEV;
	mutex_lock(&demeter_lock);
	if (demeter_is_running())
		ret = -EBUSY;
	else
		*nodes = given;
	mutex_unlock(&demeter_lock);
	return ret ?: count;
}

static ssize_t fast_nodes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return nodes_show(buf, &demeter_fast_nodes);
}

static ssize_t fast_nodes_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
				size_t count)
{
	return nodes_store(buf, count, &demeter_fast_nodes);
}
static struct kobj_attribute fast_nodes_attr = __ATTR_RW(fast_nodes);

static ssize_t slow_nodes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return nodes_show(buf, &demeter_slow_nodes);
}

static ssize_t slow_nodes_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
				size_t count)
{
	return nodes_store(buf, count, &demeter_slow_nodes);
}
static struct kobj_attribute slow_nodes_attr = __ATTR_RW(slow_nodes);

static ssize_t attach_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	int ret;

	mutex_lock(&demeter_lock);
	ret = demeter_scope_add(buf);
	if (!ret)
		demeter_targets_find();
	mutex_unlock(&demeter_lock);
	return ret ?: count;
}
static struct kobj_attribute attach_attr = __ATTR_WO(attach);

static ssize_t detach_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	int ret;

	mutex_lock(&demeter_lock);
	ret = demeter_scope_remove(buf);
	mutex_unlock(&demeter_lock);
	return ret ?: count;
}
static struct kobj_attribute detach_attr = __ATTR_WO(detach);

static ssize_t scopes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	ssize_t len;

	mutex_lock(&demeter_lock);
	len = demeter_scope_show(buf);
	mutex_unlock(&demeter_lock);
	return len;
}
static struct kobj_attribute scopes_attr = __ATTR_RO(scopes);

static struct attribute *root_attrs[] = {
	&enabled_attr.attr,
	&source_attr.attr,
	&fast_nodes_attr.attr,
	&slow_nodes_attr.attr,
	&attach_attr.attr,
	&detach_attr.attr,
	&scopes_attr.attr,
	&param_epoch_ms.attr.attr,
	&param_sample_period.attr.attr,
	&param_latency_threshold.attr.attr,
	&param_split_threshold.attr.attr,
	&param_merge_epochs.attr.attr,
	&param_max_ranges.attr.attr,
	&param_cool_epochs.attr.attr,
	&param_backoff_epochs.attr.attr,
	&param_batch_pages.attr.attr,
	&param_margin.attr.attr,
	&param_exchange_ns.attr.attr,
	&param_tier_ns.attr.attr,
	&param_page_counters.attr.attr,
	NULL,
};
static const struct attribute_group root_group = { .attrs = root_attrs };

static ssize_t show_number(char *buf, u64 number)
{
	return sysfs_emit(buf, "%llu\n", number);
}

/* Counters, since the module was loaded. */

struct counter {
	struct kobj_attribute attr;
	const u64 *value;
};

static ssize_t stat_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct counter *s = container_of(attr, struct counter, attr);

	return show_number(buf, READ_ONCE(*s->value));
}

#define STAT_OF(_name, _value)                                \
	static struct counter stat_##_name = {                \
		.attr = __ATTR(_name, 0444, stat_show, NULL), \
		.value = &(_value),                           \
	}
#define STAT(_name) STAT_OF(_name, demeter_stats._name)

STAT(epochs);
STAT(samples);
STAT(lost);
STAT(strays);
STAT(promoted);
STAT(demoted);
STAT(exchanged);
STAT(split);
STAT(busy);
STAT(refused);
STAT(gone);
STAT(no_room);
STAT_OF(sample_ns, demeter_stats.stage_ns[DEMETER_SAMPLE]);
STAT_OF(classify_ns, demeter_stats.stage_ns[DEMETER_CLASSIFY]);
STAT_OF(rank_ns, demeter_stats.stage_ns[DEMETER_RANK]);
STAT_OF(relocate_ns, demeter_stats.stage_ns[DEMETER_RELOCATE]);

static struct attribute *stats_attrs[] = {
	&stat_epochs.attr.attr,
	&stat_samples.attr.attr,
	&stat_lost.attr.attr,
	&stat_strays.attr.attr,
	&stat_promoted.attr.attr,
	&stat_demoted.attr.attr,
	&stat_exchanged.attr.attr,
	&stat_busy.attr.attr,
	&stat_refused.attr.attr,
	&stat_gone.attr.attr,
	&stat_sample_ns.attr.attr,
	&stat_classify_ns.attr.attr,
	&stat_rank_ns.attr.attr,
	&stat_relocate_ns.attr.attr,
	&stat_split.attr.attr,
	&stat_no_room.attr.attr,
	NULL,
};
static const struct attribute_group stats_group = { .attrs = stats_attrs };

/*
 * Targets. Their files do not take demeter_lock: a folder is removed under it, and
 * waits for those who read.
 */

static struct demeter_target *target_of(struct kobject *kobj)
{
	return container_of(kobj, struct demeter_target, kobj);
}

static ssize_t comm_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", target_of(kobj)->comm);
}
static struct kobj_attribute comm_attr = __ATTR_RO(comm);

#define TARGET_STAT(_name, _value)                                                                \
	static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
	{                                                                                         \
		return show_number(buf, READ_ONCE(target_of(kobj)->_value));                      \
	}                                                                                         \
	static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

TARGET_STAT(samples, samples);
TARGET_STAT(fast_pages, pages[DEMETER_FAST]);
TARGET_STAT(slow_pages, pages[DEMETER_SLOW]);
TARGET_STAT(promoted, promoted);
TARGET_STAT(demoted, demoted);
TARGET_STAT(nr_ranges, ranges.nr);
TARGET_STAT(splits, ranges.nr_splits);
TARGET_STAT(merges, ranges.nr_merges);

static struct attribute *target_attrs[] = {
	&comm_attr.attr,       &samples_attr.attr,
	&fast_pages_attr.attr, &slow_pages_attr.attr,
	&promoted_attr.attr,   &demoted_attr.attr,
	&nr_ranges_attr.attr,  &splits_attr.attr,
	&merges_attr.attr,     NULL,
};

/* A line per range: start, end, samples, epochs since the last one, and since its birth. */
#define RANGE_LINE 64

static ssize_t ranges_read(struct file *file, struct kobject *kobj, struct bin_attribute *attr,
			   char *buf, loff_t offset, size_t count)
{
	struct demeter_target *t = target_of(kobj);
	ssize_t len = 0;

	mutex_lock(&t->lock);
	for (u64 i = div_u64(offset, RANGE_LINE); i < t->ranges.nr && len < count; i++) {
		const struct demeter_range *r = &t->ranges.ranges[i];
		const size_t skip = len ? 0 : offset % RANGE_LINE;
		char line[RANGE_LINE + 1];
		size_t n;

		/* of equal length, so that an offset tells the line */
		scnprintf(line, sizeof(line), "%016lx %016lx %8llu %8u %8u", r->start, r->end,
			  min(r->count / RANGE_SAMPLE, 99999999ull),
			  min(t->ranges.epoch - r->accessed, 99999999u),
			  min(t->ranges.epoch - r->born, 99999999u));
		n = strlen(line);
		memset(line + n, ' ', RANGE_LINE - n);
		line[RANGE_LINE - 1] = '\n';
		n = min(RANGE_LINE - skip, count - len);
		memcpy(buf + len, line + skip, n);
		len += n;
	}
	mutex_unlock(&t->lock);
	return len;
}
/* addresses of a process are not for everybody */
static struct bin_attribute ranges_attr = {
	.attr = { .name = "ranges", .mode = 0400 },
	.read = ranges_read,
};

static struct bin_attribute *target_bin_attrs[] = { &ranges_attr, NULL };

static const struct attribute_group target_group = {
	.attrs = target_attrs,
	.bin_attrs = target_bin_attrs,
};
static const struct attribute_group *target_groups[] = { &target_group, NULL };

static void target_release(struct kobject *kobj)
{
	struct demeter_target *t = target_of(kobj);

	demeter_ranges_free(&t->ranges);
	kfree(t);
	if (atomic_dec_and_test(&nr_folders))
		wake_up(&no_folders);
}

static const struct kobj_type target_type = {
	.release = target_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = target_groups,
};

/**
 * demeter_sysfs_add_target() - Show a target
 * @t:		The target. Without memory it is managed, but not shown.
 *
 * demeter_sysfs_remove_target() must follow.
 */
void demeter_sysfs_add_target(struct demeter_target *t)
{
	static u64 serial;
	bool taken = false;
	struct demeter_target *other;
	int ret;

	/* a process that has called exec, while others still use its old memory */
	list_for_each_entry(other, &demeter_targets, list)
		taken |= other != t && other->pid == t->pid;
	atomic_inc(&nr_folders);
	kobject_init(&t->kobj, &target_type);
	if (taken)
		ret = kobject_add(&t->kobj, targets_folder, "%d.%llu", t->pid, ++serial);
	else
		ret = kobject_add(&t->kobj, targets_folder, "%d", t->pid);
	if (ret)
		pr_warn_ratelimited("demeter: process %d is not shown in sysfs\n", t->pid);
}

/**
 * demeter_sysfs_remove_target() - Show a target no longer, and free it
 * @t:		The target.
 */
void demeter_sysfs_remove_target(struct demeter_target *t)
{
	if (t->kobj.state_in_sysfs)
		kobject_del(&t->kobj);
	kobject_put(&t->kobj);
}

/**
 * demeter_sysfs_init() - Make the folders
 *
 * Return: 0 or -ENOMEM, and then nothing is left of them.
 */
int demeter_sysfs_init(void)
{
	int ret = -ENOMEM;

	root = kobject_create_and_add("demeter", mm_kobj);
	if (!root)
		return -ENOMEM;
	targets_folder = kobject_create_and_add("targets", root);
	stats_folder = kobject_create_and_add("stats", root);
	if (targets_folder && stats_folder)
		ret = sysfs_create_group(stats_folder, &stats_group);
	if (!ret)
		ret = sysfs_create_group(root, &root_group);
	if (!ret)
		return 0;
	kobject_put(stats_folder);
	kobject_put(targets_folder);
	kobject_put(root);
	return ret;
}

/**
 * demeter_sysfs_exit() - End everything
 *
 * Targets are dropped; returns when nobody uses the module any more.
 */
void demeter_sysfs_exit(void)
{
	/* nobody starts or attaches from here on */
	sysfs_remove_group(root, &root_group);
	mutex_lock(&demeter_lock);
	demeter_stop();
	demeter_targets_clear();
	mutex_unlock(&demeter_lock);
	wait_event(no_folders, !atomic_read(&nr_folders));
	sysfs_remove_group(stats_folder, &stats_group);
	kobject_put(stats_folder);
	kobject_put(targets_folder);
	kobject_put(root);
}
