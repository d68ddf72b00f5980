/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a key-value server, and the two protocols: Redis' and memcached's, in
 * text. Keys have a fixed length, values that of the store: so the reply to every request
 * is known before, but for the value.
 */
#ifndef KEYVALUE_STORE_H
#define KEYVALUE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_MIN 16
#define VALUE_MAX (16 << 10)
#define BATCH	  32 /* requests that may be sent before their replies are read */

enum kind { REDIS, MEMCACHED };

struct store {
	enum kind kind;
	const char *socket; /* path of the server's socket */
	size_t value; /* bytes of a value, a multiple of 8 */
};

struct connection {
	const struct store *store;
	int fd;
	char *out, *in;
	size_t sent; /* bytes of out that are waiting to be sent */
	size_t begin, end; /* of what has come and is not read */
	const char *error; /* why the connection is of no use; NULL while it is */
};

/* Connect. Returns false when nobody listens. */
bool store_connect(struct connection *c, const struct store *store);

void store_close(struct connection *c);

/* Ask for @key, or set it to @value; up to BATCH times, before store_send(). */
void store_get(struct connection *c, uint64_t key);
void store_set(struct connection *c, uint64_t key, const uint64_t *value);

/* Send what was asked. Returns false, with an error, when that fails. */
bool store_send(struct connection *c);

/*
 * Read the reply to store_get(). Returns the value, which is valid until the next call, or
 * NULL when there is none, or with an error.
 */
const uint64_t *store_value(struct connection *c, uint64_t key);

/* Read the reply to store_set(). Returns whether it was done; false with an error. */
bool store_stored(struct connection *c);

#endif
