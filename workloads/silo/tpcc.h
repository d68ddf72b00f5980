/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TPC-C (TPC Benchmark C, standard specification, revision 5.11): its nine tables
 * and five transactions, without terminals: no think times, keying or screens. Money
 * is in cents, rates in hundredths of a percent, so that sums are exact.
 *
 * A table's key is one number of bit fields, most significant first, as given beside
 * each record.
 */
#ifndef SILO_TPCC_H
#define SILO_TPCC_H

#include "bench.h"

#define TPCC_WAREHOUSES_MAX 65535

#define DISTRICTS  10
#define CUSTOMERS  3000 /* of a district */
#define ITEMS	   100000
#define LAST_NAMES 1000
/* orders 1 to 3000 are loaded, those from 2101 on are not delivered */
#define ORDERS_LOADED	3000
#define FIRST_NEW_ORDER 2101
#define LINES_MIN	5 /* of an order */
#define LINES_MAX	15
#define NO_ITEM		ITEMS /* a key that no item has: they are 0 to ITEMS - 1 */

enum { NEW_ORDER, PAYMENT, ORDER_STATUS, DELIVERY, STOCK_LEVEL };

struct address {
	char street_1[24], street_2[24], city[24], state[4], zip[12];
};

struct warehouse { /* warehouse 16 */
	char name[16];
	struct address address;
	int64_t tax;
	int64_t ytd;
};

struct district { /* warehouse 16, district 4 */
	char name[16];
	struct address address;
	int64_t tax;
	int64_t ytd;
	uint64_t next_order;
};

struct customer { /* warehouse 16, district 4, customer 12 */
	char first[16], middle[8], last[24];
	struct address address;
	char phone[16], credit[8];
	uint64_t since;
	int64_t credit_limit, discount;
	int64_t balance, ytd_payment;
	uint64_t payments, deliveries;
	char data[504];
};

/* warehouse 16, district 4, last name 10, first name 22, customer 12 */
struct customer_name {
	uint64_t customer;
	uint64_t unused;
};

struct history { /* warehouse 16, district 4, thread 12, number 32 */
	uint64_t customer; /* key */
	uint64_t date;
	int64_t amount;
	char data[24];
};

struct order { /* warehouse 16, district 4, order 32 */
	uint64_t customer;
	uint64_t date;
	uint64_t carrier; /* 0: not delivered */
	uint64_t lines;
	uint64_t all_local;
};

/* warehouse 16, district 4, customer 12, ~order 32: the last order comes first */
struct customer_order {
	uint64_t order;
	uint64_t unused;
};

struct new_order { /* as order */
	uint64_t order;
	uint64_t unused;
};

struct order_line { /* warehouse 16, district 4, order 32, line 4 */
	uint64_t item;
	uint64_t supplier;
	uint64_t delivered; /* date, 0: not */
	uint64_t quantity;
	int64_t amount;
	char info[24];
};

struct item { /* item */
	uint64_t image;
	char name[24];
	int64_t price;
	char data[56];
};

struct stock { /* warehouse 16, item 17 */
	int64_t quantity;
	char district[DISTRICTS][24];
	uint64_t ytd, orders, remote;
	char data[56];
};

struct tpcc {
	struct bench bench; /* first: the functions of struct bench get it */
	unsigned int warehouses;
	struct table warehouse, district, customer, customer_name, history, order, customer_order,
		new_order, order_line, item, stock;
};

/* Warehouses and districts are counted from 1. */
static inline uint64_t district_key(uint64_t w, uint64_t d)
{
	return w << 4 | d;
}

static inline uint64_t customer_key(uint64_t w, uint64_t d, uint64_t c)
{
	return district_key(w, d) << 12 | c;
}

static inline uint64_t name_key(uint64_t w, uint64_t d, uint64_t last, uint64_t first, uint64_t c)
{
	return district_key(w, d) << 44 | last << 34 | first << 12 | c;
}

/* Of histories, too, whose number is more than an order's: @o of 44 bits. */
static inline uint64_t history_key(uint64_t w, uint64_t d, uint64_t o)
{
	return district_key(w, d) << 44 | o;
}

static inline uint64_t order_key(uint64_t w, uint64_t d, uint64_t o)
{
	return district_key(w, d) << 32 | o;
}

static inline uint64_t line_key(uint64_t w, uint64_t d, uint64_t o, uint64_t line)
{
	return order_key(w, d, o) << 4 | line;
}

static inline uint64_t customer_order_key(uint64_t w, uint64_t d, uint64_t c, uint64_t o)
{
	return customer_key(w, d, c) << 32 | (uint32_t)~o;
}

static inline uint64_t stock_key(uint64_t w, uint64_t i)
{
	return w << 17 | i;
}

/* Uniform in [@min, @max]. */
static inline uint64_t between(struct rng *rng, uint64_t min, uint64_t max)
{
	return min + rng_below(rng, max - min + 1);
}

/* NURand of clause 2.1.6, @c its constant C. */
static inline uint64_t nurand(struct rng *rng, uint64_t a, uint64_t c, uint64_t min, uint64_t max)
{
	return ((between(rng, 0, a) | between(rng, min, max)) + c) % (max - min + 1) + min;
}

/* Number of a last name that a transaction asks for; all are there. */
static inline uint64_t draw_last_name(struct rng *rng, uint64_t c)
{
	return nurand(rng, 255, c, 0, LAST_NAMES - 1);
}

/* C of C_LAST, for the load and for the run: clause 2.1.6.1 has them this far apart. */
#define C_LAST_LOAD 157
#define C_LAST_RUN  223

/* Bytes of @warehouses warehouses after @operations transactions, about. */
uint64_t tpcc_bytes(unsigned int warehouses, uint64_t operations);

void tpcc_init(struct tpcc *t, unsigned int warehouses, unsigned int threads, uint64_t operations);

/* Fill the tables, this worker's warehouses. */
void tpcc_load(struct bench *b, struct worker *w);

/* Draw and try a transaction. */
unsigned int tpcc_draw(struct bench *b, struct worker *w);
bool tpcc_try(struct bench *b, struct worker *w, unsigned int type);

/* Violate a condition, "1" to "4" or "history", after the run. False: no such @what. */
bool tpcc_corrupt(struct tpcc *t, const char *what);

/*
 * Consistency conditions 1 to 4 (clause 3.3.2), and that histories and orders are
 * those of the transactions that committed. Returns NULL or what is violated.
 */
const char *tpcc_check(struct tpcc *t);

#endif
