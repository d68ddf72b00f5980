// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the exchange of pages on memory of a process, and of its speed against
 * migration of the same pages there and back. They need two nodes with memory and are
 * skipped elsewhere.
 */
#include <kunit/test.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/page_exchange.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "kunit.h"

#define PAGES  2048
#define ROUNDS 4

/* Memory of which the first half is on one node, @near, and the second on another, @far. */
struct memory {
	struct mm_struct *mm;
	unsigned long at;
	int near, far;
	unsigned long *addrs;
	u8 *obstacles;
	struct page_exchange *pairs;
};

static unsigned long exchange_test_address(const struct memory *m, unsigned int page)
{
	return m->at + (unsigned long)page * PAGE_SIZE;
}

static unsigned int exchange_test_migrate(struct memory *m, unsigned long *addrs, u8 *obstacles,
					  unsigned int n, bool huge, int nid)
{
	const struct page_exchange_space space = { .mm = m->mm };
	nodemask_t nodes = nodemask_of_node(nid);

	return page_exchange_migrate(&space, addrs, obstacles, n, huge, &nodes);
}

/* Migrates the pages of [@first, @first + @n) to @nid, as far as they can be. */
static void exchange_test_send(struct memory *m, unsigned int first, unsigned int n, int nid)
{
	for (unsigned int i = 0; i < n; i++)
		m->addrs[i] = exchange_test_address(m, first + i);
	for (unsigned int i = 0; i < n; i += 512)
		exchange_test_migrate(m, m->addrs + i, m->obstacles + i, min(n - i, 512u), false,
				      nid);
}

static u64 exchange_test_word_of(unsigned int page, unsigned int i)
{
	return (page * 0x9e3779b97f4a7c15ull) ^ i;
}

static int exchange_test_fill(struct memory *m)
{
	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			if (put_user(exchange_test_word_of(page, i),
				     (u64 __user *)exchange_test_address(m, page) + i))
				return -EFAULT;
	return 0;
}

static unsigned int exchange_test_wrong_words(struct memory *m)
{
	unsigned int wrong = 0;
	u64 word;

	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			wrong += get_user(word, (u64 __user *)exchange_test_address(m, page) + i) ||
				 word != exchange_test_word_of(page, i);
	return wrong;
}

/* Returns the page that is mapped. Nobody else unmaps it, so it needs no reference. */
static struct page *exchange_test_page_of(struct memory *m, unsigned int page)
{
	struct page *p;

	if (get_user_pages_fast(exchange_test_address(m, page), 1, 0, &p) != 1)
		return NULL;
	put_page(p);
	return p;
}

static int exchange_test_node_of(struct memory *m, unsigned int page)
{
	struct page *p = exchange_test_page_of(m, page);

	return p ? page_to_nid(p) : NUMA_NO_NODE;
}

/* Returns how many pages of [@first, @first + @n) are not on @nid. */
static unsigned int exchange_test_astray(struct memory *m, unsigned int first, unsigned int n,
					 int nid)
{
	unsigned int astray = 0;

	for (unsigned int i = first; i < first + n; i++)
		astray += exchange_test_node_of(m, i) != nid;
	return astray;
}

/* Likewise, after an attempt to have them there. */
static unsigned int exchange_test_place(struct memory *m, unsigned int first, unsigned int n,
					int nid)
{
	exchange_test_send(m, first, n, nid);
	return exchange_test_astray(m, first, n, nid);
}

static bool exchange_test_is_huge(struct memory *m, unsigned int page)
{
	struct page *p = exchange_test_page_of(m, page);

	return p && PageCompound(p);
}

static struct memory *exchange_test_make_memory(struct kunit *test)
{
	struct memory *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->near = first_node(node_states[N_MEMORY]);
	m->far = next_node(m->near, node_states[N_MEMORY]);
	if (m->far == MAX_NUMNODES)
		kunit_skip(test, "needs two nodes with memory");
	m->at = kunit_vm_mmap(test, NULL, 0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(m->at));
	m->mm = current->mm;
	m->addrs = kunit_kmalloc_array(test, PAGES, sizeof(*m->addrs), GFP_KERNEL);
	m->obstacles = kunit_kmalloc_array(test, PAGES, sizeof(*m->obstacles), GFP_KERNEL);
	m->pairs = kunit_kmalloc_array(test, PAGES / 2, sizeof(*m->pairs), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, m->addrs && m->obstacles && m->pairs);
	KUNIT_ASSERT_EQ(test, exchange_test_fill(m), 0);
	KUNIT_ASSERT_EQ(test, exchange_test_place(m, 0, PAGES / 2, m->near), 0u);
	KUNIT_ASSERT_EQ(test, exchange_test_place(m, PAGES / 2, PAGES / 2, m->far), 0u);
	for (unsigned int i = 0; i < PAGES / 2; i++)
		m->pairs[i] =
			(struct page_exchange){ .a = exchange_test_address(m, i),
						.b = exchange_test_address(m, PAGES / 2 + i) };
	return m;
}

static unsigned int exchange_test_run(struct memory *m, unsigned int n)
{
	const int near = m->near, far = m->far;
	nodemask_t to_far = nodemask_of_node(far), to_near = nodemask_of_node(near);
	const struct page_exchange_side a = { { .mm = m->mm }, &to_far };
	const struct page_exchange_side b = { { .mm = m->mm }, &to_near };

	return page_exchange_pairs(&a, &b, m->pairs, n);
}

static void exchange_test_pages_trade_places(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);

	KUNIT_EXPECT_EQ(test, exchange_test_run(m, PAGES / 2), PAGES / 2);
	for (unsigned int i = 0; i < PAGES / 2; i += 37) {
		KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, i), m->far);
		KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, PAGES / 2 + i), m->near);
		KUNIT_EXPECT_TRUE(test, m->pairs[i].exchanged);
		KUNIT_EXPECT_EQ(test, m->pairs[i].obstacle_a, PAGE_EXCHANGE_NO_OBSTACLE);
		KUNIT_EXPECT_EQ(test, m->pairs[i].obstacle_b, PAGE_EXCHANGE_NO_OBSTACLE);
	}
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, PAGES / 2), PAGES / 2);
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, 0), m->near);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
}

/* A page that somebody has pinned stays, and so does its partner. */
static void exchange_test_pinned_pages_stay(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	struct page *page;

	KUNIT_ASSERT_EQ(test,
			pin_user_pages_fast(exchange_test_address(m, 5), 1, FOLL_WRITE, &page), 1);
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 10), 9u);
	for (unsigned int i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, m->pairs[i].exchanged, i != 5);
	KUNIT_EXPECT_EQ(test, m->pairs[5].obstacle_a, PAGE_EXCHANGE_PINNED);
	exchange_test_migrate(m, &m->pairs[5].a, m->obstacles, 1, false, m->far);
	KUNIT_EXPECT_EQ(test, m->obstacles[0], PAGE_EXCHANGE_PINNED);
	unpin_user_page(page);
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, 5), m->near);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
}

static void exchange_test_what_cannot_move_is_refused(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	unsigned long zero;
	u64 word;

	/* the zero page, an address that maps nothing, one in no vma, and a page with itself */
	zero = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE,
			     0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(zero));
	KUNIT_ASSERT_EQ(test, get_user(word, (u64 __user *)zero), 0);
	KUNIT_ASSERT_EQ(test, word, 0ull);
	m->pairs[0].a = zero;
	m->pairs[1].a = zero + PAGE_SIZE;
	m->pairs[2].a = PAGE_SIZE;
	m->pairs[3].a = m->pairs[3].b;
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 4), 0u);
	KUNIT_EXPECT_EQ(test, m->pairs[0].obstacle_a, PAGE_EXCHANGE_REFUSED);
	KUNIT_EXPECT_EQ(test, m->pairs[1].obstacle_a, PAGE_EXCHANGE_GONE);
	KUNIT_EXPECT_NE(test, m->pairs[2].obstacle_a, PAGE_EXCHANGE_NO_OBSTACLE);
	KUNIT_EXPECT_EQ(test, m->pairs[3].obstacle_b, PAGE_EXCHANGE_REFUSED);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
}

/* Makes memory that begins with two huge pages, the first near and the second far. */
static struct memory *exchange_test_make_huge_memory(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	struct vm_area_struct *vma;

	m->at = kunit_vm_mmap(test, NULL, 0, 2 * PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(m->at));
	mmap_write_lock(m->mm);
	vma = vma_lookup(m->mm, m->at);
	if (vma)
		vm_flags_set(vma, VM_HUGEPAGE);
	mmap_write_unlock(m->mm);
	m->at = ALIGN(m->at, PMD_SIZE);
	KUNIT_ASSERT_EQ(test, exchange_test_fill(m), 0);
	m->pairs[0] = (struct page_exchange){
		.a = exchange_test_address(m, 0),
		.b = exchange_test_address(m, PTRS_PER_PTE),
		.huge = true,
	};
	if (!exchange_test_is_huge(m, 0) || !exchange_test_is_huge(m, PTRS_PER_PTE))
		kunit_skip(test, "needs transparent huge pages");
	exchange_test_migrate(m, &m->pairs[0].a, m->obstacles, 1, true, m->near);
	exchange_test_migrate(m, &m->pairs[0].b, m->obstacles, 1, true, m->far);
	KUNIT_ASSERT_EQ(test, exchange_test_node_of(m, 0), m->near);
	KUNIT_ASSERT_EQ(test, exchange_test_node_of(m, PTRS_PER_PTE), m->far);
	KUNIT_ASSERT_TRUE(test,
			  exchange_test_is_huge(m, 0) && exchange_test_is_huge(m, PTRS_PER_PTE));
	return m;
}

static void exchange_test_huge_pages_trade_places(struct kunit *test)
{
	struct memory *m = exchange_test_make_huge_memory(test);

	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 1u);
	KUNIT_EXPECT_TRUE(test, m->pairs[0].exchanged);
	KUNIT_EXPECT_TRUE(test,
			  exchange_test_is_huge(m, 0) && exchange_test_is_huge(m, PTRS_PER_PTE));
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, 0), m->far);
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, PTRS_PER_PTE - 1), m->far);
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, PTRS_PER_PTE), m->near);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
	/* still, they can be split and parts of them discarded */
	KUNIT_EXPECT_EQ(test, vm_munmap(exchange_test_address(m, PAGES - 1), PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(exchange_test_address(m, 7), PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, 8), m->far);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m),
			(unsigned int)(2 * PAGE_SIZE / sizeof(u64)));
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 0u);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m),
			(unsigned int)(2 * PAGE_SIZE / sizeof(u64)));
}

static void exchange_test_pinned_huge_pages_stay(struct kunit *test)
{
	struct memory *m = exchange_test_make_huge_memory(test);
	struct page *page;

	KUNIT_ASSERT_EQ(test,
			pin_user_pages_fast(exchange_test_address(m, 5), 1, FOLL_WRITE, &page), 1);
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 0u);
	KUNIT_EXPECT_FALSE(test, m->pairs[0].exchanged);
	KUNIT_EXPECT_EQ(test, m->pairs[0].obstacle_a, PAGE_EXCHANGE_PINNED);
	unpin_user_page(page);
	KUNIT_EXPECT_TRUE(test,
			  exchange_test_is_huge(m, 0) && exchange_test_is_huge(m, PTRS_PER_PTE));
	KUNIT_EXPECT_EQ(test, exchange_test_node_of(m, 0), m->near);
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
}

/* Pages of different sizes do not trade places, and those of another size do not move. */
static void exchange_test_sizes_do_not_mix(struct kunit *test)
{
	struct memory *base = exchange_test_make_memory(test),
		      *m = exchange_test_make_huge_memory(test);

	m->pairs[0].b = exchange_test_address(base, 0);
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 0u);
	swap(m->pairs[0].a, m->pairs[0].b);
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 0u);
	m->pairs[0].huge = false;
	KUNIT_EXPECT_EQ(test, exchange_test_run(m, 1), 0u);
	m->addrs[0] = exchange_test_address(m, 0);
	KUNIT_EXPECT_EQ(test, exchange_test_migrate(m, m->addrs, m->obstacles, 1, false, m->far),
			0u);
	KUNIT_EXPECT_EQ(test, m->obstacles[0], (u8)PAGE_EXCHANGE_GONE);
	m->addrs[0] = exchange_test_address(base, 0);
	KUNIT_EXPECT_EQ(test, exchange_test_migrate(m, m->addrs, m->obstacles, 1, true, m->far),
			0u);
	KUNIT_EXPECT_EQ(test, m->obstacles[0], (u8)PAGE_EXCHANGE_GONE);
	KUNIT_EXPECT_TRUE(test, exchange_test_is_huge(m, 0));
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m) + exchange_test_wrong_words(base), 0u);
}

/* Moves the same pages there and back again, by exchange and by migration. */
static void exchange_test_speed_against_migration(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	u64 exchange_ns = 0, migrate_ns = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		u64 begin = ktime_get_ns();

		KUNIT_ASSERT_EQ(test, exchange_test_run(m, PAGES / 2), PAGES / 2);
		exchange_ns += ktime_get_ns() - begin;
		begin = ktime_get_ns();
		exchange_test_send(m, PAGES / 2, PAGES / 2, m->far);
		exchange_test_send(m, 0, PAGES / 2, m->near);
		migrate_ns += ktime_get_ns() - begin;
		KUNIT_ASSERT_EQ(test, exchange_test_astray(m, PAGES / 2, PAGES / 2, m->far), 0u);
		KUNIT_ASSERT_EQ(test, exchange_test_astray(m, 0, PAGES / 2, m->near), 0u);
	}
	KUNIT_EXPECT_EQ(test, exchange_test_wrong_words(m), 0u);
	kunit_info(test, "exchange_ns=%llu migrate_ns=%llu pairs=%u", exchange_ns, migrate_ns,
		   ROUNDS * PAGES / 2);
}

/* What a scan has found. */
struct found {
	struct page_exchange_scan scan;
	unsigned int calls, present, fast;
	unsigned long last;
	bool in_order;
};

static void exchange_test_found(struct page_exchange_scan *scan)
{
	struct found *f = container_of(scan, struct found, scan);

	f->in_order &= !f->calls || scan->at > f->last;
	f->last = scan->at;
	f->calls++;
	f->present += bitmap_weight(scan->present, PTRS_PER_PTE);
	f->fast += bitmap_weight(scan->fast, PTRS_PER_PTE);
}

/* Scans all of the memory, taking @steps at a time. Returns how many scans that took. */
static unsigned int exchange_test_scan(struct kunit *test, struct memory *m, unsigned int steps,
				       struct found *f)
{
	const int near = m->near, far = m->far;
	const nodemask_t fast = nodemask_of_node(near), slow = nodemask_of_node(far);
	unsigned long at = m->at & PMD_MASK, end = exchange_test_address(m, PAGES);
	const struct page_exchange_space space = { .mm = m->mm };
	unsigned int scans = 0;
	int ret = 1;

	*f = (struct found){ .scan.found = exchange_test_found, .in_order = true };
	f->scan.fast_nodes = &fast;
	f->scan.slow_nodes = &slow;
	for (; ret == 1 && scans < PAGES; scans++) {
		f->scan.steps = steps;
		ret = page_exchange_scan(&space, at, end, &f->scan);
		KUNIT_ASSERT_LE(test, f->scan.steps, steps);
		at = f->scan.next;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, f->in_order);
	return scans;
}

/* Each 2 MiB is reported once, also if areas share it, and also if it takes several scans. */
static void exchange_test_scan_reports_each_once(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	const unsigned long first = m->at & PMD_MASK;
	const unsigned long last = exchange_test_address(m, PAGES - 1) & PMD_MASK;
	const unsigned int granules = ((last - first) >> PMD_SHIFT) + 1;
	struct found *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_EXPECT_EQ(test, exchange_test_scan(test, m, 1 << 20, f), 1u);
	KUNIT_EXPECT_EQ(test, f->calls, granules);
	KUNIT_EXPECT_EQ(test, f->present, PAGES);
	KUNIT_EXPECT_EQ(test, f->fast, PAGES / 2);
	/* holes part areas within 2 MiB */
	for (unsigned int page = 700; page < 720; page += 4)
		KUNIT_ASSERT_EQ(test, vm_munmap(exchange_test_address(m, page), PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, exchange_test_scan(test, m, 1 << 20, f), 1u);
	KUNIT_EXPECT_EQ(test, f->calls, granules);
	KUNIT_EXPECT_EQ(test, f->present, PAGES - 5);
	KUNIT_EXPECT_EQ(test, f->fast, PAGES / 2 - 5);
	KUNIT_EXPECT_GE(test, exchange_test_scan(test, m, PAGE_EXCHANGE_TABLE_STEPS, f), granules);
	KUNIT_EXPECT_EQ(test, f->calls, granules);
	KUNIT_EXPECT_EQ(test, f->present, PAGES - 5);
}

/* Hundreds of areas within 2 MiB in which nothing is mapped do not keep a scan from going on. */
static void exchange_test_scan_passes_many_areas(struct kunit *test)
{
	struct memory *m = exchange_test_make_memory(test);
	struct found *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	const unsigned long at = m->at + PMD_SIZE;

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_EQ(test, vm_munmap(at, PMD_SIZE), 0);
	for (unsigned long page = 0; page < PMD_SIZE; page += 2 * PAGE_SIZE)
		KUNIT_ASSERT_EQ(test,
				vm_mmap(NULL, at + page, PAGE_SIZE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0),
				at + page);
	KUNIT_EXPECT_LE(test, exchange_test_scan(test, m, 4, f), 64u);
	KUNIT_EXPECT_EQ(test, f->present, PAGES - PTRS_PER_PTE);
}

static struct kunit_case exchange_test_cases[] = {
	KUNIT_CASE(exchange_test_pages_trade_places),
	KUNIT_CASE(exchange_test_pinned_pages_stay),
	KUNIT_CASE(exchange_test_what_cannot_move_is_refused),
	KUNIT_CASE(exchange_test_huge_pages_trade_places),
	KUNIT_CASE(exchange_test_pinned_huge_pages_stay),
	KUNIT_CASE(exchange_test_sizes_do_not_mix),
	KUNIT_CASE(exchange_test_scan_reports_each_once),
	KUNIT_CASE(exchange_test_scan_passes_many_areas),
	KUNIT_CASE(exchange_test_speed_against_migration),
	{},
};

static struct kunit_suite page_exchange_suite = {
	.name = "page-exchange",
	.test_cases = exchange_test_cases,
};

kunit_test_suites(&page_exchange_suite, &page_exchange_scan_suite, &page_exchange_spaces_suite);

MODULE_DESCRIPTION("KUnit tests of the exchange of pages");
MODULE_LICENSE("GPL");
