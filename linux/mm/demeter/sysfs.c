// SPDX-License-Identifier: GPL-2.0
/*
 * The interface in /sys/kernel/mm/demeter, described in
 * Documentation/ABI/testing/sysfs-kernel-mm-demeter.
 */
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "demeter.h"

static struct demeter_ctx *demeter_kobj_ctx(struct kobject *kobj)
{
	return container_of(kobj, struct demeter_ctx, sysfs.kobj);
}

/*
 * Parameters: numbers that are checked when they are written. Those that rings, ranges or
 * buffers are made by can be written only while stopped.
 */

struct demeter_param {
	struct kobj_attribute attr;
	size_t offset; /* in struct demeter_params */
	unsigned int min, max;
	bool only_stopped;
	bool or_zero; /* 0 switches something off */
};

static unsigned int *demeter_param_value(struct demeter_ctx *ctx, const struct demeter_param *p)
{
	return (void *)&ctx->params + p->offset;
}

static ssize_t demeter_param_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct demeter_param *p = container_of(attr, struct demeter_param, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*demeter_param_value(demeter_kobj_ctx(kobj), p)));
}

static ssize_t demeter_param_store(struct kobject *kobj, struct kobj_attribute *attr,
				   const char *buf, size_t count)
{
	const struct demeter_param *p = container_of(attr, struct demeter_param, attr);
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	unsigned int value;
	int ret = kstrtouint(buf, 10, &value);

	if (ret)
		return ret;
	if ((value < p->min && !(p->or_zero && !value)) || value > p->max)
		return -ERANGE;
	mutex_lock(&ctx->lock);
	if (p->only_stopped && demeter_is_running(ctx))
		ret = -EBUSY;
	else
		WRITE_ONCE(*demeter_param_value(ctx, p), value);
	mutex_unlock(&ctx->lock);
	return ret ?: count;
}

#define PARAM_IF(_name, _min, _max, _only_stopped, _or_zero)                          \
	static struct demeter_param demeter_param_##_name = {                         \
		.attr = __ATTR(_name, 0644, demeter_param_show, demeter_param_store), \
		.offset = offsetof(struct demeter_params, _name),                     \
		.min = _min,                                                          \
		.max = _max,                                                          \
		.only_stopped = _only_stopped,                                        \
		.or_zero = _or_zero,                                                  \
	}
#define PARAM(_name, _min, _max, _only_stopped) PARAM_IF(_name, _min, _max, _only_stopped, false)

PARAM(epoch_ms, 10, 60000, false);
PARAM(sample_period, 16, 1 << 30, true);
PARAM_IF(store_period, 16, 1 << 30, true, true);
PARAM(sample_rate, 100, 1000000, false);
PARAM(latency_threshold, 3, 65535, true);
PARAM(split_threshold, 1, 1 << 20, false);
PARAM(merge_epochs, 1, 1 << 20, false);
PARAM(max_ranges, 2, DEMETER_MAX_RANGES, true);
PARAM(cool_epochs, 1, 1 << 20, false);
PARAM(backoff_epochs, 1, 1 << 20, false);
PARAM(relocate_percent, 1, 100, false);
PARAM(relocate_mib, 1, 1 << 20, false);
PARAM(margin, 1, 64, false);
PARAM(exchange_ns, 0, 1 << 30, false);
PARAM(tier_ns, 1, 1 << 30, false);
PARAM(page_counters, 0, 1, false);

/* Files that say what is managed, by which source, and which nodes make up the tiers. */

static ssize_t demeter_enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", demeter_is_running(demeter_kobj_ctx(kobj)));
}

static ssize_t demeter_enabled_store(struct kobject *kobj, struct kobj_attribute *attr,
				     const char *buf, size_t count)
{
	bool on;
	int ret = kstrtobool(buf, &on);

	if (!ret)
		ret = demeter_holds_set_admin(demeter_kobj_ctx(kobj), on);
	return ret ?: count;
}

static ssize_t demeter_nr_holds_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(demeter_kobj_ctx(kobj)->holds.nr));
}

static ssize_t demeter_sources_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	ssize_t len;

	mutex_lock(&ctx->lock);
	len = demeter_source_show(ctx, buf);
	mutex_unlock(&ctx->lock);
	return len;
}

static ssize_t demeter_source_store(struct kobject *kobj, struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	int ret;

	mutex_lock(&ctx->lock);
	ret = demeter_source_choose(ctx, buf);
	mutex_unlock(&ctx->lock);
	return ret ?: count;
}

static ssize_t demeter_health_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	ssize_t len;

	mutex_lock(&ctx->lock);
	len = demeter_source_health(ctx, buf);
	mutex_unlock(&ctx->lock);
	return len;
}

static ssize_t demeter_nodes_show(char *buf, const nodemask_t *nodes)
{
	return sysfs_emit(buf, "%*pbl\n", nodemask_pr_args(nodes));
}

static ssize_t demeter_nodes_store(struct demeter_ctx *ctx, const char *buf, size_t count,
				   nodemask_t *nodes)
{
	nodemask_t given;
	int ret = nodelist_parse(buf, given);

	if (ret)
		return ret;
	if (!nodes_subset(given, node_states[N_MEMORY]))
		return -ENODEV;
	mutex_lock(&ctx->lock);
	if (demeter_is_running(ctx)) {
		ret = -EBUSY;
	} else {
		*nodes = given;
		ctx->nodes_are_named = !nodes_empty(ctx->fast_nodes) ||
				       !nodes_empty(ctx->slow_nodes);
	}
	mutex_unlock(&ctx->lock);
	return ret ?: count;
}

static ssize_t demeter_fast_nodes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return demeter_nodes_show(buf, &demeter_kobj_ctx(kobj)->fast_nodes);
}

static ssize_t demeter_fast_nodes_store(struct kobject *kobj, struct kobj_attribute *attr,
					const char *buf, size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);

	return demeter_nodes_store(ctx, buf, count, &ctx->fast_nodes);
}

static ssize_t demeter_slow_nodes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return demeter_nodes_show(buf, &demeter_kobj_ctx(kobj)->slow_nodes);
}

static ssize_t demeter_slow_nodes_store(struct kobject *kobj, struct kobj_attribute *attr,
					const char *buf, size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);

	return demeter_nodes_store(ctx, buf, count, &ctx->slow_nodes);
}

static ssize_t demeter_attach_store(struct kobject *kobj, struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	int ret;

	mutex_lock(&ctx->lock);
	ret = demeter_target_attach(ctx, &ctx->scopes.admin, buf);
	mutex_unlock(&ctx->lock);
	return ret ?: count;
}

static ssize_t demeter_detach_store(struct kobject *kobj, struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	int ret;

	mutex_lock(&ctx->lock);
	ret = demeter_target_detach(ctx, &ctx->scopes.admin, buf);
	mutex_unlock(&ctx->lock);
	return ret ?: count;
}

/* There may be more scopes than fit in a page. */
static ssize_t demeter_scope_list_read(struct file *file, struct kobject *kobj,
				       struct bin_attribute *attr, char *buf, loff_t offset,
				       size_t count)
{
	struct demeter_ctx *ctx = demeter_kobj_ctx(kobj);
	ssize_t len;

	mutex_lock(&ctx->lock);
	len = demeter_scopes_read(&ctx->scopes, buf, offset, count);
	mutex_unlock(&ctx->lock);
	return len;
}

#define ATTR(_name, _mode, _show, _store) \
	static struct kobj_attribute demeter_##_name##_attr = __ATTR(_name, _mode, _show, _store)

ATTR(enabled, 0644, demeter_enabled_show, demeter_enabled_store);
ATTR(holds, 0444, demeter_nr_holds_show, NULL);
ATTR(source, 0644, demeter_sources_show, demeter_source_store);
ATTR(source_health, 0444, demeter_health_show, NULL);
ATTR(fast_nodes, 0644, demeter_fast_nodes_show, demeter_fast_nodes_store);
ATTR(slow_nodes, 0644, demeter_slow_nodes_show, demeter_slow_nodes_store);
ATTR(attach, 0200, NULL, demeter_attach_store);
ATTR(detach, 0200, NULL, demeter_detach_store);

static struct attribute *demeter_root_attrs[] = {
	&demeter_enabled_attr.attr,
	&demeter_holds_attr.attr,
	&demeter_source_attr.attr,
	&demeter_source_health_attr.attr,
	&demeter_fast_nodes_attr.attr,
	&demeter_slow_nodes_attr.attr,
	&demeter_attach_attr.attr,
	&demeter_detach_attr.attr,
	&demeter_param_epoch_ms.attr.attr,
	&demeter_param_sample_period.attr.attr,
	&demeter_param_store_period.attr.attr,
	&demeter_param_sample_rate.attr.attr,
	&demeter_param_latency_threshold.attr.attr,
	&demeter_param_split_threshold.attr.attr,
	&demeter_param_merge_epochs.attr.attr,
	&demeter_param_max_ranges.attr.attr,
	&demeter_param_cool_epochs.attr.attr,
	&demeter_param_backoff_epochs.attr.attr,
	&demeter_param_relocate_percent.attr.attr,
	&demeter_param_relocate_mib.attr.attr,
	&demeter_param_margin.attr.attr,
	&demeter_param_exchange_ns.attr.attr,
	&demeter_param_tier_ns.attr.attr,
	&demeter_param_page_counters.attr.attr,
	NULL,
};

static struct bin_attribute demeter_scopes_attr = {
	.attr = { .name = "scopes", .mode = 0444 },
	.read = demeter_scope_list_read,
};

static struct bin_attribute *demeter_root_bin_attrs[] = { &demeter_scopes_attr, NULL };

static const struct attribute_group demeter_root_group = {
	.attrs = demeter_root_attrs,
	.bin_attrs = demeter_root_bin_attrs,
};

/* Counters since the module was loaded, in a folder of their own. */

struct demeter_counter {
	struct kobj_attribute attr;
	size_t offset; /* in struct demeter_stats */
};

static ssize_t demeter_counter_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct demeter_counter *c = container_of(attr, struct demeter_counter, attr);
	const u64 *value = (void *)&demeter_kobj_ctx(kobj->parent)->stats + c->offset;

	return sysfs_emit(buf, "%llu\n", READ_ONCE(*value));
}

#define COUNTER_OF(_name, _field)                                        \
	static struct demeter_counter demeter_counter_##_name = {        \
		.attr = __ATTR(_name, 0444, demeter_counter_show, NULL), \
		.offset = offsetof(struct demeter_stats, _field),        \
	}
#define COUNTER(_name) COUNTER_OF(_name, _name)

COUNTER(epochs);
COUNTER(samples);
COUNTER(lost);
COUNTER(strays);
COUNTER(promoted);
COUNTER(demoted);
COUNTER(exchanged);
COUNTER(split);
COUNTER(busy);
COUNTER(refused);
COUNTER(gone);
COUNTER(no_room);
COUNTER(metadata);
COUNTER_OF(sample_ns, stage_ns[DEMETER_SAMPLE]);
COUNTER_OF(classify_ns, stage_ns[DEMETER_CLASSIFY]);
COUNTER_OF(rank_ns, stage_ns[DEMETER_RANK]);
COUNTER_OF(relocate_ns, stage_ns[DEMETER_RELOCATE]);

static struct attribute *demeter_stats_attrs[] = {
	&demeter_counter_epochs.attr.attr,	&demeter_counter_samples.attr.attr,
	&demeter_counter_lost.attr.attr,	&demeter_counter_strays.attr.attr,
	&demeter_counter_promoted.attr.attr,	&demeter_counter_demoted.attr.attr,
	&demeter_counter_exchanged.attr.attr,	&demeter_counter_split.attr.attr,
	&demeter_counter_busy.attr.attr,	&demeter_counter_refused.attr.attr,
	&demeter_counter_gone.attr.attr,	&demeter_counter_no_room.attr.attr,
	&demeter_counter_metadata.attr.attr,	&demeter_counter_sample_ns.attr.attr,
	&demeter_counter_classify_ns.attr.attr, &demeter_counter_rank_ns.attr.attr,
	&demeter_counter_relocate_ns.attr.attr, NULL,
};

static const struct attribute_group demeter_stats_group = { .attrs = demeter_stats_attrs };

static void demeter_root_release(struct kobject *kobj)
{
	complete(&demeter_kobj_ctx(kobj)->sysfs.released);
}

static const struct kobj_type demeter_root_type = {
	.release = demeter_root_release,
	.sysfs_ops = &kobj_sysfs_ops,
};

static void demeter_sysfs_put(struct demeter_sysfs *sysfs)
{
	kobject_put(sysfs->stats);
	kobject_put(sysfs->files);
	kobject_put(sysfs->targets);
	kobject_put(&sysfs->kobj);
	wait_for_completion(&sysfs->released);
}

/**
 * demeter_sysfs_init() - Make the folders
 * @ctx:	The context.
 *
 * Return: 0, or an error after which nothing is left of them.
 */
int demeter_sysfs_init(struct demeter_ctx *ctx)
{
	struct demeter_sysfs *sysfs = &ctx->sysfs;
	int ret;

	init_completion(&sysfs->released);
	atomic_set(&sysfs->nr_targets, 1);
	init_completion(&sysfs->no_targets);
	ret = kobject_init_and_add(&sysfs->kobj, &demeter_root_type, mm_kobj, "demeter");
	if (ret)
		goto put;
	sysfs->targets = kobject_create_and_add("targets", &sysfs->kobj);
	sysfs->files = kobject_create_and_add("files", &sysfs->kobj);
	sysfs->stats = kobject_create_and_add("stats", &sysfs->kobj);
	ret = -ENOMEM;
	if (sysfs->targets && sysfs->files && sysfs->stats)
		ret = sysfs_create_group(sysfs->stats, &demeter_stats_group);
	if (!ret)
		ret = sysfs_create_group(&sysfs->kobj, &demeter_root_group);
	if (!ret)
		return 0;
put:
	demeter_sysfs_put(sysfs);
	return ret;
}

/**
 * demeter_sysfs_exit() - Stop, drop all targets, and remove the folders
 * @ctx:	The context.
 *
 * Returns when nobody uses a file any more.
 */
void demeter_sysfs_exit(struct demeter_ctx *ctx)
{
	struct demeter_sysfs *sysfs = &ctx->sysfs;

	/* nobody starts or attaches from here on */
	sysfs_remove_group(&sysfs->kobj, &demeter_root_group);
	mutex_lock(&ctx->lock);
	ctx->holds.control->stop(ctx);
	demeter_targets_clear(ctx);
	mutex_unlock(&ctx->lock);
	if (!atomic_dec_and_test(&sysfs->nr_targets))
		wait_for_completion(&sysfs->no_targets);
	sysfs_remove_group(sysfs->stats, &demeter_stats_group);
	demeter_sysfs_put(sysfs);
}
