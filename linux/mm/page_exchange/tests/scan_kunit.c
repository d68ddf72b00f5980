// SPDX-License-Identifier: GPL-2.0
/* Tests of what a scan tells about memory that is left alone: how much, and why. */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/page_exchange.h>
#include <linux/shmem_fs.h>
#include <linux/uaccess.h>

#include "kunit.h"

/* Pages of each area of the test. Page tables are shared by several areas. */
#define MAPPED 600
/* Steps that suffice for everything. */
#define ALL 100000

/* What a scan of all memory has found. */
struct counted {
	struct page_exchange_scan scan;
	unsigned long left[NR_PAGE_EXCHANGE_REASONS];
	unsigned long movable;
	const struct address_space *file;
	unsigned int files;
};

/* Keeps memory on no node at all, so nothing is allocated by it. It is never freed. */
static struct mempolicy scan_test_policy = { .refcnt = ATOMIC_INIT(1 << 20), .mode = MPOL_BIND };

static void scan_test_found(struct page_exchange_scan *scan)
{
	struct counted *c = container_of(scan, struct counted, scan);

	c->movable += bitmap_weight(scan->present, PTRS_PER_PTE);
}

/* Counts files. An area that takes several scans is told of more than once. */
static void scan_test_file(struct page_exchange_scan *scan, struct file *file, unsigned long window)
{
	struct counted *c = container_of(scan, struct counted, scan);

	c->files += file->f_mapping != c->file;
	c->file = file->f_mapping;
}

/*
 * Scans all memory of the test for pages on @fast_nodes, which are of both tiers, taking @steps at
 * a time, and counts it if it @counts. Returns what the last scan does.
 */
static int scan_test_scan(struct counted *c, const nodemask_t *fast_nodes, unsigned int steps,
			  bool counts)
{
	const struct page_exchange_space space = { .mm = current->mm };
	unsigned long at = 0;
	int ret;

	*c = (struct counted){ .scan.found = scan_test_found, .scan.file = scan_test_file };
	c->scan.fast_nodes = fast_nodes;
	c->scan.slow_nodes = fast_nodes;
	c->scan.left = counts ? c->left : NULL;
	do {
		c->scan.steps = steps;
		ret = page_exchange_scan(&space, at, TASK_SIZE, &c->scan);
		at = c->scan.next;
	} while (ret > 0);
	return ret;
}

/* Maps an area and touches its first @touched pages, by writing. */
static unsigned long scan_test_map(struct kunit *test, struct file *file, unsigned long flags,
				   unsigned int touched)
{
	const unsigned long at =
		kunit_vm_mmap(test, file, 0, MAPPED * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	for (unsigned int i = 0; i < touched; i++)
		KUNIT_ASSERT_EQ(test, put_user(1, (int __user *)(at + i * PAGE_SIZE)), 0);
	return at;
}

static void scan_test_set(struct kunit *test, unsigned long at, vm_flags_t flags,
			  struct mempolicy *policy)
{
	struct vm_area_struct *vma;

	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, at);
	if (vma) {
		vm_flags_set(vma, flags);
		if (policy)
			vma->vm_policy = policy;
	}
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, vma);
}

/* Its flags keep the area from becoming one with the next. */
static void scan_test_map_anonymous(struct kunit *test, vm_flags_t flags, struct mempolicy *policy,
				    unsigned int touched)
{
	scan_test_set(test, scan_test_map(test, NULL, MAP_ANONYMOUS | MAP_PRIVATE, touched),
		      flags | VM_DONTCOPY, policy);
}

/* Memory of all kinds, so many pages of each. */
enum { MOVABLE = 500, LOCKED = 520, BOUND = 530, SHARED = 540, COPIES = 550, TOUCHED = 560 };

static void scan_test_map_all(struct kunit *test)
{
	struct file *file = shmem_file_setup("scan_test", MAPPED * PAGE_SIZE, 0);
	unsigned long at;
	int word;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	scan_test_map_anonymous(test, 0, NULL, MOVABLE);
	scan_test_map_anonymous(test, VM_LOCKED, NULL, LOCKED);
	scan_test_map_anonymous(test, 0, &scan_test_policy, BOUND);
	scan_test_map_anonymous(test, VM_PFNMAP, NULL, 0);
	scan_test_map(test, NULL, MAP_ANONYMOUS | MAP_SHARED, SHARED);
	/* of what is mapped privately of a file, what was written is copied */
	at = scan_test_map(test, file, MAP_PRIVATE, COPIES);
	fput(file);
	for (unsigned int i = COPIES; i < TOUCHED; i++)
		KUNIT_ASSERT_EQ(test, get_user(word, (int __user *)(at + i * PAGE_SIZE)), 0);
}

static void scan_test_expect_all(struct kunit *test, struct counted *c)
{
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_MOVABLE], 0ul);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_POLICY], (unsigned long)BOUND);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_FILE], 0ul);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_SPECIAL], (unsigned long)MAPPED);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_CPUSET], 0ul);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_HUGETLB], 0ul);
}

/* However many steps a scan may take, each page is counted once. */
static void scan_test_counts_what_is_left_alone(struct kunit *test)
{
	static const unsigned int steps[] = { ALL, 1, 2, 9, 17 };
	struct counted *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	scan_test_map_all(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_EQ(test, scan_test_scan(c, &node_states[N_MEMORY], steps[i], true), 0);
		KUNIT_EXPECT_EQ(test, c->movable, (unsigned long)MOVABLE + LOCKED + COPIES);
		KUNIT_EXPECT_EQ(test, c->files, 2u);
		KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_NODE], 0ul);
		scan_test_expect_all(test, c);
	}
	page_exchange_count_rest(current->mm, &c->scan);
	scan_test_expect_all(test, c);
}

/* Pages of nodes that are not looked for could be moved, but belong to no tier. */
static void scan_test_counts_other_nodes(struct kunit *test)
{
	struct counted *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	nodemask_t others = node_states[N_MEMORY];

	KUNIT_ASSERT_NOT_NULL(test, c);
	node_clear(numa_node_id(), others);
	if (nodes_empty(others))
		kunit_skip(test, "needs two nodes");
	scan_test_map_all(test);
	KUNIT_EXPECT_EQ(test, scan_test_scan(c, &others, ALL, true), 0);
	KUNIT_EXPECT_EQ(test, c->movable, 0ul);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_NODE],
			(unsigned long)MOVABLE + LOCKED + COPIES);
	scan_test_expect_all(test, c);
}

/* Who does not want to know does not pay for it. */
static void scan_test_need_not_count(struct kunit *test)
{
	struct counted *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int steps;

	KUNIT_ASSERT_NOT_NULL(test, c);
	scan_test_map_all(test);
	KUNIT_EXPECT_EQ(test, scan_test_scan(c, &node_states[N_MEMORY], ALL, true), 0);
	steps = ALL - c->scan.steps;
	KUNIT_EXPECT_EQ(test, scan_test_scan(c, &node_states[N_MEMORY], ALL, false), 0);
	KUNIT_EXPECT_EQ(test, c->movable, (unsigned long)MOVABLE + LOCKED + COPIES);
	KUNIT_EXPECT_LT(test, ALL - c->scan.steps, steps);
}

/* A policy of the process holds for areas that have none. */
static void scan_test_counts_for_the_owner(struct kunit *test)
{
	struct counted *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct mempolicy *before;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, c);
	if (!IS_ENABLED(CONFIG_MEMCG))
		kunit_skip(test, "an mm has an owner where there are memory cgroups");
	scan_test_map_all(test);
	task_lock(current);
	before = current->mempolicy;
	current->mempolicy = &scan_test_policy;
	task_unlock(current);
	ret = scan_test_scan(c, &node_states[N_MEMORY], ALL, true);
	page_exchange_count_rest(current->mm, &c->scan);
	task_lock(current);
	current->mempolicy = before;
	task_unlock(current);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, c->movable, 0ul);
	KUNIT_EXPECT_EQ(test, c->left[PAGE_EXCHANGE_POLICY],
			(unsigned long)MOVABLE + LOCKED + BOUND + COPIES);
}

static struct kunit_case scan_test_cases[] = {
	KUNIT_CASE(scan_test_counts_what_is_left_alone),
	KUNIT_CASE(scan_test_counts_other_nodes),
	KUNIT_CASE(scan_test_need_not_count),
	KUNIT_CASE(scan_test_counts_for_the_owner),
	{},
};

struct kunit_suite page_exchange_scan_suite = {
	.name = "page-exchange-scan",
	.test_cases = scan_test_cases,
};
