// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * postgresql: PostgreSQL, driven by its own pgbench over its Unix socket.
 *
 * The server is started on an empty cluster, filled by pgbench, and its shared buffers are
 * filled from its files. Half of the footprint is these buffers, which hold all tables, the
 * other half the files. In the measured phase pgbench runs point selects or transactions like
 * TPC-B's; popular accounts by Zipf's law, scattered over all.
 *
 * Verification: every account that is asked for is there; in the end all are, and the sums of
 * the balances of accounts, tellers and branches are that of the history, which has all
 * transactions.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "latency.h"
#include "server.h"

/* One of so many transactions is timed, of those that take long each. */
#define SAMPLED	     (opt.mix == SELECT ? 5 : 1)
#define NAP_US	     10000
#define EXIT_ABORTED 2 /* pgbench's, when a statement fails */
#define SETTLE_US    200000 /* until the processes of clients that have left are gone */
#define ZIPF	     "1.01" /* above 1, as pgbench demands */

/* Sizes, in bytes: of pages and what of one holds rows, of an account with its pointer. */
#define PAGE	  8192
#define PAGE_ROOM 8168
#define ROW	  132
#define ACCOUNTS  100000ull /* of one unit of pgbench's scale */
#define INDEX(n)  ((n) * 43 / 2)
/* Rows that a page has at least, and at most. */
#define ROWS_MIN 6
#define ROWS_MAX 61
/* Of one unit of scale at most: larger tables are more rows, smaller ones fuller pages. */
#define UNIT_MAX (56ull << 20)
/* Processes of the server, its log of changes, and pgbench; and of each client. */
#define OVERHEAD   (48ull << 20)
#define PER_CLIENT (5ull << 20)
/* Buffers beside the accounts. */
#define OTHERS (12ull << 20)

enum mix { SELECT, TPCB };

static struct {
	enum mix mix;
	const char *bin;
	const char *cluster;
	uint64_t mem;
	uint64_t transactions;
	unsigned int clients;
} opt = {
	.bin = "/opt/postgresql",
	.mem = 256 << 20,
	.transactions = 10000,
	.clients = 4,
};

static const struct argp_option options[] = {
	{ "mix", 'x', "NAME", 0, "select or tpcb (select)", 0 },
	{ "bin", 'b', "FOLDER", 0, "has postgres and pgbench (/opt/postgresql)", 0 },
	{ "cluster", 'd', "FOLDER", 0, "an empty cluster, which is filled; its owner runs both",
	  0 },
	{ "mem", 'm', "SIZE", 0, "memory of server and files (256M)", 0 },
	{ "transactions", 'n', "N", 0, "transactions of all clients together (10000)", 0 },
	{ "clients", 'c', "N", 0, "clients, each with a process of the server (4)", 0 },
	{ 0 },
};

static const char *const mixes[] = { "select", "tpcb", NULL };

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'x':
		opt.mix = parse_choice("mix", arg, mixes);
		return true;
	case 'b':
		opt.bin = arg;
		return true;
	case 'd':
		opt.cluster = arg;
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 96 << 20, 1ull << 40);
		return true;
	case 'n':
		opt.transactions = parse_size("transactions", arg, 1, 1u << 31);
		return true;
	case 'c':
		opt.clients = parse_size("clients", arg, 1, 64);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "postgresql",
	.about = "PostgreSQL, driven by pgbench.",
	.options = options,
	.parse = parse,
	.corruptions = (const char *const[]){ "account", "balance", "history", NULL },
};

static struct server server = { .stop_signal = SIGINT };
static char cluster[PATH_MAX];
static char postgres[PATH_MAX], pgbench[PATH_MAX];

/* How the footprint is had. */
static struct {
	unsigned int scale;
	unsigned int fill; /* %, of the pages of tables */
	uint64_t accounts;
	uint64_t data; /* bytes of accounts and their index */
	uint64_t buffers; /* bytes that the server shares between its processes */
	uint64_t transactions; /* of each client */
} plan;

static void make_plan(void)
{
	const uint64_t overhead = OVERHEAD + opt.clients * PER_CLIENT + OTHERS;
	uint64_t pages, rows;

	check_memory(opt.mem);
	plan.data = opt.mem > overhead ? (opt.mem - overhead) / 2 : 0;
	plan.scale = (plan.data + UNIT_MAX - 1) / UNIT_MAX;
	plan.accounts = plan.scale * ACCOUNTS;
	if (plan.data < (ACCOUNTS / ROWS_MAX + 1) * PAGE + INDEX(ACCOUNTS))
		die("--mem: too small for %llu accounts and %u clients",
		    (unsigned long long)ACCOUNTS, opt.clients);
	pages = (plan.data - INDEX(plan.accounts)) / PAGE;
	rows = (plan.accounts + pages - 1) / pages;
	if (rows < ROWS_MIN)
		rows = ROWS_MIN;
	plan.fill = 100 - (PAGE_ROOM - rows * ROW) * 100 / PAGE;
	plan.buffers = plan.data + OTHERS;
	plan.transactions = (opt.transactions + opt.clients - 1) / opt.clients;
}

/* Write the path of @name in @folder into @path. */
static void join(char *path, const char *folder, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		die("%s: the path is too long", folder);
}

static void find_files(void)
{
	if (!opt.cluster)
		die("--cluster: name an empty cluster, which is to be filled");
	if (!realpath(opt.cluster, cluster))
		die("--cluster: %s: %s", opt.cluster, strerror(errno));
	join(postgres, opt.bin, "postgres");
	join(pgbench, opt.bin, "pgbench");
	server.folder = cluster;
}

static bool is_ready(void *unused)
{
	char path[PATH_MAX], text[1024];
	FILE *file;
	size_t n;

	(void)unused;
	join(path, cluster, "postmaster.pid");
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	/* pg_ctl looks for the same */
	return strstr(text, "\nready");
}

static void start_server(void)
{
	char buffers[64], connections[64];
	/* everything is in memory, and lost in the end */
	char *const argv[] = {
		postgres,
		"-D",
		cluster,
		"-c",
		buffers,
		"-c",
		connections,
		"-c",
		"listen_addresses=",
		"-c",
		"unix_socket_directories=.",
		"-c",
		"dynamic_shared_memory_type=mmap",
		"-c",
		"huge_pages=off",
		"-c",
		"fsync=off",
		"-c",
		"full_page_writes=off",
		"-c",
		"wal_level=minimal",
		"-c",
		"max_wal_senders=0",
		"-c",
		"min_wal_size=4MB",
		"-c",
		"max_wal_size=16MB",
		"-c",
		"checkpoint_timeout=1h",
		"-c",
		"autovacuum=off",
		"-c",
		"jit=off",
		"-c",
		"restart_after_crash=off",
		"-c",
		"timezone=GMT",
		"-c",
		"log_timezone=GMT",
		NULL,
	};

	snprintf(buffers, sizeof(buffers), "shared_buffers=%llukB",
		 (unsigned long long)(plan.buffers >> 10));
	snprintf(connections, sizeof(connections), "max_connections=%u", opt.clients + 8);
	server_start(&server, argv);
	server_wait(&server, is_ready, NULL);
}

/* Start pgbench with options, up to a NULL. */
static pid_t start_pgbench(const char *const options[])
{
	const char *argv[32] = { pgbench, "-h", cluster, "-U", "postgres" };
	unsigned int n = 5;
	char log[PATH_MAX];

	while (*options)
		argv[n++] = *options++;
	argv[n] = "postgres";
	join(log, cluster, "pgbench.log");
	unlink(log);
	return server_run(&server, (char *const *)argv, log);
}

/* Whether pgbench, which has ended with @status, did what it had to; else say why not. */
static bool succeeded(int status, const char *what)
{
	char log[PATH_MAX], line[512];

	server_check(&server);
	if (!status)
		return true;
	join(log, cluster, "pgbench.log");
	log_line(log, line, sizeof(line));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_ABORTED)
		die("%s: pgbench failed: %s", what, line);
	warn("%s: %s", what, line);
	return false;
}

/* Run pgbench to its end. Returns whether it did @what. */
static bool run_pgbench(const char *what, const char *const options[])
{
	int status;

	if (waitpid(start_pgbench(options), &status, 0) < 0)
		die("cannot wait for pgbench: %s", strerror(errno));
	return succeeded(status, what);
}

/* Write a script of pgbench's, whose path goes to @path. */
static __attribute__((format(printf, 2, 3))) void write_script(char *path, const char *format, ...)
{
	va_list args;
	FILE *file;
	bool good;

	join(path, cluster, "script.sql");
	file = fopen(path, "we");
	va_start(args, format);
	good = file && vfprintf(file, format, args) > 0;
	va_end(args);
	if (!file || fclose(file) || !good)
		die("%s: %s", path, strerror(errno));
}

/* Run the script once. Returns whether it did @what. */
static bool run_script(const char *what, const char *path)
{
	return run_pgbench(what, (const char *const[]){ "-n", "-t", "1", "-f", path, NULL });
}

static void load(void)
{
	char scale[16], fill[16], path[PATH_MAX];
	const char *const options[] = {
		"-i", "-I", "dtgp", "-q", "-s", scale, "-F", fill, NULL,
	};

	snprintf(scale, sizeof(scale), "%u", plan.scale);
	snprintf(fill, sizeof(fill), "%u", plan.fill);
	/* what was loaded went past the buffers */
	write_script(path, "SELECT count(pg_prewarm(oid::regclass)) FROM pg_class\n"
			   "WHERE relname IN ('pgbench_accounts', 'pgbench_accounts_pkey');\n");
	if (!run_pgbench("cannot fill the tables", options) ||
	    !run_script("cannot fill the buffers", path))
		exit(EXIT_INPUT);
}

/* Write the script of one transaction. */
static void write_transaction(char *path)
{
	const unsigned long long n = plan.accounts;

	if (opt.mix == SELECT) {
		/* \gset fails when there is no row */
		write_script(path,
			     "\\set aid permute(random_zipfian(1, %llu, " ZIPF ") - 1, %llu) + 1\n"
			     "SELECT abalance FROM pgbench_accounts WHERE aid = :aid\n\\gset\n",
			     n, n);
		return;
	}
	write_script(path,
		     "\\set aid permute(random_zipfian(1, %llu, " ZIPF ") - 1, %llu) + 1\n"
		     "\\set bid random(1, %u)\n"
		     "\\set tid random(1, 10 * %u)\n"
		     "\\set delta random(-5000, 5000)\n"
		     "BEGIN;\n"
		     "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n"
		     "SELECT abalance FROM pgbench_accounts WHERE aid = :aid\n\\gset\n"
		     "UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;\n"
		     "UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;\n"
		     "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)\n"
		     "VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);\n"
		     "END;\n",
		     n, n, plan.scale, plan.scale);
}

/*
 * Take the lines that are new in pgbench's log of transactions: client, number, and
 * microseconds that it took.
 */
static void follow(FILE *log, struct latency *latency)
{
	unsigned long long us;
	char line[256];
	long at;

	clearerr(log);
	while (at = ftell(log), fgets(line, sizeof(line), log)) {
		if (!strchr(line, '\n')) {
			/* not all of it is there */
			fseek(log, at, SEEK_SET);
			return;
		}
		if (sscanf(line, "%*u %*u %llu", &us) == 1) {
			latency_add(latency, us * 1000);
			progress(SAMPLED);
		}
	}
}

/* Run all transactions. Returns whether they could be. */
static bool run_transactions(struct latency *latency)
{
	char path[PATH_MAX], prefix[PATH_MAX], clients[16], each[16], seed[64], rate[16];
	const char *const options[] = {
		"-n", "-M", "prepared", "-f", path,	      "-c",   clients,
		"-t", each, seed,	"-l", "--log-prefix", prefix, "--sampling-rate",
		rate, NULL,
	};
	FILE *log = NULL;
	int status = 0;
	pid_t pid;

	write_transaction(path);
	join(prefix, cluster, "transactions");
	snprintf(clients, sizeof(clients), "%u", opt.clients);
	snprintf(each, sizeof(each), "%llu", (unsigned long long)plan.transactions);
	snprintf(seed, sizeof(seed), "--random-seed=%llu", (unsigned long long)common.seed);
	snprintf(rate, sizeof(rate), "%g", 1.0 / SAMPLED);

	measure_begin("transactions/s");
	pid = start_pgbench(options);
	snprintf(path, sizeof(path), "%.4000s.%d", prefix, pid);
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(NAP_US);
		if (!log)
			log = fopen(path, "re");
		if (log)
			follow(log, latency);
	}
	measure_end();
	if (!log)
		log = fopen(path, "re");
	if (log) {
		follow(log, latency);
		fclose(log);
	}
	unlink(path);
	return succeeded(status, "a transaction failed");
}

static void corrupt(void)
{
	static const char *const how[][2] = {
		{ "account", "DELETE FROM pgbench_accounts WHERE aid = 1;\n" },
		{ "balance",
		  "UPDATE pgbench_tellers SET tbalance = tbalance + 1 WHERE tid = 1;\n" },
		{ "history", "INSERT INTO pgbench_history VALUES (1, 1, 1, 0);\n" },
	};
	char path[PATH_MAX];

	for (unsigned int i = 0; i < sizeof(how) / sizeof(*how); i++) {
		if (!corrupts(how[i][0]))
			continue;
		write_script(path, "%s", how[i][1]);
		if (!run_script("cannot corrupt", path))
			exit(EXIT_INPUT);
	}
}

/* Whether all rows are as they must be: dividing by zero fails. */
static bool check(void)
{
	const unsigned long long n = plan.accounts;
	char path[PATH_MAX];

	write_script(path,
		     "SELECT 1 / (a.n = %llu AND a.ids = %llu AND a.sum = h.sum AND t.sum = h.sum "
		     "AND b.sum = h.sum AND h.n = %llu)::int FROM\n"
		     "(SELECT count(*) n, sum(aid) ids, sum(abalance) FROM pgbench_accounts) a,\n"
		     "(SELECT sum(tbalance) FROM pgbench_tellers) t,\n"
		     "(SELECT sum(bbalance) FROM pgbench_branches) b,\n"
		     "(SELECT count(*) n, coalesce(sum(delta), 0) sum FROM pgbench_history) h;\n",
		     n, n * (n + 1) / 2,
		     opt.mix == TPCB ? (unsigned long long)plan.transactions * opt.clients : 0);
	return run_script("the tables are not as they should be", path);
}

int main(int argc, char **argv)
{
	struct latency latency = { 0 };
	double server_s;
	bool good;

	parse_command_line(argc, argv, &program);
	make_plan();
	find_files();
	start_server();
	load();

	server_s = server_system_s(&server);
	good = run_transactions(&latency);
	/* of a client's process, the server knows when it has ended */
	usleep(SETTLE_US);
	measured.sys_s += server_system_s(&server) - server_s;

	corrupt();
	good = check() && good;
	server_stop(&server);
	report_text("mix", mixes[opt.mix]);
	report_uint("accounts", plan.accounts);
	report_uint("fill", plan.fill);
	report_uint("data", plan.data);
	report_uint("shared_buffers", plan.buffers);
	report_uint("clients", opt.clients);
	report_uint("transactions", plan.transactions * opt.clients);
	report_uint("timed", latency.count);
	report_real("p50_us", "%.3f", latency_us(&latency, 0.50));
	report_real("p99_us", "%.3f", latency_us(&latency, 0.99));
	return report(plan.transactions * opt.clients / measured.seconds, good);
}
