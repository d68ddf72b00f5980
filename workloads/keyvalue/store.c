// SPDX-License-Identifier: GPL-2.0-or-later
/* A connection to a key-value server; see store.h. */
#define _GNU_SOURCE
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common.h"

#define KEY	"key%012llu"
#define LINE	128 /* more than any request or reply has beside a value */
#define ROOM(c) (BATCH * ((c)->store->value + 2 * LINE))

bool store_connect(struct connection *c, const struct store *store)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*c = (struct connection){ .store = store };
	if (strlen(store->socket) >= sizeof(address.sun_path))
		die("%s: the path is too long for a socket", store->socket);
	memcpy(address.sun_path, store->socket, strlen(store->socket));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("cannot make a socket: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&address, sizeof(address))) {
		close(c->fd);
		return false;
	}
	c->in = malloc(ROOM(c));
	c->out = malloc(ROOM(c));
	if (!c->in || !c->out)
		die("cannot allocate the buffers of a connection");
	return true;
}

void store_close(struct connection *c)
{
	close(c->fd);
	free(c->in);
	free(c->out);
}

static void add_key(struct connection *c, const char *format, uint64_t key)
{
	c->sent +=
		snprintf(c->out + c->sent, LINE, format, (unsigned long long)key, c->store->value);
}

void store_get(struct connection *c, uint64_t key)
{
	add_key(c,
		c->store->kind == REDIS ? "*2\r\n$3\r\nGET\r\n$15\r\n" KEY "\r\n"
					: "get " KEY "\r\n",
		key);
}

void store_set(struct connection *c, uint64_t key, const uint64_t *value)
{
	add_key(c,
		c->store->kind == REDIS ? "*3\r\n$3\r\nSET\r\n$15\r\n" KEY "\r\n$%zu\r\n"
					: "set " KEY " 0 0 %zu\r\n",
		key);
	memcpy(c->out + c->sent, value, c->store->value);
	memcpy(c->out + c->sent + c->store->value, "\r\n", 2);
	c->sent += c->store->value + 2;
}

static bool fail(struct connection *c, const char *why)
{
	c->error = why;
	return false;
}

bool store_send(struct connection *c)
{
	size_t done = 0;

	while (done < c->sent) {
		const ssize_t n = send(c->fd, c->out + done, c->sent - done, MSG_NOSIGNAL);

		if (n <= 0)
			return fail(c, strerror(errno));
		done += n;
	}
	c->sent = 0;
	return true;
}

/* Have @bytes more in the buffer than there are. */
static bool receive(struct connection *c, size_t bytes)
{
	const size_t wanted = c->end - c->begin + bytes;

	if (c->begin + wanted > ROOM(c)) {
		memmove(c->in, c->in + c->begin, c->end - c->begin);
		c->end -= c->begin;
		c->begin = 0;
	}
	if (wanted > ROOM(c))
		return fail(c, "a reply that is too long");
	while (c->end - c->begin < wanted) {
		const ssize_t n = recv(c->fd, c->in + c->end, ROOM(c) - c->end, 0);

		if (n <= 0)
			return fail(c,
				    n ? strerror(errno) : "the server has closed the connection");
		c->end += n;
	}
	return true;
}

/* Read @bytes; NULL with an error. */
static const char *take(struct connection *c, size_t bytes)
{
	const size_t have = c->end - c->begin;

	if (have < bytes && !receive(c, bytes - have))
		return NULL;
	c->begin += bytes;
	return c->in + c->begin - bytes;
}

/* Read a line, and whether it is @wanted. */
static bool line_is(struct connection *c, const char *wanted)
{
	size_t length = 0;
	const char *line;

	while (length < 2 || c->in[c->begin + length - 1] != '\n') {
		if (c->begin + length == c->end && !receive(c, 1))
			return false;
		length++;
	}
	line = take(c, length);
	return length == strlen(wanted) && !memcmp(line, wanted, length);
}

const uint64_t *store_value(struct connection *c, uint64_t key)
{
	const bool redis = c->store->kind == REDIS;
	const char *tail = redis ? "\r\n" : "\r\nEND\r\n";
	char head[LINE];
	const char *value;

	if (redis)
		snprintf(head, sizeof(head), "$%zu\r\n", c->store->value);
	else
		snprintf(head, sizeof(head), "VALUE " KEY " 0 %zu\r\n", (unsigned long long)key,
			 c->store->value);
	/* anything else is one line: there is no such key, or an error */
	if (!line_is(c, head))
		return NULL;
	value = take(c, c->store->value + strlen(tail));
	if (!value)
		return NULL;
	if (memcmp(value + c->store->value, tail, strlen(tail))) {
		fail(c, "a value that does not end where it should");
		return NULL;
	}
	/* where it is aligned */
	return memcpy(c->out, value, c->store->value);
}

bool store_stored(struct connection *c)
{
	return line_is(c, c->store->kind == REDIS ? "+OK\r\n" : "STORED\r\n");
}
