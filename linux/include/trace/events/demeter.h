/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of what Demeter does in each epoch; see mm/demeter/core.c. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM demeter

#if !defined(_TRACE_DEMETER_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DEMETER_H

#include <linux/tracepoint.h>

struct demeter_plan;

TRACE_EVENT(demeter_epoch,
	TP_PROTO(int pid, unsigned int ranges, u64 splits, u64 merges, u64 samples),
	TP_ARGS(pid, ranges, splits, merges, samples),
	TP_STRUCT__entry(
		__field(int, pid)
		__field(unsigned int, ranges)
		__field(u64, splits)
		__field(u64, merges)
		__field(u64, samples)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->ranges = ranges;
		__entry->splits = splits;
		__entry->merges = merges;
		__entry->samples = samples;
	),
	TP_printk("pid=%d ranges=%u splits=%llu merges=%llu samples=%llu", __entry->pid,
		  __entry->ranges, __entry->splits, __entry->merges, __entry->samples)
);

TRACE_EVENT(demeter_rank,
	TP_PROTO(unsigned int size, u64 fast, u64 slow, const struct demeter_plan *plan),
	TP_ARGS(size, fast, slow, plan),
	TP_STRUCT__entry(
		__field(unsigned int, size)
		__field(u64, fast)
		__field(u64, slow)
		__field(unsigned int, hot)
		__field(unsigned int, cold)
		__field(u64, exchange)
		__field(u64, promote)
	),
	TP_fast_assign(
		__entry->size = size;
		__entry->fast = fast;
		__entry->slow = slow;
		__entry->hot = plan->hot;
		__entry->cold = plan->cold;
		__entry->exchange = plan->exchange;
		__entry->promote = plan->promote;
	),
	TP_printk("size=%u fast=%llu slow=%llu hot=%u cold=%u exchange=%llu promote=%llu",
		  __entry->size, __entry->fast, __entry->slow, __entry->hot, __entry->cold,
		  __entry->exchange, __entry->promote)
);

TRACE_EVENT(demeter_relocate,
	TP_PROTO(u64 promoted, u64 demoted, u64 exchanged, u64 busy, u64 refused),
	TP_ARGS(promoted, demoted, exchanged, busy, refused),
	TP_STRUCT__entry(
		__field(u64, promoted)
		__field(u64, demoted)
		__field(u64, exchanged)
		__field(u64, busy)
		__field(u64, refused)
	),
	TP_fast_assign(
		__entry->promoted = promoted;
		__entry->demoted = demoted;
		__entry->exchanged = exchanged;
		__entry->busy = busy;
		__entry->refused = refused;
	),
	TP_printk("promoted=%llu demoted=%llu exchanged=%llu busy=%llu refused=%llu",
		  __entry->promoted, __entry->demoted, __entry->exchanged, __entry->busy,
		  __entry->refused)
);

#endif /* _TRACE_DEMETER_H */

#include <trace/define_trace.h>
