// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the index, against a sorted array, and of transactions: whatever
 * several threads do at once must look as if it had been done one after the other.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "latency.h"
#include "txn.h"
#include "unit.h"

#define THREADS 4
#define KEYS	20000 /* of the index's tests */
#define ROUNDS	1500 /* transactions of each thread */

static struct epochs *epochs;

struct actor {
	pthread_t thread;
	void (*act)(struct actor *a);
	struct txn *txn;
	struct heap *heap;
	struct rng rng;
	unsigned int me;
	uint64_t wrong;
	uint64_t done; /* what it means is up to the test */
};

static struct actor actors[THREADS];

static void *act(void *argument)
{
	struct actor *a = argument;

	heap_enter(a->heap);
	a->act(a);
	heap_leave(a->heap);
	return NULL;
}

/* All threads do @fn at once. Returns what went wrong. */
static uint64_t together(void (*fn)(struct actor *a))
{
	uint64_t wrong = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		struct actor *a = &actors[i];

		a->act = fn;
		a->me = i;
		a->wrong = 0;
		a->done = 0;
		a->rng = rng_seed(1, i);
		a->heap = &epochs->heaps[i];
		if (!a->txn)
			a->txn = allocate(sizeof(*a->txn));
		a->txn->heap = a->heap;
		if (pthread_create(&a->thread, NULL, act, a))
			die("no threads");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(actors[i].thread, NULL);
		wrong += actors[i].wrong;
	}
	return wrong;
}

/* Let others come in between, now and then, also where there are few CPUs. */
static void interleave(struct actor *a)
{
	const uint64_t x = rng_below(&a->rng, 16);

	if (x < 4)
		sched_yield();
	if (x == 15)
		epochs_advance(epochs);
}

/* Index: one thread */

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Whether @t has just these @n sorted keys from @first to @last, each with its
 * complement as value. *@leaves is how many leaves that took.
 */
static bool holds(struct tree *t, const uint64_t *keys, uint64_t n, uint64_t first, uint64_t last,
		  unsigned int *leaves)
{
	struct tree_entry entries[TREE_ENTRIES];
	struct tree_leaf leaf;
	uint64_t i = 0, next;

	*leaves = 0;
	while (i < n && keys[i] < first)
		i++;
	for (; first <= last && first <= TREE_KEY_MAX; first = next, ++*leaves) {
		const unsigned int found = tree_scan(t, first, last, entries, &leaf, &next);

		if (next <= first)
			return false;
		for (unsigned int k = 0; k < found; k++, i++)
			if (i == n || entries[k].key != keys[i] || entries[k].value != ~keys[i])
				return false;
	}
	return i == n || keys[i] > last;
}

enum order { ASCENDING, DESCENDING, RANDOM, RANGES };

static void test_index(enum order order)
{
	struct heap *h = &epochs->heaps[0];
	uint64_t *keys = malloc(KEYS * sizeof(*keys)), *sorted = malloc(KEYS * sizeof(*keys));
	uint64_t wrong = 0, least;
	struct rng rng = rng_seed(1, order);
	struct tree_insertion changed;
	unsigned int leaves;
	struct tree_leaf leaf;
	struct tree t;

	heap_enter(h);
	tree_init(&t, h);
	for (uint64_t i = 0; i < KEYS; i++)
		keys[i] = order == ASCENDING	? 2 * i
			  : order == DESCENDING ? 2 * (KEYS - i)
			  : order == RANDOM	? rng_next(&rng) >> 1 << 1
						: (i % 10) << 40 | (i / 10);
	memcpy(sorted, keys, KEYS * sizeof(*keys));
	qsort(sorted, KEYS, sizeof(*keys), compare);
	for (uint64_t i = 0; i < KEYS; i++) {
		wrong += tree_find(&t, keys[i], &leaf) != 0;
		wrong += tree_insert(&t, h, keys[i], ~keys[i], &changed) != 0;
		wrong += tree_insert(&t, h, keys[i], 1, &changed) != ~keys[i];
		wrong += tree_find(&t, keys[i], &leaf) != ~keys[i];
	}
	CHECK(!wrong);
	CHECK(holds(&t, sorted, KEYS, 0, TREE_KEY_MAX, &leaves));
	/* keys that are appended, also to ranges, fill leaves */
	if (order == ASCENDING || order == RANGES)
		CHECK(leaves < KEYS / TREE_ENTRIES + 100);
	for (unsigned int i = 0; i < 200; i++) {
		const uint64_t first = sorted[rng_below(&rng, KEYS)] + rng_below(&rng, 3) - 1;

		wrong += !holds(&t, sorted, KEYS, first, first + (rng_next(&rng) >> (i % 64)),
				&leaves);
		wrong += tree_find(&t, sorted[i] + (order == RANGES ? 1ull << 60 : 1), &leaf) != 0;
	}
	CHECK(!wrong);

	/* the least keys go, and as many as a queue's would: no leaf is left of them */
	for (uint64_t i = 0; i < KEYS; i++) {
		if (i % 256 == 0) {
			heap_enter(h);
			epochs_advance(epochs);
		}
		wrong += tree_remove(&t, h, sorted[i], 1);
		if (i < KEYS / 2 || i % 3)
			wrong += !tree_remove(&t, h, sorted[i], ~sorted[i]);
	}
	CHECK(!wrong);
	least = 0;
	for (uint64_t i = KEYS / 2; i < KEYS; i++)
		if (i % 3 == 0)
			sorted[least++] = sorted[i];
	CHECK(holds(&t, sorted, least, 0, TREE_KEY_MAX, &leaves));
	CHECK(holds(&t, sorted, least, 0, sorted[0], &leaves) && leaves <= 2);
	for (uint64_t i = 0; i < KEYS; i++)
		tree_insert(&t, h, keys[i], ~keys[i], &changed);
	memcpy(sorted, keys, KEYS * sizeof(*keys));
	qsort(sorted, KEYS, sizeof(*keys), compare);
	CHECK(holds(&t, sorted, KEYS, 0, TREE_KEY_MAX, &leaves));
	heap_leave(h);
	free(keys);
	free(sorted);
}

/* Retired blocks come back, but not while somebody may read them. */
static void test_epochs(void)
{
	struct epochs *e = epochs_make(2);
	struct heap *h = &e->heaps[0], *other = &e->heaps[1];
	word *block, *next;

	heap_enter(h);
	heap_enter(other);
	block = heap_new(h, 5);
	next = heap_new(h, 5);
	CHECK(next == block + 5);
	heap_retire(h, block, 5);
	for (unsigned int i = 0; i < 5; i++) {
		heap_enter(h);
		epochs_advance(e);
		CHECK(heap_new(h, 5) != block);
	}
	heap_leave(other);
	for (unsigned int i = 0; i < 2; i++) {
		heap_enter(h);
		epochs_advance(e);
	}
	CHECK(heap_new(h, 6) != block);
	CHECK(heap_new(h, 5) == block);
	CHECK(heap_new(h, 5) != block);
}

static void test_latency(void)
{
	struct latency *l = calloc(1, sizeof(*l));

	CHECK(latency_us(l, 0.5) == 0);
	for (uint64_t ns = 1; ns <= 1000000; ns++)
		latency_add(l, ns);
	for (double q = 0.1; q < 1; q += 0.1)
		CHECK(latency_us(l, q) > 980 * q && latency_us(l, q) < 1020 * q);
	latency_add(l, UINT64_MAX);
	CHECK(latency_us(l, 1) > 1e15);
	free(l);
}

/* Index: several threads */

static struct tree shared;

/* Thread i inserts keys that are i modulo THREADS, and removes every third. */
static void insert_and_remove(struct actor *a)
{
	struct tree_insertion changed;
	struct tree_leaf leaf;

	for (uint64_t i = 0; i < KEYS / THREADS; i++) {
		const uint64_t key = i * THREADS + a->me, old = key / 2 / THREADS * THREADS + a->me;

		heap_enter(a->heap);
		a->wrong += tree_insert(&shared, a->heap, key, ~key, &changed) != 0;
		a->wrong += tree_find(&shared, key, &leaf) != ~key;
		if (key % 3 == 0)
			a->wrong += !tree_remove(&shared, a->heap, key, ~key);
		a->wrong += tree_find(&shared, old, &leaf) != (old % 3 ? ~old : 0);
		if (i % 16 == 0)
			interleave(a);
	}
}

static void test_index_by_threads(void)
{
	uint64_t *keys = malloc(KEYS * sizeof(*keys)), n = 0;
	unsigned int leaves;

	tree_init(&shared, &epochs->heaps[0]);
	CHECK(!together(insert_and_remove));
	for (uint64_t key = 0; key < KEYS; key++)
		if (key % 3)
			keys[n++] = key;
	CHECK(holds(&shared, keys, n, 0, TREE_KEY_MAX, &leaves));
	free(keys);
}

/* Transactions */

struct pair {
	uint64_t value;
	uint64_t twin; /* equal, or the record is torn */
};

static struct table table;

static uint64_t value_of(const struct pair *p, uint64_t *wrong)
{
	if (!p)
		return 0;
	*wrong += p->value != p->twin;
	return p->value;
}

static void set(struct pair *p, uint64_t value)
{
	if (p)
		*p = (struct pair){ value, value };
}

static void load(uint64_t records, uint64_t value)
{
	const struct pair p = { value, value };

	table_init(&table, sizeof(struct pair), &epochs->heaps[0]);
	for (uint64_t key = 0; key < records; key++)
		CHECK(table_load(&table, &epochs->heaps[0], key, &p));
}

static uint64_t stored(uint64_t key)
{
	const struct record *r = table_find(&table, key);

	return r ? word_get(&r->data[0]) : UINT64_MAX;
}

static bool add_up(void *context, uint64_t key, const void *data)
{
	const struct pair *p = data;

	(void)key;
	*(uint64_t *)context += p->value;
	return true;
}

static bool count_one(void *context, uint64_t key, const void *data)
{
	(void)key;
	(void)data;
	++*(uint64_t *)context;
	return true;
}

/* Read, change and see again what one has written, and what is not there. */
static void one_by_one(struct actor *a)
{
	const uint64_t key = 1000 + a->me;
	struct txn *t = a->txn;
	uint64_t sum = 0, n = 0;
	struct pair *p;

	txn_begin(t);
	a->wrong += txn_read(t, &table, key) || t->doomed;
	p = txn_insert(t, &table, key);
	set(p, 1);
	a->wrong += txn_read(t, &table, key) != p || txn_write(t, &table, key) != p;
	txn_abort(t);
	txn_begin(t);
	a->wrong += txn_read(t, &table, key) || txn_remove(t, &table, key);
	txn_abort(t);
	do {
		txn_begin(t);
		set(txn_insert(t, &table, key), 2);
	} while (!txn_commit(t));
	txn_begin(t);
	a->wrong += txn_insert(t, &table, key) || !t->doomed || txn_commit(t);
	txn_begin(t);
	p = txn_write(t, &table, key);
	a->wrong += !p || p->value != 2;
	set(p, 3);
	a->wrong += txn_read(t, &table, key) != p;
	txn_scan(t, &table, key, key, add_up, &sum);
	a->wrong += sum != 3;
	a->wrong += !txn_remove(t, &table, key) || txn_read(t, &table, key);
	txn_scan(t, &table, key, key, count_one, &n);
	a->wrong += n != 0;
	txn_abort(t);
	a->wrong += stored(key) != 2;
	do {
		txn_begin(t);
		txn_remove(t, &table, key);
	} while (!txn_commit(t));
	a->wrong += stored(key) != UINT64_MAX;
}

#define COUNTERS 3

static void count(struct actor *a)
{
	struct pair *p;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const uint64_t key = rng_below(&a->rng, COUNTERS);

		do {
			txn_begin(a->txn);
			p = txn_write(a->txn, &table, key);
			set(p, value_of(p, &a->wrong) + 1);
			interleave(a);
		} while (!txn_commit(a->txn));
	}
}

static void test_no_update_is_lost(void)
{
	uint64_t sum = 0;

	load(COUNTERS, 0);
	CHECK(!together(count));
	for (uint64_t key = 0; key < COUNTERS; key++)
		sum += stored(key);
	CHECK(sum == THREADS * ROUNDS);
}

#define ACCOUNTS 40
#define BALANCE	 1000

/* Move money; thread 0 and now and then the others see that none is made or lost. */
static void transfer(struct actor *a)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		const uint64_t from = rng_below(&a->rng, ACCOUNTS);
		const uint64_t to = (from + 1 + rng_below(&a->rng, ACCOUNTS - 1)) % ACCOUNTS;
		const uint64_t amount = rng_below(&a->rng, 10);
		const bool audit = !a->me || i % 8 == 0;
		struct pair *p;
		uint64_t sum;

		do {
			sum = 0;
			txn_begin(a->txn);
			if (audit) {
				txn_scan(a->txn, &table, 0, ACCOUNTS, add_up, &sum);
			} else {
				p = txn_write(a->txn, &table, from);
				set(p, value_of(p, &a->wrong) - amount);
				interleave(a);
				p = txn_write(a->txn, &table, to);
				set(p, value_of(p, &a->wrong) + amount);
			}
		} while (!txn_commit(a->txn));
		a->wrong += audit && sum != ACCOUNTS * BALANCE;
	}
}

/* Two records, of which at most one may be 0: each thread looks at both, sets one. */
static void skew(struct actor *a)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		const uint64_t mine = a->me & 1;
		uint64_t sum, torn;

		do {
			torn = 0;
			txn_begin(a->txn);
			sum = value_of(txn_read(a->txn, &table, 0), &torn);
			sum += value_of(txn_read(a->txn, &table, 1), &torn);
			interleave(a);
			set(txn_write(a->txn, &table, mine), sum == 2 ? 0 : 1);
		} while (!txn_commit(a->txn));
		a->wrong += !sum || torn;
	}
}

/* The same with records that are there or not. */
static void skew_by_absence(struct actor *a)
{
	const uint64_t mine = a->me & 1;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		bool has_mine, has_other;

		do {
			txn_begin(a->txn);
			has_mine = txn_read(a->txn, &table, mine);
			has_other = txn_read(a->txn, &table, !mine);
			interleave(a);
			if (has_mine)
				txn_remove(a->txn, &table, mine);
			else if (!has_other)
				txn_insert(a->txn, &table, mine);
		} while (!txn_commit(a->txn));
		a->wrong += has_mine && has_other;
	}
}

#define PHANTOMS 100

/* Count the records, insert one with that number: no two may have the same. */
static void number(struct actor *a)
{
	for (unsigned int i = 0; i < PHANTOMS; i++) {
		const uint64_t key = rng_next(&a->rng) >> 16;
		uint64_t n;

		do {
			n = 0;
			txn_begin(a->txn);
			txn_scan(a->txn, &table, 0, TREE_KEY_MAX, count_one, &n);
			interleave(a);
			set(txn_insert(a->txn, &table, key), n);
		} while (!txn_commit(a->txn));
	}
}

static bool see_number(void *context, uint64_t key, const void *data)
{
	const struct pair *p = data;
	bool *seen = context;

	(void)key;
	if (p->value < THREADS * PHANTOMS)
		seen[p->value] = true;
	return true;
}

static void test_no_phantoms(void)
{
	bool seen[THREADS * PHANTOMS] = { false };
	struct txn *t = actors[0].txn;
	unsigned int n = 0;

	load(0, 0);
	CHECK(!together(number));
	txn_begin(t);
	txn_scan(t, &table, 0, TREE_KEY_MAX, see_number, seen);
	CHECK(txn_commit(t));
	heap_leave(t->heap);
	for (unsigned int i = 0; i < THREADS * PHANTOMS; i++)
		n += seen[i];
	CHECK(n == THREADS * PHANTOMS);
}

static bool take_first(void *context, uint64_t key, const void *data)
{
	(void)data;
	*(uint64_t *)context = key;
	return false;
}

/* Two threads append to a queue, two remove what is first: in order, each once. */
static void queue(struct actor *a)
{
	uint64_t last = 0, first;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		do {
			first = TREE_KEY_MAX;
			txn_begin(a->txn);
			if (a->me & 1) {
				txn_scan(a->txn, &table, 0, TREE_KEY_MAX, take_first, &first);
				if (first != TREE_KEY_MAX)
					txn_remove(a->txn, &table, first);
			} else {
				first = (uint64_t)i << 1 | a->me >> 1;
				txn_insert(a->txn, &table, first);
			}
			interleave(a);
		} while (!txn_commit(a->txn) || first == TREE_KEY_MAX);
		a->done += first;
		/* what one has appended comes in order, if not what two have */
		a->wrong += !(a->me & 1) && i && first <= last;
		last = first;
	}
}

static void test_queue(void)
{
	struct tree_entry entries[TREE_ENTRIES];
	struct tree_leaf leaf;
	uint64_t next;

	load(0, 0);
	CHECK(!together(queue));
	CHECK(actors[0].done + actors[2].done == actors[1].done + actors[3].done);
	CHECK(!tree_scan(&table.index, 0, TREE_KEY_MAX, entries, &leaf, &next));
	CHECK(next > TREE_KEY_MAX);
}

int main(void)
{
	epochs = epochs_make(THREADS);
	test_epochs();
	test_latency();
	test_index(ASCENDING);
	test_index(DESCENDING);
	test_index(RANDOM);
	test_index(RANGES);
	test_index_by_threads();

	load(0, 0);
	CHECK(!together(one_by_one));
	test_no_update_is_lost();
	load(ACCOUNTS, BALANCE);
	CHECK(!together(transfer));
	load(2, 1);
	CHECK(!together(skew));
	load(0, 0);
	CHECK(!together(skew_by_absence));
	test_no_phantoms();
	test_queue();

	return unit_report();
}
