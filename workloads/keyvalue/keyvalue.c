// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keyvalue: gets and sets of a key-value server, Redis or memcached, over its Unix socket.
 *
 * The server, a program of others, is started, and filled with as many values as make the
 * footprint. In the measured phase every client, a thread with a connection, makes one request
 * after the other: most get, some set, popular keys by Zipf's law, scattered over all keys.
 *
 * Verification: a value holds its key, its version and what follows from both. The version must
 * be none older than what the server had confirmed when it was asked. Every client sets keys of
 * its own, and reads them back in the end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "latency.h"
#include "server.h"
#include "store.h"
#include "zipf.h"

#define RESERVE	    (16ull << 20) /* both programs, without values */
#define THETA	    0.99
#define SCATTER	    2654435761ull /* a prime, larger than the number of keys */
#define CLIENTS_MAX 256
#define REPORTED    64 /* requests that become progress at a time */

static struct {
	enum kind kind;
	const char *program;
	uint64_t mem;
	uint64_t operations;
	uint64_t value;
	unsigned int clients;
	double sets; /* share of all requests */
} opt = {
	.mem = 64 << 20,
	.operations = 100000,
	.value = 1000,
	.clients = 4,
	.sets = 0.05,
};

static const struct argp_option options[] = {
	{ "server", 'x', "NAME", 0, "redis or memcached (redis)", 0 },
	{ "program", 'p', "FILE", 0, "the server's program (as it is called usually)", 0 },
	{ "mem", 'm', "SIZE", 0, "memory of server and values (64M)", 0 },
	{ "operations", 'n', "N", 0, "requests of all clients together (100000)", 0 },
	{ "value", 'v', "BYTES", 0, "size of a value, a multiple of 8 (1000)", 0 },
	{ "clients", 'c', "N", 0, "clients, and threads of memcached (4)", 0 },
	{ "sets", 'w', "SHARE", 0, "share of requests that set (0.05)", 0 },
	{ 0 },
};

static const char *const kinds[] = { "redis", "memcached", NULL };

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'x':
		opt.kind = parse_choice("server", arg, kinds);
		return true;
	case 'p':
		opt.program = arg;
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 24 << 20, 1ull << 40);
		return true;
	case 'n':
		opt.operations = parse_size("operations", arg, 1, 1ull << 40);
		return true;
	case 'v':
		opt.value = parse_size("value", arg, VALUE_MIN, VALUE_MAX);
		if (opt.value % 8)
			die("--value: must be a multiple of 8: %s", arg);
		return true;
	case 'c':
		opt.clients = parse_size("clients", arg, 1, CLIENTS_MAX);
		return true;
	case 'w':
		opt.sets = parse_number("sets", arg, 0, 1);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "keyvalue",
	.about = "Gets and sets of a key-value server, Redis or memcached.",
	.options = options,
	.parse = parse,
	.corruptions = (const char *const[]){ "value", "update", NULL },
};

static struct {
	struct server server;
	struct store store;
	char folder[64];
	char socket[80];
	uint64_t keys;
	uint32_t *versions; /* of every key, as the server has confirmed it */
	struct zipf zipf;
} job;

struct client {
	pthread_t thread;
	unsigned int me;
	uint64_t operations;
	uint64_t gets, sets, wrong;
	struct latency latency;
	struct connection connection;
	uint64_t value[VALUE_MAX / 8];
};

/* Memory that the server takes for one value, as measured. */
static uint64_t bytes_per_key(void)
{
	uint64_t chunk = 96;

	if (opt.kind == REDIS) {
		/* jemalloc: four sizes for every power of two */
		uint64_t step = 16;

		while (step * 8 < opt.value + 6)
			step *= 2;
		return (opt.value + 6 + step - 1) / step * step + 128;
	}
	/* memcached's slabs grow by a quarter */
	while (chunk < opt.value + 75)
		chunk = (chunk + chunk / 4 + 7) / 8 * 8;
	return chunk + 12;
}

static void remove_folder(void)
{
	char log[96];

	snprintf(log, sizeof(log), "%s/server.log", job.folder);
	unlink(log);
	unlink(job.socket);
	rmdir(job.folder);
}

static void make_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(job.folder, sizeof(job.folder), "%s/keyvalue-XXXXXX", tmp ? tmp : "/tmp") >=
	    (int)sizeof(job.folder))
		die("TMPDIR: the path is too long for a socket");
	if (!mkdtemp(job.folder))
		die("%s: %s", job.folder, strerror(errno));
	snprintf(job.socket, sizeof(job.socket), "%s/socket", job.folder);
	/* before the server is: it is ended first */
	atexit(remove_folder);
	if (!geteuid() && chown(job.folder, SERVER_UID, SERVER_UID))
		die("%s: %s", job.folder, strerror(errno));
}

static bool answers(void *unused)
{
	struct connection c;

	(void)unused;
	if (!store_connect(&c, &job.store))
		return false;
	store_close(&c);
	return true;
}

static void start_server(void)
{
	char mem[32], threads[32];
	char *const redis[] = {
		"redis-server", "--port",      "0", "--unixsocket",
		job.socket,	"--save",      "",  "--appendonly",
		"no",		"--databases", "1", "--dir",
		job.folder,	NULL,
	};
	char *const memcached[] = {
		"memcached", "-s", job.socket, "-m", mem, "-t", threads, NULL,
	};
	char *argv[16];

	/* it must not be what limits memory */
	snprintf(mem, sizeof(mem), "%llu", (unsigned long long)(opt.mem >> 20) * 5 / 4 + 64);
	snprintf(threads, sizeof(threads), "%u", opt.clients);
	memcpy(argv, opt.kind == REDIS ? redis : memcached,
	       opt.kind == REDIS ? sizeof(redis) : sizeof(memcached));
	if (opt.program)
		argv[0] = (char *)opt.program;
	job.server = (struct server){ .folder = job.folder, .stop_signal = SIGTERM };
	server_start(&job.server, argv);
	server_wait(&job.server, answers, NULL);
}

/* Die because a connection is lost, which is the server's fault if it has ended. */
static _Noreturn void lost(const struct connection *c)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

	/* one of the clients says it, and ends all */
	pthread_mutex_lock(&once);
	for (unsigned int i = 0; i < 100; i++) {
		server_check(&job.server);
		usleep(1000);
	}
	die("the server does not answer: %s", c->error);
}

static void connect_to(struct connection *c)
{
	if (!store_connect(c, &job.store))
		die("cannot connect to the server: %s", strerror(errno));
}

static void make_value(uint64_t *value, uint64_t key, uint32_t version)
{
	const uint64_t base = mix64(key << 32 | version);

	value[0] = key;
	value[1] = version;
	for (uint64_t i = 2; i < opt.value / 8; i++)
		value[i] = base + i;
}

/* Whether @value is that of @key in a version from @oldest on, which is there now. */
static bool is_right(const uint64_t *value, uint64_t key, uint32_t oldest)
{
	const uint32_t newest = __atomic_load_n(&job.versions[key], __ATOMIC_ACQUIRE) + 1;
	uint64_t base, different;

	if (!value || value[0] != key || value[1] < oldest || value[1] > newest)
		return false;
	base = mix64(key << 32 | value[1]);
	different = 0;
	for (uint64_t i = 2; i < opt.value / 8; i++)
		different |= value[i] ^ (base + i);
	return !different;
}

/* Set the client's keys for the first time, several at once. */
static void *load(void *argument)
{
	struct client *w = argument;
	struct connection *c = &w->connection;

	for (uint64_t key = w->me; key < job.keys;) {
		unsigned int asked = 0;

		for (; key < job.keys && asked < BATCH; key += opt.clients, asked++) {
			make_value(w->value, key, 0);
			store_set(c, key, w->value);
		}
		if (!store_send(c))
			lost(c);
		while (asked--)
			w->wrong += !store_stored(c);
		if (c->error)
			lost(c);
	}
	return NULL;
}

static void get(struct client *w, uint64_t key)
{
	struct connection *c = &w->connection;
	const uint32_t oldest = __atomic_load_n(&job.versions[key], __ATOMIC_ACQUIRE);

	store_get(c, key);
	if (!store_send(c))
		lost(c);
	w->wrong += !is_right(store_value(c, key), key, oldest);
	w->gets++;
}

static void set(struct client *w, uint64_t key)
{
	struct connection *c = &w->connection;
	const uint32_t version = job.versions[key] + 1;

	make_value(w->value, key, version);
	store_set(c, key, w->value);
	if (!store_send(c))
		lost(c);
	w->wrong += !store_stored(c);
	__atomic_store_n(&job.versions[key], version, __ATOMIC_RELEASE);
	w->sets++;
}

/* The client's own key that is nearest: nobody else sets it. */
static uint64_t own(const struct client *w, uint64_t key)
{
	const uint64_t mine = key - key % opt.clients + w->me;

	return mine < job.keys ? mine : w->me;
}

static uint64_t draw(struct rng *rng)
{
	const uint64_t rank = zipf_rank(&job.zipf, rng);

	return (rank * SCATTER + common.seed) % job.keys;
}

static void *work(void *argument)
{
	struct client *w = argument;
	struct rng rng = rng_seed(common.seed, w->me);
	double before = now_s();

	for (uint64_t i = 1; i <= w->operations; i++) {
		const uint64_t key = draw(&rng);
		double after;

		if (rng_unit(&rng) < opt.sets)
			set(w, own(w, key));
		else
			get(w, key);
		if (w->connection.error)
			lost(&w->connection);
		after = now_s();
		latency_add(&w->latency, (after - before) * 1e9);
		before = after;
		if (i % REPORTED == 0 || i == w->operations)
			progress(i % REPORTED ? i % REPORTED : REPORTED);
	}
	return NULL;
}

/* Read back what the client has set. */
static void *read_back(void *argument)
{
	struct client *w = argument;
	struct connection *c = &w->connection;
	uint64_t asked[BATCH];

	for (uint64_t key = w->me; key < job.keys;) {
		unsigned int n = 0;

		for (; key < job.keys && n < BATCH; key += opt.clients)
			if (job.versions[key]) {
				store_get(c, key);
				asked[n++] = key;
			}
		if (!store_send(c))
			lost(c);
		for (unsigned int i = 0; i < n; i++)
			w->wrong += !is_right(store_value(c, asked[i]), asked[i],
					      job.versions[asked[i]]);
		if (c->error)
			lost(c);
	}
	return NULL;
}

static void all_clients(struct client *clients, void *(*what)(void *))
{
	for (unsigned int i = 0; i < opt.clients; i++)
		if (pthread_create(&clients[i].thread, NULL, what, &clients[i]))
			die("--clients: cannot start %u threads", opt.clients);
	for (unsigned int i = 0; i < opt.clients; i++)
		pthread_join(clients[i].thread, NULL);
}

/* Spoil what --corrupt says, of the first key of the first client. */
static void corrupt(struct client *w)
{
	if (corrupts("update"))
		job.versions[w->me]++;
	if (!corrupts("value"))
		return;
	job.versions[w->me]++;
	make_value(w->value, w->me, job.versions[w->me]);
	w->value[opt.value / 8 - 1] ^= 1ull << 40;
	store_set(&w->connection, w->me, w->value);
	if (!store_send(&w->connection) || !store_stored(&w->connection))
		lost(&w->connection);
}

int main(int argc, char **argv)
{
	uint64_t gets = 0, sets = 0, wrong = 0;
	struct latency all = { 0 };
	struct client *clients;
	double server_s;

	parse_command_line(argc, argv, &program);
	check_memory(opt.mem);
	job.keys = (opt.mem - RESERVE) / bytes_per_key();
	if (job.keys < opt.clients)
		die("--mem: too small for %u clients", opt.clients);
	job.versions = calloc(job.keys, sizeof(*job.versions));
	clients = calloc(opt.clients, sizeof(*clients));
	if (!job.versions || !clients)
		die("cannot allocate memory for %llu keys", (unsigned long long)job.keys);
	job.zipf = zipf_make(job.keys, THETA);
	make_folder();
	job.store = (struct store){ .kind = opt.kind, .socket = job.socket, .value = opt.value };
	start_server();
	for (unsigned int i = 0; i < opt.clients; i++) {
		clients[i].me = i;
		clients[i].operations = (opt.operations + i) / opt.clients;
		connect_to(&clients[i].connection);
	}
	all_clients(clients, load);

	measure_begin("requests/s");
	server_s = server_system_s(&job.server);
	all_clients(clients, work);
	measure_end();
	measured.sys_s += server_system_s(&job.server) - server_s;

	corrupt(&clients[0]);
	all_clients(clients, read_back);
	for (unsigned int i = 0; i < opt.clients; i++) {
		gets += clients[i].gets;
		sets += clients[i].sets;
		wrong += clients[i].wrong;
		latency_merge(&all, &clients[i].latency);
		store_close(&clients[i].connection);
	}
	server_stop(&job.server);
	report_text("server", kinds[opt.kind]);
	report_uint("keys", job.keys);
	report_uint("value", opt.value);
	report_uint("clients", opt.clients);
	report_uint("gets", gets);
	report_uint("sets", sets);
	report_uint("wrong", wrong);
	report_real("p50_us", "%.3f", latency_us(&all, 0.50));
	report_real("p99_us", "%.3f", latency_us(&all, 0.99));
	free(clients);
	free(job.versions);
	return report(opt.operations / measured.seconds, !wrong);
}
