// SPDX-License-Identifier: GPL-2.0
/*
 * Has memory of several kinds, for tests of which of them are managed: kinds KIND=MIB ...
 *
 * Says "ready" when all of it is there, in the order of the arguments, and then reads what came
 * last, here and there and with pauses, until it is killed. Files are made in the current folder.
 * Returns 2 if it cannot.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	 4096
#define PAUSE_US 10000
/* Reads between two pauses. */
#define READS 16384

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "kinds: %s: %s\n", what, strerror(errno));
	exit(2);
}

static char *map(size_t size, int flags, int file)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	/* a child has nothing but what is forked */
	madvise(at, size, MADV_DONTFORK);
	return at;
}

static char *anonymous(size_t size)
{
	return memset(map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1), 1, size);
}

static char *locked(size_t size)
{
	char *at = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (mlock(at, size))
		fail("mlock");
	return memset(at, 1, size);
}

static char *bind_to(size_t size, unsigned long nodes)
{
	char *at = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (syscall(SYS_mbind, at, size, MPOL_BIND, &nodes, 64, 0))
		fail("mbind");
	return memset(at, 1, size);
}

static char *bound(size_t size)
{
	return bind_to(size, 1ul << 1);
}

/* A policy that allows nodes of both tiers */
static char *both(size_t size)
{
	return bind_to(size, 1ul << 0 | 1ul << 1);
}

static char *shared(size_t size)
{
	return memset(map(size, MAP_SHARED | MAP_ANONYMOUS, -1), 1, size);
}

static char *huge(size_t size)
{
	return memset(map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), 1, size);
}

/* An area of huge pages that has none, for which no memory is needed, whatever its size. */
static char *empty(size_t size)
{
	return map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1);
}

/* A file that is mapped privately, so that what is written to is copied. */
static char *private_file(size_t size)
{
	char name[] = "kinds.XXXXXX";
	const int file = mkstemp(name);
	char *at, page[PAGE] = { 1 };

	if (file < 0)
		fail(name);
	for (size_t i = 0; i < size; i += sizeof(page))
		if (write(file, page, sizeof(page)) != sizeof(page))
			fail(name);
	at = map(size, MAP_PRIVATE, file);
	unlink(name);
	close(file);
	return at;
}

static char *file(size_t size)
{
	char *at = private_file(size);

	for (size_t i = 0; i < size; i += PAGE)
		(void)*(const volatile char *)(at + i);
	return at;
}

static char *copies(size_t size)
{
	return memset(private_file(size), 2, size);
}

/* A child has it, too, and ends with its parent. */
static char *forked(size_t size)
{
	char *at = anonymous(size);
	pid_t pid;

	madvise(at, size, MADV_DOFORK);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid)
		return at;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static const struct kind {
	const char *name;
	char *(*make)(size_t size);
} kinds[] = {
	{ "anonymous", anonymous }, { "locked", locked }, { "bound", bound },
	{ "shared", shared },	    { "huge", huge },	  { "file", file },
	{ "copies", copies },	    { "forked", forked }, { "both", both },
	{ "empty", empty },	    { NULL, NULL },
};

static char *make(const char *argument, size_t *size)
{
	const size_t length = strcspn(argument, "=");
	char *end = "=";
	const unsigned long mib = argument[length] ? strtoul(argument + length + 1, &end, 10) : 0;

	*size = mib << 20;
	for (const struct kind *k = kinds; !*end && mib && k->name; k++)
		if (strlen(k->name) == length && !strncmp(k->name, argument, length))
			return k->make(*size);
	errno = EINVAL;
	fail(argument);
}

int main(int argc, char **argv)
{
	unsigned long random = 1;
	char *at = NULL;
	size_t size = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: kinds KIND=MIB ...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		at = make(argv[i], &size);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		for (int i = 0; i < READS; i++) {
			random = random * 6364136223846793005ul + 1;
			(void)*(const volatile char *)(at + (random >> 16) % size);
		}
		usleep(PAUSE_US);
	}
}
