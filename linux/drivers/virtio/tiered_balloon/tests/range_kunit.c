// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what needs no device: ranges of pages, back-off, what a configuration must be. The
 * logic is compiled once more, so that the tests need not the driver.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../range.c"

static struct tb_ranges *tb_test_ranges(struct kunit *test)
{
	struct tb_ranges *ranges = kunit_kzalloc(test, sizeof(*ranges), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ranges);
	return ranges;
}

static void tb_test_expect(struct kunit *test, const struct tb_ranges *ranges, unsigned int i,
			   u64 frame, u32 pages)
{
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ranges->range[i].frame), frame);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ranges->range[i].pages), pages);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ranges->range[i].reserved), 0u);
}

static void tb_test_neighbours_become_one_range(struct kunit *test)
{
	struct tb_ranges *ranges = tb_test_ranges(test);

	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, 512, 512));
	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, 1024, 1));
	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, 0, 512));
	KUNIT_EXPECT_EQ(test, ranges->nr, 1u);
	tb_test_expect(test, ranges, 0, 0, 1025);
	/* there is a hole */
	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, 1026, 2));
	KUNIT_EXPECT_EQ(test, ranges->nr, 2u);
	tb_test_expect(test, ranges, 1, 1026, 2);
	KUNIT_EXPECT_EQ(test, ranges->pages, 1027ull);
	tb_ranges_clear(ranges);
	KUNIT_EXPECT_EQ(test, ranges->nr, 0u);
	KUNIT_EXPECT_EQ(test, ranges->pages, 0ull);
}

static void tb_test_full_ranges_only_grow(struct kunit *test)
{
	struct tb_ranges *ranges = tb_test_ranges(test);
	u64 frame = 0;

	for (unsigned int i = 0; i < VIRTIO_TB_MAX_RANGES; i++, frame += 2)
		KUNIT_ASSERT_TRUE(test, tb_ranges_add(ranges, frame, 1));
	KUNIT_EXPECT_FALSE(test, tb_ranges_add(ranges, frame, 1));
	KUNIT_EXPECT_EQ(test, ranges->pages, (u64)VIRTIO_TB_MAX_RANGES);
	/* next to the last one */
	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, frame - 1, 1));
	KUNIT_EXPECT_EQ(test, ranges->nr, (unsigned int)VIRTIO_TB_MAX_RANGES);
}

static void tb_test_a_range_does_not_wrap(struct kunit *test)
{
	struct tb_ranges *ranges = tb_test_ranges(test);

	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, 0, U32_MAX));
	KUNIT_EXPECT_TRUE(test, tb_ranges_add(ranges, U32_MAX, 1));
	KUNIT_EXPECT_EQ(test, ranges->nr, 2u);
	tb_test_expect(test, ranges, 0, 0, U32_MAX);
	tb_test_expect(test, ranges, 1, U32_MAX, 1);
}

static void tb_test_backoff_doubles_up_to_a_limit(struct kunit *test)
{
	struct tb_backoff backoff = {};
	unsigned int last = TB_BACKOFF_FIRST_MS;

	KUNIT_EXPECT_EQ(test, tb_backoff_next(&backoff), last);
	for (int i = 0; i < 20; i++) {
		const unsigned int next = tb_backoff_next(&backoff);

		KUNIT_EXPECT_EQ(test, next, min(2 * last, (unsigned int)TB_BACKOFF_LAST_MS));
		last = next;
	}
	KUNIT_EXPECT_EQ(test, last, (unsigned int)TB_BACKOFF_LAST_MS);
	tb_backoff_reset(&backoff);
	KUNIT_EXPECT_EQ(test, tb_backoff_next(&backoff), (unsigned int)TB_BACKOFF_FIRST_MS);
}

static struct virtio_tb_config tb_test_config(void)
{
	return (struct virtio_tb_config){
		.magic = cpu_to_le32(VIRTIO_TB_MAGIC),
		.version = cpu_to_le32(VIRTIO_TB_VERSION),
		.nodes = cpu_to_le32(2),
		.node = { { .pxm = cpu_to_le32(0), .pages = cpu_to_le64(1) },
			  { .pxm = cpu_to_le32(7), .pages = cpu_to_le64(1 << 20) } },
	};
}

static void tb_test_configurations(struct kunit *test)
{
	struct virtio_tb_config config = tb_test_config();
	const char *why;

	KUNIT_EXPECT_TRUE(test, tb_config_is_valid(&config, &why));
	KUNIT_EXPECT_NULL(test, why);
	/* a newer device knows this driver's version, too */
	config.version = cpu_to_le32(VIRTIO_TB_VERSION + 1);
	KUNIT_EXPECT_TRUE(test, tb_config_is_valid(&config, &why));

	config.version = 0;
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	KUNIT_EXPECT_NOT_NULL(test, why);
	config = tb_test_config();
	config.magic ^= cpu_to_le32(1);
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	config = tb_test_config();
	config.nodes = 0;
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	config.nodes = cpu_to_le32(VIRTIO_TB_MAX_NODES + 1);
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	config = tb_test_config();
	config.node[1].pages = 0;
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	config.node[1].pages = cpu_to_le64(1ULL << 52);
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
	config = tb_test_config();
	config.node[1].pxm = config.node[0].pxm;
	KUNIT_EXPECT_FALSE(test, tb_config_is_valid(&config, &why));
}

static struct kunit_case tb_range_cases[] = {
	KUNIT_CASE(tb_test_neighbours_become_one_range),
	KUNIT_CASE(tb_test_full_ranges_only_grow),
	KUNIT_CASE(tb_test_a_range_does_not_wrap),
	KUNIT_CASE(tb_test_backoff_doubles_up_to_a_limit),
	KUNIT_CASE(tb_test_configurations),
	{},
};

static struct kunit_suite tb_range_suite = {
	.name = "tiered-balloon",
	.test_cases = tb_range_cases,
};

kunit_test_suite(tb_range_suite);
MODULE_DESCRIPTION("KUnit tests of the tiered balloon");
MODULE_LICENSE("GPL");
