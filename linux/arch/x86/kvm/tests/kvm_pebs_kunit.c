// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what KVM lets guests ask of adaptive PEBS (pebs.h), bit by bit: the numbers
 * are those of the manual, not the names that pebs.h is made of.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../pebs.h"

#define EVENT(event, umask) ((event) | (umask) << 8)

/* Bit 14 of PERF_CAPABILITIES is PEBS_BASELINE, bits 11:8 are the format. */
static u64 caps(u64 format, bool baseline)
{
	return format << 8 | (u64)baseline << 14;
}

static void pebs_test_groups(struct kunit *test)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ_MSG(test, !!(KVM_PEBS_DATA_CFG & BIT_ULL(bit)), bit < 3, "bit %u",
				    bit);
}

static void pebs_test_threshold(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, KVM_PEBS_LD_LAT, 0xffffull);
}

static void pebs_test_adaptive_by_format(struct kunit *test)
{
	u64 format;

	for (format = 0; format < 16; format++) {
		KUNIT_EXPECT_EQ_MSG(test, kvm_pebs_adaptive(caps(format, true)), format >= 4,
				    "format %llu", format);
		KUNIT_EXPECT_FALSE(test, kvm_pebs_adaptive(caps(format, false)));
	}
	/* all but PEBS_BASELINE, and all but the format */
	KUNIT_EXPECT_FALSE(test, kvm_pebs_adaptive(~BIT_ULL(14)));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_adaptive(~0xf00ull));
}

/* Bits 6, 7, 11:8 and 14 are of PEBS; the LBR format is in 5:0. */
static void pebs_test_caps(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kvm_pebs_caps(~0ull, true), 0x4fc0ull);
	KUNIT_EXPECT_EQ(test, kvm_pebs_caps(~0ull, false), 0xfc0ull);
	KUNIT_EXPECT_EQ(test, kvm_pebs_caps(0x3f, true), 0ull);
	KUNIT_EXPECT_EQ(test, kvm_pebs_caps(caps(4, false), true), caps(4, false));
}

static void pebs_test_offered_caps(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kvm_pebs_offered_caps(0x3f | caps(4, true)), caps(4, true));
	KUNIT_EXPECT_EQ(test, kvm_pebs_offered_caps(0x3f | caps(4, false)), 0x3f | caps(4, false));
	KUNIT_EXPECT_EQ(test, kvm_pebs_offered_caps(~0ull), ~0x3full);
	KUNIT_EXPECT_EQ(test, kvm_pebs_offered_caps(0), 0ull);
}

static void pebs_test_load_latency(struct kunit *test)
{
	const u64 load_latency = EVENT(0xcd, 0x01);

	KUNIT_EXPECT_TRUE(test, kvm_pebs_is_load_latency(load_latency));
	/* privilege levels, INT, EN, counter mask, ADAPTIVE */
	KUNIT_EXPECT_TRUE(test, kvm_pebs_is_load_latency(load_latency | 0x4ffff0000ull));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_is_load_latency(EVENT(0xcd, 0x02))); /* of stores */
	KUNIT_EXPECT_FALSE(test, kvm_pebs_is_load_latency(EVENT(0xcd, 0x03)));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_is_load_latency(EVENT(0xcc, 0x01)));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_is_load_latency(EVENT(0xb7, 0x01))); /* off-core */
	KUNIT_EXPECT_FALSE(test, kvm_pebs_is_load_latency(0));
}

static void pebs_test_counters(struct kunit *test)
{
	unsigned int bit, idx;

	for (bit = 0; bit < 64; bit++) {
		KUNIT_EXPECT_EQ_MSG(test, kvm_pebs_gp_adaptive(BIT_ULL(bit)), bit == 34, "bit %u",
				    bit);
		for (idx = 0; idx < 3; idx++)
			KUNIT_EXPECT_EQ_MSG(test, kvm_pebs_fixed_adaptive(BIT_ULL(bit), idx),
					    bit == 32 + 4 * idx, "bit %u, counter %u", bit, idx);
	}
}

static void pebs_test_widths(struct kunit *test)
{
	const struct x86_pmu_capability host = { .bit_width_gp = 48, .bit_width_fixed = 48 };

	KUNIT_EXPECT_TRUE(test, kvm_pebs_width_fits(&host, 48, 48));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_width_fits(&host, 40, 48));
	KUNIT_EXPECT_FALSE(test, kvm_pebs_width_fits(&host, 48, 32));
}

static struct kunit_case pebs_test_cases[] = {
	KUNIT_CASE(pebs_test_groups),
	KUNIT_CASE(pebs_test_threshold),
	KUNIT_CASE(pebs_test_adaptive_by_format),
	KUNIT_CASE(pebs_test_caps),
	KUNIT_CASE(pebs_test_offered_caps),
	KUNIT_CASE(pebs_test_load_latency),
	KUNIT_CASE(pebs_test_counters),
	KUNIT_CASE(pebs_test_widths),
	{},
};

static struct kunit_suite pebs_test_suite = {
	.name = "kvm_pebs",
	.test_cases = pebs_test_cases,
};
kunit_test_suite(pebs_test_suite);

MODULE_DESCRIPTION("KUnit tests of what guests may ask of PEBS");
MODULE_LICENSE("GPL");
