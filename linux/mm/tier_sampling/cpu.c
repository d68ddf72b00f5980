// SPDX-License-Identifier: GPL-2.0
/*
 * Samples data addresses on a CPU.
 *
 * Counters sample whatever runs there, the kernel too. With PEBS, records stay in the debug store
 * until the processor runs another task or the buffer is full, so there are hardly any interrupts
 * and nobody polls. perf hands every record to the handler below, with interrupts off and often the
 * run queue locked, or in an NMI: it takes a note and returns. Handlers do not interrupt each
 * other: perf hands over records while the PMU of the CPU is disabled.
 *
 * The counters are not pinned: other users of perf get their share of them.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/topology.h>

#include "internal.h"

/* Samples that the ring of a CPU holds: more than two PEBS buffers of 64 KiB. */
#define RING_SAMPLES 8192

/*
 * Records of one batch follow one another within this time, and from one to the next is what
 * the driver and the handler below need for a record. Longer times are those between batches.
 */
#define BATCH_GAP_NS 5000

/* Where an access that hits depends on no tier. */
#define CACHES                                                                    \
	(PERF_MEM_LVL_L1 | PERF_MEM_LVL_LFB | PERF_MEM_LVL_L2 | PERF_MEM_LVL_L3 | \
	 PERF_MEM_LVL_REM_CCE1 | PERF_MEM_LVL_REM_CCE2 | PERF_MEM_LVL_IO | PERF_MEM_LVL_UNC)

/*
 * Whether it matters in which tier the memory of a sample is. Fast loads have been left out if
 * the event does not ask for the source.
 */
static bool tier_sampling_is_miss(struct tier_sampling_cpu *c, const struct perf_sample_data *data)
{
	const union perf_mem_data_src source = data->data_src;

	if (!(data->sample_flags & PERF_SAMPLE_DATA_SRC))
		return true;
	if (source.mem_op == PERF_MEM_OP_NA) {
		c->blind = true;
		return false;
	}
	return !(source.mem_lvl & PERF_MEM_LVL_HIT && source.mem_lvl & CACHES);
}

/*
 * Whether the kernel has accessed memory where it finds all of it, such as pages of files for
 * those who read them.
 */
static bool tier_sampling_is_direct(unsigned long addr)
{
	return addr >= PAGE_OFFSET && addr < (unsigned long)high_memory;
}

static void tier_sampling_sample(struct perf_event *event, struct perf_sample_data *data,
				 struct pt_regs *regs)
{
	struct tier_sampling_cpu *c = event->overflow_handler_context;
	const u64 now = local_clock();

	if (now - c->last < BATCH_GAP_NS) {
		c->timed++;
		c->timed_ns += now - c->last;
	}
	c->last = now;
	c->records++;
	if (!tier_sampling_is_miss(c, data))
		return;
	c->samples++;
	if (!(data->sample_flags & PERF_SAMPLE_ADDR) || !data->addr)
		return;
	/* a task that is exiting or of the kernel has no memory to manage */
	if (data->addr < TASK_SIZE_MAX && current->mm)
		tier_ring_write(&c->ring, current->mm, data->addr);
	else if (tier_sampling_is_direct(data->addr))
		tier_ring_write(&c->ring, NULL, __pa(data->addr));
}

/**
 * tier_sampling_cpu_init() - Prepare to sample a CPU
 * @c:		What is kept of it, all zero.
 * @cpu:	Its number.
 *
 * Return: 0 or -ENOMEM.
 */
int tier_sampling_cpu_init(struct tier_sampling_cpu *c, unsigned int cpu)
{
	return tier_ring_init(&c->ring, RING_SAMPLES, cpu_to_node(cpu));
}

/**
 * tier_sampling_cpu_exit() - Free what tier_sampling_cpu_init() has allocated
 * @c:		The CPU, whose counters are removed.
 */
void tier_sampling_cpu_exit(struct tier_sampling_cpu *c)
{
	tier_ring_free(&c->ring);
}

/**
 * tier_sampling_cpu_add() - Begin to sample an event on a CPU
 * @c:		The CPU.
 * @cpu:	Its number.
 * @n:		Number of the event.
 * @attrs:	All events.
 *
 * Return: 0 or an error of perf.
 */
int tier_sampling_cpu_add(struct tier_sampling_cpu *c, unsigned int cpu, int n,
			  struct perf_event_attr *attrs)
{
	struct perf_event *event;

	event = perf_event_create_kernel_counter(&attrs[n], cpu, NULL, tier_sampling_sample, c);
	c->events[n] = IS_ERR(event) ? NULL : event;
	c->idle[n] = 0;
	return PTR_ERR_OR_ZERO(event);
}

/**
 * tier_sampling_cpu_set_periods() - Take samples more or less often
 * @c:		The CPU.
 * @attrs:	The events, with their new periods.
 */
void tier_sampling_cpu_set_periods(struct tier_sampling_cpu *c, const struct perf_event_attr *attrs)
{
	for (int n = 0; n < TIER_SAMPLER_EVENTS; n++)
		if (c->events[n])
			perf_event_period(c->events[n], attrs[n].sample_period);
}

/**
 * tier_sampling_cpu_remove() - Sample an event on a CPU no longer
 * @c:		The CPU.
 * @n:		Number of the event, which need not be sampled.
 */
void tier_sampling_cpu_remove(struct tier_sampling_cpu *c, int n)
{
	if (c->events[n])
		perf_event_release_kernel(c->events[n]);
	c->events[n] = NULL;
	c->idle[n] = 0;
}

/**
 * tier_sampling_cpu_has_counted() - Whether an event has had its counter
 * @c:		The CPU.
 * @n:		Number of the event.
 *
 * Return: whether it has been counted, for however short a time.
 */
bool tier_sampling_cpu_has_counted(const struct tier_sampling_cpu *c, int n)
{
	u64 enabled, running = 0;

	if (c->events[n])
		perf_event_read_value(c->events[n], &enabled, &running);
	return running;
}

/**
 * tier_sampling_cpu_waits() - See whether an event waits for a counter that others have
 * @c:		The CPU.
 * @n:		Number of the event.
 *
 * Called regularly.
 *
 * Return: for how many calls it has waited.
 */
unsigned int tier_sampling_cpu_waits(struct tier_sampling_cpu *c, int n)
{
	const struct perf_event *event = c->events[n];
	const bool waits = event && READ_ONCE(event->state) != PERF_EVENT_STATE_ACTIVE;

	c->idle[n] = waits ? c->idle[n] + 1 : 0;
	return c->idle[n];
}

/**
 * tier_sampling_cpu_ns() - Estimate what sampling has cost
 * @c:		The CPU.
 *
 * Return: CPU time, which may be less than the last time.
 */
u64 tier_sampling_cpu_ns(const struct tier_sampling_cpu *c)
{
	const u64 records = READ_ONCE(c->records), timed = READ_ONCE(c->timed);

	return timed ? div64_u64(READ_ONCE(c->timed_ns), timed) * records : 0;
}
