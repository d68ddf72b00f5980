/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YCSB (Cooper et al., "Benchmarking cloud serving systems with YCSB", SoCC '10),
 * its workloads A to F; every operation is a transaction.
 */
#ifndef SILO_YCSB_H
#define SILO_YCSB_H

#include "bench.h"
#include "zipf.h"

/*
 * A record: its key, how often it was updated, ten fields, and a checksum of all of
 * it. With its TID it is 112 bytes.
 */
#define YCSB_FIELDS 10
#define YCSB_WORDS  (YCSB_FIELDS + 3)

struct ycsb {
	struct bench bench; /* first: the functions of struct bench get it */
	char mix; /* 'A' to 'F' */
	uint64_t records; /* to load */
	struct table table;
	struct zipf zipf;
	word next; /* key to insert; those below are there or on their way */
};

/* Bytes that @records records, and the inserts of @operations of @mix, take at most. */
uint64_t ycsb_bytes(char mix, uint64_t records, uint64_t operations);

void ycsb_init(struct ycsb *y, char mix, uint64_t records, unsigned int threads,
	       uint64_t operations);

/* Damage the table after the run: torn, update or missing. False: no such @what. */
bool ycsb_corrupt(struct ycsb *y, const char *what);

/*
 * Read all records back: there must be every key, in order, each record whole, and
 * each update that committed must have counted once. Returns NULL or what is wrong.
 */
const char *ycsb_check(struct ycsb *y);

#endif
