// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM gives guests of adaptive PEBS (kvm_intel.pebs_guest): what it offers, which bits
 * raise #GP, that userspace saves and restores it, and that the event filter has its say. That
 * nothing of it is there without PEBS_BASELINE is tested on every Intel processor; the rest is
 * skipped where KVM does not offer it. Not run on hardware.
 */
#include "kvm_util.h"
#include "pmu.h"
#include "processor.h"
#include "test_util.h"

#define ADAPTIVE_GP	    BIT_ULL(34)
#define ADAPTIVE_FIXED(idx) BIT_ULL(32 + 4 * (idx))
#define GROUP_MEMORY	    BIT_ULL(0)
#define GROUP_REGISTERS	    BIT_ULL(1)
#define LOAD_LATENCY	    RAW_EVENT(0xcd, 0x01)

#define PERIOD	    1000
#define LOOPS	    100000
#define BUFFER_SIZE (16 * 4096)
/* basic records: format and size, address, counters, time; with accesses: four more */
#define BASIC_SIZE  32
#define MEMORY_SIZE 64

/* The debug store, Intel SDM, volume 3B, "64 Bit Format of the DS Save Area" */
struct debug_store {
	uint64_t bts[4];
	uint64_t base, index, maximum, threshold;
	uint64_t reset[12];
};

struct filter {
	uint32_t action, nevents, fixed_counter_bitmap, flags, pad[4];
	uint64_t events[2];
};

/* Set by the host, read by the guest */
static struct {
	struct debug_store *store;
	uint64_t buffer;
	uint64_t groups;
	bool fixed, adaptive;
} ask;

/* Set by the guest, read by the host */
static struct {
	uint64_t counted, bytes, record_size;
} got;

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

	guest_try_bits(MSR_PEBS_DATA_CFG, 0, ~0ull, GROUP_MEMORY | GROUP_REGISTERS);
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

/*
 * Sample as asked, and tell what came of it: instructions on a fixed counter, branches on a
 * general one, since the host would count instructions on a fixed one for either.
 */
static void guest_sample(void)
{
	const uint64_t width = this_cpu_property(X86_PROPERTY_PMU_GP_COUNTERS_BIT_WIDTH);
	const uint64_t start = -PERIOD & GENMASK_ULL(width - 1, 0);

	for (;;) {
		struct debug_store *store = ask.store;
		const uint32_t counter = ask.fixed ? MSR_CORE_PERF_FIXED_CTR0 : MSR_IA32_PMC0;
		const uint64_t bit = ask.fixed ? BIT_ULL(32) : BIT_ULL(0);
		int i;

		wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, 0);
		wrmsr(MSR_IA32_PEBS_ENABLE, 0);
		wrmsr(MSR_P6_EVNTSEL0, 0);
		wrmsr(MSR_CORE_PERF_FIXED_CTR_CTRL, 0);

		store->base = ask.buffer;
		store->index = ask.buffer;
		store->maximum = ask.buffer + BUFFER_SIZE;
		/* no interrupt: the guest has no handler */
		store->threshold = store->maximum + 1;
		for (i = 0; i < ARRAY_SIZE(store->reset); i++)
			store->reset[i] = start;
		*(uint64_t *)ask.buffer = 0;

		wrmsr(MSR_IA32_DS_AREA, (uint64_t)store);
		wrmsr(MSR_PEBS_DATA_CFG, ask.groups);
		wrmsr(counter, start);
		if (ask.fixed)
			wrmsr(MSR_CORE_PERF_FIXED_CTR_CTRL,
			      FIXED_PMC_CTRL(0, FIXED_PMC_KERNEL) |
				      (ask.adaptive ? ADAPTIVE_FIXED(0) : 0));
		else
			wrmsr(MSR_P6_EVNTSEL0, ARCH_PERFMON_EVENTSEL_ENABLE |
						       ARCH_PERFMON_EVENTSEL_OS |
						       INTEL_ARCH_BRANCHES_RETIRED |
						       (ask.adaptive ? ADAPTIVE_GP : 0));
		wrmsr(MSR_IA32_PEBS_ENABLE, bit);
		wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, bit);
		__asm__ __volatile__("loop ." : "+c"((int){ LOOPS }));
		wrmsr(MSR_CORE_PERF_GLOBAL_CTRL, 0);

		got.counted = rdmsr(counter) - start;
		got.bytes = store->index - ask.buffer;
		got.record_size = *(uint64_t *)ask.buffer >> 48;
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

	vcpu_set_msr(vcpu, MSR_PEBS_DATA_CFG, GROUP_MEMORY | GROUP_REGISTERS);
	vcpu_set_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD, 0xffff);
	vcpu_set_msr(vcpu, MSR_IA32_PEBS_ENABLE, BIT_ULL(32) | BIT_ULL(0));
	vcpu_set_msr(vcpu, MSR_CORE_PERF_FIXED_CTR_CTRL, ADAPTIVE_FIXED(0));
	vcpu_set_msr(vcpu, MSR_P6_EVNTSEL0, ADAPTIVE_GP);

	state = vcpu_save_state(vcpu);
	kvm_vm_release(vm);
	vcpu = vm_recreate_with_one_vcpu(vm);
	vcpu_load_state(vcpu, state);
	kvm_x86_state_cleanup(state);

	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_DATA_CFG), GROUP_MEMORY | GROUP_REGISTERS);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_PEBS_LD_LAT_THRESHOLD), 0xffff);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PEBS_ENABLE), BIT_ULL(32) | BIT_ULL(0));
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_CORE_PERF_FIXED_CTR_CTRL), ADAPTIVE_FIXED(0));
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_P6_EVNTSEL0), ADAPTIVE_GP);
	kvm_vm_free(vm);
}

/* Sample, and expect records of a size, or if that is 0, that nothing is counted. */
static void sample(struct kvm_vcpu *vcpu, bool fixed, bool adaptive, uint64_t groups,
		   uint64_t expected_size)
{
	ask.fixed = fixed;
	ask.adaptive = adaptive;
	ask.groups = groups;
	sync_global_to_guest(vcpu->vm, ask);
	run_to_end(vcpu);
	sync_global_from_guest(vcpu->vm, got);

	if (!expected_size) {
		TEST_ASSERT(!got.counted && !got.bytes,
			    "%s counter: denied, but counted %lu, wrote %lu bytes",
			    fixed ? "Fixed" : "General", got.counted, got.bytes);
		return;
	}
	TEST_ASSERT(got.bytes && !(got.bytes % expected_size) && got.record_size == expected_size,
		    "%s counter: wrote %lu bytes in records of %lu, not of %lu",
		    fixed ? "Fixed" : "General", got.bytes, got.record_size, expected_size);
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
	const uint64_t branches = INTEL_ARCH_BRANCHES_RETIRED;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_sample);
	bool fixed;
	int i;

	ask.store = (void *)vm_vaddr_alloc_page(vm);
	ask.buffer = vm_vaddr_alloc(vm, BUFFER_SIZE, KVM_UTIL_MIN_VADDR);

	for (i = 0; i < 2; i++) {
		fixed = i;
		/* all is allowed: each counter has the records that it asks for */
		set_filter(vm, KVM_PMU_EVENT_DENY, 0, 0, 0, 0);
		sample(vcpu, fixed, true, 0, BASIC_SIZE);
		sample(vcpu, fixed, true, GROUP_MEMORY, MEMORY_SIZE);
		sample(vcpu, fixed, false, GROUP_MEMORY, BASIC_SIZE);

		/* accesses are denied, the event is not */
		set_filter(vm, KVM_PMU_EVENT_DENY, 0, 1, LOAD_LATENCY, 0);
		sample(vcpu, fixed, true, 0, BASIC_SIZE);
		sample(vcpu, fixed, true, GROUP_MEMORY, 0);
		sample(vcpu, fixed, false, GROUP_MEMORY, BASIC_SIZE);
		set_filter(vm, KVM_PMU_EVENT_ALLOW, BIT(0), 1, branches, 0);
		sample(vcpu, fixed, true, GROUP_MEMORY, 0);

		/* both are allowed, then only the accesses */
		set_filter(vm, KVM_PMU_EVENT_ALLOW, BIT(0), 2, branches, LOAD_LATENCY);
		sample(vcpu, fixed, true, GROUP_MEMORY, MEMORY_SIZE);
		set_filter(vm, KVM_PMU_EVENT_ALLOW, 0, 1, LOAD_LATENCY, 0);
		sample(vcpu, fixed, true, GROUP_MEMORY, 0);
		sample(vcpu, fixed, true, 0, 0);
	}
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

	test_offer();
	test_save_restore();
	test_filter();
	return 0;
}
