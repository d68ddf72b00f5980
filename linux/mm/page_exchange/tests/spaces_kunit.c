// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what is moved by migration: pages of a file that is mapped, of one that is not, pages
 * by their physical addresses, and what policies say of them. Skipped where there is one node only.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/page_exchange.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "kunit.h"

#define SPACE_PAGES 256u

/**
 * struct shared - A file in memory that is mapped
 * @file:	The file.
 * @at:		User address where it is mapped.
 * @near:	A node.
 * @far:	Another one.
 * @mapped:	Its offsets, as they are reached through the area that maps it.
 * @read:	The same, as they are reached through its first page.
 */
struct shared {
	struct file *file;
	unsigned long at;
	int near, far;
	struct page_exchange_space mapped;
	struct page_exchange_space read;
	unsigned long addrs[SPACE_PAGES];
	u8 obstacles[SPACE_PAGES];
	struct page_exchange pairs[SPACE_PAGES / 2];
};

static u64 spaces_test_word(unsigned int page)
{
	return page * 0x9e3779b97f4a7c15ull + 1;
}

static struct folio *spaces_test_folio(struct shared *s, unsigned int page)
{
	struct folio *folio = filemap_get_folio(s->file->f_mapping, page);

	if (IS_ERR(folio))
		return NULL;
	/* nobody takes it out of the file */
	folio_put(folio);
	return folio;
}

static int spaces_test_node(struct shared *s, unsigned int page)
{
	struct folio *folio = spaces_test_folio(s, page);

	return folio ? folio_nid(folio) : NUMA_NO_NODE;
}

static unsigned long spaces_test_frame(struct shared *s, unsigned int page)
{
	return PFN_PHYS(folio_pfn(spaces_test_folio(s, page)));
}

static unsigned int spaces_test_wrong(struct shared *s)
{
	unsigned int wrong = 0;
	u64 word;

	for (unsigned int page = 0; page < SPACE_PAGES; page++)
		wrong += get_user(word, (u64 __user *)(s->at + page * PAGE_SIZE)) ||
			 word != spaces_test_word(page);
	return wrong;
}

/* Migrates pages, whose addresses are in s->addrs. */
static unsigned int spaces_test_migrate(struct shared *s, const struct page_exchange_space *space,
					unsigned int n, int nid)
{
	nodemask_t nodes = nodemask_of_node(nid);

	return page_exchange_migrate(space, s->addrs, s->obstacles, n, false, &nodes);
}

static void spaces_test_offsets(struct shared *s, unsigned int first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		s->addrs[i] = (first + i) * PAGE_SIZE;
}

/* Makes a file, of which the first half is on one node, and the second on another. */
static struct shared *spaces_test_make(struct kunit *test)
{
	struct shared *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->near = first_node(node_states[N_MEMORY]);
	s->far = next_node(s->near, node_states[N_MEMORY]);
	if (s->far == MAX_NUMNODES)
		kunit_skip(test, "needs two nodes with memory");
	s->file = shmem_file_setup("spaces_test", SPACE_PAGES * PAGE_SIZE, VM_NORESERVE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s->file));
	s->at = kunit_vm_mmap(test, s->file, 0, SPACE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, 0);
	/* the area keeps it */
	fput(s->file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(s->at));
	for (unsigned int page = 0; page < SPACE_PAGES; page++)
		KUNIT_ASSERT_EQ(
			test,
			put_user(spaces_test_word(page), (u64 __user *)(s->at + page * PAGE_SIZE)),
			0);
	s->mapped.mm = current->mm;
	s->mapped.mapping = s->file->f_mapping;
	s->mapped.window = s->at + PAGE_SIZE;
	spaces_test_offsets(s, 0, SPACE_PAGES / 2);
	spaces_test_migrate(s, &s->mapped, SPACE_PAGES / 2, s->near);
	spaces_test_offsets(s, SPACE_PAGES / 2, SPACE_PAGES / 2);
	spaces_test_migrate(s, &s->mapped, SPACE_PAGES / 2, s->far);
	for (unsigned int page = 0; page < SPACE_PAGES; page++)
		KUNIT_ASSERT_EQ(test, spaces_test_node(s, page),
				page < SPACE_PAGES / 2 ? s->near : s->far);
	s->read.mapping = s->file->f_mapping;
	s->read.window = spaces_test_frame(s, 0);
	return s;
}

/* Lets pages of the two halves trade places. */
static unsigned int spaces_test_exchange(struct shared *s, const struct page_exchange_space *space)
{
	const int near = s->near, far = s->far;
	nodemask_t to_far = nodemask_of_node(far), to_near = nodemask_of_node(near);
	const struct page_exchange_side a = { *space, &to_far }, b = { *space, &to_near };

	for (unsigned int i = 0; i < SPACE_PAGES / 2; i++)
		s->pairs[i] = (struct page_exchange){
			.a = i * PAGE_SIZE,
			.b = (SPACE_PAGES / 2 + i) * PAGE_SIZE,
		};
	return page_exchange_pairs(&a, &b, s->pairs, SPACE_PAGES / 2);
}

static void spaces_test_shared_pages_trade_places(struct kunit *test)
{
	struct shared *s = spaces_test_make(test);

	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &s->mapped), SPACE_PAGES / 2);
	for (unsigned int i = 0; i < SPACE_PAGES / 2; i++) {
		KUNIT_EXPECT_TRUE(test, s->pairs[i].exchanged);
		KUNIT_EXPECT_EQ(test, spaces_test_node(s, i), s->far);
		KUNIT_EXPECT_EQ(test, spaces_test_node(s, SPACE_PAGES / 2 + i), s->near);
	}
	KUNIT_EXPECT_EQ(test, spaces_test_wrong(s), 0u);
}

/* The page by which a file is reached stays, and so does its partner. */
static void spaces_test_a_file_is_reached_by_a_page(struct kunit *test)
{
	struct shared *s = spaces_test_make(test);

	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &s->read), SPACE_PAGES / 2 - 1);
	KUNIT_EXPECT_FALSE(test, s->pairs[0].exchanged);
	KUNIT_EXPECT_EQ(test, spaces_test_node(s, 0), s->near);
	KUNIT_EXPECT_EQ(test, spaces_test_node(s, 1), s->far);
	KUNIT_EXPECT_EQ(test, spaces_test_wrong(s), 0u);
}

/* A file is not found where it is not, and nothing moves. */
static void spaces_test_a_file_that_is_gone(struct kunit *test)
{
	struct shared *s = spaces_test_make(test);
	struct page_exchange_space other = s->mapped;

	other.mapping = (void *)s;
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &other), 0u);
	KUNIT_EXPECT_EQ(test, s->pairs[0].obstacle_a, PAGE_EXCHANGE_UNTRIED);
	other = s->mapped;
	other.window = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &other), 0u);
	other = s->read;
	other.mapping = (void *)s;
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &other), 0u);
	other = s->read;
	other.window = virt_to_phys(s);
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &other), 0u);
	KUNIT_EXPECT_EQ(test, spaces_test_node(s, 1), s->near);
}

static void spaces_test_addresses_follow_frames(struct kunit *test)
{
	const struct page_exchange_space frames = {};
	struct shared *s = spaces_test_make(test);

	for (unsigned int i = 0; i < 8; i++)
		s->addrs[i] = spaces_test_frame(s, i);
	s->addrs[8] = virt_to_phys(s);
	KUNIT_EXPECT_EQ(test, spaces_test_migrate(s, &frames, 9, s->far), 8u);
	for (unsigned int i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, s->obstacles[i], PAGE_EXCHANGE_NO_OBSTACLE);
		KUNIT_EXPECT_EQ(test, spaces_test_node(s, i), s->far);
		KUNIT_EXPECT_EQ(test, s->addrs[i], spaces_test_frame(s, i));
	}
	KUNIT_EXPECT_EQ(test, s->obstacles[8], PAGE_EXCHANGE_GONE);
	KUNIT_EXPECT_EQ(test, spaces_test_wrong(s), 0u);
}

/* What is bound to a node does not leave it, however its pages are reached. */
static void spaces_test_policies_hold(struct kunit *test)
{
	struct shared *s = spaces_test_make(test);
	const struct page_exchange_space frames = {};
	struct mempolicy bound = { .refcnt = ATOMIC_INIT(1 << 20), .mode = MPOL_BIND };
	struct vm_area_struct *vma;
	int ret = -EINVAL;

	node_set(s->near, bound.nodes);
	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, s->at);
	if (vma)
		ret = vma->vm_ops->set_policy(vma, &bound);
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &s->mapped), 0u);
	KUNIT_EXPECT_EQ(test, s->pairs[1].obstacle_a, PAGE_EXCHANGE_REFUSED);
	KUNIT_EXPECT_EQ(test, spaces_test_exchange(s, &s->read), 0u);
	s->addrs[0] = spaces_test_frame(s, 5);
	KUNIT_EXPECT_EQ(test, spaces_test_migrate(s, &frames, 1, s->far), 0u);
	KUNIT_EXPECT_EQ(test, s->obstacles[0], PAGE_EXCHANGE_REFUSED);
	/* what is allowed is done */
	spaces_test_offsets(s, SPACE_PAGES / 2, 8);
	KUNIT_EXPECT_EQ(test, spaces_test_migrate(s, &s->mapped, 8, s->near), 8u);
	KUNIT_EXPECT_EQ(test, spaces_test_wrong(s), 0u);
}

/* What a scan of a file has found. */
struct spaces_found {
	struct page_exchange_scan scan;
	unsigned int present, fast;
};

static void spaces_test_found(struct page_exchange_scan *scan)
{
	struct spaces_found *f = container_of(scan, struct spaces_found, scan);

	f->present += bitmap_weight(scan->present, PTRS_PER_PTE);
	f->fast += bitmap_weight(scan->fast, PTRS_PER_PTE);
}

static void spaces_test_scans_find_pages_of_files(struct kunit *test)
{
	struct shared *s = spaces_test_make(test);
	const int near = s->near, far = s->far;
	const nodemask_t fast = nodemask_of_node(near), slow = nodemask_of_node(far);
	struct spaces_found *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->scan.found = spaces_test_found;
	f->scan.fast_nodes = &fast;
	f->scan.slow_nodes = &slow;
	f->scan.steps = 1000;
	KUNIT_EXPECT_EQ(test, page_exchange_scan(&s->mapped, 0, PUD_SIZE, &f->scan), 0);
	KUNIT_EXPECT_EQ(test, f->present, SPACE_PAGES);
	KUNIT_EXPECT_EQ(test, f->fast, SPACE_PAGES / 2);
	KUNIT_EXPECT_EQ(test, page_exchange_scan(&s->read, 0, PUD_SIZE, &f->scan), 0);
	KUNIT_EXPECT_EQ(test, f->present, 2 * SPACE_PAGES);
	s->read.window = virt_to_phys(s);
	KUNIT_EXPECT_EQ(test, page_exchange_scan(&s->read, 0, PUD_SIZE, &f->scan), -ESTALE);
}

static struct kunit_case spaces_test_cases[] = {
	KUNIT_CASE(spaces_test_shared_pages_trade_places),
	KUNIT_CASE(spaces_test_a_file_is_reached_by_a_page),
	KUNIT_CASE(spaces_test_a_file_that_is_gone),
	KUNIT_CASE(spaces_test_addresses_follow_frames),
	KUNIT_CASE(spaces_test_policies_hold),
	KUNIT_CASE(spaces_test_scans_find_pages_of_files),
	{},
};

struct kunit_suite page_exchange_spaces_suite = {
	.name = "page-exchange-spaces",
	.test_cases = spaces_test_cases,
};
