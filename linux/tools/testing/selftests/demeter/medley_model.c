// SPDX-License-Identifier: GPL-2.0
/*
 * What each page must hold, and whether it does.
 *
 * All words of a page follow from its kind, its number and its version; no version is written
 * twice. Whoever changes a page has it for himself meanwhile, be it by writing to it or by cutting
 * it off. Whoever reads it does not wait: what was read counts if the page was not changed since
 * before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "medley.h"

#define WORDS (PAGE / sizeof(uint64_t))
/* Of a state: adds one to the number above the version, whose lowest bit that is. */
#define CHANGE ((uint64_t)1 << 32)

static sigjmp_buf bus_error;
static volatile sig_atomic_t may_fail;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Whether the processes of a kind are to come to an end. */
bool is_over(const struct object *o)
{
	return atomic_load(opt.stop) || atomic_load(&o->tally->is_wrong) || now() >= opt.end;
}

_Noreturn void leave(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(status == MEDLEY_SKIP ? stdout : stderr, format, args);
	va_end(args);
	fflush(stdout);
	_exit(status);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t draw(struct object *o, uint64_t n)
{
	o->random = mix(o->random + 0x9e3779b97f4a7c15ull);
	return o->random % n;
}

/* Memory that children have in common with their parent. */
void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		leave(MEDLEY_CANNOT, "medley: no memory: %s\n", strerror(errno));
	return at;
}

static void on_bus_error(int signal)
{
	if (!may_fail) {
		static const char text[] = "medley: a page is gone that must be there\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(MEDLEY_WRONG);
	}
	siglongjmp(bus_error, signal);
}

/* Makes the model of an object, all of whose pages hold its base version. */
void model_make(struct object *o)
{
	const struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };
	const size_t size = sizeof(*o->model) + o->pages * sizeof(*o->model->states);

	sigaction(SIGBUS, &action, NULL);
	o->model = shared_memory(size);
	if (!o->is_shared) {
		munmap(o->model, size);
		o->model = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0);
		if (o->model == MAP_FAILED)
			leave(MEDLEY_CANNOT, "medley: no memory: %s\n", strerror(errno));
	}
	o->model->size = o->pages;
	o->model->clock = o->base;
	for (unsigned long page = 0; page < o->pages; page++)
		o->model->states[page] = o->base;
}

/* Draws a piece of an object, up to @max pages, in whole units, and returns its first page. */
unsigned long piece(struct object *o, unsigned long max, unsigned long *n)
{
	const unsigned long units = atomic_load(&o->model->size) / o->unit;
	const unsigned long first = draw(o, units);
	unsigned long some = 1 + draw(o, (max + o->unit - 1) / o->unit);

	if (some > units - first)
		some = units - first;
	*n = some * o->unit;
	return first * o->unit;
}

/* Waits until nobody else changes these pages. Others do not begin to until end_change(). */
void begin_change(struct object *o, unsigned long first, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		_Atomic uint64_t *state = &o->model->states[first + i];
		uint64_t is = atomic_load(state);

		while (is & CHANGE || !atomic_compare_exchange_strong(state, &is, is + CHANGE)) {
			usleep(100);
			is = atomic_load(state);
		}
	}
}

static void end_page(struct object *o, unsigned long page, uint32_t version)
{
	const uint64_t state = atomic_load(&o->model->states[page]);

	atomic_store(&o->model->states[page], ((state + CHANGE) & ~(uint64_t)UINT32_MAX) | version);
}

/* Pages hold another version. Those that are gone stay so. */
void end_change(struct object *o, unsigned long first, unsigned long n, uint32_t version)
{
	for (unsigned long i = 0; i < n; i++)
		end_page(o, first + i, version_of(o, first + i) == GONE ? GONE : version);
}

/* Pages are gone, or there again. */
void end_resize(struct object *o, unsigned long first, unsigned long n, uint32_t version)
{
	for (unsigned long i = 0; i < n; i++)
		end_page(o, first + i, version);
}

uint32_t version_of(const struct object *o, unsigned long page)
{
	return (uint32_t)atomic_load(&o->model->states[page]);
}

/* What a word holds, without the number of the word. Tells kind, page and version. */
static uint64_t stamp(const struct object *o, unsigned long page, uint32_t version)
{
	version &= ~LAZY;
	if (o->same) {
		page %= o->same;
		version %= o->same;
	}
	return (uint64_t)(o->kind->number + 1) << 56 | (uint64_t)page << 32 | version;
}

static uint64_t scatter(unsigned int word)
{
	return word * 0x9e3779b97f4a7c15ull;
}

/* Writes what a page of a version must hold to @words. */
void fill(const struct object *o, unsigned long page, uint32_t version, uint64_t *words)
{
	const uint64_t is = stamp(o, page, version);

	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = version == ZERO ? 0 : is ^ scatter(i);
}

/* Copies a page. Returns false if one of both is not there: SIGBUS. */
bool copy(void *to, const void *from)
{
	may_fail = 1;
	if (sigsetjmp(bus_error, 0)) {
		may_fail = 0;
		return false;
	}
	memcpy(to, from, PAGE);
	atomic_signal_fence(memory_order_seq_cst);
	may_fail = 0;
	return true;
}

/* Has the memory of the page @at fail. Returns whether it did; what it held may be gone. */
bool fail_page(void *at)
{
	bool failed;

	may_fail = 1;
	/* the kernel tells by a signal, too */
	if (sigsetjmp(bus_error, 0)) {
		may_fail = 0;
		return true;
	}
	failed = !madvise(at, PAGE, MADV_HWPOISON);
	atomic_signal_fence(memory_order_seq_cst);
	may_fail = 0;
	return failed;
}

static void describe(char *text, size_t size, uint64_t word, unsigned int i)
{
	const uint64_t is = word ^ scatter(i);

	if (!word)
		snprintf(text, size, "zero");
	else
		snprintf(text, size, "kind %llu page %llu version %llu (%#llx)",
			 (unsigned long long)(is >> 56) - 1,
			 (unsigned long long)(is >> 32 & 0xffffff),
			 (unsigned long long)(uint32_t)is, (unsigned long long)word);
}

static void tell(struct object *o, unsigned long page, const char *expected, const char *found)
{
	if (!atomic_exchange(&o->tally->is_wrong, true))
		fprintf(stderr, "wrong %s page %lu: expected %s, found %s (process %d)\n",
			o->kind->name, page, expected, found, getpid());
}

static bool is_all_zero(const uint64_t *words)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (words[i])
			return false;
	return true;
}

static void compare(struct object *o, unsigned long page, uint32_t version, const uint64_t *words)
{
	uint64_t right[WORDS];

	fill(o, page, version, right);
	if (!memcmp(words, right, PAGE) || (version & LAZY && is_all_zero(words)))
		return;
	for (unsigned int i = 0; i < WORDS; i++) {
		char expected[96], found[96], where[128];

		if (words[i] == right[i])
			continue;
		describe(expected, sizeof(expected), right[i], i);
		describe(found, sizeof(found), words[i], i);
		snprintf(where, sizeof(where), "%s in word %u", found, i);
		tell(o, page, expected, where);
		return;
	}
}

static void expect(struct object *o, unsigned long page, uint64_t state, size_t got,
		   const uint64_t *words)
{
	const uint32_t version = (uint32_t)state;

	/* it was being changed */
	if (state & CHANGE || atomic_load(&o->model->states[page]) != state)
		return;
	atomic_fetch_add(&o->tally->checks, 1);
	/* of a huge page in which a file ends, all is mapped */
	if (version == GONE && got)
		compare(o, page, ZERO, words);
	else if (version != GONE && got != PAGE)
		tell(o, page, "a page", "nothing");
	else if (version != GONE)
		compare(o, page, version, words);
}

/* Verifies a page that @get copies. That returns how many bytes there are: all or none. */
void verify_by(struct object *o, unsigned long page,
	       size_t (*get)(const struct object *o, unsigned long page, void *to))
{
	const uint64_t state = atomic_load(&o->model->states[page]);
	uint64_t words[WORDS];

	/* behind the end of what is private there is no memory at all */
	if (!o->is_shared && (uint32_t)state == GONE)
		return;
	expect(o, page, state, get(o, page, words), words);
}

static size_t get_mapped(const struct object *o, unsigned long page, void *to)
{
	return copy(to, o->at + page * PAGE) ? PAGE : 0;
}

void verify_page(struct object *o, unsigned long page)
{
	verify_by(o, page, o->at ? get_mapped : get_from_file);
}

void verify_all(struct object *o)
{
	for (unsigned long page = 0; page < o->pages; page++)
		verify_page(o, page);
}

/* Writes a new version of a page by @put, unless it is gone. That returns whether it could. */
void write_by(struct object *o, unsigned long page,
	      bool (*put)(const struct object *o, unsigned long page, const void *from))
{
	const uint32_t version = atomic_fetch_add(&o->model->clock, 1) + 1;
	uint64_t words[WORDS];

	begin_change(o, page, 1);
	if (version_of(o, page) != GONE) {
		fill(o, page, version, words);
		if (!put(o, page, words))
			tell(o, page, "to write to it", "nothing");
	}
	end_change(o, page, 1, version);
}

static bool put_mapped(const struct object *o, unsigned long page, const void *from)
{
	return copy(o->at + page * PAGE, from);
}

/* Writes a new version of a page where it is mapped. */
void write_page(struct object *o, unsigned long page)
{
	write_by(o, page, put_mapped);
}
