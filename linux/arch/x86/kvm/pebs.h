/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest may ask of adaptive PEBS: the bits of its MSRs, and the events that its
 * records tell as much as. Bits only, no state, so that KUnit tests need no KVM
 * (tests/kvm_pebs_kunit.c); pmu.c and vmx/ apply them.
 *
 * Names are those of the Intel SDM, volume 3B, "Adaptive PEBS" and "Load Latency Facility".
 */
#ifndef __KVM_X86_PEBS_H
#define __KVM_X86_PEBS_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/types.h>

#include <asm/msr-index.h>
#include <asm/perf_event.h>

/*
 * Groups that a guest may add to its records: what was accessed, general and XMM registers. No
 * LBRs, since these may hold branches of the host, nor what formats to come add. Linux asks for
 * XMM registers wherever there is adaptive PEBS, and for LBRs only where it has found some.
 */
#define KVM_PEBS_DATA_CFG (PEBS_DATACFG_MEMINFO | PEBS_DATACFG_GP | PEBS_DATACFG_XMMS)

/* MSR_PEBS_LD_LAT_THRESHOLD: core cycles; what perf takes, too */
#define KVM_PEBS_LD_LAT GENMASK_ULL(15, 0)

/* MEM_TRANS_RETIRED.LOAD_LATENCY: what the group of accesses tells of each load */
#define KVM_PEBS_LOAD_LATENCY 0x01cdull

/* Whether PERF_CAPABILITIES have adaptive PEBS: it began with format 4. */
static inline bool kvm_pebs_adaptive(u64 caps)
{
	return (caps & PERF_CAP_PEBS_BASELINE) && FIELD_GET(PERF_CAP_PEBS_FORMAT, caps) >= 4;
}

/* What PERF_CAPABILITIES tell guests of PEBS. */
static inline u64 kvm_pebs_caps(u64 host_caps, bool adaptive)
{
	u64 caps = host_caps & PERF_CAP_PEBS_MASK;

	return adaptive ? caps : caps & ~PERF_CAP_PEBS_BASELINE;
}

/*
 * What userspace is offered of PERF_CAPABILITIES, and can set all at once: a guest has adaptive
 * PEBS or LBRs (bits 5:0, their format), but not both.
 */
static inline u64 kvm_pebs_offered_caps(u64 supported)
{
	return supported & PERF_CAP_PEBS_BASELINE ? supported & ~GENMASK_ULL(5, 0) : supported;
}

/* Whether MSR_PEBS_LD_LAT_THRESHOLD holds for what an event select counts. */
static inline bool kvm_pebs_is_load_latency(u64 eventsel)
{
	return (eventsel & (ARCH_PERFMON_EVENTSEL_EVENT | ARCH_PERFMON_EVENTSEL_UMASK)) ==
	       KVM_PEBS_LOAD_LATENCY;
}

/* Whether a general counter writes the groups of MSR_PEBS_DATA_CFG, or basic records. */
static inline bool kvm_pebs_gp_adaptive(u64 eventsel)
{
	return eventsel & ICL_EVENTSEL_ADAPTIVE;
}

/* The same of fixed counter @idx. */
static inline bool kvm_pebs_fixed_adaptive(u64 fixed_ctr_ctrl, unsigned int idx)
{
	return fixed_ctr_ctrl & intel_fixed_bits_by_idx(idx, ICL_FIXED_0_ADAPTIVE);
}

/*
 * Whether counters are as wide as those of the CPU, which reloads them by itself from the guest's
 * memory.
 */
static inline bool kvm_pebs_width_fits(const struct x86_pmu_capability *host, int gp, int fixed)
{
	return gp == host->bit_width_gp && fixed == host->bit_width_fixed;
}

#endif /* __KVM_X86_PEBS_H */
