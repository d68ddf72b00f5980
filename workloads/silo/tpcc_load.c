// SPDX-License-Identifier: GPL-2.0-or-later
/* TPC-C's initial database (clause 4.3.3), and how large it is; see tpcc.h. */
#include <stdio.h>
#include <string.h>

#include "tpcc.h"

#define LOADED_DATE 1
#define LINES_MEAN  10 /* of an order */

/* At least @n letters and at most @max. Nothing that is compared depends on which. */
static void letters(struct rng *rng, char *to, unsigned int n, unsigned int max)
{
	n = between(rng, n, max);
	for (unsigned int i = 0; i < n; i++)
		to[i] = 'a' + rng_below(rng, 26);
}

static void digits(struct rng *rng, char *to, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		to[i] = '0' + rng_below(rng, 10);
}

static void fill_address(struct rng *rng, struct address *a)
{
	letters(rng, a->street_1, 10, 20);
	letters(rng, a->street_2, 10, 20);
	letters(rng, a->city, 10, 20);
	letters(rng, a->state, 2, 2);
	digits(rng, a->zip, 4);
	memcpy(a->zip + 4, "11111", 5);
}

/* A tenth of items and stocks are originals (clause 4.3.3.1). */
static void fill_data(struct rng *rng, char *to)
{
	letters(rng, to, 26, 50);
	if (!rng_below(rng, 10))
		memcpy(to + rng_below(rng, 18), "ORIGINAL", 8);
}

static void last_name(char to[24], unsigned int number)
{
	static const char *const syllables[] = { "BAR", "OUGHT", "ABLE",  "PRI",   "PRES",
						 "ESE", "ANTI",	 "CALLY", "ATION", "EING" };

	snprintf(to, 24, "%s%s%s", syllables[number / 100], syllables[number / 10 % 10],
		 syllables[number % 10]);
}

/* The first four letters in order, which is enough to sort a handful of namesakes. */
static uint64_t first_name_bits(const char *first)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < 4; i++)
		bits = bits << 5 | (first[i] - 'a');
	return bits;
}

static void put(struct worker *w, struct table *table, uint64_t key, const void *data)
{
	w->wrong += !table_load(table, w->heap, key, data);
}

static void load_items(struct tpcc *t, struct worker *w)
{
	for (uint64_t i = 0; i < ITEMS; i++) {
		struct item item = { .image = between(&w->rng, 1, 10000),
				     .price = between(&w->rng, 100, 10000) };

		letters(&w->rng, item.name, 14, 24);
		fill_data(&w->rng, item.data);
		put(w, &t->item, i, &item);
	}
}

static void load_stock(struct tpcc *t, struct worker *w, uint64_t wid)
{
	for (uint64_t i = 0; i < ITEMS; i++) {
		struct stock stock = { .quantity = between(&w->rng, 10, 100) };

		for (unsigned int d = 0; d < DISTRICTS; d++)
			letters(&w->rng, stock.district[d], 24, 24);
		fill_data(&w->rng, stock.data);
		put(w, &t->stock, stock_key(wid, i), &stock);
	}
}

static void load_customer(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d, uint64_t c)
{
	struct rng *rng = &w->rng;
	const uint64_t last = c <= LAST_NAMES ? c - 1 : draw_last_name(rng, C_LAST_LOAD);
	const uint64_t key = customer_key(wid, d, c);
	struct customer customer = {
		.middle = "OE",
		.credit = "GC",
		.since = LOADED_DATE,
		.credit_limit = 5000000,
		.discount = between(rng, 0, 5000),
		.balance = -1000,
		.ytd_payment = 1000,
		.payments = 1,
	};
	const struct customer_name name = { .customer = key };
	struct history history = { .customer = key, .date = LOADED_DATE, .amount = 1000 };

	letters(rng, customer.first, 8, 16);
	last_name(customer.last, last);
	fill_address(rng, &customer.address);
	digits(rng, customer.phone, 16);
	if (!rng_below(rng, 10))
		customer.credit[0] = 'B';
	letters(rng, customer.data, 300, 500);
	letters(rng, history.data, 12, 24);
	put(w, &t->customer, key, &customer);
	put(w, &t->customer_name, name_key(wid, d, last, first_name_bits(customer.first), c),
	    &name);
	put(w, &t->history, history_key(wid, d, c), &history);
}

static void load_order(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d, uint64_t o,
		       uint64_t c)
{
	struct rng *rng = &w->rng;
	const bool delivered = o < FIRST_NEW_ORDER;
	const struct order order = {
		.customer = c,
		.date = LOADED_DATE,
		.carrier = delivered ? between(rng, 1, 10) : 0,
		.lines = between(rng, LINES_MIN, LINES_MAX),
		.all_local = 1,
	};
	const struct customer_order customer_order = { .order = o };
	const struct new_order new_order = { .order = o };

	put(w, &t->order, order_key(wid, d, o), &order);
	put(w, &t->customer_order, customer_order_key(wid, d, c, o), &customer_order);
	if (!delivered)
		put(w, &t->new_order, order_key(wid, d, o), &new_order);
	for (uint64_t i = 0; i < order.lines; i++) {
		struct order_line line = {
			.item = rng_below(rng, ITEMS),
			.supplier = wid,
			.delivered = delivered ? LOADED_DATE : 0,
			.quantity = 5,
			.amount = delivered ? 0 : between(rng, 1, 999999),
		};

		letters(rng, line.info, 24, 24);
		put(w, &t->order_line, line_key(wid, d, o, i + 1), &line);
	}
}

static void load_district(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d)
{
	struct district district = {
		.tax = between(&w->rng, 0, 2000),
		.ytd = 3000000,
		.next_order = ORDERS_LOADED + 1,
	};
	uint64_t customers[CUSTOMERS];

	letters(&w->rng, district.name, 6, 10);
	fill_address(&w->rng, &district.address);
	put(w, &t->district, district_key(wid, d), &district);
	for (uint64_t c = 1; c <= CUSTOMERS; c++)
		load_customer(t, w, wid, d, c);
	/* each customer has one order, in random order */
	for (uint64_t c = 0; c < CUSTOMERS; c++) {
		const uint64_t other = rng_below(&w->rng, c + 1);

		customers[c] = customers[other];
		customers[other] = c + 1;
	}
	for (uint64_t o = 1; o <= ORDERS_LOADED; o++)
		load_order(t, w, wid, d, o, customers[o - 1]);
}

void tpcc_load(struct bench *b, struct worker *w)
{
	struct tpcc *t = (struct tpcc *)b;

	if (!w->me)
		load_items(t, w);
	for (uint64_t wid = 1 + w->me; wid <= t->warehouses; wid += b->threads) {
		struct warehouse warehouse = {
			.tax = between(&w->rng, 0, 2000),
			.ytd = 30000000,
		};

		letters(&w->rng, warehouse.name, 6, 10);
		fill_address(&w->rng, &warehouse.address);
		put(w, &t->warehouse, wid, &warehouse);
		load_stock(t, w, wid);
		for (uint64_t d = 1; d <= DISTRICTS; d++)
			load_district(t, w, wid, d);
	}
}

#define PER_RECORD(type) (sizeof(struct type) + 8 + sizeof(struct node) / (TREE_ENTRIES - 1))

uint64_t tpcc_bytes(unsigned int warehouses, uint64_t operations)
{
	const uint64_t order = PER_RECORD(order) + PER_RECORD(customer_order) +
			       PER_RECORD(new_order) + LINES_MEAN * PER_RECORD(order_line);
	const uint64_t customer =
		PER_RECORD(customer) + PER_RECORD(customer_name) + PER_RECORD(history);
	const uint64_t warehouse =
		ITEMS * PER_RECORD(stock) + DISTRICTS * CUSTOMERS * (customer + order);

	/* a transaction in two is an order or a history */
	return ITEMS * PER_RECORD(item) + warehouses * warehouse +
	       operations / 2 * (order + PER_RECORD(history));
}

void tpcc_init(struct tpcc *t, unsigned int warehouses, unsigned int threads, uint64_t operations)
{
	struct heap *h;

	*t = (struct tpcc){
		.bench = {
			.type_names = { "new_order", "payment", "order_status", "delivery",
					"stock_level" },
			.unit = "txn/s",
			.timed_every = 1,
			.load = tpcc_load,
			.draw = tpcc_draw,
			.try = tpcc_try,
		},
		.warehouses = warehouses,
	};
	bench_init(&t->bench, threads, operations);
	h = t->bench.workers[0].heap;
	table_init(&t->warehouse, sizeof(struct warehouse), h);
	table_init(&t->district, sizeof(struct district), h);
	table_init(&t->customer, sizeof(struct customer), h);
	table_init(&t->customer_name, sizeof(struct customer_name), h);
	table_init(&t->history, sizeof(struct history), h);
	table_init(&t->order, sizeof(struct order), h);
	table_init(&t->customer_order, sizeof(struct customer_order), h);
	table_init(&t->new_order, sizeof(struct new_order), h);
	table_init(&t->order_line, sizeof(struct order_line), h);
	table_init(&t->item, sizeof(struct item), h);
	table_init(&t->stock, sizeof(struct stock), h);
}
