// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TPC-C's consistency conditions, computed from all records after the run, when no
 * transactions are left; see tpcc.h. And how to violate each.
 */
#include <string.h>

#include "tpcc.h"

/* Gets a record's key and data, which nobody changes any more. */
typedef void (*each_fn)(void *context, uint64_t key, const word *data);

static void for_each(struct table *table, uint64_t first, uint64_t last, each_fn fn, void *context)
{
	struct tree_entry entries[TREE_ENTRIES];
	struct tree_leaf leaf;
	uint64_t next;

	for (; first <= last; first = next) {
		const unsigned int n = tree_scan(&table->index, first, last, entries, &leaf, &next);

		for (unsigned int i = 0; i < n; i++)
			fn(context, entries[i].key,
			   ((struct record *)(uintptr_t)entries[i].value)->data);
	}
}

/* A field of a record in a table. */
#define FIELD(data, type, field) word_get((data) + offsetof(struct type, field) / sizeof(word))

/* Of one district, what its records sum up to. */
struct sums {
	uint64_t orders, order_max, lines_expected, lines;
	uint64_t new_orders, new_order_min, new_order_max;
	uint64_t histories, amount;
};

static void sum_order(void *context, uint64_t key, const word *data)
{
	struct sums *s = context;

	s->orders++;
	s->order_max = (uint32_t)key;
	s->lines_expected += FIELD(data, order, lines);
}

static void sum_line(void *context, uint64_t key, const word *data)
{
	struct sums *s = context;

	(void)key;
	(void)data;
	s->lines++;
}

static void sum_new_order(void *context, uint64_t key, const word *data)
{
	struct sums *s = context;

	(void)data;
	if (!s->new_orders++)
		s->new_order_min = (uint32_t)key;
	s->new_order_max = (uint32_t)key;
}

static void sum_history(void *context, uint64_t key, const word *data)
{
	struct sums *s = context;

	(void)key;
	s->histories++;
	s->amount += FIELD(data, history, amount);
}

static struct sums sum_district(struct tpcc *t, uint64_t w, uint64_t d)
{
	struct sums s = { 0 };

	for_each(&t->order, order_key(w, d, 0), order_key(w, d + 1, 0) - 1, sum_order, &s);
	for_each(&t->order_line, line_key(w, d, 0, 0), line_key(w, d + 1, 0, 0) - 1, sum_line, &s);
	for_each(&t->new_order, order_key(w, d, 0), order_key(w, d + 1, 0) - 1, sum_new_order, &s);
	for_each(&t->history, history_key(w, d, 0), history_key(w, d + 1, 0) - 1, sum_history, &s);
	return s;
}

/* Conditions 2 to 4 are of districts. */
static const char *check_district(const struct sums *s, const struct record *district)
{
	const uint64_t last = FIELD(district->data, district, next_order) - 1;

	if (s->order_max != last || (s->new_orders && s->new_order_max != last))
		return "consistency condition 2";
	if (s->new_orders && s->new_order_max - s->new_order_min + 1 != s->new_orders)
		return "consistency condition 3";
	if (s->lines != s->lines_expected)
		return "consistency condition 4";
	if (FIELD(district->data, district, ytd) != s->amount)
		return "the sum of histories";
	return NULL;
}

const char *tpcc_check(struct tpcc *t)
{
	uint64_t orders = (uint64_t)t->warehouses * DISTRICTS * ORDERS_LOADED;
	uint64_t histories = (uint64_t)t->warehouses * DISTRICTS * CUSTOMERS;

	for (unsigned int i = 0; i < t->bench.threads; i++) {
		const struct worker *w = &t->bench.workers[i];

		if (w->wrong)
			return "what transactions have read";
		orders += w->committed[NEW_ORDER] - w->rolled_back;
		histories += w->committed[PAYMENT];
	}
	for (uint64_t w = 1; w <= t->warehouses; w++) {
		const struct record *warehouse = table_find(&t->warehouse, w);
		uint64_t ytd = 0;

		for (uint64_t d = 1; d <= DISTRICTS; d++) {
			const struct record *district =
				table_find(&t->district, district_key(w, d));
			const struct sums s = sum_district(t, w, d);
			const char *violated = check_district(&s, district);

			if (violated)
				return violated;
			ytd += FIELD(district->data, district, ytd);
			orders -= s.orders;
			histories -= s.histories;
		}
		if (FIELD(warehouse->data, warehouse, ytd) != ytd)
			return "consistency condition 1";
	}
	if (orders)
		return "the number of orders";
	if (histories)
		return "the number of histories";
	return NULL;
}

static void add_1(struct table *table, uint64_t key, size_t offset)
{
	word *at = table_find(table, key)->data + offset / sizeof(word);

	word_set(at, word_get(at) + 1);
}

static void drop(struct tpcc *t, struct table *table, uint64_t key)
{
	tree_remove(&table->index, t->bench.workers[0].heap, key,
		    (uintptr_t)table_find(table, key));
}

bool tpcc_corrupt(struct tpcc *t, const char *what)
{
	const uint64_t w = t->warehouses, d = DISTRICTS;
	const struct record *district = table_find(&t->district, district_key(w, d));
	const uint64_t last = FIELD(district->data, district, next_order) - 1;

	if (!strcmp(what, "1"))
		add_1(&t->warehouse, w, offsetof(struct warehouse, ytd));
	else if (!strcmp(what, "2"))
		add_1(&t->district, district_key(w, d), offsetof(struct district, next_order));
	else if (!strcmp(what, "3"))
		/* the last but one: not delivered, unless nearly all are */
		drop(t, &t->new_order, order_key(w, d, last - 1));
	else if (!strcmp(what, "4"))
		add_1(&t->order, order_key(w, d, last), offsetof(struct order, lines));
	else if (!strcmp(what, "history"))
		drop(t, &t->history, history_key(w, d, 1));
	else
		return false;
	return true;
}
