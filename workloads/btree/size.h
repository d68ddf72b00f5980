/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many rows fit in how much memory. */
#ifndef BTREE_SIZE_H
#define BTREE_SIZE_H

#include "tree.h"

struct plan {
	struct tree_shape shape;
	uint64_t row_bytes;
	uint64_t keys; /* that are loaded */
	uint64_t inserts;
};

/* Bytes that table and index of @p take after all inserts. */
uint64_t plan_bytes(const struct plan *p);

/* The most keys to load such that a process with @p stays within @mem bytes. */
uint64_t plan_keys(struct plan p, uint64_t mem);

#endif
