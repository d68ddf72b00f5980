// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM gives guests of adaptive PEBS (kvm_intel.pebs_guest): what it offers, that userspace
 * has to ask for it, which bits raise #GP, that it is saved and restored, that the event filter
 * has its say, that loads are sampled, and what ends it. That nothing of it is there without
 * PEBS_BASELINE is tested on every Intel processor; the rest is skipped where KVM does not offer
 * it. Not run on hardware.
 */
#include "kvm_util.h"
#include "pmu.h"
#include "processor.h"
#include "test_util.h"

#define ADAPTIVE_GP	    BIT_ULL(34)
#define ADAPTIVE_FIXED(idx) BIT_ULL(32 + 4 * (idx))
#define GROUP_MEMORY	    BIT_ULL(0)
#define GROUP_REGISTERS	    BIT_ULL(1)
#define GROUP_XMM	    BIT_ULL(2)
#define ALL_GROUPS	    (GROUP_MEMORY | GROUP_REGISTERS | GROUP_XMM)
#define LOAD_LATENCY	    RAW_EVENT(0xcd, 0x01)
/* has to count beside LOAD_LATENCY on Sapphire and Emerald Rapids; perf's mem-loads-aux */
#define LOADS_AUX RAW_EVENT(0x03, 0x82)
#define THRESHOLD 3
#define FIXED	  32

#define PERIOD 1000
#define LOOPS  100000
/* The processor looks at some of the loads only; if at all, the buffer holds their records. */
#define LOAD_PERIOD 100
#define BUFFER_SIZE (16 * 4096)
/* A guest-physical address far above the memory of the VM */
#define NO_MEMORY BIT_ULL(40)
/* basic records: format and size, address, counters, time; with accesses: four more; 16 XMMs */
#define BASIC_SIZE  32
#define MEMORY_SIZE 64
#define XMM_SIZE    (BASIC_SIZE + 16 * 16)

/*
 * The debug store, Intel SDM, volume 3B, "64 Bit Format of the DS Save Area". The values of fixed
 * counters begin at 8 in format 4, and at 32 from format 5 on.
 */
struct debug_store {
	uint64_t bts[4];
	uint64_t base, index, maximum, threshold;
	uint64_t reset[48];
};

struct filter {
	uint32_t action, nevents, fixed_counter_bitmap, flags, pad[4];
	uint64_t events[2];
};

/* What is sampled: on which counter, as a bit of PEBS_ENABLE, and by which event select */
struct counter {
	const char *name;
	uint32_t bit;
	uint64_t event, aux;
	uint64_t period;
};

/* Branches, since the host would count instructions on a fixed counter for either. */
static const struct counter general_counter = {
	.name = "General counter",
	.event = INTEL_ARCH_BRANCHES_RETIRED,
	.period = PERIOD,
};

/* Instructions */
static const struct counter fixed_counter = {
	.name = "Fixed counter",
	.bit = FIXED,
	.period = PERIOD,
};

/* Set by the host, read by the guest */
static struct {
	struct debug_store *store;
	uint64_t buffer;
	uint64_t groups;
	struct counter counter;
	bool adaptive;
	bool no_memory; /* the buffer lies in none, the guest leaves it alone */
} ask;

/* Set by the guest, read by the host; loads: records of those that are sampled */
static struct {
	uint64_t counted, bytes, record_size, loads, pebs_enable;
} got;

/* What the guest loads */
static uint64_t words[512];

static uint64_t offered_caps;

static bool is_offered(uint64_t caps)
{
	return (caps & PERF_CAP_PEBS_BASELINE) && (caps & PERF_CAP_PEBS_FORMAT) >= 0x400;
}

/* Expect that exactly the bits of valid can be set, one at a time, upon what is in base. */
static void guest_try_bits(uint32_t msr, uint64_t base, uint64_t tried, uint64_t valid)
{
	uint8_t vector, expected;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(tried & BIT_ULL(bit)))
			continue;
		expected = valid & BIT_ULL(bit) ? 0 : GP_VECTOR;
		vector = wrmsr_safe(msr, base | BIT_ULL(bit));
		__GUEST_ASSERT(vector == expected, "MSR 0x%x, bit %d: vector %u instead of %u", msr,
			       bit, vector, expected);
		if (!expected)
			GUEST_ASSERT_EQ(rdmsr(msr), base | BIT_ULL(bit));
		wrmsr(msr, base);
	}
}

static uint64_t guest_counters(void)
{
	return GENMASK_ULL(this_cpu_property(X86_PROPERTY_PMU_NR_GP_COUNTERS) - 1, 0) |
	       GENMASK_ULL(32 + this_cpu_property(X86_PROPERTY_PMU_NR_FIXED_COUNTERS) - 1, 32);
}

static void guest_bits(void)
{
	const uint64_t high = GENMASK_ULL(63, 34);
	uint64_t fixed = 0;
	int i;

	for (i = 0; i < this_cpu_property(X86_PROPERTY_PMU_NR_FIXED_COUNTERS); i++)
		fixed |= ADAPTIVE_FIXED(i);

	guest_try_bits(MSR_PEBS_DATA_CFG, 0, ~0ull, ALL_GROUPS);
	guest_try_bits(MSR_PEBS_LD_LAT_THRESHOLD, 0, ~0ull, GENMASK_ULL(15, 0));
	guest_try_bits(MSR_IA32_PEBS_ENABLE, 0, ~0ull, guest_counters());
	guest_try_bits(MSR_CORE_PERF_FIXED_CTR_CTRL, 0, GENMASK_ULL(63, 32), fixed);
	/* bits 33:32 depend on transactional memory */
	guest_try_bits(MSR_P6_EVNTSEL0, 0, high, ADAPTIVE_GP);
	GUEST_ASSERT_EQ(wrmsr_safe(MSR_IA32_DS_AREA, BIT_ULL(63)), GP_VECTOR);
	GUEST_DONE();
}

static void guest_without(void)
{
	uint64_t value;

	GUEST_ASSERT_EQ(rdmsr_safe(MSR_PEBS_DATA_CFG, &value), GP_VECTOR);
	GUEST_ASSERT_EQ(wrmsr_safe(MSR_PEBS_DATA_CFG, 0), GP_VECTOR);
	GUEST_ASSERT_EQ(rdmsr_safe(MSR_PEBS_LD_LAT_THRESHOLD, &value), GP_VECTOR);
	GUEST_ASSERT_EQ(wrmsr_safe(MSR_PEBS_LD_LAT_THRESHOLD, 0), GP_VECTOR);
	guest_try_bits(MSR_CORE_PERF_FIXED_CTR_CTRL, 0, GENMASK_ULL(63, 32), 0);
	guest_try_bits(MSR_P6_EVNTSEL0, 0, GENMASK_ULL(63, 34), 0);
	GUEST_DONE();
}

/* Of the records with accesses: how many are of loads of words */
static uint64_t guest_count_loads(void)
{
	const uint64_t first = (uint64_t)words;
	uint64_t record, address, loads = 0;

	for (record = ask.buffer; record < ask.store->index; record += MEMORY_SIZE) {
		address = *(uint64_t *)(record + BASIC_SIZE);
		if (address >= first && address < first + sizeof(words))
			loads++;
	}
	return loads;
}

static void guest_stop(void)
{
	wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, 0);
	wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	wrmsr(MSR_P6_EVNTSEL0, 0);
	wrmsr(MSR_P6_EVNTSEL1, 0);
	wrmsr(MSR_CORE_PERF_FIXED_CTR_CTRL, 0);
}

/* Let the counter count what was asked for; the auxiliary event has counter 0. */
static void guest_select(const struct counter *counter)
{
	const uint64_t select = ARCH_PERFMON_EVENTSEL_ENABLE | ARCH_PERFMON_EVENTSEL_OS;

	if (counter->bit == FIXED) {
		wrmsr(MSR_CORE_PERF_FIXED_CTR_CTRL,
		      FIXED_PMC_CTRL(0, FIXED_PMC_KERNEL) | (ask.adaptive ? ADAPTIVE_FIXED(0) : 0));
		return;
	}
	wrmsr(MSR_P6_EVNTSEL0 + counter->bit,
	      select | counter->event | (ask.adaptive ? ADAPTIVE_GP : 0));
	if (counter->aux)
		wrmsr(MSR_P6_EVNTSEL0, select | counter->aux);
}

/* Sample as asked, and tell what came of it. */
static void guest_sample(void)
{
	const uint64_t width = this_cpu_property(X86_PROPERTY_PMU_GP_COUNTERS_BIT_WIDTH);
	uint64_t start, bit, i;

	for (;;) {
		const struct counter *counter = &ask.counter;
		struct debug_store *store = ask.store;
		const uint32_t msr = counter->bit == FIXED ? MSR_CORE_PERF_FIXED_CTR0
							   : MSR_IA32_PMC0 + counter->bit;

		guest_stop();
		start = -counter->period & GENMASK_ULL(width - 1, 0);
		bit = BIT_ULL(counter->bit);

		store->base = ask.buffer;
		store->index = ask.buffer;
		store->maximum = ask.buffer + BUFFER_SIZE;
		/* no interrupt: the guest has no handler */
		store->threshold = store->maximum + 1;
		for (i = 0; i < ARRAY_SIZE(store->reset); i++)
			store->reset[i] = start;
		if (!ask.no_memory)
			*(uint64_t *)ask.buffer = 0;

		wrmsr(MSR_IA32_DS_AREA, (uint64_t)store);
		wrmsr(MSR_PEBS_DATA_CFG, ask.groups);
		wrmsr(MSR_PEBS_LD_LAT_THRESHOLD, THRESHOLD);
		wrmsr(msr, start);
		guest_select(counter);
		wrmsr(MSR_IA32_PEBS_ENABLE, bit);
		wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, bit | (counter->aux ? BIT_ULL(0) : 0));
		if (counter->event == LOAD_LATENCY) {
			for (i = 0; i < LOOPS; i++)
				READ_ONCE(words[i % ARRAY_SIZE(words)]);
		} else {
			__asm__ __volatile__("loop ." : "+c"((int){ LOOPS }));
		}
		wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, 0);

		got.counted = rdmsr(msr) - start;
		got.pebs_enable = rdmsr(MSR_IA32_PEBS_ENABLE);
		got.bytes = store->index - ask.buffer;
		if (!ask.no_memory) {
			got.record_size = *(uint64_t *)ask.buffer >> 48;
			got.loads = counter->event == LOAD_LATENCY ? guest_count_loads() : 0;
		}
		GUEST_SYNC(0);
	}
}

static void run_to_end(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
		break;
	case UCALL_SYNC:
	case UCALL_DONE:
		break;
	default:
		TEST_FAIL("Unexpected ucall: %lu", uc.cmd);
	}
}

static void test_without_baseline(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_without);

	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, 0);
	run_to_end(vcpu);
	TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD, 3),
		    "A threshold is set of a guest without PEBS");
	kvm_vm_free(vm);
}

/* A vCPU that takes what it was born with is as on a host that does not offer adaptive PEBS. */
static void test_start(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_without);
	const uint64_t start = vcpu_get_msr(vcpu, MSR_IA32_PERF_CAPABILITIES);

	TEST_ASSERT(!(start & PERF_CAP_PEBS_BASELINE), "Adaptive PEBS was not asked for");
	TEST_ASSERT_EQ(start & ~PMU_CAP_LBR_FMT, offered_caps & ~PERF_CAP_PEBS_BASELINE);
	TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, GROUP_MEMORY),
		    "There are groups of records that were not asked for");
	if (start & PMU_CAP_LBR_FMT)
		TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES,
					   start | PERF_CAP_PEBS_BASELINE),
			    "LBRs and adaptive PEBS are accepted at once");

	/* There and back, as what was saved on another host */
	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, offered_caps);
	vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, GROUP_MEMORY);
	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, start);
	run_to_end(vcpu);
	kvm_vm_free(vm);
}

static bool is_listed(uint32_t msr)
{
	const struct kvm_msr_list *list = kvm_get_msr_index_list();
	int i;

	for (i = 0; i < list->nmsrs; i++) {
		if (list->indices[i] == msr)
			return true;
	}
	return false;
}

static void test_offer(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_bits);
	const uint32_t width = kvm_cpu_property(X86_PROPERTY_PMU_GP_COUNTERS_BIT_WIDTH);

	TEST_ASSERT(!(offered_caps & PMU_CAP_LBR_FMT), "LBRs are offered beside adaptive PEBS");
	TEST_ASSERT(is_listed(MSR_PEBS_LD_LAT_THRESHOLD) && is_listed(MSR_PEBS_DATA_CFG),
		    "MSRs of adaptive PEBS are not saved");

	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, offered_caps);
	vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, GROUP_MEMORY);
	vcpu_set_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD, 64);
	vcpu_set_msr(vcpu, MSR_IA32_PEBS_ENABLE, BIT_ULL(32));

	/* Another PMU starts from nothing, and narrow counters have no PEBS. */
	vcpu_set_cpuid_property(vcpu, X86_PROPERTY_PMU_GP_COUNTERS_BIT_WIDTH, width - 8);
	TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, GROUP_MEMORY),
		    "Narrow counters have PEBS");
	vcpu_set_cpuid_property(vcpu, X86_PROPERTY_PMU_GP_COUNTERS_BIT_WIDTH, width);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_DATA_CFG), 0);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD), 0);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PEBS_ENABLE), 0);

	run_to_end(vcpu);
	kvm_vm_free(vm);
}

static void test_save_restore(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_bits);
	struct kvm_x86_state *state;

	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, offered_caps);
	vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, ALL_GROUPS);
	vcpu_set_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD, 0xffff);
	vcpu_set_msr(vcpu, MSR_IA32_PEBS_ENABLE, BIT_ULL(32) | BIT_ULL(0));
	vcpu_set_msr(vcpu, MSR_CORE_PERF_FIXED_CTR_CTRL, ADAPTIVE_FIXED(0));
	vcpu_set_msr(vcpu, MSR_P6_EVNTSEL0, ADAPTIVE_GP);

	state = vcpu_save_state(vcpu);
	kvm_vm_release(vm);
	vcpu = vm_recreate_with_one_vcpu(vm);
	/* before all that depends on it */
	vcpu_set_msr(vcpu, MSR_IA32_PERF_CAPABILITIES, offered_caps);
	vcpu_load_state(vcpu, state);
	kvm_x86_state_cleanup(state);

	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_DATA_CFG), ALL_GROUPS);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD), 0xffff);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PEBS_ENABLE), BIT_ULL(32) | BIT_ULL(0));
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_CORE_PERF_FIXED_CTR_CTRL), ADAPTIVE_FIXED(0));
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_P6_EVNTSEL0), ADAPTIVE_GP);
	kvm_vm_free(vm);
}

/* A VM with one vCPU that samples as it is asked to */
static struct kvm_vm *create_sampling(struct kvm_vcpu **vcpu)
{
	struct kvm_vm *vm = vm_create_with_one_vcpu(vcpu, guest_sample);

	vcpu_set_msr(*vcpu, MSR_IA32_PERF_CAPABILITIES, offered_caps);
	ask.store = (void *)vm_vaddr_alloc_page(vm);
	ask.buffer = vm_vaddr_alloc(vm, BUFFER_SIZE, KVM_UTIL_MIN_VADDR);
	ask.no_memory = false;
	return vm;
}

static void run_sampling(struct kvm_vcpu *vcpu, const struct counter *counter, bool adaptive,
			 uint64_t groups)
{
	ask.counter = *counter;
	ask.adaptive = adaptive;
	ask.groups = groups;
	sync_global_to_guest(vcpu->vm, ask);
	run_to_end(vcpu);
	sync_global_from_guest(vcpu->vm, got);
	TEST_ASSERT_EQ(got.pebs_enable, ask.no_memory ? 0 : BIT_ULL(counter->bit));
}

/*
 * Sample, and expect records of a size, or if that is 0, that nothing is counted. Each loop is an
 * event: there are as many records as periods, if the counter is reloaded with the period. They
 * may be fewer by what exits cost, and more by what the guest does else.
 */
static void sample(struct kvm_vcpu *vcpu, const struct counter *counter, bool adaptive,
		   uint64_t groups, uint64_t expected_size)
{
	const uint64_t expected = LOOPS / counter->period;
	uint64_t records;

	run_sampling(vcpu, counter, adaptive, groups);
	if (!expected_size) {
		TEST_ASSERT(!got.counted && !got.bytes,
			    "%s: denied, but counted %lu, wrote %lu bytes", counter->name,
			    got.counted, got.bytes);
		return;
	}
	TEST_ASSERT(got.bytes && !(got.bytes % expected_size) && got.record_size == expected_size,
		    "%s: wrote %lu bytes in records of %lu, not of %lu", counter->name, got.bytes,
		    got.record_size, expected_size);
	records = got.bytes / expected_size;
	TEST_ASSERT(records >= expected * 3 / 4 && records <= expected * 5 / 4,
		    "%s: wrote %lu records, not about %lu", counter->name, records, expected);
}

static void set_filter(struct kvm_vm *vm, uint32_t action, uint32_t fixed, uint32_t nevents,
		       uint64_t event0, uint64_t event1)
{
	struct filter filter = {
		.action = action,
		.nevents = nevents,
		.fixed_counter_bitmap = fixed,
		.events = { event0, event1 },
	};

	vm_ioctl(vm, KVM_SET_PMU_EVENT_FILTER, (struct kvm_pmu_event_filter *)&filter);
}

static void test_filter(void)
{
	const struct counter *counters[] = { &general_counter, &fixed_counter };
	const uint64_t branches = INTEL_ARCH_BRANCHES_RETIRED;
	const struct counter *counter;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create_sampling(&vcpu);
	int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		counter = counters[i];
		/* all is allowed: each counter has the records that it asks for */
		set_filter(vm, KVM_PMU_EVENT_DENY, 0, 0, 0, 0);
		sample(vcpu, counter, true, 0, BASIC_SIZE);
		sample(vcpu, counter, true, GROUP_MEMORY, MEMORY_SIZE);
		sample(vcpu, counter, true, GROUP_XMM, XMM_SIZE);
		sample(vcpu, counter, false, GROUP_MEMORY, BASIC_SIZE);

		/* accesses are denied, the event is not */
		set_filter(vm, KVM_PMU_EVENT_DENY, 0, 1, LOAD_LATENCY, 0);
		sample(vcpu, counter, true, 0, BASIC_SIZE);
		sample(vcpu, counter, true, GROUP_MEMORY, 0);
		sample(vcpu, counter, false, GROUP_MEMORY, BASIC_SIZE);
		set_filter(vm, KVM_PMU_EVENT_ALLOW, BIT(0), 1, branches, 0);
		sample(vcpu, counter, true, GROUP_MEMORY, 0);

		/* both are allowed, then only the accesses */
		set_filter(vm, KVM_PMU_EVENT_ALLOW, BIT(0), 2, branches, LOAD_LATENCY);
		sample(vcpu, counter, true, GROUP_MEMORY, MEMORY_SIZE);
		set_filter(vm, KVM_PMU_EVENT_ALLOW, 0, 1, LOAD_LATENCY, 0);
		sample(vcpu, counter, true, GROUP_MEMORY, 0);
		sample(vcpu, counter, true, 0, 0);
	}
	kvm_vm_free(vm);
}

/* Records of loads by their latency have the addresses of what the guest loads. */
static void test_load_latency(void)
{
	/* from format 5 on, it counts on all general counters but the first */
	const bool first = (offered_caps & PERF_CAP_PEBS_FORMAT) == 0x400;
	const struct counter loads = {
		.name = "Load latency",
		.bit = first ? 0 : 1,
		.event = LOAD_LATENCY,
		.aux = first ? 0 : LOADS_AUX,
		.period = LOAD_PERIOD,
	};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create_sampling(&vcpu);

	run_sampling(vcpu, &loads, true, GROUP_MEMORY);
	TEST_ASSERT(got.record_size == MEMORY_SIZE && !(got.bytes % MEMORY_SIZE),
		    "Load latency: wrote %lu bytes in records of %lu, not of %d", got.bytes,
		    got.record_size, MEMORY_SIZE);
	TEST_ASSERT(got.loads, "Load latency: none of %lu records is of what was loaded",
		    got.bytes / MEMORY_SIZE);
	kvm_vm_free(vm);
}

/* PEBS of a guest ends where its buffer lies in no memory, and begins again with another. */
static void test_no_memory(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create_sampling(&vcpu);
	const uint64_t buffer = ask.buffer;

	ask.buffer = vm_vaddr_unused_gap(vm, BUFFER_SIZE, KVM_UTIL_MIN_VADDR);
	ask.no_memory = true;
	virt_map(vm, ask.buffer, NO_MEMORY, BUFFER_SIZE / vm->page_size);
	run_sampling(vcpu, &general_counter, true, GROUP_MEMORY);

	ask.buffer = buffer;
	ask.no_memory = false;
	sample(vcpu, &general_counter, true, GROUP_MEMORY, MEMORY_SIZE);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(host_cpu_is_intel);
	TEST_REQUIRE(kvm_is_pmu_enabled());
	TEST_REQUIRE(!get_kvm_param_bool("ignore_msrs"));
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_PDCM));
	TEST_REQUIRE(kvm_cpu_has_p(X86_PROPERTY_PMU_VERSION));
	TEST_REQUIRE(kvm_cpu_property(X86_PROPERTY_PMU_VERSION) > 1);

	test_without_baseline();

	offered_caps = kvm_get_feature_msr(MSR_IA32_PERF_CAPABILITIES);
	__TEST_REQUIRE(is_offered(offered_caps),
		       "KVM offers no adaptive PEBS; it does on servers from Ice Lake on with "
		       "kvm_intel.pebs_guest=1");

	test_start();
	test_offer();
	test_save_restore();
	test_filter();
	test_load_latency();
	test_no_memory();
	return 0;
}
