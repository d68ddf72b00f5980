// SPDX-License-Identifier: GPL-2.0
/*
 * Sums of what the kernel's own tiering costs, see include/linux/tier_stage.h, and the files in
 * /sys/kernel/mm/tier_stage that show them.
 *
 * They are always counted: a timer reads the clock twice, where a page is unmapped or copied or
 * a whole scan is done, and a count is one instruction.
 */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/cputime.h>
#include <linux/sysfs.h>
#include <linux/tier_stage.h>

DEFINE_PER_CPU(u64[NR_TIER_COUNTS], tier_counts);

/*
 * Returns the CPU time of this task, in ns. Time in which it waits or is preempted is none.
 *
 * task_sched_runtime() does the same under the lock of the run queue, which takes longer than
 * some of what is measured. The tick is kept out while both parts are read; another CPU that
 * updates them at the time makes the result wrong by a tick at most.
 */
static u64 tier_timer_now(void)
{
	const struct sched_entity *se = &current->se;
	unsigned long flags;
	u64 now;

	/* then the clock of a run queue lags by the time of interrupts or of the hypervisor */
	if (IS_ENABLED(CONFIG_IRQ_TIME_ACCOUNTING) || IS_ENABLED(CONFIG_PARAVIRT_TIME_ACCOUNTING))
		return task_sched_runtime(current);

	local_irq_save(flags);
	now = READ_ONCE(se->sum_exec_runtime) + local_clock() - READ_ONCE(se->exec_start);
	local_irq_restore(flags);
	return now;
}

/**
 * tier_timer_begin() - Begin to measure
 * @sum:	What the time is to be added to, by tier_timer_pause().
 *
 * Context: Task context.
 * Return: The timer, which runs.
 */
struct tier_timer tier_timer_begin(enum tier_count sum)
{
	return (struct tier_timer){ .begin = tier_timer_now(), .sum = sum };
}

/**
 * tier_timer_pause() - Add the time since the timer was begun or resumed
 * @timer:	A timer of this task that runs.
 */
void tier_timer_pause(struct tier_timer *timer)
{
	const s64 ns = tier_timer_now() - timer->begin;

	if (ns > 0)
		tier_count(timer->sum, ns);
}

/**
 * tier_timer_resume() - Go on after a pause
 * @timer:	A timer of this task that is paused.
 */
void tier_timer_resume(struct tier_timer *timer)
{
	timer->begin = tier_timer_now();
}

struct tier_stage_file {
	struct kobj_attribute attr;
	enum tier_count which;
};

static ssize_t tier_stage_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct tier_stage_file *file = container_of(attr, struct tier_stage_file, attr);
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(tier_counts, cpu)[file->which];
	return sysfs_emit(buf, "%llu\n", sum);
}

#define TIER_STAGE_FILE(_name, _which)                              \
	static struct tier_stage_file tier_stage_##_name = {        \
		.attr = __ATTR(_name, 0444, tier_stage_show, NULL), \
		.which = _which,                                    \
	}

TIER_STAGE_FILE(hint_faults_ns, TIER_HINT_FAULTS_NS);
TIER_STAGE_FILE(scan_ns, TIER_SCAN_NS);
TIER_STAGE_FILE(promote_ns, TIER_PROMOTE_NS);
TIER_STAGE_FILE(demote_ns, TIER_DEMOTE_NS);
TIER_STAGE_FILE(tlb_single, TIER_TLB_SINGLE);
TIER_STAGE_FILE(tlb_full, TIER_TLB_FULL);
TIER_STAGE_FILE(tlb_remote, TIER_TLB_REMOTE);

static struct attribute *tier_stage_attrs[] = {
	&tier_stage_hint_faults_ns.attr.attr, &tier_stage_scan_ns.attr.attr,
	&tier_stage_promote_ns.attr.attr,     &tier_stage_demote_ns.attr.attr,
	&tier_stage_tlb_single.attr.attr,     &tier_stage_tlb_full.attr.attr,
	&tier_stage_tlb_remote.attr.attr,     NULL,
};

static const struct attribute_group tier_stage_group = {
	.name = "tier_stage",
	.attrs = tier_stage_attrs,
};

static int __init tier_stage_init(void)
{
	return sysfs_create_group(mm_kobj, &tier_stage_group);
}
subsys_initcall(tier_stage_init);
