// SPDX-License-Identifier: GPL-2.0-or-later
/* YCSB; see ycsb.h. */
#include "ycsb.h"

#include <math.h>
#include <string.h>

#define THETA	 0.99
#define SCAN_MAX 100

enum { READ, UPDATE, INSERT, SCAN, MODIFY };

/* Shares in percent. */
static const unsigned int mixes[6][BENCH_TYPES] = {
	{ [READ] = 50, [UPDATE] = 50 }, /* A */
	{ [READ] = 95, [UPDATE] = 5 }, /* B */
	{ [READ] = 100 }, /* C */
	{ [READ] = 95, [INSERT] = 5 }, /* D */
	{ [INSERT] = 5, [SCAN] = 95 }, /* E */
	{ [READ] = 50, [MODIFY] = 50 }, /* F */
};

enum { KEY, VERSION, FIELD, CHECKSUM = YCSB_WORDS - 1 };

static uint64_t checksum(const uint64_t *record)
{
	uint64_t sum = 0x9e3779b97f4a7c15ull;

	for (unsigned int i = 0; i < CHECKSUM; i++)
		sum = (sum << 5 | sum >> 59) ^ record[i];
	return sum;
}

/* What the update of @key to @version adds to the digest of all updates. */
static uint64_t digest_of(uint64_t key, uint64_t version)
{
	return mix64(mix64(key + 1) + version);
}

static void fill(uint64_t *record, uint64_t key)
{
	record[KEY] = key;
	record[VERSION] = 0;
	for (unsigned int i = 0; i < YCSB_FIELDS; i++)
		record[FIELD + i] = mix64(key * YCSB_FIELDS + i);
	record[CHECKSUM] = checksum(record);
}

/* Return a key below which all keys are there, for no worker is about to insert one. */
static uint64_t present(struct ycsb *y)
{
	uint64_t least = atomic_load(&y->next);

	for (unsigned int i = 0; i < y->bench.threads; i++) {
		const uint64_t inserting = atomic_load(&y->bench.workers[i].inserting);

		least = inserting < least ? inserting : least;
	}
	return least;
}

/* D reads what is newest, the others what is popular, which lies anywhere. */
static uint64_t draw_key(struct ycsb *y, struct rng *rng)
{
	const uint64_t rank = zipf_rank(&y->zipf, rng);

	if (y->mix == 'D')
		return present(y) - 1 - rank;
	return scale_to(mix64(common.seed ^ rank), y->records);
}

static bool whole(const uint64_t *record, uint64_t key)
{
	return record[KEY] == key && record[CHECKSUM] == checksum(record);
}

static bool read_one(struct ycsb *y, struct worker *w)
{
	const uint64_t key = draw_key(y, &w->rng);
	const uint64_t *record;
	bool wrong;

	txn_begin(w->txn);
	record = txn_read(w->txn, &y->table, key);
	wrong = !record || !whole(record, key);
	if (!txn_commit(w->txn))
		return false;
	w->wrong += wrong;
	return true;
}

/* A field, or all of them after the whole record was read. */
static bool update(struct ycsb *y, struct worker *w, unsigned int fields)
{
	const uint64_t key = draw_key(y, &w->rng);
	const uint64_t random = rng_next(&w->rng);
	uint64_t *record, version = 0;
	bool wrong = true;

	txn_begin(w->txn);
	record = txn_write(w->txn, &y->table, key);
	if (record) {
		wrong = !whole(record, key);
		version = ++record[VERSION];
		for (unsigned int i = 0; i < fields; i++)
			record[FIELD + (random + i) % YCSB_FIELDS] ^= random;
		record[CHECKSUM] = checksum(record);
	}
	if (!txn_commit(w->txn))
		return false;
	w->wrong += wrong;
	w->digest += digest_of(key, version);
	return true;
}

/* Insert a new key, which is announced before it is taken, and try until that commits. */
static bool insert(struct ycsb *y, struct worker *w)
{
	uint64_t key, *record;

	atomic_store(&w->inserting, atomic_load(&y->next));
	key = atomic_fetch_add(&y->next, 1);
	do {
		txn_begin(w->txn);
		record = txn_insert(w->txn, &y->table, key);
		if (record)
			fill(record, key);
	} while (!txn_commit(w->txn) && ++w->aborted[INSERT]);
	atomic_store(&w->inserting, UINT64_MAX);
	return true;
}

struct scan {
	uint64_t loaded; /* keys below this must all be there, others may be on their way */
	uint64_t next;
	uint64_t left;
	bool wrong;
};

static bool scan_one(void *context, uint64_t key, const void *data)
{
	struct scan *s = context;

	s->wrong |= key < s->next || (key > s->next && s->next < s->loaded) || !whole(data, key);
	s->next = key + 1;
	return --s->left;
}

static bool scan(struct ycsb *y, struct worker *w)
{
	struct scan s = {
		.loaded = y->records,
		.next = draw_key(y, &w->rng),
		.left = 1 + rng_below(&w->rng, SCAN_MAX),
	};

	txn_begin(w->txn);
	txn_scan(w->txn, &y->table, s.next, TREE_KEY_MAX, scan_one, &s);
	if (!txn_commit(w->txn))
		return false;
	/* it may end early where the table does */
	w->wrong += s.wrong || (s.left && s.next < s.loaded);
	return true;
}

static unsigned int draw(struct bench *b, struct worker *w)
{
	struct ycsb *y = (struct ycsb *)b;
	const unsigned int *shares = mixes[y->mix - 'A'];
	unsigned int left = rng_below(&w->rng, 100), type = 0;

	while (left >= shares[type])
		left -= shares[type++];
	return type;
}

static bool try(struct bench *b, struct worker *w, unsigned int type)
{
	struct ycsb *y = (struct ycsb *)b;

	switch (type) {
	case READ:
		return read_one(y, w);
	case UPDATE:
		return update(y, w, 1);
	case MODIFY:
		return update(y, w, YCSB_FIELDS);
	case INSERT:
		return insert(y, w);
	default:
		return scan(y, w);
	}
}

/* Every worker loads a range of keys. */
static void load(struct bench *b, struct worker *w)
{
	struct ycsb *y = (struct ycsb *)b;
	const uint64_t first = (unsigned __int128)y->records * w->me / b->threads;
	const uint64_t end = (unsigned __int128)y->records * (w->me + 1) / b->threads;
	uint64_t record[YCSB_WORDS];

	for (uint64_t key = first; key < end; key++) {
		fill(record, key);
		w->wrong += !table_load(&y->table, w->heap, key, record);
	}
}

/*
 * Keys come in order, so leaves are full but for those at the ends of the workers'
 * ranges. Inserts are drawn: five standard deviations on top of what is expected.
 */
uint64_t ycsb_bytes(char mix, uint64_t records, uint64_t operations)
{
	const double inserts = operations / 100.0 * mixes[mix - 'A'][INSERT];
	const double all = records + inserts + 5 * sqrt(inserts);

	return all * (8 + 8 * YCSB_WORDS + (double)sizeof(struct node) / (TREE_ENTRIES - 1));
}

void ycsb_init(struct ycsb *y, char mix, uint64_t records, unsigned int threads,
	       uint64_t operations)
{
	*y = (struct ycsb){
		.bench = {
			.type_names = { "read", "update", "insert", "scan", "read_modify_write" },
			.unit = "ops/s",
			.timed_every = 16,
			.load = load,
			.draw = draw,
			.try = try,
		},
		.mix = mix,
		.records = records,
		.zipf = zipf_make(records, THETA),
	};
	word_set(&y->next, records);
	bench_init(&y->bench, threads, operations);
	table_init(&y->table, YCSB_WORDS * sizeof(word), y->bench.workers[0].heap);
}

bool ycsb_corrupt(struct ycsb *y, const char *what)
{
	const uint64_t key = y->records / 2;
	struct record *r = table_find(&y->table, key);
	uint64_t copy[YCSB_WORDS];

	for (unsigned int i = 0; i < YCSB_WORDS; i++)
		copy[i] = word_get(&r->data[i]);
	if (!strcmp(what, "torn")) {
		copy[FIELD]++;
	} else if (!strcmp(what, "update")) {
		copy[VERSION]++;
		copy[CHECKSUM] = checksum(copy);
	} else if (!strcmp(what, "missing")) {
		tree_remove(&y->table.index, y->bench.workers[0].heap, key, (uintptr_t)r);
	} else {
		return false;
	}
	for (unsigned int i = 0; i < YCSB_WORDS; i++)
		word_set(&r->data[i], copy[i]);
	return true;
}

/* Digest of all updates that @record counts. */
static uint64_t updates_of(const uint64_t *record)
{
	uint64_t sum = 0;

	for (uint64_t version = 1; version <= record[VERSION]; version++)
		sum += digest_of(record[KEY], version);
	return sum;
}

const char *ycsb_check(struct ycsb *y)
{
	uint64_t expected = 0, digest = 0, key = 0, next;
	uint64_t updates = 0, versions = 0, inserts = 0, wrong = 0;
	struct tree_entry entries[TREE_ENTRIES];
	struct tree_leaf leaf;

	for (unsigned int i = 0; i < y->bench.threads; i++) {
		const struct worker *w = &y->bench.workers[i];

		wrong += w->wrong;
		digest += w->digest;
		updates += w->committed[UPDATE] + w->committed[MODIFY];
		inserts += w->committed[INSERT];
	}
	if (wrong)
		return "transactions have read wrong records";
	for (uint64_t first = 0; first <= TREE_KEY_MAX; first = next) {
		const unsigned int n =
			tree_scan(&y->table.index, first, TREE_KEY_MAX, entries, &leaf, &next);

		for (unsigned int i = 0; i < n; i++, key++) {
			struct record *r = (struct record *)(uintptr_t)entries[i].value;
			uint64_t copy[YCSB_WORDS];

			for (unsigned int k = 0; k < YCSB_WORDS; k++)
				copy[k] = word_get(&r->data[k]);
			if (entries[i].key != key)
				return "a record is missing";
			if (word_get(&r->tid) & (TID_LOCKED | TID_ABSENT))
				return "a record is locked or absent";
			if (!whole(copy, key))
				return "a record is torn";
			versions += copy[VERSION];
			/* no more than there were: the loop would not end */
			if (versions > updates)
				return "a record has updates that did not commit";
			expected += updates_of(copy);
		}
	}
	if (key != y->records + inserts)
		return "records are missing";
	if (versions != updates || expected != digest)
		return "updates were lost or made twice";
	return NULL;
}
