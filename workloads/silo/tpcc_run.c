// SPDX-License-Identifier: GPL-2.0-or-later
/* TPC-C's five transactions (clause 2); see tpcc.h. */
#include <stdio.h>
#include <string.h>

#include "tpcc.h"

/* C of NURand for customers and items: any would do. */
#define C_CUSTOMER 259
#define C_ITEM	   7911

/* Orders whose items stock-level looks at. */
#define RECENT_ORDERS 20

static uint64_t draw_customer(struct rng *rng)
{
	return nurand(rng, 1023, C_CUSTOMER, 1, CUSTOMERS);
}

/* A worker has its own warehouses, or shares one where there are fewer. */
static uint64_t draw_warehouse(const struct tpcc *t, struct worker *w)
{
	const unsigned int threads = t->bench.threads;
	uint64_t own;

	if (t->warehouses <= threads)
		return 1 + w->me % t->warehouses;
	own = (t->warehouses - 1 - w->me) / threads + 1;
	return 1 + w->me + threads * rng_below(&w->rng, own);
}

static uint64_t other_warehouse(const struct tpcc *t, struct rng *rng, uint64_t wid)
{
	const uint64_t other = between(rng, 1, t->warehouses - 1);

	return other + (other >= wid);
}

/* A date that grows: nobody compares it with the calendar. */
static uint64_t date(const struct worker *w)
{
	return 2 + w->committed[NEW_ORDER] + w->committed[PAYMENT] + w->committed[DELIVERY];
}

static bool order_item(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d, uint64_t o,
		       uint64_t number, uint64_t item, uint64_t supplier, uint64_t quantity)
{
	const struct item *i = txn_read(w->txn, &t->item, item);
	struct stock *stock = txn_write(w->txn, &t->stock, stock_key(supplier, item));
	struct order_line *line = txn_insert(w->txn, &t->order_line, line_key(wid, d, o, number));

	if (!i || !stock || !line)
		return false;
	stock->quantity -= quantity;
	if (stock->quantity < 10)
		stock->quantity += 91;
	stock->ytd += quantity;
	stock->orders++;
	stock->remote += supplier != wid;
	line->item = item;
	line->supplier = supplier;
	line->quantity = quantity;
	line->amount = quantity * i->price;
	memcpy(line->info, stock->district[d - 1], sizeof(line->info));
	return true;
}

/* Clause 2.4. One order of a hundred has a last item that does not exist: it is rolled back. */
static bool new_order(struct tpcc *t, struct worker *w, uint64_t wid)
{
	struct rng *rng = &w->rng;
	const uint64_t d = between(rng, 1, DISTRICTS), c = draw_customer(rng);
	const uint64_t lines = between(rng, LINES_MIN, LINES_MAX);
	const bool mistaken = !rng_below(rng, 100);
	struct txn *txn = w->txn;
	uint64_t items[LINES_MAX], suppliers[LINES_MAX], quantities[LINES_MAX], o;
	struct customer_order *customer_order;
	struct new_order *new_order;
	struct district *district;
	bool all_local = true;
	struct order *order;

	for (uint64_t i = 0; i < lines; i++) {
		items[i] = nurand(rng, 8191, C_ITEM, 0, ITEMS - 1);
		suppliers[i] = wid;
		quantities[i] = between(rng, 1, 10);
		if (t->warehouses > 1 && !rng_below(rng, 100)) {
			suppliers[i] = other_warehouse(t, rng, wid);
			all_local = false;
		}
	}
	if (mistaken)
		items[lines - 1] = NO_ITEM;

	txn_begin(txn);
	district = txn_write(txn, &t->district, district_key(wid, d));
	if (!txn_read(txn, &t->warehouse, wid) || !district ||
	    !txn_read(txn, &t->customer, customer_key(wid, d, c)))
		goto abort;
	o = district->next_order++;
	order = txn_insert(txn, &t->order, order_key(wid, d, o));
	customer_order = txn_insert(txn, &t->customer_order, customer_order_key(wid, d, c, o));
	new_order = txn_insert(txn, &t->new_order, order_key(wid, d, o));
	if (!order || !customer_order || !new_order)
		goto abort;
	*order = (struct order){
		.customer = c,
		.date = date(w),
		.lines = lines,
		.all_local = all_local,
	};
	customer_order->order = o;
	new_order->order = o;
	for (uint64_t i = 0; i < lines; i++)
		if (!order_item(t, w, wid, d, o, i + 1, items[i], suppliers[i], quantities[i]))
			goto abort;
	return txn_commit(txn);
abort:
	/*
	 * If another transaction was in the way, what was read need not be consistent:
	 * then the mistake may be none.
	 */
	if (mistaken && !txn->doomed) {
		w->rolled_back++;
		txn_abort(txn);
		return true;
	}
	txn_abort(txn);
	return false;
}

/* Namesakes, in order of their first names. */
struct namesakes {
	unsigned int n;
	uint64_t customers[CUSTOMERS];
};

static bool add_namesake(void *context, uint64_t key, const void *data)
{
	const struct customer_name *name = data;
	struct namesakes *s = context;

	(void)key;
	s->customers[s->n++] = name->customer;
	return true;
}

/*
 * Draw the key of a customer. 60 % are asked for by name, which means the middle one of
 * the namesakes (clause 2.5.2.2).
 */
static uint64_t choose_customer(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d)
{
	const bool by_name = rng_below(&w->rng, 100) < 60;
	struct namesakes s = { .n = 0 };
	uint64_t last;

	if (!by_name)
		return customer_key(wid, d, draw_customer(&w->rng));
	last = draw_last_name(&w->rng, C_LAST_RUN);
	txn_scan(w->txn, &t->customer_name, name_key(wid, d, last, 0, 0),
		 name_key(wid, d, last + 1, 0, 0) - 1, add_namesake, &s);
	return s.n ? s.customers[(s.n - 1) / 2] : 0;
}

/* Note a payment of a customer with bad credit in front of the customer's data. */
static void note_payment(struct customer *c, uint64_t key, uint64_t wid, uint64_t d, int64_t amount)
{
	char note[128];
	int n = snprintf(note, sizeof(note), "%llu %llu %llu %llu %llu %lld|",
			 (unsigned long long)key & 0xfff, (unsigned long long)key >> 12 & 0xf,
			 (unsigned long long)key >> 16, (unsigned long long)d,
			 (unsigned long long)wid, (long long)amount);

	memmove(c->data + n, c->data, 500 - n);
	memcpy(c->data, note, n);
}

/* Clause 2.5. 15 % are customers of another warehouse. */
static bool payment(struct tpcc *t, struct worker *w, uint64_t wid)
{
	struct rng *rng = &w->rng;
	const uint64_t d = between(rng, 1, DISTRICTS);
	const int64_t amount = between(rng, 100, 500000);
	uint64_t customer_wid = wid, customer_d = d, key;
	struct txn *txn = w->txn;
	struct warehouse *warehouse;
	struct district *district;
	struct customer *customer;
	struct history *history;

	if (t->warehouses > 1 && rng_below(rng, 100) < 15) {
		customer_wid = other_warehouse(t, rng, wid);
		customer_d = between(rng, 1, DISTRICTS);
	}
	txn_begin(txn);
	warehouse = txn_write(txn, &t->warehouse, wid);
	district = txn_write(txn, &t->district, district_key(wid, d));
	key = choose_customer(t, w, customer_wid, customer_d);
	customer = txn_write(txn, &t->customer, key);
	/* loaded histories have the numbers of customers */
	history = txn_insert(
		txn, &t->history,
		history_key(wid, d, (uint64_t)(w->me + 1) << 32 | w->committed[PAYMENT]));
	if (!warehouse || !district || !customer || !history) {
		txn_abort(txn);
		return false;
	}
	warehouse->ytd += amount;
	district->ytd += amount;
	customer->balance -= amount;
	customer->ytd_payment += amount;
	customer->payments++;
	if (customer->credit[0] == 'B')
		note_payment(customer, key, wid, d, amount);
	*history = (struct history){ .customer = key, .date = date(w), .amount = amount };
	memcpy(history->data, warehouse->name, 10);
	memcpy(history->data + 14, district->name, 10);
	return txn_commit(txn);
}

/* The first record of a scan: its key, 0 if there is none. */
static bool take_first(void *context, uint64_t key, const void *data)
{
	(void)data;
	*(uint64_t *)context = key;
	return false;
}

struct lines {
	uint64_t n;
	int64_t amount;
	uint64_t undelivered;
};

static bool add_line(void *context, uint64_t key, const void *data)
{
	const struct order_line *line = data;
	struct lines *lines = context;

	(void)key;
	lines->n++;
	lines->amount += line->amount;
	lines->undelivered += !line->delivered;
	return true;
}

static struct lines scan_lines(struct tpcc *t, struct txn *txn, uint64_t wid, uint64_t d,
			       uint64_t o)
{
	struct lines lines = { 0 };

	txn_scan(txn, &t->order_line, line_key(wid, d, o, 1), line_key(wid, d, o, LINES_MAX),
		 add_line, &lines);
	return lines;
}

/* Clause 2.6: a customer's last order. */
static bool order_status(struct tpcc *t, struct worker *w, uint64_t wid)
{
	const uint64_t d = between(&w->rng, 1, DISTRICTS);
	const struct order *order;
	struct lines lines = { 0 };
	uint64_t key, o, found = 0;
	struct txn *txn = w->txn;
	bool wrong = true;

	txn_begin(txn);
	key = choose_customer(t, w, wid, d);
	if (txn_read(txn, &t->customer, key))
		txn_scan(txn, &t->customer_order, key << 32, key << 32 | UINT32_MAX, take_first,
			 &found);
	o = (uint32_t)~found;
	order = found ? txn_read(txn, &t->order, order_key(wid, d, o)) : NULL;
	if (order) {
		lines = scan_lines(t, txn, wid, d, o);
		wrong = lines.n != order->lines || order->customer != (key & 0xfff) ||
			lines.undelivered != (order->carrier ? 0 : lines.n);
	}
	if (!txn_commit(txn))
		return false;
	w->wrong += wrong;
	return true;
}

/* The oldest order of a district that is not delivered, if there is one. */
static bool deliver(struct tpcc *t, struct worker *w, uint64_t wid, uint64_t d, uint64_t carrier)
{
	struct txn *txn = w->txn;
	struct customer *customer;
	struct order_line *line;
	struct lines lines;
	struct order *order;
	uint64_t key = 0, o;

	txn_scan(txn, &t->new_order, order_key(wid, d, 0), order_key(wid, d, UINT32_MAX),
		 take_first, &key);
	if (!key)
		return true;
	o = (uint32_t)key;
	txn_remove(txn, &t->new_order, key);
	order = txn_write(txn, &t->order, key);
	if (!order)
		return false;
	order->carrier = carrier;
	lines = scan_lines(t, txn, wid, d, o);
	for (uint64_t i = 1; i <= lines.n; i++) {
		line = txn_write(txn, &t->order_line, line_key(wid, d, o, i));
		if (!line)
			return false;
		line->delivered = date(w);
	}
	customer = txn_write(txn, &t->customer, customer_key(wid, d, order->customer));
	if (!customer)
		return false;
	customer->balance += lines.amount;
	customer->deliveries++;
	return lines.n == order->lines;
}

/* Clause 2.7, all districts at once. */
static bool delivery(struct tpcc *t, struct worker *w, uint64_t wid)
{
	const uint64_t carrier = between(&w->rng, 1, 10);
	bool right = true;

	txn_begin(w->txn);
	for (uint64_t d = 1; d <= DISTRICTS; d++)
		right &= deliver(t, w, wid, d, carrier);
	if (!txn_commit(w->txn))
		return false;
	w->wrong += !right;
	return true;
}

struct items {
	unsigned int lines;
	unsigned int n;
	uint32_t items[RECENT_ORDERS * LINES_MAX];
};

static bool add_item(void *context, uint64_t key, const void *data)
{
	const struct order_line *line = data;
	struct items *s = context;

	(void)key;
	s->lines++;
	for (unsigned int i = 0; i < s->n; i++)
		if (s->items[i] == line->item)
			return true;
	s->items[s->n++] = line->item;
	return true;
}

/* Clause 2.8: how many of the items that were ordered last are about to run out. */
static bool stock_level(struct tpcc *t, struct worker *w, uint64_t wid)
{
	const uint64_t d = between(&w->rng, 1, DISTRICTS);
	const int64_t threshold = between(&w->rng, 10, 20);
	struct items s = { 0 };
	const struct district *district;
	struct txn *txn = w->txn;
	unsigned int low = 0;
	bool wrong;

	txn_begin(txn);
	district = txn_read(txn, &t->district, district_key(wid, d));
	if (district) {
		txn_scan(txn, &t->order_line,
			 line_key(wid, d, district->next_order - RECENT_ORDERS, 0),
			 line_key(wid, d, district->next_order, 0), add_item, &s);
		for (unsigned int i = 0; i < s.n; i++) {
			const struct stock *stock =
				txn_read(txn, &t->stock, stock_key(wid, s.items[i]));

			low += stock && stock->quantity < threshold;
		}
	}
	/* whole orders, and all of them */
	wrong = s.lines < RECENT_ORDERS * LINES_MIN || low > s.n;
	if (!txn_commit(txn))
		return false;
	w->wrong += wrong;
	return true;
}

/* In percent: what clause 5.2.3 asks for at least, and new orders for the rest. */
unsigned int tpcc_draw(struct bench *b, struct worker *w)
{
	const unsigned int x = rng_below(&w->rng, 100);

	(void)b;
	return x < 45	? NEW_ORDER
	       : x < 88 ? PAYMENT
	       : x < 92 ? ORDER_STATUS
	       : x < 96 ? DELIVERY
			: STOCK_LEVEL;
}

bool tpcc_try(struct bench *b, struct worker *w, unsigned int type)
{
	static bool (*const transactions[])(struct tpcc *, struct worker *,
					    uint64_t) = { new_order, payment, order_status,
							  delivery, stock_level };
	struct tpcc *t = (struct tpcc *)b;

	return transactions[type](t, w, draw_warehouse(t, w));
}
