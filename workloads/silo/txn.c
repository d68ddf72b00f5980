// SPDX-License-Identifier: GPL-2.0-or-later
/* Optimistic concurrency control; see txn.h. */
#include "txn.h"

#include <string.h>

#include "common.h"

static unsigned int block_words(const struct table *table)
{
	return 1 + table->words;
}

void table_init(struct table *table, size_t bytes, struct heap *h)
{
	table->words = bytes / sizeof(word);
	tree_init(&table->index, h);
}

bool table_load(struct table *table, struct heap *h, uint64_t key, const void *data)
{
	struct record *r = (struct record *)heap_new(h, block_words(table));
	const uint64_t *from = data;
	struct tree_insertion changed;

	for (unsigned int i = 0; i < table->words; i++)
		word_set(&r->data[i], from[i]);
	word_set(&r->tid, TID_NEXT);
	return !tree_insert(&table->index, h, key, (uintptr_t)r, &changed);
}

struct record *table_find(struct table *table, uint64_t key)
{
	struct tree_leaf leaf;

	return (struct record *)(uintptr_t)tree_find(&table->index, key, &leaf);
}

void txn_begin(struct txn *t)
{
	heap_enter(t->heap);
	t->reads = 0;
	t->writes = 0;
	t->leaves = 0;
	t->copies = 0;
	t->seen = 0;
	t->doomed = false;
}

static uint64_t *new_copy(struct txn *t, unsigned int words)
{
	uint64_t *copy = t->copy + t->copies;

	if (t->copies + words > TXN_COPIES)
		die("a transaction needs more than %u words", TXN_COPIES);
	t->copies += words;
	return copy;
}

static void remember_leaf(struct txn *t, struct tree_leaf leaf)
{
	if (t->leaves == TXN_LEAVES)
		die("a transaction looks at more than %u leaves", TXN_LEAVES);
	t->leaf[t->leaves++] = leaf;
}

static struct txn_write *own_write(struct txn *t, const struct record *r)
{
	for (unsigned int i = 0; i < t->writes; i++)
		if (t->write[i].record == r)
			return &t->write[i];
	return NULL;
}

static struct txn_write *add_write(struct txn *t, struct txn_write w)
{
	if (t->writes == TXN_WRITES)
		die("a transaction writes more than %u records", TXN_WRITES);
	t->write[t->writes] = w;
	return &t->write[t->writes++];
}

static void see(struct txn *t, uint64_t tid)
{
	if (tid > t->seen)
		t->seen = tid;
}

/* A consistent copy of @r. NULL and doomed if it is absent. */
static uint64_t *read_record(struct txn *t, const struct table *table, struct record *r)
{
	uint64_t *copy = new_copy(t, table->words);
	uint64_t tid;

	for (unsigned int tries = 0;; tries++) {
		tid = word_get(&r->tid);
		if (tid & TID_ABSENT) {
			t->doomed = true;
			return NULL;
		}
		if (!(tid & TID_LOCKED)) {
			for (unsigned int i = 0; i < table->words; i++)
				copy[i] = word_get(&r->data[i]);
			if (word_get(&r->tid) == tid)
				break;
		}
		relax(tries);
	}
	if (t->reads == TXN_READS)
		die("a transaction reads more than %u records", TXN_READS);
	t->read[t->reads++] = (struct txn_read){ r, tid };
	see(t, tid);
	return copy;
}

/* The record of @key; what is not found is remembered. */
static struct record *find(struct txn *t, struct table *table, uint64_t key)
{
	struct tree_leaf leaf;
	struct record *r;

	if (t->doomed)
		return NULL;
	r = (struct record *)(uintptr_t)tree_find(&table->index, key, &leaf);
	if (!r)
		remember_leaf(t, leaf);
	return r;
}

const void *txn_read(struct txn *t, struct table *table, uint64_t key)
{
	struct record *r = find(t, table, key);
	const struct txn_write *own = own_write(t, r);

	if (own)
		return own->what == TXN_REMOVE ? NULL : own->copy;
	return r ? read_record(t, table, r) : NULL;
}

/* The write of @key's record, a new one or what there is. NULL as txn_write(). */
static struct txn_write *write_of(struct txn *t, struct table *table, uint64_t key)
{
	struct record *r = find(t, table, key);
	struct txn_write *own = own_write(t, r);
	uint64_t *copy;

	if (own)
		return own->what == TXN_REMOVE ? NULL : own;
	copy = r ? read_record(t, table, r) : NULL;
	if (!copy)
		return NULL;
	return add_write(t, (struct txn_write){ r, copy, table, key, TXN_UPDATE });
}

void *txn_write(struct txn *t, struct table *table, uint64_t key)
{
	struct txn_write *w = write_of(t, table, key);

	return w ? w->copy : NULL;
}

bool txn_remove(struct txn *t, struct table *table, uint64_t key)
{
	struct txn_write *w = write_of(t, table, key);

	if (!w)
		return false;
	if (w->what == TXN_INSERT)
		die("a transaction removes what it inserted");
	w->what = TXN_REMOVE;
	return true;
}

/*
 * A leaf that was looked at may be changed by the transaction itself, but not by
 * others before that. Returns whether it is among those that were.
 */
static bool change_leaf(struct txn *t, const struct tree_leaf *before)
{
	bool found = false;

	for (unsigned int i = 0; i < t->leaves; i++)
		if (t->leaf[i].node == before->node && t->leaf[i].version == before->version) {
			t->leaf[i].version += TREE_CHANGE;
			found = true;
		}
	return found;
}

/* The record is in the index at once, but absent. */
void *txn_insert(struct txn *t, struct table *table, uint64_t key)
{
	struct tree_insertion changed;
	struct record *r;
	uint64_t *copy;

	if (t->doomed)
		return NULL;
	r = (struct record *)heap_new(t->heap, block_words(table));
	word_set(&r->tid, TID_ABSENT);
	if (tree_insert(&table->index, t->heap, key, (uintptr_t)r, &changed)) {
		heap_retire(t->heap, &r->tid, block_words(table));
		t->doomed = true;
		return NULL;
	}
	if (changed.right && change_leaf(t, &changed.split))
		remember_leaf(t, (struct tree_leaf){ changed.right, 0 });
	change_leaf(t, &changed.leaf);
	copy = memset(new_copy(t, table->words), 0, table->words * sizeof(*copy));
	add_write(t, (struct txn_write){ r, copy, table, key, TXN_INSERT });
	return copy;
}

static bool scan_record(struct txn *t, struct table *table, const struct tree_entry *entry,
			txn_scan_fn fn, void *context)
{
	struct record *r = (struct record *)(uintptr_t)entry->value;
	const struct txn_write *own = own_write(t, r);
	const unsigned int copies = t->copies;
	const uint64_t *copy;
	bool go_on;

	if (own && own->what == TXN_REMOVE)
		return true;
	copy = own ? own->copy : read_record(t, table, r);
	if (!copy)
		return false;
	go_on = fn(context, entry->key, copy);
	t->copies = copies;
	return go_on;
}

void txn_scan(struct txn *t, struct table *table, uint64_t first, uint64_t last, txn_scan_fn fn,
	      void *context)
{
	struct tree_entry entries[TREE_ENTRIES];
	struct tree_leaf leaf;
	uint64_t next;

	for (; first <= last && first <= TREE_KEY_MAX && !t->doomed; first = next) {
		const unsigned int n = tree_scan(&table->index, first, last, entries, &leaf, &next);

		remember_leaf(t, leaf);
		for (unsigned int i = 0; i < n; i++)
			if (!scan_record(t, table, &entries[i], fn, context))
				return;
	}
}

static void lock_record(struct record *r)
{
	for (unsigned int tries = 0;; tries++) {
		uint64_t tid = word_get(&r->tid);

		if (!(tid & TID_LOCKED) &&
		    atomic_compare_exchange_strong(&r->tid, &tid, tid | TID_LOCKED))
			return;
		relax(tries);
	}
}

/*
 * Sort the writes by address, so that no two transactions wait for each other; by
 * insertion, as there are few.
 */
static void sort_writes(struct txn *t)
{
	for (unsigned int i = 1; i < t->writes; i++) {
		const struct txn_write w = t->write[i];
		unsigned int at = i;

		for (; at && t->write[at - 1].record > w.record; at--)
			t->write[at] = t->write[at - 1];
		t->write[at] = w;
	}
}

static bool valid(struct txn *t)
{
	for (unsigned int i = 0; i < t->reads; i++) {
		const struct txn_read *read = &t->read[i];
		const uint64_t tid = atomic_load(&read->record->tid);

		if (tid == read->tid)
			continue;
		if (tid != (read->tid | TID_LOCKED) || !own_write(t, read->record))
			return false;
	}
	for (unsigned int i = 0; i < t->leaves; i++)
		if (!tree_unchanged(&t->leaf[i]))
			return false;
	return true;
}

/* Return a TID of @epoch, above all that were met and above that of the last commit. */
static uint64_t next_tid(const struct txn *t, uint64_t epoch)
{
	uint64_t tid = t->seen > t->tid ? t->seen : t->tid;

	if (tid < epoch << TID_EPOCH_SHIFT)
		tid = epoch << TID_EPOCH_SHIFT;
	return tid + TID_NEXT;
}

/* Take the record of @w, which is absent, out of the index. */
static void discard(struct txn *t, const struct txn_write *w)
{
	tree_remove(&w->table->index, t->heap, w->key, (uintptr_t)w->record);
	heap_retire(t->heap, &w->record->tid, block_words(w->table));
}

void txn_abort(struct txn *t)
{
	for (unsigned int i = 0; i < t->writes; i++)
		if (t->write[i].what == TXN_INSERT)
			discard(t, &t->write[i]);
}

bool txn_commit(struct txn *t)
{
	uint64_t epoch;

	if (t->doomed) {
		txn_abort(t);
		return false;
	}
	sort_writes(t);
	for (unsigned int i = 0; i < t->writes; i++)
		lock_record(t->write[i].record);
	/* between locks and checks: epochs agree with the serial order */
	epoch = atomic_load(&t->heap->epochs->now);
	if (!valid(t)) {
		for (unsigned int i = 0; i < t->writes; i++) {
			word *tid = &t->write[i].record->tid;

			word_set(tid, word_get(tid) & ~(uint64_t)TID_LOCKED);
		}
		txn_abort(t);
		return false;
	}
	t->tid = next_tid(t, epoch);
	for (unsigned int i = 0; i < t->writes; i++) {
		const struct txn_write *w = &t->write[i];

		if (w->what != TXN_REMOVE)
			for (unsigned int k = 0; k < w->table->words; k++)
				word_set(&w->record->data[k], w->copy[k]);
		word_set(&w->record->tid, t->tid | (w->what == TXN_REMOVE ? TID_ABSENT : 0));
	}
	for (unsigned int i = 0; i < t->writes; i++)
		if (t->write[i].what == TXN_REMOVE)
			discard(t, &t->write[i]);
	return true;
}
