// SPDX-License-Identifier: GPL-2.0
/*
 * The folder of each target: of a process in /sys/kernel/mm/demeter/targets, of a file in
 * /sys/kernel/mm/demeter/files. Its files do not take the lock of the context: a folder is removed
 * under that lock, and waits for those who read.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/printk.h>
#include <linux/sysfs.h>

#include "demeter.h"

static struct demeter_target *demeter_kobj_target(struct kobject *kobj)
{
	return container_of(kobj, struct demeter_target, kobj);
}

static ssize_t demeter_comm_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", demeter_kobj_target(kobj)->comm);
}

static struct kobj_attribute demeter_comm_attr = __ATTR(comm, 0444, demeter_comm_show, NULL);

#define TARGET_STAT(_name, _value)                                                               \
	static ssize_t demeter_##_name##_show(struct kobject *kobj, struct kobj_attribute *attr, \
					      char *buf)                                         \
	{                                                                                        \
		return sysfs_emit(buf, "%llu\n",                                                 \
				  (u64)READ_ONCE(demeter_kobj_target(kobj)->_value));            \
	}                                                                                        \
	static struct kobj_attribute demeter_##_name##_attr =                                    \
		__ATTR(_name, 0444, demeter_##_name##_show, NULL)

static ssize_t demeter_unmanaged_read(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return demeter_unmanaged_show(demeter_kobj_target(kobj), buf);
}

static struct kobj_attribute demeter_unmanaged_attr =
	__ATTR(unmanaged, 0444, demeter_unmanaged_read, NULL);

TARGET_STAT(samples, samples);
TARGET_STAT(fast_pages, pages[DEMETER_FAST]);
TARGET_STAT(slow_pages, pages[DEMETER_SLOW]);
TARGET_STAT(promoted, promoted);
TARGET_STAT(demoted, demoted);
TARGET_STAT(nr_ranges, ranges.nr);
TARGET_STAT(splits, ranges.nr_splits);
TARGET_STAT(merges, ranges.nr_merges);

static struct attribute *demeter_target_attrs[] = {
	&demeter_comm_attr.attr,
	&demeter_samples_attr.attr,
	&demeter_fast_pages_attr.attr,
	&demeter_slow_pages_attr.attr,
	&demeter_promoted_attr.attr,
	&demeter_demoted_attr.attr,
	&demeter_nr_ranges_attr.attr,
	&demeter_splits_attr.attr,
	&demeter_merges_attr.attr,
	&demeter_unmanaged_attr.attr,
	NULL,
};

/* What is left alone is told by process, and names of files are told to nobody but root. */
static umode_t demeter_target_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	if (attr == &demeter_unmanaged_attr.attr &&
	    demeter_kobj_target(kobj)->kind != DEMETER_PROCESS)
		return 0;
	/* who may not look at a process may not know which files it has */
	if (attr == &demeter_comm_attr.attr && demeter_kobj_target(kobj)->kind != DEMETER_PROCESS)
		return 0400;
	return attr->mode;
}

/* Characters of a line, of which there is one for each range. */
#define RANGE_LINE 64

/*
 * Prints a range: start, end, samples, epochs since the last one, and since it was made. Lines
 * are of equal length, so that an offset in the file tells the line.
 */
static void demeter_range_print(char line[RANGE_LINE + 1], const struct demeter_ranges *rs,
				const struct demeter_range *r)
{
	size_t n;

	scnprintf(line, RANGE_LINE + 1, "%016lx %016lx %8llu %8u %8u", r->start, r->end,
		  min(r->count / RANGE_SAMPLE, 99999999ull),
		  min(rs->epoch - r->accessed, 99999999u), min(rs->epoch - r->born, 99999999u));
	n = strlen(line);
	memset(line + n, ' ', RANGE_LINE - n);
	line[RANGE_LINE - 1] = '\n';
}

static ssize_t demeter_ranges_read(struct file *file, struct kobject *kobj,
				   struct bin_attribute *attr, char *buf, loff_t offset,
				   size_t count)
{
	struct demeter_target *t = demeter_kobj_target(kobj);
	ssize_t len = 0;

	mutex_lock(&t->lock);
	for (u64 i = div_u64(offset, RANGE_LINE); i < t->ranges.nr && len < count; i++) {
		const size_t skip = len ? 0 : offset % RANGE_LINE;
		const size_t n = min(RANGE_LINE - skip, count - len);
		char line[RANGE_LINE + 1];

		demeter_range_print(line, &t->ranges, &t->ranges.ranges[i]);
		memcpy(buf + len, line + skip, n);
		len += n;
	}
	mutex_unlock(&t->lock);
	return len;
}

/* addresses of a process are not for everybody */
static struct bin_attribute demeter_ranges_attr = {
	.attr = { .name = "ranges", .mode = 0400 },
	.read = demeter_ranges_read,
};

static struct bin_attribute *demeter_target_bin_attrs[] = { &demeter_ranges_attr, NULL };

static const struct attribute_group demeter_target_group = {
	.attrs = demeter_target_attrs,
	.is_visible = demeter_target_is_visible,
	.bin_attrs = demeter_target_bin_attrs,
};

static const struct attribute_group *demeter_target_groups[] = { &demeter_target_group, NULL };

static void demeter_target_release(struct kobject *kobj)
{
	struct demeter_target *t = demeter_kobj_target(kobj);
	struct demeter_sysfs *sysfs = &t->ctx->sysfs;

	demeter_target_free(t);
	if (atomic_dec_and_test(&sysfs->nr_targets))
		complete(&sysfs->no_targets);
}

static const struct kobj_type demeter_target_type = {
	.release = demeter_target_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = demeter_target_groups,
};

/*
 * Whether there is a folder of that pid: of a process that has called exec, while others still
 * use its old mm.
 */
static bool demeter_target_is_shown(struct demeter_sysfs *sysfs, pid_t pid)
{
	struct kernfs_node *folder;
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	folder = kernfs_find_and_get(sysfs->targets->sd, name);
	kernfs_put(folder);
	return folder;
}

static int demeter_target_show(struct demeter_target *t)
{
	struct demeter_sysfs *sysfs = &t->ctx->sysfs;

	if (t->kind == DEMETER_FRAMES)
		return kobject_add(&t->kobj, sysfs->files, "unmapped");
	if (t->kind == DEMETER_FILE)
		return kobject_add(&t->kobj, sysfs->files, "%llu", ++sysfs->last_suffix);
	if (demeter_target_is_shown(sysfs, t->pid))
		return kobject_add(&t->kobj, sysfs->targets, "%d.%llu", t->pid,
				   ++sysfs->last_suffix);
	return kobject_add(&t->kobj, sysfs->targets, "%d", t->pid);
}

/* Without memory, a target is managed, but not shown. */
static void demeter_target_added(struct demeter_target *t)
{
	atomic_inc(&t->ctx->sysfs.nr_targets);
	kobject_init(&t->kobj, &demeter_target_type);
	if (demeter_target_show(t))
		pr_warn_ratelimited("%s (%d) is not shown in sysfs\n", t->comm, t->pid);
}

static void demeter_target_removed(struct demeter_target *t)
{
	if (t->kobj.state_in_sysfs)
		kobject_del(&t->kobj);
	kobject_put(&t->kobj);
}

const struct demeter_observer demeter_sysfs_observer = {
	.added = demeter_target_added,
	.removed = demeter_target_removed,
};
