/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serializable transactions by Silo's protocol (Tu et al., "Speedy transactions in
 * multicore in-memory databases", SOSP '13): they run without locks on copies of
 * records, remember the version of all that they read, and when they commit lock
 * what they write, check that nothing of what they read has changed, and install
 * the copies under a new TID. Versions of leaves in which they looked for keys are
 * checked likewise, so that there are no phantoms.
 *
 * Not here, of what Silo has: logging, and snapshots for read-only transactions,
 * which are ordinary ones here.
 */
#ifndef SILO_TXN_H
#define SILO_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "heap.h"
#include "tree.h"

/*
 * A TID: epoch (24 bits), number within the epoch (38 bits), and two bits of state.
 * An absent record is one whose insert has not committed, or that was removed and
 * is about to leave the index: who meets it starts again.
 */
#define TID_LOCKED	1
#define TID_ABSENT	2
#define TID_NEXT	4
#define TID_EPOCH_SHIFT 40

struct record {
	word tid;
	word data[];
};

struct table {
	struct tree index;
	unsigned int words; /* of data, at least 2 */
};

/* What the largest transactions need: stock-level reads, delivery writes. */
#define TXN_READS  1024
#define TXN_WRITES 256
#define TXN_LEAVES 1024
#define TXN_COPIES 32768 /* words */

/* One thread's transaction, used again and again. */
struct txn {
	struct heap *heap;
	uint64_t tid; /* of its last commit */
	uint64_t seen; /* the largest TID that it has met */
	bool doomed; /* cannot commit any more */
	unsigned int reads, writes, leaves, copies;
	struct txn_read {
		struct record *record;
		uint64_t tid;
	} read[TXN_READS];
	struct txn_write {
		struct record *record;
		uint64_t *copy;
		struct table *table;
		uint64_t key;
		enum { TXN_UPDATE, TXN_INSERT, TXN_REMOVE } what;
	} write[TXN_WRITES];
	struct tree_leaf leaf[TXN_LEAVES];
	uint64_t copy[TXN_COPIES];
};

/* An empty table of records of @bytes bytes, a multiple of 8. */
void table_init(struct table *table, size_t bytes, struct heap *h);

/* Put a record there before there are transactions. Returns whether @key is new. */
bool table_load(struct table *table, struct heap *h, uint64_t key, const void *data);

/* For checks when no transactions run: @key's record, or NULL. */
struct record *table_find(struct table *table, uint64_t key);

/* The transaction that begins here ends with txn_commit() or txn_abort(). */
void txn_begin(struct txn *t);

/*
 * A copy of @key's record, good until the transaction ends; to change, if it is to
 * be written. NULL if there is no such record, or if the transaction is doomed.
 */
const void *txn_read(struct txn *t, struct table *table, uint64_t key);
void *txn_write(struct txn *t, struct table *table, uint64_t key);

/* Room for a new record, zeroed. NULL and doomed if the index has @key. */
void *txn_insert(struct txn *t, struct table *table, uint64_t key);

/* Remove @key's record. Returns whether there is one. */
bool txn_remove(struct txn *t, struct table *table, uint64_t key);

/* Gets a record, valid during the call, and may not use the transaction. True: go on. */
typedef bool (*txn_scan_fn)(void *context, uint64_t key, const void *data);

/* Call @fn for the records with keys from @first to @last, in order. */
void txn_scan(struct txn *t, struct table *table, uint64_t first, uint64_t last, txn_scan_fn fn,
	      void *context);

/* Commit. Returns whether that succeeded; if not, it is as if it had never been. */
bool txn_commit(struct txn *t);
void txn_abort(struct txn *t);

#endif
